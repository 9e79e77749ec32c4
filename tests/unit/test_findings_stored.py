"""What was found in a run is told whole by every command about stored runs, whoever has written it."""

from __future__ import annotations

import contextlib
import json
import math
import sqlite3
import zlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from runs import short

from d2ltui.cli.app import cli
from d2ltui.spec import catalogue, events
from d2ltui.spec.findings import Tally, finding_values, tally
from d2ltui.store import home, listing, schema
from d2ltui.store.reader import RunReader
from d2ltui.store.session import RunWriter
from d2ltui.tui.run import _print_stored

CONFIG = short()
KEYS = ["rule", "severity", "layer", "step", "figure", "what", "why", "try", "remedy", "because_of"]
CAUSE = events.Finding(
    "symmetry", "alarm", None, 10, math.inf, "Units are alike.", "They start so.", "Train anew.", {"init": "xavier"}
)
FOLLOWS = events.Finding("dead-relu", "warning", 2, 10, 0.5, "Half are dead.", "No gradient.", "", {}, "symmetry")
FOUND = events.FindingsChanged(10, (CAUSE, FOLLOWS))


@pytest.fixture
def path(d2ltui_home: Path) -> Path:
    """A run of ten steps that has ended, with a cause and what follows from it."""
    path = home.create("sick", lambda made: RunWriter.make(made, CONFIG, None))
    losses = np.ones(10, np.float32)
    with contextlib.closing(RunWriter(path, CONFIG)) as session:
        for event in (
            events.RunStarted(CONFIG, "cpu", catalogue.layer_plan(CONFIG), 1000, 1000, 10, "in memory"),
            events.StepsTrained(10, losses, losses, 0.5),
            events.FindingsChanged(5, (FOLLOWS,)),
            FOUND,
            events.RunEnded("finished", "after 1 epoch", {"loss": 1.0}),
        ):
            session.take(event)
        session.write()
    return path


def told(*arguments: str) -> Any:
    result = CliRunner().invoke(cli, list(arguments))
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def rewrite(path: Path, values: object) -> None:
    """Have the last findings be `values`, checksum included."""
    data = zlib.compress(json.dumps(values).encode())
    with contextlib.closing(sqlite3.connect(path / home.DATABASE, isolation_level=None)) as connection:
        row = (data, schema.crc(10, data))
        connection.execute("UPDATE findings SET data = ?, crc = ? WHERE id = (SELECT max(id) FROM findings)", row)


def test_every_command_tells_the_same_objects_the_cause_first(path: Path) -> None:
    (row,) = told("runs", "--json")
    shown, exported = told("show", "sick", "--json"), told("export", "sick", "--json")
    assert row["findings"] == shown["findings"] == exported["findings"] == [*map(finding_values, (CAUSE, FOLLOWS))]
    cause, follows = row["findings"]
    assert list(cause) == list(follows) == KEYS
    assert (cause["figure"], cause["because_of"], follows["because_of"]) == (None, None, "symmetry")
    assert cause["remedy"] == {"init": "xavier"}
    assert shown.items() >= {**row, "summary": {"loss": 1.0}}.items()
    assert shown["environment"]["python"]


