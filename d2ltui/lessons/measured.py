"""What lessons train and what they find: experiments, figures with their bands, verdicts. Plain values."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import msgspec

from d2ltui.spec.language import _, ngettext
from d2ltui.spec.numbers import duration, number, percent


class LessonError(Exception):
    """An experiment that could not be carried out. Its text is one sentence."""


class LessonCancelled(Exception):
    """Somebody asked for an end."""


class Figure(msgspec.Struct, frozen=True):
    """One measured number, and the band that the claim puts it into.

    A bound that is None is open: a figure without bounds is there to be seen. `value` is None where what was measured
    is no finite number, which is in no band. `plain` says what it is in a student's words; figures that have such
    words are the two or three that matter. Of a share, whose `unit` begins with "of", percentages are told.
    `instead` is told in the place of a value that would be misread.
    """

    what: str
    value: float | None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    plain: str = ""
    instead: str = ""

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
            if self.low == self.high:
                return shown(self.low)
            return _("{low} to {high}").format(low=shown(self.low), high=shown(self.high))
        if self.low is not None:
            return _("{low} or more").format(low=shown(self.low))
        return _("{high} or less").format(high=shown(self.high)) if self.high is not None else ""

    @property
    def told(self) -> str:
        """The value with its unit: `0.25`, `87 % of the units`, `12 µs`."""
        if self.instead:
            return self.instead
        if self.unit.startswith("of "):
            return _("{value} {unit}").format(value=self._in_words(self.value), unit=_(self.unit))
        value = shown(self.value)
        return _("{value} {unit}").format(value=value, unit=_(self.unit)) if self.unit else value

    @property
    def claimed(self) -> str:
        """The band in words: `at least 50 %`, `between 0.1 and 0.3`, `exactly 1`; nothing where nothing is claimed."""
        if self.low is not None and self.high is not None:
            low, high = self._in_words(self.low), self._in_words(self.high)
            if low == high:
                return _("none") if self.low == 0 else _("exactly {value}").format(value=low)
            if self.low == 0:
                return _("at most {value}").format(value=high)
            return _("between {low} and {high}").format(low=low, high=high)
        if self.low is not None:
            return _("at least {value}").format(value=self._in_words(self.low))
        return _("at most {value}").format(value=self._in_words(self.high)) if self.high is not None else ""

    @property
    def line(self) -> str:
        """In a student's words: what it is, the value, and what is claimed."""
        return _("{figure}: {value}{claimed}").format(
            figure=self.plain or self.what, value=self.told, claimed=self.in_brackets
        )

    @property
    def whole_line(self) -> str:
        """The same more exactly: all of what it is."""
        return _("{figure}: {value}{claimed}").format(figure=self.what, value=self.told, claimed=self.in_brackets)

    @property
    def in_brackets(self) -> str:
        """` (claimed: at least 50 %)`, or nothing where nothing is claimed."""
        return _(" (claimed: {claimed})").format(claimed=self.claimed) if self.claimed else ""

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
    instead: str = "",
) -> Figure:
    """A Figure of any number."""
    value = float(value)
    low, high = (bound if bound is None else float(bound) for bound in (low, high))
    return Figure(what, value if math.isfinite(value) else None, low, high, unit, plain, instead)


def shown(value: float | None) -> str:
    """A number in a few characters."""
    if value is None:
        return _("not finite")
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
        template = _("The claim holds. {said}") if self.holds else _("The claim does not hold. {said}")
        return template.format(said=self.said or self.comment)

    @property
    def how(self) -> str:
        """`3 seeds, 2.5 s`."""
        seeds = ngettext("{number} seed", "{number} seeds", self.seeds).format(number=self.seeds)
        return _("{seeds}, {time}").format(seeds=seeds, time=duration(self.seconds))

    @property
    def main_figures(self) -> list[Figure]:
        """The two or three that matter; where none is said to, those of which something is claimed."""
        plain = [figure for figure in self.figures if figure.plain]
        return plain or [figure for figure in self.figures if figure.band][:3]


class Experiment(msgspec.Struct, frozen=True):
    """A run that a lesson trains, by its role in the claim: the fields of its RunConfig that are not the default's."""

    role: str
    given: dict[str, Any]
