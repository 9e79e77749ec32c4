"""What the lessons say to try, done from the screen alone.

    PYTHONPATH=. python tests/terminal/tries.py [--all] [LESSON…]

In a terminal of 100 × 30, with the keys that the screens name: `L`, the lesson, `e` twice, `enter`, `ctrl+r`, and when
the run is over `L` again, where the page tells what came of it. The first try of each lesson, or with `--all` every
one. A line for each; 1 where one told nothing, or that it did not come as expected.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
import time

from terminal import Terminal

from d2ltui.lessons import LESSONS
from d2ltui.lessons.lesson import Lesson

COLUMNS, ROWS = 100, 30
ENDED = re.compile(r"^ \S (?:finished|diverged|failed|stopped)\b.*?(?= {3}|$)", re.MULTILINE)
LONGEST = 600.0  # seconds of a run
CAME = re.compile(
    r"[✓✗] You tried it: .*?(?:As expected(?:: at [^;]*)?\.(?= |$)|Not as expected, which is that [^.]*\.)"
)


def settle(terminal: Terminal, seconds: float = 0.8) -> None:
    """Take in what is drawn for so long: figures of the machine change for ever."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        terminal.read(0.05)


def press(terminal: Terminal, *keys: str) -> None:
    """One key after the other."""
    for key in keys:
        terminal.send(key)
        settle(terminal, 0.15)


def status(terminal: Terminal) -> str:
    """How the run on the screen has ended, after which step and time; "" while it is trained."""
    found = ENDED.search(terminal.text())
    return found[0] if found else ""


def inside(terminal: Terminal) -> str:
    """What the page says, its lines put together."""
    lines = [re.sub(r"^.*│(?=.*│)", "", line.rstrip(" │┃█▁▂▃▄▅▆▇")).strip(" │") for line in terminal.text().split("\n")]
    return " ".join(filter(None, lines))


def told_on(terminal: Terminal, did: str) -> str:
    """The sentence of the page that tells of the try which begins with the words `did`."""
    __, __, after = inside(terminal).partition(did)
    found = CAME.search(after)
    return found[0] if found else ""


def tried(terminal: Terminal, place: int, lesson: Lesson, number: int) -> tuple[str, float]:
    """Do a try of the lesson in `place` of the list: what the page tells of it, and how long the run took."""
    press(terminal, "L")
    terminal.wait("Lessons")
    settle(terminal)
    if "into the form" in terminal.text():  # the page is where the last try was left: the list is one pane further
        press(terminal, "tab")
    press(terminal, "\x1b[H", *["down"] * place)
    page = f"─ {lesson.title}"  # without its section: on a narrow page there may be no room
    terminal.until(lambda: page[:30] in terminal.text(), f"the page of {lesson.title}")
    press(terminal, "e", "e", *["down"] * number)
    says = " ".join(lesson.trials[number].do.split()[:3])
    terminal.until(lambda: says in inside(terminal), f"“{says}” on the page")
    settle(terminal)
    press(terminal, "enter")
    terminal.until(lambda: "Lessons" not in terminal.text(), "the main screen")
    settle(terminal)
    before, shown = time.monotonic(), status(terminal)
    press(terminal, "ctrl+r")
    terminal.until(lambda: status(terminal) != shown, "the run's beginning")  # which may be over in a moment
    terminal.until(lambda: ENDED.search(terminal.text()), "its end", LONGEST)
    took = time.monotonic() - before
    settle(terminal)
    press(terminal, "L")
    terminal.wait("Lessons")
    with contextlib.suppress(AssertionError):  # the stored runs are read meanwhile
        terminal.until(lambda: told_on(terminal, says), "what came of it", 20.0)
    return told_on(terminal, says), took


def main() -> int:
    """The table; 1 where something did not come as it should."""
    every = "--all" in sys.argv
    chosen = [name for name in sys.argv[1:] if name != "--all"] or list(LESSONS)
    todo = [
        (place, lesson, number)
        for place, lesson in enumerate(LESSONS.values())
        if lesson.name in chosen
        for number in range(len(lesson.trials) if every else 1)
    ]
    bad = 0
    with tempfile.TemporaryDirectory() as home:
        environment = {"D2LTUI_HOME": home, "D2LTUI_DATA_DIR": os.environ.get("D2LTUI_DATA_DIR", "")}
        terminal = Terminal([sys.executable, "-m", "d2ltui"], COLUMNS, ROWS, environment)
        terminal.wait("ready")
        for place, lesson, number in todo:
            try:
                told, took = tried(terminal, place, lesson, number)
            except AssertionError as error:
                told, took = f"STUCK: {error}", 0.0
            if not told.startswith("✓"):
                bad += 1
                print(f"{lesson.name}\n{terminal.text()}", file=sys.stderr, flush=True)
            print(f"{lesson.name:<18} {number + 1} {took:4.0f} s  {told or 'nothing is told'}", flush=True)
            while "Lessons" in terminal.text():
                press(terminal, "escape")
                settle(terminal)
        press(terminal, "q")
    return bool(bad)


if __name__ == "__main__":
    raise SystemExit(main())
