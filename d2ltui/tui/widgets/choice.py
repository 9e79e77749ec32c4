"""A paragraph that can be chosen: `enter` on it, or a click when it has the focus already."""

from __future__ import annotations

from textual import events
from textual.binding import Binding
from textual.message import Message
from textual.widgets import Static


class Choice(Static, can_focus=True):
    """One of several below each other. The arrows go from one to the next: the screen sees to that."""

    BINDINGS = [Binding("enter", "choose", "into the form", key_display="enter")]
    DEFAULT_CSS = """
    Choice { height: auto; margin-bottom: 1; }
    Choice:focus { background: $primary 30%; }
    """

    class Chosen(Message):
        """It was chosen."""

        def __init__(self, choice: Choice) -> None:
            self.choice = choice
            super().__init__()

    def __init__(self, number: int) -> None:
        """`number` is its place among those of its kind, from 0."""
        super().__init__(markup=False)
        self.number = number

    def action_choose(self) -> None:
        """Take it."""
        self.post_message(self.Chosen(self))

    def on_click(self, event: events.Click) -> None:
        """The first click moves the focus here, another one chooses."""
        if event.chain > 1:
            self.action_choose()
