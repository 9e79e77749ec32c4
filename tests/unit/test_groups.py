"""Runs of a group in a list: one row for all."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from click.testing import CliRunner

from d2ltui.cli.app import cli
from d2ltui.spec.config import resolve
from d2ltui.spec.events import RunEnded
from d2ltui.store import home
from d2ltui.store.groups import Group, folded
from d2ltui.store.listing import RunInfo
from d2ltui.store.session import RunWriter
from d2ltui.tui.screens.runs_groups import RunGroups


def run(name: str, group: str = "", loss: float | None = None, status: str = "finished") -> RunInfo:
    figures = {} if loss is None else {"val_loss": loss, "train_loss": 1.0}
    return RunInfo(name, Path(name), status, created=float(len(name)), group=group, figures=figures)


def test_runs_of_a_group_stand_in_the_place_of_the_first() -> None:
    rows = [run("a"), run("b", "g", 1.0), run("c", "alone"), run("d", "g", 2.0), run("e")]
    found = folded(rows)
    assert [entry.name for entry in found] == ["a", "g", "c", "e"]
    assert isinstance(found[1], Group)
    row = found[1].row()
    assert (row.name, row.status, row.group) == ("+ g", "2 runs", "g")
    assert row.figures == pytest.approx({"val_loss": 1.5, "train_loss": 1.0})
    assert found[1].row(is_open=True).name == "- g"
    assert not home.is_name(row.name), "no run can be called so"


@pytest.mark.parametrize("name", ["a/b", "/", ".", "..", "a" * 300])
def test_a_group_may_have_a_name_that_no_file_can_have(name: str) -> None:
    (group,) = folded([run("a", name), run("b", name)])
    assert isinstance(group, Group)
    assert group.row().name == f"+ {name}"


def test_a_group_is_active_while_one_of_its_runs_is_and_says_how_many_have_finished() -> None:
    (group,) = folded([run("a", "g", 1.0), run("b", "g", None, "training")])
    assert isinstance(group, Group)
    assert group.row().active
    assert group.row().note == "1 of 2 finished"


def test_the_mean_is_that_of_the_runs_that_finished() -> None:
    runs = [run("a", "g", 1.0), run("b", "g", 3.0), run("c", "g", 1e30, "diverged"), run("d", "g", 9.0, "stopped")]
    (group,) = folded(runs)
    assert isinstance(group, Group)
    row = group.row()
    assert (row.status, row.figures["val_loss"]) == ("2 of 4 finished", 2.0)
    assert RunGroups().about(group) == "g: 2 of 4 finished\nall: 2 of 4 finished, val loss 2 ± 1.4"
    (none,) = folded(runs[2:])
    assert isinstance(none, Group)
    assert (none.row().status, none.row().figures) == ("0 of 2 finished", {}), "a mean of nothing is no figure"


def test_the_shell_lists_a_group_in_a_line_and_its_runs_where_they_are_asked_for() -> None:
    config = resolve({"model": "softmax", "dataset": "moons"})
    place = {"name": "lesson-dropout", "kind": "lesson", "role": "with"}
    for group in (place, place, None):
        path = home.create("softmax-moons", lambda path, group=group: RunWriter.make(path, config, group))  # type: ignore[misc]
        with contextlib.closing(RunWriter(path, config)) as writer:
            writer.take(RunEnded("finished", "", {}))
            writer.write()
    output = CliRunner().invoke(cli, ["runs"]).output
    assert "+ lesson-dropout" in output
    assert "2 runs" in output
    assert "softmax-moons-3" in output
    assert "softmax-moons-1" not in output
    assert "runs group=NAME" in output
    output = CliRunner().invoke(cli, ["runs", "group=lesson-dropout"]).output
    assert "softmax-moons-1" in output
    assert "softmax-moons-3" not in output
