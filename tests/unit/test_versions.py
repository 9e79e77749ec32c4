"""Runs that another version has stored: what it knows and this one does not is kept, shown and written back."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path

import msgspec
import numpy as np
import pytest
from runs import short

from d2ltui.cli.references import find_run
from d2ltui.engine.checkpoint import read
from d2ltui.engine.control import Control
from d2ltui.engine.trainer import Trainer
from d2ltui.runner.recording import RunRecording
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.spec.config_file import read_toml
from d2ltui.spec.versions import differing_fields, plain_config, read_config, unknown_fields
from d2ltui.store import StoreError, home, schema
from d2ltui.store.listing import info
from d2ltui.store.migrations import migrate
from d2ltui.store.named import find
from d2ltui.store.reader import RunReader
from d2ltui.store.session import RunWriter
from tests.commands import Command

UNKNOWN = {"entropy_bonus": 1.5, "curriculum": {"name": "cosine", "warm_up": [1, 2]}}


def stopped(config: RunConfig) -> Path:
    """A run that was stopped after its first epoch."""
    control = Control()
    recording = RunRecording.new(config, control)

    def stop(event: events.Event) -> None:
        if isinstance(event, events.EpochEnded):
            control.stop()

    Trainer(config, control, [stop, recording.store], keeper=recording).run()
    recording.close()
    assert recording.store.path is not None
    return recording.store.path


def plain(config: RunConfig) -> dict[str, object]:
    """As JSON has it: lists for tuples."""
    found: dict[str, object] = json.loads(json.dumps(plain_config(config)))
    return found


def store_meta(path: Path, **values: object) -> None:
    """What another version might have written into `meta`."""
    with contextlib.closing(sqlite3.connect(path / home.DATABASE, isolation_level=None)) as connection:
        for key, value in values.items():
            text = json.dumps(value)
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", (key, text, schema.crc(key, text)))


def meta(path: Path) -> dict[str, object]:
    with contextlib.closing(schema.open_run(path)) as connection:
        return schema.read_meta(connection)


def store_log(path: Path, config: dict[str, object]) -> None:
    """The same configuration in the event that tells how the run began."""
    with contextlib.closing(sqlite3.connect(path / home.DATABASE, isolation_level=None)) as connection:
        number, when, data = connection.execute("SELECT id, time, data FROM log WHERE kind = 'RunStarted'").fetchone()
        text = json.dumps({**json.loads(data), "config": config, "parts": ["training"]})
        row = (text, schema.crc(when, "RunStarted", text), number)
        connection.execute("UPDATE log SET data = ?, crc = ? WHERE id = ?", row)


def as_of_another_version(path: Path, config: RunConfig, **more: object) -> dict[str, object]:
    """Stores `config` and `more` everywhere where a run keeps its configuration."""
    stored = {**plain(config), **more}
    store_meta(path, config=stored, colour="green")
    store_log(path, stored)
    with open(path / home.CONFIG, "a", encoding="utf-8") as file:
        file.write('entropy_bonus = 1.5\n\n[curriculum]\nname = "cosine"\nwarm_up = [1, 2]\n')
    return stored


def test_what_is_unknown_is_kept_and_what_is_missing_is_what_it_was() -> None:
    config = short()
    stored = {**plain(config), **UNKNOWN}
    found = read_config(stored)
    assert unknown_fields(found) == UNKNOWN
    assert plain(found) == stored
    assert found.lr == config.lr
    assert plain(msgspec.structs.replace(found, lr=1.0)) == {**stored, "lr": 1.0}
    assert read_config(plain(config)) == config
    without = {name: value for name, value in plain(config).items() if name not in ("init_std", "optimizer")}
    assert read_config(without, before={}) == config
    assert read_config(without, before={"optimizer": "adam"}) == msgspec.structs.replace(config, optimizer="adam")
    assert read_config({**without, "optimizer": "rmsprop"}, before={"optimizer": "adam"}).optimizer == "rmsprop"
    for wrong in ([], "mlp", {**stored, "lr": "high"}, {**stored, "hidden": 4}):
        with pytest.raises(msgspec.ValidationError):
            read_config(wrong)


def test_runs_are_the_same_where_all_that_their_model_has_is() -> None:
    config = short()
    assert differing_fields(config, msgspec.structs.replace(config, activation="tanh", data_dir="/tmp")) == []
    assert differing_fields(config, msgspec.structs.replace(config, lr=9.0, seed=4)) == ["lr", "seed"]
    one, other = (read_config({**plain(config), "entropy_bonus": norm}) for norm in (1, 2))
    assert differing_fields(one, other) == ["entropy_bonus"]
    assert differing_fields(one, config) == []


def test_a_run_with_fields_of_another_version_is_listed_shown_exported_renamed_and_resumed(command: Command) -> None:
    config = short()
    path = stopped(config)
    stored = as_of_another_version(path, config, **UNKNOWN)
    text = (path / home.CONFIG).read_text()
    row = info(path)
    assert (row.status, row.problem, row.steps) == ("stopped", "", 10)
    assert json.loads(command("runs", "status=stopped", "--json")[1])[0]["config"] == stored
    status, out, _ = command("show", path.name)
    assert status == 0
    assert "entropy_bonus 1.5" in out
    assert "cosine" in out
    assert json.loads(command("export", path.name, "--json")[1])["config"] == stored
    path = home.rename(path.name, "another")
    status, _, err = command("train", "--resume", "another", "--quiet")
    assert status == 0
    assert "entropy_bonus" in err  # it goes on without: that must be said
    assert info(path).status == "finished"
    assert meta(path)["config"] == stored
    assert meta(path)["colour"] == "green"
    assert (path / home.CONFIG).read_text() == text
    assert plain(read(path / home.CHECKPOINT, config).config) == stored
    with RunReader(path) as reader:
        began = [data["config"] for _, kind, data in reader.log() if kind == "RunStarted"]
    assert began == [stored, stored]


def test_they_outlive_a_damaged_database_and_a_damaged_configuration(command: Command) -> None:
    config = short()
    path = stopped(config)
    stored = as_of_another_version(path, config, **UNKNOWN)
    data = bytearray((path / home.DATABASE).read_bytes())
    data[4096:] = bytes(len(data) - 4096)
    (path / home.DATABASE).write_bytes(data)
    assert info(path).status == "damaged"
    assert command("train", "--resume", path.name, "--quiet")[0] == 0
    assert meta(path)["config"] == stored

    path = stopped(config)
    as_of_another_version(path, config, **UNKNOWN)
    (path / home.CONFIG).write_text("no configuration")
    assert command("train", "--resume", path.name, "--quiet")[0] == 0
    assert {name: value for name, value in read_toml(path / home.CONFIG, foreign=True).items() if name in UNKNOWN} == (
        UNKNOWN
    )


def test_a_run_whose_configuration_lacks_a_field_goes_on_as_it_began(command: Command) -> None:
    config = short(seed=5)
    whole = stopped(config)
    assert command("train", "--resume", whole.name, "--quiet")[0] == 0
    path = stopped(config)
    stored = {name: value for name, value in plain(config).items() if name not in ("init_std", "dropout")}
    store_meta(path, config=stored)
    store_log(path, stored)
    assert info(path).status == "stopped"
    assert command("train", "--resume", path.name, "--quiet")[0] == 0
    assert meta(path)["config"] == stored
    with RunReader(path) as found, RunReader(whole) as other:
        assert np.array_equal(found.live.losses.values(), other.live.losses.values())


@pytest.mark.parametrize("new", [{"model": "resnet"}, {"dataset": "imagenet"}])
def test_a_model_or_data_set_of_another_version_is_no_damage(command: Command, new: dict[str, object]) -> None:
    config = short()
    path = stopped(config)
    stored = {**plain(config), **new}
    store_meta(path, config=stored)
    store_log(path, stored)
    home.set_note(path.name, "of tomorrow")
    row = info(path)
    assert (row.status, row.steps, row.epochs, row.note) == ("newer", 10, 1, "of tomorrow")
    assert row.figures["val_loss"] > 0
    (value,) = new.values()
    assert str(value) in row.problem
    status, out, _ = command("runs", "status=newer")
    assert (status, out.count(path.name)) == (0, 3)  # its row, why, and its note
    assert json.loads(command("runs", "--json")[1])[0]["config"] == stored
    for arguments in (("show", path.name), ("export", path.name, "--csv"), ("train", "--resume", path.name)):
        status, out, err = command(*arguments)
        assert (status, out) == (1, "")
        assert str(value) in err
        assert "damaged" not in err
    with pytest.raises(StoreError, match=str(value)):
        find("latest")


def test_an_activation_of_another_version_can_be_looked_at_but_not_trained(command: Command) -> None:
    config = resolve({"dataset": "moons", "hidden": "4", "epochs": 3, "device": "cpu"})
    path = stopped(config)
    before = (path / home.DATABASE).read_bytes()
    stored = {**plain(config), "activation": "swoosh"}
    store_meta(path, config=stored)
    assert info(path).status == "stopped"
    assert command("show", path.name)[0] == 0
    assert command("export", path.name, "--csv")[0] == 0
    for arguments in (
        ("export", path.name, "--code"),
        ("export", path.name, "--weights", "-o", "weights.pt"),
        ("train", "--resume", path.name, "--quiet"),
    ):
        status, _, err = command(*arguments)
        assert status in (1, 2)
        assert "activation 'swoosh'" in err
        assert "Traceback" not in err
    assert info(path).status == "stopped"
    assert len(before) <= (path / home.DATABASE).stat().st_size


@pytest.mark.parametrize("choice", [{"optimizer": "swoosh"}, {"activation": "swoosh"}])
def test_the_form_is_given_no_choice_that_it_does_not_have(choice: dict[str, str]) -> None:
    path = stopped(resolve({"dataset": "moons", "hidden": "4", "epochs": 3, "device": "cpu"}))
    assert find_run(path.name)[1] is not None
    store_meta(path, config={**plain(resolve({"dataset": "moons", "hidden": "4", "epochs": 3})), **choice})
    assert find_run(path.name) == (path, None)


def test_a_run_of_a_newer_schema_says_so_and_is_listed_with_what_is_known(command: Command) -> None:
    config = short()
    path = stopped(config)
    with contextlib.closing(sqlite3.connect(path / home.DATABASE, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    row = info(path)
    assert (row.status, row.config, row.steps, row.host != "") == ("newer", config, 10, True)
    assert f"schema {schema.VERSION + 1}" in row.problem
    status, _, err = command("show", path.name)
    assert (status, "newer" in err, "damaged" in err) == (1, True, False)
    assert command("train", "--resume", path.name, "--quiet")[0] == 1
    with pytest.raises(StoreError, match="newer"):
        RunReader(path)
    # Where its tables are others, the row has what the directory tells.
    with contextlib.closing(sqlite3.connect(path / home.DATABASE, isolation_level=None)) as connection:
        connection.execute("ALTER TABLE meta RENAME TO about")
    home.set_note(path.name, "of tomorrow")
    row = info(path)
    assert (row.status, row.config, row.note, row.created > 0) == ("newer", None, "of tomorrow", True)
    assert path.name in command("runs")[1]


def test_an_older_schema_becomes_the_present_one_where_it_is_written_and_is_copied_where_it_is_read(
    tmp_path: Path,
) -> None:
    file = tmp_path / "run.db"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.executescript("CREATE TABLE words(text); INSERT INTO words VALUES ('a'); PRAGMA user_version = 1;")
    steps = {1: "ALTER TABLE words ADD COLUMN size DEFAULT 1;", 2: "UPDATE words SET size = 2;"}

    def state(connection: sqlite3.Connection) -> tuple[object, ...]:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        return (version, *connection.execute("SELECT * FROM words").fetchall())

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(file, isolation_level=None)

    with contextlib.closing(migrate(connect(), 1, 3, writes=False, migrations=steps)) as connection:
        assert state(connection) == (3, ("a", 2))
    with contextlib.closing(connect()) as connection:
        assert state(connection) == (1, ("a",))
        wrong = {**steps, 2: "UPDATE wards SET size = 2;"}
        with pytest.raises(sqlite3.Error):
            migrate(connection, 1, 3, writes=True, migrations=wrong)
        assert state(connection) == (1, ("a",))
        migrate(connection, 1, 3, writes=True, migrations=steps)
    with contextlib.closing(connect()) as connection:
        assert state(connection) == (3, ("a", 2))


def test_a_new_run_has_the_present_schema() -> None:
    path = home.create("linear", lambda path: RunWriter.make(path, short(), None))
    with contextlib.closing(sqlite3.connect(path / home.DATABASE)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
