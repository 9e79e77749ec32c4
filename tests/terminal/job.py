"""A program in a terminal, started by a shell with job control: it can be stopped, and continued."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil
from terminal import PATIENCE, Terminal

_SHELL = str(Path(__file__).with_name("job_control.py"))


class Job(Terminal):
    """`command`, in the foreground of a terminal. `pid` is its own, `status` its exit status once it has ended.

    `events` is what the shell has seen: ("stopped", 20) and ("ended", 143). `changed` are those at which the terminal's
    line discipline was not what it had been before the start.
    """

    def __init__(
        self,
        command: Sequence[str],
        columns: int = 120,
        rows: int = 40,
        environment: Mapping[str, str] | None = None,
        *,
        warm: bool = False,
    ) -> None:
        self._folder = tempfile.TemporaryDirectory()
        path = os.path.join(self._folder.name, "shell")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(1)
        self.events: list[tuple[str, int]] = []
        self.changed: list[tuple[str, int]] = []
        self._pending = b""
        self._job = 0
        bare = () if warm else ("-I", "-S")
        super().__init__([sys.executable, *bare, _SHELL, path, *command], columns, rows, environment, warm=warm)
        self._listener.settimeout(PATIENCE)
        self._shell, _ = self._listener.accept()
        self.until(lambda: self._job, "a started program")
        self.process = psutil.Process(self._job)

    @property
    def pid(self) -> int:
        return self._job

    @property
    def status(self) -> int | None:
        """The exit status, as a shell tells it; None while it has not ended."""
        return next((number for what, number in self.events if what == "ended"), None)

    @property
    def stopped(self) -> bool:
        """Whether the shell has seen it stop, and nobody has continued it since."""
        return self.status is None and psutil.pid_exists(self._job) and self._state() == psutil.STATUS_STOPPED

    def _state(self) -> str:
        with contextlib.suppress(psutil.NoSuchProcess):
            return str(self.process.status())
        return ""

    def read(self, seconds: float) -> bool:
        """Take in what arrives within `seconds`, from the program and from the shell."""
        self._listen()
        got = super().read(seconds)
        self._listen()
        return got

    def _listen(self) -> None:
        if not hasattr(self, "_shell"):
            return
        while select.select([self._shell], [], [], 0)[0]:
            data = self._shell.recv(4096)
            if not data:
                return
            *lines, self._pending = (self._pending + data).split(b"\n")
            for line in lines:
                what, number, *same = line.decode().split()
                if what == "started":
                    self._job = int(number)
                    continue
                self.events.append((what, int(number)))
                if same == ["0"]:
                    self.changed.append((what, int(number)))

    def await_(self, condition: Callable[[], object], patience: float) -> bool:
        """Whether `condition` comes true within `patience` seconds."""
        deadline = time.monotonic() + patience
        while not condition():
            if time.monotonic() > deadline:
                return False
            if not self.read(0.02):
                time.sleep(0.005)
        return True

    def shell(self, command: str) -> None:
        """`fg` or `bg`."""
        self._shell.sendall(f"{command}\n".encode())

    def ended(self) -> int:
        """Wait for the end; the exit status as a shell tells it."""
        assert self.await_(lambda: self.status is not None, PATIENCE), f"it has not ended:\n{self.text()}"
        assert self.status is not None
        return self.status

    def wait_stopped(self) -> None:
        """Until the shell has the terminal again."""
        seen = len([1 for what, _ in self.events if what == "stopped"])
        assert self.await_(lambda: self.stopped and len(self.events) >= max(1, seen), PATIENCE), "it does not stop"
        while self.read(0.05):
            pass

    def close(self) -> None:
        for pid in (self._job, self.child.pid):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if pid and psutil.pid_exists(pid):
                    os.kill(pid, signal.SIGKILL)
        super().close()
        self._shell.close()
        self._listener.close()
        self._folder.cleanup()
