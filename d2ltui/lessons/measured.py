"""What lessons train and what they find: experiments, figures with their bands, verdicts. Plain values."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import msgspec

from d2ltui.spec.numbers import number


class LessonError(Exception):
    """An experiment that could not be carried out. Its text is one sentence."""


class LessonCancelled(Exception):
    """Somebody asked for an end."""


class Figure(msgspec.Struct, frozen=True):
    """One measured number, and the band that the claim puts it into.

    A bound that is None is open: a figure without bounds is there to be seen. `value` is None where what was measured
    is no finite number, which is in no band.
    """

    what: str
    value: float | None
    low: float | None = None
    high: float | None = None
    unit: str = ""

    @property
    def holds(self) -> bool:
        """Whether it is where the claim says."""
        if self.value is None:
            return self.low is None and self.high is None
        return (self.low is None or self.value >= self.low) and (self.high is None or self.value <= self.high)

    @property
    def band(self) -> str:
        """`0.1 to 0.3`, `0.1 or more`, `0.3 or less`, or nothing."""
        if self.low is not None and self.high is not None:
            return shown(self.low) if self.low == self.high else f"{shown(self.low)} to {shown(self.high)}"
        if self.low is not None:
            return f"{shown(self.low)} or more"
        return f"{shown(self.high)} or less" if self.high is not None else ""


def figure(what: str, value: float, low: float | None = None, high: float | None = None, unit: str = "") -> Figure:
    """A Figure of any number."""
    value = float(value)
    return Figure(what, value if math.isfinite(value) else None, low, high, unit)


def shown(value: float | None) -> str:
    """A number in a few characters."""
    if value is None:
        return "not finite"
    return number(value)


class Measured(NamedTuple):
    """What a measurement found, and one or two sentences about it that are true whatever it found."""

    figures: list[Figure]
    comment: str


class Verdict(msgspec.Struct, frozen=True):
    """A lesson that was measured."""

    name: str
    claim: str
    holds: bool
    figures: tuple[Figure, ...]
    comment: str
    seeds: int
    seconds: float


class Experiment(msgspec.Struct, frozen=True):
    """A run that a lesson trains, by its role in the claim: the fields of its RunConfig that are not the default's."""

    role: str
    given: dict[str, Any]
