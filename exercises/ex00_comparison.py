"""What the gradient checker and the loss curve say of the mistakes of exercise 0: two pages."""

from __future__ import annotations

import math
import textwrap
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from exercises.common import Page, Settings, publish
from exercises.ex00_mistakes import MISTAKES, SAMPLES, Mistake
from exercises.ex00_training import (
    BATCH,
    EVERY,
    RATE,
    SEARCHED,
    Finding,
    Network,
    RightNets,
    examine,
    right_of_nets,
)
from nnscratch.plotting import label_losses, new_figure
from nnscratch.randomness import stream

HOW_TO_READ = (
    "Loss on test images while a net learns to read digits (that of the first picture, or a dense "
    "net with the layer in question; for MAP, the objective while codes are searched for): grey, "
    "right ones from several starts; black, the right one that starts where the wrong one does; "
    "red, the wrong one. Shaded: where 95 % of right nets end."
)
NO_REPORT = "No counterpart in the reports."
VERDICTS = {True: "tells", False: "does not tell", None: "no verdict"}
LOSSES = 0.3, 20.0  # what is shown of them


def compare(settings: Settings, network: Network) -> None:
    """All mistakes, in one figure."""
    started = time.perf_counter()
    rights = right_of_nets(settings, network, list(MISTAKES.values()))
    found = [examine(mistake, rights[mistake.net]) for mistake in MISTAKES.values()]
    right = rights[None]
    page = Page(
        "ex00_mistakes",
        f"{len(MISTAKES)} classic mistakes: what the checker says, and what the loss curve tells",
        f"{HOW_TO_READ} Below each, the first hint of the gradient checker, which looks at every "
        f"layer alone, in float64, with {SAMPLES} random samples.",
        NO_REPORT,
        stamp(right),
        {"right": numbers_of_right(right)}
        | {f.mistake.name: numbers(f, rights[f.mistake.net]) for f in found},
        answers(found, right),
    )
    publish(settings, page, draw(found, rights), started)


def look_at(settings: Settings, network: Network, mistake: Mistake) -> None:
    """One mistake: all that the checker says, and the loss with and without it."""
    started = time.perf_counter()
    print_wrapped(f"{mistake.name}: {mistake.sentence}\n")
    right = right_of_nets(settings, network, [mistake])[mistake.net]
    finding = examine(mistake, right)
    print(f"The gradient checker, part by part, with {SAMPLES} random samples:\n")
    for report in (*finding.diagnosis.parts, finding.diagnosis.whole):
        print_wrapped(str(report), "  ")
    print_wrapped(f"\n{what_the_checker_does(finding)}\n\nThe net, trained: {stamp(right)}\n")
    for name, run in (("right", right.runs[0]), (f"with {mistake.name}", finding.outcome)):
        percent = 100 * run.accuracy
        print(f"  {name:<24}loss {run.losses[-1]:<10.4g}{right.success} {percent:.1f} %")
    print_wrapped(f"\n{what_the_curve_does(finding, right)}\n")
    page = Page(
        f"ex00_break_{mistake.name}",
        f"A mistake: {mistake.name}",
        f"{mistake.sentence} {HOW_TO_READ}",
        NO_REPORT,
        stamp(right),
        {"right": numbers_of_right(right), mistake.name: numbers(finding, right)},
    )
    publish(settings, page, draw([finding], {mistake.net: right}), started)


def hidden_mistake(number: int) -> Mistake:
    """One of them for each number; neighbouring numbers hide different ones."""
    order = stream(0, "hidden mistakes").permutation(len(MISTAKES))
    return list(MISTAKES.values())[order[number % len(MISTAKES)]]


