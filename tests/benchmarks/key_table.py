"""Every key of the README's table: how soon the terminal gets something after it, and how many bytes.

The time is that to the end of the first burst after the press, while a run trains at full speed. A frame that comes
just then is taken for the answer; `keys` looks at what has changed on the screen, for the keys where that can be told.
The bytes are those of a run that is paused: nothing else is sent then.

Left out: `ctrl+r`, which begins another run, what ends or suspends the application, and `enter` in a field that has to
be found first.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from .context import Context, NotMeasured
from .figures import Figure, interval, percentile
from .keys import ESCAPE, SHIFT_TAB, TAB, THEME
from .race import EndedEarly, read_log
from .terminal import Terminal
from .watching import wait_for_steps

ROUNDS = 5
REST = 0.35  # seconds after each key
BURST = 0.004  # seconds: what is sent in less than that belongs together
PATIENCE = 1.0  # seconds for an answer


class Key(NamedTuple):
    """A key: its name, what it sends, what undoes it, and at most how many bytes it and its end may take."""

    name: str
    sends: str
    undo: str = ""
    most: int = 4_000


SCREEN, CURVES = 16_000, 12_000
KEYS = (
    *(Key(f"tab {number}", TAB, most=2_000) for number in range(1, 9)),
    Key("shift+tab", SHIFT_TAB, most=2_000),
    *(Key("right", "\x1b[C", "\x1b[D"), Key("escape", ESCAPE)),
    *(Key("z", "z", "z", CURVES), Key("u", "u", ESCAPE, SCREEN), Key("l", "l", "l", CURVES)),
    *(
        Key("]", "]", "[", CURVES),
        Key("i", "i", "i", CURVES),
        Key("f", "f"),
        Key("k", "k"),
        Key("F", "F"),
        Key("c", "c", ESCAPE, SCREEN),
        Key("t", "t", ESCAPE, SCREEN),
    ),
    *(Key("?", "?", ESCAPE, 10_000), Key("R", "R", ESCAPE, SCREEN)),
    # In the list of lessons, where they move something; on the main screen that depends on what there is to scroll.
    Key("L", "L", most=SCREEN),
    *(Key("down", "\x1b[B", most=CURVES), Key("up", "\x1b[A", most=CURVES), Key("L undone", ESCAPE, most=SCREEN)),
    *(Key("ctrl+s", "\x13", ESCAPE, 10_000), Key("ctrl+t", THEME, THEME, SCREEN)),
)
SLOWER = Key("<", "<", ">")  # slow motion, and back to all there is
PAUSE = Key("space", " ", " ")  # afterwards frames come, so its bytes cannot be told
# These move the run, so they come last. With the run they change the curves.
RUN_KEYS = (Key("s", "s", most=SCREEN), Key("e", "e", most=SCREEN), Key("x", "x", most=SCREEN))


def key_table(context: Context) -> list[Figure]:
    """The run is the book's MLP on Fashion-MNIST, or linear regression where there is no data."""
    model = "mlp" if context.data_dir else "linear"
    seconds = (ROUNDS + 2) * 2 * (len(KEYS) + len(RUN_KEYS)) * (REST + 0.1) + 4
    try:
        times, sent = context.with_run(model, seconds, measure)
    except NotMeasured as why:
        return [Figure("keys of the table", missing=str(why))]
    figures = []
    for name, values in times.items():
        most = 35 if name.startswith(("tab", "l")) else 50
        p95 = percentile(values, 0.95)
        half = interval(values, 0.95)
        figures.append(Figure(f"{name}, first burst, {model}, p95", values, None, most, "ms", "", p95, half_width=half))
    for key in (*KEYS, SLOWER, *RUN_KEYS):
        for name in (key.name, f"{key.name} undone"):
            if name in sent:
                figures.append(Figure(f"{name}, sent", sent[name], None, key.most / 1000, "KB"))
    return figures


def measure(run: list[str]) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Milliseconds and kilobytes, by key."""
    log = Path(tempfile.mkdtemp(prefix="d2ltui-benchmark-")) / "steps"
    terminal = Terminal([sys.executable, "-m", "tests.benchmarks.child", str(log), "--start", *run])
    times: dict[str, list[float]] = {}
    sent: dict[str, list[float]] = {}
    try:
        wait_for_steps(log, 64)
        time.sleep(2.0)
        for _ in range(ROUNDS):
            for key in (*KEYS, SLOWER, PAUSE):
                for name, sends in ((key.name, key.sends), (f"{key.name} undone", key.undo)):
                    if sends and (seconds := answer(terminal, sends)) is not None:
                        times.setdefault(name.rstrip(" 0123456789"), []).append(1000 * seconds)
        if read_log(log)[-1].kind == "e":
            raise EndedEarly
        terminal.press(" ")
        for key in (*KEYS, SLOWER, *RUN_KEYS):
            for name, sends in ((key.name, key.sends), (f"{key.name} undone", key.undo)):
                if sends:
                    sent.setdefault(name, []).append(bytes_of(terminal, sends) / 1000)
        return times, sent
    finally:
        terminal.close()


def answer(terminal: Terminal, sends: str) -> float | None:
    """Seconds to the end of the first burst; None where there is none."""
    seen, end = len(terminal.chunks), None
    pressed = terminal.press(sends)
    time.sleep(REST)
    while not (chunks := terminal.chunks[seen:]) and time.monotonic() < pressed + PATIENCE:
        time.sleep(BURST)
    for when, _ in chunks:
        if end is not None and when - end > BURST:
            break
        end = when
    return None if end is None else end - pressed


def bytes_of(terminal: Terminal, sends: str) -> float:
    """Until nothing comes any more."""
    rest(terminal)
    before = terminal.count
    pressed = terminal.press(sends)
    while terminal.count == before and time.monotonic() < pressed + 2 * PATIENCE:
        time.sleep(BURST)
    rest(terminal)
    return terminal.count - before


def rest(terminal: Terminal) -> None:
    """Until nothing has come for a while: the machine's figures come once a second or less."""
    count, end = -1, time.monotonic() + PATIENCE * 10
    while terminal.count != count and time.monotonic() < end:
        count = terminal.count
        time.sleep(2 * REST)
