"""Which columns the table of runs has: chosen from all that there are, and remembered."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets.option_list import Option

from d2ltui.spec.language import _
from d2ltui.store.columns import COLUMNS, USUAL
from d2ltui.tui.screens.dialogs import BOX, Boxed
from d2ltui.tui.widgets.options import Options


class ColumnsScreen(Boxed, ModalScreen["tuple[str, ...] | None"]):
    """All columns, those that are shown ticked. Leaves with the chosen ones, in the table's order, or None."""

    DEFAULT_CSS = (
        BOX.format(name="ColumnsScreen", width=60)
        + """
    ColumnsScreen Options { height: auto; max-height: 100%; border: none; padding: 0; }
    ColumnsScreen.-high Vertical { height: 90%; }
    """
    )
    BINDINGS = [
        Binding("space", "choose", "choose"),
        Binding("enter", "take", "done", priority=True),  # the list would choose
        Binding("u", "usual", "usual"),
        Binding("escape", "cancel", "close"),
    ]
    AUTO_FOCUS = "Options"

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        # The chosen ones first: what they are is seen at a glance, and they keep their order.
        self._chosen = {name: name in names for name in (*names, *COLUMNS)}
        self._options = Options(
            *(Option(self._line(name), id=name) for name in self._chosen), markup=False, compact=True
        )

    def _line(self, name: str) -> str:
        return f"[{'x' if self._chosen[name] else ' '}] {COLUMNS[name].title}"

    def compose(self) -> ComposeResult:
        """The list."""
        with Vertical(classes="box") as box:
            box.border_title = _("Columns (enter takes them, escape closes)")
            box.border_subtitle = _("space: one more or less, u: the usual ones")
            yield self._options

    def on_mount(self) -> None:
        """Begin at the first one."""
        self._options.highlighted = 0

    def action_choose(self) -> None:
        """Choose the one under the cursor, or no longer."""
        if (at := self._options.highlighted) is not None:
            name = list(self._chosen)[at]
            self._chosen[name] = not self._chosen[name]
            self._options.replace_option_prompt_at_index(at, self._line(name))

    def on_option_list_option_selected(self) -> None:
        """A click."""
        self.action_choose()

    def action_take(self) -> None:
        """Show the chosen ones."""
        names = [name for name, shown in self._chosen.items() if shown]
        self.dismiss(tuple(sorted(names, key=lambda name: name == "note")))  # as long as there is room

    def action_usual(self) -> None:
        """Those of the first time."""
        self.dismiss(USUAL)

    def action_cancel(self) -> None:
        """Leave them as they were."""
        self.dismiss(None)
