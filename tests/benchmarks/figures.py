"""A measured figure, its goal, and whether it holds: the table and the JSON."""

from __future__ import annotations

import itertools
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from scipy import stats

RESAMPLES = 2000


@dataclass
class Figure:
    """One row of the table.

    `values` are repeated measurements of the same thing; `at_least` and `at_most` are goals for their median, or for
    what `value` says instead (a percentile, a maximum). `note` says what a reader needs to know beside it. `races`
    stands for `values` where those of one race, with its own processes, are more like each other than those of two.
    """

    name: str
    values: Sequence[float] = ()
    at_least: float | None = None
    at_most: float | None = None
    unit: str = ""
    note: str = ""
    value: float | None = None
    missing: str = ""  # why there is no measurement
    half_width: float | None = None  # of the 95 % interval of `value`, where it is no median
    details: dict[str, object] = field(default_factory=dict)
    races: Sequence[Sequence[float]] = ()

    def __post_init__(self) -> None:
        self.values = self.values or list(itertools.chain(*self.races))
        if not self.values and self.value is None and not self.missing:
            self.missing = "nothing was measured"

    @property
    def measured(self) -> float:
        """The median, or what stands for it."""
        return statistics.median(self.values) if self.value is None else self.value

    @property
    def spread(self) -> float:
        """Half the width of the 95 % interval of the median, from resampling the repetitions."""
        if self.half_width is not None:
            return self.half_width
        return interval_of_races(self.races) if self.races else interval(self.values, 0.5)

    @property
    def goal(self) -> str:
        """The goal in words."""
        bounds = [f"≥ {self.at_least:g}"] if self.at_least is not None else []
        bounds += [f"≤ {self.at_most:g}"] if self.at_most is not None else []
        return " and ".join(bounds) + (f" {self.unit}" if self.unit and bounds else "") or "–"

    @property
    def verdict(self) -> str:
        """Holds, falls short, or that the measurement cannot tell."""
        if self.missing:
            return f"not measured: {self.missing}"
        bounds = [bound for bound in (self.at_least, self.at_most) if bound is not None]
        if not bounds:
            return "for information"
        held = (self.at_least is None or self.measured >= self.at_least) and (
            self.at_most is None or self.measured <= self.at_most
        )
        verdict = "holds" if held else "falls short"
        if self.spread > min(abs(self.measured - bound) for bound in bounds):
            return f"undecided ({verdict} by less than the spread)"
        return verdict

    def row(self) -> tuple[str, str, str, str]:
        """What the table shows."""
        if self.missing:
            return self.name, self.goal, "–", self.verdict
        unit = f" {self.unit}" if self.unit else ""
        return self.name, self.goal, f"{self.measured:.3g} ± {self.spread:.2g}{unit}", self.verdict

    def as_json(self) -> dict[str, object]:
        """Everything about it, as plain values."""
        plain: dict[str, object] = {
            "figure": self.name,
            "unit": self.unit,
            "at_least": self.at_least,
            "at_most": self.at_most,
            "verdict": self.verdict,
            "note": self.note,
        }
        if not self.missing:
            plain |= {"measured": self.measured, "spread": self.spread, "values": list(self.values)}
            plain |= {"races": [list(race) for race in self.races]} if self.races else {}
        return plain | self.details


def interval(values: Sequence[float], quantile: float) -> float:
    """Half the width of the 95 % bootstrap interval of a quantile of `values`."""
    if len(values) < 2:
        return 0.0
    draw = random.Random(0)
    return _half_width([percentile(draw.choices(values, k=len(values)), quantile) for _ in range(RESAMPLES)])


def interval_of_races(races: Sequence[Sequence[float]]) -> float:
    """The same for the median of all of them; races are drawn, and then from each of those as often as it has values.

    Two processes of the same kind differ by some percent for as long as they live: many values of a few races are not
    as good as they look.
    """
    if len(races) < 2:
        return interval(list(itertools.chain(*races)), 0.5)
    draw = random.Random(0)
    # Of few races the resampled medians differ by less than others would: by as much as Student's t is wider.
    few = stats.t.ppf(0.975, len(races) - 1) / stats.norm.ppf(0.975)
    return float(few) * _half_width(
        [
            statistics.median(itertools.chain(*(draw.choices(r, k=len(r)) for r in draw.choices(races, k=len(races)))))
            for _ in range(RESAMPLES)
        ]
    )


def _half_width(estimates: list[float]) -> float:
    estimates.sort()
    return (estimates[int(0.975 * RESAMPLES)] - estimates[int(0.025 * RESAMPLES)]) / 2


def percentile(values: Sequence[float], quantile: float) -> float:
    """The value below which the share `quantile` of `values` lies, interpolated."""
    ordered = sorted(values)
    at = quantile * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])


def table(figures: Sequence[Figure]) -> str:
    """The figures in columns, their notes below."""
    rows = [("figure", "goal", "measured", ""), *(figure.row() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]).rstrip()
        for row in rows
    ]
    lines.insert(1, "  ".join("─" * width for width in widths))
    notes = [f"{figure.name}: {figure.note}" for figure in figures if figure.note]
    return "\n".join([*lines, "", *notes]).rstrip()
