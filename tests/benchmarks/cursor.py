"""The cursor on the charts of a stored run of 100,000 steps: how soon it answers."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time

from .context import Context
from .figures import Figure, interval, percentile
from .terminal import ROOT, Terminal, environment

EPOCHS, STEPS = 3125, 100_000  # of 32 steps each
PRESSES = 80
TURN = 40  # presses to the left, and then as many to the right: a chart has some 50 columns
OPENED = 60.0  # seconds within which the run is on the screen
MARK = "┊".encode()  # the cursor's line: each move sends it
LEFT, RIGHT, TAB = "\x1b[D", "\x1b[C", "\t"


def cursor(context: Context) -> list[Figure]:
    """Milliseconds from ← or → to the first bytes of the cursor's new place, with all panes on the screen."""
    with tempfile.TemporaryDirectory(prefix="d2ltui-benchmark-") as home:
        train = ["train", "--model", "linear", "--epochs", str(EPOCHS), "--quiet"]
        command = [sys.executable, "-m", "d2ltui"]
        # Where the benchmarks' environment has a home of its own, this one is meant.
        env = {**environment(), "D2LTUI_HOME": home}
        subprocess.run([*command, *train], cwd=ROOT, env=env, check=True, capture_output=True)
        terminal = Terminal([*command, "watch"], home=home)
        try:
            values = _presses(terminal, PRESSES * context.repeat)
        finally:
            terminal.close()
    p95, width = percentile(values, 0.95), interval(values, 0.95)
    note = f"p95 of {len(values)} presses; median {percentile(values, 0.5):.0f} ms"
    name = f"the cursor on a stored run of {STEPS:,} steps"
    return [Figure(name, values, at_most=50, unit="ms", note=note, value=p95, half_width=width)]


def _presses(terminal: Terminal, presses: int) -> list[float]:
    _wait(terminal, f"{STEPS:,}".encode(), 0.0, OPENED)
    time.sleep(3)
    for _ in range(4):  # to the loss
        terminal.press(TAB)
        time.sleep(0.4)
    found = []
    for turn in range(presses + 2):
        pressed = terminal.press(RIGHT if turn // TURN % 2 else LEFT)
        answered = _wait(terminal, MARK, pressed, 3.0)
        if turn >= 2:
            found.append(1000 * (answered - pressed))
        time.sleep(0.25 + 0.003 * (turn % 20))  # in no step with the frames
    return found


def _wait(terminal: Terminal, text: bytes, since: float, seconds: float) -> float:
    """When the first bytes with `text` came after `since`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for when, chunk in list(terminal.chunks)[-200:]:
            if when > since and text in chunk:
                return when
        time.sleep(0.002)
    raise RuntimeError(f"{text.decode()} was not on the screen within {seconds:g} s")
