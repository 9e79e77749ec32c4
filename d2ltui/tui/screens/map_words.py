"""What the map's screen says in words: how far the map is, and what there is before the first one."""

from __future__ import annotations

from d2ltui.charts.spec import Drawing, Style
from d2ltui.spec.language import _, pgettext
from d2ltui.spec.numbers import duration
from d2ltui.spec.numbers import rate as pace
from d2ltui.spec.text import counted
from d2ltui.spec.width import cells, wrapped
from d2ltui.tui.services.map_runner import STOPPED, GrowingMap


def failure(problem: str, width: int) -> Drawing:
    """Why there is no map."""
    return [[(int(Style.WARNING), line)] for line in wrapped(problem, width)]


def welcome(width: int) -> Drawing:
    """What there is before the first map."""
    said = (
        _(
            "ctrl+r trains a network for each cell of this grid, all of them together, and draws "
            "what becomes of them: where they learn, where they are slow, where they die, and where "
            "their loss blows up."
        ),
        _("← and → on an axis take another field; enter edits it."),
    )
    return [[(int(Style.AXIS), line)] for text in said for line in (*wrapped(text, max(10, min(width, 76))), "")]


def trouble(growing: GrowingMap) -> str:
    """What to tell beside the cells: why a map has failed in the middle, or what went wrong while it goes on; or ""."""
    failed = growing.problem not in ("", STOPPED) and growing.known.cells
    return "; ".join(filter(None, (growing.problem if failed else "", growing.trouble)))


def progress(growing: GrowingMap, busy: bool, room: int) -> str:
    """How far it is, in `room` characters."""
    texts = _progress(growing, busy)
    return next((text for text in texts if cells(text) <= room), texts[-1])


def _progress(growing: GrowingMap, busy: bool) -> tuple[str, ...]:
    """From the longest to the shortest."""
    done = _("{done} of {cells}").format(done=len(growing.known.cells), cells=counted(growing.spec.total, "cell", ","))
    named = f"{growing.name}: " if growing.name else ""
    if growing.elsewhere:
        return (
            _("{named}another process trains it, {done}").format(named=named, done=done),
            _("{named}training, {done}").format(named=named, done=done),
            _("training, {done}").format(done=done),
            done,
        )
    if busy and growing.control.mode == "pause":
        return (
            _("{named}paused, {done}").format(named=named, done=done),
            _("paused, {done}").format(done=done),
            pgettext("status", "paused"),
        )
    if busy and growing.doing:
        return f"{named}{growing.doing} …", f"{growing.doing} …"
    rate = (
        _("{steps} network-steps a second").format(steps=pace(growing.steps / growing.seconds))
        if growing.seconds
        else ""
    )
    if busy:
        return (f"{named}{done}, {rate}", f"{done}, {rate}", done) if rate else (f"{named}{done}", done)
    left = "interrupted" if growing.interrupted else "stopped"
    word = "finished" if growing.complete else left if growing.problem == STOPPED else "failed"
    word = pgettext("status", word)
    said = f"{word}, {done}"
    full = f"{named}{said}"
    if growing.seconds:
        full = _("{said} in {time}").format(said=full, time=duration(growing.seconds))
    return f"{full}, {rate}" if rate else full, full, f"{named}{said}", said, word
