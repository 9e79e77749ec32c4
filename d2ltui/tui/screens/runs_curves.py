"""Marked runs side by side: their curves on one axis, and what is different between their configurations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from d2ltui.charts.overlay import epoch_curves, letter, overlay
from d2ltui.charts.spec import ChartSpec
from d2ltui.spec import comparison
from d2ltui.spec.numbers import number
from d2ltui.store import StoreError, home, listing

if TYPE_CHECKING:
    from d2ltui.history.live import LiveRun


class Histories:
    """The histories of runs, each read again only where its database has changed. One thread at a time uses it."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[float, ...] | None, LiveRun]] = {}

    def read(self, names: Sequence[str]) -> tuple[dict[str, LiveRun], dict[str, str]]:
        """The histories of those runs that can be read, and why the others cannot, a sentence each."""
        found: dict[str, tuple[tuple[float, ...] | None, LiveRun]] = {}
        problems = {}
        for name in names:
            try:
                found[name] = self._history(name)
            except StoreError as error:
                problems[name] = str(error)
        self._known = found
        return {name: live for name, (_, live) in found.items()}, problems

    def _history(self, name: str) -> tuple[tuple[float, ...] | None, LiveRun]:
        from d2ltui.store.reader import RunReader
        from d2ltui.store.schema import Busy

        path = home.path_of(name)
        now = listing.stamp(path)
        known = self._known.get(name)
        if known is not None and now is not None and known[0] == now:
            return known
        try:
            with RunReader(path, patience=listing.PATIENCE) as reader:
                return now, reader.live
        except Busy:
            if known is None:
                raise
            return None, known[1]  # what was read before; the next time there is more


def differences(lives: Sequence[LiveRun]) -> str:
    """The hyperparameters in which the runs differ, a line each.

    Of runs from scratch and concise ones also why their curves differ.
    """
    lines = [
        f"{name}: " + ", ".join(f"{letter(i)} {value}" for i, value in enumerate(values))
        for name, values in comparison.differences([live.header for live in lives])
    ]
    facts = "\n".join(lines) or "the configurations are the same"
    configs = [live.config for live in lives if live.is_configured]
    return "\n\n".join([facts, *(f"{said}." for said in comparison.explanations(configs))])


def span(live: LiveRun) -> int:
    """The epochs that the axis needs for a run: those that it has, for many are stopped long before their end.

    One that may still grow gets room by doubling, so that the axis seldom changes.
    """
    done = live.epochs[-1].epoch if live.epochs else 1  # not their number: the first ones may be lost
    return done if live.ended is not None else min(live.header.epochs or done, 1 << (done - 1).bit_length())


def marked_runs(lives: dict[str, LiveRun], cursor: int, width: int, height: int, ascii: bool) -> tuple[ChartSpec, str]:
    """The validation losses of several runs on one axis and in one unit, and their values at epoch `cursor`."""
    values = []
    factors = comparison.loss_factors([live.header for live in lives.values()])
    for index, (name, live) in enumerate(lives.items()):
        at = live.epochs.at(cursor)
        value = f"{number(factors[index] * at.val_loss)} {number(at.val_metric)}" if at is not None else "–"
        values.append(f"{letter(index)} {name}: {value}")
    empty = "no epoch has ended in these" if lives else "space marks runs; their curves appear here"
    longest = max((span(live) for live in lives.values()), default=1)
    curves = epoch_curves(list(lives.values()), "val_loss", width, factors=factors)
    spec = overlay(curves, list(lives), width, height, ascii, longest, empty)
    if lives:
        spec = msgspec.structs.replace(spec, cursor=float(cursor), y_low=0.0)
    return spec, f"validation loss and metric at epoch {cursor} (← →):\n" + "\n".join(values) if lives else ""
