"""Rules about layers: what is wrong with what flows forward and backward through them."""

from __future__ import annotations

import math
from collections.abc import Iterator

from d2ltui.diagnosis import remedies
from d2ltui.diagnosis.evidence import Run, finding, name_of, others, worst
from d2ltui.diagnosis.thresholds import LIMITS, severity_of
from d2ltui.spec.activations import ACTIVATIONS, activation_of
from d2ltui.spec.events import Finding, LayerStats
from d2ltui.spec.models import MODELS
from d2ltui.spec.numbers import number, percent
from d2ltui.spec.text import are

_VANISHING = "Going backward, the gradient is multiplied by each layer's weights; small ones make it shrink."


def _is_never_negative(layer: LayerStats) -> bool:
    """Whether outputs lie on one side of 0 whatever comes in; others' may do so by chance, in a narrow layer."""
    activation = activation_of(layer.title)
    return activation is not None and activation.never_negative


def _flat_ends_in_words(layer: LayerStats) -> str:
    activation = activation_of(layer.title)
    low, high = (activation.flat_ends if activation is not None else None) or (math.nan, math.nan)
    return f"beyond ±{number(high)}" if low == -high else f"below {number(low)} or above {number(high)}"


def exploding_gradient(run: Run) -> Iterator[Finding]:
    """A layer's gradient is enormous. One that is not finite is divergence's to tell."""

    def norm(layer: LayerStats) -> float | None:
        finite = layer.gradient_norm is not None and math.isfinite(layer.gradient_norm)
        return layer.gradient_norm if finite else None

    found = worst(run.layers, norm, LIMITS["exploding"].warning)
    if found is None or run.diverged_at is not None:
        return
    layer, figure, more = found
    remedy = remedies.stabilise(run.config)
    yield finding(
        run,
        "exploding-gradient",
        severity_of("exploding", figure),
        figure,
        layer=layer.index,
        what=f"The gradient explodes: its norm is {number(figure)} in {name_of(layer)} {run.when}{others(more)}.",
        why="Going backward, the gradient is multiplied by each layer's weights; large ones make it grow on its way.",
        try_=f"Start from smaller weights, or take shorter steps: {remedies.in_words(remedy)}.",
        remedy=remedy,
    )


def dead_relu(run: Run) -> Iterator[Finding]:
    """Units that are 0 for every sample that is looked at."""
    found = worst(run.layers, lambda layer: layer.dead, LIMITS["dead"].warning)
    if found is None:
        return
    layer, figure, more = found
    dead = round(figure * layer.num_units)
    remedy = remedies.stabilise(run.config)
    adagrad = run.config.implementation == "concise" and run.config.optimizer != "adagrad"
    yield finding(
        run,
        "dead-relu",
        severity_of("dead", figure),
        figure,
        layer=layer.index,
        what=f"{percent(figure)} of the units of {name_of(layer)} are dead {run.when}: "
        f"{dead:,} of {layer.num_units:,} {are(dead)} 0 for each of the samples looked at"
        f"{others(more)}.",
        why="Where a ReLU is 0, so is its slope: a unit that is 0 for every sample gets no gradient, and only weight "
        "decay, or what is left of momentum, still moves its weights.",
        try_=f"Train again with {remedies.in_words(remedy)}"
        + ("; optimizer adagrad shortens its steps by itself." if adagrad else "."),
        remedy=remedy,
    )


def saturation(run: Run) -> Iterator[Finding]:
    """Outputs at the flat ends of sigmoid or tanh."""
    found = worst(run.layers, lambda layer: layer.saturated, LIMITS["saturated"].warning)
    if found is None:
        return
    layer, figure, more = found
    remedy = remedies.reduce_saturation(run.config)
    ends = _flat_ends_in_words(layer)
    yield finding(
        run,
        "saturation",
        severity_of("saturated", figure),
        figure,
        layer=layer.index,
        what=f"{percent(figure)} of the outputs of {name_of(layer)} are saturated, {ends}, {run.when}{others(more)}.",
        why="There the activation is flat: its slope, by which the gradient is multiplied, is almost 0.",
        try_=f"Keep the inputs of the activation small: {remedies.in_words(remedy)}.",
        remedy=remedy,
    )


