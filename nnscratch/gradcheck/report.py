"""What a gradient check found: the largest error and, for each wrong array, where and a hint."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Failure:
    """One thing that is wrong.

    Attributes
    ----------
    where : str
        "input", the name of a parameter, "contract", or "zeros" for arrays without any gradient.
    what : str
        What is wrong, in a sentence.
    index : tuple of int, optional
        Of the worst entry, if single entries were compared.
    analytic, numeric : float, optional
        The two gradients there.
    hint : str
        What this pattern of errors usually means.
    proves_little : bool
        No error was found here, but too little could be compared.
    """

    where: str
    what: str
    index: tuple[int, ...] | None = None
    analytic: float | None = None
    numeric: float | None = None
    hint: str = ""
    proves_little: bool = False

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
    zeros : int
        Entries, of those compared, whose gradient is exactly 0, claimed and measured.
    failures : list of Failure
        In the order input, parameters; empty if all is well.
    notes : list of str
        What should be said though the gradients are right.
    culprits : list of str
        Of a model that failed: names of the smallest parts that fail alone, such as
        "bottleneck.1.batchnormalization"; "" stands for the model's own backward.
    narrowed : str
        The same in words.
    """

    subject: str
    tolerance: float
    worst: float = 0.0
    elements: int = 0
    one_by_one: int = 0
    kinks: int = 0
    zeros: int = 0
    failures: list[Failure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    culprits: list[str] = field(default_factory=list)
    narrowed: str = ""

    @property
    def ok(self) -> bool:
        return not self.failures

    @property
    def wrong(self) -> list[Failure]:
        """The failures that are errors, and not only a lack of evidence."""
        return [failure for failure in self.failures if not failure.proves_little]

    @property
    def zero_share(self) -> float:
        """Which part of the compared entries has gradient 0 on both sides."""
        return self.zeros / self.elements if self.elements else 0.0

    def raise_if_failed(self) -> None:
        """Raise an AssertionError that carries the diagnosis, unless all is well."""
        if not self.ok:
            raise AssertionError(str(self))

    def __str__(self) -> str:
        numbers = (
            f"worst relative error {self.worst:.1e} (allowed {self.tolerance:.0e}), "
            f"{self.elements} elements, {100 * self.zero_share:.0f} % of them 0 on both sides, "
            f"{self.kinks} left out at kinks"
        )
        if any(failure.where == "contract" for failure in self.failures):
            numbers = "no numbers compared, for it breaks the contract"
        head = f"{self.subject}: {'ok' if self.ok else 'FAILED'}, {numbers}"
        lines = [head, *(f"  {failure}" for failure in self.failures)]
        if self.narrowed:
            lines.append(textwrap.indent(self.narrowed, "  "))
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(lines)
