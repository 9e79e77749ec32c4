"""What to change, as values of named hyperparameters: concrete, and always allowed with the run's other fields."""

from __future__ import annotations

import msgspec

from d2ltui.spec import catalogue
from d2ltui.spec.activations import ACTIVATIONS
from d2ltui.spec.config import RunConfig
from d2ltui.spec.models import MODELS
from d2ltui.spec.numbers import setting
from d2ltui.spec.text import enumerated

Remedy = dict[str, object]

MOST_DECAY = 0.1  # the share of a weight that a step of plain SGD takes away: beyond 2, weights grow instead


def usual_lr(config: RunConfig) -> float:
    """A learning rate that works for this model, data set, optimiser and activation: the default one."""
    return catalogue.default_lr(config.model, config.dataset, config.optimizer, config.activation)


def good_init(config: RunConfig) -> str:
    """The initialisation made for the activation, such as Kaiming for ReLU (section 5.4).

    A squared error has no bound: with Kaiming's larger weights, its first steps would be too long for the usual rate.
    """
    if config.task == "regression":
        return "xavier"
    return ACTIVATIONS[config.activation].init if "activation" in MODELS[config.model].fields else "xavier"


def stabilise(config: RunConfig) -> Remedy:
    """Against everything that is too large: a proper initialisation, and no more than the usual rate.

    Where both are in order already, a tenth of the rate.
    """
    remedy: Remedy = {}
    if config.init in ("normal", "zeros") and config.model != "linear":
        remedy["init"] = good_init(config)
    if config.lr > usual_lr(config):
        remedy["lr"] = usual_lr(config)
    elif not remedy:
        remedy["lr"] = rounded(config.lr / 10)
    return remedy


def shorten_steps(config: RunConfig) -> Remedy:
    """Against a loss that jumps: the usual rate, or a tenth of one that is no higher."""
    usual = usual_lr(config)
    return {"lr": usual if config.lr > usual else rounded(config.lr / 10)}


def raise_lr(config: RunConfig) -> Remedy:
    """Against a rate that is too low: the usual one, or ten times as much."""
    usual = usual_lr(config)
    return {"lr": usual if config.lr < usual else rounded(config.lr * 10)}


def carry_gradient(config: RunConfig) -> Remedy:
    """Against a gradient that does not reach the first layers: ReLU and its initialisation, or fewer layers."""
    remedy: Remedy = {}
    if config.activation != "relu":
        remedy["activation"] = "relu"
    with_relu = msgspec.structs.replace(config, activation="relu")
    if config.init != good_init(with_relu):
        remedy["init"] = good_init(with_relu)
    usual = usual_lr(with_relu)
    if config.lr > usual:  # another activation may have wanted more
        remedy["lr"] = usual
    if not remedy and len(config.hidden) > 1:
        remedy["hidden"] = config.hidden[: max(1, len(config.hidden) // 2)]
    return remedy


def reduce_saturation(config: RunConfig) -> Remedy:
    """Against flat ends: weights that start small enough, else an activation without flat ends on both sides."""
    return stabilise(config) if config.init == "normal" or config.lr > usual_lr(config) else carry_gradient(config)


def regularise(config: RunConfig) -> Remedy:
    """Against overfitting: dropout where there are hidden layers without it, else (more) weight decay.

    Never so much weight decay that a step takes more than a tenth of each weight; where that is reached, shorter steps.
    """
    if "dropout" in MODELS[config.model].fields and config.dropout == 0:
        return {"dropout": 0.5}
    decay = rounded(min(config.weight_decay * 10 if config.weight_decay > 0 else 0.01, MOST_DECAY / config.lr))
    return {"weight_decay": decay} if decay > config.weight_decay else shorten_steps(config)


def in_words(remedy: Remedy) -> str:
    """`lr 0.1 and init kaiming`."""
    return enumerated([f"{name} {setting(value)}" for name, value in remedy.items()])


def rounded(value: float) -> float:
    """To three digits."""
    return float(f"{value:.3g}")
