"""The rules behind `health`: each looks at a run and yields at most one finding."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from d2ltui import catalogue
from d2ltui.catalogue import LayerSpec
from d2ltui.config import RunConfig
from d2ltui.engine import remedies
from d2ltui.events import EpochEnded, Finding, LayersProbed, LayerStats, Severity


class Limit(NamedTuple):
    """From which figure on a rule speaks, how loudly, and why just there."""

    warning: float
    alarm: float
    source: str


_MEASURED = "measured: no run with default settings comes near"

LIMITS: dict[str, Limit] = {
    "dead": Limit(0.4, 0.7, "a share of a layer's units; " + _MEASURED),
    "saturated": Limit(0.3, 0.6, "a share of outputs; Glorot and Bengio 2010, figures 2 and 3; " + _MEASURED),
    "vanishing": Limit(1e-3, 1e-5, "first to last gradient norm; section 5.4.1: six sigmoid layers give 1e-5"),
    "exploding": Limit(1e2, 1e4, "a gradient's norm; clipping is done at 1 (section 9.5); " + _MEASURED),
    "diverging": Limit(2.0, 10.0, "times the loss at the start, or of a guess"),
    "lr_high": Limit(0.1, 1.0, "‖Δw‖/‖w‖ of a step; about 1e-3 is usual (CS231n, ratio of weights to updates)"),
    "lr_low": Limit(1e-4, 0.0, "the same ratio, while the loss has hardly moved"),
    "overfitting": Limit(1.25, 2.0, "validation loss over its lowest; " + _MEASURED),
    "not_learning": Limit(0.95, 1.05, "times the loss at the start: has not learned; times a guess's: knows less"),
}
LR_STEPS = 50  # before, a step may well be large beside weights that start small
LOW_STEPS = 100  # before, a slow start is no sign
OVERFIT_EPOCHS = 5  # since the lowest validation loss
MEMORISED = 0.05  # of its start: a train loss that has come down so far while the validation part learned nothing


class Run(NamedTuple):
    """What the rules look at. The first probe is from the start of the run, the last one from now."""

    probes: tuple[LayersProbed, ...]
    epochs: tuple[EpochEnded, ...]
    config: RunConfig
    given_plan: tuple[LayerSpec, ...] | None
    diverged_at: int | None

    @property
    def step(self) -> int:
        """Steps trained."""
        return self.probes[-1].step

    @property
    def layers(self) -> tuple[LayerStats, ...]:
        """Every layer now."""
        return self.probes[-1].layers

    @property
    def plan(self) -> tuple[LayerSpec, ...]:
        """The network's layers."""
        return self.given_plan or catalogue.layer_plan(self.config)

    @property
    def linear(self) -> list[LayerStats]:
        """Every layer with weights now."""
        return [layer for layer in self.layers if layer.gradient_norm is not None]

    @property
    def loss(self) -> float:
        """Of the probe batch, now."""
        return self.probes[-1].loss

    @property
    def guess(self) -> float:
        """The loss of who knows nothing: equal probabilities, or the network as it starts."""
        first = self.probes[0].loss
        if self.config.task == "regression":
            return first
        return math.log(self.plan[-1].num_outputs)

    @property
    def learned(self) -> bool:
        """Whether the loss has come down to speak of."""
        return self.loss < LIMITS["not_learning"].warning * min(self.probes[0].loss, self.guess)


def _severity(name: str, figure: float) -> Severity:
    return "alarm" if figure >= LIMITS[name].alarm else "warning"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %" if share >= 0.001 else "less than 0.1 %"


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "not finite"
    return f"{value:.3g}"


def _layer(layer: LayerStats) -> str:
    return f"layer {layer.index} ({layer.title})"


def _others(count: int) -> str:
    if count <= 0:
        return ""
    return f" ({count} other layer{'s' if count > 1 else ''} likewise)"


def _at(step: int) -> str:
    return f"at step {step:,}"


def _worst(
    layers: Iterable[LayerStats], figure: Callable[[LayerStats], float | None], least: float
) -> tuple[LayerStats, float, int] | None:
    """The layer with the largest figure that is `least` at least, the figure, and how many others are above, too."""
    above = [(value, layer) for layer in layers if (value := figure(layer)) is not None and value >= least]
    if not above:
        return None
    value, layer = max(above, key=lambda pair: pair[0])
    return layer, value, len(above) - 1


