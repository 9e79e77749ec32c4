"""What the rules look at and measure by, and how they say what they find."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from d2ltui.diagnosis.thresholds import LEARNING, LIMITS, RISEN
from d2ltui.history.epochs import Epochs
from d2ltui.spec import catalogue
from d2ltui.spec.config import RunConfig
from d2ltui.spec.events import Finding, LayersProbed, LayerStats, Severity
from d2ltui.spec.language import _
from d2ltui.spec.layers import LayerSpec
from d2ltui.spec.text import counted


def floors(config: RunConfig, classes: int) -> tuple[float, float]:
    """The lowest training loss that there is, and the loss, of labels as they are, of who has reached it.

    With smoothed labels neither is 0: no outputs are right about labels that are spread over all classes. The first is
    their entropy, in nats.
    """
    if not config.smoothing:
        return 0.0, 0.0
    spread = config.smoothing / classes
    wanted = 1 - config.smoothing + spread
    return -wanted * math.log(wanted) - (classes - 1) * spread * math.log(spread), -math.log(wanted)


class Run(NamedTuple):
    """What the rules look at. The first probe is from the start of the run, where that is known, the last from now."""

    probes: tuple[LayersProbed, ...]
    epochs: Epochs
    config: RunConfig
    given_plan: tuple[LayerSpec, ...] | None
    diverged_at: int | None
    losses: Sequence[float] = ()  # of the latest steps

    @property
    def step(self) -> int:
        """Steps trained."""
        return self.probes[-1].step if self.diverged_at is None else self.diverged_at

    @property
    def when(self) -> str:
        """`at step 1,234`."""
        return _("at step {step:,}").format(step=self.step)

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
        lowest, floor = min(probed.loss for probed in self.probes), self.floors[1]
        far = floor + LEARNING * (min(self.start, self.guess) - floor)
        return math.isfinite(self.start) and self.diverged_at is None and self.loss <= min(far, RISEN * lowest)

    @property
    def has_learned_nothing(self) -> bool:
        """Whether the loss is still that of the start, or of a guess."""
        least, floor = min(self.start, self.guess), self.floors[1]
        return math.isfinite(least) and not self.loss - floor <= LIMITS["not_learning"].warning * (least - floor)

    @property
    def floors(self) -> tuple[float, float]:
        """See `floors`."""
        return floors(self.config, self.plan[-1].num_outputs)

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


def name_of(layer: LayerStats) -> str:
    """`layer 2 (ReLU)`."""
    return _("layer {index} ({title})").format(index=layer.index, title=layer.title)


def others(count: int) -> str:
    """How many more layers the same is true of."""
    if count <= 0:
        return ""
    return _(" ({layers} likewise)").format(layers=counted(count, "other layer"))


def worst(
    layers: Iterable[LayerStats], figure: Callable[[LayerStats], float | None], least: float
) -> tuple[LayerStats, float, int] | None:
    """The layer with the largest figure that is `least` at least, the figure, and how many others are above, too."""
    above = [(value, layer) for layer in layers if (value := figure(layer)) is not None and value >= least]
    if not above:
        return None
    value, layer = max(above, key=lambda pair: pair[0])
    return layer, value, len(above) - 1
