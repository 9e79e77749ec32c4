"""The tables of keys, one for each screen: the footer, the help and the dispatch are made from them.

They are in English; the footer and the help say them in the language of the process.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from textual.binding import Binding, BindingType

from d2ltui.spec.language import _


class Key(NamedTuple):
    """A key, the application's action, its word in the footer, and its sentence in the help."""

    key: str
    action: str
    word: str
    help: str
    display: str = ""
    footer: bool = True
    rank: int = 2  # where the footer has no room for all, those of the highest rank go
    priority: bool = False  # acts even while a field has the focus


KEYS: tuple[Key, ...] = (
    Key("ctrl+r", "run", "run", "train what the form describes; also from inside a field", "^r", priority=True, rank=1),
    Key("space", "pause", "pause", "pause, and resume; a run that is over: play it, from the cursor on"),
    Key("less_than_sign", "speed(-1)", "slower", "slower: down to one step a second", "<", footer=False),
    Key("greater_than_sign", "speed(1)", "faster", "faster, up to all there is", ">", footer=False),
    Key("s", "step", "step", "train one step, then pause", rank=4),
    Key("e", "epoch", "epoch", "train to the end of the epoch, then pause", rank=5),
    Key("x", "stop", "stop", "stop the run; everything stays on the screen", rank=3),
    # In the footer only where there is something wrong: see `KeysLine`.
    Key("w", "findings", "what", "What is happening: what is wrong and what to try, and back", rank=1),
    # Not in the footer, which has 80 columns: the findings say it themselves.
    Key("f", "remedy", "fix", "put a finding's remedy into the form; ctrl+r then trains it", footer=False),
    Key("k", "check", "check", "what would go wrong with what the form describes, before its first step", footer=False),
    Key("F", "find_lr", "find lr", "which learning rate to take: a short run over growing rates", footer=False),
    Key("z", "zoom", "zoom", "the focused pane full screen, and back (layers: their history)", rank=6),
    Key("u", "open_layer", "units", "a layer's units, the dead ones marked; its function and inputs", footer=False),
    Key("p", "picture", "picture", "the data and what the network makes of it, and back", footer=False),
    Key("c", "code", "code", "the run as code: model and training step, from scratch and concise", footer=False),
    Key("L", "lessons", "lessons", "the lessons: what to see, and experiments that prove it", rank=8),
    Key("M", "map", "map", "a map: a network for each cell of a grid of two hyperparameters", footer=False),
    Key("R", "runs", "runs", "the stored runs: compare, resume, watch, delete", rank=7),
    Key("tab", "next_pane", "pane", "the next pane", priority=True, footer=False),
    Key("shift+tab", "previous_pane", "pane back", "the previous pane", priority=True, footer=False),
    Key("l", "log_scale", "log", "linear or logarithmic loss axis", footer=False),
    Key("i", "x_axis", "axis", "epochs, steps or time along the charts", footer=False),
    Key("left_square_bracket", "smooth(-1)", "less smooth", "less smoothing", "[", footer=False),
    Key("right_square_bracket", "smooth(1)", "smoother", "more smoothing", "]", footer=False),
    Key("left_parenthesis", "resize(0,-1)", "lower", "the focused pane lower", "(", footer=False),
    Key("right_parenthesis", "resize(0,1)", "higher", "the focused pane higher; remembered", ")", footer=False),
    Key("left_curly_bracket", "resize(-1,0)", "narrower", "the focused pane's column narrower", "{", footer=False),
    Key(
        "right_curly_bracket", "resize(1,0)", "wider", "the focused pane's column wider; remembered", "}", footer=False
    ),
    Key(
        "ctrl+s",
        "save",
        "save",
        "save the form as a TOML file, for --config",
        "^s",
        priority=True,
        footer=False,
    ),
    Key("t", "traceback", "why", "the full error of a failed run", footer=False),
    Key("ctrl+t", "toggle_theme", "theme", "light or dark", "^t", priority=True, footer=False),
    Key(
        "escape",
        "leave_field",
        "leave",
        "leave a text: letters are keys again; leave a pane",
        "esc",
        priority=True,
    ),
    Key(
        "ctrl+z",
        "suspend_process",
        "suspend",
        "to the shell, training pauses; `fg` resumes it",
        "^z",
        priority=True,
        footer=False,
    ),
    Key("question_mark", "help", "help", "this help", "?", rank=0),
    Key("q", "quit_asking", "quit", "quit; asks while training", rank=0),
    Key("ctrl+c", "interrupt", "quit at once", "quit at once", "^c", footer=False, priority=True),
)

