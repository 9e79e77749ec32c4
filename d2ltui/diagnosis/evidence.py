"""What the rules look at and measure by, and how they say what they find."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from d2ltui.history.epochs import Epochs
from d2ltui.spec import catalogue
from d2ltui.spec.config import RunConfig
from d2ltui.spec.events import Finding, LayersProbed, LayerStats, Severity
from d2ltui.spec.layers import LayerSpec
from d2ltui.spec.text import counted


class Limit(NamedTuple):
    """From which figure on a rule speaks, how loudly, and why just there."""

    warning: float
    alarm: float
    source: str


LEARNING = 0.75  # of the loss at the start, and of a guess: a network that has come so far is learning
RISEN = 1.25  # times its lowest so far: the noise of a loss that falls
_MEASURED = "measured: no run with default settings comes near"

LIMITS: dict[str, Limit] = {
    "dead": Limit(0.4, 0.7, "a share of a layer's units; " + _MEASURED),
    "saturated": Limit(0.3, 0.6, "a share of outputs; Glorot and Bengio 2010, figures 2 and 3; " + _MEASURED),
    "vanishing": Limit(1e-3, 1e-5, "first to last gradient norm; measured: six sigmoid layers of 64 units give 1e-5"),
    "exploding": Limit(1e2, 1e3, "a gradient's norm; clipping is done at 1 (section 9.5); " + _MEASURED),
    "diverging": Limit(2.0, 10.0, "times the loss at the start, or of a guess"),
    "lr_high": Limit(0.1, 1.0, "‖Δw‖/‖w‖ of a step; about 1e-3 is usual (CS231n, ratio of weights to updates)"),
    "lr_low": Limit(1e-4, 0.0, "the same ratio, while the loss has hardly moved"),
    "overfitting": Limit(1.25, 2.0, "validation loss over its lowest; " + _MEASURED),
    "not_learning": Limit(0.95, 1.05, "times the loss at the start: has not learned; times a guess's: knows less"),
}


class Run(NamedTuple):
    """What the rules look at. The first probe is from the start of the run, where that is known, the last from now."""

    probes: tuple[LayersProbed, ...]
    epochs: Epochs
    config: RunConfig
    given_plan: tuple[LayerSpec, ...] | None
    diverged_at: int | None

    @property
    def step(self) -> int:
        """Steps trained."""
        return self.probes[-1].step if self.diverged_at is None else self.diverged_at

    @property
    def when(self) -> str:
        """`at step 1,234`."""
        return f"at step {self.step:,}"

    @property
    def layers(self) -> tuple[LayerStats, ...]:
        """Every layer now; none of a run that has diverged, whose weights are worth nothing."""
        return self.probes[-1].layers if self.diverged_at is None else ()

    @property
    def plan(self) -> tuple[LayerSpec, ...]:
        """The network's layers."""
        return self.given_plan or catalogue.layer_plan(self.config)

    @property
    def loss(self) -> float:
        """Of the probe batch, now."""
        return self.probes[-1].loss

    @property
    def start(self) -> float:
        """The loss at the start.

        Infinite where that is not known, so that nothing is worse: the history of a run that was damaged begins where
        it was resumed, with a network that has learned.
        """
        first = self.probes[0]
        return first.loss if first.step == 0 else math.inf

    @property
    def learns(self) -> bool:
        """Whether the loss has come down, below that of a guess, and has not risen again since."""
        lowest = min(probed.loss for probed in self.probes)
        far = LEARNING * min(self.start, self.guess)
        return math.isfinite(self.start) and self.diverged_at is None and self.loss <= min(far, RISEN * lowest)

    @property
    def has_learned_nothing(self) -> bool:
        """Whether the loss is still that of the start, or of a guess."""
        least = min(self.start, self.guess)
        return math.isfinite(least) and not self.loss <= LIMITS["not_learning"].warning * least

    @property
    def guess(self) -> float:
        """The loss of who knows nothing: equal probabilities, or the network as it starts."""
        if self.config.task == "regression":
            return self.start
        return math.log(self.plan[-1].num_outputs)


def finding(
    run: Run,
    rule: str,
    severity: Severity,
    figure: float,
    *,
    what: str,
    why: str,
    try_: str,
    remedy: Mapping[str, object] | None = None,
    layer: int | None = None,
) -> Finding:
    """What `rule` finds now: a sentence with the figure, one that explains it, and one that says what to try.

    `remedy` has the hyperparameters to change, by name, and `layer` is the index of the layer that it is about.
    """
    return Finding(rule, severity, layer, run.step, figure, what, why, try_, dict(remedy or {}))


def severity_of(name: str, figure: float) -> Severity:
    """How grave a figure above the warning is."""
    return "alarm" if figure >= LIMITS[name].alarm else "warning"


def percent(share: float) -> str:
    """`12.5 %`."""
    return f"{100 * share:.3g} %" if share >= 0.001 else "less than 0.1 %"


def number(value: float) -> str:
    """Three digits."""
    if not math.isfinite(value):
        return "not finite"
    return f"{value:.3g}"


def name_of(layer: LayerStats) -> str:
    """`layer 2 (ReLU)`."""
    return f"layer {layer.index} ({layer.title})"


def others(count: int) -> str:
    """How many more layers the same is true of."""
    if count <= 0:
        return ""
    return f" ({counted(count, 'other layer')} likewise)"


def worst(
    layers: Iterable[LayerStats], figure: Callable[[LayerStats], float | None], least: float
) -> tuple[LayerStats, float, int] | None:
    """The layer with the largest figure that is `least` at least, the figure, and how many others are above, too."""
    above = [(value, layer) for layer in layers if (value := figure(layer)) is not None and value >= least]
    if not above:
        return None
    value, layer = max(above, key=lambda pair: pair[0])
    return layer, value, len(above) - 1
