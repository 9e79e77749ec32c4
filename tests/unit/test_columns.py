"""The columns of a list of runs: which there are, what they say, and how they share a screen."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from unittest.mock import Mock

import msgspec
import pytest
from click.testing import CliRunner
from rich.text import Text

from d2ltui.cli import inspect
from d2ltui.cli.app import cli
from d2ltui.spec import events, language
from d2ltui.spec.config import resolve
from d2ltui.spec.header import header_of
from d2ltui.store import columns, home, listing
from d2ltui.store.columns import COLUMNS, Manner, text_of
from d2ltui.store.errors import NotAllowed, StoreError
from d2ltui.store.listing import RunInfo
from d2ltui.store.session import RunWriter
from d2ltui.tui.widgets.runs_table import fitted, needed, row

CONFIG = resolve({"model": "softmax", "dataset": "moons", "epochs": 4, "lr": 0.5})
RUN = RunInfo(
    "one",
    Path("one"),
    "finished",
    config=CONFIG,
    header=header_of(CONFIG),
    steps=200,
    seconds=4.0,
    figures={"val_loss": 0.5, "val_accuracy": 0.75},
    best={"val_loss": 0.25},
)


def stored(name: str, *val_losses: float) -> Path:
    path = home.create(name, lambda path: RunWriter.make(path, CONFIG, None))
    with contextlib.closing(RunWriter(path, CONFIG)) as session:
        for number, loss in enumerate(val_losses, start=1):
            session.take(events.EpochEnded(number, 3 * number, 0.5, loss, 0.75, 1 - loss, 1.0))
        session.take(events.RunEnded("finished", "", {}))
        session.write()
    return path


def text(name: str, run: RunInfo = RUN, baseline: RunInfo | None = None) -> str:
    return text_of(COLUMNS[name], run, Manner(), baseline)


def test_a_column_says_what_is_known_and_nothing_where_there_is_nothing() -> None:
    said = {name: text(name) for name in ("val_loss", "val_metric", "best_val_loss", "steps_per_s", "lr", "batch_size")}
    assert said == {
        "val_loss": "0.5",
        "val_metric": "0.75",
        "best_val_loss": "0.25",
        "steps_per_s": "50",
        "lr": "0.5",
        "batch_size": str(CONFIG.batch_size),
    }
    assert text("hidden") == text("activation") == "", "softmax regression has none"
    unknown = RunInfo("gone", Path("gone"), listing.DAMAGED)
    assert {text(name, unknown) for name in COLUMNS} <= {"", "–", "damaged"}
    assert len(COLUMNS) >= 20


def test_json_has_what_the_columns_have() -> None:
    found = RUN.to_json()
    assert (found["steps_per_s"], found["best_val_loss"], found["val_loss"]) == (50, 0.25, 0.5)
    assert RunInfo("gone", Path("gone"), listing.DAMAGED).to_json()["steps_per_s"] is None


def test_what_is_wrong_is_told_where_the_name_is_cut() -> None:
    finding = events.Finding("diverged", "alarm", None, 3, 1.0, "the loss grows", "", "", {})
    long = msgspec.structs.replace(RUN, name="x" * 60, findings=(finding,))
    name = row(long, "A", names=("lr",))[1]
    name.truncate(12, overflow="ellipsis")
    assert str(name) == "▲1 xxxxxxxx…"
    assert str(row(long, "A", names=("status",))[2]) == "finished ▲1"


def test_a_status_in_the_shell_is_what_a_filter_takes() -> None:
    language.use("zh")
    try:
        assert (text("status"), inspect._cell(COLUMNS["status"], RUN)) == ("已完成", "finished")
    finally:
        language.use("en")


def test_a_figure_tells_its_difference_from_the_baseline_where_both_are_of_one_kind() -> None:
    other = msgspec.structs.replace(RUN, name="other", figures={"val_loss": 0.75, "val_accuracy": 0.5}, steps=100)
    assert text("val_loss", other, RUN) == "0.75 (+0.25)"
    assert text("val_metric", other, RUN) == "0.5 (−0.25)"
    assert text("steps", other, RUN) == "100 (−100)"
    assert text("val_loss", RUN, RUN) == "0.5"
    linear = resolve({"model": "linear"})
    squared = msgspec.structs.replace(other, config=linear, header=header_of(linear))
    assert text("val_loss", squared, RUN) == "0.75", "a squared error is no larger than a cross-entropy"
    scratch = msgspec.structs.replace(linear, implementation="scratch")
    halved = msgspec.structs.replace(other, name="halved", config=scratch, header=header_of(scratch))
    assert text("val_loss", halved, squared) == "0.75", "half a square"


def test_the_best_figures_are_of_all_epochs_that_were_finite() -> None:
    row = listing.info(stored("up-and-down", 0.5, 0.25, math.nan, 0.75))
    assert row.value("best_val_loss") == 0.25
    assert row.value("best_val_metric") == 0.75
    assert row.value("val_metric") == 0.25


def test_columns_that_are_not_there_are_refused_with_what_there_is() -> None:
    stored("runs-one", 0.5, 0.25)
    said = CliRunner().invoke(cli, ["runs", "--columns", "best-val-loss, val_loss,seed"]).output.splitlines()
    assert said[0].split() == ["run", *["best", "val", "loss", "val", "loss", "seed"]]
    assert said[1].split() == ["runs-one-1", "0.25", "0.25", "0"]
    assert "steps_per_s" in CliRunner().invoke(cli, ["runs", "--columns", "help"]).output
    for wrong, why in (("lrr", "did you mean lr?"), (" ,", "'' is not allowed"), ("name", "'name' is no column")):
        with pytest.raises(NotAllowed, match=why.replace("?", r"\?")):
            columns.chosen(wrong)
        assert CliRunner().invoke(cli, ["runs", "--columns", wrong]).exit_code == 2
    assert CliRunner().invoke(cli, ["runs", "--columns", "lr", "--json"]).exit_code == 2


def test_chosen_columns_are_remembered() -> None:
    assert columns.read() == columns.USUAL
    columns.write(["lr", "seed"])
    assert columns.read() == ("lr", "seed")
    path = home.home() / columns.FILE
    path.write_text('["lr", "of another version"]')
    assert columns.read() == ("lr",)
    path.write_text("{")
    with pytest.raises(StoreError, match="holds none"):
        columns.read()


def test_texts_are_cut_where_that_makes_room_for_all_columns() -> None:
    names, widths = ("", "run", "lr", "note"), [2, 20, 6, 30]
    assert fitted(names, widths, 60) == widths
    assert fitted(names, widths, 40) == [2, 16, 6, 16]
    assert fitted(names, widths, 20) == widths, "too little: it is moved sideways"


def test_a_map_s_range_of_a_setting_makes_no_run_s_column_wider() -> None:
    names, titles = ("run", "lr", "epochs"), ("run", "lr", "epochs")
    run, map_ = Mock(of_map=None), Mock(of_map=Mock())
    rows = [
        (run, tuple(map(Text, ("mlp-1", "0.03", "3/3")))),
        (map_, tuple(map(Text, ("map-1", "1e-4:10:16", "9/192 cells")))),
    ]
    assert needed(names, titles, rows) == [5, 4, 11]
    assert needed(names, titles, rows[1:]) == [5, 10, 11], "where there are maps alone, theirs is told"
