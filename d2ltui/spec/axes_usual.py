"""Axes that nobody has typed: what is usual for each field of a run, and a part of one that is looked at closer."""

from __future__ import annotations

import math
from collections.abc import Mapping

from d2ltui.spec import catalogue
from d2ltui.spec.axes import LOG_FIELDS, OF_HIDDEN, Axis, parse_axis, rounded
from d2ltui.spec.config import RunConfig
from d2ltui.spec.fields import FIELDS
from d2ltui.spec.models import MODELS
from d2ltui.spec.numbers import setting
from d2ltui.spec.optimizers import from_scratch
from d2ltui.spec.parsing import ConfigError

# Low and high end, and the number of values: wide enough that networks learn in one part, and do not in another.
_RANGES: dict[str, tuple[str, str, int]] = {
    "lr": ("1e-4", "10", 16),
    "init_std": ("1e-3", "3", 12),
    "weight_decay": ("1e-5", "1", 11),
    "dropout": ("0", "0.9", 10),
    "label_smoothing": ("0", "0.9", 10),
    "momentum": ("0", "0.99", 12),
    "clip_norm": ("0.01", "10", 10),
    "width": ("2", "256", 8),
    "depth": ("1", "8", 8),
    "seed": ("0", "9", 10),
}
_LARGEST_BATCH = 512
_EPOCHS = 8  # values, up to those of the run
_ZOOM = 4  # a part of an axis reaches as far to each side of its middle as this share of the whole


def axis_fields(config: RunConfig, given: Mapping[str, object]) -> tuple[str, ...]:
    """The fields that an axis may be of, for a run such as `config`, of which the fields `given` were chosen."""
    fields = MODELS[config.model].fields
    own = [
        name
        for name in fields
        if name in _RANGES or name in ("batch_size", "epochs") or len(_choices(config, name)) > 1
    ]
    useful = [name for name in own if name not in catalogue.ONLY_WITH or _has_use(config, given, name)]
    return (*useful, *(OF_HIDDEN if "hidden" in fields else ()))


def _has_use(config: RunConfig, given: Mapping[str, object], name: str) -> bool:
    """Whether `name` goes with the run, or with a choice that nobody has made yet: Adam, chosen, has no momentum."""
    other = catalogue.ONLY_WITH[name]
    open_ = () if other == "dataset" or other in given else _choices(config, other)
    return any(value in catalogue.values_with(name) for value in (getattr(config, other), *open_))


def _choices(config: RunConfig, name: str) -> tuple[str, ...]:
    if name == "optimizer" and config.implementation == "scratch":
        return from_scratch()
    return tuple(FIELDS[name].choices) if FIELDS[name].kind == "choice" else ()


def usual_axis(field: str, config: RunConfig) -> str:
    """The axis of a field as it is typed, such as `lr=1e-4:10:16`."""
    if field in _RANGES:
        low, high, count = _RANGES[field]
        return f"{field}={low}:{high}:{count}"
    if field == "batch_size":
        largest = min(_LARGEST_BATCH, config.dataset_info.train_size)
        return f"{field}={','.join(str(size) for size in _powers_of_two(largest))}"
    if field == "epochs":
        return f"{field}=1:{max(2, config.epochs)}:{max(2, min(_EPOCHS, config.epochs))}"
    return f"{field}={','.join(_choices(config, field))}"


def _powers_of_two(largest: int) -> list[int]:
    return [2**k for k in range(2, 24) if 2**k <= largest] or [1, 2]


def usual_axes(config: RunConfig, given: Mapping[str, object]) -> tuple[str, str]:
    """Both axes to begin with: the learning rate, and the standard deviation of the initial weights.

    Where the run has another initialisation that somebody chose, its weight decay takes the place of the latter.
    """
    fields = axis_fields(config, given)
    chosen = given.get("init")
    other = "init_std" if chosen is None or chosen in catalogue.values_with("init_std") else "weight_decay"
    second = next((name for name in (other, "weight_decay", "batch_size") if name in fields), fields[-1])
    return usual_axis("lr", config), usual_axis(second, config)


def axis_text(axis: Axis) -> str:
    """`axis` as it is typed."""
    if axis.scale == "choice":
        return f"{axis.field}={','.join(setting(value, exact=True) for value in axis.values)}"
    low, high = (setting(value, exact=True) for value in (axis.values[0], axis.values[-1]))
    usual = "log" if axis.field in LOG_FIELDS else "linear"
    return f"{axis.field}={low}:{high}:{len(axis.values)}" + ("" if axis.scale == usual else f":{axis.scale}")


def _between(axis: Axis, place: float, is_whole: bool) -> float:
    """The value at a place between two values' numbers."""
    before = min(math.floor(place), len(axis.values) - 2)
    low, high, share = axis.values[before], axis.values[before + 1], place - before
    number = low * (high / low) ** share if axis.scale == "log" else low + share * (high - low)
    return round(number) if is_whole else rounded(number)


def zoomed(name: str, axis: Axis, index: int) -> Axis:
    """The part of `axis` around its value number `index`, with as many values where there are so many between.

    An axis of choices has nothing between them, and stays as it is.

    Raises:
        ConfigError: where there is nothing more between its values.
    """
    total = len(axis.values)
    if axis.scale == "choice" or total < 3:
        return axis
    reach = (total - 1) / _ZOOM
    first = max(0.0, min(index - reach, total - 1 - 2 * reach))
    is_whole = FIELDS[axis.field].kind == "int" if axis.field in FIELDS else True
    low, high = (_between(axis, place, is_whole) for place in (first, first + 2 * reach))
    count = min(total, round(high - low) + 1) if is_whole else total
    while True:
        ends = f"{setting(low, exact=True)}:{setting(high, exact=True)}"
        try:
            return parse_axis(name, f"{axis.field}={ends}:{count}:{axis.scale}")
        except ConfigError:  # whole numbers at equal ratios may coincide
            if not is_whole or count <= 2:
                raise
            count -= 1
