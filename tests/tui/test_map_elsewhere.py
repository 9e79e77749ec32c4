"""A map that another process trains, or goes on with, while somebody looks at it here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from person import PATIENCE, Opener
from small_maps import MLP, made_up, stored_map

from d2ltui.runner.map_run import MapRun, cells_of
from d2ltui.store import maps
from d2ltui.store.errors import StoreError
from d2ltui.store.maps import StoredMap, read
from d2ltui.tui.services.map_runner import MapRunner, StoredMaps


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("d2ltui.tui.services.map_runner.FOLLOW_EVERY", 0.05)


async def test_a_map_of_another_process_is_listed_opened_and_followed(open_app: Opener) -> None:
    stored, spec = stored_map()
    async with open_app(MLP, size=(120, 40)) as person:
        await person.press("R")
        await person.until(lambda: "1/6 cells" in person.text(), "the list")
        assert "0 runs, 1 map" in person.text()
        for key, said in (
            ("space", "map-1 is a map: it has no curves of its own; enter opens it"),
            ("n", "map-1 is a map: it keeps its name; N writes a note about it"),
            ("c", "map-1 is a map: enter opens it, ctrl+r continues it there"),
            ("d", "map-1 is in progress: stop it first"),
        ):
            await person.press(key)
            await person.until(lambda said=said: any(said in one.message for one in person.app._notifications), said)
        await person.press("N")
        await person.press(*"first", "enter")
        await person.until(lambda: "first" in person.text(), "the note")
        await person.press("enter")
        await person.until(lambda: "another process trains it, 1 of 6 cells" in person.text(), "the map")
        await person.press("ctrl+r")
        assert "another process trains this map" in person.text()
        left = [(column, row) for column in range(3) for row in range(2) if column + row]
        stored.add(made_up(spec, *left))
        await person.until(lambda: "finished, 6 of 6 cells" in person.text(), "the end")
        stored.close()
        await person.press("escape", "R")
        await person.until(lambda: "6/6 cells" in person.text(), "the list again")
        await person.press("d")
        await person.until(lambda: "Delete map-1 for good?" in person.text(), "the question")
        await person.press("y")
        await person.until(lambda: "6/6 cells" not in person.text(), "that it is gone")
    assert not stored.path.exists()


async def test_watch_opens_the_map_and_follows_it_when_another_process_resumes_it(open_app: Opener) -> None:
    stored, spec = stored_map()
    stored.close()
    async with open_app(MLP, size=(120, 40), watch=stored.path) as person:
        await person.until(lambda: "map-1: stopped, 1 of 6 cells" in person.text(), "the map")
        await person.press("b")
        assert "val_accuracy   0.9" in person.text()
        resumed = StoredMap(stored.path)
        resumed.add(made_up(spec, (1, 0), val_accuracy=0.8))
        await person.until(lambda: "another process trains it, 2 of 6 cells" in person.text(), "that it grows")
        resumed.close()
        await person.until(lambda: "map-1: stopped, 2 of 6 cells" in person.text(), "that it has stopped again")
        await person.press("ctrl+r")
        await person.until(lambda: "finished, 6 of 6 cells" in person.text(), "the end")


async def test_a_network_that_is_away_for_a_moment_does_not_end_the_following(
    open_app: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, spec = stored_map()
    async with open_app(MLP, size=(120, 40), watch=stored.path) as person:
        await person.until(lambda: "another process trains it, 1 of 6 cells" in person.text(), "the map")

        def stale(*_: Any) -> bytes:
            raise StoreError("map: map-1 cannot be read (Stale file handle)")

        with monkeypatch.context() as away:
            away.setattr(maps, "read_cells", stale)
            await person.until(lambda: "Stale file handle" in person.text(), "what is wrong")
        stored.add(made_up(spec, (1, 0)))
        await person.until(lambda: "another process trains it, 2 of 6 cells" in person.text(), "the next cell")
        await person.until(lambda: "Stale file handle" not in person.text(), "that it is over")
    stored.close()


async def test_a_map_that_was_trained_here_is_followed_where_another_process_goes_on_with_it(open_app: Opener) -> None:
    stored, spec = stored_map()
    stored.close()
    async with open_app(MLP, size=(120, 40), watch=stored.path) as person:
        await person.until(lambda: "map-1: stopped, 1 of 6 cells" in person.text(), "the map")
        runner = person.app.maps
        growing = runner.present
        assert growing is not None
        growing.control.stop()
        growing.spec = spec
        growing.carry_out()  # stopped before its first step, as by a quick x
        await person.until(lambda: "map-1: stopped, 1 of 6 cells" in person.text(), "that it has stopped")
        resumed = StoredMap(stored.path)
        resumed.add(made_up(spec, (1, 0)))
        await person.until(lambda: "another process trains it, 2 of 6 cells" in person.text(), "that it grows")
        resumed.close()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def followers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "d2ltui-map-follow"]


def test_nothing_is_trained_that_another_process_trains_and_a_new_map_is_followed_too() -> None:
    stored, spec = stored_map()
    stored.close()
    runner = MapRunner()
    runner.follow()  # somebody looks at the screen, where there is no map yet
    runner.start(spec, "val_accuracy")
    until(lambda: runner.present is not None and runner.present.known.cells)
    runner.stop()
    assert runner.join(30)
    present = runner.present
    assert present is not None
    until(lambda: present.reader is not None)
    if present.complete:  # it was too quick to be stopped
        return
    known = len(present.known.cells)
    with_lock = StoredMap(maps.find(present.name))
    again = StoredMaps.read(present.name)
    again.carry_out()
    assert again.problem == "map: map-2 is in use by another process; stop it there first"
    runner.resume()
    assert runner.join(30)
    assert (len(again.known.cells), len(present.known.cells), len(read(with_lock.path)[1])) == (known, known, known)
    until(lambda: present.elsewhere)
    with_lock.close()
    until(lambda: not present.elsewhere)
    runner.unfollow()
    until(lambda: not followers())


def test_cells_that_another_process_has_stored_until_now_are_not_trained_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stored, spec = stored_map()
    here = StoredMaps.read(stored.path.name)
    cells = sorted(cells_of(spec))
    for cell in cells[1:-1]:
        stored.add(made_up(spec, cell))
    stored.close()
    trained: list[object] = []
    train = MapRun.train
    monkeypatch.setattr(MapRun, "train", lambda run, left, told: (trained.extend(left), train(run, left, told))[1])
    here.carry_out()
    assert (trained, here.problem) == (cells[-1:], "")
    assert len((stored.path / maps.CELLS).read_text().splitlines()) == len(cells)


def test_a_map_whose_cells_cannot_be_read_again_is_left_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    stored, _ = stored_map()
    here = StoredMaps.read(stored.path.name)
    stored.close()

    def away(reader: object) -> bool:
        raise StoreError("map: map-1 cannot be read (No such device)")

    free: list[bool] = []

    def train(run: MapRun, left: object, told: object) -> Any:
        StoredMap(stored.path).close()  # another process may go on with it meanwhile
        free.append(True)
        raise RuntimeError("enough")

    monkeypatch.setattr("d2ltui.store.map_reader.MapReader.poll", away)
    monkeypatch.setattr(MapRun, "train", train)
    here.carry_out()
    assert free == [True]
    assert here.trouble == "map: map-1 cannot be read (No such device); it is trained all the same"


def test_the_map_of_which_a_part_is_trained_is_followed_again_once_it_is_shown_again() -> None:
    stored, spec = stored_map()
    runner = MapRunner()
    growing = StoredMaps.read("map-1")
    runner.show(growing)
    runner.start(spec, "val_accuracy", part=True)
    assert runner.join(60)
    assert runner.widen()
    assert runner.present is growing
    stored.add(made_up(spec, (1, 0)))
    until(lambda: (1, 0) in growing.known.cells)
    until(lambda: len(followers()) == 1)
    runner.unfollow()
    until(lambda: not followers())
    stored.close()
