"""Stored runs by their names: which one is meant, what may be done to it, and what cannot be read."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from stories import CONFIG, same, stored

from d2ltui.spec import events
from d2ltui.spec.config import resolve
from d2ltui.store import StoreError, home, schema
from d2ltui.store.listing import info, runs
from d2ltui.store.named import find
from d2ltui.store.reader import RunReader
from d2ltui.store.session import RunWriter
from d2ltui.store.writer import StoreThread

# Names


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "/etc", "a/b", ".hidden", "-x", "latest", "a" * 101, "a\0b", "é"]
)
def test_names_that_lead_elsewhere(name: str) -> None:
    stored()
    for act in (find, home.path_of, home.delete, lambda name: home.rename("linear-synthetic-linear-1", name)):
        if name == "latest" and act is find:
            continue
        with pytest.raises(StoreError, match="is not allowed; allowed: "):
            act(name)
    assert home.names() == ["linear-synthetic-linear-1"]


def test_references() -> None:
    first, second = stored(), stored()
    third = home.rename(second.name, "other")
    assert [run.name for run in runs()] == [first.name, "other"]
    assert find("latest") == find("other") == find("o") == third
    fourth = stored()
    assert find("linear-synthetic-linear-1") == first
    with pytest.raises(StoreError, match=f"begins the names of {first.name}, {fourth.name}"):
        find("linear")
    with pytest.raises(StoreError, match="'nothing' is not known; allowed: "):
        find("nothing")
    with pytest.raises(StoreError, match=r"'othr' is not known \(did you mean other\?\)"):
        find("othr")


def test_what_may_have_been_meant_begins_with_single_runs_groups_and_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    for i, (name, group) in enumerate([*((f"lesson-run-{i}", "lesson-x") for i in range(4)), ("a", ""), ("b", "")]):
        path = home.create(name, lambda path, of=group: RunWriter.make(path, CONFIG, {"name": of} if of else None))  # type: ignore[misc]
        assert path.name == f"{name}-1", i
    monkeypatch.setattr("d2ltui.store.maps.names", lambda: ["map-1", "map-2"])
    with pytest.raises(StoreError, match="allowed: b-1, a-1, lesson-x, map-2, map-1 and 4 more"):
        find("nothing")


def test_a_link_is_no_run(tmp_path: Path) -> None:
    path = stored()
    outside = tmp_path / "outside"
    path.rename(outside)
    path.symlink_to(outside)
    assert home.names() == []
    with pytest.raises(StoreError):
        home.delete(path.name)
    assert (outside / "run.db").exists()


def test_rename_note_delete() -> None:
    path, other = stored(), stored()
    home.set_note(path.name, "  the good one ")
    assert home.note(path) == info(path).note == "the good one"
    with pytest.raises(StoreError, match="a name that no run has"):
        home.rename(path.name, other.name)
    moved = home.rename(path.name, "best.1")
    assert info(moved).note == "the good one"
    lock = home.Lock(moved)
    for act in (lambda: home.delete("best.1"), lambda: home.rename("best.1", "x"), lambda: home.Lock(moved)):
        with pytest.raises(StoreError, match=r"best\.1 is in use by another process"):
            act()
    lock.release()
    home.delete("best.1")
    assert home.names() == [other.name]
    assert sorted(home.runs_dir().iterdir()) == [other]


# What cannot be read


def test_a_schema_from_the_future() -> None:
    path = stored()
    connection = sqlite3.connect(path / "run.db")
    connection.execute(f"PRAGMA user_version = {schema.VERSION + 6}")
    connection.close()
    with pytest.raises(StoreError, match=r"is from a newer d2ltui \(schema 7; this one reads 1\)"):
        RunReader(path)
    assert runs()[0].status == "newer"
    assert "newer d2ltui" in runs()[0].problem


@pytest.mark.parametrize("content", [None, b"", b"x" * 10_000])
def test_a_half_written_directory(content: bytes | None) -> None:
    path = home.runs_dir() / "half"
    path.mkdir(parents=True)
    (path / "config.toml").touch()
    if content is not None:
        (path / "run.db").write_bytes(content)
    with pytest.raises(StoreError, match=r"half is (incomplete|damaged)"):
        RunReader(path)
    assert [run.status for run in runs()] == ["damaged"]


def test_flipped_bytes_are_found_out() -> None:
    path = stored()
    database = path / "run.db"
    data = database.read_bytes()
    with RunReader(path) as reader:
        losses, epochs = reader.live.losses.values().copy(), list(reader.live.epochs)
    sentences = []
    for position in range(0, len(data), 97):
        damaged = bytearray(data)
        damaged[position] ^= 0xFF
        database.write_bytes(damaged)
        try:
            with RunReader(path) as reader:
                np.testing.assert_array_equal(reader.live.losses.values(), losses)
                assert reader.live.epochs == epochs
        except StoreError as error:
            sentences.append(str(error))
        info(path)
    assert len(sentences) > 10
    assert not any("\n" in sentence for sentence in sentences)


def test_a_copied_directory_is_complete(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import shutil

    path = stored()
    shutil.copytree(path, tmp_path / "elsewhere" / "runs" / "copied")
    with RunReader(path) as reader:
        live = reader.live
    monkeypatch.setenv("D2LTUI_HOME", str(tmp_path / "elsewhere"))
    with RunReader(find("copied")) as reader:
        same(reader.live, live)


def test_a_run_whose_process_is_gone_is_interrupted() -> None:
    store = StoreThread(CONFIG)
    store(events.StatusChanged("training"))
    store.close()
    assert store.path is not None
    assert info(store.path).status == "training"  # this process is alive
    connection = sqlite3.connect(store.path / "run.db")
    text = '{"pid": 999999999, "host": "nowhere", "started": 1.0}'
    connection.execute("UPDATE meta SET value = ?, crc = ? WHERE key = 'process'", (text, schema.crc("process", text)))
    text = "1.0"
    connection.execute("UPDATE meta SET value = ?, crc = ? WHERE key = 'sign'", (text, schema.crc("sign", text)))
    connection.commit()
    connection.close()
    run = info(store.path)
    assert (run.status, run.resumable, run.active) == ("interrupted", True, False)


def test_all_fields_of_a_configuration_survive() -> None:
    given = {"model": "mlp", "hidden": "64,32", "dropout": 0.25, "lr": 1e-7, "init": "xavier", "seed": 7}
    store = StoreThread(resolve(given))
    store.close()
    assert store.path is not None
    assert info(store.path).config == resolve(given)