def show_symptoms(settings: Settings, network: Network, number: int, answer: bool) -> None:
    """What one sees of a mistake who does not know it; its name only on request."""
    started = time.perf_counter()
    mistake = hidden_mistake(number)
    right = right_of_nets(settings, network, [mistake])[mistake.net]
    finding = examine(mistake, right)
    print_wrapped(f"Mistake {number} is planted in the net, or in its loss. {stamp(right)}\n")
    print(f"  {'step':<8}{'right':<12}wrong")
    for step, *losses in zip(
        finding.outcome.steps, right.runs[0].losses, finding.outcome.losses, strict=False
    ):
        if step % (5 * EVERY) == 0 or step == finding.outcome.steps[-1]:
            print(f"  {step:<8}{losses[0]:<12.4g}{losses[1]:.4g}")
    accuracies = 100 * right.runs[0].accuracy, 100 * finding.outcome.accuracy
    print(f"  {right.success} {accuracies[0]:.1f} % right, {accuracies[1]:.1f} % wrong\n")
    if finding.told is None:
        print_wrapped(f"  Nothing can be said yet: {finding.curve}. Train longer.\n")
    page = Page(
        f"ex00_hidden_{number}",
        f"Hidden mistake {number}: which is it?",
        HOW_TO_READ,
        NO_REPORT,
        stamp(right),
        {
            "right": numbers_of_right(right),
            "wrong": {"steps": finding.outcome.steps, "test_loss": finding.outcome.losses},
        },
    )
    publish(settings, page, draw_symptoms(finding, right, number), started)
    if answer:
        print_wrapped(f"{mistake.name}: {mistake.sentence}\n{what_the_checker_does(finding)}")
    else:
        print_wrapped(
            "--list says which mistakes there are; --hide with --answer says which this is."
        )


def print_wrapped(text: str, margin: str = "") -> None:
    """Print lines no longer than 100 characters; what goes on is indented further."""
    for line in text.split("\n"):
        indent = margin + " " * (len(line) - len(line.lstrip()))
        print(textwrap.fill(line.strip(), 100, initial_indent=indent,
                            subsequent_indent=indent + "  "))  # fmt: skip


# ---------------------------------------------------------------- in words


def what_the_checker_does(finding: Finding) -> str:
    """Whether it finds the mistake and names it."""
    failed = " and ".join(report.subject for report in finding.diagnosis.failed)
    if not failed:
        return "The checker does not find it."
    if not finding.diagnosis.named:
        return f"The checker finds it, in {failed}, but its diagnosis does not name it."
    return f'The checker finds it, in {failed}, and names it: "{finding.mistake.words}".'


def what_the_curve_does(finding: Finding, right: RightNets) -> str:
    """Whether it tells of the mistake, with the number that says so."""
    if finding.told is None:
        return f"The loss curve tells nothing: {finding.curve}."
    tells = "tells" if finding.told else "does not tell"
    change = f"{loss_change(finding, right):+.3g} % against the right net of the same start"
    return f"The loss curve {tells} of it: {finding.curve} ({change})."


def loss_change(finding: Finding, right: RightNets) -> float:
    """How much higher the last loss is than without the mistake, in per cent."""
    return 100 * (finding.outcome.losses[-1] / right.runs[0].losses[-1] - 1)


def stamp(right: RightNets) -> str:
    """Data, training and seed."""
    if right.epochs == 0:
        return f"{right.data.source} · {SEARCHED} codes by gradient descent · seed {right.seed}"
    epochs = "1 epoch" if right.epochs == 1 else f"{right.epochs} epochs"
    return f"{right.data.source} · {epochs}, SGD {RATE:g}, batch {BATCH} · seed {right.seed}"


def answers(found: Sequence[Finding], right: RightNets) -> list[tuple[str, str]]:
    """What was measured, in sentences."""
    caught = [f for f in found if f.diagnosis.failed]
    unnamed = [f for f in caught if not f.diagnosis.named]
    in_layers = [f for f in found if f.mistake.places]
    hidden = [f for f in in_layers if f.diagnosis.whole.ok]
    told = [f for f in found if f.told]
    silent = [f for f in found if not f.told]
    ends = ", ".join(f"{f.mistake.name} {f.outcome.losses[-1]:.3f}" for f in silent)
    low, high = right.usual_end
    return [
        (
            "Does the checker's diagnosis name the mistake?",
            f"It finds {len(caught)} of {len(found)} and names {len(caught) - len(unnamed)}. "
            f"Found but not named: {names(unnamed)}.",
        ),
        (
            "Is it enough to check all layers in a chain?",
            f"Of {len(in_layers)} mistakes in layers, the chain passes the check with "
            f"{len(hidden)} ({names(hidden)}). What comes behind can hide a mistake: after "
            "ReLU, max pooling hands a gradient to winners only, and those are seldom 0.",
        ),
        (
            "Would the loss curve have told?",
            f"Of {len(told)} ({names(told)}). Not of {len(silent)}, whose loss ends as that of a "
            f"right net of its kind may, or below (for the first net, {low:.3f} to "
            f"{high:.3f}): {ends}."
            if right.learned
            else f"Nothing can be said: {found[0].curve}. Train longer, without --quick.",
        ),
    ]


