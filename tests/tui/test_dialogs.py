"""Dialogs that ask for a name."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.app import App
from textual.screen import ModalScreen, Screen
from textual.widgets import Input

from d2ltui.spec.width import cells
from d2ltui.tui import screens
from d2ltui.tui.screens.dialogs import AskScreen, HelpScreen, KeyTable, SaveScreen


async def test_what_was_said_of_a_file_goes_when_another_is_named(tmp_path: Path) -> None:
    there = tmp_path / "there.toml"
    there.write_text("mine")
    app = App[None]()
    async with app.run_test() as pilot:
        screen = SaveScreen("text", str(there))
        app.push_screen(screen)
        await pilot.pause()
        await pilot.press("enter")
        said = screen.query_one(".problem")
        assert "enter again" in str(said.render())
        screen.query_one(Input).value = str(tmp_path / "other.toml")
        await pilot.pause()
        assert not str(said.render())
        await pilot.press("enter")
    assert there.read_text() == "mine"
    assert (tmp_path / "other.toml").read_text() == "text"


async def test_an_attempt_that_ends_when_its_dialog_is_closed_closes_nothing_else() -> None:
    ended = asyncio.Event()

    async def attempt(text: str) -> str:
        await ended.wait()
        return ""

    app = App[None]()
    async with app.run_test() as pilot:
        below, dialog = Screen[None](), AskScreen("name", "new", attempt=attempt)
        app.push_screen(below)
        app.push_screen(dialog)
        await pilot.pause()
        await pilot.press("enter")
        dialog.dismiss(None)
        ended.set()
        await pilot.pause()
        assert app.screen is below


@pytest.mark.parametrize(("size", "rows"), [((20, 5), 3), ((40, 8), 8), ((80, 24), 18)])
async def test_help_is_read_also_where_there_is_little_room(size: tuple[int, int], rows: int) -> None:
    app = App[None]()
    async with app.run_test(size=size) as pilot:
        app.push_screen(HelpScreen([(f"key {n}", "what it does") for n in range(30)]))
        await pilot.pause()
        shown = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
        assert shown.count("key ") >= rows, shown
        assert "what it" in shown


def test_what_a_key_does_is_wrapped_and_nothing_of_it_is_left_out() -> None:
    """Of Chinese, which has no blanks, too: Rich's table ends such a line with an ellipsis."""
    said = "训练这两个轴的地图；停止过的会继续；在文字栏里也可以"
    lines = KeyTable([("ctrl+r", said), ("b", "the best cell")])._lines(20)
    *chinese, english = lines
    assert english == "b      the best cell"
    assert len(chinese) > 3
    assert all(cells(line) <= 20 for line in chinese)
    assert chinese[0].startswith("ctrl+r ")
    assert "".join(line[7:].strip() for line in chinese) == said


def test_no_screen_lets_the_one_behind_it_through() -> None:
    """That one would be drawn with every frame of it, twice, and sent down the link."""
    for module in pkgutil.iter_modules(screens.__path__):
        importlib.import_module(f"{screens.__name__}.{module.name}")
    ours = [found for found in _below(ModalScreen) if found.__module__.startswith("d2ltui.")]
    assert {"HelpScreen", "LayerScreen", "CodeScreen"} <= {screen.__name__ for screen in ours}
    for screen in ours:
        css = next(vars(one)["DEFAULT_CSS"] for one in screen.__mro__ if "DEFAULT_CSS" in vars(one))
        assert "background: $background;" in css.split("}")[0], screen.__name__


def _below(kind: type) -> Iterator[type]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)
