"""What a process does that trains for another one: it is silent, obeys it, and ends with it.

It is asked to end, and seen to be at work, by files in a directory that both can reach: `go` is there as long as it is
to go on, `begun-N-…` says that somebody has begun piece N, and `at-N` which part of it is done.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from d2ltui.engine.control import Control

P = TypeVar("P", contravariant=True)
R = TypeVar("R", covariant=True)

GO, AT = "go", "at"
LOOK_EVERY = 0.1  # seconds
ORPHANED = 20.0  # seconds after which a process whose owner has gone ends, whatever it does
SILENT = 60.0  # seconds without a sign of life from an owner on another machine, after which it has gone

_one_at_a_time = threading.Lock()  # PyTorch's random numbers and its threads are the process's
_under_way: Control | None = None


class Ticket(NamedTuple):
    """Who has work done: the directory, the process on this machine (0: on another one), environment variables."""

    desk: str
    owner: int
    environment: dict[str, str]


class Work(Protocol[P, R]):
    """What is done with a piece, which may have been begun by a process that has died, and how far it is told."""

    def __call__(self, piece: P, control: Control, again: bool, tell: Callable[[float], None]) -> R:
        """Do it, until the control ends it."""


class Raised(NamedTuple):
    """What `work` has raised, in place of a result: whatever else is raised is the processes' own trouble."""

    error: Exception

    @classmethod
    def of(cls, error: Exception) -> Raised:
        """Where an error cannot be sent, its text is."""
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            return cls(RuntimeError(f"{type(error).__name__}: {error}"))
        return cls(error)


def begin(ticket: Ticket, gpus: tuple[str, ...]) -> None:
    """Called first in a process that was begun for this: from now on it writes to no terminal."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    os.close(null)
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # the owner decides what becomes of these
        signal.signal(name, signal.SIG_IGN)
    if gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[_place(Path(ticket.desk), len(gpus)) % len(gpus)]
    threading.Thread(target=_end_with, args=(ticket,), name="d2ltui-owner", daemon=True).start()


def gpus() -> tuple[str, ...]:
    """What CUDA_VISIBLE_DEVICES may be, one for each GPU of this machine."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    named = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return tuple((named or [str(i) for i in range(count)])[:count])


def _place(desk: Path, number: int) -> int:
    """The first of the places that no other process has; it is this one's until it ends."""
    import fcntl

    for place in range(1024):
        file = os.open(desk / f"place-{place}", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            continue
        return place
    return number


def _end_with(ticket: Ticket) -> None:
    """End where the process that has begun this one has gone: killed, for it would have said so."""
    while os.getppid() == ticket.owner:
        time.sleep(1.0)
    until = time.monotonic() + ORPHANED
    while _under_way is not None and time.monotonic() < until:
        _under_way.stop()
        time.sleep(LOOK_EVERY)
    shutil.rmtree(ticket.desk, ignore_errors=True)
    os._exit(1)


def carry_out(ticket: Ticket, number: int, index: int, work: Work[P, R], piece: P) -> tuple[int, R | Raised, bool]:
    """Do `work` on a piece: its index, the result, and whether that was not cut short against its owner's will.

    `again` is told to `work` where another process has begun this piece before.
    """
    global _under_way
    os.environ.update(ticket.environment)
    with _one_at_a_time:
        _under_way = control = Control()
        result: R | Raised
        again = _mark(Path(ticket.desk), number)
        try:
            with _obeying(ticket, control) as told:
                result = work(piece, control, again, partial(_tell, Path(ticket.desk) / f"{AT}-{number}"))
        except Exception as error:
            result = Raised.of(error)
        finally:
            _under_way = None
    return index, result, bool(told) or not control.stopping


def _tell(file: Path, fraction: float) -> None:
    with contextlib.suppress(OSError):
        file.write_text(str(fraction))


def _mark(desk: Path, number: int) -> bool:
    """Leave a mark that this piece is begun; whether there is one already."""
    before = any(desk.glob(f"begun-{number}-*"))
    with contextlib.suppress(OSError):  # a machine that does not see the directory
        (desk / f"begun-{number}-{os.uname().nodename}-{os.getpid()}-{time.time_ns()}").touch()
    return before


@contextlib.contextmanager
def _obeying(ticket: Ticket, control: Control) -> Iterator[list[bool]]:
    """Stop what is done once its owner says so, or has gone; the list is not empty once it has said so."""
    done, told = threading.Event(), list[bool]()
    looking = threading.Thread(target=_look, args=(ticket, control, done, told), name="d2ltui-obeying", daemon=True)
    looking.start()
    try:
        yield told
    finally:
        done.set()
        looking.join()


def _look(ticket: Ticket, control: Control, done: threading.Event, told: list[bool]) -> None:
    go = Path(ticket.desk) / GO
    if not go.parent.exists():
        return  # on a machine that does not see it: the piece is done to its end
    sign, seen = None, time.monotonic()
    while not done.wait(LOOK_EVERY):
        try:
            now = go.stat().st_mtime_ns
        except OSError:
            told.append(True)
            control.stop()
            return
        if now != sign:
            sign, seen = now, time.monotonic()
        elif not ticket.owner and time.monotonic() - seen > SILENT:
            control.stop()
            return
