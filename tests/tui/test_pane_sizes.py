"""Panes are made larger and smaller by keys, and have their sizes again the next time."""

from __future__ import annotations

from pathlib import Path

import pytest
from person import Opener

from d2ltui.store import StoreError, home, pane_sizes


async def test_sizes_are_changed_by_keys_and_remembered(d2ltui_home: Path, open_app: Opener) -> None:
    async with open_app(size=(140, 45)) as person:
        loss, accuracy, inside = (person.main.query_one(f"#{name}") for name in ("loss", "accuracy", "inside"))
        await person.press("escape", ")")
        assert "tab chooses a pane" in person.status
        loss.focus()
        before = loss.size, accuracy.size, inside.size
        await person.press(")")
        await person.until(lambda: loss.size.height > before[0].height, "a higher pane")
        assert accuracy.size.height < before[1].height
        await person.press("}", "}")
        await person.until(lambda: loss.size.width > before[0].width + 10, "a wider column")
        assert inside.size.width < before[2].width - 10
        wide = loss.size
        await person.until(lambda: pane_sizes.read().get("curves", 1.0) == pytest.approx(1.25**2), "the file")
        await person.press("z", ")")
        assert "whole screen" in person.status
    async with open_app(size=(140, 45)) as person:
        loss = person.main.query_one("#loss")
        await person.until(lambda: loss.size == wide, "the sizes of the last time")
        loss.focus()
        await person.press("(", "{", "{")
        await person.until(lambda: (loss.size, person.main.query_one("#accuracy").size) == before[:2], "as it was")
        await person.press(*")" * 12)
        await person.until(lambda: pane_sizes.read()["loss"] == pane_sizes.MOST, "no more than that")
        assert person.main.query_one("#accuracy").size.height >= 3


async def test_a_file_that_is_none_is_told_of_and_changes_nothing(d2ltui_home: Path, open_app: Opener) -> None:
    path = home.home() / pane_sizes.FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    assert pane_sizes.read() == {}
    for text in ("no JSON", "[1]", '{"loss": "much"}', "[" * 5000):
        path.write_text(text)
        with pytest.raises(StoreError, match="holds none"):
            pane_sizes.read()
    async with open_app(size=(140, 45)) as person:
        told = "holds none"
        await person.until(lambda: any(told in notice.message for notice in person.app._notifications), "why not")
    path.write_text('{"loss": 1e9, "accuracy": NaN, "of another version": 0.0}')
    assert pane_sizes.read() == {"loss": pane_sizes.MOST, "of another version": pane_sizes.LEAST}
    path.unlink()
    path.mkdir()
    for act in (pane_sizes.read, lambda: pane_sizes.write({})):
        with pytest.raises(StoreError, match="panes' sizes cannot be"):
            act()
