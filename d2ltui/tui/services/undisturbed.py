"""A key's answer waits for no search for garbage: it leaves little, and one would come in every second answer."""

from __future__ import annotations

import asyncio

from d2ltui.spec import collector


class Undisturbed:
    """Holds the garbage collector off from `begin` to `end`, or for `seconds`, where no end comes."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """A key is about to be handled. While it is, another one prolongs nothing."""
        if self._until is None:
            collector.hold()
            self._until = asyncio.get_running_loop().call_later(self._seconds, self.end)

    def end(self) -> None:
        """Its answer is on its way to the terminal."""
        if self._until is not None:
            self._until.cancel()
            self._until = None
            collector.release()
