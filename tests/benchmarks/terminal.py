"""The real application in a pseudo-terminal, and a reader that costs it nothing.

The reader is a thread of the benchmark's process. It only reads, looks at the clock and keeps the bytes; whatever they
mean is worked out after the measurement. That is fair: the measured application is another process, so that the thread
shares no interpreter lock with it, and it wakes once for each write, as sshd or a terminal emulator would, and does
less.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import tempfile
import termios
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

COLUMNS, LINES = 160, 45
ROOT = Path(__file__).resolve().parents[2]
HOME = tempfile.TemporaryDirectory(prefix="d2ltui-benchmark-home-")  # for the runs: the user's own are left alone


class Terminal:
    """A command in a pseudo-terminal of 160 × 45."""

    def __init__(
        self, command: Sequence[str], columns: int = COLUMNS, lines: int = LINES, *, home: str = HOME.name
    ) -> None:
        self.columns, self.lines = columns, lines
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.chunks: list[tuple[float, bytes]] = []
        self.count = 0
        self._reading = threading.Event()
        self._reading.set()
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            list(command),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            cwd=ROOT,
            env=environment(TERM="xterm-256color", COLORTERM="truecolor", D2LTUI_HOME=home),
        )
        os.close(slave)
        threading.Thread(target=self._read, name="reader", daemon=True).start()

    @property
    def pid(self) -> int:
        """The application's process."""
        return self.process.pid

    def _read(self) -> None:
        while True:
            self._reading.wait()
            try:
                chunk = os.read(self._master, 1 << 16)
            except OSError:
                return
            if not chunk:
                return
            self.chunks.append((time.monotonic(), chunk))
            self.count += len(chunk)

    def press(self, key: str) -> float:
        """Send a key; returns when."""
        pressed = time.monotonic()
        os.write(self._master, key.encode())
        return pressed

    def stop_reading(self) -> None:
        """Flow control, or a laptop that sleeps: what is sent now stays in the pseudo-terminal's buffer."""
        self._reading.clear()

    def go_on_reading(self) -> None:
        """The end of `stop_reading`."""
        self._reading.set()

    def wait_for(self, text: str, timeout: float = 120.0) -> float:
        """When the bytes with `text` arrived, escape sequences and all.

        Raises:
            TimeoutError: where they do not, with the end of what was sent instead.
        """
        wanted, seen, kept = text.encode(), 0, b""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            while seen < len(self.chunks):
                when, chunk = self.chunks[seen]
                seen += 1
                kept = kept[-len(wanted) :] + chunk
                if wanted in kept:
                    return when
            if self.process.poll() is not None and seen == len(self.chunks):
                break
            time.sleep(0.002)
        tail = b"".join(chunk for _, chunk in self.chunks[-5:])[-1500:]
        raise TimeoutError(f"the application did not show {text!r}; it ended with {tail.decode(errors='replace')}")

    def close(self) -> None:
        """End the application."""
        end_tree(self.process)
        self._reading.set()
        with contextlib.suppress(OSError):
            os.close(self._master)


def environment(**more: str) -> dict[str, str]:
    """This process's environment, without what would switch Textual's features or colours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TEXTUAL", "NO_COLOR"))}
    path = os.pathsep.join(filter(None, (str(ROOT), kept.get("PYTHONPATH"))))
    return {**kept, "PYTHONPATH": path, "PYTHONUTF8": "1", "D2LTUI_HOME": HOME.name, **more}


def end_tree(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and its descendants, and nothing else."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.send_signal(signal.SIGKILL)
    process.kill()
    process.wait()


def thread_seconds(pid: int) -> float:
    """Processor time of a process's main thread: the interface's."""
    for thread in psutil.Process(pid).threads():
        if thread.id == pid:
            return float(thread.user_time + thread.system_time)
    raise ProcessLookupError(pid)


def cpu_seconds(pid: int) -> float:
    """The main thread's processor time, from the scheduler where it tells nanoseconds."""
    try:
        return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9
    except (OSError, ValueError, IndexError):
        return thread_seconds(pid)
