"""Defects of ours: one sentence for whoever is there, and the traceback beside the runs."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual.message import Message

from d2ltui.charts.draw import draw
from d2ltui.charts.spec import ChartSpec, Drawing, Style

if TYPE_CHECKING:
    from textual.app import App


class ChartFailed(Message):
    """A chart cannot be drawn, and everything else goes on: to be told once."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


def keep_traceback(error: BaseException) -> str:
    """Write the traceback into the home directory; where it is, in words."""
    from d2ltui.store import StoreError, home

    try:
        path = home.home() / f"failed-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    except (OSError, StoreError) as unwritten:
        return f"the traceback could not be kept ({unwritten})"
    return f"the traceback is in {path}"


def in_words(error: BaseException) -> str:
    """Its kind, and the first line of what it says."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


def where_raised(error: BaseException) -> tuple[str, str, int]:
    """The kind of `error`, and the file and the line that raised it: the same each time that it comes again."""
    frames = list(traceback.walk_tb(error.__traceback__))
    return type(error).__name__, *((frames[-1][0].f_code.co_filename, frames[-1][1]) if frames else ("", 0))


def drawn(app: App[Any], build: Callable[[], ChartSpec]) -> Drawing:
    """The chart that `build` describes; or why there is none, which is told once and ends nothing else."""
    try:
        return draw(build())
    except Exception as error:
        app.post_message(ChartFailed(error))
        return [[(int(Style.WARNING), f"this chart cannot be drawn ({in_words(error)})")]]
