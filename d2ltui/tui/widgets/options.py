"""A list to choose from that bears any key at any moment."""

from __future__ import annotations

import contextlib

from textual.widgets import OptionList


class Options(OptionList):
    """Textual's, which moves by pages over lines that it lays out later.

    Before that, in a terminal without room for a line, or when a word in the list has just changed, it does not know
    where an option stands and raises. Then the page keys do nothing.
    """

    def action_page_up(self) -> None:
        """One page up."""
        with contextlib.suppress(KeyError, IndexError):
            super().action_page_up()  # type: ignore[no-untyped-call]

    def action_page_down(self) -> None:
        """One page down."""
        with contextlib.suppress(KeyError, IndexError):
            super().action_page_down()  # type: ignore[no-untyped-call]
