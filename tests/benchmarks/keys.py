"""From a key press to the end of its answer, while a run trains at full speed.

What the application sends is kept with its times, and read afterwards by a terminal emulator (pyte). The end of an
answer is the moment from which the screen's fixed parts (frames, titles, axes, dialogs: all that no step of the run
changes) look as they do just before the next key. Charts belong to the answer: their axes come with them.

Where an axis has its ticks is not a fixed part: the run's figures move them, at any frame. Only for the key that
changes nothing else of a chart, between a linear and a logarithmic axis, the tick labels of the losses are looked at:
its answer has not ended before they are those of such an axis. Of the keys for the smoothing only the frame, which
names it, is fixed.
"""

from __future__ import annotations

import itertools
import random
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pyte

from .context import Context, NotMeasured
from .figures import Figure, interval, percentile
from .race import EndedEarly, read_log
from .terminal import Terminal
from .watching import wait_for_steps

# Those after which the screen's fixed parts look otherwise: panes, logarithmic axis and back, help, smoother and less,
# zoomed and back, the lessons, the runs, light and dark.
TAB, SHIFT_TAB, ESCAPE, THEME = "\t", "\x1b[Z", "\x1b", "\x14"
SEQUENCE = (
    *(TAB, "l", "?", ESCAPE, "]", "z", "z", "[", TAB, "L", ESCAPE, SHIFT_TAB, "R", ESCAPE, "l", THEME, TAB, THEME),
)
SOON = (TAB, "l")  # the keys that are pressed most
PRESSES = 6 * len(SEQUENCE)
PAUSE = (0.6, 0.9)  # seconds between two keys: longer than any answer, and in no step with the frames
STATUS_LINES = 5  # at the bottom: they change with each step
FRAME = set("─│╭╮╰╯┌┐└┘├┤┬┴┼")
WITHOUT_TICKS = str.maketrans("┤├┬┴", "││──")
TICK = re.compile("[⣀⠤⠒⠉]│")  # on the y axis of a chart
LABEL = 5  # columns of a tick's label, to the left of its tick
NEW_LABELS = "l"  # the key that changes the axis of the losses
BURST = 0.005  # seconds: what is sent in less than that belongs together
BORDER = re.compile("╭[^╮]*╮|╰[^╯]*╯")  # of a pane: its title is in it, and perhaps a number of steps
FIGURES = re.compile(r"╭[^╮]*\d")  # in a title: the loss so far
# Queries and keyboard protocols that the emulator does not know.
UNKNOWN = re.compile(
    rb"\x1b\[[<>=?][0-9;]*[a-zA-Z]|\x1b\[[0-9;]*\$[a-z]|\x1bP.*?\x1b\\|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"
)
PRIVATE_MODE = re.compile(rb"\x1b\[\?(?:25|7|1049)[hl]")


def clean(chunk: bytes) -> bytes:
    """`chunk` without what the emulator would print as text."""
    return UNKNOWN.sub(lambda found: found[0] if PRIVATE_MODE.fullmatch(found[0]) else b"", chunk)


def fixed_parts(screen: pyte.Screen) -> dict[tuple[int, int], tuple[str, str, str, bool]]:
    """The cells that no step of the run changes, with their colours."""
    cells: dict[tuple[int, int], tuple[str, str, str, bool]] = {}
    for y in range(screen.lines - STATUS_LINES):
        row = screen.buffer[y]
        text = "".join(row[x].data for x in range(screen.columns))
        wanted = {x for x, character in enumerate(text) if character in FRAME}
        for border in BORDER.finditer(text):
            inside = set(range(*border.span()))
            if "step" in border[0] or FIGURES.match(border[0]):  # the number moves everything but the corners
                wanted -= inside - {min(inside), max(inside)}
            else:
                wanted |= inside
        for x in wanted:
            cell = row[x]
            cells[y, x] = (cell.data.translate(WITHOUT_TICKS), cell.fg, cell.bg, cell.bold)
    return cells


def loss_labels(screen: pyte.Screen) -> list[tuple[int, str]]:
    """The tick labels in the pane of the losses, with their rows."""
    found: list[tuple[int, str]] = []
    left = -1
    for y, line in enumerate(screen.display):
        if (border := re.search("╭[^╮╭]*Loss[^╮]*╮", line)) is not None:
            left, right = border.span()
        elif left >= 0 and line[left] == "╰":
            break
        elif left >= 0 and (tick := TICK.search(line, left + 1, right)) is not None:
            found.append((y, line[max(left + 1, tick.start() - LABEL) : tick.start()]))
    return found


def logarithmic(labels: list[tuple[int, str]]) -> bool:
    """Whether these are the ticks of a logarithmic axis: the steps between them differ."""
    values = sorted(float(text) for _, text in labels)
    steps = [high - low for low, high in itertools.pairwise(values)]
    return len(steps) > 1 and max(steps) > 1.5 * min(steps)


def new_axis(screen: pyte.Screen, before: list[tuple[int, str]], final: list[tuple[int, str]]) -> bool:
    """Whether the losses have other labels than before the key, those of an axis as they have in the end."""
    now = loss_labels(screen)
    try:
        return now != before and logarithmic(now) == logarithmic(final)
    except ValueError:  # a row that is only half there
        return False


