"""The application shows what earlier versions have stored: the list of runs, and one of them watched."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest
from person import Opener
from textual.widgets import DataTable, Input

from tests.golden import VERSIONS, expected, unpack

pytestmark = pytest.mark.parametrize("version", VERSIONS, ids=lambda path: path.name)


async def test_the_list_and_the_curves_of_runs_that_an_earlier_version_has_stored(
    version: Path, d2ltui_home: Path, open_app: Opener
) -> None:
    unpack(version, d2ltui_home)
    runs = expected(version)["runs"]
    async with open_app(size=(160, 60)) as person:
        await person.press("R")
        table = person.app.screen.query_one(DataTable)
        await person.until(lambda: 0 < table.row_count < len(runs), "all runs, those of a group in one row")
        await person.press("slash")
        person.app.screen.query_one("#filter", Input).value = "name!=nobody"  # with a filter, each by itself
        await person.until(lambda: table.row_count == len(runs), "all runs")
        await person.press("enter")
        cells = [[str(cell) for cell in table.get_row_at(index)] for index in range(len(runs))]
        for name, run in runs.items():
            stored = run["row"]
            (found,) = (row for row in cells if row[1] == name)
            assert stored["status"] in found[2]
            if stored["config"] is not None:
                assert f"{stored['epochs']}/{stored['config']['epochs']}" in found
        await person.press("slash")
        person.app.screen.query_one("#filter", Input).value = "status=interrupted"
        names = expected(version)["filters"]["status=interrupted"]
        await person.until(lambda: table.row_count == len(names), "the interrupted ones")
        await person.press("enter", "space", "down", "space")
        await person.until(lambda: "─a─" in person.text() or "at epoch" in person.text(), "their curves")


@pytest.mark.parametrize("name", ["sick-relus", "interrupted-adam"])
async def test_a_run_that_an_earlier_version_has_stored_is_watched(
    version: Path, name: str, d2ltui_home: Path, open_app: Opener
) -> None:
    unpack(version, d2ltui_home)
    run = expected(version)["runs"][name]
    async with open_app() as person:
        person.app.stored.watch(name)
        await person.until(lambda: person.app.live is not None, "the run")
        await person.until_word(run["row"]["status"])
        live = person.live
        assert (live.step, len(live.epochs)) == (run["row"]["steps"], len(run["json"]["epochs"]))
        assert [epoch.val_loss for epoch in live.epochs] == pytest.approx(
            [epoch["val_loss"] for epoch in run["json"]["epochs"]], rel=1e-6
        )
        assert [finding.rule for finding in live.findings] == [found["rule"] for found in run["json"]["findings"]]
        await person.until(lambda: f"/{run['row']['config']['epochs']}" in person.status, "its epochs")


async def test_a_run_of_a_newer_version_is_listed_and_says_so(
    version: Path, d2ltui_home: Path, open_app: Opener
) -> None:
    unpack(version, d2ltui_home)
    for path in (d2ltui_home / "runs").iterdir():
        if path.name != "noted":
            shutil.rmtree(path)
    with contextlib.closing(sqlite3.connect(d2ltui_home / "runs" / "noted" / "run.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    async with open_app(size=(160, 40)) as person:
        await person.press("R")
        table = person.app.screen.query_one(DataTable)
        await person.until(lambda: table.row_count == 1, "the run")
        cells = [str(cell) for cell in table.get_row_at(0)]
        assert cells[1:4] == ["noted", "newer", "2/2"]
        await person.press("space")
        await person.until(lambda: "schema 99" in person.text(), "why it has no curve")
        await person.press("enter")
        await person.until(lambda: any("schema 99" in note.message for note in person.app._notifications), "why not")
