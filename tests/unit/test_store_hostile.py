"""Directories that anybody may have written: whatever is wrong with one run is said of it, and hides no other."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sqlite3
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from runs import short

from d2ltui.spec import catalogue, events
from d2ltui.store import Damaged, NotAllowed, StoreError, home, schema
from d2ltui.store.listing import Rows, info, runs
from d2ltui.store.named import find
from d2ltui.store.reader import RunReader
from d2ltui.store.recovery import config_of
from d2ltui.store.requests import take_requests
from d2ltui.store.session import RunWriter

CONFIG = short()
FILES = (home.DATABASE, home.CONFIG, home.LOG, home.NOTE, home.LOCK, home.CHECKPOINT, "run.db-journal", "run.db-wal")
ESCAPE = "\x1b]52;c;aGVsbG8=\x07\x9b2J\u202e"


@pytest.fixture
def path(d2ltui_home: Path) -> Path:
    """A run of ten steps that has ended."""
    path = home.create("linear", lambda made: RunWriter.make(made, CONFIG, None))
    session = RunWriter(path, CONFIG)
    losses = np.ones(10, np.float32)
    for event in (
        events.RunStarted(CONFIG, "cpu", catalogue.layer_plan(CONFIG), 1000, 1000, 10, "in memory"),
        events.StepsTrained(10, losses, losses, 0.5),
        events.EpochEnded(1, 10, 1.0, 1.0, 0.5, 0.5, 0.5),
        events.RunEnded("stopped", "stopped by you", {}),
    ):
        session.take(event)
    session.write()
    session.close()
    return path


def tell(path: Path, **meta: object) -> None:
    """Write into the database as its own process does, checksums included."""
    with contextlib.closing(sqlite3.connect(path / home.DATABASE, isolation_level=None)) as connection:
        for key, value in meta.items():
            text = json.dumps(value)
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", (key, text, schema.crc(key, text)))


def look(path: Path, data: bytes) -> None:
    with contextlib.closing(sqlite3.connect(path / home.DATABASE, isolation_level=None)) as connection:
        row = (10, data, schema.crc(10, data))
        connection.execute("INSERT INTO layers(step, data, crc) VALUES (?, ?, ?)", row)


def pipe(at: Path) -> None:
    os.mkfifo(at)


def directory(at: Path) -> None:
    at.mkdir()


def loop(at: Path) -> None:
    at.symlink_to(at)


def device(at: Path) -> None:
    at.symlink_to("/dev/zero")


def socket_file(at: Path) -> None:
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as made:
        before = os.getcwd()
        os.chdir(at.parent)  # its name may be no longer than 108 bytes
        try:
            made.bind(at.name)
        finally:
            os.chdir(before)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("make", [pipe, directory, loop, device, socket_file])
@pytest.mark.parametrize("name", FILES)
def test_what_is_no_file_is_neither_waited_for_nor_followed(
    path: Path, name: str, make: Callable[[Path], None]
) -> None:
    other = home.create("other", lambda made: RunWriter.make(made, CONFIG, None))
    (path / name).unlink(missing_ok=True)
    make(path / name)
    listed = {run.name: run for run in Rows().read()}
    assert set(listed) == {path.name, other.name}
    assert listed[other.name].status != "damaged"
    assert (listed[path.name].status == "damaged") == name.startswith(home.DATABASE)
    assert listed[path.name].note == ""
    with contextlib.suppress(StoreError):
        config_of(path)
    with contextlib.suppress(StoreError), contextlib.closing(RunWriter(path, CONFIG, goes_on=True)) as session:
        with contextlib.suppress(OSError):
            session.take(events.RunEnded("stopped", "stopped by you", {}))
        session.take(events.RunResumed(10, 2, 0.5, 0.03))
        with contextlib.suppress(OSError):
            session.write()
    with contextlib.suppress(StoreError):
        home.set_note(path.name, "a note")
    with contextlib.suppress(StoreError):
        home.delete(path.name)


def test_a_request_is_a_file(path: Path) -> None:
    pipe(path / "request-1")
    directory(path / "request-2")
    (path / "request-3").write_text("[" * 999)
    (path / "request-4").write_text('{"verb": "stop"}')
    loop(path / "request-5")
    assert [request.verb for request in take_requests(path)] == ["stop"]
    assert [left.name for left in path.glob("request-*")] == ["request-2"]


WRONG: list[dict[str, object]] = [
    {"group": 1},
    {"group": {"name": [1]}},
    {"created": float("nan")},
    {"created": 1e300},
    {"created": "yesterday"},
    {"findings": float("inf")},
    {"findings": [None]},
    {"environment": []},
    {"environment": {"host": {}}},
    {"status": "well"},
    {"progress": {"step": -1}},
    {"progress": {"step": "many"}},
    {"progress": 3},
    {"process": "me"},
    {"sign": float("inf")},
    {"message": 5},
    {"device": None},
    {"config": None},
    {"config": {}},
    {"loading": "data"},
    {"loading": {"message": "data", "fraction": "half"}},
    {"summary": ["x" * 1_000_000]},
]


def config(**changed: object) -> dict[str, object]:
    return {"config": {**json.loads(schema.to_json(CONFIG)), **changed}}


@pytest.mark.parametrize(
    "meta",
    [
        *WRONG,
        config(batch_size=0),
        config(model="an oracle"),
        config(dataset="digits"),
        config(epochs=-3),
        config(hidden=[]),
        config(lr=float("nan")),
        config(device="\x1b[2J"),
    ],
    ids=str,
)
def test_a_wrong_value_is_said_of_its_run(
    path: Path, meta: dict[str, object], command: Callable[..., tuple[int, str, str]]
) -> None:
    other = home.create("other", lambda made: RunWriter.make(made, CONFIG, None))
    tell(path, **meta)
    listed = {run.name: run for run in runs()}
    assert listed[path.name].status == "damaged"
    assert listed[other.name].status != "damaged"
    assert listed[path.name].problem.startswith(f"run: {path.name} is damaged (run.db: ")
    assert len(listed[path.name].problem) < 400
    for arguments in (["show", path.name], ["compare", path.name, other.name], ["export", path.name, "--json"]):
        status, out, err = command(*arguments)
        assert (status, out, err.count("\n")) == (1, "", 1), err
        assert err.startswith(f"d2ltui: run: {path.name} is damaged")
        assert err[:-1].isprintable()
    status, out, err = command("runs", "--json")
    assert (status, err) == (0, "")
    assert len(json.loads(out)) == 2


def test_a_number_that_is_none_in_what_another_version_knows_is_null(
    path: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    tell(path, **config(temperature=float("nan"), limits=[1.5, {"most": float("inf")}]))
    for arguments in (["runs", "--json"], ["show", path.name, "--json"], ["export", path.name, "--json"]):
        status, out, err = command(*arguments)
        assert (status, err) == (0, "")
        told = json.loads(out)
        known = (told[0] if isinstance(told, list) else told)["config"]
        assert (known["temperature"], known["limits"]) == (None, [1.5, {"most": None}])


@pytest.mark.filterwarnings("error")
def test_a_signalling_nan_is_a_nan(path: Path, command: Callable[..., tuple[int, str, str]]) -> None:
    records = np.ones(10, schema.STEP)
    records["loss"].view(np.uint32)[3] = 0x7FA00000
    with contextlib.closing(sqlite3.connect(path / home.DATABASE, isolation_level=None)) as connection:
        row = (records.tobytes(), schema.crc(1, 10, records.tobytes()))
        connection.execute("UPDATE steps SET data = ?, crc = ?", row)
    for form in ("--svg", "--csv", "--json"):
        status, out, err = command("export", path.name, form)
        assert (status, err) == (0, "")
        assert out


def test_no_text_of_a_run_reaches_the_terminal_as_more_than_text(
    path: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    tell(
        path,
        message=ESCAPE,
        device=f"cpu{ESCAPE}",
        group={"name": ESCAPE},
        findings=[ESCAPE, "x" * 20_000],
        environment={"host": ESCAPE, "torch": ESCAPE, ESCAPE: ESCAPE},
    )
    (path / home.NOTE).write_bytes(f"first{ESCAPE}\nsecond \udc9b".encode("utf-8", "surrogateescape"))
    for arguments in (["runs"], ["runs", "--json"], ["show", path.name], ["export", path.name, "--json"]):
        status, out, err = command(*arguments)
        assert (status, err) == (0, "")
        assert out.replace("\n", "").isprintable(), arguments
        assert len(max(out.splitlines(), key=len)) < 5_000
    (found,) = runs()
    assert found.message == "�]52;c;aGVsbG8=��2J�"


def test_a_few_bytes_that_unpack_to_gigabytes(path: Path) -> None:
    inflate = zlib.compressobj(9)
    bomb = b"".join(inflate.compress(b"[" + b" " * 2**20) for _ in range(100)) + inflate.flush()
    assert len(bomb) < 200_000
    look(path, bomb)
    with pytest.raises(Damaged, match="it unpacks to more than a run can have"):
        RunReader(path)


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW steps AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS first, "
        "1 AS count, x'00' AS data, 0 AS crc FROM n",
        "CREATE TABLE more(x)",
        f'CREATE TABLE "{ESCAPE}"(x)',
        "CREATE TRIGGER t AFTER INSERT ON meta BEGIN DELETE FROM meta; END",
    ],
)
def test_tables_that_are_not_a_runs(path: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(path / home.DATABASE)) as connection:
        if "VIEW" in statement:
            connection.execute("DROP TABLE steps")
        connection.execute(statement)
    with pytest.raises(Damaged, match="that is not a run's") as raised:
        RunReader(path)
    assert str(raised.value).isprintable()
    assert info(path).status == "damaged"


@pytest.mark.timeout(30)
def test_a_schema_from_before_all_time(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path / home.DATABASE)) as connection:
        connection.execute("PRAGMA user_version = -2147483648")
    assert info(path).status == "stopped"


def test_a_journal_that_names_another_file(path: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (path / "run.db-journal").write_bytes(b"\0" * 512 + str(victim).encode() + b"\0" * 8 + schema._SUPER_JOURNAL)
    with pytest.raises(Damaged, match="it names another file"):
        RunReader(path)
    assert victim.exists()


def test_the_home_of_nobody(monkeypatch: pytest.MonkeyPatch, command: Callable[..., tuple[int, str, str]]) -> None:
    monkeypatch.setenv("D2LTUI_HOME", "~nosuchuser/x")
    status, out, err = command("runs")
    assert (status, out) == (2, "")
    assert err.startswith("d2ltui: D2LTUI_HOME: '~nosuchuser/x' is not allowed (there is no user 'nosuchuser'")
    status, _, err = command("train", "--model", "linear", "--epochs", "1", "--quiet")
    assert status == 0
    assert err.startswith("d2ltui: store: the run is not stored (D2LTUI_HOME: '~nosuchuser/x' is not allowed")


@pytest.mark.parametrize("name", ["with spaces", "ünïcödé ✓", "new\nline", "esc\x1b[2J", "q'uo\"te", "per%cent?#"])
def test_homes_of_any_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, command: Callable[..., tuple[int, str, str]]
) -> None:
    monkeypatch.setenv("D2LTUI_HOME", str(tmp_path / name))
    path = home.create("linear", lambda made: RunWriter.make(made, CONFIG, None))
    assert path.parent.parent.name == name
    status, out, err = command("runs", "--json")
    assert (status, err) == (0, "")
    assert json.loads(out)[0]["path"] == str(path)
    assert out[:-1].isprintable()
    status, out, err = command("show", "nothing")
    assert (status, err.count("\n")) == (2, 1)
    (path / home.DATABASE).write_bytes(b"")
    status, out, err = command("show", "latest")
    assert err[:-1].isprintable()


def test_the_latest_of_runs_that_cannot_be_read(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path / home.DATABASE)) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 6}")
    with pytest.raises(StoreError, match="is from a newer d2ltui"):
        find("latest")
    other = home.create("other", lambda made: RunWriter.make(made, CONFIG, None))
    assert find("latest") == other
    (other / home.DATABASE).write_bytes(b"")
    with pytest.raises(StoreError, match=r"none of the 2 in .* can be read; of the last one, run: linear-1 is"):
        find("latest")
    home.delete(other.name)
    home.delete(path.name)
    with pytest.raises(NotAllowed, match="there are none yet"):
        find("latest")
