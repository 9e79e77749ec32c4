"""A process in a pseudo-terminal of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence

from tests.processes import Warm, can_fork


class Pty:
    """`command` as the leader of a terminal's session; where `warm`, this Python, and forked if that can be."""

    def __init__(
        self, command: Sequence[str], rows: int, columns: int, environment: Mapping[str, str], *, warm: bool
    ) -> None:
        self._master, slave = os.openpty()
        self.setwinsize(rows, columns)
        streams = {"stdin": slave, "stdout": slave, "stderr": slave, "env": dict(environment)}
        try:
            if warm and command[0] == sys.executable and can_fork(environment):
                self._process: subprocess.Popen[bytes] = Warm(command[1:], session=True, **streams)
            else:
                self._process = subprocess.Popen(
                    command, start_new_session=True, preexec_fn=_take_terminal, **streams  # type: ignore[call-overload]
                )  # fmt: skip
        finally:
            os.close(slave)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def status(self) -> int | None:
        """The exit status as a shell tells it (128 + the number of the signal that killed it); None while it runs."""
        code = self._process.poll()
        return code if code is None or code >= 0 else 128 - code

    def fileno(self) -> int:
        return self._master

    def setwinsize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def hang_up(self) -> None:
        """Close the terminal's window."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def close(self) -> None:
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self._process.wait()
        self.hang_up()


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
