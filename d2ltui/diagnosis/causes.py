"""What may be the cause of a run that does not learn, and the one change that would mend it.

A setting that is far from what usually works is suspected, and no more: `engine.doctor` tries the change on a run of
its own before anything is said. `suspicion` tells how far it is, in powers of ten or what is like them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from d2ltui.diagnosis import remedies
from d2ltui.diagnosis.remedies import Remedy
from d2ltui.diagnosis.thresholds import (
    ALWAYS,
    ENOUGH_STEPS,
    FEW_STEPS,
    GRAVE,
    MOMENTUM,
    SHRINKS,
    SMALL_DECAY,
    SUSPICIOUS,
    WIDE_ENOUGH,
)
from d2ltui.spec import catalogue
from d2ltui.spec.activations import ACTIVATIONS
from d2ltui.spec.command import train_command
from d2ltui.spec.config import RunConfig, applicable_fields, resolve
from d2ltui.spec.datasets import DatasetInfo
from d2ltui.spec.language import _, ngettext
from d2ltui.spec.models import MODELS
from d2ltui.spec.numbers import number, percent, setting
from d2ltui.spec.parsing import ConfigError
from d2ltui.spec.text import counted, enumerated
from d2ltui.spec.versions import can_be_shown

_ALIKE = (
    _("all weights start at 0, so that all units of a layer stay alike"),
    _("Units that start equal get equal gradients, and stay equal for ever"),
)
_CHOSEN = ("implementation", "dataset", "data_dir", *catalogue.DATA_FIELDS)


class Cause(NamedTuple):
    """A possible cause: the rule that names it, what would mend it, and how it is told."""

    rule: str
    remedy: Remedy
    suspicion: float
    what: str  # is the matter, as the end of "…: "
    why: str
    factor: float = 1.0  # by which the inputs would have to be multiplied
    least: float = 0.0  # accuracy, or R², that the remedy has to bring where something was learned already


def possible_causes(
    config: RunConfig, data: DatasetInfo, scale: float, *, oscillates: bool = False, falls: bool = False
) -> list[Cause]:
    """What may be wrong with a run of `config` on `data`, the most suspicious first.

    `scale` is the root mean square of the inputs; `oscillates` tells that the loss was seen to jump up and down,
    `falls` that it was still coming down at the end.
    """
    jumps = _("the loss jumps up and down, the learning rate {lr} being too high for it").format(lr=setting(config.lr))
    leaps = _("Steps that are too long leap over the valley again and again")
    found = [Cause("oscillation", remedies.shorten_steps(config), SUSPICIOUS, jumps, leaps)] if oscillates else []
    found += [*_rate(config), *_penalty(config), *_scale(scale), *_steps(config, data, falls)]
    if "activation" in MODELS[config.model].fields:
        found += [*_start(config, data), *_activation(config)]
    if "hidden" in MODELS[config.model].fields:
        found += _width(config, data)
    if config.model in ("softmax", "linear"):
        found.append(_no_hidden_layer(config))
    changing = [cause for cause in found if cause.factor != 1 or with_remedy(config, cause.remedy) != config]
    return sorted(changing, key=lambda cause: -cause.suspicion)


def with_remedy(config: RunConfig, remedy: Remedy) -> RunConfig | None:
    """`config` with other values; None where they are not allowed together."""
    model = str(remedy.get("model", config.model))
    names = ("implementation", "dataset", "data_dir", *applicable_fields(model))
    given = {name: getattr(config, name) for name in names} | {**remedy, "model": model}
    if model != config.model:  # what only the other model has is as usual there; a rate that was too low stays so
        kept = (*applicable_fields(config.model), *_CHOSEN, *remedy, "model")
        given = {name: value for name, value in given.items() if name in kept}
        del given["init"], given["init_std"]
        usual = catalogue.default_lr(model, config.dataset, config.optimizer, config.activation)
        given["lr"] = remedies.rounded(usual * config.lr / remedies.usual_lr(config))
    for name, other in catalogue.ONLY_WITH.items():
        if given.get(other) not in catalogue.values_with(name):
            given.pop(name, None)
    try:
        return resolve(given)
    except ConfigError:
        return None


def none_helps(tried: Sequence[Cause], *, much: bool = False) -> str:
    """The sentence that says which settings were changed in vain; "" where none was."""
    names = list(dict.fromkeys(name for cause in tried for name in (cause.remedy or (_("the inputs' scale"),))))
    if not names:
        return ""
    none = _("{settings}: other values were tried, and none helps.")
    not_much = _("{settings}: other values were tried, and none helps much.")
    return (not_much if much else none).format(settings=enumerated(names))


def command_with(config: RunConfig, remedy: Remedy) -> str:
    """The line for the shell that trains `config` with `remedy`; "" where none does."""
    changed = with_remedy(config, remedy) if remedy and can_be_shown(config) else None
    return train_command(changed, remedy) if changed is not None else ""


def _rate(config: RunConfig) -> Iterator[Cause]:
    usual = remedies.usual_lr(config)
    decades = math.log10(config.lr / usual)
    too_high = _("Steps that long jump over the minimum instead of going down into it")
    too_low = _("With steps that short, training takes far too many of them")
    high = _("the learning rate {lr} is too high").format(lr=setting(config.lr))
    low = _("the learning rate {lr} is too low").format(lr=setting(config.lr))
    rounded = remedies.rounded
    if decades > 0:
        yield Cause("learning-rate-high", {"lr": usual}, max(ALWAYS, decades), high, too_high)
    yield Cause("learning-rate-high", {"lr": rounded(min(config.lr, usual) / 10)}, ALWAYS, high, too_high)
    if decades < 0:
        yield Cause("learning-rate-low", {"lr": usual}, max(ALWAYS, -decades), low, too_low)
    yield Cause("learning-rate-low", {"lr": rounded(max(config.lr, usual) * 10)}, ALWAYS, low, too_low)
    if config.momentum > MOMENTUM and catalogue.has_use("momentum", {"optimizer": config.optimizer}):
        yield Cause(
            "learning-rate-high",
            {"momentum": MOMENTUM},
            math.log10((1 - MOMENTUM) / max(1 - config.momentum, 1e-6)),
            _("momentum {momentum} lets every step go on for {steps:,} more").format(
                momentum=setting(config.momentum), steps=round(1 / max(1 - config.momentum, 1e-6))
            ),
            too_high,
        )
    if 0 < config.clip_norm < 1:
        yield Cause(
            "learning-rate-low",
            {"clip_norm": 0.0},
            max(ALWAYS, -math.log10(config.clip_norm)),
            _("clipping gradients to a norm of {norm} makes every step too short").format(
                norm=setting(config.clip_norm)
            ),
            too_low,
        )


def _steps(config: RunConfig, data: DatasetInfo, falls: bool) -> Iterator[Cause]:
    a_pass = math.ceil(data.train_size / config.batch_size)
    steps = a_pass * config.epochs
    in_words = counted(steps, "training step", ",")
    what = ngettext("{steps} is too few", "{steps} are too few", steps).format(steps=in_words)
    why = _("Each step changes the weights only a little")
    if steps < FEW_STEPS:
        more: Remedy = {"epochs": math.ceil(3 * FEW_STEPS / a_pass)}
        yield Cause("not-learning", more, SUSPICIOUS + math.log10(FEW_STEPS / steps), what, why)
    if steps < ENOUGH_STEPS:
        yield Cause("not-learning", {"epochs": math.ceil(2 * ENOUGH_STEPS / a_pass)}, SUSPICIOUS, what, why)
    elif falls:
        why = _("The loss was still falling at the end")
        yield Cause("not-learning", {"epochs": 4 * config.epochs}, SUSPICIOUS, what, why, least=GRAVE)


def _penalty(config: RunConfig) -> Iterator[Cause]:
    if config.weight_decay > 0:
        yield Cause(
            "over-regularised",
            {"weight_decay": 0.0},
            max(ALWAYS, 1 + math.log10(config.weight_decay / SMALL_DECAY)),
            _("weight decay {decay} pulls the weights to 0 faster than the data can push them away").format(
                decay=setting(config.weight_decay)
            ),
            _("The penalty's gradient is λw: where it is larger than the loss's, nothing is learned"),
        )
    if "dropout" in MODELS[config.model].fields and config.dropout > 0:
        kept = 1 - config.dropout
        yield Cause(
            "over-regularised",
            {"dropout": 0.0},
            max(ALWAYS, 6 * (config.dropout - 0.5)),
            _("dropout {dropout} leaves {share} of the hidden units in each step").format(
                dropout=setting(config.dropout), share=percent(kept)
            ),
            _("What is left is too small a network, and a different one at each step"),
        )
    if config.smoothing > 0:
        yield Cause(
            "over-regularised",
            {"label_smoothing": 0.0},
            max(ALWAYS, 6 * (config.smoothing - 0.5)),
            _("label smoothing {smoothing} leaves little of what tells the classes apart").format(
                smoothing=setting(config.smoothing)
            ),
            _("The labels that are learned are nearly the same for all classes"),
        )


def _scale(scale: float) -> Iterator[Cause]:
    if not math.isfinite(scale) or scale == 0:
        return
    yield Cause(
        "data-scale",
        {},
        max(0.0, abs(math.log10(scale)) - 0.3),
        (
            _("the inputs are too large: their root mean square is {scale}")
            if scale > 1
            else _("the inputs are too small: their root mean square is {scale}")
        ).format(scale=number(scale)),
        _("Weights and rates are made for inputs of about 1: a weight's gradient is in proportion to its input"),
        factor=1 / scale,
    )


def _start(config: RunConfig, data: DatasetInfo) -> Iterator[Cause]:
    good = remedies.good_init(config)
    if config.init == "zeros":
        yield Cause("symmetry", {"init": good}, 5.0, *_ALIKE)
        return
    if config.init == good:
        return
    suspicion = ALWAYS
    what = _("the initial weights (init {init}) do not fit this network").format(init=config.init)
    if config.init == "normal":
        sizes = (data.num_inputs, *config.hidden) if "hidden" in MODELS[config.model].fields else (100,)
        fitting = math.exp(sum(math.log(2 / n) / 2 for n in sizes) / len(sizes))
        decades = math.log10(config.init_std / fitting)
        suspicion = max(ALWAYS, abs(decades) * (2 if len(sizes) > 2 else 1))
        said = (
            _("the initial weights, of standard deviation {sd}, are too large")
            if decades > 0
            else _("the initial weights, of standard deviation {sd}, are too small")
        )
        what = said.format(sd=setting(config.init_std))
    elif config.init == "default" and (len(config.hidden) > 2 or config.implementation == "scratch"):
        suspicion = 0.3 * len(config.hidden)
        what = _("the initial weights (init {init}) are too small for {layers} hidden layers").format(
            init=config.init, layers=len(config.hidden)
        )
    why = _("Layer by layer, weights that are too large make signals and gradients grow, too small ones shrink")
    yield Cause("initialisation", {"init": good}, suspicion, what, why)


def _activation(config: RunConfig) -> Iterator[Cause]:
    hidden = len(config.hidden) if "hidden" in MODELS[config.model].fields else 4
    relu: Remedy = {"activation": "relu"}
    if config.activation == "identity":
        what = _("without an activation function the network is linear, however many layers it has")
        why = _("A linear map of a linear map is a linear map")
        yield Cause("no-activation", relu, 1.5, what, why)
        yield Cause("no-activation", {"activation": "tanh"}, 1.4, what, why)  # for what is smooth, and for few steps
    elif ACTIVATIONS[config.activation].flat_ends is not None and hidden > 1:
        with_relu = with_remedy(config, relu) or config
        usual = remedies.usual_lr(with_relu)
        change: Remedy = {**relu, "init": remedies.good_init(with_relu), **({"lr": usual} if config.lr > usual else {})}
        what = _("the gradient vanishes on its way back through {layers} layers of {activation}").format(
            layers=hidden, activation=config.activation
        )
        why = ACTIVATIONS[config.activation].vanishing or _("Each layer makes the gradient smaller")
        suspicion, rule, why = SHRINKS * hidden, "vanishing-gradient", why.rstrip(".。")
        if config.init == "zeros":  # other weights alone may not be enough; without them, nothing is
            suspicion, rule, what, why = 4.0, "symmetry", *_ALIKE
        yield Cause(rule, change, suspicion, what, why)
        if hidden > 4 and "hidden" in MODELS[config.model].fields:
            shorter: Remedy = {**change, "hidden": config.hidden[:2]}
            yield Cause(rule, shorter, suspicion, what, why)


def _width(config: RunConfig, data: DatasetInfo) -> Iterator[Cause]:
    narrow, widest = min(config.hidden), max(config.hidden)
    wider = tuple(max(units, min(widest, WIDE_ENOUGH) if widest >= 8 else WIDE_ENOUGH) for units in config.hidden)
    suspicion = max(ALWAYS, math.log2(8 / narrow))
    if widest >= 8 > narrow:
        layer = config.hidden.index(narrow) + 1
        what = _("hidden layer {layer} has {units}, through which everything must pass").format(
            layer=layer, units=counted(narrow, "unit")
        )
        why = _("What one layer loses, no later layer can recover")
        yield Cause("bottleneck", {"hidden": wider}, suspicion, what, why)
    elif widest < WIDE_ENOUGH:
        what = _("a network with hidden layers of {hidden} is too small for this data set").format(
            hidden=", ".join(counted(units, "unit") for units in config.hidden)
        )
        by_classes, by_number = _("It cannot draw enough boundaries"), _("Its curve cannot bend often enough")
        why = by_classes if data.task == "classification" else by_number
        yield Cause("underfitting", {"hidden": wider}, suspicion, what, why)
        if len(config.hidden) == 1:  # such as spirals, which one layer learns slowly however wide it is
            yield Cause("underfitting", {"hidden": (2 * WIDE_ENOUGH,) * 2}, ALWAYS, what, why)
    if len(config.hidden) > 4 and ACTIVATIONS[config.activation].flat_ends is None:
        fewer: Remedy = {"hidden": config.hidden[:2]}
        what = _("{layers} hidden layers are too many for the gradient to get through").format(
            layers=len(config.hidden)
        )
        why = _("Each layer multiplies it by its weights and its slope")
        yield Cause("vanishing-gradient", fewer, ALWAYS, what, why)


def _no_hidden_layer(config: RunConfig) -> Cause:
    change: Remedy = {"model": "mlp"}
    if config.task == "classification":
        what = _("a straight line between the classes is too simple for this data set")
        why = _("Without a hidden layer, all boundaries are straight lines")
        return Cause("underfitting", change, SUSPICIOUS, what, why)
    what = _("a linear model is too simple for this data set")
    why = _("It predicts a straight line, or a plane, whatever its weights are")
    return Cause("underfitting", change, SUSPICIOUS, what, why, least=GRAVE)  # of noisy targets a line is the best
