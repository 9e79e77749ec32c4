"""The synthetic data sets, as a run's parameters make them: how large they are, and what is said of them.

What is drawn is `d2ltui.data.tabular`'s.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from d2ltui.spec.dataset_source import SYNTHETIC, DatasetInfo, DatasetSource, Params
from d2ltui.spec.language import _, ngettext
from d2ltui.spec.numbers import setting

LINEAR_WEIGHTS, LINEAR_BIAS = (2.0, -3.4), 4.2  # of synthetic-linear (section 3.3)
FUNCTION_FROM, FUNCTION_TO = -3.0, 3.0  # the inputs of a function
# By name: as people write it, and as code of a tensor x.
FUNCTIONS: Mapping[str, tuple[str, str]] = {
    "sine": ("sin 2x", "torch.sin(2 * x)"),
    "absolute": ("|x|", "x.abs()"),
    "step": ("0 left of 0, 1 right of it", "(x > 0).float()"),
    "square": ("x²/3", "x**2 / 3"),
    "waves": ("sin x² · x/3", "torch.sin(x**2) * x / 3"),
}
LEAST_SAMPLES = 10  # of each part: two of three classes and more, however they are split


def parts(samples: int, val_fraction: float) -> tuple[int, int]:
    """How many of the samples are for training, and how many for validation; one each at least."""
    val = math.ceil(round(samples * val_fraction, 6))  # rounded first: a third of 9 is 3
    val = min(samples - 1, max(1, val))
    return samples - val, val


def allowed_fractions(samples: int) -> str:
    """The shares of validation that leave each part LEAST_SAMPLES of `samples`, in words."""
    least = math.ceil(1000 * LEAST_SAMPLES / samples) / 1000
    low, high = setting(max(0.01, least)), setting(min(0.99, 1 - least))
    said = _("with {samples:,} samples, {low} to {high}") if low != high else _("with {samples:,} samples, {low}")
    return said.format(samples=samples, low=low, high=high)


def _linear(params: Params) -> str:
    return _("y = Xw + b + noise, w = [2, −3.4], b = 4.2, noise sd {noise}").format(noise=setting(params["noise"]))


def _function(params: Params) -> str:
    said, __ = FUNCTIONS[params["function"]]
    range_ = _("{low} to {high}").format(low=setting(FUNCTION_FROM), high=setting(FUNCTION_TO))
    return _("y = {said}, x from {range}, noise sd {noise}").format(
        said=_(said), range=range_, noise=setting(params["noise"])
    )


def _moons(params: Params) -> str:
    return _("two interleaving half circles, noise sd {noise}").format(noise=setting(params["noise"]))


def _circles(params: Params) -> str:
    radius, noise = setting(params["factor"]), setting(params["noise"])
    return _(
        "a circle inside another of radius 1, its own {radius}, noise sd {noise}: no straight line separates them"
    ).format(radius=radius, noise=noise)


def _spirals(params: Params) -> str:
    turns = params["turns"]
    said = ngettext(
        "three arms of {turns} turn wound around each other, noise sd {noise}",
        "three arms of {turns} turns wound around each other, noise sd {noise}",
        1 if turns == 1 else 2,
    )
    return said.format(turns=setting(turns), noise=setting(params["noise"]))


def _source(
    name: str,
    title: str,
    classes: tuple[str, ...],
    fields: Mapping[str, object],
    describe: Callable[[Params], str],
    num_inputs: int = 2,
    truth: tuple[float, ...] = (),
) -> DatasetSource:
    def sized(params: Params) -> DatasetInfo:
        known = {**fields, **params}
        train_size, val_size = parts(known["samples"], known["val_fraction"])
        return DatasetInfo(
            name=name,
            title=title,
            task="classification" if classes else "regression",
            origin=SYNTHETIC,
            input_shape=(num_inputs,),
            num_outputs=len(classes) or 1,
            train_size=train_size,
            val_size=val_size,
            normalisation="each input to mean 0, sd 1" if classes else "none",
            description=describe(known),
            classes=classes,
            truth=truth,
        )

    return DatasetSource(sized({}), "d2ltui.data.tabular:load", sized, dict(fields))


SOURCES = (
    _source(
        "synthetic-linear",
        "synthetic linear",
        (),
        {"noise": 0.01, "samples": 2000, "val_fraction": 0.5},
        _linear,
        truth=(*LINEAR_WEIGHTS, LINEAR_BIAS),
    ),
    _source(
        "function",
        "a function of one input",
        (),
        {"function": "sine", "noise": 0.1, "samples": 600, "val_fraction": 0.2},
        _function,
        num_inputs=1,
    ),
    _source("moons", "two moons", ("upper", "lower"), {"noise": 0.15, "samples": 1000, "val_fraction": 0.2}, _moons),
    _source(
        "circles",
        "two circles",
        ("outer", "inner"),
        {"noise": 0.08, "samples": 1000, "val_fraction": 0.2, "factor": 0.5},
        _circles,
    ),
    _source(
        "spirals",
        "three spirals",
        ("first", "second", "third"),
        {"noise": 0.03, "samples": 1500, "val_fraction": 0.2, "turns": 1.0},
        _spirals,
    ),
)
