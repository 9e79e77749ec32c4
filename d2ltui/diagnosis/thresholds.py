"""Every threshold of the diagnosis, each with its source, or the measurement behind it, in one place.

`LIMITS` are those of a run, `AT_START` those of a checkup before the first step; `NUMBERS` has the plain numbers.
Where a source says "by hand", nothing was measured but `python -m tests.benchmarks diagnosis` as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple, TypeVar

from d2ltui.spec.events import Severity

N = TypeVar("N", int, float)


class Limit(NamedTuple):
    """From which figure on a rule speaks, how loudly, and why just there."""

    warning: float
    alarm: float
    source: str


_MEASURED = "measured: no run with default settings comes near"
_DEFAULTS = "measured: the defaults of every model, embedded data set and optimiser stay below the alarm"

LIMITS: Mapping[str, Limit] = {
    "dead": Limit(0.4, 0.7, "a share of a layer's units; " + _MEASURED),
    "saturated": Limit(0.3, 0.6, "a share of outputs; Glorot and Bengio 2010, figures 2 and 3; " + _MEASURED),
    "vanishing": Limit(1e-3, 1e-5, "first to last gradient norm; measured: six sigmoid layers of 64 units give 1e-5"),
    "exploding": Limit(1e2, 1e3, "a gradient's norm; clipping is done at 1 (section 9.5); " + _MEASURED),
    "diverging": Limit(2.0, 10.0, "times the loss at the start, or of a guess"),
    "lr_high": Limit(0.1, 1.0, "‖Δw‖/‖w‖ of a step; about 1e-3 is usual (CS231n, ratio of weights to updates)"),
    "lr_low": Limit(1e-4, 0.0, "the same ratio, while the loss has hardly moved"),
    "shrunk": Limit(0.5, 0.25, "of a layer's weights at the start, while nothing was learned; by hand"),
    "overfitting": Limit(1.25, 2.0, "validation loss over its lowest; " + _MEASURED),
    "not_learning": Limit(0.95, 1.05, "times the loss at the start: has not learned; times a guess's: knows less"),
}
AT_START: Mapping[str, Limit] = {
    "start_loss": Limit(4.0, 40.0, "times a guess's loss; " + _DEFAULTS + " (at most 1.8)"),
    "input_scale": Limit(0.75, 1.5, "powers of ten from a root mean square of 1; " + _DEFAULTS + " (at most 0.5)"),
    "input_offset": Limit(0.9, 0.99, "|mean| / root mean square; pictures from 0 to 1 have at most 0.8"),
    "label_scale": Limit(1.5, 3.0, "powers of ten from a root mean square of 1, in regression; " + _DEFAULTS),
    "label_share": Limit(0.75, 0.9, "of the most frequent class; see `labels.too_frequent` for many classes"),
    "fading": Limit(5.0, 6.0, "powers of ten lost from input to output; N(0, 0.01²) of 2-64-64-3 loses 4.6 and learns"),
    "vanishing": Limit(
        -math.log10(LIMITS["vanishing"].warning),
        -math.log10(LIMITS["vanishing"].alarm),
        "powers of ten from the last layer's gradient to the first's, as in a run's own rule",
    ),
    "no_gradient": Limit(4.0, 6.0, "powers of ten of the largest gradient's norm below 1; " + _DEFAULTS + " (3.1)"),
    "exploding": Limit(
        math.log10(LIMITS["exploding"].warning),
        math.log10(LIMITS["exploding"].alarm),
        "powers of ten of a gradient's norm above 1, as in a run's own rule",
    ),
    "alike": Limit(0.1, 0.5, "of a hidden layer's units that equal another; none do by chance"),
    "by_heart": Limit(
        0.4,
        0.8,
        "of 16 samples not learned; measured: defaults leave 0.02 to 0.3, but where the model can do no more (linear "
        "on diabetes 0.56, softmax on circles 0.91)",
    ),
}
NUMBERS: dict[str, tuple[float, str]] = {}


def severity_of(name: str, figure: float) -> Severity:
    """How grave a figure above the warning of one of `LIMITS` is."""
    return "alarm" if figure >= LIMITS[name].alarm else "warning"


def severity_at_start(name: str, figure: float) -> Severity | None:
    """By `AT_START`; None where the figure is as it should be; what is not finite is grave."""
    limit = AT_START[name]
    if math.isnan(figure) or figure >= limit.alarm:
        return "alarm"
    return "warning" if figure >= limit.warning else None


def _number(name: str, value: N, source: str) -> N:
    NUMBERS[name] = value, source
    return value


# While a run trains
LEARNING = _number("LEARNING", 0.75, "of the loss at the start, and of a guess: who has come so far learns; by hand")
RISEN = _number("RISEN", 1.25, "times its lowest so far: the noise of a loss that falls; by hand")
LR_STEPS = _number("LR_STEPS", 50, "before, a step may well be large beside weights that start small; by hand")
LOW_STEPS = _number("LOW_STEPS", 100, "before, a slow start is no sign; by hand")
OVERFIT_EPOCHS = _number("OVERFIT_EPOCHS", 5, "since the lowest validation loss; by hand")
MEMORISED = _number("MEMORISED", 0.05, "of its start: a train loss so low, and nothing learned for validation; by hand")
PATIENCE = _number("PATIENCE", 100, "steps in which a network may learn nothing: with it, no healthy run is warned")
PATIENT_SHARE = _number("PATIENT_SHARE", 0.25, "of all steps, likewise")
GAP = _number("GAP", 0.1, "of accuracy, or R², between training and validation: twice GAIN, by hand")
RECENT = _number("RECENT", 3, "last epochs that must all have that GAP: 1 of 120 healthy runs had a single bad one")
SWINGS = _number("SWINGS", 6, "that the loss goes from low to high, or back; measured: 80 healthy runs have 0 or 1")
SWING_LOW = _number("SWING_LOW", 0.6, "of a guess's loss: below, the network knew something; by hand")
SWING_HIGH = _number("SWING_HIGH", 1.2, "of a guess's loss: above, it knows less than nothing; by hand")
SWING_SAMPLES = _number("SWING_SAMPLES", 64, "that a loss is averaged over, so that a small batch's noise is no swing")
SWING_LOSSES = _number("SWING_LOSSES", 96, "the latest of such averages that are looked at; by hand")
STALL_EPOCHS = _number("STALL_EPOCHS", 8, "at least, the second half of which brings nothing; by hand")
STALL_FALL = _number("STALL_FALL", 0.98, "of the first half's lowest loss: who is below goes on learning; by hand")
STALL_FAR = _number("STALL_FAR", 0.3, "of a guess's loss: who is below has learned most of what there is; by hand")
STALL_BLIND = _number("STALL_BLIND", 0.9, "of a layer that is dead or saturated: it passes no gradient on; by hand")

# At its end
GAIN = _number("GAIN", 0.05, "of accuracy, or R²: what a change must bring, as the benchmark's REPAIRED")
GRAVE = _number("GRAVE", 0.2, "of accuracy, or R²: what is an alarm; by hand")
ROOM = _number("ROOM", 0.04, "from all there is: so near, nothing is tried; by hand")
ALIKE = _number("ALIKE", 0.03, "gains that differ by less are alike: the more suspicious one counts; by hand")
ALIKE_SHARE = _number("ALIKE_SHARE", 0.12, "of the larger gain, likewise; by hand")
NEAR_GUESS = _number("NEAR_GUESS", 0.1, "of the way from a guess to 1: who is not beyond has learned nothing; by hand")
LITTLE = _number("LITTLE", 0.3, "of the way from a guess to 1: a classifier that is not beyond has learned little")
KNOWN = _number("KNOWN", 0.9, "of the training part: what validation lacks then is not for want of learning; by hand")
NEIGHBOURS = _number("NEIGHBOURS", 900, "samples whose nearest neighbour is looked at: an error of 0.017 at most")
UNRELATED = _number(
    "UNRELATED", 0.25, "of the way from chance to 1: a larger error would call labels random that are merely noisy"
)
BETTER_LOSS = _number("BETTER_LOSS", 0.5, "of the validation loss: what a change must leave of it at most; by hand")
FOUND = _number("FOUND", 0.9, "of the loss of a guess: no validation loss is below that by chance; by hand")

# Which settings are suspected
ALWAYS = _number("ALWAYS", 0.1, "of what is tried only where nothing else explains a run that has learned nothing")
SUSPICIOUS = _number("SUSPICIOUS", 0.5, "tried where a run has learned something, too: three times the usual rate")
WIDE_ENOUGH = _number("WIDE_ENOUGH", 32, "units of a hidden layer, enough for the data sets here; by hand")
FEW_STEPS = _number("FEW_STEPS", 60, "fewer may be too few, whatever the rate; by hand")
ENOUGH_STEPS = _number("ENOUGH_STEPS", 300, "fewer may be too few; hardly a healthy run of the benchmark has less")
FALLS = _number("FALLS", 0.95, "of the loss a quarter of the run before: who is below still learns; by hand")
SHRINKS = _number("SHRINKS", 0.2, "for each layer with flat ends: three are suspicious, two are in every textbook")
MOMENTUM = _number("MOMENTUM", 0.9, "the usual one (section 12.6); more makes each step go on for longer")
SMALL_DECAY = _number("SMALL_DECAY", 1e-3, "a weight decay that harms nobody; by hand")

# Before the first step
ROUNDING = _number("ROUNDING", 1e-4, "of a gradient's norm; float32 keeps seven digits")
HEART_GAIN = _number("HEART_GAIN", 0.3, "of what is to be learned: what a change must bring to be the cause; by hand")
HEART_NOTHING = _number("HEART_NOTHING", 0.9, "of what is to be learned: who leaves that has learned nothing; by hand")
HEART_PATIENCE = _number("HEART_PATIENCE", 2400, "steps: some leave their plateau long after the usual 300")
