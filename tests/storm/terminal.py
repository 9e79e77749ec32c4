"""The storm in a real pseudo-terminal: what a person's application would bear."""

from __future__ import annotations

import collections
import contextlib
import os
import random
import re
import resource
import select
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pexpect
import psutil

from .weather import PROBE, Gust, Weather

# The backgrounds of Textual's two themes, as they are told to the terminal.
# Of the screen, and of what may cover all of it.
DARK, LIGHT = (b"48;2;18;18;18", b"48;2;30;30;30"), (b"48;2;224;224;224", b"48;2;216;216;216")
# More than one cell of it: the cursor of a text field is a single cell, in the other theme's colours, and it blinks.
MOVES = rb"(?:\r|\n|\x1b\[[\d;]*[A-H])*"
CELL, ERASED = rb"(?:[^\x1b\x80-\xff\r\n]|[\xc0-\xff][\x80-\xbf]+)", rb"\x1b\[\d*[JKX]"
AREA = rb"[\d;]*m" + MOVES + rb"(?:" + ERASED + rb"|" + CELL + MOVES + rb"(?:" + CELL + rb"|" + ERASED + rb"))"
SHOWN = {theme: re.compile(b"(?:" + b"|".join(theme) + b")" + AREA) for theme in (DARK, LIGHT)}
TAKEN = b"\x1b[?1049h"  # the alternate screen
HANG = 60.0  # seconds without an answer that count as a hang
SUSPENSION = 5.0  # seconds that a ctrl+z may take until the terminal is the application's again
PATIENCE = 2.5  # seconds after which the application takes a paste for complete whose end has been lost
MEMORY = 8 << 30  # bytes that the application may take: a width of a billion units is refused, not the machine's end
# In the application: SIGUSR1 has it write what the interface's thread does, and SIGUSR2 what every task waits for.
# Without a handler the signals would end it. The frames of threads that run meanwhile cannot be walked: one in a
# hundred such looks ends the process.
STACKS = """
import asyncio, faulthandler, signal
file = open({!r}, "a")
faulthandler.register(signal.SIGUSR1, file, all_threads=False)
def tell(*_):
    for task in asyncio.all_tasks():
        print("Task", task.get_name(), file=file)
        coroutine = task.get_coro()
        while (frame := getattr(coroutine, "cr_frame", None)) is not None:
            print("   ", frame.f_code.co_filename, frame.f_lineno, repr(frame.f_locals.get("self"))[:150], file=file)
            coroutine = coroutine.cr_await
    file.flush()
signal.signal(signal.SIGUSR2, tell)
"""
EXITS = {0, 130}  # the statuses of `q` and `ctrl+c`
BRACKETS = re.compile(rb"\x1b\[20[01]~")  # about a paste
ROOM = (30, 8)  # columns and rows in which the answer to a probe can be seen for certain


class Blown(Exception):
    """The application did not bear it."""


