"""An application whose terminal gets differences, whichever of its screens draws and whatever has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

from rich.console import Console, RenderableType
from textual import events
from textual.app import App
from textual.filter import ANSIToTruecolor, LineFilter
from textual.geometry import Offset, Size
from textual.screen import Screen

from d2ltui.tui.render.compositor import BatchedScreen, CellDiffCompositor, CellsUpdate
from d2ltui.tui.render.frame import Drawn, TerminalFrame
from d2ltui.tui.render.internals import CompositorUpdate, LayoutUpdate, can_keep_filters, can_keep_styles, missing
from d2ltui.tui.render.stylesheet import ThemeStylesheet

if TYPE_CHECKING:
    from rich.terminal_theme import TerminalTheme
    from textual.await_remove import AwaitRemove
    from textual.widget import Widget

    AppMixin = App[Any]
else:
    AppMixin = object  # Textual looks for style sheets beside the first base that is an application


class FrameUpdate(CompositorUpdate):
    """What a compositor has drawn, as the difference to what the terminal shows."""

    def __init__(self, frame: TerminalFrame, screen: Screen[Any], update: CompositorUpdate) -> None:
        self._frame, self._screen, self._update = frame, screen, update
        self._sequence: str | None = None

    def render_segments(self, console: Console) -> str:
        """The characters and control sequences for the terminal, which is expected to get them."""
        if self._sequence is None:
            self._sequence = self._draw(console)
        return self._sequence

    def _draw(self, console: Console) -> str:
        update, frame, screen = self._update, self._frame, self._screen
        compositor = screen._compositor
        if isinstance(update, CellsUpdate) and isinstance(compositor, CellDiffCompositor):
            if update.size is None and not frame.can_add(screen):
                update = compositor.render_all()
            drawn = (Drawn(x, y, (strip,), first, end) for x, y, strip, first, end in update.cells)
            return frame.draw(console, drawn, update.size, screen)
        if not isinstance(update, LayoutUpdate):
            update = compositor.render_full_update()
        return frame.draw(console, _lines(update), update.region.size, screen)


def _lines(update: LayoutUpdate) -> Iterator[Drawn]:
    for y, strips in enumerate(update.strips, update.region.y):
        yield Drawn(update.region.x, y, strips)


class FrameApp(AppMixin):
    """Keeps the last frame, and forgets it where the terminal may no longer show it."""

    ask_size: Callable[[], Size | None] | None = None  # the window's size now, where somebody can ask for it

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._truecolor: dict[tuple[TerminalTheme, bool], LineFilter] = {}
        super().__init__(*arguments, **options)
        if can_keep_filters(self):
            self._refresh_truecolor_filter(self.ansi_theme)
        self.frame = TerminalFrame()
        self._cursor_sent: Offset | None = None
        self._variables_of: dict[str, dict[str, str]] = {}  # by theme, of those that were prepared
        if can_keep_styles(self):
            self.stylesheet = ThemeStylesheet(variables=self.get_css_variables())

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Every frame of every screen goes through here to the terminal."""
        if renderable is None and isinstance(screen, BatchedScreen) and not self.frame.shows(screen):
            renderable = cast("RenderableType", CellsUpdate(()))  # nothing of it has changed since it was shown last
        if isinstance(renderable, CompositorUpdate) and not self.is_inline and not missing(screen):
            update = FrameUpdate(self.frame, screen, renderable)
            if self._sends:
                if not update.render_segments(self.console) and self.cursor_position == self._cursor_sent:
                    return  # Textual would send where the cursor is
                self._cursor_sent = self.cursor_position
            renderable = update
        elif renderable is not None:
            self.frame.forget()
        super()._display(screen, renderable)

    def _prune(self, *nodes: Widget, **options: Any) -> AwaitRemove:
        """As Textual, which lays the screen in front out anew when another one has been taken down."""
        if options.get("parent") is self:
            del options["parent"]
        return super()._prune(*nodes, **options)

    def _refresh_truecolor_filter(self, theme: TerminalTheme, **options: Any) -> None:
        """As Textual, but with the filter that these colours had before: what was drawn through it stays good."""
        if hasattr(App, "_refresh_truecolor_filter"):
            super()._refresh_truecolor_filter(theme, **options)
        if not can_keep_filters(self):
            return
        for index, line_filter in enumerate(self._filters):
            if isinstance(line_filter, ANSIToTruecolor):
                key = theme, line_filter.enabled
                self._filters[index] = self._truecolor.setdefault(key, line_filter)

    def input_comes(self) -> None:
        """A key or a click, or its first character, has been read. Called in the thread that reads."""

    async def on_event(self, event: events.Event) -> None:
        """The terminal has another size, or had one for a moment: it may have cut or moved what it shows.

        What an event tells may be old: at the start some are sent ahead of others that were sent before them.
        """
        if isinstance(event, events.Resize):
            size = self.ask_size() if self.ask_size is not None else None
            if size is not None and size != event.size:
                event = events.Resize(size, size)
            self.frame.forget()
            if self.screen_stack and event.size == self.size:  # otherwise a new layout comes
                self.redraw()
        await super().on_event(event)

    @property
    def _sends(self) -> bool:
        """Whether what is displayed goes to the terminal at all."""
        return self._running and not self._closed and not self.is_headless and not self._batch_count

    def redraw(self) -> None:
        """Send everything anew."""
        self.frame.forget()
        self.screen.refresh()

    def show_now(self, later: bool = False) -> None:
        """Show what a key has led to at once; `later`: with what the next one leads to."""
        if not later and self.screen_stack and isinstance(self.screen, BatchedScreen):
            self.screen.show_now()

    def action_toggle_theme(self) -> None:
        """Light or dark."""
        with self.batch_update():  # nothing is drawn in the colours of both
            self.theme = self._other_theme
            self.refresh_css(animate=False)

    def refresh_css(self, animate: bool = True) -> None:
        """Style every screen, unless that has been done since the theme has changed.

        As Textual, which then lays out the screen in front: here only what has another size asks for that.
        """
        if not (isinstance(self.stylesheet, ThemeStylesheet) and can_keep_styles(self)):
            super().refresh_css(animate)
            return
        old = [screen for screen in self.screen_stack if screen._css_update_count != self._css_update_count]
        if not old:
            return
        self.stylesheet.set_variables(self.get_css_variables())
        self.stylesheet.reparse()
        self.stylesheet.update(self, animate=animate)
        for screen in old:
            if screen is not self.screen:
                self.stylesheet.update(screen, animate=animate)
            screen._css_update_count = self._css_update_count

    def prepare_theme(self, seconds: float) -> bool:
        """Get ready for the other theme, for about so many seconds; False where there is nothing left to do."""
        name = self._other_theme
        if name not in self._variables_of:
            theme = self.available_themes[name]
            colours = {**theme.to_color_system().generate(), **theme.variables}
            self._variables_of[name] = {**self.get_theme_variable_defaults(), **colours}
        sheet = self.stylesheet
        return isinstance(sheet, ThemeStylesheet) and sheet.parse_ahead(self._variables_of[name], seconds)

    @property
    def _other_theme(self) -> str:
        return "textual-light" if self.current_theme.dark else "textual-dark"
