"""Pieces of work for processes that `test_spread` begins."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from d2ltui.engine.control import Control

Tell = Callable[[float], None]


def look_around(piece: int, control: Control, again: bool, tell: Tell) -> dict[str, Any]:
    """What a process has around it; its first one dies."""
    if piece == 1 and not again:
        os.kill(os.getpid(), signal.SIGKILL)
    print("nobody must see this")
    os.write(2, b"nor this\n")
    import shelve  # not imported before

    return {
        "piece": piece,
        "path": sys.path[0],
        "shelve": shelve.__file__,
        "streams": [os.readlink(f"/proc/self/fd/{number}") for number in range(3)],
        "again": again,
    }


def die(piece: int, control: Control, again: bool, tell: Tell) -> int:
    """Always."""
    os.kill(os.getpid(), signal.SIGKILL)
    return piece


def wait_for_the_end(piece: int, control: Control, again: bool, tell: Tell) -> tuple[int, bool]:
    """Until the owner says so."""
    deadline = time.monotonic() + 60
    while not control.stopping and time.monotonic() < deadline:
        time.sleep(0.01)
    return os.getpid(), control.stopping


def raise_it(piece: int, control: Control, again: bool, tell: Tell) -> int:
    """An error of the work's own."""
    raise ValueError(f"piece {piece}")


def survive(piece: int, control: Control, again: bool, tell: Tell) -> tuple[int, bool]:
    """The first process that begins piece 1 dies."""
    if piece == 1 and not again:
        os.kill(os.getpid(), signal.SIGKILL)
    return piece, again