def names(findings: Iterable[Finding]) -> str:
    """Of the mistakes."""
    return ", ".join(finding.mistake.name for finding in findings) or "none"


# ---------------------------------------------------------------- in numbers


def numbers_of_right(right: RightNets) -> dict[str, Any]:
    """How right nets learn."""
    return {
        "steps": right.runs[0].steps,
        "test_loss_by_run": [run.losses for run in right.runs],
        f"{right.success}_percent_by_run".replace(" ", "_"): [
            100 * run.accuracy for run in right.runs
        ],
        "where_95_percent_end": right.usual_end,
    }


def numbers(finding: Finding, right: RightNets) -> dict[str, Any]:
    """Everything measured of one mistake."""
    return {
        "mistake": finding.mistake.sentence,
        "wrong_parts": [report.subject for report in finding.diagnosis.failed],
        "named": finding.diagnosis.named,
        "hint": finding.diagnosis.hint,
        "chain_passes": finding.diagnosis.whole.ok,
        "steps": finding.outcome.steps,
        "test_loss": finding.outcome.losses,
        f"{right.success}_percent".replace(" ", "_"): 100 * finding.outcome.accuracy,
        "loss_change_percent": loss_change(finding, right),
        "told_by_the_loss": finding.told,
        "curve": finding.curve,
    }


# ---------------------------------------------------------------- as a figure


def draw(found: Sequence[Finding], rights: Mapping[Any, RightNets]) -> Figure:
    """A panel for each mistake."""
    if len(found) == 1:
        figure = new_figure(7.5, 5, found[0].mistake.sentence)
        axis = figure.subplots()
        draw_one(axis, found[0], rights[found[0].mistake.net], 120)
        axis.legend(fontsize=8, loc="upper center")
        return figure
    title = f"{len(found)} mistakes: the loss with each, and what the checker says"
    rows = math.ceil((len(found) + 1) / 4)
    figure = new_figure(12, 3.4 * rows, title)
    axes = figure.subplots(rows, 4)
    for axis, finding in zip(axes.flat, found, strict=False):
        draw_one(axis, finding, rights[finding.mistake.net], 47)
    for axis in axes.flat[len(found) :]:
        axis.axis("off")
    axes.flat[len(found)].legend(
        *axes[0, 0].get_legend_handles_labels(), loc="center", frameon=False
    )
    return figure


def draw_symptoms(finding: Finding, right: RightNets, number: int) -> Figure:
    """The loss curves, without a word of what is wrong."""
    figure = new_figure(7.5, 5, f"Hidden mistake {number}: which is it?")
    axis = figure.subplots()
    draw_curves(axis, finding, right)
    axis.legend(fontsize=8)
    return figure


def draw_curves(axis: Axes, finding: Finding, right: RightNets) -> None:
    """Right nets, and the one with the mistake."""
    axis.axhspan(*right.usual_end, color="0.92", zorder=0, label="where 95 % of right nets end")
    for run in right.runs[1:]:
        (others,) = axis.plot(run.steps, run.losses, "0.7", lw=0.7)
    others.set_label("right, from other weights")
    same, wrong = right.runs[0], finding.outcome
    axis.plot(same.steps, same.losses, "black", lw=1.3, label="right, from the same weights")
    axis.plot(wrong.steps, wrong.losses, "tab:red", lw=1.3, label="with the mistake")
    searched = finding.mistake.net == "MAP"
    label_losses(axis, "MAP objective" if searched else "loss on test images")
    axis.set(xlabel="step", ylim=None if searched else LOSSES)
    axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def draw_one(axis: Axes, finding: Finding, right: RightNets, characters: int) -> None:
    """The loss curves with both verdicts, and below them the checker's own words."""
    draw_curves(axis, finding, right)
    axis.set_title(finding.mistake.name, fontsize=10, fontweight="bold")
    named, told = finding.diagnosis.named, finding.told
    found = "finds it, no name" if finding.diagnosis.failed else "finds nothing"
    for y, words, good in (
        (0.95, f"checker: {'names it' if named else found}", named),
        (0.88, f"loss curve: {VERDICTS[told]}", told),
    ):
        axis.text(0.97, y, words, fontsize=8, ha="right", va="top", transform=axis.transAxes,
                  color="tab:green" if good else "tab:orange")  # fmt: skip
    says = (finding.curve, f"checker: {finding.diagnosis.hint}")
    text = "\n".join(textwrap.fill(part, characters) for part in says)
    axis.text(0, -0.21, text, fontsize=7, va="top", transform=axis.transAxes)