class Clock:
    """Seconds from now on, without those for which the threads of a process wanted a processor and had none.

    A machine with other work would have every key wait; that is no defect of the application's.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._begun, self._starved = time.monotonic(), self._waited()

    def _waited(self) -> float:
        """Linux tells it; elsewhere the machine is to be idle."""
        waited = 0
        for thread in Path(f"/proc/{self._pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError, IndexError, ValueError):
                waited += int(thread.read_text().split()[1])
        return waited / 1e9

    def seconds(self) -> float:
        """What has passed, at least nothing."""
        passed = time.monotonic() - self._begun
        return max(0.0, passed - max(0.0, self._waited() - self._starved))


class Report(NamedTuple):
    """How a session went."""

    events: int
    probes: int
    longest: float  # seconds that a probe waited


def run(
    arguments: Sequence[str],
    home: Path,
    cwd: Path,
    seed: str,
    events: int,
    limit: float,
    environment: Mapping[str, str] | None = None,
) -> Report:
    """Start the application and throw `events` at it, the first ones while it starts; it may end when it is told to.

    Raises:
        Blown: with what happened and the last events, where it fails, hangs, or answers after `limit` seconds.
    """
    session = Session(arguments, home, cwd, limit, environment or {})
    try:
        return session.weather(seed, events)
    except Blown as blown:
        last = "\n".join(f"    {gust.what} {gust.size or gust.data!r}" for gust in session.last)
        raise Blown(f"{blown}\nafter event {session.thrown} of {seed}; the last ones:\n{last}") from None
    finally:
        session.close()


class Session:
    """One application, from its start to its end."""

    def __init__(
        self, arguments: Sequence[str], home: Path, cwd: Path, limit: float, environment: Mapping[str, str]
    ) -> None:
        root = str(Path(__file__).resolve().parents[2])
        inherited = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR", "LC_ALL")}
        inherited |= {
            "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1",
            "D2LTUI_HOME": str(home), "PYTHONPATH": root,
            "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9",  # nothing is downloaded
        }  # fmt: skip
        self._home, self._limit = home, limit
        self.last: collections.deque[Gust] = collections.deque(maxlen=60)
        self.thrown, self.probes, self.longest = 0, 0, 0.0
        self._tail = bytearray()  # what it has said last
        self._background, self._size = DARK, (80, 24)
        self._suspended = self._taken = 0  # how often it was told to suspend itself, and has taken the terminal
        self._up, self._ended = False, False  # whether it has taken the terminal, and given it back
        self._failures = set(home.glob("failed-*.log"))
        self._stacks = home.parent / "stacks.txt"
        # As `d2ltui` starts; before that, ctrl+c would be the storm's own to bear.
        code = f"from d2ltui.spec import startup; startup.prepare()\n{STACKS.format(str(self._stacks))}"
        code += "\nfrom d2ltui.__main__ import main; main()"
        self._child = pexpect.spawn(
            sys.executable, ["-c", code, *arguments], env=inherited | dict(environment), cwd=str(cwd),
            dimensions=(24, 80), timeout=None, preexec_fn=_bounded,
        )  # fmt: skip
        self._process = psutil.Process(self._child.pid)
        self._started: list[psutil.Process] = []

    def weather(self, seed: str, events: int) -> Report:
        """Throw `events` at it, or until it ends."""
        weather = Weather(seed)
        chance = random.Random(f"probes of {seed}")
        self._read(chance.choice((0.0, chance.uniform(0.0, 1.5))))  # early: before there is anything to answer
        gusts, due = weather.gusts(), chance.randint(5, 60)
        while self.thrown < events:
            self._throw(next(gusts))
            if self._over():
                return self._good_end()
            if self.thrown >= due:
                due = self.thrown + chance.randint(20, 60)
                if not self._answers():
                    return self._good_end()
        if self._answers():
            self._leave()
        return self._good_end()

    def _throw(self, gust: Gust) -> None:
        self.thrown += 1
        self.last.append(gust)
        self._suspended += self._up and gust.what == "ctrl+z"
        if gust.size is not None:
            self._resize(gust.size)
        else:
            # Nobody puts brackets about a paste before he is asked to; the shell's line would lose the second one.
            self._write(gust.data if self._up else BRACKETS.sub(b"", gust.data))
        self._read(gust.pause)

    def _resize(self, size: tuple[int, int]) -> None:
        self._size = size
        with contextlib.suppress(OSError):
            self._child.setwinsize(size[1], size[0])

    def _write(self, data: bytes) -> None:
        """All of it; the application may take its time to read."""
        clock = Clock(self._process.pid)
        os.set_blocking(self._child.fileno(), False)
        while data and not self._ended:
            try:
                data = data[os.write(self._child.fileno(), data) :]
            except BlockingIOError:
                self._read(0.02)
                self._go_on()
            except OSError:
                self._ended = True
            if clock.seconds() > HANG:
                raise Blown(f"it has read no key for {HANG:g} s")

    def _read(self, seconds: float) -> None:
        """Take in what comes within `seconds`."""
        deadline = time.monotonic() + seconds
        while not self._ended:
            ready, _, _ = select.select([self._child.fileno()], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                return
            try:
                data = os.read(self._child.fileno(), 1 << 16)
            except BlockingIOError:
                continue
            except OSError:  # Linux's way to say that nobody holds the other end
                data = b""
            self._ended = not data
            self._taken += (self._tail[1 - len(TAKEN) :] + data).count(TAKEN)
            self._up = self._taken > 0
            self._tail += data
            del self._tail[: -(1 << 18)]
            if time.monotonic() >= deadline:
                return

    def _go_on(self) -> bool:
        """What the shell's `fg` would do, after ctrl+z."""
        with contextlib.suppress(psutil.Error):
            if self._process.status() == psutil.STATUS_STOPPED:
                os.kill(self._process.pid, signal.SIGCONT)
                return True
        return False

    def _over(self) -> bool:
        if not self._ended and self._go_on():
            self._read(0.1)
        return self._ended or not self._child.isalive()

    def _answers(self) -> bool:
        """Whether it goes on; every key that was thrown has been answered then, and one more within the limit."""
        if self._size[0] < ROOM[0] or self._size[1] < ROOM[1]:
            self._resize((80, 24))
        clock = Clock(self._process.pid)
        while not self._up:  # what comes before is the shell's line: ctrl+u kills it, and the probe with it
            if self._over():
                return False
            if clock.seconds() > HANG:
                raise Blown(f"it has not taken the terminal within {HANG:g} s")
            self._read(0.05)
        # Until a ctrl+z has been seen to, what is typed goes to the shell's line. A dialog, or a paste, may swallow it.
        clock = Clock(self._process.pid)
        while self._taken <= self._suspended and clock.seconds() < SUSPENSION and not self._over():
            self._read(0.05)
        self._suspended = self._taken - 1
        # A sequence that was cut off is given up, and a paste, too: the shell's line, after ctrl+z, may lose its end.
        self._read(PATIENCE if {"ctrl+z", "paste"} <= {gust.what for gust in self.last} else 0.25)
        if not self._ask():
            return False
        clock = Clock(self._process.pid)
        if not self._ask():
            return False
        waited = clock.seconds()
        self.probes += 1
        self.longest = max(self.longest, waited)
        if waited > self._limit:
            raise Blown(f"a key waited {waited:.2f} s, {self._where()}")
        return True

    def _ask(self) -> bool:
        """Have it show the other theme. False where it has ended."""
        self._background = LIGHT if self._background == DARK else DARK
        self._tail.clear()
        self._write(PROBE)
        clock, looked = Clock(self._process.pid), False
        while not SHOWN[self._background].search(self._tail):
            if self._over():
                return False
            if not looked and clock.seconds() > self._limit * 0.8:
                looked = True  # what it does meanwhile
                with contextlib.suppress(OSError):
                    os.truncate(self._stacks, 0)
                os.kill(self._process.pid, signal.SIGUSR1)
            if clock.seconds() > HANG:
                said = bytes(self._tail[-300:])
                os.kill(self._process.pid, signal.SIGUSR2)
                self._read(0.5)
                wanted = "dark" if self._background == DARK else "light"
                raise Blown(f"no {wanted} theme for {HANG:g} s; it has said {said!r}, {self._where()}")
            self._read(0.01)
        return True

    def _where(self) -> str:
        """What it did while a key waited."""
        try:
            return "while it did this:\n" + self._stacks.read_text()
        except OSError:
            return "and it is not known what it did"

    def _leave(self) -> None:
        """ctrl+c, which acts everywhere."""
        self._write(b"\x03")
        clock = Clock(self._process.pid)
        while not self._over():
            if clock.seconds() > HANG:
                raise Blown(f"ctrl+c has not ended it within {HANG:g} s")
            self._read(0.05)

    def _good_end(self) -> Report:
        with contextlib.suppress(psutil.Error):
            self._started = self._process.children(recursive=True)
        clock = Clock(self._process.pid)
        while self._child.isalive():
            if clock.seconds() > HANG:
                raise Blown(f"it has not ended within {HANG:g} s")
            time.sleep(0.02)
        status = self._child.exitstatus if self._child.signalstatus is None else 128 + int(self._child.signalstatus)
        said = bytes(self._tail[-3000:]).decode(errors="replace")
        for failure in sorted(set(self._home.glob("failed-*.log")) - self._failures):
            raise Blown(f"the interface failed:\n{failure.read_text()[-4000:]}")
        if status not in EXITS or "Traceback" in said:
            raise Blown(f"it ended with {status}, saying:\n{said}")
        return Report(self.thrown, self.probes, self.longest)

    def close(self) -> None:
        """Nothing of it is left."""
        with contextlib.suppress(psutil.Error):
            self._started += self._process.children(recursive=True)
        with contextlib.suppress(ProcessLookupError, pexpect.ExceptionPexpect, OSError):
            if self._child.isalive():
                os.kill(self._child.pid, signal.SIGKILL)
            self._child.close(force=True)
        _, alive = psutil.wait_procs(self._started, timeout=5)
        for process in alive:
            with contextlib.suppress(psutil.Error):
                process.kill()


def _bounded() -> None:
    """In the child, before it begins."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
