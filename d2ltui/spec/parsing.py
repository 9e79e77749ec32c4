"""Values as they are written, on a command line, in a form or in a file, and the sentence for one that is wrong.

A wrong value gets the same sentence wherever it was written: it names the field, the value, and what is allowed.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

from d2ltui.spec.fields import FIELDS, MAX_DIGITS, MAX_LAYERS, MAX_PATH, Field
from d2ltui.spec.folders import root_above
from d2ltui.spec.language import _
from d2ltui.spec.similar import did_you_mean
from d2ltui.spec.text import MAX_VALUE, printable


class Problem(msgspec.Struct, frozen=True):
    """Something wrong with one field, as one sentence. `field` is empty when it concerns no single field."""

    field: str
    message: str


class ConfigError(ValueError):
    """A configuration that cannot be run. `problems` holds a sentence for each wrong field."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.message for problem in self.problems))


def wrong(name: str, value: object, allowed: str, hint: str = "") -> Problem:
    """The sentence for a wrong value: the field, the value, what is allowed."""
    return Problem(
        name,
        _("{name}: {value} is not allowed{hint}; allowed: {allowed}").format(
            name=name, value=_shown(name, value), hint=hint, allowed=allowed
        ),
    )


def _shown(name: str, value: object) -> str:
    most = MAX_PATH if name in FIELDS and FIELDS[name].kind == "path" else MAX_VALUE
    if isinstance(value, str):
        return f"'{printable(value, most)}'"
    try:
        return printable(value, most)
    except ValueError:  # Python does not write out a whole number of more than 4300 digits
        return _("a number that long")
    except RecursionError:
        return _("a list that deep")


def _number(field: Field, value: object) -> float | int | None:
    """`value` as the field's kind of number, or None where it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str) and len(value) > MAX_DIGITS:
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(number):
        return None
    if field.kind == "float":
        return number
    if isinstance(value, str) and not re.fullmatch(r"\s*[+-]?\d+\s*", value):
        return None
    return int(value) if number == int(number) else None


def _in_range(field: Field, number: float) -> bool:
    above = number > field.low if field.low_open else number >= field.low
    below = number < field.high if field.high_open else number <= field.high
    return above and below


def _integers(field: Field, value: object) -> tuple[int, ...] | None:
    parts: list[object]
    if isinstance(value, str):
        if len(value) > MAX_LAYERS * 20:  # more than that many numbers, or none
            return None
        parts = [part for part in re.split(r"[,\s]+", value.strip()) if part] if value.strip() else []
        if re.search(r",\s*,|^\s*,|,\s*$", value):
            return None
    elif isinstance(value, (list, tuple)):
        parts = list(value)
    else:
        parts = [value]
    numbers = [_number(Field("", "", "int", ""), part) for part in parts]
    if not 1 <= len(numbers) <= MAX_LAYERS or any(n is None or not _in_range(field, n) for n in numbers):
        return None
    return tuple(int(n) for n in numbers if n is not None)


def parse(name: str, value: object) -> object:
    """`value`, from a command line, a form or a file, as the field's own type.

    Raises:
        ConfigError: with one sentence, where the value is not allowed.
    """
    field = FIELDS[name]
    if field.kind == "choice":
        if isinstance(value, str) and value in field.choices:
            return value
        hint = did_you_mean(value, field.choices) if isinstance(value, str) else ""
        raise ConfigError([wrong(name, value, field.allowed, hint)])
    if field.kind == "device":
        if isinstance(value, str) and re.fullmatch(r"auto|cpu|mps|cuda(:[0-9]{1,4})?", value):
            return value
        raise ConfigError([wrong(name, value, field.allowed)])
    if field.kind == "path":
        return parse_directory(name, value)
    if field.kind == "ints":
        integers = _integers(field, value)
        if integers is None:
            raise ConfigError([wrong(name, value, field.allowed)])
        return integers
    if field.kind == "threads" and value == "auto":
        return value
    number = _number(field, value)
    if number is None or not _in_range(field, number):
        raise ConfigError([wrong(name, value, field.allowed)])
    return number


def parse_directory(name: str, value: object) -> str | None:
    """The absolute path of the directory that `value` names, or None where it names none.

    `name` is the field or the variable that it is from.

    Raises:
        ConfigError: with one sentence, where there is no such directory, or it may not be read.
    """
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ConfigError([wrong(name, value, FIELDS["data_dir"].allowed)])
    try:
        path = Path(value).expanduser()
        next(path.iterdir(), None)
    except FileNotFoundError:
        reason = _(" (there is no such directory)")
    except NotADirectoryError:
        reason = _(" (it is not a directory)")
    except OSError as error:
        reason = f" ({error.strerror})"
    except (ValueError, RuntimeError):  # a zero byte; ~ and a user that there is not
        reason = _(" (no directory can have this name)")
    else:
        if (root := root_above(path)) is None:
            return os.path.abspath(path)  # what is stored, or trained by another process, may be there from elsewhere
        reason = _(" (it lies within torchvision's root)")
    allowed = FIELDS["data_dir"].allowed
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        if (root := root_above(Path(value).expanduser())) is not None:
            allowed = printable(root, MAX_PATH)
    raise ConfigError([wrong(name, value, allowed, reason)])
