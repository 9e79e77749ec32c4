"""A real pseudo-terminal with a program in it: what a person would see, and what the terminal was told."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import psutil
import pyte

from tests import processes
from tests.processes.pty import Pty

PATIENCE = 60.0  # seconds until what was waited for counts as missing
KEYS = {"enter": "\r", "tab": "\t", "escape": "\x1b", "down": "\x1b[B", "up": "\x1b[A", "right": "\x1b[C"}
# What an application switches on, and has to switch off again: alternate screen, mouse, focus, pasting.
MODES = ("1049", "1000", "1002", "1003", "1004", "1006", "1015", "1016", "2004", "2048")


class _Screen(pyte.Screen):
    """An emulator that answers no questions."""

    def report_device_status(self, *args: object, **kwargs: object) -> None:
        pass

    def report_device_attributes(self, *args: object, **kwargs: object) -> None:
        pass


class Terminal:
    """A program in a terminal of `columns` × `rows`."""

    def __init__(
        self,
        command: Sequence[str],
        columns: int = 120,
        rows: int = 40,
        environment: Mapping[str, str] | None = None,
        *,
        warm: bool = False,
    ) -> None:
        inherited = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR", "LC_ALL")}
        # One thread: networks this small are no faster with more, and slower where cores are shared.
        inherited |= {"OMP_NUM_THREADS": "1"}
        inherited |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"} | dict(environment or {})
        self.raw = bytearray()
        self._screen = _Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._text: str | None = None  # what is on the screen, until more arrives
        self.child = Pty(command, rows, columns, {k: v for k, v in inherited.items() if v}, warm=warm)
        self._ended = False
        self.process = psutil.Process(self.child.pid)
        # The line discipline as the shell would have left it, before the program changes it.
        self._settings = termios.tcgetattr(self.child.fileno())

    @property
    def pid(self) -> int:
        return self.child.pid

    def read(self, seconds: float) -> bool:
        """Take in what arrives within `seconds`; False where nothing did."""
        if self._ended:
            return False
        if not select.select([self.child.fileno()], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.child.fileno(), 1 << 16)
        except OSError:  # Linux's way to say that nobody holds the other end
            data = b""
        if not data:
            self._ended = True
            return False
        self.raw += data
        self._text = None
        with contextlib.suppress(Exception):  # a sequence that the emulator does not know
            self._stream.feed(data)
        return True

    def text(self) -> str:
        """The screen, without blanks at the ends of lines."""
        if self._text is None:
            self._text = "\n".join(line.rstrip() for line in self._screen.display)
        return self._text

    def clear(self) -> None:
        """Forget what is on the screen, as a terminal does that shows something else in between."""
        self._screen.reset()
        self._text = None

    def until(self, condition: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
        deadline = time.monotonic() + patience
        while not condition():
            assert not self._ended, f"it ended before {what}:\n{self.text()}"
            assert time.monotonic() < deadline, f"never in {patience:g} s: {what}; on the screen:\n{self.text()}"
            self.read(0.05)

    def wait(self, text: str) -> None:
        """Until `text` is on the screen."""
        self.until(lambda: text in self.text(), repr(text))

    def press(self, *keys: str) -> None:
        """Keys, one after the other, each read before the next one is hit; `ctrl+r` and the like by name."""
        for key in keys:
            self.send(key)
            while self.read(0.15):
                pass

    def send(self, key: str) -> None:
        """A key, or several characters, without waiting for what becomes of it."""
        data = chr(ord(key[-1].upper()) & 0x1F) if key.startswith("ctrl+") else KEYS.get(key, key)
        os.write(self.child.fileno(), data.encode())

    def resize(self, columns: int, rows: int) -> None:
        self.child.setwinsize(rows, columns)
        self._screen.resize(rows, columns)
        self._text = None

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def helpers(self) -> list[psutil.Process]:
        """The processes that the program has started."""
        return self.process.children(recursive=True)

    def ended(self) -> int:
        """Wait for the end; the exit status as a shell tells it (128 + the number of the signal that killed it)."""
        deadline = time.monotonic() + PATIENCE
        while (status := self.child.status) is None:
            assert time.monotonic() < deadline, f"it has not ended within {PATIENCE:g} s:\n{self.text()}"
            self.read(0.05)
        while self.read(0.1):
            pass
        return status

    def assert_restored(self) -> None:
        """Every mode that was switched on is off, the cursor is there, and the line discipline is the shell's."""
        sequences = re.findall(rb"\x1b\[\?([\d;]+)([hl])", bytes(self.raw))
        state = {number: switch for numbers, switch in sequences for number in numbers.decode().split(";")}
        assert state.get("1049") == b"l", "the alternate screen was not left"
        assert state.get("25") == b"h", "the cursor stays hidden"
        assert [mode for mode in MODES if state.get(mode) == b"h"] == []
        assert state.get("7", b"h") == b"h", "lines are not wrapped"
        pushed, popped = re.findall(rb"\x1b\[>\d+u", bytes(self.raw)), re.findall(rb"\x1b\[<\d*u", bytes(self.raw))
        assert len(pushed) == len(popped), "Kitty's keyboard mode stays on"
        with contextlib.suppress(termios.error):  # nobody holds the other end any more
            assert termios.tcgetattr(self.child.fileno())[:4] == self._settings[:4]

    def vanish(self) -> None:
        """Close the terminal's window."""
        self.child.hang_up()
        self._ended = True

    def close(self) -> None:
        self.child.close()


T = TypeVar("T", bound=Terminal)


@contextlib.contextmanager
def application(
    *arguments: str,
    size: tuple[int, int] = (120, 40),
    before: str = "",
    within: type[T] = Terminal,  # type: ignore[assignment]
    cold: bool = False,
    unhurried: bool = False,
    **environment: str,
) -> Iterator[T]:
    """`d2ltui` with `arguments` in a terminal; `before` is Python that runs first. Nothing of it is left at the end.

    A `cold` one has to import PyTorch, which takes seconds. The steps of an `unhurried` one take milliseconds, and
    leave the processor to others.
    """
    code = ["-c", f"{before}\nfrom d2ltui.__main__ import main\nmain()"] if before else ["-m", "d2ltui"]
    code = [*processes.UNHURRIED] if unhurried else code
    terminal = within([sys.executable, *code, *arguments], *size, environment, warm=not cold)
    started: list[psutil.Process] = []
    try:
        yield terminal
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            started = terminal.helpers()
        terminal.close()
        assert_gone(started)


def assert_gone(processes: Sequence[psutil.Process]) -> None:
    """Processes that were started end by themselves."""
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE)
    for process in alive:
        process.kill()
    assert alive == []
