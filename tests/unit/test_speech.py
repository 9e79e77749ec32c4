"""Runs as spoken lines: one for each change, nothing drawn, and what a chart would show."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from d2ltui.cli.app import cli
from d2ltui.history.live import LiveRun
from d2ltui.history.speech import Speaker, in_words
from d2ltui.spec import events
from d2ltui.spec.config import resolve

CONFIG = resolve({"model": "mlp", "dataset": "digits", "epochs": 6})
DEAD = events.Finding(
    rule="dead-relu",
    severity="alarm",
    layer=2,
    step=90,
    figure=1.0,
    what="All units are dead.",
    why="The rate is too high.",
    try_="Train again with lr 0.01.",
    remedy={"lr": 0.01},
)


def ended(epoch: int, loss: float, accuracy: float) -> events.EpochEnded:
    return events.EpochEnded(
        epoch=epoch, step=45 * epoch, seconds=float(epoch), train_loss=loss, val_loss=loss + 1, train_metric=accuracy,
        val_metric=accuracy,
    )  # fmt: skip


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_epochs_are_told_with_what_has_changed_and_no_faster_than_they_are_heard() -> None:
    live, clock = LiveRun(CONFIG), Clock()
    speaker = Speaker(live, every=2.0, clock=clock)
    live(ended(1, 2.0, 0.25))
    assert speaker.news() == ["Epoch 1 of 6: training loss 2; validation loss 3; validation accuracy 0.25."]
    live(ended(2, 1.5, 0.5))
    assert speaker.news() == []
    clock.now = 2.5
    live(ended(3, 1.0, 0.25))
    assert speaker.news() == [
        "Epoch 3 of 6: training loss 1, down from 2; validation loss 2, down from 3; validation accuracy 0.25, "
        "unchanged."
    ]
    assert speaker.news() == []


def test_a_finding_is_told_when_it_comes_and_when_it_goes() -> None:
    live = LiveRun(CONFIG)
    speaker = Speaker(live)
    live(events.FindingsChanged(90, (DEAD,)))
    assert speaker.news() == ["Alarm: All units are dead. The rate is too high.", "Try: Train again with lr 0.01."]
    assert speaker.news() == []
    live(events.FindingsChanged(120, ()))
    assert speaker.news() == ["No longer so: All units are dead."]


def test_the_end_tells_the_cause_and_what_follows_whatever_was_told_before() -> None:
    live = LiveRun(CONFIG)
    speaker = Speaker(live)
    live(events.FindingsChanged(0, (DEAD,)))
    assert speaker.news()[0] == "Alarm: All units are dead. The rate is too high."
    live(events.FindingsChanged(90, (msgspec.structs.replace(DEAD, what="The rate is 30."),)))
    live(events.RunEnded("finished", "after 6 epochs", {}))
    told = ["After 6 epochs.", "Alarm: The rate is 30. The rate is too high.", "Try: Train again with lr 0.01."]
    assert speaker.news() == told


def test_requests_are_told() -> None:
    live = LiveRun(CONFIG)
    speaker = Speaker(live)
    live(events.StatusChanged("training"))
    assert speaker.news() == []
    live(events.StatusChanged("paused", 7))
    live(events.LearningRateChanged(7, 0.5))
    assert speaker.news() == ["Paused after step 0.", "The learning rate is 0.5 from step 8 on."]
    live(events.StatusChanged("training"))
    assert speaker.news() == ["Training again."]


def test_the_end_tells_the_course_of_each_curve() -> None:
    live = LiveRun(CONFIG)
    speaker = Speaker(live)
    for epoch, (loss, accuracy) in enumerate([(4.0, 0.1), (2.0, 0.8), (1.0, 0.9), (math.nan, 0.9), (1.5, 0.7)], 1):
        live(ended(epoch, loss, accuracy))
    live(events.RunEnded("stopped", "stopped after step 225", {}))
    lines = speaker.news()
    assert lines[1:] == [
        "Stopped after step 225.",
        "The training loss fell from 4 after epoch 1 to 1.5 after epoch 5, half of the way by epoch 2; it was lowest "
        "after epoch 3, 1; in 1 epoch it was no finite number.",
        "The validation loss fell from 5 after epoch 1 to 2.5 after epoch 5, half of the way by epoch 2; it was lowest "
        "after epoch 3, 2; in 1 epoch it was no finite number.",
        "The validation accuracy rose from 0.1 after epoch 1 to 0.7 after epoch 5, half of the way by epoch 2; it was "
        "highest after epoch 3, 0.9.",
    ]
    assert speaker.news() == []
    assert in_words(live)[1:4] == lines[2:5]


def test_train_show_and_watch_speak(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("D2LTUI_HOME", str(tmp_path))
    runner = CliRunner()
    options = ["--model", "linear", "--epochs", "3", "--device", "cpu"]
    trained = runner.invoke(cli, ["train", "--speak", *options])
    assert trained.exit_code == 0
    lines = trained.stdout.splitlines()
    assert lines[0] == "The model linear on the data set synthetic-linear, 3 epochs."
    assert "Linear 2 to 1" in lines[1]
    assert lines[-1].endswith(": all well.")
    assert not set("\r\x1b⡇│") & set(trained.stdout)
    monkeypatch.setenv("D2LTUI_SPEAK", "1")
    shown = runner.invoke(cli, ["show", "latest"])
    assert shown.exit_code == 0
    assert next(line for line in lines if line.startswith("The training loss")) in shown.stdout.splitlines()
    assert not set("⡇│") & set(shown.stdout)
    watched = runner.invoke(cli, ["watch", "latest"])
    assert (watched.exit_code, watched.stdout.splitlines()[-1]) == (0, lines[-1])
    assert runner.invoke(cli, ["--no-store", *options]).stdout.splitlines()[0] == lines[0]
