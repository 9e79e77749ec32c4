"""Typed conditions on runs: `lr>=0.1 model=mlp status=finished`.

    conditions = parse("lr>=0.1 model=mlp digits")
    [run for run in runs() if matches(conditions, run)]

A condition is a field, an operator (= != < <= > >=) and a value of the field's kind; all must hold. A word alone is
part of the name, the group or the note, unless it is a field's name. What a run has not fulfils no condition but `!=`.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from d2ltui.spec.fields import FIELDS as CONFIG_FIELDS
from d2ltui.spec.language import _
from d2ltui.spec.parsing import ConfigError
from d2ltui.spec.parsing import parse as parse_field
from d2ltui.spec.similar import did_you_mean
from d2ltui.spec.text import quoted
from d2ltui.store.errors import NotAllowed
from d2ltui.store.listing import BEST, FIGURES, METRICS, STATUSES, RunInfo

NUMBERS = ("steps", "seconds", *FIGURES, *METRICS, *BEST)
TEXTS = ("name", "group", "note", "host", "device")
FIELDS = ("status", *(name for name in CONFIG_FIELDS if name not in ("device", "data_dir")), *NUMBERS, *TEXTS)
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
_CONDITION = re.compile(r"([A-Za-z_0-9-]+)\s*(<=|>=|!=|==|=|<|>)(.*)", re.DOTALL)


class Condition(msgspec.Struct, frozen=True):
    """One condition; `field` is empty where it is a word alone."""

    field: str
    operator: str
    value: Any

    def holds(self, run: RunInfo) -> bool:
        """Whether `run` fulfils it."""
        if not self.field:
            return any(self.value in text.lower() for text in (run.name, run.group, run.note))
        found = run.value(self.field)
        if found is None:
            return self.operator == "!="
        return OPERATORS[self.operator](found, self.value)


def parse(text: str | Sequence[str]) -> tuple[Condition, ...]:
    """The conditions in `text`, separated by spaces.

    Raises:
        NotAllowed: with one sentence, for the first one that is wrong.
    """
    words = text.split() if isinstance(text, str) else [word for part in text for word in part.split()]
    return tuple(_condition(word) for word in words)


def matches(conditions: Sequence[Condition], run: RunInfo) -> bool:
    """Whether `run` fulfils all of them."""
    return all(condition.holds(run) for condition in conditions)


def _condition(word: str) -> Condition:
    found = _CONDITION.fullmatch(word)
    if found is None:
        if re.search(r"[<>=!]", word):
            raise NotAllowed(
                _("filter: {word} is not allowed; allowed: FIELD, one of {operators}, and a value").format(
                    word=quoted(word), operators=_OPERATORS
                )
            )
        if word.replace("-", "_") in FIELDS:  # looked for in names, it would silently find nothing
            how = _("{word}, one of {operators}, and a value, such as lr>=0.1 or status=finished").format(
                word=word, operators=_OPERATORS
            )
            raise NotAllowed(
                _("filter: {word} alone is not allowed; allowed: {how}").format(word=quoted(word), how=how)
            )
        return Condition("", "", word.lower())
    name, sign, value = found[1].replace("-", "_"), found[2].replace("==", "="), found[3]
    if name not in FIELDS:
        hint = did_you_mean(name, FIELDS)
        raise NotAllowed(
            _("filter: {name} is not a field of a run{hint}; allowed: {fields}").format(
                name=quoted(name), hint=hint, fields=", ".join(FIELDS)
            )
        )
    ordered = name in NUMBERS or (name in CONFIG_FIELDS and CONFIG_FIELDS[name].kind in ("float", "int"))
    if sign not in ("=", "!=") and not ordered:
        raise NotAllowed(
            _("filter: '{sign}' is not allowed with {name}; allowed: = and !=").format(sign=sign, name=name)
        )
    return Condition(name, sign, _value(name, value))


_OPERATORS = " ".join(OPERATORS)


def _value(name: str, text: str) -> Any:
    if name == "status":
        if text not in STATUSES:
            raise NotAllowed(
                _("filter: status {text} is not known; allowed: {statuses}").format(
                    text=quoted(text), statuses=", ".join(STATUSES)
                )
            )
        return text
    if name in TEXTS:
        return text
    if name in CONFIG_FIELDS and CONFIG_FIELDS[name].kind in ("choice", "ints", "threads"):
        try:
            return parse_field(name, text)
        except ConfigError as error:
            raise NotAllowed(f"filter: {error}") from None
    # A limit need not be a value that the field may have: `epochs>0`, `dropout<2`.
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if number != number:
        raise NotAllowed(
            _("filter: {name} {text} is not allowed; allowed: a number").format(name=name, text=quoted(text))
        )
    return number
