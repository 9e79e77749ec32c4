"""Several runs as one: mean and spread of a configuration's, and one row for those of a group."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from d2ltui.history.epochs import figures_by_epoch
from d2ltui.history.live import LiveRun
from d2ltui.spec.language import _
from d2ltui.spec.text import counted
from d2ltui.store.listing import RunInfo


class Band(NamedTuple):
    """For each epoch that some run has ended: the mean of the runs' figures, the smallest and the largest."""

    epochs: list[float]
    mean: list[float]
    low: list[float]
    high: list[float]


def band(lives: Sequence[LiveRun], figure: str) -> Band:
    """`figure`, one of EpochEnded's, over several runs. Values that are not finite do not count."""
    by_epoch = figures_by_epoch((live.epochs for live in lives), figure)
    every = by_epoch.values()
    return Band(
        list(map(float, by_epoch)),
        [sum(values) / len(values) for values in every],
        list(map(min, every)),
        list(map(max, every)),
    )


def mean_and_sd(values: Sequence[float]) -> tuple[float, float | None]:
    """Of some numbers; the sd is the sample's (n - 1), and a single number has none."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None


CLOSED, OPEN = "+ ", "- "  # what begins the name of a group's row: no run is called so


class Group(NamedTuple):
    """The runs of one lesson, sweep or series of seeds, in the order of the list that they stand in."""

    name: str
    runs: tuple[RunInfo, ...]

    def row(self, is_open: bool = False) -> RunInfo:
        """What a list shows in their place, or above them: how many they are, and the means of those that finished.

        What a run had that diverged, was stopped or goes on is nothing to be averaged with the others' last figures.
        """
        active = next((run.status for run in self.runs if run.active), "")
        finished = finished_of(self.runs)
        return RunInfo(
            name=f"{OPEN if is_open else CLOSED}{self.name}",
            path=self.runs[0].path.parent,  # a group has no directory, and its name may be none
            status=active or how_many(self.runs),
            created=max(run.created for run in self.runs),
            figures=_means([run.figures for run in finished]),
            best=_means([run.best for run in finished]),
            group=self.name,
            kind=self.runs[0].kind,
            note=how_many(self.runs) if active else "",
        )


def finished_of(runs: Sequence[RunInfo]) -> list[RunInfo]:
    """Those that have trained to their end."""
    return [run for run in runs if run.status == "finished"]


def how_many(runs: Sequence[RunInfo]) -> str:
    """`3 runs`, or `2 of 3 finished` where some have not."""
    finished = len(finished_of(runs))
    if finished == len(runs):
        return counted(len(runs), "run")
    return _("{finished} of {all} finished").format(finished=finished, all=len(runs))


def _means(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of the figures that all have, where they are finite numbers."""
    first = figures[0] if figures else {}
    shared = [name for name in first if all(math.isfinite(others.get(name, math.nan)) for others in figures)]
    return {name: mean_and_sd([of_one[name] for of_one in figures])[0] for name in shared}


def folded(runs: Sequence[RunInfo]) -> list[RunInfo | Group]:
    """`runs` with those of a group, where there are two or more, as one entry, in the place of the first of them."""
    members: dict[str, list[RunInfo]] = {}
    for run in runs:
        if run.group:
            members.setdefault(run.group, []).append(run)
    found: list[RunInfo | Group] = []
    for run in runs:
        group = members.get(run.group, [])
        if len(group) < 2:
            found.append(run)
        elif group[0] is run:
            found.append(Group(run.group, tuple(group)))
    return found
