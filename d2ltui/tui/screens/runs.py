"""The stored runs: a table to sort and filter, curves on one axis, and what there is to do with a run."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import DataTable, Input, Static

from d2ltui.charts.spec import ChartError, ChartSpec, Line, Style
from d2ltui.config import RunConfig, applicable_fields
from d2ltui.store import StoreError, filters, home, listing
from d2ltui.tui.form_state import as_text
from d2ltui.tui.layer_lines import number
from d2ltui.tui.screens.dialogs import AskScreen, ConfirmScreen
from d2ltui.tui.widgets.keys_line import KeysLine
from d2ltui.tui.widgets.lines import LinesView
from d2ltui.tui.widgets.pane import Pane

if TYPE_CHECKING:
    from d2ltui.live import LiveRun
    from d2ltui.store.listing import RunInfo
    from d2ltui.tui.app import D2LApp

NARROW = 100
POLL_EVERY = 2.0
_STYLES = (Style.TRAIN, Style.VALIDATION, Style.FIT, Style.DATA, Style.WARNING, Style.TEXT)
_COLUMNS = ("", "run", "status", "epochs", "val loss", "val metric", "lr", "hidden", "activation", "begun")


def differences(configs: dict[str, RunConfig]) -> str:
    """The fields in which the runs differ, a line each; the first run is what the others are compared with."""
    names = dict.fromkeys(
        name for config in configs.values() for name in ("model", "dataset", *applicable_fields(config.model))
    )
    lines = []
    for name in names:
        values = {run: as_text(getattr(config, name)) for run, config in configs.items()}
        if len(set(values.values())) > 1:
            lines.append(f"{name}: " + ", ".join(f"{letter(i)} {value}" for i, value in enumerate(values.values())))
    return "\n".join(lines) or "the configurations are the same"


def letter(index: int) -> str:
    """The name of curve number `index` in the legend."""
    return chr(ord("a") + index % 26)


def overlay(lives: dict[str, LiveRun], cursor: int, width: int, height: int, ascii: bool) -> tuple[ChartSpec, str]:
    """The validation losses of several runs on one axis, and their values at epoch `cursor`."""
    lines = []
    values = []
    longest = max((live.config.epochs for live in lives.values()), default=1)
    for index, (name, live) in enumerate(lives.items()):
        epochs = list(live.epochs)
        x, y = [float(e.epoch) for e in epochs], [e.val_loss for e in epochs]
        lines.append(Line(letter(index), _STYLES[index % len(_STYLES)], x, y, marker=letter(index)))
        at = next((e for e in epochs if e.epoch == cursor), None)
        value = f"{number(at.val_loss)} {number(at.val_metric)}" if at is not None else "–"
        values.append(f"{letter(index)} {name}: {value}")
    spec = ChartSpec(
        width=width,
        height=height,
        lines=lines,
        x_high=float(longest),
        x_label="epoch",
        ascii=ascii,
        empty_text="space marks runs; their curves appear here",
    )
    return spec, f"validation loss and metric at epoch {cursor} (← →):\n" + "\n".join(values) if lives else ""


class RunsScreen(Screen["str | None"]):
    """All stored runs. Leaves with the name of a run to open, or None."""

    CSS = """
    RunsScreen #filter { height: 1; background: $surface-lighten-1; }
    RunsScreen #runs { height: 1fr; }
    RunsScreen #table-pane { height: 1fr; }
    RunsScreen DataTable { height: 1fr; background: transparent; }
    RunsScreen #below { height: 1fr; }
    RunsScreen #overlay-pane { width: 2fr; }
    RunsScreen #facts-pane { width: 1fr; }
    RunsScreen.-narrow #facts-pane { display: none; }
    """
    BINDINGS = [
        Binding("space", "mark", "mark"),
        Binding("enter", "open", "open", priority=False),
        Binding("c", "continue_run", "go on"),
        Binding("b", "baseline", "baseline"),
        Binding("s", "sort", "sort"),
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("n", "rename", "rename"),
        Binding("N", "note", "note"),
        Binding("d,delete", "delete", "delete"),
        Binding("left", "cursor(-1)", show=False),
        Binding("right", "cursor(1)", show=False),
        Binding("escape,q,R", "close", "back", key_display="esc"),
    ]
    AUTO_FOCUS = "DataTable"
    app: D2LApp

    def __init__(self) -> None:
        super().__init__()
        self._runs: list[RunInfo] = []
        self._rows: list[tuple[Text, ...]] = []
        self._marked: list[str] = []
        self._baseline: str | None = None
        self._lives: dict[str, LiveRun] = {}
        self._sort = 0
        self._epoch = 1
        self._filter = ""
        self._again = False
        self._drawing: asyncio.Task[None] | None = None

    def compose(self) -> ComposeResult:
        """A filter, a table, the curves, the facts."""
        yield Input(placeholder="filter, such as: lr>=0.1 model=mlp status=finished", id="filter", compact=True)
        with Vertical(id="runs"):
            with Pane("Runs", id="table-pane"):
                yield DataTable(cursor_type="row", zebra_stripes=False)
            with Horizontal(id="below"):
                with Pane("Validation loss", id="overlay-pane"):
                    yield LinesView(id="overlay")
                with Pane("Differences", id="facts-pane"):
                    yield Static(id="facts", markup=False)
        yield KeysLine()

    def on_mount(self) -> None:
        """Read the store now, and again every two seconds."""
        self.query_one(DataTable).add_columns(*_COLUMNS)
        self.refresh_runs()
        self.set_interval(POLL_EVERY, self.refresh_runs)

    def on_resize(self, event: events.Resize) -> None:
        """A narrow terminal shows the curves alone."""
        self.set_class(self.app.size.width < NARROW, "-narrow")
        self.call_after_refresh(self._show_curves)

    # The table

    def refresh_runs(self) -> None:
        """Read the list of runs, and show those that the filter lets through."""
        pane = self.query_one("#table-pane", Pane)
        try:
            conditions = filters.parse(self._filter)
            runs = [run for run in listing.runs() if filters.matches(conditions, run)]
        except StoreError as error:
            pane.border_subtitle = str(error)
            return
        runs.sort(key=self._order)
        self._runs = runs
        by = ("newest first", "validation loss", "validation metric", "name")[self._sort]
        pane.border_subtitle = f"{len(runs)} runs, by {by}"
        self._fill()

    def _order(self, run: RunInfo) -> tuple[float, str]:
        figures = run.figures
        if self._sort == 1:
            return figures.get("val_loss", float("inf")), run.name
        if self._sort == 2:
            return -figures.get("val_accuracy", figures.get("val_r2", float("-inf"))), run.name
        return (-run.created if self._sort == 0 else 0.0), run.name

    def _fill(self) -> None:
        table = self.query_one(DataTable)
        rows = [self._row(run) for run in self._runs]
        if rows == self._rows:
            return
        self._rows = rows
        selected = self._selected()
        table.clear()
        for run, row in zip(self._runs, rows, strict=True):
            table.add_row(*row, key=run.name)
        names = [run.name for run in self._runs]
        if selected in names:
            table.move_cursor(row=names.index(selected), animate=False)

    def _row(self, run: RunInfo) -> tuple[Text, ...]:
        config, figures = run.config, run.figures
        mark = letter(self._marked.index(run.name)) if run.name in self._marked else ""
        mark += "=" if run.name == self._baseline else ""
        metric = figures.get("val_accuracy", figures.get("val_r2"))
        loss = figures.get("val_loss")
        cells = (
            mark,
            run.name,
            run.status,
            f"{run.epochs}/{config.epochs}" if config is not None else "",
            number(loss) if loss is not None else "–",
            number(metric) if metric is not None else "–",
            as_text(config.lr) if config is not None else "",
            as_text(config.hidden) if config is not None and config.model == "mlp" else "",
            config.activation if config is not None and config.model == "mlp" else "",
            time.strftime("%m-%d %H:%M", time.localtime(run.created)) if run.created else "",
        )
        return tuple(Text(cell) for cell in cells)

    def _selected(self) -> str | None:
        table = self.query_one(DataTable)
        if not table.row_count or not 0 <= table.cursor_row < len(self._runs):
            return None
        return self._runs[table.cursor_row].name

    # What the keys do

    def action_mark(self) -> None:
        """Mark the run under the cursor, or no longer."""
        if (name := self._selected()) is None:
            return
        if name in self._marked:
            self._marked.remove(name)
        else:
            self._marked.append(name)
        self._fill()
        self._show_curves()

    def action_baseline(self) -> None:
        """What the others are compared with: always the first curve."""
        if (name := self._selected()) is None:
            return
        self._baseline = None if self._baseline == name else name
        if self._baseline is not None:
            self._marked = [name, *(marked for marked in self._marked if marked != name)]
        self._fill()
        self._show_curves()

    def action_cursor(self, by: int) -> None:
        """Move the cursor along the epochs."""
        longest = max((live.config.epochs for live in self._lives.values()), default=1)
        self._epoch = min(longest, max(1, self._epoch + by))
        self._show_curves()

    def action_sort(self) -> None:
        """The next order."""
        self._sort = (self._sort + 1) % 4
        self.refresh_runs()

    def action_filter(self) -> None:
        """Type conditions."""
        self.query_one("#filter", Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter as one types."""
        self._filter = event.value
        self.refresh_runs()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Back to the table."""
        self.query_one(DataTable).focus()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Enter, or a second click."""
        self.action_open()

    def action_open(self) -> None:
        """Show the run on the main screen."""
        if (name := self._selected()) is not None:
            self.dismiss(name)

    def action_continue_run(self) -> None:
        """Go on with a run that was interrupted."""
        if (name := self._selected()) is not None and self.app.resume_run(name):
            self.dismiss(None)

    def action_rename(self) -> None:
        """Give the run another name."""
        if (name := self._selected()) is None:
            return

        def renamed(new: str | None) -> None:
            if new is not None and new != name:
                self._attempt(lambda: home.rename(name, new))
                self._marked = [new if marked == name else marked for marked in self._marked]
                self._lives.pop(name, None)

        self.app.push_screen(AskScreen("Rename the run to", name), renamed)

    def action_note(self) -> None:
        """Write something about the run."""
        if (name := self._selected()) is None:
            return

        def noted(text: str | None) -> None:
            if text is not None:
                self._attempt(lambda: home.set_note(name, text))

        present = next((run.note for run in self._runs if run.name == name), "")
        self.app.push_screen(AskScreen(f"A note on {name}", present, empty_allowed=True), noted)

    def action_delete(self) -> None:
        """Delete the run; asks."""
        if (name := self._selected()) is None:
            return

        def answered(deletes: bool | None) -> None:
            if deletes:
                self._attempt(lambda: home.delete(name))
                self._marked = [marked for marked in self._marked if marked != name]
                self._lives.pop(name, None)
                self._show_curves()

        self.app.push_screen(ConfirmScreen(f"Delete {name} for good?", "delete", "keep"), answered)

    def _attempt(self, act: object) -> None:
        assert callable(act)
        try:
            act()
        except StoreError as error:
            self.app.notify(str(error), severity="error")
        self.refresh_runs()

    def action_close(self) -> None:
        """Leave the filter, or the screen."""
        if isinstance(self.focused, Input):
            self.query_one(DataTable).focus()
        else:
            self.dismiss(None)

    # Curves

    def _show_curves(self) -> None:
        view = self.query_one("#overlay", LinesView)
        width, height = view.size
        if width <= 0 or height <= 0:
            return
        if self._drawing is not None and not self._drawing.done():
            self._again = True  # what changed meanwhile is drawn afterwards
            return
        self._lives = {name: live for name in self._marked if (live := self._read(name)) is not None}
        legend_rows = len(self._lives) + 1 if self._lives else 0
        spec, legend = overlay(self._lives, self._epoch, width, max(4, height - legend_rows), self.app.ascii)
        configs = {name: live.config for name, live in self._lives.items()}
        self.query_one("#facts", Static).update(differences(configs) if len(configs) > 1 else self._facts())
        self._drawing = asyncio.create_task(self._draw(spec, legend))

    def _facts(self) -> str:
        name = self._marked[0] if self._marked else self._selected()
        run = next((run for run in self._runs if run.name == name), None)
        if run is None:
            return ""
        return "\n".join(filter(None, (run.name, run.problem or run.message, run.note, run.host, run.device)))

    def _read(self, name: str) -> LiveRun | None:
        from d2ltui.store.reader import RunReader

        known = self._lives.get(name)
        if known is not None and known.ended is not None:
            return known
        try:
            with RunReader(home.path_of(name)) as reader:
                return reader.live
        except StoreError as error:
            self.app.notify(str(error), severity="error")
            return None

    async def _draw(self, spec: ChartSpec, legend: str) -> None:
        try:
            drawing = await self.app.charts.draw(spec)
        except ChartError as error:
            drawing = [[(int(Style.WARNING), str(error))]]
        if self.is_attached:
            below = [[(int(Style.TEXT), line)] for line in legend.splitlines()]
            self.query_one("#overlay", LinesView).show([*drawing, *below])
            if self._again:
                self._again = False
                self.call_later(self._show_curves)

    def on_unmount(self) -> None:
        """Nobody waits for a drawing any more."""
        if self._drawing is not None:
            self._drawing.cancel()