def divergence(run: Run) -> Iterator[Finding]:
    """The loss is not finite, or far above that of a guess and of the start."""
    at = _at(run.step)
    remedy = remedies.calm(run.config)
    broken = [layer for layer in run.layers if layer.nonfinite]
    if run.diverged_at is not None or broken or not math.isfinite(run.loss):
        first = broken[0] if broken else None
        step = run.diverged_at if run.diverged_at is not None else run.step
        what = f"The loss is no longer finite {_at(step)}"
        what += f": {first.nonfinite:,} outputs of {_layer(first)} are nan or infinite." if first else "."
        severity, figure, layer = "alarm", math.inf, first.index if first else None
    else:
        base = max(run.probes[0].loss, run.guess)
        if run.step == 0 or not run.loss >= LIMITS["diverging"].warning * base:
            return
        figure, layer = run.loss / base, None
        severity = _severity("diverging", figure)
        what = (
            f"The loss grows: {_number(run.loss)} {at}, {_number(figure)} times "
            f"{'that of the start' if base > run.guess else 'that of a guess'}, {_number(base)}."
        )
    yield Finding(
        "divergence",
        severity,  # type: ignore[arg-type]
        layer,
        run.step,
        figure,
        what,
        "Steps that are too long for the slope overshoot the valley, land higher on its other side, and grow.",
        f"Train again with {remedies.in_words(remedy)}.",
        remedy,
    )


def exploding_gradient(run: Run) -> Iterator[Finding]:
    """A layer's gradient is enormous."""
    at = _at(run.step)

    def norm(layer: LayerStats) -> float | None:
        if layer.gradient_norm is None:
            return None
        return layer.gradient_norm if math.isfinite(layer.gradient_norm) else math.inf

    found = _worst(run.layers, norm, LIMITS["exploding"].warning)
    # What is not finite is divergence's to tell.
    if found is None or run.diverged_at is not None or math.isinf(found[1]):
        return
    layer, figure, others = found
    remedy = remedies.calm(run.config)
    yield Finding(
        "exploding-gradient",
        _severity("exploding", figure),
        layer.index,
        run.step,
        figure,
        f"The gradient explodes: its norm is {_number(figure)} in {_layer(layer)} {at}{_others(others)}.",
        "Going backward, the gradient is multiplied by each layer's weights; large weights make it grow from layer "
        "to layer.",
        f"Start from smaller weights, and take smaller steps: {remedies.in_words(remedy)}.",
        remedy,
    )


def dead_relu(run: Run) -> Iterator[Finding]:
    """Units that are 0 for every sample."""
    at = _at(run.step)
    found = _worst(run.layers, lambda layer: layer.dead, LIMITS["dead"].warning)
    if found is None:
        return
    layer, figure, others = found
    remedy = remedies.calm(run.config)
    count = round(figure * layer.num_units)
    rule = f"{_percent(figure)} of the units of {_layer(layer)} are dead {at}"
    yield Finding(
        "dead-relu",
        _severity("dead", figure),
        layer.index,
        run.step,
        figure,
        f"{rule}: {count} of {layer.num_units} are 0 for every sample{_others(others)}.",
        "A ReLU whose input is negative for all samples has gradient 0 for all of them: no step can bring it back.",
        f"Train again with {remedies.in_words(remedy)}"
        + ("; Adagrad shortens its steps by itself." if run.config.implementation == "concise" else "."),
        remedy,
    )


def saturation(run: Run) -> Iterator[Finding]:
    """Outputs at the flat ends of sigmoid or tanh."""
    at = _at(run.step)
    found = _worst(run.layers, lambda layer: layer.saturated, LIMITS["saturated"].warning)
    if found is None:
        return
    layer, figure, others = found
    remedy = remedies.desaturate(run.config)
    ends = "below 0.01 or above 0.99" if layer.title == "Sigmoid" else "beyond ±0.98"
    yield Finding(
        "saturation",
        _severity("saturated", figure),
        layer.index,
        run.step,
        figure,
        f"{_percent(figure)} of the outputs of {_layer(layer)} are saturated ({ends}) {at}{_others(others)}.",
        "There the activation is flat: its slope, by which the gradient is multiplied, is almost 0.",
        f"Keep the inputs of the activation small: {remedies.in_words(remedy)}.",
        remedy,
    )


