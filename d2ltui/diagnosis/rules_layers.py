"""Rules about layers: what is wrong with what flows forward and backward through them."""

from __future__ import annotations

import math
from collections.abc import Iterator

from d2ltui.diagnosis import remedies
from d2ltui.diagnosis.evidence import Run, finding, name_of, others, worst
from d2ltui.diagnosis.thresholds import LIMITS, severity_of
from d2ltui.spec.activations import ACTIVATIONS, activation_of
from d2ltui.spec.events import Finding, LayerStats
from d2ltui.spec.language import _, ngettext
from d2ltui.spec.models import MODELS
from d2ltui.spec.numbers import number, percent

_VANISHING = _("Going backward, the gradient is multiplied by each layer's weights; small ones make it shrink.")


def _is_never_negative(layer: LayerStats) -> bool:
    """Whether outputs lie on one side of 0 whatever comes in; others' may do so by chance, in a narrow layer."""
    activation = activation_of(layer.title)
    return activation is not None and activation.never_negative


def _flat_ends_in_words(layer: LayerStats) -> str:
    activation = activation_of(layer.title)
    low, high = (activation.flat_ends if activation is not None else None) or (math.nan, math.nan)
    said = _("beyond ±{high}") if low == -high else _("below {low} or above {high}")
    return said.format(low=number(low), high=number(high))


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
        what=_("The gradient explodes: its norm is {norm} in {layer} {when}{others}.").format(
            norm=number(figure), layer=name_of(layer), when=run.when, others=others(more)
        ),
        why=_(
            "Going backward, the gradient is multiplied by each layer's weights; large ones make it grow on its way."
        ),
        try_=_("Start from smaller weights, or take shorter steps: {change}.").format(change=remedies.in_words(remedy)),
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
        what=ngettext(
            "{share} of the units of {layer} are dead {when}: {dead:,} of {units:,} is 0 for each of the samples "
            "looked at{others}.",
            "{share} of the units of {layer} are dead {when}: {dead:,} of {units:,} are 0 for each of the samples "
            "looked at{others}.",
            dead,
        ).format(
            share=percent(figure),
            layer=name_of(layer),
            when=run.when,
            dead=dead,
            units=layer.num_units,
            others=others(more),
        ),
        why=_(
            "Where a ReLU is 0, so is its slope: a unit that is 0 for every sample gets no gradient, and only weight "
            "decay, or what is left of momentum, still moves its weights."
        ),
        try_=(
            _("Train again with {change}; optimizer adagrad shortens its steps by itself.")
            if adagrad
            else _("Train again with {change}.")
        ).format(change=remedies.in_words(remedy)),
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
        what=_("{share} of the outputs of {layer} are saturated, {ends}, {when}{others}.").format(
            share=percent(figure), layer=name_of(layer), ends=ends, when=run.when, others=others(more)
        ),
        why=_("There the activation is flat: its slope, by which the gradient is multiplied, is almost 0."),
        try_=_("Keep the inputs of the activation small: {change}.").format(change=remedies.in_words(remedy)),
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
        what = _("No layer's weights get a gradient {when}: its norm is 0 in all of them.")
    elif figure == 0:
        what = _("No gradient reaches {first} {when}: its norm is 0 there, and {last_norm} in {last}.")
    else:
        what = _(
            "The gradient vanishes: its norm is {first_norm} in {first} and {last_norm} in {last}, a ratio of {ratio} "
            "{when}."
        )
    why = ACTIVATIONS[run.config.activation].vanishing or _VANISHING
    if run.config.init == "zeros":
        why = _("Weights that are all 0 pass nothing on, and units that start equal stay equal.")
    remedy = remedies.carry_gradient(run.config)
    what_to_try = _("Mend the dead units first: they pass no gradient on.")  # nothing else is left to change
    if remedy:
        what_to_try = _("Let the gradient through: {change}.").format(change=remedies.in_words(remedy))
    yield finding(
        run,
        "vanishing-gradient",
        "alarm" if figure < limit.alarm else "warning",
        figure,
        layer=first.index,
        what=what.format(
            when=run.when,
            first=name_of(first),
            last=name_of(last),
            first_norm=number(norms[0]),
            last_norm=number(norms[-1]),
            ratio=number(figure),
        ),
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
        what=_(
            "The network is linear, {when} as at any other: its {n} layers do what one {inputs}×{outputs} matrix does, "
            "W = {product}, with the bias b = {bias}."
        ).format(
            when=run.when, n=n, inputs=linear[0].num_inputs, outputs=linear[-1].num_outputs, product=product, bias=bias
        ),
        why=_(
            "A linear map of a linear map is a linear map again, however many there are: depth helps only with a "
            "non-linearity between the layers."
        ),
        try_=_("Add a non-linearity: activation relu."),
        remedy={"activation": "relu"},
    )


def not_zero_centred(run: Run) -> Iterator[Finding]:
    """Outputs of an activation that are never negative."""
    having = [layer for layer in run.layers if _is_never_negative(layer) and layer.mean > 0 and layer.sd > 0]
    if not having:
        return
    layer = having[0]
    relu = layer.title == ACTIVATIONS["relu"].title
    why = _(
        "Where a unit's inputs are never negative, the gradients of all its weights have the same sign for each "
        "sample, so that they are pushed up or down together."
    )
    yield finding(
        run,
        "not-zero-centred",
        "note",
        layer.mean,
        layer=layer.index,
        what=_(
            "The outputs of {layer} are not zero-centred: from {low} to {high}, mean {mean}, {when}{others}."
        ).format(
            layer=name_of(layer),
            low=number(layer.minimum),
            high=number(layer.maximum),
            mean=number(layer.mean),
            when=run.when,
            others=others(len(having) - 1),
        ),
        why=f"{why} {_('ReLU makes up for it.')}" if relu else why,
        try_="" if relu else _("Use a zero-centred activation: tanh."),
        remedy={} if relu else {"activation": "tanh"},
    )
