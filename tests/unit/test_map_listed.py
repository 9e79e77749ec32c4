"""Maps are where runs are: listed, shown, followed while they grow, and exported."""

from __future__ import annotations

import errno
import json
import os
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from d2ltui.cli import map_stored
from d2ltui.engine.control import Control
from d2ltui.engine.map import MapTraining
from d2ltui.runner import map_run
from d2ltui.runner.map_run import MapRun
from d2ltui.spec.axes import parse_axis
from d2ltui.spec.config import resolve
from d2ltui.spec.maps import Cell, Figures, Known, MapSpec
from d2ltui.store import filters, home, maps
from d2ltui.store.environment import STALE, process
from d2ltui.store.errors import NotAllowed, StoreError
from d2ltui.store.map_reader import MapReader, MapRows
from d2ltui.tui.services.map_runner import StoredMaps
from tests.commands import Command

SPEC = MapSpec(
    resolve({"dataset": "circles", "hidden": "4", "epochs": 2, "device": "cpu"}),
    parse_axis("x", "lr=0.01:1:3"),
    parse_axis("y", "momentum=0:0.9:2"),
    1,
)


def figures(accuracy: float | None, finding: str | None = None) -> Figures:
    known = accuracy is not None
    return {
        "val_accuracy": accuracy,
        "val_loss": 1 - accuracy if known else None,
        "train_loss": 0.5 if known else None,
        "dead": 0.25 if known else None,
        "saturated": None,
        "gradient-ratio": 2.0 if known else None,
        "finding": finding,
        "status": "finished" if known else "diverged",
    }


CELLS: dict[Cell, Figures] = {
    (0, 0): figures(0.5, "not-learning"),
    (1, 0): figures(0.75),
    (2, 0): figures(None, "divergence"),
    (0, 1): figures(0.9),
}


@pytest.fixture
def growing() -> Iterator[maps.StoredMap]:
    stored = maps.StoredMap.create(SPEC)
    stored.add(CELLS)
    yield stored
    stored.close()


def test_a_row_says_what_a_map_is_and_how_far_it_is(growing: maps.StoredMap) -> None:
    rows = MapRows()
    (row,) = rows.read()
    assert (row.name, row.status, row.progress, row.rates) == ("map-1", "training", "4/6 cells", "0.01…1")
    ends = (("lr=0.1", "0.1"), ("lr=0.1,0.2,0.3", "0.1…0.3"), ("lr=1e-3:10:4:log", "1e-3…10"))
    assert row.of_map is not None
    for axis, told in ends:
        assert msgspec.structs.replace(row, of_map=msgspec.structs.replace(row.of_map, x=axis)).rates == told
    assert row.figures == {"train_loss": 0.5, "val_loss": pytest.approx(0.1), "val_accuracy": 0.9}
    assert row.of_map is not None
    assert row.of_map.best == {"lr": 0.01, "momentum": 0.9}
    growing.add({(1, 1): figures(0.6), (2, 1): figures(0.7)})
    (row,) = rows.read()
    assert (row.status, row.progress) == ("finished", "6/6 cells")
    growing.close()
    assert filters.matches(filters.parse("model=mlp status=finished"), row)
    assert not filters.matches(filters.parse("lr>0"), row)  # it differs from cell to cell
    home.set_note_at(row.path, "the first one")
    assert rows.read()[0].note == "the first one"
    home.delete_at(row.path)
    assert rows.read() == []


def test_one_that_was_left_in_the_middle_is_stopped(growing: maps.StoredMap) -> None:
    growing.close()
    assert MapReader(growing.path).status == "stopped"
    with (growing.path / maps.CELLS).open("a") as file:
        file.write('{"cell": [2, 1], "stat')  # as a process that was killed leaves it
    reader = MapReader(growing.path)
    assert len(reader.known.cells) == 4
    assert not reader.poll()
    (growing.path / maps.PROCESS).write_text(json.dumps({**process(), "pid": 2**22 + 1}))
    assert (reader.status, StoredMaps.read("map-1").interrupted) == ("interrupted", True)
    assert [row.status for row in MapRows().read()] == ["interrupted"]