def vanishing_gradient(run: Run) -> Iterator[Finding]:
    """The first layer gets next to nothing of the last one's gradient."""
    at = _at(run.step)
    linear = run.linear
    norms = [layer.gradient_norm or 0.0 for layer in linear]
    if len(linear) < 2 or not all(math.isfinite(norm) for norm in norms):
        return
    first, last = linear[0], linear[-1]
    nothing = max(norms) == 0 or (norms[0] == 0 and run.config.init == "zeros")
    figure = 0.0 if nothing else norms[0] / norms[-1] if norms[-1] > 0 else math.inf
    limit = LIMITS["vanishing"]
    if figure >= limit.warning or (max(norms) == 0 and run.loss == 0):
        return
    remedy = remedies.carry_gradient(run.config)
    if figure == 0:
        what = f"No gradient reaches {_layer(first)} {at}: its norm is 0, that of {_layer(last)} is "
        what += f"{_number(norms[-1])}."
    else:
        what = (
            f"The gradient vanishes: its norm is {_number(norms[0])} in {_layer(first)} and {_number(norms[-1])} in "
            f"{_layer(last)}, a ratio of {_number(figure)} {at}."
        )
    why = {
        "sigmoid": "Going backward, each sigmoid multiplies the gradient by its slope, which is 0.25 at most.",
        "tanh": "Going backward, each tanh multiplies the gradient by its slope, which is 1 at most, and 0 where it "
        "is saturated.",
        "relu": "Going backward, the gradient is multiplied by each layer's weights, and by 0 where a ReLU is off.",
        "identity": "Going backward, the gradient is multiplied by each layer's weights; small ones make it shrink.",
    }[run.config.activation]
    if run.config.init == "zeros":
        why = "Weights that are all 0 pass nothing on, and units that start equal would stay equal for ever."
    yield Finding(
        "vanishing-gradient",
        "alarm" if figure < limit.alarm else "warning",
        first.index,
        run.step,
        figure,
        what,
        why,
        f"Let the gradient through: {remedies.in_words(remedy)}." if remedy else "Use fewer hidden layers.",
        remedy,
    )


def learning_rate(run: Run) -> Iterator[Finding]:
    """Steps that are too long, or too short, beside the weights."""
    at = _at(run.step)
    measured = [
        max(ratios)
        for probed in run.probes
        if probed.step >= LR_STEPS
        and (
            ratios := [
                layer.update_ratio
                for layer in probed.layers
                if layer.update_ratio is not None and math.isfinite(layer.update_ratio)
            ]
        )
    ]
    if not measured or run.diverged_at is not None:
        return
    figure = measured[-1]
    high, low = LIMITS["lr_high"], LIMITS["lr_low"]
    # One long step is an accident; two of them at two probes are a habit. Weights that hover around 0 because there
    # is nothing to learn move by long steps, too: what tells is a loss that a guess would beat.
    if min(measured[-2:]) >= high.warning and run.loss > LIMITS["not_learning"].alarm * run.guess:
        remedy = remedies.calm(run.config)
        yield Finding(
            "learning-rate-high",
            _severity("lr_high", figure),
            None,
            run.step,
            figure,
            f"The learning rate {run.config.lr:g} is too high: one step moved a layer's weights by {_percent(figure)} of "
            f"their norm, and the loss is {_number(run.loss)} {at}.",
            "About 0.1 % a step is usual; steps that are as long as the weights themselves jump over what was learned.",
            f"Train again with {remedies.in_words(remedy)}.",
            remedy,
        )
    elif 0 < max(measured[-2:]) < low.warning and run.step >= LOW_STEPS and not run.learned:
        gradients = [layer.gradient_norm or 0.0 for layer in run.linear]
        if gradients[0] < LIMITS["vanishing"].warning * gradients[-1]:
            return  # the gradient's fault, not the rate's
        remedy = remedies.hurry(run.config)
        yield Finding(
            "learning-rate-low",
            "warning",
            None,
            run.step,
            figure,
            f"The learning rate {run.config.lr:g} is too low: one step moves the weights by {100 * figure:.2g} % of their "
            f"norm at most, and the loss is still {_number(run.loss)} {at}, {_number(run.probes[0].loss)} at "
            "the start.",
            "About 0.1 % a step is usual; much shorter ones learn, but take for ever.",
            f"Train with {remedies.in_words(remedy)}; in lr, enter changes the rate of the running training.",
            remedy,
        )


