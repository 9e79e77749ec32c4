"""Once: a screen that begins once, closes once, and opens others only while it is in front."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from textual import events
from textual.await_complete import AwaitComplete

from d2ltui.tui.render.compositor import BatchedScreen

if TYPE_CHECKING:
    from textual.app import App
    from textual.screen import Screen

    ScreenMixin = Screen[Any]
else:
    ScreenMixin = object  # Textual takes a style sheet from the first base that is a widget

Result = TypeVar("Result")


def unless_over(app: App[Any], answered: Callable[[Result | None], None]) -> Callable[[Result | None], None]:
    """`answered`, for an application that may end between an answer and what it leads to: there is no screen then."""

    def unless_it_is(result: Result | None) -> None:
        if app.screen_stack:
            answered(result)

    return unless_it_is


class Once(ScreenMixin):
    """Clicks and keys that come together may each ask for the same: the second one finds the screen closed already.

    Textual would then close whatever is in front instead, and raise where nothing is left.
    """

    begun = False  # whether it has been in front
    _styled = False  # whether it has been styled for that

    def fill(self) -> None:
        """Show what will probably be on it when it begins: it is laid out, and nobody sees it yet."""

    def begin(self) -> None:
        """It is in front for the first time. It may have been mounted long before."""

    def begin_once(self) -> None:
        """Begin, if it has not."""
        if not self.begun:
            self.begun = True
            self.begin()

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        """It is in front."""
        if not self._styled:
            self._styled = True
            event.refresh_styles = False  # everything on it has been styled when it was mounted
            self.app.stylesheet.update_nodes([self])  # the screen itself before its own rules were read
            self.begin_once()

    def dismiss(self, result: Any = None) -> AwaitComplete:
        """Close it, if it is in front. What is behind it is shown before it is taken down."""
        if not self.is_active:
            return AwaitComplete()
        closed = super().dismiss(result)
        if isinstance(self.app.screen, BatchedScreen):
            self.app.screen.show_again()
        return closed

    def open(self, screen: Screen[Result], answered: Callable[[Result | None], None] | None = None) -> None:
        """Put `screen` in front of this one, unless another one is there already: then it is let go."""
        if self.is_active:
            self.app.push_screen(screen, unless_over(self.app, answered) if answered is not None else None)
            if screen.is_mounted and isinstance(screen, Once):  # prepared: it is shown with the answer to this key
                screen.begin_once()
                screen.refresh()
        elif screen.is_attached:  # prepared: nobody else would ever take it down
            self.app.call_later(screen.remove)
