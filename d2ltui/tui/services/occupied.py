"""What trains beside runs, and so keeps others from training: all of them would draw from PyTorch's one generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from d2ltui.spec.language import _

if TYPE_CHECKING:
    from d2ltui.tui.services.lesson_runner import LessonRunner
    from d2ltui.tui.services.map_runner import MapRunner

MEASURING = _("a lesson is being measured: stop it first (L, then x)")
MAPPING = _("a map is being trained: stop it first (M, then x)")


def occupied(measuring: LessonRunner, maps: MapRunner) -> str:
    """What of these two is being trained, and how to stop it; "" where nothing is."""
    return MEASURING if measuring.busy else MAPPING if maps.busy else ""