def overfitting(run: Run) -> Iterator[Finding]:
    """The validation loss rises while the train loss falls, or does not fall with it at all."""
    at = _at(run.step)
    epochs = run.epochs
    if len(epochs) <= OVERFIT_EPOCHS:
        return
    best = min(epochs, key=lambda epoch: epoch.val_loss)
    first, last = epochs[0], epochs[-1]
    # The best of the last few: a single bad epoch is an accident.
    recent = min(epoch.val_loss for epoch in epochs[-3:])
    if not math.isfinite(recent) or best.val_loss <= 0 or last.train_loss >= recent:
        return
    figure = recent / best.val_loss
    rises = figure >= LIMITS["overfitting"].warning and last.epoch - best.epoch >= OVERFIT_EPOCHS
    memorised = (
        last.train_loss <= MEMORISED * first.train_loss and recent >= LIMITS["not_learning"].warning * first.val_loss
    )
    if not rises and not memorised:
        return
    remedy = remedies.regularise(run.config)
    if rises:
        what = (
            f"The network overfits: the validation loss was {_number(best.val_loss)} after epoch {best.epoch} and is "
            f"{_number(last.val_loss)} after epoch {last.epoch}, {_at(last.step)}, while the train loss has come down to "
            f"{_number(last.train_loss)}."
        )
    else:
        what = (
            f"The network memorises: the train loss has come down to {_number(last.train_loss)} after epoch "
            f"{last.epoch}, {_at(last.step)}, and the validation loss is {_number(last.val_loss)}, as at the start."
        )
    yield Finding(
        "overfitting",
        _severity("overfitting", figure) if rises else "warning",
        None,
        run.step,
        figure,
        what,
        "It learns by heart what is true of the training samples only.",
        f"Hold the weights back: {remedies.in_words(remedy)}; or more data, or fewer epochs.",
        remedy,
    )


def no_activation(run: Run) -> Iterator[Finding]:
    """Hidden layers without an activation are one linear map."""
    at = _at(run.step)
    if run.config.model != "mlp" or run.config.activation != "identity":
        return
    linear = [spec for spec in run.plan if spec.kind == "linear"]
    if len(linear) < 2:
        return
    numbers = range(1, len(linear) + 1)
    if len(linear) > 4:
        product = f"W1·W2·…·W{len(linear)}"
        bias = f"b1·W2·…·W{len(linear)} + … + b{len(linear)}"
    else:
        product = "·".join(f"W{i}" for i in numbers)
        bias = " + ".join("·".join((f"b{i}", *(f"W{j}" for j in numbers if j > i))) for i in numbers)
    shape = f"{linear[0].num_inputs}×{linear[-1].num_outputs}"
    yield Finding(
        "no-activation",
        "note",
        None,
        run.step,
        float(len(linear)),
        f"The network is linear: its {len(linear)} layers do what the single {shape} matrix W = {product} does, with the "
        f"bias {bias} ({at} as at any other).",
        "A linear map of a linear map is a linear map, however many there are; only something bent between them "
        "makes depth count.",
        "Put something bent between the layers: activation relu.",
        {"activation": "relu"},
    )


def not_zero_centred(run: Run) -> Iterator[Finding]:
    """Outputs of an activation that are never negative."""
    at = _at(run.step)
    having = [
        layer
        for layer in run.layers
        if layer.kind == "activation" and layer.minimum >= 0 and layer.mean > 0 and layer.sd > 0
    ]
    if not having:
        return
    layer = having[0]
    relu = layer.title == "ReLU"
    yield Finding(
        "not-zero-centred",
        "note",
        layer.index,
        run.step,
        layer.mean,
        f"The outputs of {_layer(layer)} are not zero-centred: {_number(layer.minimum)} to {_number(layer.maximum)}, mean "
        f"{_number(layer.mean)} {at}{_others(len(having) - 1)}.",
        "Inputs of one sign give all weights into a unit gradients of one sign for each sample, so that they move up "
        "or down together.",
        "Nothing has to change: ReLU makes up for it. To compare: activation tanh."
        if relu
        else "Use a zero-centred activation: tanh.",
        {} if relu else {"activation": "tanh"},
    )


RULES: tuple[Callable[[Run], Iterator[Finding]], ...] = (
    divergence,
    exploding_gradient,
    dead_relu,
    saturation,
    vanishing_gradient,
    learning_rate,
    overfitting,
    no_activation,
    not_zero_centred,
)
