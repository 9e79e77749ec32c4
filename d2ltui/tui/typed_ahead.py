"""What is typed before the application has taken the terminal.

Until then the terminal puts lines together for whoever reads them, and keeps ctrl+r for itself: it shows the line that
is being typed once more. All other keys wait, and are read as soon as the application can.
"""

from __future__ import annotations

import contextlib
import os
import termios
from types import TracebackType


def in_foreground(number: int) -> bool:
    """Whether the terminal is ours: a shell takes it from what is stopped or in the background."""
    try:
        return os.tcgetpgrp(number) == os.getpgrp()
    except OSError:  # gone, or not the one that controls us
        return True


class TypedAhead:
    """From its beginning to `end`, or to its end as a context, ctrl+r waits, too, in the terminal of file `number`.

    A terminal that is another program's at the moment is left alone: to change it would stop this one.
    """

    def __init__(self, number: int = 0) -> None:
        self._number = number
        self._reprint: bytes | int | None = None  # the key, where it was taken away

    def __enter__(self) -> TypedAhead:
        with contextlib.suppress(OSError, termios.error, ValueError):  # no terminal, or one that has no such key
            if in_foreground(self._number):
                nothing = bytes([os.fpathconf(self._number, "PC_VDISABLE")])
                self._reprint = self._exchange(nothing)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """The terminal is as it was; once more, nothing."""
        reprint, self._reprint = self._reprint, None
        if reprint is not None:
            with contextlib.suppress(OSError, termios.error):
                self._exchange(reprint)

    def _exchange(self, key: bytes | int) -> bytes | int:
        """Give the terminal another key for that; returns the one before."""
        attributes = termios.tcgetattr(self._number)
        keys: list[bytes | int] = attributes[6]
        before, keys[termios.VREPRINT] = keys[termios.VREPRINT], key
        termios.tcsetattr(self._number, termios.TCSANOW, attributes)
        return before
