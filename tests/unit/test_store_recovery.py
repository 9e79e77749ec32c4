"""A run whose database is damaged or gone goes on from its checkpoint, in a new database."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from runs import Copied

from d2ltui.engine.checkpoint import read
from d2ltui.engine.control import Control
from d2ltui.runner.recording import RunRecording
from d2ltui.runner.worker import Worker
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.spec.config_file import to_toml
from d2ltui.store import Damaged, StoreError, home, schema
from d2ltui.store.listing import info, runs
from d2ltui.store.reader import RunReader
from d2ltui.store.recovery import repair_config
from d2ltui.store.session import RunWriter

CONFIG = resolve(
    {"dataset": "moons", "batch_size": 300, "epochs": 5, "hidden": "4", "dropout": 0.1, "optimizer": "adam",
     "lr": 0.01, "device": "cpu"}
)  # fmt: skip
PATIENCE = 60.0


def stored(config: RunConfig, *, until: int | None = None) -> Path:
    """A stored run: to its end, or stopped after the epoch `until`."""
    control, worker = Control(), Worker()
    worker.start(config, record=lambda control: RunRecording.new(config, control), control=control)
    assert worker.recording is not None
    live = worker.recording.live
    if until is not None:
        take = live.__class__.__call__

        class Stopping(live.__class__):  # type: ignore[name-defined,misc]
            def __call__(self, event: object) -> None:
                take(self, event)  # type: ignore[arg-type]
                if len(self.epochs) == until:
                    control.stop()

        live.__class__ = Stopping
    assert worker.join(PATIENCE)
    assert worker.recording.store.path is not None
    return worker.recording.store.path


def stopped() -> Path:
    return stored(CONFIG, until=2)


@pytest.fixture
def path(copied: Copied) -> Path:
    path = copied(stopped)
    assert info(path).status == "stopped"
    return path


def flip_pages(path: Path) -> None:
    """Everything but the file's header and the pages of `meta` is other bytes."""
    database = path / home.DATABASE
    data = bytearray(database.read_bytes())
    size = int.from_bytes(data[16:18], "big")
    for page in range(1, len(data) // size):
        part = data[page * size : (page + 1) * size]
        if b"created" not in part and b"environment" not in part:
            data[page * size : (page + 1) * size] = bytes(byte ^ 0xFF for byte in part)
    database.write_bytes(data)
    assert info(path).status == "damaged"  # though of all this the list wants the findings alone


def flip_everything(path: Path) -> None:
    (path / home.DATABASE).write_bytes(b"x" * 10_000)


def remove(path: Path) -> None:
    (path / home.DATABASE).unlink()


def empty(path: Path) -> None:
    (path / home.DATABASE).write_bytes(b"")


@pytest.mark.parametrize("harm", [flip_pages, flip_everything, empty, remove])
def test_a_damaged_run_goes_on_to_the_same_end(
    path: Path, harm: Callable[[Path], None], command: Callable[..., tuple[int, str, str]]
) -> None:
    whole = stored(CONFIG)
    created = info(path).created
    harm(path)
    damaged = (path / home.DATABASE).read_bytes() if harm is not remove else None
    status, out, err = command("show", path.name)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.endswith(f"; 'd2ltui train --resume {path.name}' can still resume it from its checkpoint\n")

    status, out, err = command("train", "--resume", path.name, "--quiet", "--json")
    assert (status, err.count("d2ltui: ")) == (0, 1), err
    assert err.startswith(f"d2ltui: run: {path.name} is ")
    assert "; a new run.db begins at its checkpoint" in err
    assert ("and the old one is kept as run.db.damaged\n" in err) == (damaged is not None)
    assert json.loads(out)["steps"] == CONFIG.total_steps
    found, expected = (read(run / home.CHECKPOINT, CONFIG) for run in (path, whole))
    assert found.step == expected.step == CONFIG.total_steps
    for name in expected.model:
        assert torch.equal(found.model[name], expected.model[name]), name
    assert torch.equal(found.epochs[:, :-1], expected.epochs[:, :-1])  # the last column: seconds
    if damaged is not None:
        assert (path / "run.db.damaged").read_bytes() == damaged
    assert not list(path.glob(".*"))

    row = info(path)
    assert (row.status, row.steps, row.epochs) == ("finished", CONFIG.total_steps, 5)
    assert abs(row.created - created) < 10
    with RunReader(path) as reader, RunReader(whole) as other:
        reader.check_pages()
        before = 2 * CONFIG.steps_per_epoch
        losses = reader.live.losses.values()
        assert np.isnan(losses[:before]).all()  # a gap: no step that the checkpoint has left behind is known
        np.testing.assert_array_equal(losses[before:], other.live.losses.values()[before:])
        assert [epoch.val_loss for epoch in reader.live.epochs] == [epoch.val_loss for epoch in other.live.epochs]
    status, out, err = command("show", path.name)
    assert (status, err) == (0, "")
    kept = "is kept as run.db.damaged" if damaged is not None else "is gone"
    assert f"its history begins after step {before:,}: the run.db of before {kept}\n" in out
    with RunReader(path) as reader:
        assert [kind for _, kind, _ in reader.log() if kind.startswith("Run") or kind == "Begun"][:2] == [
            "Begun",
            "RunResumed",
        ]


def test_what_is_said_of_the_gap_follows_an_earlier_checkpoint(
    path: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    remove(path)
    with contextlib.closing(RunRecording.resume(path, Control())) as recording:
        assert recording.checkpoint() is not None
        recording.store(events.RunResumed(6, 3, 0.5, 0.01))
    assert "its history begins after step 6: " in command("show", path.name)[1]
    with contextlib.closing(RunRecording.resume(path, Control())) as recording:
        recording.store(events.RunResumed(3, 2, 0.25, 0.01))
    assert "its history begins after step 3: " in command("show", path.name)[1]
    with contextlib.closing(RunRecording.resume(path, Control())) as recording:
        recording.store(events.RunResumed(0, 1, 0.0, 0.01))
    assert "its history begins" not in command("show", path.name)[1]


def test_a_header_that_lets_nobody_write_is_damage(path: Path, command: Callable[..., tuple[int, str, str]]) -> None:
    """SQLite reads such a database, and writes nothing: the run would end unstored."""
    data = bytearray((path / home.DATABASE).read_bytes())
    data[18] = 255
    (path / home.DATABASE).write_bytes(data)
    status, _, err = command("train", "--resume", path.name, "--quiet")
    assert (status, err.count("d2ltui: ")) == (0, 1)
    assert "is damaged (run.db: its header)" in err
    assert (path / "run.db.damaged").read_bytes() == data
    assert info(path).status == "finished"


def test_nothing_that_was_put_aside_is_overwritten(path: Path) -> None:
    for name in ("run.db.damaged", "run.db.damaged-2-journal"):
        (path / name).write_text("of before")
    (path / home.DATABASE).write_text("damaged")
    (path / "run.db-journal").write_text("a journal")
    assert home.put_aside(path) == "run.db.damaged-3"
    assert (path / "run.db.damaged").read_text() == "of before"
    assert (path / "run.db.damaged-3").read_text() == "damaged"
    assert (path / "run.db.damaged-3-journal").read_text() == "a journal"
    assert home.put_aside(path) == ""


def test_without_a_checkpoint_it_stays_as_it_is(path: Path, command: Callable[..., tuple[int, str, str]]) -> None:
    flip_pages(path)
    for name in (home.CHECKPOINT, home.PREVIOUS):
        (path / name).unlink(missing_ok=True)
    before = sorted((file.name, file.read_bytes()) for file in path.iterdir())
    with pytest.raises(Damaged, match=r"is damaged \(run\.db: "):
        RunRecording.resume(path, Control())
    status, _, err = command("show", path.name)
    assert (status, err.count("\n"), "--resume" in err) == (1, 1, False)
    assert sorted((file.name, file.read_bytes()) for file in path.iterdir()) == before


def test_with_a_damaged_checkpoint_it_stays_as_it_is(path: Path, command: Callable[..., tuple[int, str, str]]) -> None:
    flip_everything(path)
    for name in (home.CHECKPOINT, home.PREVIOUS):
        (path / name).write_bytes(b"damaged")
    assert "--resume" not in command("show", path.name)[2]
    status, _, err = command("train", "--resume", path.name, "--quiet")
    assert (status, err.count("\n")) == (1, 1)
    assert err.startswith("d2ltui: checkpoint: ")
    assert (path / home.DATABASE).read_bytes() == b"x" * 10_000
    assert not list(path.glob("run.db.damaged*"))


def test_without_a_configuration_there_is_a_sentence(path: Path, command: Callable[..., tuple[int, str, str]]) -> None:
    remove(path)
    (path / home.CONFIG).write_text("lr = what")
    status, _, err = command("train", "--resume", path.name)
    assert (status, err.count("\n")) == (1, 1)
    assert "has no run.db), and of its config.toml: config: " in err


def test_what_is_newer_or_cannot_be_opened_is_not_put_aside(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "VERSION", 0)
    with pytest.raises(StoreError, match="from a newer d2ltui") as error:
        RunRecording.resume(path, Control())
    assert not isinstance(error.value, Damaged)
    monkeypatch.undo()
    import sqlite3

    assert not isinstance(schema.damaged(path, sqlite3.OperationalError("unable to open database file")), Damaged)
    assert isinstance(schema.damaged(path, sqlite3.OperationalError("no such table: meta")), Damaged)


def test_rows_that_are_gone_are_found_out(path: Path) -> None:
    import sqlite3

    with contextlib.closing(sqlite3.connect(path / home.DATABASE)) as connection:
        connection.execute("DELETE FROM meta WHERE key = 'created'")
        connection.commit()
    assert [run.problem for run in runs()] == [f"run: {path.name} is damaged (run.db: its created is missing)"]
    with pytest.raises(Damaged):
        RunReader(path)


def test_the_group_and_the_note_stay(d2ltui_home: Path) -> None:
    control, worker = Control(), Worker()
    group: dict[str, object] = {"name": "sweep-1", "kind": "sweep", "index": 1, "total": 2}
    worker.start(CONFIG, record=lambda _: RunRecording.new(CONFIG, control, group=group), control=control)
    assert worker.join(PATIENCE)
    (run,) = runs()
    home.set_note(run.name, "mine")
    flip = (run.path / home.DATABASE).read_bytes()
    assert flip  # a run that has finished is made readable again by the same command
    data = bytearray(flip)
    size = int.from_bytes(data[16:18], "big")
    data[-size:] = bytes(size)
    (run.path / home.DATABASE).write_bytes(data)
    with pytest.raises(Damaged), RunReader(run.path) as reader:
        reader.check_pages()
    worker = Worker()
    worker.start(CONFIG, record=lambda control: RunRecording.resume(run.path, control))
    assert worker.join(PATIENCE)
    (again,) = runs()
    assert (again.status, again.group, again.note, again.created) == ("finished", "sweep-1", "mine", run.created)
    assert again.epochs == 5


def test_a_new_database_says_where_it_begins_from_its_first_moment_on(
    path: Path, command: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process may end between the new database's coming into its place and the first transaction there."""
    (path / home.DATABASE).write_bytes(b"garbage" * 1000)

    def end(self: RunWriter, event: object) -> None:
        self._begin_again(6)
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(RunWriter, "_go_back", end)
        session = RunWriter(path, CONFIG, goes_on=True, damage="run: it is damaged")
        with pytest.raises(KeyboardInterrupt):
            session.take(events.RunResumed(6, 3, 0.5, 0.01))
    out = command("show", path.name)[1]
    assert "its history begins after step 6: the run.db of before is kept as run.db.damaged\n" in out
    assert info(path).steps == 6
    assert command("train", "--resume", path.name, "--quiet")[0] == 0
    assert "its history begins after step 6: " in command("show", path.name)[1]


def test_a_configuration_that_leaves_a_default_out_is_left_alone(tmp_path: Path) -> None:
    """As that of a run from before a field was there."""
    config = resolve({"model": "mlp", "dataset": "moons", "epochs": 7})
    whole = to_toml(config)
    older = "".join(line for line in whole.splitlines(keepends=True) if not line.startswith("threads"))
    assert older != whole
    (tmp_path / home.CONFIG).write_text(older)
    assert repair_config(tmp_path, config) == ""
    assert (tmp_path / home.CONFIG).read_text() == older
    (tmp_path / home.CONFIG).write_text(older.replace("epochs = 7", "epochs = 8"))
    assert "is not what the run was trained with" in repair_config(tmp_path, config)
    assert (tmp_path / home.CONFIG).read_text() == whole
