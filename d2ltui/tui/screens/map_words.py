"""What the map's screen says in words: how far the map is, and what there is before the first one."""

from __future__ import annotations

import textwrap

from d2ltui.charts.spec import Drawing, Style
from d2ltui.spec.numbers import duration
from d2ltui.spec.numbers import rate as pace
from d2ltui.spec.text import counted
from d2ltui.tui.services.map_runner import STOPPED, GrowingMap


def wrapped(text: str, width: int) -> list[str]:
    """Lines of `width` at most."""
    return textwrap.wrap(text, max(10, width))


def failure(problem: str, width: int) -> Drawing:
    """Why there is no map."""
    return [[(int(Style.WARNING), line)] for line in wrapped(problem, width)]


def welcome(width: int) -> Drawing:
    """What there is before the first map."""
    said = (
        "ctrl+r trains a network for each cell of this grid, all of them together, and draws what becomes of them: "
        "where they learn, where they are slow, where they die, and where their loss blows up.",
        "← and → on an axis take another field; enter edits it.",
    )
    return [[(int(Style.AXIS), line)] for text in said for line in (*wrapped(text, min(width, 76)), "")]


def progress(growing: GrowingMap, busy: bool, room: int) -> str:
    """How far it is, in `room` characters."""
    texts = _progress(growing, busy)
    return next((text for text in texts if len(text) <= room), texts[-1])


def _progress(growing: GrowingMap, busy: bool) -> tuple[str, ...]:
    """From the longest to the shortest."""
    done = f"{len(growing.known.cells)} of {counted(growing.total, 'cell', ',')}"
    named = f"{growing.name}: " if growing.name else ""
    if growing.elsewhere:
        return f"{named}another process trains it, {done}", f"{named}training, {done}", f"training, {done}", done
    if busy and growing.control.mode == "pause":
        return f"{named}paused, {done}", f"paused, {done}", "paused"
    if busy and growing.doing:
        return f"{named}{growing.doing} …", f"{growing.doing} …"
    rate = f"{pace(growing.steps / growing.seconds)} network-steps a second" if growing.seconds else ""
    if busy:
        return (f"{named}{done}, {rate}", f"{done}, {rate}", done) if rate else (f"{named}{done}", done)
    word = "finished" if growing.complete else "stopped" if growing.problem == STOPPED else "failed"
    said = f"{word}, {done}"
    took = f" in {duration(growing.seconds)}" if growing.seconds else ""
    full = f"{named}{said}{took}"
    return f"{full}, {rate}" if rate else full, full, f"{named}{said}", said, word
