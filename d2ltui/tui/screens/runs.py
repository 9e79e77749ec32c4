"""The stored runs: a table to sort and filter, curves on one axis, and what there is to do with a run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.css.scalar import Scalar
from textual.screen import Screen
from textual.widgets import DataTable, Input, Static

from d2ltui.charts.bundles import Bundle, bundled, letters_in_short
from d2ltui.charts.fan import are_alike
from d2ltui.charts.overlay import letter
from d2ltui.spec.language import _
from d2ltui.spec.text import counted
from d2ltui.store import StoreError, filters, listing
from d2ltui.store.map_reader import MapRows
from d2ltui.tui.host import Hosted
from d2ltui.tui.keys import RUNS_KEYS, TABLE_HELP, bindings, help_rows, in_words
from d2ltui.tui.render.compositor import BatchedScreen
from d2ltui.tui.screens.dialogs import HelpScreen
from d2ltui.tui.screens.once import Once
from d2ltui.tui.screens.runs_actions import RunActions
from d2ltui.tui.screens.runs_curves import Histories, Shown, about, differences
from d2ltui.tui.screens.runs_fan import picture_of
from d2ltui.tui.screens.runs_groups import RunGroups
from d2ltui.tui.services.defects import drawn
from d2ltui.tui.services.threads import begin, in_thread
from d2ltui.tui.widgets.keys_line import KeysLine
from d2ltui.tui.widgets.lines import LinesView
from d2ltui.tui.widgets.pane import Pane
from d2ltui.tui.widgets.runs_table import RunsTable

if TYPE_CHECKING:
    from d2ltui.history.live import LiveRun
    from d2ltui.store.listing import RunInfo

NARROW = 100
SHORT = 20  # rows
POLL_EVERY = 2.0
NO_CURVES = _("it has no curves of its own; enter opens it")
LEAST_TABLE, TABLE_FRAME = 7, 4  # rows: with three runs; a border, a heading, and a bar to move it sideways


def _how_many(rows: Sequence[RunInfo]) -> str:
    maps = sum(row.of_map is not None for row in rows)
    said = counted(len(rows) - maps, "run")
    return f"{said}, {counted(maps, 'map')}" if maps else said


class RunsScreen(RunActions, Hosted, Once, BatchedScreen, Screen[Path | str | None]):
    """All stored runs and maps. Leaves with the name of a run to open, a map's directory, or None.

    Files are read in threads: a slow disk, or a process that holds a run's database, must not stop the interface.
    """

    CSS = """
    RunsScreen #filter { height: 1; background: $surface-lighten-1; }
    RunsScreen #runs { height: 1fr; }
    RunsScreen #table-pane { height: 1fr; }
    RunsScreen DataTable { height: 1fr; background: transparent; }
    RunsScreen #below { height: 1fr; }
    RunsScreen #overlay-pane { width: 2fr; }
    RunsScreen #facts-pane { width: 1fr; }
    RunsScreen #filter-problem { height: auto; color: $text-error; display: none; }
    """
    BINDINGS = bindings(RUNS_KEYS)
    AUTO_FOCUS = "DataTable"

    def __init__(self) -> None:
        super().__init__()
        self._listed, self._maps = listing.Rows(), MapRows()
        self._all: list[RunInfo] | None = None  # None until the store has been read
        self._problem = ""  # why it cannot be
        self._runs: list[RunInfo] = []  # those that are shown
        self._rows: list[RunInfo] = []  # of the table: runs, and groups of them
        self._marked: list[str] = []
        self._baseline: str | None = None
        self._groups = RunGroups()
        self._histories = Histories()
        self._lives: dict[str, LiveRun] = {}
        self._letters: dict[str, int] = {}  # of the curves that are drawn, by their runs
        self._told: dict[str, str] = {}  # why marked runs have no curves
        self.followed = ""  # a group, of which each run is marked as soon as there is one
        self._shown = Shown()
        self._columns_read = False
        self._filter = ""
        self._again = False
        self._drawing: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._stale = False  # whether what is being read was changed by us meanwhile
        # Held, not looked up: what is still on its way when the screen closes finds them all the same.
        self._table, self._overlay = RunsTable(), LinesView(id="overlay")
        self._facts, self._problem_line = Static(id="facts", markup=False), Static(id="filter-problem", markup=False)
        self._table_pane = Pane(_("Runs"), self._table, id="table-pane")
        self._overlay_pane = Pane(_("Validation loss"), self._overlay, id="overlay-pane")
        self._facts_pane = Pane(_("Differences"), self._facts, id="facts-pane")
        self._below = Horizontal(self._overlay_pane, self._facts_pane, id="below")
        self._shows_facts = False  # in the curves' place, where there is no room for both

    def compose(self) -> ComposeResult:
        """A filter, a table, the curves, the facts."""
        yield Input(placeholder=_("filter, such as: lr>=0.1 model=mlp status=finished"), id="filter", compact=True)
        yield self._problem_line
        with Vertical(id="runs"):
            yield self._table_pane
            yield self._below
        yield KeysLine()

    def begin(self) -> None:
        """Read the store now, and again every two seconds."""
        self.show_runs()
        self.refresh_runs()
        self.set_interval(POLL_EVERY, self.refresh_runs)

    def on_resize(self, event: events.Resize) -> None:
        """A narrow terminal shows the curves, or the facts in their place."""
        self._arrange()

    def _arrange(self) -> None:
        narrow = self.app.size.width < NARROW
        self._share_rows()
        # Without marks there is nothing to draw, and a short screen has no room for nothing.
        self._below.display = self.app.size.height >= SHORT or bool(self._marked) or self._shows_facts
        self._overlay_pane.display = not (narrow and self._shows_facts)
        self._facts_pane.display = not narrow or self._shows_facts
        self.refresh_bindings()
        self.call_after_refresh(self._show_curves)

    def _share_rows(self) -> None:
        """Curves get what the table leaves of the screen: it needs a third at most while there are some."""
        table = max(LEAST_TABLE, min(len(self._rows) + TABLE_FRAME, self.app.size.height // 3))
        most = Scalar.from_number(table) if self._marked else None
        if self._table_pane.styles.max_height != most:
            self._table_pane.styles.max_height = most
            self.call_after_refresh(self._show_curves)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The footer offers the facts where they are not shown anyway."""
        if action == "facts":
            return self.app.size.width < NARROW
        return super().check_action(action, parameters)

    def action_facts(self) -> None:
        """The facts in the curves' place, and back."""
        self._shows_facts = not self._shows_facts
        self._arrange()

    # The table

    def refresh_runs(self, *, changed: bool = False) -> None:
        """Read the list of runs in a thread, then show it. With `changed`, what is being read now is out of date."""
        if self._reading is not None and not self._reading.done():
            self._stale = self._stale or changed
            return
        self._reading = begin(self.app, self._read_runs())

    def _read_store(self) -> list[RunInfo]:
        """Runs and maps; whatever is wrong with a map hides no run."""
        if not self._columns_read:
            self._columns_read = True
            self.read_columns()
        runs = self._listed.read()
        taken = {run.name for run in runs}
        return [*runs, *(row for row in self._maps.read() if row.name not in taken)]

    async def _read_runs(self) -> None:
        while True:
            self._stale = False
            runs, problem = self._all, ""
            try:
                runs = await in_thread(self._read_store)
            except StoreError as error:
                problem = str(error)
            if not self.is_attached:
                return
            if not self._stale:
                break
        self._all, self._problem = runs, problem
        joined = [run for run in runs or () if self.followed and run.group == self.followed]
        before = len(self._marked)
        self._marked += [run.name for run in joined if run.name not in self._marked]
        self.show_runs()
        if len(self._marked) > before:
            self._arrange()
        # Its process held it when it was marked; or trains it on.
        elif any(name not in self._lives for name in self._marked) or any(
            run.active for run in runs or () if run.name in self._marked
        ):
            self._show_curves()

    def show_runs(self) -> None:
        """Show those of the runs, as they were read last, that the filter lets through."""
        pane = self._table_pane
        if self._all is None:
            pane.subtitle(self._problem or _("reading …"))
            return
        try:
            conditions = filters.parse(self._filter)
        except StoreError as error:
            self._problem_line.update(str(error))
            self._problem_line.display = True
            return
        runs = [run for run in self._all if filters.matches(conditions, run)]
        none = _("no run is stored yet: escape, then ctrl+r, trains one")
        self._problem_line.update("" if runs else _("no run matches: / changes the filter") if self._all else none)
        self._problem_line.display = not runs
        self._runs = runs = self._order.arranged(runs)
        self._rows = self._groups.rows(runs, folds=not self._filter.strip())
        self._share_rows()
        pane.subtitle(self._problem or f"{_how_many(runs)}, {self._order.title}")
        self.refill()

    def refill(self) -> None:
        """Show the runs that are known in the table."""
        curves = [] if are_alike(list(self._lives.values())) else self._curves()
        self._letters = {name: index for index, curve in enumerate(curves) for name in curve.names}
        baseline = next((run for run in self._all or () if run.name == self._baseline), None)
        self._table.fill(self._rows, self._mark, baseline)
        self._show_facts()

    def _mark(self, name: str) -> str:
        """The letter of its curve; of a group, those of its runs."""
        if (group := self._groups.of(name)) is not None:
            marked = {self._letter(run.name) for run in group.runs if run.name in self._marked}
            return letters_in_short(sorted(marked))
        mark = letter(self._letter(name)) if name in self._marked else ""
        return f"{mark}=" if name == self._baseline else mark

    def _letter(self, name: str) -> int:
        return self._letters.get(name, self._marked.index(name))

    # What the keys do

    def action_mark(self) -> None:
        """Mark the run under the cursor, or no longer; of a group, all its runs."""
        if (name := self._table.selected) is None or self._tell_map(NO_CURVES):
            return
        group = self._groups.of(name)
        names = [name] if group is None else [run.name for run in group.runs]
        self.followed = ""
        if all(name in self._marked for name in names):
            self._marked = [marked for marked in self._marked if marked not in names]
            self._baseline = None if self._baseline in names else self._baseline
        else:
            self._marked += [name for name in names if name not in self._marked]
            self.followed = group.name if group is not None and group.runs[0].kind == "seeds" else ""
        self.refill()
        self._arrange()

    def action_baseline(self) -> None:
        """What the others are compared with: always the first curve."""
        if (name := self._run_selected(NO_CURVES)) is None:
            return
        self._baseline = None if self._baseline == name else name
        if self._baseline is not None:
            self._marked = [name, *(marked for marked in self._marked if marked != name)]
        self.refill()
        self._arrange()

    def action_cursor(self, by: int) -> None:
        """Move the cursor along the epochs."""
        longest = max((live.header.epochs or live.epoch for live in self._lives.values()), default=1)
        self._shown = self._shown._replace(epoch=min(longest, max(1, self._shown.epoch + by)))
        self._show_curves()

    def action_figure(self) -> None:
        """Another figure in the curves."""
        self._shown = self._shown.turned()
        self._show_curves()

    def action_x_axis(self) -> None:
        """Epochs, steps or time along the curves."""
        self._shown = self._shown.over_another_axis()
        self._show_curves()

    def action_filter(self) -> None:
        """Type conditions."""
        self.query_one("#filter", Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter as one types."""
        self._filter = event.value
        self.show_runs()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Back to the table, if there is a run in it."""
        if self._runs or not self._all:
            self._table.focus()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """What is known about the run under the cursor."""
        self._show_facts()
        if are_alike(list(self._lives.values())):  # which the fan shows, too
            self._show_curves()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Enter, or a second click."""
        self.action_open()

    def action_open(self) -> None:
        """Show the run on the main screen; open a group, or close it."""
        if (group := self._groups.of(self._table.selected)) is not None:
            following = self._groups.toggle(group)
            self.show_runs()
            self._table.select(following)
        elif (found := self._map_selected()) is not None:
            self.dismiss(found.path)
        elif (name := self._table.selected) is not None:
            self.dismiss(name)

    def renamed(self, name: str, new: str) -> None:
        """Its mark stays with it."""
        self._marked = [new if marked == name else marked for marked in self._marked]
        self._baseline = new if self._baseline == name else self._baseline
        self._show_curves()

    def deleted(self, names: Sequence[str]) -> None:
        """Their marks go with them."""
        self._marked = [marked for marked in self._marked if marked not in names]
        self._baseline = None if self._baseline in names else self._baseline
        self._show_curves()

    def action_help(self) -> None:
        """All keys."""
        self.open(HelpScreen([*help_rows(RUNS_KEYS), *in_words([TABLE_HELP])]))

    def action_close(self) -> None:
        """Leave the filter, or the screen."""
        if isinstance(self.focused, Input):
            self._table.focus()
        else:
            self.dismiss(None)

    # Curves

    def _show_curves(self) -> None:
        width, height = self._overlay.size
        if width <= 0 or height <= 0:
            return
        if self._drawing is not None and not self._drawing.done():
            self._again = True  # what changed meanwhile is drawn afterwards
            return
        self._drawing = begin(self.app, self._draw(width, height))

    def _show_facts(self) -> None:
        several = len(self._lives) > 1
        name = self._table.selected
        group = self._groups.of(name)
        run = next((run for run in self._runs if run.name == name), None)
        of_one = self._groups.about(group) if group is not None else about(run)
        self._facts.update(differences(self._curves()) if several else of_one)
        self._facts_pane.title(_("Differences") if several else _("About the run"))

    def _curves(self) -> list[Bundle]:
        """The marked runs: of one configuration and many seeds, or of many that are marked, several are one curve."""
        groups = {run.name: run.group for run in self._all or () if run.group}
        return bundled(self._lives, groups, alone=self._baseline)

    async def _draw(self, width: int, height: int) -> None:
        lives, problems = await in_thread(partial(self._histories.read, tuple(self._marked)))
        if not self.is_attached:
            return
        for name, problem in problems.items():
            # Once; and not of one that was renamed or deleted meanwhile.
            if name in self._marked and self._told.get(name) != problem:
                self.notify(problem, severity="error")
        self._told = problems
        self._lives = lives
        self._overlay_pane.title(self._shown.title(list(lives.values())))
        spec, below = picture_of(
            lives, self._curves(), self._shown, width, height, self.host.ascii, self._table.selected
        )
        self.refill()
        self._overlay.show([*drawn(self.app, lambda: spec), *below])
        if self._again:
            self._again = False
            self.call_later(self._show_curves)

    def on_unmount(self) -> None:
        """Nobody waits for what is being read or drawn any more."""
        for task in (self._reading, self._drawing):
            if task is not None:
                task.cancel()
