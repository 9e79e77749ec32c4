"""What lessons train and what they find: experiments, figures with their bands, verdicts. Plain values."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import msgspec

from d2ltui.spec.numbers import number, percent


class LessonError(Exception):
    """An experiment that could not be carried out. Its text is one sentence."""


class LessonCancelled(Exception):
    """Somebody asked for an end."""


class Figure(msgspec.Struct, frozen=True):
    """One measured number, and the band that the claim puts it into.

    A bound that is None is open: a figure without bounds is there to be seen. `value` is None where what was measured
    is no finite number, which is in no band. `plain` says what it is in a student's words; figures that have such
    words are the two or three that matter. Of a share, whose `unit` begins with "of", percentages are told.
    """

    what: str
    value: float | None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    plain: str = ""

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

    @property
    def told(self) -> str:
        """The value with its unit: `0.25`, `87 % of the units`, `12 µs`."""
        if self.unit.startswith("of "):
            return f"{self._in_words(self.value)} {self.unit}"
        return f"{shown(self.value)} {self.unit}".rstrip()

    @property
    def claimed(self) -> str:
        """The band in words: `at least 50 %`, `between 0.1 and 0.3`, `exactly 1`; nothing where nothing is claimed."""
        if self.low is not None and self.high is not None:
            low, high = self._in_words(self.low), self._in_words(self.high)
            if low == high:
                return "none" if self.low == 0 else f"exactly {low}"
            return f"at most {high}" if self.low == 0 else f"between {low} and {high}"
        if self.low is not None:
            return f"at least {self._in_words(self.low)}"
        return f"at most {self._in_words(self.high)}" if self.high is not None else ""

    def _in_words(self, value: float | None) -> str:
        if value is None or not self.unit.startswith("of "):
            return shown(value)
        return f"{number(100 * value)} %" if 0 < value < 0.1 else f"{percent(value)}"


def figure(
    what: str,
    value: float,
    low: float | None = None,
    high: float | None = None,
    unit: str = "",
    plain: str = "",
) -> Figure:
    """A Figure of any number."""
    value = float(value)
    return Figure(what, value if math.isfinite(value) else None, low, high, unit, plain)


def shown(value: float | None) -> str:
    """A number in a few characters."""
    if value is None:
        return "not finite"
    return number(value)


class Measured(NamedTuple):
    """What a measurement found, and one or two sentences about it that are true whatever it found.

    `said` is what a student reads first, in one sentence; the comment, where it is empty.
    """

    figures: list[Figure]
    comment: str
    said: str = ""


class Verdict(msgspec.Struct, frozen=True):
    """A lesson that was measured."""

    name: str
    claim: str
    holds: bool
    figures: tuple[Figure, ...]
    comment: str
    seeds: int
    seconds: float
    said: str = ""

    @property
    def sentence(self) -> str:
        """What came out, in one sentence or two."""
        return f"{'The claim holds.' if self.holds else 'The claim does not hold.'} {self.said or self.comment}"

    @property
    def main_figures(self) -> list[Figure]:
        """The two or three that matter; where none is said to, those of which something is claimed."""
        plain = [figure for figure in self.figures if figure.plain]
        return plain or [figure for figure in self.figures if figure.band][:3]


class Experiment(msgspec.Struct, frozen=True):
    """A run that a lesson trains, by its role in the claim: the fields of its RunConfig that are not the default's."""

    role: str
    given: dict[str, Any]
