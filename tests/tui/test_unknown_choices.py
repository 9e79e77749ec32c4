"""Runs with an optimiser or an activation that this program does not have: a plug-in's that is gone, say."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path

import pytest
from person import SMALL, Opener, listed

from d2ltui.store import home, schema


def changed(path: Path, **choices: str) -> None:
    """The run has made these choices."""
    with contextlib.closing(sqlite3.connect(path / home.DATABASE, isolation_level=None)) as connection:
        (stored,) = connection.execute("SELECT value FROM meta WHERE key = 'config'").fetchone()
        text = json.dumps({**json.loads(stored), **choices})
        row = (text, schema.crc("config", text))
        connection.execute("UPDATE meta SET value = ?, crc = ? WHERE key = 'config'", row)


@pytest.mark.parametrize("choice", [{"optimizer": "nadam"}, {"activation": "mish"}])
@pytest.mark.parametrize("by_list", [False, True])
async def test_it_is_looked_at_and_the_form_stays_as_it_is(
    open_app: Opener, choice: dict[str, str], by_list: bool
) -> None:
    async with open_app({**SMALL, "model": "mlp", "dataset": "moons", "hidden": "4"}) as person:
        await person.press("ctrl+r")
        await person.until_word("finished")
        assert person.app.worker.join(30)
        (name,) = home.names()
        changed(home.path_of(name), **choice)
        before = person.setup.state["optimizer"], person.setup.state["activation"]
        if by_list:
            await listed(person)
            await person.press("enter")
        else:
            person.app.stored.watch(home.path_of(name))
        await person.until(lambda: f"{name} is on the screen" in person.text(), "the run")
        await person.until(lambda: person.live.step > 0, "its steps")
        assert (person.setup.state["optimizer"], person.setup.state["activation"]) == before
