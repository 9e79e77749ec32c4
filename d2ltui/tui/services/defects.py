"""Defects: a chart that fails is told once, and nothing else ends; what ends the application is saved."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual.css.query import NoMatches
from textual.message import Message

from d2ltui.charts.draw import draw
from d2ltui.charts.spec import ChartSpec, Drawing, Style
from d2ltui.spec.language import _
from d2ltui.store.defects import in_words, keep_traceback, where_raised

if TYPE_CHECKING:
    from textual.app import App

    AppMixin = App[Any]
else:
    AppMixin = object  # Textual looks for style sheets beside the first base that is an application


class ChartFailed(Message):
    """A chart cannot be drawn, and everything else goes on: to be told once."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


def drawn(app: App[Any], build: Callable[[], ChartSpec]) -> Drawing:
    """The chart that `build` describes; or why there is none, which is told once and ends nothing else."""
    return drawn_or_told(app, lambda: draw(build()))


def drawn_or_told(app: App[Any], paint: Callable[[], Drawing]) -> Drawing:
    """What `paint` gives; or why it gives nothing, which is told once and ends nothing else."""
    try:
        return paint()
    except Exception as error:
        app.post_message(ChartFailed(error))
        return [[(int(Style.WARNING), _("this chart cannot be drawn ({error})").format(error=in_words(error)))]]


class DefectsApp(AppMixin):
    """An application that tells of its defects in a sentence each, and keeps their tracebacks."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._chart_failures: set[tuple[str, str, int]] = set()  # where: those have been told of

    def _handle_exception(self, error: Exception) -> None:
        """A defect ends the application, save on the way out: what still runs in a screen may miss parts taken down."""
        if isinstance(error, NoMatches) and (self._exit or not self.is_running):
            self.log.warning(f"on the way out: {error}")
        else:
            super()._handle_exception(error)

    def on_chart_failed(self, message: ChartFailed) -> None:
        """Say it once of each place that fails: charts are drawn again and again, each time with other figures."""
        place = where_raised(message.error)
        if place not in self._chart_failures:
            self._chart_failures.add(place)
            why = in_words(message.error)
            self.notify(
                _("a chart cannot be drawn ({why}); {place}").format(why=why, place=keep_traceback(message.error)),
                severity="error",
            )

    def _print_error_renderables(self) -> None:
        """A defect of ours: one sentence, and the traceback beside the runs. (Textual would print it whole.)"""
        error = self._exception
        if error is None:
            super()._print_error_renderables()
            return
        print(
            _("d2ltui: the interface failed ({error}); {place}").format(
                error=in_words(error), place=keep_traceback(error)
            ),
            file=sys.__stderr__,
        )
