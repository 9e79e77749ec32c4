"""What a frame draws and sends: the cells that have changed, and nothing else; and when."""

from __future__ import annotations

import contextlib
from array import array
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from rich.console import Console
from rich.control import Control
from textual import messages
from textual._context import visible_screen_stack
from textual.geometry import Offset, Region, Size
from textual.message import Message
from textual.reactive import Reactive
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from d2ltui.tui.render.cells import in_single_cells
from d2ltui.tui.render.focus import FocusStyles
from d2ltui.tui.render.internals import Compositor, CompositorUpdate, LayoutUpdate, ReflowResult, missing

if TYPE_CHECKING:
    ScreenMixin = Screen[Any]
    WidgetMixin = Widget
else:
    ScreenMixin = WidgetMixin = object  # Textual takes a style sheet from the first base that is a widget


class Cells(NamedTuple):
    """Some cells of one line of the screen: a strip, or its columns from `first` to `end`.

    With `end`, each character of the strip takes one cell.
    """

    x: int
    y: int
    strip: Strip
    first: int = 0
    end: int | None = None


class CellsUpdate(CompositorUpdate):
    """Cells here and there, or, where it has a `size`, all of a screen of that size."""

    def __init__(self, cells: Sequence[Cells], size: Size | None = None) -> None:
        self.cells, self.size = cells, size

    def render_segments(self, console: Console) -> str:
        """The characters and control sequences for the terminal."""
        return "".join(
            f"{Control.move_to(x, y).segment.text}{strip.crop(first, end).render(console)}"
            for x, y, strip, first, end in self.cells
        )


class CellDiffCompositor(Compositor):
    """Draws what has changed, by asking the widgets that it belongs to.

    Textual renders every widget within the smallest rectangle around all that has changed, puts whole lines together,
    and sends each line from its widget's first column on. With a change at the top left and one at the bottom right,
    that is the whole screen.
    """

    def __init__(self) -> None:
        super().__init__()
        self._drawn: Size | None = None  # of the last frame
        self._own_regions: set[Region] = set()  # where the screen's own cells are to be drawn, but nobody else's
        self._owned: dict[Widget, tuple[Region, Region]] | None = None  # the layout that the rest is of
        self._widgets: list[tuple[Widget, Region, Region]] = []  # with its region, and what can be seen of that
        self._owners: list[array[int]] = []  # for each cell the widget in front, by its number in `_widgets`

    def reflow(self, parent: Widget, size: Size) -> ReflowResult:
        """The layout of all. Textual would lay out once more where it had doubts about the one before."""
        result = super().reflow(parent, size)
        self._full_map_invalidated = False
        return result

    def update_widgets(self, widgets: set[Widget]) -> None:
        """These have changed. A screen is no more than any other widget: what it holds tells of its own changes.

        Textual lays everything out once more where one of them cannot be seen.
        """
        if self.root is not None and self.root in widgets:
            self._own_regions.update(self.root._exchange_repaint_regions())
            widgets = widgets - {self.root}
        super().update_widgets(widgets & self.visible_widgets.keys())

    def render_update(  # type: ignore[override]
        self, full: bool = False, screen_stack: list[Screen[Any]] | None = None, simplify: bool = False
    ) -> LayoutUpdate | CellsUpdate | None:
        """What has changed, be it the whole screen."""
        resized, self._drawn = self.size != self._drawn, self.size
        if full or simplify:
            return super().render_update(full, screen_stack, simplify)  # type: ignore[return-value]
        visible_screen_stack.set(screen_stack or [])
        # What the terminal shows of another size is nothing to build on.
        return self.render_all() if resized else self.render_partial_update()

    def render_all(self) -> CellsUpdate:
        """The whole screen. Textual cuts every line, of every widget, where any other begins or ends."""
        self._find_owners()
        self._dirty_regions.clear()
        self._own_regions.clear()
        return CellsUpdate(self._render([self.size.region]), self.size)

    def render_partial_update(self) -> CellsUpdate | None:  # type: ignore[override]
        """What has changed since the last time, or None where nothing has."""
        self._find_owners()
        screen = self.size.region
        changed = [region.intersection(screen) for region in self._dirty_regions]
        own = [region.intersection(screen) for region in self._own_regions]
        self._dirty_regions.clear()
        self._own_regions.clear()
        if not any(changed) and not any(own):
            return None
        return CellsUpdate([*self._render(changed), *self._render(own, 0)])

    def _render(self, regions: Sequence[Region], only: int | None = None) -> list[Cells]:
        """What stands in `regions`; `only` what a single widget shows there, by its number."""
        runs = [run for run in self._runs(self._regions_to_spans(regions)) if only is None or run[0] == only]
        rows: dict[int, list[int]] = {}
        for owner, y, _, _ in runs:
            rows.setdefault(owner, []).append(y)
        strips = {owner: self._strips(owner, min(within), max(within)) for owner, within in rows.items()}
        return [self._cut(owner, y, x, end, strips[owner][y]) for owner, y, x, end in runs]

    def _find_owners(self) -> None:
        widgets = self.visible_widgets
        if widgets is self._owned:
            return
        # Textual compares one layout with the next to know what is to be drawn; where it has thrown the last one away
        # in between, the cells of a notice that is gone would stay.
        for widget, (region, clip) in (self._owned or {}).items():
            if widgets.get(widget) != (region, clip):
                self._dirty_regions.add(region.intersection(clip))
        width, height = self.size
        screen = self.size.region
        # From back to front; the screen itself, which is everywhere, comes first.
        self._widgets = [
            (widget, region, region.intersection(clip).intersection(screen))
            for widget, (region, clip) in reversed(widgets.items())
        ]
        self._owners = [array("H", bytes(2 * width)) for _ in range(height)]
        for number, (_, _, seen) in enumerate(self._widgets):
            cells = array("H", [number]) * seen.width
            for row in self._owners[seen.y : seen.bottom]:
                row[seen.x : seen.right] = cells
        self._owned = widgets

    def _runs(self, spans: Iterable[tuple[int, int, int]]) -> Iterator[tuple[int, int, int, int]]:
        """Each span in parts that belong to one widget: the widget's number, the line, first column, end."""
        for y, x, end in spans:
            row = self._owners[y]
            while x < end:
                owner = row[x]
                seen = self._widgets[owner][2]
                first, x = x, min(end, seen.right)
                if row[first:x].count(owner) < x - first:  # something lies in front of its middle
                    x = next(column for column in range(first, x) if row[column] != owner)
                yield owner, y, first, x

    def _strips(self, owner: int, first: int, last: int) -> dict[int, Strip]:
        """What can be seen of a widget, from one line of the screen to another."""
        widget, region, seen = self._widgets[owner]
        crop = Region(seen.x - region.x, first - region.y, seen.width, last + 1 - first)
        return dict(zip(range(first, last + 1), widget.render_lines(crop), strict=True))

    def _cut(self, owner: int, y: int, x: int, end: int, strip: Strip) -> Cells:
        seen = self._widgets[owner][2]
        if not in_single_cells(strip.text):
            # A character of two cells must not be halved: its other half would go, too.
            row = self._owners[y]
            while x > seen.x and row[x - 1] == owner:
                x -= 1
            while end < seen.right and row[end] == owner:
                end += 1
            return Cells(x, y, strip.crop(x - seen.x, end - seen.x))
        return Cells(x, y, strip, x - seen.x, end - seen.x)  # a strip of its own would take longer than to draw it


