"""Small screens that cover the main one: help, a question, a list of choices, a file name, a traceback."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button, Input, OptionList, Static
from textual.widgets.option_list import Option

from d2ltui.spec.language import _
from d2ltui.spec.width import cells, padded, wrapped
from d2ltui.tui.render.cached import KeptLooks
from d2ltui.tui.render.compositor import BatchedScreen
from d2ltui.tui.screens.once import Once
from d2ltui.tui.widgets.options import Options

# Opaque: to see the screen below through it, all of that would be drawn again, twice, and 80 KB sent down the link.
BOX = """
    {name} {{ align: center middle; background: $background; }}
    {name} > .box {{
        width: {width}; max-width: 95%; height: auto; max-height: 95%;
        border: round $border; padding: 1 2; background: $surface;
    }}
    {name}.-low > .box {{ max-width: 100%; max-height: 100%; border: none; padding: 0; }}
"""


class Boxed(Once, BatchedScreen):
    """A box in the middle of the screen; of a screen of a few rows, all of it."""

    VERTICAL_BREAKPOINTS = [(0, "-low"), (10, "-high")]


class KeyTable(KeptLooks, Widget):
    """Keys, and beside them what they do, wrapped. (Rich's table is drawn for each question about its size.)"""

    DEFAULT_CSS = "KeyTable { height: auto; }"

    def __init__(self, rows: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._rows_of_help = rows
        self._beside = max((cells(name) for name, _what in rows), default=0) + 1  # the column of what they do

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """Where nothing is wrapped."""
        return self._beside + max((cells(what) for _name, what in self._rows_of_help), default=0)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as there are in that width."""
        return len(self._lines(width))

    def _lines(self, width: int) -> list[str]:
        lines = []
        for name, what in self._rows_of_help:
            first, *more = wrapped(what, width - self._beside) or [""]
            lines += [f"{padded(name, self._beside)}{first}", *(f"{' ' * self._beside}{line}" for line in more)]
        return lines

    def render(self) -> Content:
        """All lines."""
        return Content("\n".join(self._lines(self.size.width)))


class HelpScreen(Boxed, ModalScreen[None]):
    """Every key of a screen, from the same table that dispatches them."""

    DEFAULT_CSS = BOX.format(name="HelpScreen", width=84)
    BINDINGS = [Binding("escape,q,question_mark,enter", "dismiss", "close")]
    AUTO_FOCUS = "VerticalScroll"  # arrow keys scroll

    def __init__(self, rows: Sequence[tuple[str, str]]) -> None:
        """`rows`: a key, and what it does."""
        super().__init__()
        self._rows_of_help = rows

    def compose(self) -> ComposeResult:
        """A list of keys."""
        with VerticalScroll(classes="box") as box:
            box.border_title = _("Keys (escape closes)")
            yield KeyTable(self._rows_of_help)


class TextScreen(Boxed, ModalScreen[None]):
    """A text that is too long for the status line."""

    DEFAULT_CSS = BOX.format(name="TextScreen", width="90%")
    BINDINGS = [Binding("escape,q,t,enter", "dismiss", "close")]
    AUTO_FOCUS = "VerticalScroll"  # arrow keys scroll

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title, self._text = title, text

    def compose(self) -> ComposeResult:
        """The text, scrollable."""
        with VerticalScroll(classes="box") as box:
            box.border_title = _("{title} (escape closes)").format(title=self._title)
            yield Static(self._text, markup=False)


class ConfirmScreen(Boxed, ModalScreen[bool]):
    """A yes or no."""

    DEFAULT_CSS = (
        BOX.format(name="ConfirmScreen", width=56)
        + """
    ConfirmScreen Horizontal { height: auto; align-horizontal: right; margin-top: 1; }
    ConfirmScreen Button { margin-left: 2; }
    """
    )
    BINDINGS = [
        Binding("y", "answer(True)", "yes"),
        Binding("n,escape", "answer(False)", "no"),
        Binding("left,right", "app.focus_next", show=False),
    ]
    AUTO_FOCUS = "#no"  # enter does nothing that loses anything

    def __init__(self, question: str, yes: str, no: str) -> None:
        super().__init__()
        self._question, self._yes, self._no = question, yes, no

    def compose(self) -> ComposeResult:
        """The question, and two buttons."""
        with Vertical(classes="box"):
            yield Static(self._question, markup=False)
            with Horizontal():
                yield Button(f"{self._yes} (y)", id="yes", variant="error", compact=True)
                yield Button(f"{self._no} (n)", id="no", compact=True)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """A click, or enter."""
        self.dismiss(event.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        """A key."""
        self.dismiss(answer)


class ChoiceScreen(Boxed, ModalScreen[str]):
    """All choices of a field, with their meaning."""

    DEFAULT_CSS = (
        BOX.format(name="ChoiceScreen", width=90)
        + """
    ChoiceScreen OptionList { height: auto; max-height: 20; border: none; padding: 0; }
    """
    )
    BINDINGS = [Binding("escape", "cancel", "close")]
    AUTO_FOCUS = "Options"

    def __init__(self, title: str, choices: dict[str, str], value: str) -> None:
        super().__init__()
        self._title, self._choices, self._value = title, choices, value

    def compose(self) -> ComposeResult:
        """The list."""
        width = max(map(cells, self._choices)) + 2
        with Vertical(classes="box") as box:
            box.border_title = _("{title} (enter chooses, escape closes)").format(title=self._title)
            yield Options(
                *(Option(padded(name, width) + meaning, id=name) for name, meaning in self._choices.items()),
                compact=True,
                markup=False,
            )

    def on_mount(self) -> None:
        """Start at the present choice."""
        for options in self.query(Options):
            options.highlighted = list(self._choices).index(self._value) if self._value in self._choices else 0

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take it."""
        self.dismiss(str(event.option.id))

    def action_cancel(self) -> None:
        """Leave it as it was."""
        self.dismiss(self._value)


class SaveScreen(Boxed, ModalScreen[str | None]):
    """Asks for a file name, writes there, and says where it could not."""

    DEFAULT_CSS = (
        BOX.format(name="SaveScreen", width=70)
        + """
    SaveScreen .problem { color: $text-error; height: auto; }
    """
    )
    BINDINGS = [Binding("escape", "cancel", "close")]

    def __init__(self, text: str = "", path: str = "") -> None:
        super().__init__()
        self._text = text
        self._input = Input(path, compact=True)
        self._overwrite = ""

    def offer(self, text: str, path: str) -> None:
        """Another text, and another name for it: it is prepared before these are known."""
        self._text, self._input.value = text, path

    def compose(self) -> ComposeResult:
        """A name to type."""
        with Vertical(classes="box") as box:
            box.border_title = _("Save the form as (enter saves, escape closes)")
            yield self._input
            yield Static("", classes="problem", markup=False)

    def on_input_changed(self) -> None:
        """What was said is of another name."""
        self.query_one(".problem", Static).update("")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Write; a file that is there already is only overwritten when enter is pressed again."""
        name = event.value.strip()
        problem = self.query_one(".problem", Static)
        if not name:
            problem.update(_("file: '' is not allowed; allowed: a file's name"))
            return
        try:
            path = Path(name).expanduser()
            if path.exists() and str(path) != self._overwrite:
                self._overwrite = str(path)
                problem.update(_("{path} exists: enter again overwrites it").format(path=path))
                return
            path.write_text(self._text, encoding="utf-8")
        except (OSError, ValueError, RuntimeError) as error:  # ValueError: a null; RuntimeError: an unknown ~user
            reason = error.strerror if isinstance(error, OSError) else error
            problem.update(
                _("file: '{name}' cannot be written ({reason}); allowed: a file in a writable directory").format(
                    name=name, reason=reason
                )
            )
            return
        self.dismiss(str(path))

    def action_cancel(self) -> None:
        """Write nothing."""
        self.dismiss(None)


class AskScreen(Boxed, ModalScreen["str | None"]):
    """Asks for a line of text."""

    DEFAULT_CSS = BOX.format(name="AskScreen", width=70)
    BINDINGS = [Binding("escape", "cancel", "close")]

    def __init__(
        self, title: str, text: str, empty_allowed: bool = False, attempt: Callable[[str], Awaitable[str]] | None = None
    ) -> None:
        """`attempt` does what is asked for, and says why that cannot be, or "": then the screen closes."""
        super().__init__()
        self._title, self._text, self._empty_allowed = title, text, empty_allowed
        self._attempt = attempt
        self._attempting = False

    def compose(self) -> ComposeResult:
        """The line."""
        with Vertical(classes="box") as box:
            box.border_title = _("{title} (enter chooses, escape closes)").format(title=self._title)
            yield Input(self._text, compact=True)
            yield Static("", id="why-not", markup=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take it, or say why not: what was typed is not lost."""
        text = event.value.strip()
        if (not text and not self._empty_allowed) or self._attempting:
            return
        self._attempting = True
        self.run_worker(self._take(text))

    async def _take(self, text: str) -> None:
        problem = await self._attempt(text) if self._attempt is not None else ""
        self._attempting = False
        if not problem and self.is_active:  # it may have been closed meanwhile
            self.dismiss(text)
        for why in self.query("#why-not").results(Static):
            why.update(problem)

    def action_cancel(self) -> None:
        """Leave it as it was."""
        self.dismiss(None)
