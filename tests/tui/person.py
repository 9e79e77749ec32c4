"""A person in front of the application, who presses keys and reads what is on the screen."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from textual.message_pump import MessagePump
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import DataTable, Input, Static

from d2ltui.history.live import LiveRun
from d2ltui.spec.models import MODELS
from d2ltui.tui.app import D2LApp
from d2ltui.tui.panes import PANES
from d2ltui.tui.panes.arrangement import Arrangement
from d2ltui.tui.panes.chart import ChartPane
from d2ltui.tui.screens.main import MainScreen
from d2ltui.tui.screens.runs import RunsScreen
from d2ltui.tui.widgets.fields import ChoiceField, TextField
from d2ltui.tui.widgets.setup import Setup
from d2ltui.tui.widgets.status import StatusLine
from tests import processes

# A condition that does not come true within this time, in seconds, is a failure; nothing waits so long otherwise.
PATIENCE = 30.0
SMALL: dict[str, object] = {"model": "softmax", "dataset": "moons", "epochs": 2}
TRAIN = ["-m", "d2ltui", "train", "--model", "softmax", "--dataset", "moons", "--quiet"]
UNHURRIED = [*processes.UNHURRIED, *TRAIN[2:]]
LONG = 100_000  # epochs, which no test waits for
ENDLESS: dict[str, object] = {"model": "softmax", "dataset": "moons", "epochs": 1_000_000}

# The panes that come with the application: those of each tab, and the order in which `tab` goes through them.
_ARRANGEMENT = Arrangement(PANES.present())
TABS, ORDER = _ARRANGEMENT.tabs, _ARRANGEMENT.order
# Those that a wide terminal shows side by side, as long as nobody has asked for one that takes the place of others.
WIDE = [name for name in ORDER if name not in _ARRANGEMENT.hidden(set())]


class Person:
    """Presses keys, and reads what is on the screen."""

    def __init__(self, app: D2LApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def main(self) -> MainScreen:
        """The main screen, whatever covers it."""
        return next(screen for screen in self.app.screen_stack if isinstance(screen, MainScreen))

    @property
    def setup(self) -> Setup:
        return self.main.query_one(Setup)

    @property
    def live(self) -> LiveRun:
        """The present run, or the last one."""
        assert self.app.live is not None, "nothing has been trained"
        return self.app.live

    @property
    def word(self) -> str:
        """The status line's word."""
        return self.main.query_one(StatusLine).word

    @property
    def status(self) -> str:
        """The whole status line, and what it says below."""
        return self.main.query_one(StatusLine).render().plain

    @property
    def focused_pane(self) -> str | None:
        return self.main._focused_pane()

    def text(self) -> str:
        """Everything that is on the screen."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)

    def field(self, name: str) -> Widget:
        return self.setup.query_one(f"#field-{name}")

    def shown_fields(self) -> list[str]:
        """The names of the fields that can be seen."""
        fields = self.setup.query("ChoiceField, TextField").results(Widget)
        return [widget.field for widget in fields if isinstance(widget, (ChoiceField, TextField)) and widget.display]

    def problem(self, name: str) -> str:
        """The sentence beside a text field; empty where there is none."""
        widget = self.setup.query_one(f"#field-{name}", TextField)
        return "\n".join(str(note.content) for note in widget.query(".problem").results(Static))

    async def press(self, *keys: str) -> None:
        for number, key in enumerate(keys):
            if number:
                await self.settle(rounds=1)
            await self.app._press_keys([key])
        await self.settle()

    async def settle(self, rounds: int = 10) -> None:
        """Until what was asked for has gone through every queue: from a field to the screen there are six."""
        for node in self.app.screen.walk_children() if self.app.screen_stack else ():
            if _puts_off(node):
                node.call_later(_nothing)  # what is put off until there is a message is done then
        quiet = 0
        for _ in range(rounds):
            for pump in (self.app, *self.app.screen_stack):
                pump.call_later(_nothing)  # as much for those who change the size
            await self._rest()
            if self.app.screen_stack:
                self.app.screen._on_timer_update()
            for _ in range(3):  # a key, for one, comes by a task of its own
                await asyncio.sleep(0)
            quiet = quiet + 1 if not self._busy() else 0
            if quiet == 2:
                break

    async def _rest(self) -> None:
        """Until every widget has done what it was told, and waits for more.

        Pilot finds that out by a message to each, a hundred of them: most of what a key cost, when done each time.
        """
        deadline, turns = time.monotonic() + PATIENCE, 0
        busy = self._busy()
        while busy and self.app._exception is None:
            assert time.monotonic() < deadline, f"in {PATIENCE:g} s not done with a message: {busy}"
            turns += 1
            await asyncio.sleep(0 if turns < 50 else 0.005)
            # The others are looked at again once these wait.
            busy = [pump for pump in busy if pump.is_running and not _waits(pump)] or self._busy()

    def _busy(self) -> list[MessagePump]:
        """Those that have messages, are in the middle of one, or wait to send one."""
        screens = self.app.screen_stack if self.app.is_running else []
        pumps = [self.app, *screens[:-1], *(screens[-1].walk_children(with_self=True) if screens else ())]
        busy = [pump for pump in pumps if pump.is_running and not _waits(pump)]
        # An application waits a moment for a window to have its last size before it tells its screen; and for a key to
        # have gone through the queues of a dialog that it has closed, before it gives the next one to anything.
        resizes = getattr(self.app, "_resize_timer", None) is not None  # Textual 8.2.0 has none
        waits = resizes or (self.app._typed.busy and bool(screens))
        return busy or ([self.app] if self.app.is_running and waits else [])

    async def select(self, name: str) -> None:
        """Choose a field, without a cursor in it."""
        self.field(name).focus()
        await self.settle()

    async def focus(self, name: str) -> None:
        """Go to a field, a text with the cursor in it."""
        widget = self.field(name)
        (widget.input if isinstance(widget, TextField) else widget).focus()
        await self.settle()

    async def type(self, name: str, text: str) -> None:
        """Go to a field and replace its text, a key at a time."""
        await self.focus(name)
        focused = self.main.focused
        assert isinstance(focused, Input)
        focused.clear()
        await self.press(*text)

    async def choose(self, name: str, value: str) -> None:
        """Turn a choice until it shows `value`."""
        await self.focus(name)
        field = self.field(name)
        assert isinstance(field, ChoiceField)
        for _ in field.choices:
            if field.value == value:
                return
            await self.press("right")
        raise AssertionError(f"{name} never showed {value}")

    async def choose_model(self, name: str) -> None:
        """Turn the models until `name` is the chosen one."""
        self.setup.query_one("#model").focus()
        await self.settle()
        models = list(MODELS)
        by = models.index(name) - models.index(self.setup.state["model"])
        await self.press(*["right" if by > 0 else "left"] * abs(by))
        await self.until(lambda: self.setup.state["model"] == name, name)

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait until `condition` holds."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"never in {PATIENCE:g} s: {what}; on the screen:\n{self.text()}"
            await asyncio.sleep(0.02)

    async def until_word(self, *words: str) -> None:
        await self.until(lambda: self.word in words, " or ".join(words))

    async def until_drawn(self, pane: str) -> None:
        """Wait until a chart shows what there is of the run, and draws no more."""
        chart = self.main.query_one(f"#{pane}", ChartPane)

        def rests() -> bool:
            return chart._shown[2] == self.live.version

        await self.until(lambda: chart.frames > 0 and (self.word == "training" or rests()), f"a drawing in {pane}")


def _nothing() -> None:
    pass


# What a widget does when it has no message any more. (Pilot sends one to each of them, a third of what a key costs.)
_PUT_OFF = ("_layout_required", "_repaint_required", "_scroll_required", "_refresh_styles_required", "_next_callbacks")


def _puts_off(pump: MessagePump) -> bool:
    return any(getattr(pump, name) for name in _PUT_OFF)


def _waits(pump: MessagePump) -> bool:
    """Whether it has no message, and its task waits for the next one."""
    queue = pump._message_queue
    return queue.empty() and bool(queue.ready_event._waiters)  # type: ignore[attr-defined]


Opener = Callable[..., AbstractAsyncContextManager[Person]]
Starter = Callable[[Person], Awaitable[subprocess.Popen[bytes]]]


def shown_panes(person: Person) -> list[str]:
    return [name for name in ORDER if person.main.query_one(f"#{name}").region.area > 0]


async def until_fitting(person: Person) -> None:
    """Until every chart that can be seen has been drawn at its present size."""

    def fits() -> bool:
        charts = [chart for chart in person.main.query(ChartPane) if chart.region.area and chart.view.size.area]
        return all(
            len(chart.view.lines) == chart.view.size.height
            and all(sum(len(text) for _, text in line) <= chart.view.size.width for line in chart.view.lines)
            for chart in charts
        )

    await person.until(fits, "drawings of the right size")


async def listed(person: Person, rows: int = 1) -> RunsScreen:
    """Open the runs screen, and wait for so many runs to be read."""
    await person.press("R")
    screen = person.app.screen
    assert isinstance(screen, RunsScreen)
    await person.until(lambda: screen.query_one(DataTable).row_count == rows, f"{rows} runs in the list")
    return screen
