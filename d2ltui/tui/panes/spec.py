"""What a pane is: one object for each thing there is to show of a run, and the little that the screen asks of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, get_args, runtime_checkable

import msgspec
from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from d2ltui.spec.language import _
from d2ltui.spec.registry import Registry
from d2ltui.spec.text import printable
from d2ltui.tui.widgets.pane import Pane

if TYPE_CHECKING:
    from d2ltui.charts.of_run import Curves
    from d2ltui.charts.timeline import Unit
    from d2ltui.engine.picture_desk import PictureDesk
    from d2ltui.history.live import LiveRun
    from d2ltui.spec.datasets import Task
    from d2ltui.spec.events import Finding
    from d2ltui.spec.findings import Tally

ColumnName = Literal["curves", "inside"]
COLUMNS: tuple[ColumnName, ...] = get_args(ColumnName)  # from left to right, after the form's

FORM_TAB = "Setup"
FORM_PANES = ("model-pane", "data-pane", "form-pane")
# Other parts of the main screen that have an id.
_TAKEN = {*FORM_PANES, *COLUMNS, "setup", "body", "tabs", "status", "model", "network"}
MAX_TITLE = 24  # characters


@dataclass(frozen=True)
class RunView:
    """What there is to show at one moment: a run, and how it is to be shown."""

    live: LiveRun | None = None  # None before the first run
    curves: Curves | None = None  # the run's, for charts; None where `live` is
    task: Task = "classification"  # of the run, or before it of the form
    run_name: str = ""
    log: bool = False  # a logarithmic loss axis
    smoothing: float = 0.0  # the weight of the moving average, from 0 (raw) to 1
    ascii: bool = False  # marks of plain ASCII only
    zoomed: str | None = None  # the name of the pane that fills the screen
    unit: Unit = "epoch"  # of the charts' x axis
    zoom: int = 0  # the charts show the 2 ** zoom-th part of the run
    cursor: int | None = None  # the step at which the charts are read; None for the newest
    pictures: PictureDesk | None = None  # where pictures of the run are asked for


class PaneSpec(msgspec.Struct, frozen=True):
    """Something that the main screen shows of a run.

    `name` is what the pane is called within the program, `title` stands in its frame. `make` returns a new pane for
    this object: a `RunPane`, such as `LinesPane` or `ChartPane`.

    On a wide terminal the pane stands in `column`: "curves" in the middle, "inside" on the right; `share` is how much
    of the column's height it takes beside the others there, and `min_height` (rows, with the frame) what it needs. On
    a narrow one it is in the tab titled `tab`, its own or one that exists, by default `title`; `short` is that title
    where there is little room. `shows_layers`: the engine looks at the layers often while such a pane is visible.

    `in_place_of` names panes of the same column whose place it takes: on a wide terminal it is shown once it is asked
    for, and they are hidden until one of them is.
    """

    name: str
    title: str
    make: Callable[[PaneSpec], RunPane]
    column: ColumnName = "inside"
    tab: str = ""
    short: str = ""
    share: int = 1
    min_height: int = 0
    shows_layers: bool = False
    in_place_of: tuple[str, ...] = ()

    @property
    def tab_title(self) -> str:
        """The tab of a narrow terminal that shows it."""
        return self.tab or self.title

    def build(self) -> RunPane:
        """A new pane.

        Raises:
            TypeError, ValueError: where `make` returns something else. And whatever `make` raises.
        """
        pane = self.make(self)
        if not isinstance(pane, RunPane):
            raise TypeError(f"make: it returns a {type(pane).__name__} and not a RunPane")
        if pane.id != self.name:
            raise ValueError(f"make: the pane's id {pane.id!r} is not allowed; allowed: '{self.name}'")
        return pane


class PaneFailed(Message):
    """A pane has raised an exception; it is asked for nothing any more."""

    def __init__(self, pane: RunPane, error: Exception) -> None:
        super().__init__()
        self.pane, self.error = pane, error


class RunPane(Pane):
    """A pane that shows something of a run.

    The screen calls `show_run` a few times a second, in the interface's thread: it compares what it is about to show
    with what it shows, and does nothing where that is the same. A pane that raises is told of once and left alone.

    `regardless_of` names what a `RunView` says that changes nothing of it: it need not be drawn for that.
    """

    regardless_of: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, spec: PaneSpec, *children: Widget) -> None:
        super().__init__(_(spec.title), *children, id=spec.name, can_focus=True)
        self.styles.height = f"{spec.share}fr"
        if spec.min_height:
            self.styles.min_height = spec.min_height
        self.failed = False

    def show_run(self, view: RunView) -> None:
        """Show `view`. Where the pane is hidden, or has no size yet, there may be nothing to do."""
        raise NotImplementedError

    def prepare(self, view: RunView, frame: Size | None) -> None:
        """Draw for the layout to come: the pane fills `frame`, or, with None, goes back to its usual size."""

    def fail(self, sentence: str) -> None:
        """Show `sentence` instead of anything else, from now on."""
        self.failed = True
        for child in self.children:
            child.display = False
        self.subtitle("")
        self.mount(Static(Content.styled(sentence, "$text-error")))

    async def on_event(self, event: events.Event) -> None:
        """A key, a click or a new size that the pane fails to handle is no end of the application."""
        try:
            await super().on_event(event)
        except Exception as error:
            self.post_message(PaneFailed(self, error))


@runtime_checkable
class HasRemedy(Protocol):
    """A pane that has a change of hyperparameters to offer."""

    @property
    def selected(self) -> Finding | None:
        """The finding whose remedy is meant; None where there is none."""


@runtime_checkable
class HasTally(Protocol):
    """A pane whose tab says that there is something to look at."""

    @property
    def tally(self) -> Tally:
        """How many alarms and warnings it shows."""


def check(spec: PaneSpec) -> None:
    """Raises ValueError where `spec` describes no pane that the main screen could show."""
    if not isinstance(spec.name, str) or not re.fullmatch("[a-z][a-z0-9-]*", spec.name):
        raise ValueError(f"name: {spec.name!r} is not allowed; allowed: small letters, digits and '-'")
    if spec.name in _TAKEN:
        raise ValueError(f"name: the name '{spec.name}' is taken")
    for field, title in (("title", spec.title), ("tab", spec.tab_title), ("short", spec.short or "x")):
        if not isinstance(title, str) or not title.strip() or printable(title, MAX_TITLE) != title:
            raise ValueError(f"{field}: {title!r} is not allowed; allowed: 1 to {MAX_TITLE} printable characters")
    if spec.tab_title == FORM_TAB:
        raise ValueError(f"tab: '{FORM_TAB}' is not allowed: it has room for the form alone")
    if spec.column not in COLUMNS:
        raise ValueError(f"column: {spec.column!r} is not allowed; allowed: {', '.join(COLUMNS)}")
    for field, number, least in (("share", spec.share, 1), ("min_height", spec.min_height, 0)):
        if not isinstance(number, int) or number < least:
            raise ValueError(f"{field}: {number!r} is not allowed; allowed: whole numbers from {least}")
    if not isinstance(spec.in_place_of, tuple) or not all(isinstance(name, str) for name in spec.in_place_of):
        raise ValueError(f"in_place_of: {spec.in_place_of!r} is not allowed; allowed: a tuple of names")
    if not callable(spec.make):
        raise ValueError("make: it is not a function")


# Those that come with the program register themselves when `d2ltui.tui.panes` is imported.
PANES: Registry[PaneSpec] = Registry("d2ltui.panes", PaneSpec, check)
