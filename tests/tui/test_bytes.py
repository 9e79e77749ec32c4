"""The whole application on a terminal: it shows what the screen is, after anything, and few bytes make it so."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest
from emulator import CONSOLE, Emulator, drawn_anew
from person import Opener, Person, until_fitting
from textual._compositor import CompositorUpdate
from textual.app import App
from textual.screen import Screen

from tests.selection import long_after

SIZE = (160, 45)
DATA: dict[str, object] = {"model": "softmax", "dataset": "moons", "epochs": 3, "batch_size": 256}


class Line:
    """What goes from an application to its terminal."""

    def __init__(self) -> None:
        self.emulator = Emulator(*SIZE)
        self.sent = 0

    def feed(self, sent: str) -> None:
        self.sent += len(sent.encode())
        self.emulator.feed(sent)

    def resize(self, width: int, height: int) -> None:
        """Terminals cut what they show, or move it: nobody may rely on it."""
        self.emulator = Emulator(width, height)
        self.emulator.feed("".join(f"\x1b[{y + 1}H{'#' * width}" for y in range(height)))

    def agrees(self, app: App[object]) -> bool:
        """Whether the terminal shows what the screen is, cell for cell."""
        width, height = app.size
        screen = self.emulator.screen
        if (screen.columns, screen.lines) != (width, height):
            return False
        return self.emulator.looks() == drawn_anew(app.screen._compositor.render_strips(), width, height)


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    """In the place of the driver, which writes nothing under test."""
    line = Line()

    def display(self: App[object], screen: Screen[object], renderable: object) -> None:
        if isinstance(renderable, CompositorUpdate) and not self._batch_count:
            line.feed(renderable.render_segments(CONSOLE))

    monkeypatch.setattr(App, "_display", display)
    return line


async def settled(person: Person, line: Line) -> int:
    """Until nothing more is sent, and no chart is on its way; returns how much has been sent by then."""
    quiet, sent = 0, -1
    while quiet < 4:
        await until_fitting(person)
        await asyncio.sleep(0.05)
        quiet = quiet + 1 if line.sent == sent else 0
        sent = line.sent
    return sent


async def bytes_of(person: Person, line: Line, key: str) -> int:
    """What a key sends, once everything before it has been sent."""
    before = line.sent
    await person.press(key)
    return await settled(person, line) - before


async def test_a_key_sends_little(open_app: Opener, line: Line) -> None:
    """Of what changes on the screen, as much as has to be told; figures, which move by themselves, belong to it."""
    async with open_app(DATA, size=SIZE, store=False) as person:
        await person.press("ctrl+r")
        await person.until_word("finished")
        await person.press("escape")
        await settled(person, line)
        panes = [await bytes_of(person, line, "tab") for _ in range(8)]
        assert max(panes) <= 2000, panes
        budgets = {"z": 12_000, "question_mark": 10_000, "L": 16_000, "R": 16_000, "ctrl+t": 12_000, "l": 8_000}
        for key, most in budgets.items():
            back = {"z": "z", "ctrl+t": "ctrl+t", "l": "l"}.get(key, "escape")
            there, again = await bytes_of(person, line, key), await bytes_of(person, line, back)
            assert there, key
            assert max(there, again) <= most, (key, there, again)
            await person.until(lambda: line.agrees(person.app), "what the screen is on the terminal")
        whole, line.sent = line.sent, 0
        person.app.redraw()
        await person.until(lambda: line.sent, "all of it once more")
        assert await settled(person, line) < 20_000, whole


KEYS = (
    *("tab", "tab", "shift+tab", "z", "question_mark", "escape", "escape", "L", "R", "u", "l", "f"),
    *("right_square_bracket", "left_square_bracket", "ctrl+t", "up", "down", "left", "right", "ctrl+r", "space", "x"),
    *("ctrl+s", "pagedown", "home", "1", "漢"),
)
SIZES = ((160, 45), (120, 40), (80, 24), (40, 12), (99, 30), (161, 46))


@pytest.mark.parametrize(
    ("number", "seed", "ascii"), long_after(1, [(8, 1, False), (20, 1, False), (20, 2, True), (20, 3, False)])
)
async def test_the_terminal_shows_what_the_screen_is(
    open_app: Opener, line: Line, number: int, seed: int, ascii: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    chance = Random(seed)
    done: list[object] = []
    async with open_app(DATA, size=SIZE, store=False, ascii=ascii) as person:
        for _ in range(number):
            what = chance.random()
            if what < 0.12:
                size = chance.choice(SIZES)
                done.append(size)
                line.resize(*size)
                await person.pilot.resize_terminal(*size)
            elif what < 0.2:
                text = chance.choice(("saved", "漢字 e\u0301 ✔ 👩\u200d💻 " * 5, "a " * 100))
                done.append(text)
                person.app.notify(text, timeout=0.5)
            else:
                keys = chance.choices(KEYS, k=chance.choice((1, 1, 1, 4)))
                done += keys
                await person.press(*keys)
            await person.until(lambda: line.agrees(person.app), f"what the screen is on the terminal, after {done}")


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {}])
async def test_without_colours_and_with_the_terminals_own(
    open_app: Opener, line: Line, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    async with open_app(DATA, size=(100, 30), store=False) as person:
        line.resize(100, 30)
        person.app.redraw()
        if not environment:
            themes = person.app.available_themes  # its name differs between releases
            person.app.theme = "ansi-dark" if "ansi-dark" in themes else "textual-ansi"
        await person.until(lambda: line.agrees(person.app), "what the screen is")
        await person.press("tab", "tab", "z")
        await person.until(lambda: line.agrees(person.app), "what the screen is")
        colours = {cell[1] for row in line.emulator.looks() for cell in row}
        # Without colours there are grey tones at most.
        assert environment == {} or all(
            len(set(map(colour.__getitem__, (slice(2), slice(2, 4), slice(4, 6))))) == 1
            for colour in colours
            if len(colour) == 6
        ), colours