def test_one_that_grows_on_another_machine_gives_signs_of_life(
    growing: maps.StoredMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its cells may take minutes each; whether the process is there cannot be asked."""
    monkeypatch.setattr(map_run, "SIGN_EVERY", 0.0)
    process = growing.path / maps.PROCESS
    elsewhere = json.loads(process.read_text()) | {"host": "elsewhere", "boot": "another"}
    process.write_text(json.dumps(elsewhere))
    long_ago = time.time() - 2 * STALE
    statuses = []

    def look(training: MapTraining) -> None:
        statuses.append(MapReader(growing.path).status)
        os.utime(growing.path / maps.CELLS, (long_ago, long_ago))

    for name in (maps.PROCESS, maps.CELLS):
        os.utime(growing.path / name, (long_ago, long_ago))
    assert MapReader(growing.path).status == "interrupted"
    run = MapRun(SPEC, Known(), "val_accuracy", growing.add, Control())
    cells = {(2, 1): map_run.cells_of(SPEC)[2, 1]}
    assert run.train(cells, look)[1]
    assert statuses == ["training"] * len(statuses) != []


def test_a_sign_of_life_that_fails_does_not_end_the_map(growing: maps.StoredMap) -> None:
    (growing.path / maps.PROCESS).unlink()
    growing.add({(2, 1): figures(0.5)})
    assert (2, 1) in maps.read(growing.path)[1]


def test_a_map_for_which_the_disk_has_no_room_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as without_room:
        without_room.setattr(home, "write_atomically", full)
        with pytest.raises(StoreError, match=r"map: it cannot be stored in .*\(No space left on device\)"):
            maps.StoredMap.create(SPEC)
    assert maps.names() == os.listdir(maps.maps_dir()) == []
    maps.StoredMap.create(SPEC).close()
    assert maps.names() == ["map-1"]


def test_speak_of_an_interrupted_one(growing: maps.StoredMap, command: Command) -> None:
    (growing.path / maps.PROCESS).write_text(json.dumps({**process(), "pid": 2**22 + 1}))
    status, out, _ = command("watch", "--speak", "map-1")
    assert status == 0
    assert out.splitlines()[-1] == "interrupted: d2ltui map --resume map-1 continues it"


def test_speak_goes_on_when_a_network_is_back(
    growing: maps.StoredMap, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    growing.close()
    monkeypatch.setattr(map_stored, "EVERY", 0.0)
    poll, failures = MapReader.poll, []

    def away(reader: MapReader) -> bool:
        if len(failures) < 5:
            failures.append("away")
            raise StoreError("map: map-1 cannot be read (Stale file handle)")
        return poll(reader)

    reader = MapReader(growing.path)
    monkeypatch.setattr(map_stored, "MapReader", lambda path: reader)
    monkeypatch.setattr(MapReader, "poll", away)
    assert command("watch", "--speak", "map-1")[0] == 0
    assert len(failures) == 5
    monkeypatch.setattr(map_stored, "PATIENCE", 3)
    failures.clear()
    status, _, err = command("watch", "--speak", "map-1")
    assert (status, "Stale file handle" in err) == (1, True)


def test_what_is_wrong_with_one_hides_no_other(growing: maps.StoredMap, command: Command) -> None:
    others = [maps.StoredMap.create(SPEC) for _ in range(3)]
    for other in others:
        other.close()
    (others[0].path / maps.DESCRIPTION).write_text("{")
    (others[1].path / maps.CELLS).write_text("[5]\n")
    text = (others[2].path / maps.DESCRIPTION).read_text()
    (others[2].path / maps.DESCRIPTION).write_text(text.replace('"mlp"', '"transformer"'))
    found = {row.name: row.status for row in MapRows().read()}
    assert found == {"map-1": "training", "map-2": "damaged", "map-3": "damaged", "map-4": "newer"}
    status, out, err = command("runs")
    assert (status, err) == (0, "")
    assert "map: map-2 is damaged" in out
    assert "4/6 cells" in out
    listed = json.loads(command("runs", "--json")[1])
    assert {one["name"]: one["status"] for one in listed} == found
    assert {one["kind"] for one in listed} == {"map"}
    assert next(one for one in listed if one["name"] == "map-1")["done"] == 4


def test_show(growing: maps.StoredMap, command: Command) -> None:
    growing.close()
    status, out, err = command("show", "map-1")
    assert (status, err) == (0, "")
    for said in (
        "map-1: stopped, 4 of 6 cells",
        "across lr=0.01:1:3; upwards momentum=0:0.9:2",
        "val_accuracy: from 0.5 to 0.9",
        "diverged: 1 cell",
        "findings: not-learning in 1 cell, divergence in 1 cell",
        "best val_accuracy: 0.9 with lr 0.01, momentum 0.9: d2ltui train --model mlp",
        "d2ltui map --resume map-1 continues it",
    ):
        assert said in out
    assert "momentum\n" in out
    told = json.loads(command("show", "map-1", "--json")[1])
    assert (told["kind"], told["status"], len(told["cells"])) == ("map", "stopped", 4)
    spoken = command("show", "--speak", "map-1")[1]
    assert "best val_accuracy: 0.9" in spoken
    assert "│" not in spoken
    status, _, err = command("compare", "map-1", "map-1")
    assert status == 2
    assert "compare: map-1 is a map" in err


def test_a_growing_one_is_told_line_by_line(
    growing: maps.StoredMap, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    rest: list[dict[Cell, Figures]] = [{(1, 1): figures(0.95)}, {(2, 1): figures(None, "divergence")}]

    def sleep(seconds: float) -> None:
        growing.add(rest.pop(0))

    monkeypatch.setattr(map_stored.time, "sleep", sleep)
    assert map_stored.follow(growing.path) == 0
    assert capfd.readouterr().out.splitlines() == [
        "map-1: mlp (concise) on circles, 2 epochs, lr=0.01:1:3 momentum=0:0.9:2",
        "4 of 6 cells; best val_accuracy: 0.9 with lr 0.01, momentum 0.9; 1 diverged",
        "5 of 6 cells; best val_accuracy: 0.95 with lr 0.1, momentum 0.9; 1 diverged",
        "6 of 6 cells; best val_accuracy: 0.95 with lr 0.1, momentum 0.9; 2 diverged",
        "findings: divergence in 2 cells, not-learning in 1 cell",
        "finished",
    ]


def test_export(growing: maps.StoredMap, tmp_path: Path, command: Command) -> None:
    target = tmp_path / "map.svg"
    assert command("export", "map-1", "--svg", "-o", str(target)) == (0, "", "")
    root = ElementTree.fromstring(target.read_text())
    cells = [one for one in root.iter("{http://www.w3.org/2000/svg}rect") if len(one)]
    titles = [str(one[0].text) for one in cells]
    assert len(titles) == 4 * 5  # of five quantities that some cell has; saturated is not known of any
    assert titles[0] == "lr 0.01, momentum 0: 0.5"
    assert "lr 1, momentum 0: diverged" in titles
    fills = [one.get("fill") for one in cells[:4]]
    assert len(set(fills)) == 4
    status, _, err = command("export", "map-1", "--code")
    assert (status, "export: --code is not allowed for a map; allowed: --csv, --json, --svg" in err) == (2, True)


def test_no_run_takes_a_maps_name() -> None:
    (home.runs_dir() / "mlp-1").mkdir(parents=True)
    with pytest.raises(NotAllowed, match="maps are called so"):
        home.rename("mlp-1", "map-7")


def test_two_threads_that_look_take_each_cell_in_once(growing: maps.StoredMap, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = MapReader(growing.path)
    growing.add({(1, 1): figures(0.6), (2, 1): figures(0.7)})
    first_reads, goes_on = threading.Event(), threading.Event()
    plain = maps.read_cells

    def slow(path: Path, after: int = 0) -> bytes:
        data = plain(path, after)
        first_reads.set()
        goes_on.wait(10)
        return data

    monkeypatch.setattr(maps, "read_cells", slow)
    threads = [threading.Thread(target=reader.poll) for _ in range(2)]
    threads[0].start()
    assert first_reads.wait(10)
    threads[1].start()
    goes_on.set()
    for thread in threads:
        thread.join(10)
    monkeypatch.undo()
    assert reader.complete
    growing.add({(0, 0): figures(0.1)})  # once more: the place in the file is still that of its end
    assert not reader.poll()
    assert reader._read == len(maps.read_cells(growing.path))


def test_a_map_of_a_newer_version_is_not_called_damaged(growing: maps.StoredMap) -> None:
    file = growing.path / maps.DESCRIPTION
    told = json.loads(file.read_text())
    file.write_text(json.dumps({**told, "version": maps.VERSION + 1}))
    (row,) = MapRows().read()
    assert row.status == "newer"
    assert f"version {maps.VERSION + 1}; this one reads {maps.VERSION}" in row.problem
