"""A key goes first: while it is answered, the training stands aside.

On a CPU the training uses every core. A key that changes the layout takes 20 ms of the interface's thread, and as long
again where each piece of it has to wait for a core. Between two steps nothing is lost by waiting but that moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from d2ltui.engine.control import Control

if TYPE_CHECKING:
    from d2ltui.tui.app import D2LApp

AT_MOST = 0.06  # seconds: an answer that takes longer goes on beside the training
CHART_EVERY = 0.004  # seconds between two looks at whether the charts of the answer are drawn


class Courtesy:
    """Has the application's own run stand aside from a key press to what the screen then shows."""

    def __init__(self, app: D2LApp) -> None:
        self._app = app
        self._keys = 0

    def key_pressed(self) -> None:
        """A key has arrived, and is about to be answered."""
        control = self._app.control
        if not isinstance(control, Control) or control.mode == "pause":
            return  # nothing trains here: there is no run, it waits, or it is another process's
        self._keys += 1
        control.give_way(AT_MOST)
        self._app.call_after_refresh(self._painted, control, self._keys)

    def _painted(self, control: Control, key: int) -> None:
        if key != self._keys:
            return  # the answer to a later key is still to come
        if self._app.drawing:
            self._app.set_timer(CHART_EVERY, lambda: self._charts_there(control, key))
        else:
            control.go_on()

    def _charts_there(self, control: Control, key: int) -> None:
        if self._app.drawing:
            self._painted(control, key)
        else:
            self._app.call_after_refresh(self._painted, control, key)  # the charts are still to be painted
