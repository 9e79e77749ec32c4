"""The main screens as they look, character by character, in terminals of three sizes.

The pictures are text files in `screens/`: of runs that an earlier version has stored, of a look at layers, a help and
a lesson that are made up. After a change that is meant, `pytest tests/tui/test_screens.py --update-screens` takes them
anew; look at them before you commit them. (`pytest-textual-snapshot` is not used: it wants one version of syrupy, which
keeps pytest below 9, starts the application anew for each picture, and its SVG files are ten times as large.)
"""

from __future__ import annotations

import difflib
import re
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from person import PATIENCE, Opener, Person, until_fitting

from d2ltui.lessons import LESSONS
from d2ltui.lessons.bench import Bench
from d2ltui.lessons.lesson import Lesson
from d2ltui.lessons.measured import Measured, figure
from d2ltui.spec.diagrams import Bars, Curve, Curves, Panel, Panels
from d2ltui.tui.screens.dialogs import HelpScreen
from d2ltui.tui.services.machine import Machine
from tests.golden import VERSIONS, unpack

PICTURES = Path(__file__).parent / "screens"
# Some of the keys: a picture of all of them would change with each that is added.
HELP = [("ctrl+r", "train what the form describes; also from inside a field")] + [
    (key, key * 30) for key in "abcdefgh"
] * 4
SIZES = ((80, 24), (120, 40), (200, 60))
RUN = "sick-relus"


class NoMachine(Machine):
    """Nothing is told of the machine: its figures are never the same."""

    def describe(self, device: str = "") -> str:
        return ""


def measure(bench: Bench) -> Measured:
    x = [float(i) for i in range(-4, 5)]
    curves = (Curve("square", x, [v * v for v in x], mark="s"), Curve("cube", x, [v**3 for v in x], colour=1, mark="c"))
    bars = Bars(("square", "cube"), (16.0, 64.0), (0, 1))
    bench.show(Panels((Panel("powers", Curves(curves, (-4.0, 4.0), "x")), Panel("the largest", bars))))
    found = [figure("largest square", 16.0, 16.0, 16.0), figure("largest cube", 64.0, 0.0, 27.0, "units")]
    return Measured(found, "The cube grows faster than was claimed.")


LESSON = Lesson(
    name="powers",
    title="Powers grow",
    section="2.1",
    claim="The square of 4 is 16, and its cube is no more than 27.",
    formula="x² = x · x",
    text="A power is a product of equal factors.\n\n    y = x ** 3\n\nThe higher the exponent, the faster it grows.",
    measure=measure,
    see="a square and a cube",
)


@pytest.fixture
def only_lesson() -> Iterator[None]:
    """The list of lessons, however many there are, holds one."""
    before = list(LESSONS.values())
    for lesson in before:
        LESSONS.forget(lesson.name)
    LESSONS.register(LESSON)
    yield
    LESSONS.forget(LESSON.name)
    for lesson in before:
        LESSONS.register(lesson)


class Album:
    """Takes pictures of the screen, and compares them with those that were taken before."""

    def __init__(self, person: Person, update: bool) -> None:
        self._person, self._update = person, update
        self._size = "{}x{}".format(*person.app.size)
        self._taken: set[str] = set()
        self._changes: list[str] = []

    async def take(self, name: str, ready: str, box: str = "") -> None:
        """The screen, or only the `box` on it, as soon as it says what is `ready`."""
        await self._person.until(lambda: ready in self._person.text(), ready)
        await until_fitting(self._person)
        self._person.app.clear_notifications()
        path = PICTURES / f"{name}-{self._size}.txt"
        self._taken.add(path.name)
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        now = await self._looks(before, box)
        if self._update and now != before:
            path.write_text(now, encoding="utf-8")
        elif now != before:
            named = {"fromfile": path.name, "tofile": "now", "lineterm": ""}
            self._changes += difflib.unified_diff(before.splitlines(), now.splitlines(), **named)

    def judge(self) -> None:
        """Whether all screens look as they did, and none of them is missing."""
        assert not self._changes, "\n".join(self._changes)
        assert {path.name for path in PICTURES.glob(f"*-{self._size}.txt")} == self._taken

    async def _looks(self, expected: str, box: str) -> str:
        """The screen as soon as it is as `expected`; or else once it has not changed for a while."""
        deadline, since, last = time.monotonic() + PATIENCE, time.monotonic(), ""
        while True:
            await self._person.settle()
            now = self._within(box)
            if now != last:
                since, last = time.monotonic(), now
            if now == expected or time.monotonic() > min(deadline, since + 2):
                return now
            await self._person.pilot.pause(0.2)

    def _within(self, box: str) -> str:
        text = re.sub(r"seeds, \S+ s", lambda took: "seeds, 0 s".ljust(len(took[0])), self._person.text())
        lines = text.splitlines()
        if box:
            region = self._person.app.screen.query_one(box).region
            lines = [line[region.x : region.right] for line in lines[region.y : region.bottom]]
        return "\n".join(lines) + "\n"


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "{}x{}".format(*size))
async def test_the_screens_look_as_they_did(
    size: tuple[int, int],
    open_app: Opener,
    d2ltui_home: Path,
    only_lesson: None,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    unpack(VERSIONS[0], d2ltui_home)
    async with open_app(size=size) as person:
        person.app.machine = NoMachine()
        book = Album(person, bool(request.config.getoption("--update-screens")))
        person.app.stored.watch(RUN)
        await person.until(lambda: person.app.live is not None and person.live.ended is not None, "the run")
        await book.take("main", ready="finished")

        assert person.live.layers is not None
        looked = person.live.layers
        activity = tuple(0.0 if unit % 3 == 0 else unit / 16 for unit in range(16))
        relu = msgspec.structs.replace(looked.layers[1], unit_activity=activity, dead=6 / 16, maximum=8.0, mean=1.5)
        person.live(msgspec.structs.replace(looked, layers=(looked.layers[0], relu, *looked.layers[2:])))
        await person.press("u")
        # A small terminal has room for the beginning of the function alone, and breaks lines beside a scroll bar.
        await book.take("units", ready="slope at most" if size[1] > 24 else "│ 9 nearly all", box=".box")
        await person.press("escape")
        person.app.push_screen(HelpScreen(HELP))
        await book.take("help", ready="Keys", box=".box")
        await person.press("escape", "R")
        await book.take("runs", ready="37 runs")
        await person.press("space")  # the four runs of a sweep
        await book.take("compare", ready="at epoch 1")
        await person.press("escape", "L", "enter")
        await book.take("lessons", ready="does not hold")
        book.judge()
