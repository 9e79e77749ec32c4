"""Fields of the form: a number or text to type, and a choice to turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from textual import events
from textual.binding import Binding
from textual.content import Content
from textual.geometry import Region
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input, Static

from d2ltui.spec.width import cells, padded
from d2ltui.tui.render.cached import KeptLooks

if TYPE_CHECKING:
    from typing_extensions import Self

LABEL_WIDTH = 13
DIGITS = "0123456789"


class FieldChanged(Message):
    """A field has another text."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__()
        self.name = name
        self.text = text


class FieldSubmitted(Message):
    """Enter was pressed in a field."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__()
        self.name = name
        self.text = text


class ChoiceField(KeptLooks, Widget, can_focus=True):
    """One of a few words: ← and → turn it, enter lists all with their meaning."""

    DEFAULT_CSS = """
    ChoiceField { height: 1; width: 1fr; }
    ChoiceField:focus { background: $surface-lighten-2; text-style: bold; }
    """
    BINDINGS = [
        Binding("left", "turn(-1)", show=False),
        Binding("right", "turn(1)", show=False),
        Binding("enter", "list", show=False),
    ]

    value: reactive[str] = reactive("", init=False)

    class ListAsked(Message):
        """The list of all choices is wanted."""

        def __init__(self, field: ChoiceField) -> None:
            super().__init__()
            self.field = field

    def __init__(self, field: str, label: str, meanings: Mapping[str, str], value: str) -> None:
        super().__init__(id=f"field-{field}")
        self.field = field
        self.label = label
        self.meanings = meanings
        self.choices: tuple[str, ...] = tuple(meanings)
        self.set_reactive(ChoiceField.value, value)

    @property
    def text(self) -> str:
        """What it shows, as any field's text."""
        return self.value

    def set_choices(self, choices: Sequence[str]) -> None:
        """Offer only these."""
        self.choices = tuple(choices)

    def render(self) -> Content:
        """`label  ‹ value ›`"""
        at, value = self._places()
        return Content(f"{padded(self.label, at)}‹ {value} ›")

    def _places(self) -> tuple[int, str]:
        """The column of the left arrow, further left for a long value, and the value as far as it fits."""
        width = self.size.width
        at = max(cells(self.label) + 1, min(LABEL_WIDTH, width - len(self.value) - 4))
        space = max(1, width - at - 4)
        return at, self.value if len(self.value) <= space else self.value[: space - 1] + "…"

    def action_turn(self, by: int) -> None:
        """The next choice, or the one before."""
        at = self.choices.index(self.value) if self.value in self.choices else 0
        self.choose(self.choices[(at + by) % len(self.choices)])

    def action_list(self) -> None:
        """Ask for the list of all."""
        self.post_message(self.ListAsked(self))

    def choose(self, value: str) -> None:
        """Take `value`, as a person's choice."""
        if value != self.value:
            self.value = value
            self.post_message(FieldChanged(self.field, value))

    def on_click(self, event: events.Click) -> None:
        """A click on the left arrow turns back, on the right one forth, elsewhere lists all."""
        self.focus()
        at, value = self._places()
        end = at + 3 + len(value)
        if at <= event.x <= at + 1:
            self.action_turn(-1)
        elif end - 1 <= event.x <= end + 1:
            self.action_turn(1)
        else:
            self.action_list()


class Entry(KeptLooks, Input):
    """What is typed into a field. It is as wide as its column, whatever that is: nothing else moves."""

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Draw it again. Textual lays out the whole screen for each character: the text has another width."""
        return super().refresh(*regions, repaint=repaint or layout, recompose=recompose)


class TextField(KeptLooks, Widget, can_focus=True):
    """A label, something to type, and below it what is wrong. The label is its own; so a form has few widgets.

    With the focus it is chosen only, and letters are keys. Enter edits its text, a digit begins another one.
    """

    DEFAULT_CSS = """
    TextField { height: auto; width: 1fr; layout: vertical; }
    TextField Input, TextField Input:focus { border: none; height: 1; padding: 0; }
    TextField Input { width: 1fr; margin-left: 13; background: $surface-lighten-1; }
    TextField:focus, TextField:focus Input { background: $surface-lighten-2; text-style: bold; }
    TextField Input:focus { background: $surface-lighten-2; text-style: bold; }
    TextField > .problem { color: $text-error; height: auto; }
    TextField.-wrong { color: $text-error; text-style: bold; }
    """
    BINDINGS = [Binding("enter", "edit", "edit", key_display="enter")]

    def __init__(self, field: str, label: str, value: str) -> None:
        # What is typed is validated by the form. (Validators, and `compact`, would have each of them styled once more.)
        self.input = Entry(value, validate_on=(), select_on_focus=False)
        super().__init__(self.input, id=f"field-{field}")
        self.field = field
        self.label = label
        self._problem: Static | None = None  # only where something is wrong

    def render(self) -> Content:
        """The label; what one types covers the rest."""
        return Content(self.label)

    @property
    def text(self) -> str:
        """What is typed."""
        return self.input.value

    @property
    def editing(self) -> bool:
        """Whether letters are text here."""
        return self.input.has_focus

    def action_edit(self) -> None:
        """Put the cursor behind the text."""
        self.input.cursor_position = len(self.input.value)
        self.screen.set_focus(self.input)  # at once: `focus()` comes after the next key

    def on_key(self, event: events.Key) -> None:
        """A digit takes the text's place."""
        if self.has_focus and event.character is not None and event.character in DIGITS:
            event.stop()
            self.input.value = event.character
            self.action_edit()

    def on_click(self) -> None:
        """A click edits, on the label, too."""
        self.action_edit()

    def set_text(self, text: str) -> None:
        """Show `text`, without telling anybody."""
        if self.input.value != text:
            with self.prevent(Input.Changed):
                self.input.value = text

    def set_problem(self, problem: str | None) -> None:
        """Say what is wrong; None: nothing."""
        self.set_class(problem is not None, "-wrong")
        if problem is None:
            if self._problem is not None:
                self._problem.remove()
                self._problem = None
        elif self._problem is None:
            self._problem = Static(problem, classes="problem", markup=False)
            self.mount(self._problem)
        else:
            self._problem.update(problem)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Pass it on under the field's name."""
        event.stop()
        self.post_message(FieldChanged(self.field, event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Pass it on under the field's name."""
        event.stop()
        self.post_message(FieldSubmitted(self.field, event.value))
