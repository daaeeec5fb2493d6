"""What a gradient check found: the largest error and, for each wrong array, where and a hint."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Failure:
    """One thing that is wrong.

    Attributes
    ----------
    where : str
        "input", the name of a parameter, or "contract".
    what : str
        What is wrong, in a sentence.
    index : tuple of int, optional
        Of the worst entry, if single entries were compared.
    analytic, numeric : float, optional
        The two gradients there.
    hint : str
        What this pattern of errors usually means.
    """

    where: str
    what: str
    index: tuple[int, ...] | None = None
    analytic: float | None = None
    numeric: float | None = None
    hint: str = ""

    @property
    def ratio(self) -> float | None:
        """``analytic / numeric`` at the worst entry; None where that is undefined."""
        return self.analytic / self.numeric if self.analytic is not None and self.numeric else None

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}"
        if self.analytic is not None:
            at = "" if self.index is None else f" at {list(self.index)}"
            text += f"\n    worst{at}: analytic {self.analytic:.6g}, numeric {self.numeric:.6g}"
            text += "" if self.ratio is None else f", ratio {self.ratio:.6g}"
        return text + (f"\n    hint: {self.hint}" if self.hint else "")


@dataclass
class Report:
    """The result of `check_gradients` or `check_loss`; ``print(report)`` to read it.

    Attributes
    ----------
    subject : str
        What was checked.
    tolerance : float
        The largest relative error allowed.
    worst : float
        The largest relative error found, over all arrays; never an average.
    elements : int
        Entries of the input and the parameters that took part in a comparison.
    one_by_one : int
        How many of those were compared alone; the others were compared in groups.
    kinks : int
        Entries left out because the function has a kink within the step.
    failures : list of Failure
        In the order input, parameters; empty if all is well.
    """

    subject: str
    tolerance: float
    worst: float = 0.0
    elements: int = 0
    one_by_one: int = 0
    kinks: int = 0
    failures: list[Failure] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.failures

    def raise_if_failed(self) -> None:
        """Raise an AssertionError that carries the diagnosis, unless all is well."""
        if not self.ok:
            raise AssertionError(str(self))

    def __str__(self) -> str:
        numbers = (
            f"worst relative error {self.worst:.1e} (allowed {self.tolerance:.0e}), "
            f"{self.elements} elements, {self.kinks} left out at kinks"
        )
        if any(failure.where == "contract" for failure in self.failures):
            numbers = "no numbers compared, for it breaks the contract"
        head = f"{self.subject}: {'ok' if self.ok else 'FAILED'}, {numbers}"
        lines = [head, *(f"  {failure}" for failure in self.failures)]
        inside = [f.where for f in self.failures if "." in f.where]
        if inside and len(self.failures) > 1:
            lines.append(
                "  Errors travel backward, from the last layer to the first: look first at the "
                f"backward of the layer that holds {inside[-1]}, then at those after it."
            )
        return "\n".join(lines)
