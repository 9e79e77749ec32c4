"""Keys on the screen of maps while a map trains: from the press until the screen shows what the key is for.

What the application sends is kept with its times and read afterwards by a terminal emulator (pyte). A key's answer is
there when the screen's signature has changed: the quantity in the map's title, the cell under the cursor, the help.
Frames of the map that come meanwhile change none of them.
"""

from __future__ import annotations

import random
import re
import sys
import tempfile
import time

import pyte

from .context import Context, NotMeasured
from .figures import Figure, interval, percentile
from .keys import BURST, ESCAPE, clean
from .terminal import Terminal

RUN = ("--dataset", "circles", "--hidden", "32,32", "--epochs", "3000")  # minutes, for the cells of the usual axes
MAP, TRAIN = "M", "\x12"
RIGHT, LEFT, UP, DOWN = "\x1b[C", "\x1b[D", "\x1b[A", "\x1b[B"
SEQUENCE = (RIGHT, "v", UP, "?", ESCAPE, LEFT, "V", DOWN)
ROUNDS = 8
PAUSE = (0.4, 0.7)  # seconds between two keys: in no step with the frames
TITLE = re.compile(r"╭─ ([a-z_-]+): ")
DONE = re.compile(r"(\d+) of (\d+) cells")
COARSE = 0.2  # of the cells: more than are done before the finest grid begins
PATIENCE = 300.0  # seconds
VALUE = re.compile(r"││ (lr|init_std) +(\S+) ")


def signature(screen: pyte.Screen) -> tuple[object, ...]:
    """What no frame of the map changes: its title, the cell under the cursor, and whether there is help."""
    text = "\n".join(screen.display)
    return (*TITLE.findall(text), *VALUE.findall(text), "this help" in text)


def map_keys(context: Context) -> list[Figure]:
    """At the default frame rate, 160 × 45."""
    name = "key to its answer while a map trains, p95"
    try:
        found = _measure(ROUNDS * context.repeat)
    except NotMeasured as why:
        return [Figure(name, missing=str(why))]
    values = [1000 * seconds for _, seconds in found]
    by_key = {repr(key): [1000 * seconds for name, seconds in found if name == key] for key in SEQUENCE}
    slowest = ", ".join(f"{name} {percentile(times, 0.5):.0f}" for name, times in by_key.items())
    note = f"{len(values)} answers; median {percentile(values, 0.5):.0f} ms; by key: {slowest}"
    p95, half = percentile(values, 0.95), interval(values, 0.95)
    details: dict[str, object] = {"by_key": by_key}
    return [Figure(name, values, None, 50, "ms", note, p95, half_width=half, details=details)]


def _measure(rounds: int) -> list[tuple[str, float]]:
    """Each key and the seconds until its answer."""
    home = tempfile.mkdtemp(prefix="d2ltui-benchmark-home-")
    terminal = Terminal([sys.executable, "-m", "d2ltui", *RUN], home=home)
    presses: list[tuple[str, float]] = []
    try:
        terminal.wait_for("ready")
        time.sleep(1.0)
        terminal.press(MAP)
        terminal.wait_for("across")
        time.sleep(1.0)
        terminal.press(TRAIN)
        _wait_for_both_cores(terminal)
        for _ in range(rounds):
            for key in SEQUENCE:
                presses.append((key, terminal.press(key)))
                time.sleep(random.uniform(*PAUSE))
    finally:
        terminal.close()
    if not _done(_screen(terminal)) < 1:
        raise NotMeasured("the map was complete before the measurement was")
    return answers(terminal, presses)


def _screen(terminal: Terminal) -> pyte.Screen:
    """What is shown now."""
    screen = pyte.Screen(terminal.columns, terminal.lines)
    pyte.ByteStream(screen).feed(clean(b"".join(chunk for _, chunk in list(terminal.chunks))))
    return screen


def _done(screen: pyte.Screen) -> float:
    """The share of the cells that are done."""
    found = DONE.search("\n".join(screen.display))
    return int(found[1]) / int(found[2]) if found is not None else 0.0


def _wait_for_both_cores(terminal: Terminal) -> None:
    """Until the finest grid is trained: the cells of the coarse ones are one slice."""
    end = time.monotonic() + PATIENCE
    while _done(_screen(terminal)) < COARSE:
        if time.monotonic() > end:
            raise NotMeasured(f"the coarse grid was not done within {PATIENCE:g} s")
        time.sleep(0.5)


def answers(terminal: Terminal, presses: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """Each key and how long its answer took, in seconds.

    Raises:
        RuntimeError: where a key had none before the next one.
    """
    screen = pyte.Screen(terminal.columns, terminal.lines)
    stream = pyte.ByteStream(screen)
    chunks = [(when, clean(chunk)) for when, chunk in terminal.chunks]
    found, at = [], 0
    for index, (key, pressed) in enumerate(presses):
        end = presses[index + 1][1] if index + 1 < len(presses) else float("inf")
        while at < len(chunks) and chunks[at][0] < pressed:
            stream.feed(chunks[at][1])
            at += 1
        before, answered = signature(screen), None
        while at < len(chunks) and chunks[at][0] < end:
            when, chunk = chunks[at]
            stream.feed(chunk)
            at += 1
            same_burst = answered is not None and when - answered <= BURST
            if same_burst or (answered is None and signature(screen) != before):
                answered = when
        if answered is None:
            raise RuntimeError(f"no answer to {key!r}: the screen shows {before}")
        found.append((key, answered - pressed))
    return found
