"""What happens in a run, as values: frozen, plain numbers and text, never tensors or the trainer itself.

The engine emits them to sinks: functions that take an event and return at once. `live.LiveRun` is one, a store or a
progress bar another.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from d2ltui.spec.config import RunConfig
from d2ltui.spec.language import _, ngettext
from d2ltui.spec.layers import LayerSpec
from d2ltui.spec.numbers import number
from d2ltui.spec.text import counted, json_line

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Status: TypeAlias = Literal["ready", "loading", "training", "paused", "finished", "stopped", "diverged", "failed"]
ENDED: tuple[Status, ...] = ("finished", "stopped", "diverged", "failed")
MAX_LISTED_UNITS = 1024  # of a layer, whose activity is told one by one
PRUNED = "pruned"  # with this begins the message of a stopped run that was given up before its end


class Event(msgspec.Struct, frozen=True):
    """Anything that the engine tells."""


class StatusChanged(Event, frozen=True):
    """The run is in another state from here on, after `step` steps (None where that is not known)."""

    status: Status
    step: int | None = None


class Loading(Event, frozen=True):
    """What is being loaded, or done after the last step. `fraction` from 0 to 1, or None where it is not known."""

    message: str
    fraction: float | None = None


class RunStarted(Event, frozen=True):
    """Data and model are ready; training begins. `num_train` and `num_val` count samples."""

    config: RunConfig
    device: str
    layers: tuple[LayerSpec, ...]
    num_train: int
    num_val: int
    steps_per_epoch: int
    residence: str  # where the training data is kept, in words
    threads: int = 1  # with which PyTorch computes it, on a CPU


class StepsTrained(Event, frozen=True):
    """A block of steps, the last of which is step number `step` (the first step of a run is number 1).

    `losses` and `metrics` hold one float32 for each step of the block, in order: the batch's mean loss, and its
    accuracy or R². Readers must not write to them.
    """

    step: int
    losses: npt.NDArray[np.float32]
    metrics: npt.NDArray[np.float32]
    seconds: float  # of training, since the start of the run


class EpochEnded(Event, frozen=True):
    """One pass over the training data is over, and the validation part has been evaluated.

    `train_loss` and `train_metric` are means over the epoch's own batches, as they were when trained on; `metric` is
    accuracy (classification) or R² (regression). `seconds` counts training since the start of the run.
    """

    epoch: int
    step: int
    train_loss: float
    val_loss: float
    train_metric: float
    val_metric: float
    seconds: float


class LayerStats(msgspec.Struct, frozen=True):
    """One layer on the probe batch: its outputs' moments, and their histogram.

    `counts` are of equal bins over [`minimum`, `maximum`].
    `zeros` is the fraction of outputs that are exactly 0, `dead` that of units that are 0 for every sample,
    `saturated` that of outputs at the activation's flat ends (sigmoid outside [.01, .99], tanh beyond ±.98); both are
    None where the word has no meaning. `nonfinite` counts outputs that are nan or infinite; they are in no bin and no
    moment, and the fractions are of the others.

    Of a layer's weights (None, and no counts, where it has none): `gradient_norm` is the norm of the loss's gradient
    with respect to them, `gradient_counts` their histogram in equal bins over [`gradient_minimum`,
    `gradient_maximum`], `weight_norm` their own norm, `weight_counts` their own histogram over [`weight_minimum`,
    `weight_maximum`]. `parameters` are the weights, a unit's after the other's, and then the biases, where there are 16
    or fewer of them all. `update_ratio` is ‖Δw‖ / ‖w‖ of one training step, the latest
    one that was measured (None before the first). `sign_share` is the share of a unit's incoming weight gradients that
    carry the more frequent sign, from .5 to 1, averaged over the units that have any.

    `unit_activity`, only when asked for and only of activations: for each unit, the first MAX_LISTED_UNITS at most, the
    share of samples for which it passes a gradient on: for a ReLU its output is not 0, elsewhere it is not saturated. 0
    is a dead, or always saturated, unit.
    """

    index: int
    title: str
    counts: tuple[int, ...]
    mean: float
    sd: float
    minimum: float
    maximum: float
    zeros: float
    dead: float | None
    saturated: float | None
    nonfinite: int
    gradient_norm: float | None
    weight_norm: float | None
    kind: str = "linear"  # LayerSpec's
    num_units: int = 0
    update_ratio: float | None = None
    sign_share: float | None = None
    gradient_counts: tuple[int, ...] = ()
    gradient_minimum: float = 0.0
    gradient_maximum: float = 0.0
    unit_activity: tuple[float, ...] | None = None
    weight_counts: tuple[int, ...] = ()
    weight_minimum: float = 0.0
    weight_maximum: float = 0.0
    parameters: tuple[float, ...] = ()


class LayersProbed(Event, frozen=True):
    """Every layer, looked at after `step` training steps. `loss` is the mean loss of the probe batch."""

    step: int
    layers: tuple[LayerStats, ...]
    loss: float = math.nan


Severity: TypeAlias = Literal["note", "warning", "alarm"]


class Finding(msgspec.Struct, frozen=True):
    """Something that a rule found in a run, in words.

    `what` says it with the figure, the layer and the step; `why` explains it in one sentence; `try_` says what to
    change. `remedy` is that change as values of named hyperparameters, to be put into the form: always allowed with
    the run's other fields, and empty where nothing needs to change. `layer` is LayerSpec's index, or None where the
    finding is about the whole network. `figure` is the number that the rule judged. `because_of` is the rule of the
    finding that this one follows from, or "".
    """

    rule: str
    severity: Severity
    layer: int | None
    step: int
    figure: float
    what: str
    why: str
    try_: str
    remedy: dict[str, object]
    because_of: str = ""


class FindingsChanged(Event, frozen=True):
    """What is found in the run from `step` on: all of it, the cause first. Empty when all is well again.

    `looked_at` names what the findings were looked for in, where that was the last look and all has been looked at:
    "3 layers' activations". Empty before that, and where nobody has examined the run in the end.
    """

    step: int
    findings: tuple[Finding, ...]
    looked_at: tuple[str, ...] = ()


class LearningRateChanged(Event, frozen=True):
    """After `step` steps another learning rate is used."""

    step: int
    lr: float


class ThreadsChanged(Event, frozen=True):
    """From `step` on, PyTorch computes with `threads` threads instead of `before`.

    `cores` is how many there were for this process, and `others` how many of them other programs took. Where `threads`
    is `before`, the number is fixed and stays, though it is more than what was left: told once, since such a run may be
    many times slower than one with fewer threads.
    """

    step: int
    threads: int
    before: int
    cores: int
    others: float

    @property
    def sentence(self) -> str:
        """What has changed, and why."""
        held = _("other programs hold {others} of {cores}").format(
            others=number(self.others, 2), cores=counted(self.cores, "core")
        )
        if self.threads == self.before:
            fits = max(1, round(self.cores - self.others))
            return _("{held}: --threads auto, or {fits}, trains faster than {before}").format(
                held=held, fits=fits, before=self.before
            )
        if self.threads > self.before:
            why = _("some cores are idle again")
        else:
            cores = ngettext("there is {cores}", "there are {cores}", self.cores)
            why = held if self.others else cores.format(cores=counted(self.cores, "core"))
        said = (
            _("{threads} instead of {before} after step {step:,}: {why}")
            if self.step
            else _("{threads} instead of {before} from the start: {why}")
        )
        return said.format(threads=counted(self.threads, "thread"), before=self.before, step=self.step, why=why)


class Noted(Event, frozen=True):
    """Something to know of how the run is trained, in one sentence, after `step` steps."""

    step: int
    sentence: str


class RunResumed(Event, frozen=True):
    """An earlier training goes on after `step` steps, in `epoch`: whatever was told of later steps is void."""

    step: int
    epoch: int
    seconds: float
    lr: float


class ObserverFailed(Event, frozen=True):
    """Something that watched the run, such as a rule or a look, has failed after `step` steps and watches no more.

    The run itself goes on. `message` says why in one sentence; `traceback` is kept for those who ask.
    """

    step: int
    observer: str
    message: str
    traceback: str

    @property
    def sentence(self) -> str:
        """What to tell a person."""
        return _("{observer} failed and is left out from step {step:,} on ({message}); the run continues").format(
            observer=self.observer, step=self.step, message=self.message
        )


class RunEnded(Event, frozen=True):
    """The last event of every run.

    `message` says why in one sentence and `field` names the hyperparameter to blame, if there is one; `traceback` is
    kept for those who ask. `summary` is what `--json` prints.
    """

    status: Status
    message: str
    summary: dict[str, object]
    field: str = ""
    traceback: str | None = None


Sink: TypeAlias = Callable[[Event], None]


def exit_status(status: str) -> int:
    """The exit status for how a run ended."""
    return 1 if status in ("failed", "diverged") else 0


def to_json(summary: dict[str, object]) -> str:
    """One line that any JSON parser takes: what is not finite is null."""
    return json_line(summary)
