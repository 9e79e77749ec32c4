"""Signals to a command that trains in its main thread: requests to the run, obeyed after its current step."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Literal, Protocol, TypeAlias

OnHangup: TypeAlias = Literal["continue", "stop"]
ONE_REQUEST = 0.5  # seconds within which a second signal is the first once more: `timeout` and Slurm send it twice


class Stoppable(Protocol):
    """What can be asked to end soon, from a signal handler."""

    def stop(self) -> None:
        """Ask it."""


class Signals:
    """While it is open, signals are requests to whatever run is `watch`ed.

    SIGINT and SIGTERM end it after the current step; a second one, half a second later or more, does not wait for
    that. SIGHUP, the terminal that is gone, ends it or lets it go on unseen. `caught` is the signal that is to end
    everything, or None.
    """

    def __init__(self, on_hangup: OnHangup = "continue", clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._on_hangup = on_hangup
        self._control: Stoppable | None = None
        self._previous: dict[int, signal._HANDLER] = {}
        self._terminals: list[int] = []
        self._asked: float | None = None  # when a person or a system asked for the end: a hang-up is no such request
        self.caught: int | None = None

    def __enter__(self) -> Signals:
        # Asked now: a terminal that is gone is none any more.
        self._terminals = [number for number in (0, 1, 2) if os.isatty(number)]
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._end)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup
            self._previous[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._hang_up)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    @property
    def status(self) -> int | None:
        """The exit status, where a signal decides it."""
        return 128 + self.caught if self.caught is not None else None

    def watch(self, control: Stoppable) -> None:
        """From here on, `control` is who is asked."""
        self._control = control
        if self.caught is not None:
            control.stop()

    def lost_terminal(self) -> bool:
        """The terminal is gone; whether the run goes on."""
        null = os.open(os.devnull, os.O_RDWR)
        for number in self._terminals:
            os.dup2(null, number)  # whatever is printed now has somewhere to go
        os.close(null)
        if self._on_hangup == "stop":
            self._stop(signal.SIGHUP)
        return self._on_hangup == "continue"

    def _end(self, number: int, frame: FrameType | None) -> None:
        now = self._clock()
        if self._asked is None:
            self._asked = now
        elif now - self._asked < ONE_REQUEST:
            return
        else:  # asked twice: do not wait for the step
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self._stop(number)

    def _hang_up(self, number: int, frame: FrameType | None) -> None:
        self.lost_terminal()

    def _stop(self, number: int) -> None:
        self.caught = number
        if self._control is not None:
            self._control.stop()
