"""The table of stored runs: a row for each, of which only what differs is written anew."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeGuard

from rich.style import Style
from rich.text import Text
from textual.binding import Binding
from textual.coordinate import Coordinate
from textual.widgets import DataTable

from d2ltui.spec.language import pgettext
from d2ltui.spec.models import MODELS
from d2ltui.spec.numbers import optional
from d2ltui.spec.width import cells, cut
from d2ltui.tui.form_state import as_text

if TYPE_CHECKING:
    from d2ltui.spec.config import RunConfig
    from d2ltui.spec.events import Severity
    from d2ltui.store.listing import RunInfo

NOTE_WIDTH = 30  # of a note
COLUMNS = ("", "run", "status", "epochs", "val loss", "val metric", "lr", "hidden", "activation", "begun", "note")
Row = tuple[Text, ...]
_PLAIN = Style()
_GRAVE: tuple[Severity, ...] = ("alarm", "warning")


def _column(title: str) -> str:
    return pgettext("column", title)


def _has(config: RunConfig | None, field: str) -> TypeGuard[RunConfig]:
    """Whether the model of `config` has that field; of a model that this version does not know, nothing is shown."""
    return config is not None and config.model in MODELS and field in MODELS[config.model].fields


def row(run: RunInfo, mark: str, look: Style = _PLAIN) -> Row:
    """What the table shows of `run`; `mark` is its curve's letter, `look` that of what is wrong with it."""
    config, figures = run.config, run.figures
    metric = figures.get("val_accuracy", figures.get("val_r2"))
    loss = figures.get("val_loss")
    texts = (
        mark,
        run.name,
        pgettext("status", run.status),
        run.progress,
        optional(loss, 3),
        optional(metric, 3),
        run.rates,
        as_text(config.hidden) if _has(config, "hidden") else "",
        config.activation if _has(config, "activation") else "",
        time.strftime("%m-%d %H:%M", time.localtime(run.created)) if run.created else "",
        run.note if cells(run.note) <= NOTE_WIDTH else cut(run.note, NOTE_WIDTH - 1) + "…",
    )
    shown = [Text(cell) for cell in texts]
    if run.tally.severity is not None:
        shown[2].append(f" {run.tally.marks}", look)
    return tuple(shown)


class RunsTable(DataTable[Text]):
    """Its key for a row is told in the footer. The arrows that it would scroll with move the curves' cursor."""

    BINDINGS = [
        Binding("enter", "select_cursor", "open", key_display="enter"),
        Binding("left", "screen.cursor(-1)", show=False),
        Binding("right", "screen.cursor(1)", show=False),
        Binding("shift+left", "scroll_left", show=False),
        Binding("shift+right", "scroll_right", show=False),
    ]

    COMPONENT_CLASSES = {"runs-table--alarm", "runs-table--warning"}
    DEFAULT_CSS = """
    RunsTable > .runs-table--alarm { color: $text-error; text-style: bold; }
    RunsTable > .runs-table--warning { color: $text-warning; text-style: bold; }
    """

    def __init__(self) -> None:
        super().__init__(cursor_type="row", zebra_stripes=False)
        self._shown: dict[str, tuple[RunInfo, str, Row]] = {}  # by name: what each row was made from
        self._column_widths: list[int] = []
        self._looks: dict[Severity | None, Style] = {}  # of what is wrong with a run, in the present theme

    def on_mount(self) -> None:
        """An empty table, with its columns."""
        self._fit_columns()

    @property
    def selected(self) -> str | None:
        """The name of the run under the cursor."""
        names = list(self._shown)
        return names[self.cursor_row] if self.row_count and 0 <= self.cursor_row < len(names) else None

    def select(self, name: str) -> None:
        """Put the cursor on the row with that name, where there is one."""
        if name in self._shown:
            self.move_cursor(row=list(self._shown).index(name), animate=False)

    def fill(self, runs: Sequence[RunInfo], mark: Callable[[str], str]) -> None:
        """Show `runs` in this order, each with the mark of its name. The cursor stays on its run.

        A table that has left its screen shows nothing any more, and has no styles.
        """
        if not self.is_attached:
            return
        selected, where, before = self.selected, self.scroll_offset, self._shown
        self._shown = {}
        looks: dict[Severity | None, Style] = {grave: self._look(f"runs-table--{grave}") for grave in _GRAVE}
        same, self._looks = looks == self._looks, looks
        for run in runs:
            known, letter = before.get(run.name), mark(run.name)
            made = known if same and known is not None and known[0] is run and known[1] == letter else None
            look = looks.get(run.tally.severity, _PLAIN)
            self._shown[run.name] = made or (run, letter, row(run, letter, look))
        if list(self._shown) == list(before) and not self._fit_columns():
            # Cells alone: a table that is filled anew is back at its left end, and takes its time.
            for y, ((*_, old), (*_, new)) in enumerate(zip(before.values(), self._shown.values(), strict=True)):
                for x, (cell, present) in enumerate(zip(old, new, strict=True) if old is not new else ()):
                    if cell != present:
                        self.update_cell_at(Coordinate(y, x), present)
            return
        self._fit_columns()
        self.clear()
        for name, (*_, shown) in self._shown.items():
            self.add_row(*shown, key=name)
        if selected in self._shown:
            self.move_cursor(row=list(self._shown).index(selected), animate=False)
        self.call_after_refresh(self.scroll_to, where.x, None, animate=False)

    def _look(self, name: str) -> Style:
        """Of the text alone: a row has its own background."""
        style = self.get_component_rich_style(name)
        return Style(color=style.color, bold=style.bold)

    def _fit_columns(self) -> bool:
        """Columns as wide as what they hold; whether they were not, and are empty now.

        (Textual finds that out later, and draws them too narrow before.)
        """
        rows = [shown for *__, shown in self._shown.values()]
        widths = [max([cells(_column(title)), *(row[i].cell_len for row in rows)]) for i, title in enumerate(COLUMNS)]
        if widths == self._column_widths:
            return False
        self._column_widths = widths
        self.clear(columns=True)
        for title, width in zip(COLUMNS, widths, strict=True):
            self.add_column(_column(title), width=width)
        return True
