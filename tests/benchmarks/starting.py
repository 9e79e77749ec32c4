"""Start to first paint, against an empty Textual application, in pairs."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from .context import Context
from .figures import Figure
from .terminal import Terminal

PAIRS = 12
EMPTY = "from textual.app import App; App().run()"
# The last thing of the first frame: the footer's last key. And a whole blank screen is more than so many bytes.
LAST_TEXT = "quit"
BLANK_BYTES = 7000


def start(context: Context) -> list[Figure]:
    """`python -m d2ltui`, from the start of the process to the end of its first whole frame."""
    ratios, ours, theirs, imported = [], [], [], 0
    for turn in range(PAIRS):
        if turn % 2:
            empty = first_blank()
            full, early = first_paint()
        else:
            full, early = first_paint()
            empty = first_blank()
        ratios.append(full / empty)
        ours.append(full)
        theirs.append(empty)
        imported += early
    return [
        Figure("start to first paint ÷ an empty Textual application", ratios, at_most=1.6),
        Figure("start to first paint", ours, unit="s"),
        Figure("start of an empty Textual application", theirs, unit="s"),
        Figure("starts that imported torch before the first paint", [float(imported)], at_most=0),
    ]


def first_paint() -> tuple[float, bool]:
    """Seconds until the application is on the screen, and whether torch was loaded then."""
    terminal = Terminal([sys.executable, "-m", "d2ltui"])
    try:
        painted = terminal.wait_for(LAST_TEXT)
        return painted - terminal.began, maps_torch(terminal.pid)
    finally:
        terminal.close()


def first_blank() -> float:
    """Seconds until an empty application has painted its blank screen."""
    terminal = Terminal([sys.executable, "-c", EMPTY])
    try:
        while terminal.count < BLANK_BYTES:
            if terminal.process.poll() is not None or time.monotonic() > terminal.began + 60:
                raise RuntimeError(f"an empty application painted {terminal.count} bytes only")
            time.sleep(0.001)
        # The frame's last piece, whatever number of pieces it came in.
        time.sleep(0.2)
        return terminal.chunks[-1][0] - terminal.began
    finally:
        terminal.close()


def maps_torch(pid: int) -> bool:
    """Whether the process has torch's library in its memory (Linux tells)."""
    try:
        return "libtorch" in Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return False
