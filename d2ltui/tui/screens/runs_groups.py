"""Runs that belong together, as one row of the table that opens and closes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from d2ltui.spec.language import _
from d2ltui.spec.numbers import number
from d2ltui.spec.text import counted
from d2ltui.store.groups import CLOSED, OPEN, Group, finished_of, folded, how_many, mean_and_sd
from d2ltui.store.listing import RunInfo

MOST = 8  # experiments of a lesson that are told one by one


class RunGroups:
    """Which groups are open, and what the table shows of them."""

    def __init__(self) -> None:
        self._open: set[str] = set()
        self._groups: dict[str, Group] = {}  # those of the table, by the name of their row

    def rows(self, runs: Sequence[RunInfo], *, folds: bool) -> list[RunInfo]:
        """What the table shows of `runs`; without `folds`, each by itself."""
        self._groups = {}
        if not folds:
            return list(runs)
        rows: list[RunInfo] = []
        for entry in folded(runs):
            if not isinstance(entry, Group):
                rows.append(entry)
                continue
            is_open = entry.name in self._open
            row = entry.row(is_open)
            self._groups[row.name] = entry
            rows += [row, *(entry.runs if is_open else ())]
        return rows

    def of(self, name: str | None) -> Group | None:
        """The group whose row has that name; None for a run's."""
        return self._groups.get(name or "")

    def toggle(self, group: Group) -> str:
        """Open it, or close it; returns what its row is called then."""
        self._open ^= {group.name}
        return f"{OPEN if group.name in self._open else CLOSED}{group.name}"

    def about(self, group: Group) -> str:
        """What is to be said of it: how many runs, and of each experiment mean and spread of those that finished."""
        roles: dict[str, list[RunInfo]] = {}
        for run in group.runs:
            roles.setdefault(run.role or "all", []).append(run)
        lines = [f"{group.name}: {how_many(group.runs)}"]
        for role, runs in list(roles.items())[:MOST]:
            losses = [loss for run in finished_of(runs) if math.isfinite(loss := run.figures.get("val_loss", math.nan))]
            said = _(", val loss {loss}").format(loss=_mean(losses)) if losses else ""
            lines.append(f"{role}: {how_many(runs)}{said}")
        if len(roles) > MOST:
            lines.append(_("and {experiments} more").format(experiments=counted(len(roles) - MOST, "experiment")))
        return "\n".join(lines)


def _mean(values: Sequence[float]) -> str:
    mean, sd = mean_and_sd(values)
    return number(mean, 3) + (f" ± {number(sd, 2)}" if sd is not None else "")
