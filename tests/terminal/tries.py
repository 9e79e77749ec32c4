"""What the lessons say to try, done from the screen alone: `PYTHONPATH=. python tests/terminal/tries.py [LESSON…]`.

In a terminal of 100 × 30, with the keys that the screens name: `L`, the lesson, `e` twice, `enter`, `ctrl+r`, and when
the run is over `L` again, where the page tells what came of it. A line for each lesson; 1 where one told nothing, or
that it did not come as expected.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time

from terminal import Terminal

from d2ltui.lessons import LESSONS

COLUMNS, ROWS = 100, 30
ENDED = re.compile(r"^ \S (finished|diverged|failed|stopped)\b", re.MULTILINE)
LONGEST = 600.0  # seconds of a run
CAME = re.compile(r"[✓✗] You tried it: .*?(?:As expected\.|Not as expected, which is that [^.]*\.)")


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


def words(text: str) -> str:
    """`text` with one blank between two words."""
    return " ".join(text.split())


def told_on(terminal: Terminal) -> str:
    """The sentence of the page that tells of a try, its lines put together."""
    lines = [re.sub(r"^.*│(?=.*│)", "", line.rstrip(" │┃█▁▂▃▄▅▆▇")).strip(" │") for line in terminal.text().split("\n")]
    text = " ".join(filter(None, lines))
    found = CAME.search(text)
    return found[0] if found else ""


def tried(terminal: Terminal, place: int, title: str) -> tuple[str, float]:
    """Do the first try of the lesson in `place` of the list: what the page tells of it, and how long the run took."""
    press(terminal, "L")
    terminal.wait("Lessons")
    settle(terminal)
    if "into the form" in terminal.text():  # the page is where the last try was left: the list is one pane further
        press(terminal, "tab")
    press(terminal, "\x1b[H", *["down"] * place)
    settle(terminal)
    assert words(title)[:30] in words(terminal.text()), f"the page of {title}"
    press(terminal, "e", "e", "enter")
    terminal.until(lambda: "Lessons" not in terminal.text(), "the main screen")
    settle(terminal)
    before = time.monotonic()
    press(terminal, "ctrl+r")
    terminal.until(lambda: not ENDED.search(terminal.text()), "the run's beginning")
    terminal.until(lambda: ENDED.search(terminal.text()), "its end", LONGEST)
    took = time.monotonic() - before
    settle(terminal)
    press(terminal, "L")
    terminal.wait("Lessons")
    settle(terminal, 1.5)
    return told_on(terminal), took


def main() -> int:
    """The table; 1 where something did not come as it should."""
    chosen = sys.argv[1:] or list(LESSONS)
    bad = 0
    with tempfile.TemporaryDirectory() as home:
        environment = {"D2LTUI_HOME": home, "D2LTUI_DATA_DIR": os.environ.get("D2LTUI_DATA_DIR", "")}
        terminal = Terminal([sys.executable, "-m", "d2ltui"], COLUMNS, ROWS, environment)
        terminal.wait("ready")
        for place, name in enumerate(LESSONS):
            if name not in chosen:
                continue
            try:
                told, took = tried(terminal, place, LESSONS[name].title)
            except AssertionError as error:
                told, took = f"STUCK: {error}", 0.0
            if not told.startswith("✓"):
                bad += 1
                print(f"{name}\n{terminal.text()}", file=sys.stderr, flush=True)
            print(f"{name:<18} {took:4.0f} s  {told or 'nothing is told'}", flush=True)
            while "Lessons" in terminal.text():
                press(terminal, "escape")
                settle(terminal)
        press(terminal, "q")
    return bool(bad)


if __name__ == "__main__":
    raise SystemExit(main())
