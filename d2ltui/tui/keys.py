"""The one table of keys: the footer, the help and the dispatch are made from it."""

from __future__ import annotations

from typing import NamedTuple

from textual.binding import Binding, BindingType


class Key(NamedTuple):
    """A key, the application's action, its word in the footer, and its sentence in the help."""

    key: str
    action: str
    word: str
    help: str
    display: str = ""
    footer: bool = True
    priority: bool = False  # acts even while a field has the focus


KEYS: tuple[Key, ...] = (
    Key("ctrl+r", "run", "run", "train what the form describes; also from inside a field", "^r", priority=True),
    Key("space", "pause", "pause", "pause, and resume"),
    Key("s", "step", "step", "train one step, then pause"),
    Key("e", "epoch", "epoch", "train to the end of the epoch, then pause"),
    Key("x", "stop", "stop", "stop the run; everything stays on the screen"),
    # Not in the footer, which has 80 columns: the findings say it themselves.
    Key("f", "remedy", "fix", "put a finding's remedy into the form; ctrl+r then trains it", footer=False),
    Key("z", "zoom", "zoom", "the focused pane full screen, and back (Activations: history)"),
    Key("u", "open_layer", "units", "a layer's units, one by one, the dead ones marked", footer=False),
    Key("L", "lessons", "lessons", "the lessons: what to see, and experiments that prove it"),
    Key("R", "runs", "runs", "the stored runs: compare, go on, watch, delete"),
    Key("tab", "next_pane", "pane", "the next pane", priority=True, footer=False),
    Key("shift+tab", "previous_pane", "pane back", "the previous pane", priority=True, footer=False),
    Key("l", "log_scale", "log", "linear or logarithmic loss axis", footer=False),
    Key("left_square_bracket", "smooth(-1)", "less smooth", "less smoothing", "[", footer=False),
    Key("right_square_bracket", "smooth(1)", "smoother", "more smoothing", "]", footer=False),
    Key(
        "ctrl+s",
        "save",
        "save",
        "save the form as a TOML file, for --config",
        "^s",
        priority=True,
        footer=False,
    ),
    Key("t", "traceback", "why", "the whole error of a failed run", footer=False),
    Key("ctrl+t", "toggle_theme", "theme", "light or dark", "^t", priority=True, footer=False),
    Key(
        "escape",
        "leave_field",
        "leave",
        "leave a field: letters are keys again",
        "esc",
        priority=True,
    ),
    Key("question_mark", "help", "help", "this help", "?"),
    Key("q", "quit_asking", "quit", "quit; asks while training"),
    Key("ctrl+c", "interrupt", "quit at once", "quit at once", "^c", footer=False, priority=True),
)

# These act whatever covers the main screen.
_EVERYWHERE = ("interrupt", "toggle_theme")


def _bindings(everywhere: bool) -> list[BindingType]:
    return [
        Binding(
            entry.key,
            entry.action,
            entry.word,
            show=entry.footer,
            key_display=entry.display or None,
            priority=entry.priority,
        )
        for entry in KEYS
        if (entry.action in _EVERYWHERE) == everywhere
    ]


SCREEN_BINDINGS = _bindings(everywhere=False)
APP_BINDINGS = _bindings(everywhere=True)

FIELD_HELP: tuple[tuple[str, str], ...] = (
    ("↑ ↓", "the next field of a pane, or scroll"),
    ("← →", "another choice in a field such as ‹ relu ›"),
    ("enter", "in a choice: the list of all; in lr, while training: go on with that learning rate"),
)