class BatchedWidget(WidgetMixin):
    """A widget whose changes its screen can show all together: see `BatchedScreen.batch_refresh`."""

    # What has changed since `batch_refresh` began; None outside it. All widgets have one, as they have one event loop.
    # In a context variable it would go on within the tasks that are begun meanwhile.
    changed: ClassVar[set[Widget] | None] = None

    def restyle_for_focus(self) -> None:
        """The focus has come to it, or to something that it holds, or has gone: look its style up again."""
        self.app.stylesheet.update_nodes([self], animate=True)

    def refresh_look(self) -> None:
        """Draw it in other colours: those of the theme, or of the focus. All else about it is as it was."""
        self.refresh()

    def check_idle(self) -> None:
        """It has changed. Textual sends it a message, it sends one to its screen, and that waits for a timer."""
        if BatchedWidget.changed is None:
            super().check_idle()
        else:
            BatchedWidget.changed.add(self)


class BatchedScreen(ScreenMixin):
    """A screen whose frames cost little, and go down a slow line."""

    # Who has the focus is seen of the widgets concerned: Textual draws the whole screen again.
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._batches = not missing(self)
        if self._batches:
            self._compositor = CellDiffCompositor()
        self._taking = False
        self._missed: set[Region] = set()  # what has changed while another screen was in front
        self._focus_styles: FocusStyles | None = None  # made with the first focus

    def get_widget_and_offset_at(self, x: int, y: int) -> tuple[Widget | None, Offset | None]:
        """As Textual, which begins to select text there; nothing is there where the widget has just been removed."""
        widget, offset = super().get_widget_and_offset_at(x, y)
        if widget is not None and widget.parent is None:
            return None, None
        return widget, offset

    def _update_focus_styles(self, focused: Widget | None = None, blurred: Widget | None = None) -> None:
        """Style those again that look otherwise with the focus within them, and not, as Textual, all that they hold."""
        if not self._batches:
            super()._update_focus_styles(focused, blurred)
            return
        if self._focus_styles is None:
            self._focus_styles = FocusStyles(self.app.stylesheet)
        self._focus_styles.move(focused, blurred)

    @contextlib.contextmanager
    def batch_refresh(self) -> Iterator[None]:
        """What changes within it is on its way to the terminal at its end, as one frame.

        Textual's way there takes three rounds of messages and of its event loop for each widget, and each round is a
        struggle with the training thread for the interpreter's lock.
        """
        if BatchedWidget.changed is not None or not self._batches:  # within another one; Textual is not as we know it
            yield
            return
        changed = BatchedWidget.changed = set()
        try:
            yield
        finally:
            BatchedWidget.changed = None
            self._show(changed)

    def _show(self, changed: set[Widget]) -> None:
        ready = set()
        if self.is_active and not self.app._batch_count and not self._waits_for_layout:
            visible = self._compositor.visible_widgets
            ready = {widget for widget in changed if widget in visible and not _needs_more(widget)}
        for widget in changed - ready:
            widget.check_idle()  # Textual's way
        if ready:
            self._compositor.update_widgets(ready | self._dirty_widgets)
            self._compositor_refresh()
            for widget in ready:
                widget._repaint_required = False

    def show_now(self) -> None:
        """What has changed is on its way to the terminal now, and not after three rounds of messages and a timer."""
        if not self._batches or not self.is_active or self.app._batch_count or BatchedWidget.changed is not None:
            return
        with self._context():
            self._taking = True
            try:
                for widget in self.walk_children(Widget):
                    if widget._repaint_required or widget._layout_required or widget._scroll_required:
                        widget._check_refresh()
            finally:
                self._taking = False
            if self._layout_required and self._repaint_required:  # Textual draws a frame for each
                self._compositor.update_widgets({self})
                self._repaint_required = False
            self._on_timer_update()

    def show_again(self) -> None:
        """It is in front once more: show it at once, as it was, and with what has changed of it."""
        if self._size == self.app.size:  # otherwise a new layout comes
            self.refresh()
            self.show_now()

    def _on_timer_update(self) -> None:
        """As Textual, which has everything drawn where the screen itself has changed, and forgets what else has."""
        if self._batches and self._repaint_required and self.is_current and not self.app._batch_count:
            self._compositor.update_widgets(self._dirty_widgets)
        super()._on_timer_update()

    def _screen_resized(self, size: Size) -> None:
        """As Textual, which lays everything out again as often as it hears of the size that it has: thrice at first."""
        if not self._batches or self._compositor.size != size:
            super()._screen_resized(size)

    def _compositor_refresh(self) -> None:
        """As Textual, which forgets what has changed behind another screen: all is drawn when that one is gone."""
        if self._batches:
            if not self.is_active:
                self._missed |= self._compositor._dirty_regions
            elif self._missed:
                self._compositor._dirty_regions |= self._missed
                self._missed.clear()
        super()._compositor_refresh()

    def lay_out(self, size: Size) -> bool:
        """Give everything on it its place before it is shown; False where there was nothing to do."""
        if not self._batches or (self._size == size and not self._layout_required):
            return False
        self._layout_required = False
        self._refresh_layout(size)
        return True

    def draw_ahead(self) -> None:
        """Draw it once before it is shown: what stays as it is has been drawn then."""
        if isinstance(self._compositor, CellDiffCompositor):
            with self._context():
                self._compositor.render_all()

    def post_message(self, message: Message) -> bool:
        """Within `show_now`, what widgets say about themselves is taken in at once."""
        take = _TAKERS.get(type(message)) if self._taking else None
        if take is None:
            return super().post_message(message)
        with contextlib.suppress(StopIteration):
            take(self, message).send(None)  # these wait for nothing
        return True

    @property
    def _waits_for_layout(self) -> bool:
        """Whether the next frame is the whole screen in any case."""
        return self._layout_required or self._scroll_required or self._repaint_required or self._recompose_required


# Textual's handlers of what widgets say about themselves.
_TAKERS: dict[type[Message], Callable[[Any, Any], Coroutine[Any, Any, None]]] = {
    messages.Layout: Screen._on_layout,
    messages.Update: Screen._on_update,
    messages.UpdateScroll: Screen._on_update_scroll,
}


def _needs_more(widget: Widget) -> bool:
    """Whether something else than the widget's own cells is to change."""
    return (
        not widget._repaint_required
        or widget._layout_required
        or widget._scroll_required
        or widget._refresh_styles_required
        or widget._recompose_required
    )
