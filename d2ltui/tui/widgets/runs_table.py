"""The table of stored runs: a row for each, of which only what differs is written anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.style import Style
from rich.text import Text
from textual.binding import Binding
from textual.coordinate import Coordinate
from textual.widgets import DataTable

from d2ltui.spec.fields import FIELDS
from d2ltui.spec.language import pgettext
from d2ltui.spec.width import cells
from d2ltui.store.columns import COLUMNS, USUAL, Manner, text_of

if TYPE_CHECKING:
    from d2ltui.spec.events import Severity
    from d2ltui.store.listing import RunInfo

WIDEST = 40  # of a column of words
WORDS = {"run": 12, "note": 6, "group": 8, "hidden": 6, "host": 6, "device": 6}  # what may be cut, and to how much
Row = tuple[Text, ...]
_PLAIN = Style()
_GRAVE: tuple[Severity, ...] = ("alarm", "warning")
_MANNER = Manner()


def _title(name: str) -> str:
    return COLUMNS[name].title if name in COLUMNS else pgettext("column", name)


def row(
    run: RunInfo, mark: str, look: Style = _PLAIN, names: Sequence[str] = USUAL, baseline: RunInfo | None = None
) -> Row:
    """What the table shows of `run` in the columns `names`; `look` is that of what is wrong with it.

    `mark` is its curve's letter, and `baseline` the run that its figures are compared with.
    """
    cells_ = [mark, run.name, *(text_of(COLUMNS[name], run, _MANNER, baseline) for name in names)]
    shown = [Text(cell) for cell in cells_]
    if run.tally.severity is not None:
        # Behind the status, or, without that, before the name, which may be cut: what is wrong is always told.
        if "status" in names:
            shown[2 + names.index("status")].append(f" {run.tally.marks}", look)
        else:
            shown[1] = Text.assemble((run.tally.marks, look), " ", run.name)
    return tuple(shown)


def needed(names: Sequence[str], titles: Sequence[str], rows: Sequence[tuple[RunInfo, Row]]) -> list[int]:
    """How wide each column's texts are. A map's range of a setting is cut where the single values of runs need less."""
    every = [shown for __, shown in rows]
    of_runs = [shown for run, shown in rows if run.of_map is None] or every
    found = []
    for i, (name, title) in enumerate(zip(names, titles, strict=True)):
        wide = of_runs if name in FIELDS and name != "epochs" else every
        found.append(max([cells(title), *(row[i].cell_len for row in wide)]))
    return found


def fitted(names: Sequence[str], widths: Sequence[int], room: int) -> list[int]:
    """The columns' `widths`, of which texts are cut, the widest first, where all together need more than `room`."""
    widths = [min(width, WIDEST) if name in WORDS else width for name, width in zip(names, widths, strict=True)]
    found = list(widths)
    too_much = sum(found) - room
    while too_much > 0:
        longest = max(
            (i for i, name in enumerate(names) if found[i] > WORDS.get(name, found[i])),
            key=lambda i: (found[i], i),
            default=None,
        )
        if longest is None:
            return widths  # it is moved sideways, and need not cut anything
        found[longest] -= 1
        too_much -= 1
    return found


