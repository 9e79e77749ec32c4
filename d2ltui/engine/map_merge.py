"""The figures of a cell of a map from those of its seeds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from d2ltui.spec.maps import CURVES, HISTOGRAMS, SAID, Figures


def finite(value: float) -> float | None:
    """`value`, where it is a number."""
    return value if math.isfinite(value) else None


def merge(members: Sequence[Figures]) -> Figures:
    """One cell's figures from those of its seeds: means of those that finished, and the commonest finding."""
    good = [one for one in members if one["status"] == "finished"]
    found: Figures = {}
    for name in members[0]:
        if name in ("finding", "status", SAID, CURVES, HISTOGRAMS):
            continue
        values = [one[name] for one in good if one[name] is not None]
        found[name] = sum(values) / len(values) if values else None
    found["finding"] = Counter(one["finding"] for one in members).most_common(1)[0][0]
    found["status"] = "finished" if good else "diverged"
    found |= next({SAID: one[SAID]} if SAID in one else {} for one in members if one["finding"] == found["finding"])
    found |= _merged_curves([one[CURVES] for one in good or members if CURVES in one])
    found |= next(({HISTOGRAMS: one[HISTOGRAMS]} for one in good if HISTOGRAMS in one), {})  # the first seed's
    if len(members) > 1:
        found["diverged"] = len(members) - len(good)
    return found


def _merged_curves(curves: Sequence[Mapping[str, list[float | None]]]) -> Figures:
    """The means of several runs' curves, where they are as long; else the first one's."""
    if not curves:
        return {}
    alike = [one for one in curves if one["epoch"] == curves[0]["epoch"]]
    merged: dict[str, list[float | None]] = {}
    for name in curves[0]:
        columns = zip(*(one[name] for one in alike), strict=True)
        merged[name] = [_mean(column) for column in columns]
    return {CURVES: merged}


def _mean(values: Sequence[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return sum(numbers) / len(numbers) if numbers else None
