"""Runs that are drawn as one curve: seeds of one configuration, or, where many are marked, those of a sweep."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from d2ltui.charts.overlay import epoch_curves, letter
from d2ltui.charts.spec import Band
from d2ltui.history.epochs import figures_by_epoch
from d2ltui.history.live import LiveRun
from d2ltui.spec.language import _
from d2ltui.spec.numbers import setting
from d2ltui.spec.text import printable

LEAST = 3  # runs that differ in nothing but their seeds are one curve from that many on


class Bundle(NamedTuple):
    """A curve: of one run, or the mean of several, with their extremes."""

    name: str
    runs: tuple[LiveRun, ...]
    names: tuple[str, ...]

    @property
    def first(self) -> LiveRun:
        """The run that stands for it where they are alike."""
        return self.runs[0]

    def at(self, epoch: int, figure: str) -> list[float]:
        """The runs' values of `figure`, one of EpochEnded's, at that epoch."""
        ended = (live.epochs.at(epoch) for live in self.runs)
        return [value for one in ended if one is not None and np.isfinite(value := getattr(one, figure))]

    def curve(self, figure: str, width: int, lowest: float) -> tuple[list[float], list[float], Band | None]:
        """Epochs, the figure or its mean, and the band of its extremes."""
        if len(self.runs) == 1:
            ((x, y),) = epoch_curves(self.runs, figure, width, lowest)
            return x, y, None
        found = figures_by_epoch((live.epochs for live in self.runs), figure)
        x = [float(epoch) for epoch in found]
        values = [np.maximum(values, lowest) for values in found.values()]
        low, high = [float(v.min()) for v in values], [float(v.max()) for v in values]
        return x, [float(v.mean()) for v in values], _between(x, low, high, 2 * width)


def _between(x: list[float], low: list[float], high: list[float], points: int) -> Band | None:
    """Without gaps between epochs that are columns apart."""
    if len(x) < 2:
        return None
    over = np.union1d(x, np.linspace(x[0], x[-1], points))
    return Band(over.tolist(), np.interp(over, x, low).tolist(), np.interp(over, x, high).tolist())


def bundled(
    lives: Mapping[str, LiveRun], groups: Mapping[str, str] | None = None, *, alone: str | None = None, most: int = 12
) -> list[Bundle]:
    """`lives` as curves, in their order: seeds of one configuration together.

    Of more than `most` curves also those of each of `groups`, by the runs' names. The run `alone` stays so.
    """
    found = _seeds_together(lives, alone)
    if len(found) <= most or not groups or len({groups.get(name) for name in lives}) < 2:
        return found  # of a single sweep, the runs are what is looked at
    joined: dict[Hashable, list[Bundle]] = {}
    for bundle in found:
        name = bundle.names[0]
        params = bundle.first.header.params  # the from-scratch linear regression's loss is half of the other's
        kind = (bundle.first.header.task, params.get("implementation"), params.get("dataset"))
        key = (groups.get(name), kind) if groups.get(name) and name != alone else name
        joined.setdefault(key, []).append(bundle)
    return [_joined(groups, bundles) for bundles in joined.values()]


def _joined(groups: Mapping[str, str], bundles: Sequence[Bundle]) -> Bundle:
    if len(bundles) == 1:
        return bundles[0]
    runs = tuple(live for bundle in bundles for live in bundle.runs)
    names = tuple(name for bundle in bundles for name in bundle.names)
    return Bundle(_("{group}, mean and range of {runs}").format(group=groups[names[0]], runs=len(runs)), runs, names)


def _seeds_together(lives: Mapping[str, LiveRun], alone: str | None) -> list[Bundle]:
    kinds: dict[tuple[str, ...], list[str]] = {}
    for name, live in lives.items():
        kinds.setdefault(("", name) if name == alone else (_but_seed(live),), []).append(name)
    found: dict[str, Bundle] = {}
    for names in kinds.values():
        seeds = {repr(lives[name].header.params.get("seed")) for name in names}
        alike = len(names) >= LEAST and len(seeds) == len(names)  # the same seed twice is a run trained again
        for part in [names] if alike else [[name] for name in names]:
            found[part[0]] = Bundle(_seeds(part), tuple(lives[name] for name in part), tuple(part))
    return [found[name] for name in lives if name in found]


def _seeds(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    return _("{name} and {others} other seeds, mean and range").format(name=names[0], others=len(names) - 1)


def _but_seed(live: LiveRun) -> str:
    return repr(sorted((name, value) for name, value in live.header.params.items() if name != "seed"))


def letters_in_short(indices: Sequence[int]) -> str:
    """The letters of curves: `a c–f`."""
    parts: list[list[int]] = []
    for index in indices:
        if parts and parts[-1][-1] == index - 1:
            parts[-1].append(index)
        else:
            parts.append([index])
    said: list[str] = []
    for part in parts:
        said += [f"{letter(part[0])}–{letter(part[-1])}"] if len(part) > 2 else map(letter, part)
    return " ".join(said)


def differences(bundles: Sequence[Bundle]) -> list[tuple[str, list[tuple[str, str]]]]:
    """The hyperparameters in which curves differ: of each its values, with the letters of those that have it.

    A curve of several runs has all of theirs; the seeds of one configuration are none.
    """
    headers = [live.header for bundle in bundles for live in bundle.runs]
    found = []
    for name in dict.fromkeys(name for header in headers for name in header.params):
        of_value: dict[str, list[int]] = {}
        for index, bundle in enumerate(bundles):
            of_value.setdefault(_values(bundle, name), []).append(index)
        seeds = name == "seed" and any(len(bundle.runs) > 1 for bundle in bundles)
        if len(of_value) > 1 and not seeds:
            found.append((printable(name), [(letters_in_short(who), value) for value, who in of_value.items()]))
    return found


def _values(bundle: Bundle, name: str) -> str:
    values = [live.header.params.get(name) for live in bundle.runs]
    if all(isinstance(value, (int, float)) for value in values):
        values.sort(key=lambda value: float(value))  # type: ignore[arg-type]
    said = list(dict.fromkeys(printable(setting(value)) for value in values))
    return " / ".join(said) if len(said) < 4 else f"{said[0]} … {said[-1]}"
