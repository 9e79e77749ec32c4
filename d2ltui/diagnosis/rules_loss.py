"""Rules about the loss's own course: it jumps up and down, or it has stopped falling."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

from d2ltui.diagnosis import remedies
from d2ltui.diagnosis.evidence import Run, finding, name_of
from d2ltui.diagnosis.thresholds import (
    KNOWN,
    LIMITS,
    RECENT,
    RISEN,
    STALL_BLIND,
    STALL_EPOCHS,
    STALL_FALL,
    STALL_FAR,
    SWING_HIGH,
    SWING_LOSSES,
    SWING_LOW,
    SWING_SAMPLES,
    SWINGS,
)
from d2ltui.history.epochs import Epochs
from d2ltui.spec.events import Finding, LayerStats
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number, percent
from d2ltui.spec.text import counted


def losses_judged(batch_size: int) -> int:
    """How many of the latest steps' losses are judged."""
    return SWING_LOSSES * _steps_averaged(batch_size)


def oscillation(run: Run) -> Iterator[Finding]:
    """The loss goes below that of a guess and above it, again and again, and does not diverge.

    A small batch's loss is noisy; so is the mean of one with few samples. Means of `SWING_SAMPLES` samples are not.
    """
    guess, floor = min(run.start, run.guess), run.floors[0]
    times, low, high = swings(run.losses, run.config.batch_size, guess, floor)
    if times < SWINGS or run.diverged_at is not None or _is_noise(run):
        return
    remedy = remedies.shorten_steps(run.config)
    yield finding(
        run,
        "oscillation",
        "warning",
        float(times),
        what=_(
            "The loss jumps up and down: in the last {steps:,} steps it went {times} between less than {low} and more "
            "than {high}, {when}. A guess has {guess}."
        ).format(
            steps=len(run.losses),
            times=counted(times, "time"),
            low=number(low),
            high=number(high),
            when=run.when,
            guess=number(guess),
        ),
        why=_("Steps that are too long leap over the valley again and again, and lose what was learned."),
        try_=_("Train again with {change}.").format(change=remedies.in_words(remedy)),
        remedy=remedy,
    )


def _is_noise(run: Run) -> bool:
    """Whether the validation loss stays calm meanwhile: it is always of the same samples, and no chance moves it.

    A squared error of few samples may go up and down as far as it does by chance alone.
    """
    since = run.step - len(run.losses)
    losses = [epoch.val_loss for epoch in run.epochs if epoch.step > since]
    if len(losses) < RECENT:
        return False
    lowest = list(itertools.accumulate(losses, min))
    return all(loss < RISEN * low for low, loss in zip(lowest, losses[1:], strict=False))


def swings(losses: Sequence[float], batch_size: int, guess: float, floor: float = 0.0) -> tuple[int, float, float]:
    """How often the loss of the latest steps went from low to high or back, and what is low, and high.

    `guess` is the loss of who knows nothing, `floor` the lowest that there is.
    """
    low, high = (floor + share * (guess - floor) for share in (SWING_LOW, SWING_HIGH))
    if not 0 < guess < math.inf:
        return 0, low, high
    size = _steps_averaged(batch_size)
    values = list(losses)[len(losses) % size :]
    means = (sum(values[i : i + size]) / size for i in range(0, len(values), size))
    sides = [mean > high for mean in means if mean < low or mean > high]
    return sum(one != other for one, other in itertools.pairwise(sides)), low, high


def _steps_averaged(batch_size: int) -> int:
    return math.ceil(SWING_SAMPLES / batch_size)


def stalled(run: Run) -> Iterator[Finding]:
    """The network had learned, and then its loss stopped falling, where a layer has ceased to pass a gradient on.

    A loss that has come down as far as the data allow stands still, too: what tells is inside.
    """
    since = stands_still(run.epochs, min(run.start, run.guess), run.floors[0])
    if since is None or (blind := _blind(run)) is None:
        return
    last = run.epochs[-1]
    yield finding(
        run,
        "stalled",
        "warning",
        last.train_loss,
        layer=blind[0].index,
        what=_("The loss has stood still since epoch {since}: the train loss is {loss} {when}, and {blind}.").format(
            since=since, loss=number(last.train_loss), when=run.when, blind=blind[1]
        ),
        why=_("The network had begun to learn; what comes before that layer is not changed any more."),
        try_=_("Start from other weights, or take shorter steps: see what the end of the run finds."),
    )


def stands_still(epochs: Epochs, guess: float, floor: float = 0.0) -> int | None:
    """The epoch since which the train loss has not fallen, far above 0 though below `guess`; None where it falls.

    Of smoothed labels, far above `floor`, the lowest that there is.
    """
    guess -= floor
    if len(epochs) < STALL_EPOCHS or not 0 < guess < math.inf:
        return None
    losses = [epoch.train_loss - floor for epoch in epochs]
    half = len(losses) // 2
    before, after = min(losses[:half]), min(losses[half:])
    fell = before <= LIMITS["not_learning"].warning * guess
    stands = after >= STALL_FALL * before and after >= STALL_FAR * guess
    if not (fell and stands) or epochs[-1].train_metric >= KNOWN:
        return None
    return epochs[losses.index(before)].epoch


def stood_still(epochs: Epochs, step: int, since: int) -> Finding:
    """That a run which has ended at `step` stood still from epoch `since` on: it follows from a cause."""
    loss = epochs[-1].train_loss
    return Finding(
        rule="stalled",
        severity="warning",
        layer=None,
        step=step,
        figure=loss,
        what=_("The loss has stood still since epoch {since}: the train loss is {loss} at step {step:,}.").format(
            since=since, loss=number(loss), step=step
        ),
        why=_("The network had begun to learn, and has come to where it can get no further."),
        try_="",
        remedy={},
    )


def _blind(run: Run) -> tuple[LayerStats, str] | None:
    """A layer that lets no gradient through now, and did at the start."""
    first = {layer.index: layer for layer in run.probes[0].layers}
    for layer in run.layers:
        before = first.get(layer.index)
        for share, then, said in (
            (layer.dead, before and before.dead, _("in {layer} {share} of its units are dead")),
            (layer.saturated, before and before.saturated, _("in {layer} {share} of its outputs are saturated")),
        ):
            if share is not None and share >= STALL_BLIND and (then or 0.0) < STALL_BLIND:
                return layer, said.format(layer=name_of(layer), share=percent(share))
    if _passed_on(run.layers) < LIMITS["vanishing"].warning <= _passed_on(run.probes[0].layers):
        layer = next(layer for layer in run.layers if layer.gradient_norm is not None)
        said = _("{layer} gets {share} of the last layer's gradient")
        return layer, said.format(layer=name_of(layer), share=number(_passed_on(run.layers), 2))
    return None


def _passed_on(layers: Sequence[LayerStats]) -> float:
    norms = [layer.gradient_norm for layer in layers if layer.gradient_norm is not None]
    return norms[0] / norms[-1] if len(norms) > 1 and norms[-1] > 0 else 1.0
