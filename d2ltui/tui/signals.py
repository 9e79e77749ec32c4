"""Signals to the application, from before it takes the terminal until everything of it has ended.

The handlers only note what has come, and the event loop obeys: at any other moment the interface may be in the middle
of something. What comes before the loop listens, or when it no longer does, is noted, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Protocol

from d2ltui.spec.signals import ONE_REQUEST

TAKEN = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGTSTP, signal.SIGCONT)
# After `bg`, or a SIGCONT that comes before SIGTERM: how long the application looks whether it is to end, or has the
# terminal again, before it stops once more. In seconds.
GRACE = 0.3
LOOK_EVERY = 0.01


class Obeys(Protocol):
    """Whom the signals are for; called in the event loop."""

    def leave(self, status: int = 0) -> None:
        """End, with an exit status."""

    def hang_up(self) -> None:
        """The terminal is gone."""

    def suspend_to_shell(self) -> None:
        """ctrl+z."""

    def continued(self) -> None:
        """The process has been continued, and had not suspended itself."""


class AppSignals:
    """While it is open, the signals of `TAKEN` are requests to the application.

    `ended_by` is the first one that asked for the end, or None; a hang-up is no such request. `impatient` says whether
    that was asked for again, half a second later or more.
    """

    def __init__(self) -> None:
        self.ended_by: int | None = None
        self.impatient = False
        self.on_end: Callable[[], None] | None = None  # called by the handler, once no loop runs any more
        self._ended_at = 0.0
        self._hung_up = self._suspend = self._continued = False
        self._previous: dict[int, signal._HANDLER] = {}
        self._app: Obeys | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told_end = self._told_hangup = False

    def __enter__(self) -> AppSignals:
        self._previous = {number: signal.getsignal(number) for number in (*TAKEN, signal.SIGTTOU)}
        self.take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def take(self) -> None:
        """Put the handlers in place; again after Textual's driver has put its own there."""
        for number in TAKEN:
            signal.signal(number, self._note)

    def attach(self, app: Obeys) -> None:
        """From now on `app` obeys, in the running loop: also what has been noted before."""
        self._app, self._loop = app, asyncio.get_running_loop()
        self._loop.call_soon(self._handle_requests)

    def detach(self) -> None:
        """The loop has ended. A wish to be suspended that it has not heard is fulfilled now."""
        self._app = self._loop = None
        signal.signal(signal.SIGCONT, signal.SIG_DFL)
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # what is still said is said from the background, too
        if self._suspend and not self.end_wanted:
            signal.raise_signal(signal.SIGTSTP)

    def ignore_hangups(self) -> None:
        """Shells and kernels send more than one, and the next may come when nobody listens any more."""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    @property
    def end_wanted(self) -> bool:
        """Whether the interface is to end."""
        return self.ended_by is not None or self._hung_up

    def stop_process(self, number: int) -> bool:
        """Let `number` (SIGTSTP or SIGTTOU) stop this process until it is continued; False where it does not stop.

        The kernel refuses where nobody could continue it: where not a shell has started the application, but `ssh -t`
        or a terminal's window. SIGSTOP would stop it there for ever.
        """
        handler = signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_BLOCK, {number})
        signal.raise_signal(number)  # it waits; a SIGCONT from now on discards it
        time.sleep(0)  # a SIGCONT until now has been noted after this
        if self._continued or self.end_wanted:
            signal.signal(number, signal.SIG_IGN)  # so does this
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        signal.signal(number, handler)
        self.wait_for(lambda: self._continued)  # another thread may have taken it
        continued, self._continued = self._continued, False
        return continued

    def wait_for(self, condition: Callable[[], bool]) -> bool:
        """Whether, within a moment, `condition` has come true or the end is wanted."""
        until = time.monotonic() + GRACE
        while not (self.end_wanted or condition()):
            if time.monotonic() > until:
                return False
            time.sleep(LOOK_EVERY)
        return True

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._hung_up = True
        elif number == signal.SIGTSTP:
            self._suspend, self._continued = True, False
        elif number == signal.SIGCONT:
            self._suspend, self._continued = False, True
        elif self.ended_by is None:
            self.ended_by, self._ended_at = number, time.monotonic()
        elif time.monotonic() - self._ended_at >= ONE_REQUEST:
            self.impatient = True
        if self.ended_by is not None and self.on_end is not None:
            self.on_end()
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has just been closed
                self._loop.call_soon_threadsafe(self._handle_requests)

    def _handle_requests(self) -> None:
        if self._app is None:
            return
        if self.ended_by is not None:
            if not self._told_end:
                self._told_end = True
                self._app.leave(128 + self.ended_by)
        elif self._hung_up:
            if not self._told_hangup:
                self._told_hangup = True
                self._app.hang_up()
        elif self._suspend:
            self._suspend = self._continued = False
            self._app.suspend_to_shell()
            if self._loop is not None:
                self._loop.call_soon(self._handle_requests)  # what has come meanwhile
        elif self._continued:
            self._continued = False
            self._app.continued()


def suspend_group() -> None:
    """ctrl+z as the terminal would tell it: to all that the shell has started together."""
    os.kill(0, signal.SIGTSTP)
