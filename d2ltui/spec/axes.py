"""The axes of a map: a field of a run, and the values that it takes.

    lr=1e-4:10:32            32 values from 1e-4 to 10; of a scale such as this each is a multiple of the one before
    dropout=0:0.5:6          6 values at equal distances
    lr=0.1:0.5:5:linear      the spacing can be chosen: log or linear
    optimizer=sgd,adam       the values themselves

Two axes are no fields but ways to vary one, `hidden`: `depth` is the number of hidden layers, each as wide as the
first, and `width` the number of units of each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from d2ltui.spec import catalogue
from d2ltui.spec.config import RunConfig, check_environment, resolve
from d2ltui.spec.fields import FIELDS, MAX_LAYERS, MAX_WIDTH
from d2ltui.spec.language import _
from d2ltui.spec.memory import check_memory
from d2ltui.spec.models import MODELS
from d2ltui.spec.numbers import setting
from d2ltui.spec.parsing import ConfigError, Problem, parse
from d2ltui.spec.similar import did_you_mean
from d2ltui.spec.text import counted, quoted

Scale = Literal["log", "linear", "choice"]
LOG_FIELDS = ("lr", "init_std", "weight_decay", "clip_norm", "width", "batch_size")
OF_HIDDEN = {"depth": MAX_LAYERS, "width": MAX_WIDTH}  # with the largest value of each
_EXCLUDED = ("hidden", "dataset", "data_dir", "device", "threads", "model", "implementation")
MAX_VALUES = 1000  # of one axis
DIGITS = 4  # significant ones of a value: what is read on an axis is what is trained


class Axis(msgspec.Struct, frozen=True):
    """A field of a run, or `depth` or `width`, and two or more values of it, in order."""

    field: str
    values: tuple[Any, ...]
    scale: Scale

    def given(self, index: int, config: RunConfig) -> dict[str, object]:
        """What to change of the run `config` for the value number `index`."""
        value = self.values[index]
        if self.field == "depth":
            return {"hidden": (config.hidden[0],) * value}
        if self.field == "width":
            return {"hidden": (value,) * len(config.hidden)}
        return {self.field: value}


def parse_axis(axis: str, text: str) -> Axis:
    """What `--x` or `--y`, which `axis` says, was given.

    Raises:
        ConfigError: with one sentence, where it is no axis.
    """
    name, equals, said = text.partition("=")
    name = name.strip().removeprefix("--").replace("-", "_")
    if not equals:
        raise _wrong(
            axis, text, _("it has no values"), _("FIELD=LOW:HIGH:N or FIELD=VALUE,VALUE, such as lr=1e-4:10:32")
        )
    allowed = [field for field in (*FIELDS, *OF_HIDDEN) if field not in _EXCLUDED]
    if name not in allowed:
        hint = (
            _("depth and width vary it")
            if name == "hidden"
            else _("there is no such axis{hint}").format(hint=did_you_mean(name, allowed))
        )
        raise _wrong(axis, text, hint, ", ".join(allowed))
    if ":" in said:
        return _range(axis, text, name, said.split(":"))
    values = tuple(_value(axis, text, name, part.strip()) for part in said.split(","))
    if len(values) < 2:
        raise _wrong(axis, text, _("it has one value"), _("two or more"))
    if len(set(values)) < len(values):
        raise _wrong(axis, text, _("a value is given twice"), _("each value once"))
    return Axis(name, values, "choice")


def checked_axis(axis: str, given: Axis) -> Axis:
    """`given`, from a file, where it is an axis.

    Raises:
        ConfigError: with one sentence, where it is none.
    """
    if given.field not in (*FIELDS, *OF_HIDDEN) or given.field in _EXCLUDED or not given.values:
        raise _wrong(axis, given.field, _("there is no such axis"), _("a field, and values of it"))
    return msgspec.structs.replace(
        given, values=tuple(_value(axis, str(value), given.field, value) for value in given.values)
    )


def _range(axis: str, text: str, name: str, parts: list[str]) -> Axis:
    kind = FIELDS[name].kind if name in FIELDS else "int"
    if kind not in ("int", "float"):
        raise _wrong(
            axis,
            text,
            _("{name} is not a number").format(name=name),
            _("values of it, such as {name}={example}").format(name=name, example=_example(name)),
        )
    chosen = parts[3].strip() if len(parts) > 3 else "log" if name in LOG_FIELDS else "linear"
    if len(parts) not in (3, 4) or chosen not in ("log", "linear"):
        raise _wrong(
            axis, text, _("it is not a range"), _("{name}=LOW:HIGH:N, and behind it :log or :linear").format(name=name)
        )
    low, high = (_number(axis, text, part) for part in parts[:2])
    count = parts[2].strip()
    if not (count.isascii() and count.isdigit() and len(count) <= 9):
        raise _wrong(
            axis,
            text,
            _("{count} is not a number of values").format(count=quoted(count)),
            _("a whole number from 2 to {most}").format(most=MAX_VALUES),
        )
    n = int(count)
    if n == 0:
        raise _wrong(axis, text, _("it has no values"), _("2 to {most}").format(most=MAX_VALUES))
    if low > high:
        raise _wrong(axis, text, _("its ends are the wrong way round"), f"{name}={parts[1]}:{parts[0]}:{count}")
    if n < 2 or low == high:
        raise _wrong(axis, text, _("it has one value"), _("two or more, from a lower to a higher one"))
    if n > MAX_VALUES:
        raise _wrong(axis, text, _("{n:,} values are too many").format(n=n), _("2 to {most}").format(most=MAX_VALUES))
    if chosen == "log" and low <= 0:
        _value(axis, text, name, low)  # what no run may have, another spacing does not mend
        raise _wrong(
            axis,
            text,
            _("a logarithmic axis has no {low}").format(low=setting(low)),
            _("more than 0, or {name}={parts}:linear").format(name=name, parts=":".join(parts[:3])),
        )
    if chosen == "log":
        logs = (math.log(low) + (math.log(high) - math.log(low)) * i / (n - 1) for i in range(n))
        numbers = [math.exp(value) for value in logs]
    else:
        numbers = [low + (high - low) * i / (n - 1) for i in range(n)]
    numbers[0], numbers[-1] = low, high
    if kind == "int":
        whole = tuple(dict.fromkeys(round(number) for number in numbers))
        if len(whole) < n:
            raise _wrong(
                axis,
                text,
                _("it has {whole}").format(whole=counted(len(whole), "whole number")),
                _("that many values: {whole}").format(whole=len(whole)),
            )
        numbers = list(whole)
    else:
        numbers = [rounded(number) for number in numbers]
        if len(set(numbers)) < n:
            raise _wrong(
                axis,
                text,
                _("its values are too close together"),
                _("{digits} digits that differ").format(digits=DIGITS),
            )
    return Axis(
        name, tuple(_value(axis, text, name, number) for number in numbers), "log" if chosen == "log" else "linear"
    )


def rounded(number: float) -> float:
    """`number` with as many digits as a value of an axis has."""
    return float(f"{number:.{DIGITS}g}")


def _number(axis: str, text: str, part: str) -> float:
    try:
        number = float(part)
    except ValueError:
        raise _wrong(
            axis, text, _("{part} is not a number").format(part=quoted(part)), _("LOW:HIGH:N, such as 1e-4:10:32")
        ) from None
    if not math.isfinite(number):
        raise _wrong(axis, text, _("{part} is not finite").format(part=part.strip()), _("a finite number"))
    return number


def _value(axis: str, text: str, name: str, value: object) -> object:
    if name in OF_HIDDEN:
        given = str(value)
        if not (given.isascii() and given.isdigit() and len(given) <= 9 and 1 <= int(given) <= OF_HIDDEN[name]):
            raise _wrong(
                axis,
                text,
                _("{value} is not a valid {name}").format(value=quoted(value), name=name),
                _("a whole number from 1 to {most}").format(most=OF_HIDDEN[name]),
            )
        return int(given)
    try:
        return parse(name, value)
    except ConfigError as error:
        problem = error.problems[0]
        raise ConfigError(
            [
                Problem(
                    axis,
                    _("{axis}: {text} is not allowed; {message}").format(
                        axis=axis, text=quoted(text), message=problem.message
                    ),
                )
            ]
        ) from None


def _example(name: str) -> str:
    return ",".join(list(FIELDS[name].choices)[:2]) or "VALUE,VALUE"


def _wrong(axis: str, text: str, why: str, allowed: str) -> ConfigError:
    return ConfigError(
        [
            Problem(
                axis,
                _("{axis}: {text} is not allowed ({why}); allowed: {allowed}").format(
                    axis=axis, text=quoted(text), why=why, allowed=allowed
                ),
            )
        ]
    )


def base_config(given: Mapping[str, object], x: Axis, y: Axis) -> RunConfig:
    """The run that the axes vary; what only goes with another choice, as `init_std` does with `init normal`, has it.

    Raises:
        ConfigError: where the fields do not go together.
    """
    if x.field == y.field:
        raise ConfigError(
            [Problem("y", _("y: {field} is not allowed on both axes; allowed: another field").format(field=x.field))]
        )
    varied = {x.field, y.field}
    chosen = dict(given)
    for field in varied & set(catalogue.ONLY_WITH):
        other = catalogue.ONLY_WITH[field]
        if other not in chosen and other not in varied:
            having = catalogue.values_with(field)
            if other == "dataset":  # the model's usual one, or one that it can be trained on
                model = str(given.get("model", "mlp"))
                if model in MODELS and MODELS[model].default_dataset in having:
                    continue
                fits = catalogue.datasets_for(model)
                having = tuple(name for name in having if name in fits) or having
            chosen[other] = having[0]
    first = {axis.field: axis.values[0] for axis in (x, y) if axis.field in FIELDS}
    config = resolve({**chosen, **first})
    for axis in (x, y):
        _check_hidden(config, axis)
    return config


def _check_hidden(config: RunConfig, axis: Axis) -> None:
    if axis.field in OF_HIDDEN and "hidden" not in MODELS[config.model].fields:
        why = _("{field}: it is no axis of model {model}, which has no hidden layers; allowed: with model mlp").format(
            field=axis.field, model=config.model
        )
        raise ConfigError([Problem("x", why)])


def cell_config(base: RunConfig, x: Axis, y: Axis, column: int, row: int, given: Mapping[str, object]) -> RunConfig:
    """The run in a cell: `base`, with its values of both axes. `given` are the fields that were chosen.

    A learning rate that nobody has chosen is the optimiser's and activation's own.

    Raises:
        ConfigError: where there is no such run.
    """
    hidden = base
    changes: dict[str, object] = {}
    for axis, index in ((x, column), (y, row)):
        change = axis.given(index, hidden)
        if "hidden" in change:
            hidden = msgspec.structs.replace(hidden, hidden=change["hidden"])
        changes |= change
    decides = {"optimizer", "activation"} & changes.keys()
    if decides and "lr" not in given and "lr" not in changes:
        values = {**msgspec.structs.asdict(base), **changes}
        usual = catalogue.default_lr(base.model, base.dataset, str(values["optimizer"]), str(values["activation"]))
        changes["lr"] = usual
    return msgspec.structs.replace(base, **changes)


def check_cells(configs: Mapping[tuple[int, int], RunConfig]) -> None:
    """That the runs at the edges of a map can be trained here: every value of both axes is there.

    Raises:
        ConfigError: where one cannot.
    """
    columns, rows = (max(cell[i] for cell in configs) for i in (0, 1))
    for (column, row), config in configs.items():
        if column in (0, columns) or row in (0, rows):
            values = {name: value for name, value in msgspec.structs.asdict(config).items() if name in FIELDS}
            resolve(values, unused=True)
            check_environment(config)
            check_memory(config)
