"""What there is to do with the table of runs, and with a run, or a group of them, in it.

Columns to choose; resume, rename, write a note, delete.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from d2ltui.spec.language import _
from d2ltui.store import StoreError, columns, home
from d2ltui.tui.host import Hosted
from d2ltui.tui.screens.dialogs import AskScreen, ConfirmScreen
from d2ltui.tui.screens.once import Once
from d2ltui.tui.screens.runs_columns import ColumnsScreen
from d2ltui.tui.screens.runs_order import NEWEST_FIRST
from d2ltui.tui.services.threads import in_thread

if TYPE_CHECKING:
    from textual.widgets import DataTable

    from d2ltui.store.listing import RunInfo
    from d2ltui.tui.screens.runs_groups import RunGroups
    from d2ltui.tui.widgets.runs_table import RunsTable


class RunActions(Hosted, Once):
    """A screen with a table of runs."""

    _table: RunsTable
    _groups: RunGroups
    _runs: list[RunInfo]  # those that are shown
    _order = NEWEST_FIRST

    def refresh_runs(self, *, changed: bool = False) -> None:
        """Read the list of runs."""
        raise NotImplementedError

    def show_runs(self) -> None:
        """Show those that were read."""
        raise NotImplementedError

    def renamed(self, name: str, new: str) -> None:
        """A run has another name."""
        raise NotImplementedError

    def deleted(self, names: Sequence[str]) -> None:
        """These runs are gone."""
        raise NotImplementedError

    def action_sort(self) -> None:
        """The next order."""
        self._order = self._order.following()
        self.show_runs()

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        """A click on a heading: by that column, and the other way round by the next."""
        if column := self._table.name_of(event.column_index):
            self._order = self._order.by(column)
            self.show_runs()

    def _map_selected(self) -> RunInfo | None:
        """The map under the cursor; None where that is something else."""
        name = self._table.selected
        return next((run for run in self._runs if run.name == name and run.of_map is not None), None)

    def _run_selected(self, maps: str = "") -> str | None:
        """The name of the run under the cursor; None, and a sentence, where that is a group, or a map.

        `maps` is what is said of those; "" where one will do.
        """
        group = self._groups.of(self._table.selected)
        if group is not None:
            self.notify(
                _("{name} is a group of {runs} runs: enter shows them").format(name=group.name, runs=len(group.runs)),
                severity="warning",
            )
            return None
        return None if maps and self._tell_map(maps) else self._table.selected

    def _tell_map(self, sentence: str) -> bool:
        """Say it of the map under the cursor; whether there is one."""
        if (found := self._map_selected()) is not None:
            self.notify(_("{name} is a map: {sentence}").format(name=found.name, sentence=sentence), severity="warning")
        return found is not None

    def read_columns(self) -> None:
        """Show the columns that somebody has chosen. In a thread: the application knows how to tell what is wrong."""
        try:
            self._table.names = columns.read()
        except StoreError as error:
            self.app.call_from_thread(self.notify, str(error), severity="warning")

    def action_columns(self) -> None:
        """Choose the table's columns."""
        self.open(ColumnsScreen(self._table.names), self._take_columns)

    def _take_columns(self, names: tuple[str, ...] | None) -> None:
        if names is None:
            return
        self._table.names = names
        self.refill()
        self.run_worker(self._attempt(lambda: columns.write(names)))

    def refill(self) -> None:
        """Show the runs that are known in the table."""
        raise NotImplementedError

    def action_continue_run(self) -> None:
        """Go on with a run that was interrupted. Other keys are answered while it is read."""
        if (name := self._run_selected(_("enter opens it, ctrl+r continues it there"))) is not None:
            self.app.run_worker(self._go_on(name), group="resume")

    async def _go_on(self, name: str) -> None:
        if await self.host.stored.resume(name) and self.app.screen is self:
            self.dismiss(None)

    def action_rename(self) -> None:
        """Give the run another name."""
        if (name := self._run_selected(_("it keeps its name; N writes a note about it"))) is None:
            return

        async def attempt(new: str) -> str:
            try:
                if new != name:
                    await in_thread(lambda: home.rename(name, new))
            except StoreError as error:
                return str(error)
            return ""

        def renamed(new: str | None) -> None:
            if new is not None and new != name:
                self.refresh_runs(changed=True)
                self.renamed(name, new)

        self.open(AskScreen(_("Rename the run to"), name, attempt=attempt), renamed)

    def action_note(self) -> None:
        """Write something about the run."""
        if (name := self._run_selected()) is None:
            return

        of = self._map_selected()

        def write(text: str) -> None:
            home.set_note(name, text) if of is None else home.set_note_at(of.path, text)

        def noted(text: str | None) -> None:
            if text is not None:
                self.run_worker(self._attempt(lambda: write(text)))

        present = next((run.note for run in self._runs if run.name == name), "")
        self.open(AskScreen(_("A note on {name}").format(name=name), present, empty_allowed=True), noted)

    def action_delete(self) -> None:
        """Delete the run; asks."""
        if (name := self._table.selected) is None:
            return
        group = self._groups.of(name)
        names = [name] if group is None else [run.name for run in group.runs]
        if active := next((run.name for run in self._runs if run.name in names and run.active), None):
            self.notify(
                _("{active} is in progress: stop it first (enter shows it, x stops it)").format(active=active),
                severity="warning",
            )
            return

        of = self._map_selected()

        def delete_all() -> None:
            if of is not None:
                home.delete_at(of.path)
                return
            for one in names:
                home.delete(one)

        async def delete() -> None:
            if await self._attempt(delete_all):
                self.deleted(names)

        def answered(deletes: bool | None) -> None:
            if deletes:
                self.run_worker(delete())

        what = name if group is None else _("the {number} runs of {name}").format(number=len(names), name=group.name)
        self.open(ConfirmScreen(_("Delete {what} for good?").format(what=what), _("delete"), _("keep")), answered)

    async def _attempt(self, act: Callable[[], object]) -> bool:
        """Do something to the store; False, and a sentence on the screen, where that cannot be."""
        try:
            await in_thread(act)
        except StoreError as error:
            self.notify(str(error), severity="error")
            return False
        finally:
            self.refresh_runs(changed=True)
        return True
