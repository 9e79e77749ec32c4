"""A rule and a lesson of another package, in one file."""

from __future__ import annotations

from d2ltui.diagnosis.evidence import finding
from d2ltui.diagnosis.monitor import Rule
from d2ltui.lessons.lesson import Lesson
from d2ltui.lessons.measured import Experiment, Measured, figure


def shrinks(run):  # type: ignore[no-untyped-def]
    """Weights that are smaller than at the start."""
    first, last = run.probes[0].layers[0].weight_norm, run.probes[-1].layers[0].weight_norm
    if last < first:
        yield finding(
            run,
            "weights-shrink",
            "note",
            last / first,
            layer=1,
            what=f"The first layer's weights have shrunk to {100 * last / first:.0f} % {run.when}.",
            why="Weight decay takes a share of them in each step.",
            try_="Train without it.",
            remedy={"weight_decay": 0.0},
        )


SHRINKS = Rule("weights-shrink", shrinks)


def measure(bench):  # type: ignore[no-untyped-def]
    """One run with many steps for each epoch, one with few."""
    small, large = bench.train("small", 0), bench.train("large", 0)
    return Measured(
        [figure("more accurate with small batches by", small.accuracy - large.accuracy, low=0.02)],
        "The same number of epochs has more steps in it.",
    )


SMALL_BATCHES = Lesson(
    name="small-batches",
    title="Small batches take more steps",
    section="3.1",
    claim="In as many epochs, small batches learn more than large ones.",
    formula="steps = epochs · n / batch_size",
    text="Each batch is one step, however large it is.",
    measure=measure,
    experiments=(
        Experiment("small", {"model": "softmax", "dataset": "digits", "epochs": 2, "batch_size": 16}),
        Experiment("large", {"model": "softmax", "dataset": "digits", "epochs": 2, "batch_size": 1024}),
    ),
)


def fails(bench):  # type: ignore[no-untyped-def]
    """A defect."""
    raise KeyError("accuracy")


FAILING = Lesson("failing", "It fails", "0", "It cannot be measured.", "", "", measure=fails)
