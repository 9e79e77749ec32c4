"""Runs that differ in their seeds alone, as a fan of curves."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path

import msgspec
import pytest

from d2ltui.charts.draw import draw
from d2ltui.charts.fan import are_alike, fan_chart, fan_of
from d2ltui.cli import group_stored
from d2ltui.history.live import LiveRun
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.store import home
from d2ltui.store.session import RunWriter
from tests.commands import Command

CONFIG = resolve({"model": "softmax", "dataset": "moons", "epochs": 4})


def with_seed(seed: int) -> RunConfig:
    return msgspec.structs.replace(CONFIG, seed=seed)


def ended(number: int, loss: float) -> events.EpochEnded:
    return events.EpochEnded(number, 3 * number, loss, loss, 0.75, 0.75, 1.0)


def run_of(seed: int, *losses: float) -> LiveRun:
    live = LiveRun(with_seed(seed))
    for number, loss in enumerate(losses, 1):
        live(ended(number, loss))
    return live


def stored(seed: int, *losses: float, is_over: bool = True) -> Path:
    place: dict[str, object] = {"name": "seeds-1", "kind": "seeds", "index": seed + 1, "total": 3}
    return stored_as(with_seed(seed), place, *losses, is_over=is_over)


def stored_as(config: RunConfig, place: dict[str, object], *losses: float, is_over: bool = True) -> Path:
    path = home.create("softmax-moons", lambda path: RunWriter.make(path, config, place))
    with contextlib.closing(RunWriter(path, config)) as writer:
        for number, loss in enumerate(losses, 1):
            writer.take(ended(number, loss))
        if is_over:
            writer.take(events.RunEnded("finished", "", {}))
        writer.write()
    return path


def test_median_quartiles_and_extremes_of_those_that_have_come_so_far() -> None:
    lives = [run_of(0, 1.0, 0.5), run_of(1, 2.0, math.nan), run_of(2, 3.0), run_of(3, 4.0), run_of(4, 5.0, 0.7)]
    fan = fan_of(lives, "val_loss")
    assert fan.epochs == [1, 2]
    assert [column[0] for column in fan[1:6]] == [1, 2, 3, 4, 5]
    assert [column[1] for column in fan[1:6]] == pytest.approx([0.5, 0.55, 0.6, 0.65, 0.7])
    assert fan.runs == [5, 2]
    assert fan_of([], "val_loss").epochs == []
    assert are_alike(lives)
    assert not are_alike(lives[:2])
    assert not are_alike([*lives, LiveRun(msgspec.structs.replace(CONFIG, lr=0.5))])


@pytest.mark.parametrize("ascii", [False, True])
def test_what_each_line_is_stands_in_the_legend(ascii: bool) -> None:
    lives = [run_of(seed, *(1 + seed + 1 / epoch for epoch in range(1, 6))) for seed in range(5)]
    fan = fan_of(lives, "val_loss")
    spec = fan_chart(fan, 70, 16, ascii=ascii, epochs=5.0, member=("softmax-3", lives[2]))
    lines = ["".join(text for _, text in line) for line in draw(spec)]
    for word in ("median", "quartiles", "extremes", "softmax-3"):
        assert any(word in line for line in lines), lines
    assert all(line.isascii() for line in lines) or not ascii
    empty = draw(fan_chart(fan_of([], "val_loss"), 60, 12, ascii=ascii, epochs=5.0))
    assert any("no epoch has ended" in "".join(text for _, text in line) for line in empty)


def test_a_group_is_shown_and_followed(command: Command) -> None:
    for seed in range(3):
        stored(seed, 0.9 + seed / 10, 0.5 + seed / 10)
    (stored(3, 9.0) / "run.db").write_bytes(b"no database")

    status, out, err = command("show", "seeds-1")
    assert (status, err) == (0, "")
    assert "seeds-1: 3 runs, 3 finished" in out
    assert "val loss: 0.6 ± 0.1, from 0.5 to 0.7" in out
    assert "median" in out
    status, out, err = command("watch", "seeds-1", "--speak")
    assert (status, err) == (0, "")
    assert "epoch 2 of 3 runs: validation loss, median 0.6, quartiles 0.55 and 0.65, from 0.5 to 0.7" in out
    assert out.endswith("3 finished\n")
    status, _, err = command("watch", "seeds-1", "--exit-when-done")
    assert (status, "exit-when-done: it is not allowed with a group" in err) == (2, True)
    assert group_stored.runs_of("nothing") == []


def test_a_mean_is_of_runs_that_finished_and_differ_in_nothing_else(command: Command) -> None:
    for seed in range(2):
        stored(seed, 0.9, 0.5 + seed / 10)
    stored(2, 9.0, is_over=False)
    _, out, _ = command("show", "seeds-1")
    assert "val loss: 0.55 ± 0.071, from 0.5 to 0.6" in out

    for number, lr in enumerate((0.1, 0.2)):
        place: dict[str, object] = {"name": "sweep-1", "kind": "sweep", "index": number + 1, "total": 2}
        stored_as(msgspec.structs.replace(with_seed(0), lr=lr), place, 0.5 + number)
    _, out, _ = command("show", "sweep-1")
    assert "lr 0.1, 0.2  " in out
    assert "val loss: from 0.5 to 1.5" in out
    assert "±" not in out