RUNS_KEYS: tuple[Key, ...] = (
    Key("space", "mark", "mark", "mark the run: the curves of marked runs are drawn on one axis, and compared"),
    # In the help and for the dispatch; the footer has the table's own, which acts first.
    Key(
        "enter",
        "open",
        "open",
        "show the run on the main screen; one that another process trains is watched; a group: open it, and close it",
        rank=1,
    ),
    Key("c", "continue_run", "resume", "resume a run that was stopped or interrupted", rank=3),
    Key("b", "baseline", "baseline", "the run that the others are compared with: always curve a", rank=9),
    Key(
        "s",
        "sort",
        "sort",
        "newest first, by validation loss, by validation metric, by name; a click on a heading: by that column",
        rank=5,
    ),
    Key("C", "columns", "columns", "the table's columns: any hyperparameter, figure or fact; remembered", rank=8),
    Key("slash", "filter", "filter", "filter the runs, such as by lr>=0.1 model=mlp", "/", rank=6),
    Key(
        "f",
        "facts",
        "facts",
        "what the marked runs differ in, or about the run, in the curves' place, and back",
        rank=7,
    ),
    Key("n", "rename", "rename", "rename the run", rank=9),
    Key("N", "note", "note", "write a note about the run", rank=9),
    Key("d,delete", "delete", "delete", "delete the run, or all of a group; asks", "d", rank=4),
    Key("x", "figure", "figure", "the curves: validation loss, metric; training loss, metric", footer=False),
    Key("i", "x_axis", "axis", "epochs, steps or time along the curves", footer=False),
    Key("left", "cursor(-1)", "epoch back", "the curves' cursor one epoch back", "←", footer=False),
    Key("right", "cursor(1)", "epoch on", "the curves' cursor one epoch on", "→", footer=False),
    Key("question_mark", "help", "help", "this help", "?", rank=0),
    Key("escape,q,R", "close", "back", "back to the main screen", "esc", rank=0),
)

LESSONS_KEYS: tuple[Key, ...] = (
    Key(
        "enter,ctrl+r",
        "measure",
        "run the experiments",
        "run the experiments, and judge the claim, several lessons one after the other; below a verdict: what to try",
        "enter",
        rank=1,
    ),
    Key("x", "stop", "stop", "stop them", rank=3),
    Key(
        "e",
        "experiments",
        "try",
        "to the experiments, and once more to what to try: enter puts one into the form",
        rank=2,
    ),
    Key(
        "m,M", "map", "map", "train the lesson's map, where it has one: its claim over two hyperparameters", "m", rank=2
    ),
    Key("tab", "next_pane", "pane", "the list, the figure, the page", rank=4, priority=True),
    Key("t", "traceback", "why", "the full error of a lesson that failed", footer=False),
    Key("question_mark", "help", "help", "this help", "?", rank=0),
    Key("escape,q,L", "close", "back", "back to the main screen; a measurement continues", "esc", rank=0),
)

CODE_KEYS: tuple[Key, ...] = (
    Key("s", "step", "line", "the next line of a step, with its tensors; where nothing trains, a new run begins"),
    Key("S", "whole_step", "step", "the lines that are left, and the next training step"),
    Key("e", "epoch", "epoch", "train to the end of the epoch, then pause"),
    Key("space", "pause", "pause", "pause, and resume"),
    Key("less_than_sign", "speed(-1)", "slower", "slower: down to one step a second", "<"),
    Key("greater_than_sign", "speed(1)", "faster", "faster, up to all there is", ">"),
    Key("x", "stop", "stop", "stop the run"),
    Key("v,tab", "turn", "other", "the other implementation, where there is no room for both", "v"),
    Key("left", "shift(-8)", "left", "the code sideways", "← →"),
    Key("right", "shift(8)", "right", "the code sideways", "→"),
    Key("up", "scroll(-1)", "up", "up and down", "↑ ↓"),
    Key("down", "scroll(1)", "down", "up and down", "↓"),
    Key("pageup", "scroll(-10)", "page up", "ten lines up"),
    Key("pagedown", "scroll(10)", "page down", "ten lines down"),
    Key("question_mark", "help", "help", "this help", "?"),
    Key("escape,q,c", "dismiss", "close", "back to the main screen", "esc"),
)