def agrees(screen: pyte.Screen, cells: dict[tuple[int, int], tuple[str, str, str, bool]]) -> bool:
    """Whether the screen shows all of `cells`."""
    buffer = screen.buffer
    for (y, x), (data, fg, bg, bold) in cells.items():
        cell = buffer[y][x]
        if cell.data.translate(WITHOUT_TICKS) != data or cell.fg != fg or cell.bg != bg or cell.bold != bold:
            return False
    return True


def answers(terminal: Terminal, presses: list[tuple[str, float]], end: float) -> list[tuple[str, float]]:
    """Each key and how long its answer took, in seconds; keys that change nothing fixed are left out."""
    chunks = [(when, clean(chunk)) for when, chunk in terminal.chunks]
    # First pass: what the screen looks like before each next key. Second pass: since when it does.
    finals, final_labels = [], []
    for screen in replay(terminal, chunks, [when for _, when in presses[1:]] + [end]):
        finals.append(fixed_parts(screen))
        final_labels.append(loss_labels(screen))
    found: list[tuple[str, float]] = []
    screen = pyte.Screen(terminal.columns, terminal.lines)
    stream = pyte.ByteStream(screen)
    at = 0
    bounds = [*(when for _, when in presses), end]
    for index, (key, pressed) in enumerate(presses):
        while at < len(chunks) and chunks[at][0] < pressed:
            stream.feed(chunks[at][1])
            at += 1
        answered = pressed
        agreed = agrees(screen, finals[index])
        changed = not agreed
        labels, relabelled = (loss_labels(screen) if key == NEW_LABELS else None), None
        while at < len(chunks) and chunks[at][0] < bounds[index + 1]:
            stream.feed(chunks[at][1])
            agrees_now = agrees(screen, finals[index])
            if agrees_now and not agreed:
                answered, changed = chunks[at][0], True
            agreed = agrees_now
            same_burst = relabelled is not None and chunks[at][0] - relabelled < BURST
            if same_burst or (
                labels is not None and relabelled is None and new_axis(screen, labels, final_labels[index])
            ):
                relabelled = chunks[at][0]
            at += 1
        if labels is not None:
            answered = max(answered, relabelled if relabelled is not None else bounds[index + 1])
        if changed:
            found.append((key, answered - pressed))
    return found


def replay(terminal: Terminal, chunks: list[tuple[float, bytes]], moments: list[float]) -> Iterator[pyte.Screen]:
    """The screen at each of the moments."""
    screen = pyte.Screen(terminal.columns, terminal.lines)
    stream = pyte.ByteStream(screen)
    at = 0
    for moment in moments:
        while at < len(chunks) and chunks[at][0] < moment:
            stream.feed(chunks[at][1])
            at += 1
        yield screen


def key_presses(context: Context) -> list[Figure]:
    """At the default frame rate."""
    figures = []
    for model in context.models:
        name = f"key to the end of its answer, {model}"
        try:
            found = context.with_run(model, PRESSES * sum(PAUSE) / 2 + 4, measure)
        except NotMeasured as why:
            figures.append(Figure(f"{name}, p95", missing=str(why)))
            continue
        values = [1000 * seconds for _, seconds in found]
        by_key = {
            repr(key): [round(1000 * seconds, 1) for pressed, seconds in found if pressed == key]
            for key in dict.fromkeys(SEQUENCE)
        }
        p95 = percentile(values, 0.95)
        spread = interval(values, 0.95)
        slowest = ", ".join(f"{key} {percentile(times, 0.5):.0f}" for key, times in by_key.items() if times)
        note = f"{len(values)} answers; median {percentile(values, 0.5):.0f} ms; by key: {slowest}"
        details: dict[str, object] = {"by_key": by_key}
        figures.append(Figure(f"{name}, p95", values, None, 50, "ms", note, p95, half_width=spread, details=details))
        soon = [1000 * seconds for key, seconds in found if key in SOON]
        at = percentile(soon, 0.95)
        row = Figure(f"tab and l to the end of their answer, {model}, p95", soon, None, 35, "ms", "", at)
        row.half_width = interval(soon, 0.95)
        figures.append(row)
        figures.append(Figure(f"{name}, maximum", values, None, 250, "ms", value=max(values), half_width=0.0))
    return figures


def measure(run: list[str]) -> list[tuple[str, float]]:
    """Press keys while the run goes on."""
    chance = random.Random(1)
    log = Path(tempfile.mkdtemp(prefix="d2ltui-benchmark-")) / "steps"
    terminal = Terminal([sys.executable, "-m", "tests.benchmarks.child", str(log), "--start", *run])
    presses: list[tuple[str, float]] = []
    try:
        wait_for_steps(log, 64)
        time.sleep(2.0)
        for index in range(PRESSES):
            key = SEQUENCE[index % len(SEQUENCE)]
            presses.append((key, terminal.press(key)))
            time.sleep(chance.uniform(*PAUSE))
        end = time.monotonic()
        if read_log(log)[-1].kind == "e":
            raise EndedEarly
        return answers(terminal, presses, end)
    finally:
        terminal.close()