def test_what_was_watched_is_told_afterwards(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _print_stored(path) is None
    assert json.loads(capsys.readouterr().out) == told("show", "sick", "--json")
    (path / home.DATABASE).write_bytes(b"")
    assert _print_stored(path) == 1
    assert capsys.readouterr() == ("", f"d2ltui: run: {path.name} is incomplete (its run.db is empty)\n")


def test_what_an_earlier_version_did_not_know_is_null(path: Path) -> None:
    before = {key: value for key, value in msgspec.to_builtins(CAUSE).items() if key != "because_of"}
    rewrite(path, {"step": 10, "findings": [before]})
    for row in (told("runs", "--json")[0], told("show", "sick", "--json")):
        (finding,) = row["findings"]
        assert list(finding) == KEYS
        assert (finding["what"], finding["because_of"]) == (CAUSE.what, None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"severity": "catastrophe"},
        {"step": -1},
        {"step": 10**30},
        {"layer": -3},
        {"figure": "large"},
        {"what": None},
        {"try_": ["a", "list"]},
        {"remedy": "aspirin"},
        {"remedy": {"lr": float("nan")}},
        {"remedy": {"hidden": [[[1]]]}},
        {"remedy": {"hidden": list(range(10_000))}},
        {"remedy": {"lr": {"at": 1}}},
        {"remedy": {f"field-{i}": 1 for i in range(1000)}},
        {"because_of": 7},
    ],
    ids=lambda wrong: str(wrong)[:40],
)
def test_a_wrong_value_is_said_of_its_run_in_one_sentence(path: Path, wrong: dict[str, object]) -> None:
    other = home.create("other", lambda made: RunWriter.make(made, CONFIG, None))
    rewrite(path, {"step": 10, "findings": [{**msgspec.to_builtins(CAUSE), "figure": 0.0, **wrong}]})
    rows = {row["name"]: row for row in told("runs", "--json")}
    assert (rows[path.name]["status"], rows[path.name]["findings"]) == ("damaged", [])
    assert rows[path.name]["message"].startswith(f"run: {path.name} is damaged (run.db: ")
    assert rows[other.name]["status"] != "damaged"
    result = CliRunner().invoke(cli, ["show", "sick", "--json"])
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1), result.output
    assert f"run: {path.name} is damaged" in result.stderr


@pytest.mark.parametrize(
    "values", [[], {"step": 10}, {"step": 10, "findings": [None]}, {"step": 10, "findings": [], "looked_at": [1]}]
)
def test_what_are_no_findings_at_all(path: Path, values: object) -> None:
    rewrite(path, values)
    assert listing.info(path).status == "damaged"


def test_no_text_of_a_finding_reaches_the_terminal_as_more_than_text(path: Path) -> None:
    escape = "\x1b]52;c;aGVsbG8=\x07\x9b2J\u202e"
    texts = dict.fromkeys(("rule", "what", "why", "try_", "because_of"), escape * 900)
    rewrite(
        path, {"step": 10, "findings": [{**msgspec.to_builtins(CAUSE), "figure": 1.0, **texts}], "looked_at": [escape]}
    )
    for arguments in (["runs"], ["runs", "--json"], ["show", "sick"], ["show", "sick", "--json"]):
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == 0
        assert result.stdout.replace("\n", "").isprintable(), arguments


def test_a_run_that_goes_on_has_none_until_something_is_found_again(path: Path) -> None:
    """What was found before the step from which it goes on would else be told of it for ever."""
    with contextlib.closing(RunWriter(path, CONFIG, goes_on=True)) as session:
        session.take(events.RunResumed(10, 2, 0.5, 0.03))
        session.write()
    with RunReader(path) as reader:
        assert reader.live.findings == listing.info(path).findings == ()


def test_a_run_that_another_process_holds_keeps_what_was_found(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "SETTLED", math.inf)  # it is read again each time
    rows = listing.Rows()
    (row,) = rows.read()
    with contextlib.closing(sqlite3.connect(path / home.DATABASE, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        (held,) = rows.read()
    assert "try again" in held.problem
    assert held.findings == row.findings == (CAUSE, FOLLOWS)


def test_of_a_newer_version_what_can_be_read_is_told(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path / home.DATABASE)) as connection:
        connection.execute("PRAGMA user_version = 99")
    assert listing.info(path).findings == (CAUSE, FOLLOWS)
    with contextlib.closing(sqlite3.connect(path / home.DATABASE)) as connection:
        connection.execute("DROP TABLE findings")
    newer = listing.info(path)
    assert (newer.status, newer.steps, newer.findings) == ("newer", 10, ())


def test_alarms_and_warnings_are_counted_apart() -> None:
    assert tally([]) == tally([msgspec.structs.replace(CAUSE, severity="note")]) == Tally(0, 0)
    assert (Tally().severity, Tally().words, Tally().marks) == (None, "", "")
    both = tally([CAUSE, FOLLOWS, FOLLOWS])
    assert (both.severity, both.words, both.marks) == ("alarm", "1 alarm, 2 warnings", "▲1 △2")
    assert (Tally(0, 1).severity, Tally(0, 1).words, Tally(0, 1).marks) == ("warning", "1 warning", "△1")