def vanishing_gradient(run: Run) -> Iterator[Finding]:
    """The first layer gets next to nothing of the last one's gradient."""
    having = [(layer, layer.gradient_norm) for layer in run.layers if layer.gradient_norm is not None]
    norms = [norm for _, norm in having]
    if len(having) < 2 or not all(map(math.isfinite, norms)) or run.loss == 0:
        return
    first, last = having[0][0], having[-1][0]
    figure = norms[0] / norms[-1] if norms[-1] > 0 else 0.0 if norms[0] == 0 else math.inf
    limit = LIMITS["vanishing"]
    if figure >= limit.warning:
        return
    if max(norms) == 0:
        what = f"No layer's weights get a gradient {run.when}: its norm is 0 in all of them."
    elif figure == 0:
        what = f"No gradient reaches {name_of(first)} {run.when}: its norm is 0 there, and {number(norms[-1])} in "
        what += f"{name_of(last)}."
    else:
        what = f"The gradient vanishes: its norm is {number(norms[0])} in {name_of(first)} and {number(norms[-1])} in "
        what += f"{name_of(last)}, a ratio of {number(figure)} {run.when}."
    why = ACTIVATIONS[run.config.activation].vanishing or _VANISHING
    if run.config.init == "zeros":
        why = "Weights that are all 0 pass nothing on, and units that start equal stay equal."
    remedy = remedies.carry_gradient(run.config)
    what_to_try = "Mend the dead units first: they pass no gradient on."  # nothing else is left to change
    if remedy:
        what_to_try = f"Let the gradient through: {remedies.in_words(remedy)}."
    yield finding(
        run,
        "vanishing-gradient",
        "alarm" if figure < limit.alarm else "warning",
        figure,
        layer=first.index,
        what=what,
        why=why,
        try_=what_to_try,
        remedy=remedy,
    )


def no_activation(run: Run) -> Iterator[Finding]:
    """Hidden layers without an activation are one linear map."""
    linear = [spec for spec in run.plan if spec.kind == "linear"]
    if "activation" not in MODELS[run.config.model].fields or run.config.activation != "identity" or len(linear) < 2:
        return
    n = len(linear)
    if n > 4:
        product, bias = f"W1·W2·…·W{n}", f"b1·W2·…·W{n} + … + b{n}"
    else:
        product = "·".join(f"W{i}" for i in range(1, n + 1))
        terms = ("·".join((f"b{i}", *(f"W{j}" for j in range(i + 1, n + 1)))) for i in range(1, n + 1))
        bias = " + ".join(terms)
    yield finding(
        run,
        "no-activation",
        "note",
        float(n),
        what=f"The network is linear, {run.when} as at any other: its {n} layers do what one "
        f"{linear[0].num_inputs}×{linear[-1].num_outputs} matrix does, W = {product}, with the bias b = {bias}.",
        why="A linear map of a linear map is a linear map again, however many there are: depth helps only with a "
        "non-linearity between the layers.",
        try_="Add a non-linearity: activation relu.",
        remedy={"activation": "relu"},
    )


def not_zero_centred(run: Run) -> Iterator[Finding]:
    """Outputs of an activation that are never negative."""
    having = [layer for layer in run.layers if _is_never_negative(layer) and layer.mean > 0 and layer.sd > 0]
    if not having:
        return
    layer = having[0]
    relu = layer.title == ACTIVATIONS["relu"].title
    comparing = "Nothing: ReLU makes up for it. To compare, train with activation tanh."
    yield finding(
        run,
        "not-zero-centred",
        "note",
        layer.mean,
        layer=layer.index,
        what=f"The outputs of {name_of(layer)} are not zero-centred: from {number(layer.minimum)} to "
        f"{number(layer.maximum)}, mean {number(layer.mean)}, {run.when}{others(len(having) - 1)}.",
        why="Where a unit's inputs are never negative, the gradients of all its weights have the same sign for each "
        "sample, so that they are pushed up or down together.",
        try_=comparing if relu else "Use a zero-centred activation: tanh.",
        remedy={} if relu else {"activation": "tanh"},
    )
