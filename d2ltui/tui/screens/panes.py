"""Where the panes are: in columns, one tab at a time, or one full screen; and which of them has the focus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from d2ltui.tui.host import Hosted
from d2ltui.tui.panes.arrangement import Arrangement
from d2ltui.tui.panes.chart import ChartZoomed, CursorMoved
from d2ltui.tui.panes.run_panes import RunPanes
from d2ltui.tui.panes.spec import FORM_PANES, FORM_TAB, PaneFailed
from d2ltui.tui.render.cached import FrameOnly
from d2ltui.tui.render.compositor import BatchedScreen
from d2ltui.tui.screens.once import Once
from d2ltui.tui.widgets.fields import ChoiceField, TextField
from d2ltui.tui.widgets.pane import Pane, can_be_seen
from d2ltui.tui.widgets.setup import Setup
from d2ltui.tui.widgets.tabs import TabStrip

PICTURE, FINDINGS = "picture", "findings"  # the names of their panes
if TYPE_CHECKING:
    from d2ltui.charts.timeline import Unit

UNITS: tuple[Unit, ...] = ("epoch", "step", "time")  # as in `charts.timeline`, which needs numpy
MAX_ZOOM = 12
NARROW = 100  # columns; below, one tab at a time


class PanesScreen(Hosted, Once, BatchedScreen, FrameOnly, Screen[None]):
    """A screen of the form's panes and of those in `PANES`, in the columns `#setup`, `#curves` and `#inside`."""

    def __init__(self) -> None:
        super().__init__()
        self._zoomed: str | None = None
        self.run_panes = RunPanes(self)
        self._tab = FORM_TAB
        self._left: str | None = None  # the pane that had the focus last
        self._before: dict[str, str | None] = {}  # the one that had it before the key of one of them, by its name
        self._narrow = True  # as a screen begins: no size that comes first takes a tab away
        self._instead: set[str] = set()  # panes that stand in the place of others just now
        self.cursor: int | None = None  # the step at which the charts are read
        self.alarming = False  # whether something is wrong with the run
        self.unit: Unit = "epoch"
        self.chart_zoom = 0
        self._single = False  # whether one tab, or one pane, has the whole width

    def tick(self) -> None:
        """Bring what is on the screen up to date."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Begin with what the layout that is about to come needs."""

    async def add_plugin_panes(self) -> None:
        """Look for the panes of other packages, and show those that there are."""
        if new := await self.run_panes.look_for_plugins():
            mounted = self.run_panes.mount(new)
            self.query_one(TabStrip).set_titles(self.arrangement.short_titles)
            self._arrange()
            for mounting in mounted:
                await mounting
            self.tick()

    def on_pane_failed(self, message: PaneFailed) -> None:
        """A key, a click or a size was too much for a pane."""
        self.run_panes.failed(message.pane, message.error)

    def on_cursor_moved(self, message: CursorMoved) -> None:
        """The charts, and what is seen of the layers, go to another step, or to the newest one."""
        self.cursor = message.step
        self.refresh_bindings()
        self.tick()

    def on_chart_zoomed(self, message: ChartZoomed) -> None:
        """The charts show a smaller or larger part of the run."""
        self.chart_zoom = min(MAX_ZOOM, max(0, self.chart_zoom + message.by))
        self.tick()

    def forget_cursor(self) -> None:
        """Another run: what was read of the last one means nothing here."""
        self.cursor, self.chart_zoom = None, 0

    def action_x_axis(self) -> None:
        """Epochs, steps or time along the charts."""
        self.unit = UNITS[(UNITS.index(self.unit) + 1) % len(UNITS)]
        self.tick()

    @property
    def arrangement(self) -> Arrangement:
        """Where the panes are."""
        return self.run_panes.arrangement

    def on_resize(self, event: events.Resize) -> None:
        """Columns or tabs."""
        if event.size != self.app.size:
            # Of an earlier layout. Textual would lay out for that size again, tell of it, and so on without end.
            event.prevent_default()
            return
        narrow, before = self.app.size.width < NARROW, self._narrow
        self._narrow = narrow
        if before and not narrow and (focused := self._focused_pane()) is not None:
            self._instead = self.arrangement.showing(focused, self._instead)
        training = self.host.live is not None and self.host.live.ended is None
        away = self._tab == FORM_TAB and self._zoomed is None and not self._editing
        if narrow and not before and training and away:
            # Whoever comes back to a run in a smaller window wants to see it, not its form.
            self._focus_pane(self.arrangement.first)
        else:
            self._arrange()

    @property
    def _editing(self) -> bool:
        """Whether somebody is in a field, or in a dialog about one."""
        return not self.is_active or isinstance(self.focused, Input | ChoiceField | TextField)

    def _arrange(self) -> None:
        narrow = self.app.size.width < NARROW
        shown = set(self.arrangement.order) - self.arrangement.hidden(self._instead)
        if self._zoomed is not None:
            shown = {self._zoomed}
        elif narrow:
            shown = set(self.arrangement.tabs[self._tab])
        self._single = narrow or self._zoomed is not None
        of_form = not shown.isdisjoint(FORM_PANES)
        if of_form:
            self.query_one(Setup).spread(self.app.size.width if self._single else 0)
        # Children are looked at, not asked for by a selector: one over the whole screen takes half a millisecond.
        strip = self.query_one(TabStrip)
        strip.display = narrow and self._zoomed is None
        strip.show(self._tab)
        self.query_children("ToastRack").set_class(narrow, "-narrow")
        # A form that is hidden stays as it is within: shown again, none of its many fields is measured anew.
        for name in self.arrangement.order:
            if of_form or name not in FORM_PANES:
                self.query_one(f"#{name}").display = name in shown
        setup = self.query_one(Setup)
        setup.display = of_form
        stacks = setup.children if of_form else ()  # side by side where the form has the whole width
        for column in (*stacks, self.query_one("#curves"), self.query_one("#inside")):
            column.display = any(child.display for child in column.children)
        self._look()
        self.refresh_bindings()
        self.call_after_refresh(self.tick)

    def _look(self) -> None:
        """The engine looks at the layers often while their panes can be seen."""
        self.host.observe("panes", self.run_panes.show_layers and self.is_active)

    def on_screen_suspend(self) -> None:
        """Another screen covers this one."""
        self.host.observe("panes", False)
        if self.host.pictures is not None:
            self.host.pictures.ask(None)

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        """It no longer does."""
        self._look()

    def _open_tab(self, title: str) -> None:
        self._tab = title
        self._arrange()

    def on_tab_strip_picked(self, message: TabStrip.Picked) -> None:
        """A click on a tab."""
        self._zoomed = None
        self._open_tab(message.title)
        self._focus_pane(self.arrangement.tabs[message.title][0])

    def _focused_pane(self) -> str | None:
        widget: object = self.focused
        while isinstance(widget, Widget):
            if isinstance(widget, Pane):
                return widget.id
            widget = widget.parent
        return None

    def _focus_pane(self, name: str) -> None:
        if self._zoomed is not None:
            self._zoomed = name
        self._tab = self.arrangement.tab_of(name)
        if not self._single:
            before, self._instead = self._instead, self.arrangement.showing(name, self._instead)
        if self._single or self._instead != before:  # otherwise every pane is where it was
            self._arrange()
        self.query_one(f"#{name}", Pane).focus_inside()

    def action_next_pane(self, by: int = 1) -> None:
        """The next pane, or the one before: of those that are on the screen, where that is not one alone."""
        present, order = self._focused_pane(), self.arrangement.order
        if not self._single and self._zoomed is None:
            order = tuple(name for name in order if name not in self.arrangement.hidden(self._instead))
        if present is None:
            panes = self.arrangement.tabs[self._tab] if self._single else order
            if by > 0 or not self._single:
                self._focus_pane(panes[0] if by > 0 else panes[-1])
                return
            present = panes[0]  # back leaves the tab that is shown
        at = order.index(present) if present in order else 0
        self._focus_pane(order[(at + by) % len(order)])

    def action_previous_pane(self) -> None:
        """The pane before."""
        self.action_next_pane(-1)

    def action_picture(self) -> None:
        """The picture, and back to the pane before."""
        self._visit(PICTURE)

    def action_findings(self) -> None:
        """What is happening, and back to the pane before."""
        self._visit(FINDINGS)

    def _visit(self, name: str) -> None:
        """Give the focus to a pane; where it has it, back to the one before."""
        present = self._focused_pane()
        if name not in self.arrangement.specs:
            return  # it could not be made
        if present != name:
            seen = self.arrangement.tabs[self._tab] if self._single else ()
            self._before[name] = present or (self._left if self._left in seen or not seen else seen[0])
            self._focus_pane(name)
            return
        self._instead = self._instead - {name}
        covered = self.arrangement.specs[name].in_place_of or (self.arrangement.first,)
        self._focus_pane(self._before.get(name) or covered[0])
        if not self._single:
            self._arrange()

    def action_zoom(self) -> None:
        """The focused pane full screen, and back."""
        self._zoomed = None if self._zoomed is not None else (self._focused_pane() or self._default_zoom())
        self._arrange()
        self.prepare()

    def _default_zoom(self) -> str:
        if self._left is not None and can_be_seen(self.query_one(f"#{self._left}")):
            return self._left
        return self.arrangement.tabs[self._tab][0] if self.app.size.width < NARROW else self.arrangement.first

    def leave_pane(self) -> None:
        """Nothing has the focus: letters are keys. `z` still means the pane that had it."""
        self._left = self._focused_pane() or self._left
        self.set_focus(None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The footer offers `escape` only where there is something to leave."""
        if action == "leave_field":
            return self.focused is not None or self._zoomed is not None or self.cursor is not None
        return super().check_action(action, parameters)

    def action_leave_field(self) -> None:
        """Letters are keys again; a zoomed pane goes back to its place."""
        if self.focused is not None and isinstance(self.focused.parent, TextField):
            self.set_focus(self.focused.parent)
        elif self.cursor is not None:
            self.on_cursor_moved(CursorMoved(None))
        elif self._zoomed is None:
            self.leave_pane()
        else:
            self.action_zoom()
