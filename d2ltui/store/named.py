"""The run that somebody has named: by its name, by the beginning of one, or as the latest."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from d2ltui.spec.language import _
from d2ltui.spec.similar import did_you_mean
from d2ltui.spec.text import quoted
from d2ltui.store import home
from d2ltui.store.errors import NotAllowed, StoreError
from d2ltui.store.likely import likely
from d2ltui.store.listing import DAMAGED, NEWER, newest_first, runs


def find(reference: str, *, alone: bool = False) -> Path:
    """The directory of the run that `reference` names: its name, a unique beginning of it, or `latest`.

    `alone`: who asks takes runs only, and groups and maps are not named among what is allowed.

    Raises:
        NotAllowed: where there is none, or more than one.
    """
    if reference == home.LATEST:
        listed = runs()
        found = [run for run in listed if run.status not in (DAMAGED, NEWER)]
        if found:
            return found[-1].path
        if not listed:
            raise NotAllowed(
                _("run: there are none yet in {runs_dir}; 'd2ltui train' makes one").format(runs_dir=home.runs_dir())
            )
        problem = listed[-1].problem
        if len(listed) == 1:
            raise StoreError(problem)
        raise StoreError(
            _("run: none of the {listed} in {runs_dir} can be read; of the last one, {problem}").format(
                listed=len(listed), runs_dir=home.runs_dir(), problem=problem
            )
        )
    if not home.is_name(reference):
        raise NotAllowed(
            _("run: {reference} is not allowed; allowed: a run's name, the beginning of one, or latest").format(
                reference=quoted(reference)
            )
        )
    names = home.names()
    if reference in names:
        return home.path_of(reference)
    begun = [name for name in names if name.startswith(reference)]
    if len(begun) == 1:
        return home.path_of(begun[0])
    if begun:
        raise NotAllowed(
            _("run: {reference} begins the names of {some}; allowed: one of them").format(
                reference=quoted(reference), some=_some(begun)
            )
        )
    listed = sorted(runs(), key=newest_first)
    known = [run.name for run in listed] if alone else likely([(run.name, run.group) for run in listed])
    if not known:
        raise NotAllowed(
            _("run: {reference} is not known; allowed: nothing, there is no run").format(reference=quoted(reference))
        )
    hint = did_you_mean(reference, known)
    raise NotAllowed(
        _("run: {reference} is not known{hint}; allowed: {some}").format(
            reference=quoted(reference), hint=hint, some=_some(known)
        )
    )


def _some(names: Iterable[str], most: int = 5) -> str:
    listed = list(names)
    more = _(" and {listed} more ('d2ltui runs')").format(listed=len(listed) - most) if len(listed) > most else ""
    return ", ".join(listed[:most]) + more
