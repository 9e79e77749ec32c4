"""The runs screen beside processes that hold a run's database, and marks that stay with their runs."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from pathlib import Path

import msgspec
import pytest
from person import SMALL, Opener, Person
from textual.widgets import DataTable, Input, Static

from d2ltui.spec import events
from d2ltui.spec.config import resolve
from d2ltui.store import columns, home, listing
from d2ltui.store import reader as reader_module
from d2ltui.store.session import RunWriter
from d2ltui.tui.keys import RUNS_KEYS
from d2ltui.tui.screens.dialogs import AskScreen, ConfirmScreen, HelpScreen
from d2ltui.tui.screens.runs import RunsScreen
from d2ltui.tui.widgets.runs_table import RunsTable

CONFIG = resolve(SMALL)


def made(status: str = "stopped", group: dict[str, object] | None = None) -> Path:
    """A run that has ended, without training one; or, with an empty status, one that has not."""
    path = home.create("softmax-moons", lambda path: RunWriter.make(path, CONFIG, group))
    with contextlib.closing(RunWriter(path, CONFIG)) as session:
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
    table = screen.query_one(RunsTable)
    rows = [table.get_row_at(index) for index in range(table.row_count)]
    return {row[1].plain: (row[0].plain, row[2].plain) for row in rows}


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
        await person.until(lambda: isinstance(person.app.screen, ConfirmScreen), "the offer to watch it")
        await person.press("escape")
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
        await person.until(lambda: f"a─ {path.name}: 0.5" in person.text(), "its curve")
        with contextlib.closing(sqlite3.connect(path / home.DATABASE, isolation_level=None)) as holder:
            holder.execute("BEGIN EXCLUSIVE")
            screen.refresh_runs(changed=True)
            await person.until(lambda: screen._reading is not None and screen._reading.done(), "the list read again")
            assert rows_of(screen) == {path.name: ("a", "stopped")}
            await person.press("right", "left")
            await person.until(lambda: "at epoch 1" in person.text() and f"a─ {path.name}: 0.5" in person.text(), "it")
            await person.press("space")  # forgets it
            await person.until(lambda: not screen._lives, "no curve")
            await person.press("space")  # and asks for it again
            await person.until(lambda: screen._told != {}, "why there is no curve")
            holder.execute("ROLLBACK")
        screen.refresh_runs()
        await person.until(lambda: f"a─ {path.name}: 0.5" in person.text(), "its curve, without a key")


async def test_a_mark_stays_with_its_run_where_renaming_or_deleting_is_refused(open_app: Opener) -> None:
    first, second = made(), made()
    async with open_app({}) as person:
        screen = await runs_screen(person, 2)
        marked = screen.query_one(RunsTable).selected
        other = ({first.name, second.name} - {marked}).pop()
        await person.press("space", "n")
        dialog = person.app.screen
        dialog.query_one(Input).value = other
        await person.press("enter")
        # while it is being renamed the run is in use, so the lock below waits for the answer
        await person.until(lambda: other in str(dialog.query_one("#why-not", Static).content), "why not")
        await person.press("escape")
        await person.until(lambda: person.app.screen is screen, "the list")
        assert screen._marked == [marked]
        assert marked is not None
        lock = home.Lock(home.path_of(marked))
        await person.press("d", "y")
        await person.until(lambda: "is in use" in person.text(), "why not")
        assert person.app.screen is screen
        assert screen._marked == [marked]
        lock.release()
        await person.press("n")
        person.app.screen.query_one(Input).value = "better"
        await person.press("enter")
        await person.until(lambda: rows_of(screen) == {"better": ("a", "stopped"), other: ("", "stopped")}, "its name")
        await person.until(lambda: person.app.screen is screen, "the list")
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
        assert "the best so far, of all that were tried…" in person.text()
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


async def test_brackets_in_a_sentence_are_no_markup(open_app: Opener) -> None:
    made()
    async with open_app() as person:
        screen = await runs_screen(person, 1)
        await person.press("slash")
        for typed in ("lr>[/]", "[/x]>1", "model=[/]", "[b]"):
            screen.query_one(Input).value = typed
            await person.settle()
        screen.query_one(Input).value = "lr>[/]"
        await person.until(lambda: "'[/]'" in person.text(), "the sentence, as it is")
        person.app.notify("run: /tmp/[/x]/[old] cannot be read")
        await person.until(lambda: "/tmp/[/x]/[old]" in person.text(), "the notice, as it is")


async def test_the_arrows_move_the_curves_cursor_where_the_table_is_too_wide(open_app: Opener) -> None:
    made(), made()
    async with open_app(size=(80, 24)) as person:
        screen = await runs_screen(person, 2)
        table = screen.query_one(RunsTable)
        assert table.max_scroll_x > 0
        await person.press("space")
        await person.until(lambda: "epoch 1" in person.text(), "the legend")
        await person.press("right")
        await person.until(lambda: "epoch 2" in person.text(), "the cursor one epoch on")
        assert table.scroll_x == 0
        await person.press("shift+right", "shift+right")
        await person.until(lambda: table.scroll_x == table.scroll_target_x > 0, "the table sideways")
        where = table.scroll_x
        # Another cell changes: the table stays where it is. So does its cursor, on its run, when another one comes.
        home.set_note(screen._runs[0].name, "a short note")
        await person.until(lambda: "a short note" in str(table.get_row_at(0)), "the note")
        await person.until(lambda: table.scroll_x == where, "the table where it was")
        name = table.selected
        made()
        await person.until(lambda: table.row_count == 3, "the third run")
        assert table.selected == name
        await person.until(lambda: table.scroll_x == where, "the table where it was")
        await person.until(lambda: table.selected == name, "the cursor on its run")
        await person.press("end")
        assert table.cursor_row == 2, "the last run, not the last column"
        await person.press("home")
        assert table.cursor_row == 0
        await person.until(lambda: table.scroll_x == where, "the table where it was")


async def test_what_is_not_listed_is_not_described(open_app: Opener) -> None:
    name = made().name
    async with open_app() as person:
        screen = await runs_screen(person, 1)
        facts = screen.query_one("#facts", Static)
        await person.until(lambda: name in str(facts.content), "what is known of it")
        screen.query_one("#filter", Input).value = "nothing-like-it"
        await person.until(lambda: name not in str(facts.content), "nothing")
        assert "no run matches" in person.text()
        await person.press("slash", "enter")
        assert isinstance(screen.focused, Input)  # an empty table would take what is typed next for commands
        screen.query_one("#filter", Input).value = ""
        await person.until(lambda: "no run matches" not in person.text(), "all runs")
        await person.press("enter")
        assert isinstance(screen.focused, DataTable)


async def test_the_axis_ends_where_the_longest_run_has_come_to(open_app: Opener) -> None:
    """A run that was stopped in its third epoch of a million is not squeezed into the first column."""
    path = home.create(
        "softmax-moons", lambda path: RunWriter.make(path, resolve({**SMALL, "epochs": 1_000_000}), None)
    )
    with contextlib.closing(RunWriter(path, CONFIG)) as session:
        for epoch in (1, 2, 3):
            session.take(events.EpochEnded(epoch, 3 * epoch, 0.5, 0.5, 0.75, 0.75, 1.0))
        session.take(events.RunEnded("stopped", "stopped by you", {}))
        session.write()
    async with open_app() as person:
        await runs_screen(person, 1)
        await person.press("space")
        await person.until(lambda: "at epoch 1" in person.text(), "its curve")
        axis = next(line for line in person.text().split("\n") if "│ epoch" in line)
        assert axis.split("││")[0].split()[-1] == "3"


async def test_a_narrow_terminal_shows_the_differences_in_the_curves_place(open_app: Opener) -> None:
    made(), made()
    async with open_app(size=(80, 24)) as person:
        await runs_screen(person, 2)
        await person.press("space", "down", "space")
        await person.until(lambda: "at epoch 1" in person.text(), "the curves")
        overlay = person.app.screen.query_one("#overlay")
        await person.until(lambda: overlay.size.height >= 12, "rows for the curves")
        await person.press("x", "i")
        await person.until(
            lambda: "Validation accuracy" in person.text() and " step  0 " in person.text(), "another figure"
        )
        await person.until(lambda: "b─ softmax-moons-1: 0.5 (±0) 0.75 (±0)" in person.text(), "the differences")
        assert "f facts" in person.text()
        await person.press("f")
        await person.until(lambda: "the configurations are the same" in person.text(), "the differences")
        assert "at epoch 1" not in person.text()
        await person.press("f")
        await person.until(lambda: "at epoch 1" in person.text(), "the curves again")
        await person.pilot.resize_terminal(120, 40)
        await person.until(lambda: "the configurations are the same" in person.text(), "both")
        assert "at epoch 1" in person.text()
        assert "f facts" not in person.text()


async def test_the_baseline_is_a_marked_run(open_app: Opener) -> None:
    made(), made()
    async with open_app() as person:
        screen = await runs_screen(person, 2)
        await person.press("b")
        await person.until(lambda: "a=" in [mark for mark, _ in rows_of(screen).values()], "the baseline")
        await person.press("space")
        await person.until(lambda: [mark for mark, _ in rows_of(screen).values()] == ["", ""], "neither")


async def test_a_group_is_one_row_that_opens_is_marked_and_is_deleted(open_app: Opener) -> None:
    group: dict[str, object] = {"name": "lesson-dropout", "kind": "lesson", "total": 3}
    names = [made("finished", {**group, "index": i, "role": ("with", "without", "with")[i]}).name for i in range(3)]
    alone = made("finished", {"name": "sweep-of-one", "kind": "sweep"}).name
    async with open_app({}, size=(120, 40)) as person:
        screen = await runs_screen(person, 2)
        assert rows_of(screen) == {alone: ("", "finished"), "+ lesson-dropout": ("", "3 runs")}
        table = screen.query_one(RunsTable)
        await person.press("down")
        assert table.selected == "+ lesson-dropout"
        await person.until(lambda: "with: 2 runs, val loss 0.5" in person.text(), "what is in it")
        # What is for one run alone says so.
        for key in "nNbc":
            await person.press(key)
            assert person.app.screen is screen, key
        await person.press("enter")
        assert list(rows_of(screen)) == [alone, "- lesson-dropout", *reversed(names)]
        assert table.selected == "- lesson-dropout"
        await person.press("space")
        assert {mark for name, (mark, _) in rows_of(screen).items() if name in names} == {"a", "b", "c"}
        await person.press("enter")
        assert list(rows_of(screen)) == [alone, "+ lesson-dropout"]
        await person.press("space")
        await person.press("enter")
        assert {mark for mark, _ in rows_of(screen).values()} == {""}
        # A filter finds single runs.
        await person.press("slash", *"lesson", "enter")
        await person.until(lambda: list(rows_of(screen)) == list(reversed(names)), "the runs alone")
        await person.press("slash", *["backspace"] * 6, "enter")
        await person.until(lambda: alone in rows_of(screen), "all again")
        table.select("- lesson-dropout")
        await person.press("d")
        await person.until(lambda: "Delete the 3 runs of lesson-dropout for good?" in person.text(), "the question")
        await person.press("y")
        await person.until(lambda: list(rows_of(screen)) == [alone], "the end of the group")
        assert [run.name for run in listing.runs()] == [alone]
        await person.press("d")
        await person.until(lambda: f"Delete {alone}" in person.text(), "the question")
        await person.press("y")
        await person.until(lambda: "no run is stored yet" in person.text(), "what to do next")


async def test_seeds_are_a_fan_that_grows(open_app: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("d2ltui.tui.screens.runs.POLL_EVERY", 0.1)
    group: dict[str, object] = {"name": "seeds-1", "kind": "seeds", "index": 1, "total": 4}

    def seed(number: int, loss: float) -> None:
        config = msgspec.structs.replace(CONFIG, seed=number)
        path = home.create("softmax-moons", lambda path: RunWriter.make(path, config, group))
        with contextlib.closing(RunWriter(path, config)) as session:
            session.take(events.EpochEnded(1, 3, loss, loss, 0.75, 0.75, 1.0))
            session.take(events.RunEnded("finished", "", {}))
            session.write()

    for number in range(3):
        seed(number, 0.4 + number / 10)
    async with open_app(watch=home.path_of_group("seeds-1")) as person:
        await person.until(lambda: "median 0.5, quartiles 0.45 and 0.55, from 0.4 to 0.6" in person.text(), "the fan")
        assert "3 runs that differ in their seeds; at epoch 1" in person.text()
        seed(3, 0.8)
        await person.until(lambda: "median 0.55, quartiles 0.475 and 0.65, from 0.4 to 0.8" in person.text(), "more")
        await person.press("x")
        await person.until(lambda: "median 0.75" in person.text(), "the metric")


async def test_columns_are_chosen_and_remembered(open_app: Opener) -> None:
    made(), made()
    async with open_app({}, size=(120, 30)) as person:
        screen = await runs_screen(person, 2)
        await person.press("C")
        assert "[x] val loss" in person.text()
        assert "[ ] best val loss" in person.text()
        at = list(person.app.screen._chosen).index("best_val_loss")  # type: ignore[attr-defined]
        await person.press("space", *["down"] * at, "space", "enter")
        assert person.app.screen is screen
        heading = "run epochs val loss val metric lr hidden activation begun best val loss note"
        await person.until(lambda: heading in " ".join(person.text().split()), "the columns")
        await person.until(lambda: columns.read()[-2:] == ("best_val_loss", "note"), "the file")
        assert screen.query_one(RunsTable).get_row_at(0)[-2].plain == "0.5"
        table = screen.query_one(RunsTable)
        await person.press("b")
        table.select(next(name for name in rows_of(screen) if name != table.selected))
        await person.press("space")
        await person.until(lambda: "0.5 (±0)" in person.text(), "the difference from the baseline")
        await person.press("C", "escape", "C", "u")
        await person.until(lambda: "status" in " ".join(person.text().split("\n")[2:3]), "the usual ones")


async def test_runs_whose_names_are_cut_are_told_apart_by_their_numbers(open_app: Opener) -> None:
    for _ in range(2):
        path = home.create("linear-synthetic-linear-again", lambda path: RunWriter.make(path, CONFIG, None))
        with contextlib.closing(RunWriter(path, CONFIG)) as session:
            session.take(events.RunEnded("stopped", "stopped by you", {}))
            session.write()
    async with open_app(size=(120, 40)) as person:
        shown = set(rows_of(await runs_screen(person, 2)))
        assert len(shown) == 2
        assert {name[-3:] for name in shown} == {"…-1", "…-2"}
