"""What trains beside runs, and so keeps others from training: all of them would draw from PyTorch's one generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from d2ltui.spec.language import _
from d2ltui.spec.text import counted

if TYPE_CHECKING:
    from d2ltui.tui.services.lesson_runner import LessonRunner
    from d2ltui.tui.services.map_runner import MapRunner

MEASURING = _("a lesson is being measured: stop it first (L, then x)")
MAPPING = _("a map is being trained: stop it first (M, then x)")


def map_under_way(maps: MapRunner) -> str:
    """How far the map is that is being trained, and how to come back to it; "" where none is."""
    if not maps.busy or (growing := maps.present) is None:
        return ""
    done = _("{done} of {cells}").format(done=len(growing.known.cells), cells=counted(growing.spec.total, "cell", ","))
    return _("a map is being trained, {done}: M shows it").format(done=done)


def occupied(measuring: LessonRunner, maps: MapRunner) -> str:
    """What of these two is being trained, and how to stop it; "" where nothing is."""
    return MEASURING if measuring.busy else MAPPING if maps.busy else ""
