"""What somebody may have meant who has typed a name that there is none of."""

from __future__ import annotations

from collections.abc import Sequence

from d2ltui.store import maps

SOME_RUNS = 3  # that are named before groups and maps are


def likely(runs: Sequence[tuple[str, str]]) -> list[str]:
    """Names, of `runs` by name and group: single runs in their order, then groups and maps, then the runs of groups."""
    single = [name for name, group in runs if not group]
    groups = dict.fromkeys(group for _, group in runs if group)
    # A few of each, so that of many runs the others are seen, too.
    some = [*single[:SOME_RUNS], *list(groups)[:1], *maps.names()[:-2:-1]]
    every = [*some, *single, *groups, *maps.names()[::-1], *(name for name, group in runs if group)]
    return list(dict.fromkeys(every))
