"""The runs screen beside processes that hold a run's database, and marks that stay with their runs."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from pathlib import Path

import pytest
from person import SMALL, Opener, Person
from textual.widgets import DataTable, Input, Static

from d2ltui import events
from d2ltui.config import resolve
from d2ltui.store import home, listing
from d2ltui.store import reader as reader_module
from d2ltui.store.session import Session
from d2ltui.tui.keys import RUNS_KEYS
from d2ltui.tui.screens.dialogs import AskScreen, HelpScreen
from d2ltui.tui.screens.runs import RunsScreen

CONFIG = resolve(SMALL)


def made(status: str = "stopped") -> Path:
    """A run that has ended, without training one; or, with an empty status, one that has not."""
    path = home.create("softmax-moons", lambda path: Session.make(path, CONFIG, None))
    with contextlib.closing(Session(path, CONFIG)) as session:
        session.take(events.EpochEnded(1, 3, 0.5, 0.5, 0.75, 0.75, 1.0))
        if status:
            session.take(events.RunEnded(status, "stopped by you", {}))  # type: ignore[arg-type]
        session.write()
    return path


async def runs_screen(person: Person, rows: int) -> RunsScreen:
    await person.press("R")
    screen = person.app.screen
    assert isinstance(screen, RunsScreen)
    await person.until(lambda: screen.query_one(DataTable).row_count == rows, f"{rows} runs in the list")
    return screen


def rows_of(screen: RunsScreen) -> dict[str, tuple[str, str]]:
    """By name of the run: its mark and its status."""
    return {row[1].plain: (row[0].plain, row[2].plain) for row in screen._rows}


async def test_files_are_read_in_threads_and_only_where_they_have_changed(
    open_app: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "SETTLED", -1.0)
    opened: list[tuple[str, bool]] = []
    for module in (listing, reader_module):

        def counted(path: Path, real: object = module.open_run, **options: object) -> sqlite3.Connection:
            opened.append((path.name, threading.current_thread() is threading.main_thread()))
            return real(path, **options)  # type: ignore[operator,no-any-return]

        monkeypatch.setattr(module, "open_run", counted)
    name = made("").name  # its curves may grow
    async with open_app({}) as person:
        await person.press("escape")  # the offer to watch it
        opened.clear()
        screen = await runs_screen(person, 1)
        await person.press("space")
        await person.until(lambda: "at epoch 1" in person.text(), "its curve")
        assert opened == [(name, False), (name, False)]
        await person.press("right")
        await person.until(lambda: "at epoch 2" in person.text(), "the cursor")
        await person.press("slash", *"lr>0.2")
        await person.until(lambda: screen.query_one(DataTable).row_count == 0, "no run with such a rate")
        screen.query_one("#filter", Input).value = ""
        await person.until(lambda: screen.query_one(DataTable).row_count == 1, "the run")
        screen.refresh_runs()
        await person.until(lambda: screen._reading is not None and screen._reading.done(), "the list read again")
        assert opened == [(name, False), (name, False)]


async def test_a_held_database_keeps_what_was_read_before(open_app: Opener) -> None:
    path = made()
    async with open_app({}) as person:
        screen = await runs_screen(person, 1)
        await person.press("space")
        await person.until(lambda: f"a {path.name}: 0.5" in person.text(), "its curve")
        with contextlib.closing(sqlite3.connect(path / home.DATABASE, isolation_level=None)) as holder:
            holder.execute("BEGIN EXCLUSIVE")
            screen.refresh_runs(changed=True)
            await person.until(lambda: screen._reading is not None and screen._reading.done(), "the list read again")
            assert rows_of(screen) == {path.name: ("a", "stopped")}
            await person.press("right", "left")
            await person.until(lambda: "at epoch 1" in person.text() and f"a {path.name}: 0.5" in person.text(), "it")
            await person.press("space")  # forgets it
            await person.until(lambda: not screen._lives, "no curve")
            await person.press("space")  # and asks for it again
            await person.until(lambda: screen._told != {}, "why there is no curve")
            holder.execute("ROLLBACK")
        screen.refresh_runs()
        await person.until(lambda: f"a {path.name}: 0.5" in person.text(), "its curve, without a key")


async def test_a_mark_stays_with_its_run_where_renaming_or_deleting_is_refused(open_app: Opener) -> None:
    first, second = made(), made()
    async with open_app({}) as person:
        screen = await runs_screen(person, 2)
        marked = screen._selected()
        other = ({first.name, second.name} - {marked}).pop()
        await person.press("space", "n")
        person.app.screen.query_one(Input).value = other
        await person.press("enter", "escape")
        await person.until(lambda: person.app.screen is screen, "the list")
        assert screen._marked == [marked]
        assert marked is not None
        lock = home.Lock(home.path_of(marked))
        await person.press("d", "y")
        await person.until(lambda: person.app.screen is screen, "the list")
        assert screen._marked == [marked]
        lock.release()
        await person.press("n")
        person.app.screen.query_one(Input).value = "better"
        await person.press("enter")
        await person.until(lambda: rows_of(screen) == {"better": ("a", "stopped"), other: ("", "stopped")}, "its name")
        await person.press("d", "y")
        await person.until(lambda: rows_of(screen) == {other: ("", "stopped")}, "the other one alone")


async def test_a_name_that_cannot_be_is_said_beside_what_was_typed(open_app: Opener) -> None:
    name = made().name
    async with open_app() as person:
        screen = await runs_screen(person, 1)
        await person.press("n")
        dialog = person.app.screen
        assert isinstance(dialog, AskScreen)
        dialog.query_one(Input).value = "../evil"
        await person.press("enter")
        await person.until(lambda: "../evil" in str(dialog.query_one("#why-not", Static).content), "why not")
        assert person.app.screen is dialog
        assert dialog.query_one(Input).value == "../evil"
        dialog.query_one(Input).value = "good"
        await person.press("enter")
        await person.until(lambda: list(rows_of(screen)) == ["good"], "the new name")
        assert not (home.runs_dir() / name).exists()


async def test_every_key_is_told_and_a_note_stands_in_the_table(open_app: Opener) -> None:
    path = made()
    home.set_note(path.name, "the best so far, of all that were tried until now")
    async with open_app({}, size=(200, 40)) as person:
        screen = await runs_screen(person, 1)
        await person.until(lambda: "enter open" in person.text() and "? help" in person.text(), "the keys")
        assert "b baseline" in person.text()
        assert "the best so far, of all that …" in person.text()
        assert path.name in str(screen.query_one("#facts", Static).content)
        assert "until now" in str(screen.query_one("#facts", Static).content)
        await person.press("question_mark")
        assert isinstance(person.app.screen, HelpScreen)
        for key in RUNS_KEYS:
            assert key.help.split(";")[0][:40] in person.text(), key
        await person.press("escape")
        assert person.app.screen is screen


async def test_a_narrow_footer_leaves_out_what_the_help_tells(open_app: Opener) -> None:
    made()
    async with open_app({}, size=(80, 24)) as person:
        await runs_screen(person, 1)
        await person.until(lambda: "esc back" in person.text(), "the last key")
        assert "b baseline" not in person.text()