class RunsTable(DataTable[Text]):
    """Its key for a row is told in the footer. The arrows that it would scroll with move the curves' cursor."""

    BINDINGS = [
        Binding("enter", "select_cursor", "open", key_display="enter"),
        Binding("left", "screen.cursor(-1)", show=False),
        Binding("right", "screen.cursor(1)", show=False),
        Binding("home", "scroll_top", show=False),  # Textual's own go to the first and the last column
        Binding("end", "scroll_bottom", show=False),
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
        self.names: tuple[str, ...] = USUAL  # the columns after the mark and the run's name
        self._shown: dict[str, tuple[RunInfo, str, Row]] = {}  # by name: what each row was made from
        self._baseline: RunInfo | None = None
        self._mark: Callable[[str], str] = str
        self._laid_out: list[tuple[str, int]] = []  # columns, and how wide they are
        self._looks: dict[Severity | None, Style] = {}  # of what is wrong with a run, in the present theme

    def on_mount(self) -> None:
        """An empty table, with its columns."""
        self._fit_columns()

    def on_resize(self) -> None:
        """Texts are cut where there is no room, and only there."""
        self.fill([run for run, *__ in self._shown.values()], self._mark, self._baseline)

    @property
    def selected(self) -> str | None:
        """The name of the run under the cursor."""
        names = list(self._shown)
        return names[self.cursor_row] if self.row_count and 0 <= self.cursor_row < len(names) else None

    def name_of(self, column: int) -> str:
        """The name of the column there; "" of that of the marks."""
        return self._columns()[column]

    def select(self, name: str) -> None:
        """Put the cursor on the row with that name, where there is one."""
        if name in self._shown:
            self.move_cursor(row=list(self._shown).index(name), animate=False)

    def fill(self, runs: Sequence[RunInfo], mark: Callable[[str], str], baseline: RunInfo | None = None) -> None:
        """Show `runs` in this order, each with the mark of its name. The cursor stays on its run.

        A table that has left its screen shows nothing any more, and has no styles.
        """
        if not self.is_attached:
            return
        selected, where, before, self._mark = self.selected, self.scroll_offset, self._shown, mark
        self._shown = {}
        looks: dict[Severity | None, Style] = {grave: self._look(f"runs-table--{grave}") for grave in _GRAVE}
        same = looks == self._looks and baseline is self._baseline and self._is_laid_out()
        self._looks, self._baseline = looks, baseline
        for run in runs:
            known, letter = before.get(run.name), mark(run.name)
            made = known if same and known is not None and known[0] is run and known[1] == letter else None
            look = looks.get(run.tally.severity, _PLAIN)
            self._shown[run.name] = made or (run, letter, row(run, letter, look, self.names, baseline))
        if list(self._shown) == list(before) and not self._fit_columns():
            # Cells alone: a table that is filled anew is back at its left end, and takes its time.
            for y, ((*_, old), (*_, new)) in enumerate(zip(before.values(), self._shown.values(), strict=True)):
                for x, (cell, present) in enumerate(zip(old, new, strict=True) if old is not new else ()):
                    if cell != present:
                        self.update_cell_at(Coordinate(y, x), self._cut(x, present))
            return
        self._fit_columns()
        self.clear()
        for name, (*_, shown) in self._shown.items():
            self.add_row(*(self._cut(x, cell) for x, cell in enumerate(shown)), key=name)
        if selected in self._shown:
            self.move_cursor(row=list(self._shown).index(selected), animate=False)
        self.call_after_refresh(self.scroll_to, where.x, None, animate=False)

    def _look(self, name: str) -> Style:
        """Of the text alone: a row has its own background."""
        style = self.get_component_rich_style(name)
        return Style(color=style.color, bold=style.bold)

    def _cut(self, column: int, cell: Text) -> Text:
        name, width = self._laid_out[column]
        if cell.cell_len <= width:
            return cell
        number = cell.plain.rpartition("-")[2] if name == "run" else ""
        end = len(number) + 1 if number.isdigit() and cells(number) < width // 2 else 0  # by which runs are told apart
        cut = cell[: len(cell) - end] if end else cell.copy()
        cut.truncate(width - end, overflow="ellipsis")
        return cut + cell[-end:] if end else cut

    def _columns(self) -> tuple[str, ...]:
        return ("", "run", *self.names)

    def _is_laid_out(self) -> bool:
        return tuple(name for name, _ in self._laid_out) == self._columns()

    def _fit_columns(self) -> bool:
        """Columns as wide as what they hold; whether they were not, and are empty now.

        (Textual finds that out later, and draws them too narrow before.)
        """
        names = self._columns()
        titles = [_title(name) for name in names]
        widths = needed(names, titles, [(run, shown) for run, __, shown in self._shown.values()])
        # As if there were a bar for more rows, which comes and goes with them.
        room = self.size.width - self.styles.scrollbar_size_vertical - 2 * self.cell_padding * len(names)
        laid_out = list(zip(names, fitted(names, widths, room) if self.size else widths, strict=True))
        if laid_out == self._laid_out:
            return False
        self._laid_out = laid_out
        self.clear(columns=True)
        for title, (__, width) in zip(titles, laid_out, strict=True):
            self.add_column(title, width=width)
        return True