MAP_KEYS: tuple[Key, ...] = (
    Key(
        "ctrl+r",
        "train",
        "train",
        "train the map of these axes; one that was stopped continues; also from inside a text",
        "^r",
        priority=True,
        rank=1,
    ),
    Key("space", "pause", "pause", "pause, and resume"),
    Key("x", "stop_map", "stop", "stop; the cells that are done stay on the screen", rank=1),
    Key(
        "v",
        "quantity(1)",
        "quantity",
        "another quantity: accuracy, losses, dead units, findings …",
        rank=1,
    ),
    Key("V", "quantity(-1)", "quantity back", "the quantity before", footer=False),
    Key("z", "zoom_in", "zoom", "train the part of the map around the cursor as a map of its own", rank=1),
    Key("Z", "zoom_out", "zoom out", "back to the map of which this one is a part", rank=5),
    Key("b", "best", "best", "the cursor to the best cell", rank=1),
    Key("c", "curve", "curves", "a cell's losses, or its accuracy", rank=1),
    Key("T", "train_cell", "train cell", "train the cell's network by itself, as a run of its own", rank=8),
    Key("o", "open_stored", "open", "another map that is stored; ctrl+r continues it where cells are left", rank=8),
    Key("tab", "next_pane", "pane", "the axes, the map", rank=4, priority=True),
    Key("t", "traceback", "why", "the full error of a map that failed", footer=False),
    Key("question_mark", "help", "help", "this help", "?", rank=0),
    Key("escape,q,M", "close", "back", "back to the main screen; a map continues", "esc", rank=0),
)

# These act whatever covers the main screen.
_EVERYWHERE = ("interrupt", "suspend_process", "toggle_theme")
RANKS = {entry.action: entry.rank for entry in (*KEYS, *RUNS_KEYS, *LESSONS_KEYS, *MAP_KEYS)}


def bindings(keys: Iterable[Key]) -> list[BindingType]:
    """What Textual dispatches."""
    return [
        Binding(
            entry.key,
            entry.action,
            entry.word,
            show=entry.footer,
            key_display=entry.display or None,
            priority=entry.priority,
        )
        for entry in keys
    ]


SCREEN_BINDINGS = bindings(entry for entry in KEYS if entry.action not in _EVERYWHERE)
APP_BINDINGS = bindings(entry for entry in KEYS if entry.action in _EVERYWHERE)

FIELD_HELP: tuple[tuple[str, str], ...] = (
    ("↑ ↓", "the next field of a pane, or scroll"),
    ("← →", "another choice in a field such as ‹ relu ›"),
    ("← →", "on a chart: a cursor; curves, layers, findings of that step; shift: by ten; escape or end leaves it"),
    ("+ -", "on a chart: zoom, around the cursor or following the end; the mouse wheel, too"),
    ("enter", "in a choice: the list of all; in a text: edit it, and once more: take it"),
    ("0 … 9", "in a text: begin another one"),
    ("v  ← →", "in Picture: another kind of it; ↑ ↓: other inputs, another page or sample"),
    ("mouse", "drags the frames between panes; a click on a chart is its cursor, the wheel zooms"),
    ("v", "in Activations: each layer's outputs, its weights, or the loss's gradient by them"),
    ("enter", "in lr, edited while training: continue with that learning rate"),
)

MAP_HELP: tuple[tuple[str, str], ...] = (
    ("arrows", "on the map, or a click: the cursor; shift: by four cells"),
    ("enter", "on the map, or a double click: the cell into the form; on an axis: edit it"),
    ("← →", "on an axis: another field"),
    ("axes", "FIELD=LOW:HIGH:N, and behind it :log or :linear; or FIELD=VALUE,VALUE"),
)
TABLE_HELP = ("shift+← →", "the table sideways, where it is wider than the screen")


def help_rows(keys: Iterable[Key]) -> list[tuple[str, str]]:
    """Each key as it is called, and what it does."""
    rows: list[tuple[str, str]] = []
    for entry in keys:
        if rows and rows[-1][1] == entry.help and entry.display in rows[-1][0].split():
            continue  # told with the one before: ← →
        short = entry.display and not entry.display.startswith("^")  # the footer has no room for `ctrl+`
        rows.append((entry.display if short else entry.key, _(entry.help)))
    return rows


def in_words(rows: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Rows of one of the tables above, in the language of the process."""
    return [(_(key), _(what)) for key, what in rows]
