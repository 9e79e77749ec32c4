"""A key's answer waits for no search for garbage, and for no frame: either comes in every second or third answer."""

from __future__ import annotations

import asyncio
import time

from d2ltui.spec import collector


class Undisturbed:
    """Holds the garbage collector off from `begin` to `end`, or for `seconds`, where no end comes; and frames."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._starting = True
        self._until: asyncio.TimerHandle | None = None
        self._expected = 0.0  # until when, by the monotonic clock, an answer is under way
        self._put_off = False  # whether the last frame was

    def expect(self) -> None:
        """A key has been read, or the first character of one. Called in the thread that reads."""
        self._expected = time.monotonic() + self._seconds

    def puts_off(self) -> bool:
        """Whether the frame that is due now waits for the next time: then it comes, however many keys there are."""
        self._put_off = not self._put_off and time.monotonic() < self._expected
        return self._put_off

    def started(self) -> None:
        """The start, for which the command line has held it off, is over: all is painted, or the application ends."""
        if self._starting:
            self._starting = False
            collector.release()

    def begin(self) -> None:
        """A key is about to be handled. While it is, another one prolongs nothing."""
        if self._until is None:
            collector.hold()
            self._until = asyncio.get_running_loop().call_later(self._seconds, self.end)

    def end(self) -> None:
        """Its answer is on its way to the terminal."""
        self._expected = 0.0
        if self._until is not None:
            self._until.cancel()
            self._until = None
            collector.release()
