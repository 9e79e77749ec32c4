"""Charts that fail: told once, and nothing else ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual.message import Message

from d2ltui.charts.draw import draw
from d2ltui.charts.spec import ChartSpec, Drawing, Style
from d2ltui.store.defects import in_words

if TYPE_CHECKING:
    from textual.app import App


class ChartFailed(Message):
    """A chart cannot be drawn, and everything else goes on: to be told once."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


def drawn(app: App[Any], build: Callable[[], ChartSpec]) -> Drawing:
    """The chart that `build` describes; or why there is none, which is told once and ends nothing else."""
    try:
        return draw(build())
    except Exception as error:
        app.post_message(ChartFailed(error))
        return [[(int(Style.WARNING), f"this chart cannot be drawn ({in_words(error)})")]]
