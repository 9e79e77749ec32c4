"""The runs of a lesson in the store."""

from __future__ import annotations

import errno
import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from d2ltui.cli.app import cli
from d2ltui.lessons import LESSONS, Bench, Lesson, LessonCancelled
from d2ltui.lessons.measured import Experiment, Measured, figure
from d2ltui.runner.lesson_recorder import LessonRecorder
from d2ltui.store import home
from d2ltui.store.listing import runs

MOONS = {"model": "softmax", "dataset": "moons", "epochs": 2}


def measure(bench: Bench) -> Measured:
    """Each seed once as it is, and the second experiment once on the first one's data."""
    ends = [bench.train("plain", seed).accuracy for seed in bench.seeds]
    few = bench.data(bench.config("plain"))
    other = type(few)(few.info, few.x_train[:32], few.y_train[:32], few.x_val, few.y_val)
    ends.append(bench.train("faster", 0, label="faster, on few", dataset=other).accuracy)
    return Measured([figure("accuracy", ends[0])], "So.")


LESSON = Lesson(
    "tiny",
    "Tiny",
    "0",
    "It is.",
    "",
    "",
    measure,
    (Experiment("plain", MOONS), Experiment("faster", {**MOONS, "lr": 1})),
)


def carry_out(seeds: int = 2) -> LessonRecorder:
    recorder = LessonRecorder(LESSON.name)
    Bench(LESSON, seeds=seeds, recorder=recorder).verdict()
    assert recorder.trouble == ""
    return recorder


def command(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def test_each_run_is_one_of_a_group() -> None:
    recorder = carry_out()
    found = {run.name: run for run in runs()}
    assert set(found) == {"tiny-plain-1", "tiny-plain-2", "tiny-faster-on-few-1"}
    assert recorder.stored == 3
    assert {run.group for run in found.values()} == {"lesson-tiny"}
    assert [(run.kind, run.role) for run in found.values()] == [("lesson", "plain")] * 2 + [("lesson", "faster")]
    assert {run.status for run in found.values()} == {"finished"}
    first, second = found["tiny-plain-1"], found["tiny-plain-2"]
    assert first.config is not None
    assert second.config is not None
    assert (first.config.seed, second.config.seed) == (0, 1)
    # It has what a run has: it is opened, shown, compared and exported.
    assert (first.path / home.CHECKPOINT).exists()
    assert not (first.path / home.PREVIOUS).exists(), "nobody goes on with a lesson's run: its end is kept alone"
    assert command("show", "tiny-plain-1").exit_code == 0
    assert "group lesson-tiny" in command("show", "tiny-plain-1").output
    assert command("compare", "tiny-plain-1", "tiny-faster-on-few-1").exit_code == 0
    assert command("export", "tiny-plain-1", "--code").exit_code == 0
    assert len(json.loads(command("runs", "group=lesson-tiny", "--json").output)) == 3


def test_runs_are_numbered_as_they_were_trained_on_a_slow_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    make, first, another = home.create, threading.Event(), threading.Event()

    def slowly_at_first(*arguments: object, **named: object) -> Path:
        if first.is_set():
            another.set()
        else:
            first.set()
            another.wait(1.5)
        return make(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(home, "create", slowly_at_first)
    carry_out()
    seeds = {run.name: run.config.seed for run in runs() if run.config is not None}
    assert seeds == {"tiny-plain-1": 0, "tiny-plain-2": 1}


def test_a_run_that_its_settings_do_not_describe_is_no_run_of_them() -> None:
    carry_out(1)
    few = next(run for run in runs() if run.role == "faster")
    assert few.config is None
    assert few.header is not None
    assert few.header.params["training_samples"] == 32
    assert few.header.steps_per_epoch == 1
    assert "training_samples 32" in command("show", few.name).output
    refused = command("export", few.name, "--code")
    assert refused.exit_code != 0
    assert "the lesson tiny" in refused.output


def test_runs_of_the_next_time_take_the_place_of_those_that_nobody_has_touched() -> None:
    carry_out()
    home.rename("tiny-plain-1", "tiny-for-monday-1")
    home.set_note("tiny-plain-2", "look at this")
    again = carry_out()
    names = {run.name for run in runs()}
    assert {"tiny-for-monday-1", "tiny-plain-2"} < names
    assert "tiny-faster-on-few-1" not in names
    assert len(names) == 2 + again.stored
    # Nobody else's runs go, whatever they are called.
    assert command("train", "--model", "softmax", "--dataset", "moons", "--epochs", "1", "--quiet").exit_code == 0
    home.rename(next(run.name for run in runs() if not run.group), "tiny-plain-99")
    carry_out()
    assert "tiny-plain-99" in {run.name for run in runs()}


def test_a_lesson_that_is_stopped_leaves_the_runs_of_the_last_time() -> None:
    carry_out()
    bench = Bench(LESSON, recorder=LessonRecorder(LESSON.name))
    bench._on_run = lambda run: bench.stop() if run.seed else None
    with pytest.raises(LessonCancelled):
        bench.verdict()
    assert {"tiny-plain-1", "tiny-plain-2", "tiny-faster-on-few-1"} < {run.name for run in runs()}
    assert {run.status for run in runs()} == {"finished"}, "none that was stopped is among them"


def test_what_cannot_be_stored_keeps_nobody_from_a_verdict(d2ltui_home: Path) -> None:
    (d2ltui_home / "runs").write_text("no directory")
    recorder = LessonRecorder(LESSON.name)
    assert Bench(LESSON, seeds=1, recorder=recorder).verdict().figures
    assert recorder.stored == 0
    assert "not stored" in recorder.trouble


def test_the_command_stores_unless_it_is_told_not_to(offer) -> None:  # type: ignore[no-untyped-def]
    offer(LESSONS, LESSON)
    told = command("lessons", "tiny", "--seeds", "1")
    assert "2 runs stored: d2ltui runs group=lesson-tiny" in told.output
    assert len(runs()) == 2
    for run in runs():
        home.delete(run.name)
    assert "stored" not in command("lessons", "tiny", "--seeds", "1", "--no-store").output
    assert runs() == []
    refused = command("lessons", "--no-store")
    assert refused.exit_code == 2
    assert "no-store: --no-store is not allowed without a lesson" in refused.output


def test_two_that_measure_a_lesson_at_a_time_leave_each_other_their_runs() -> None:
    carry_out()
    before = {run.name for run in runs()}
    first, second = LessonRecorder(LESSON.name), LessonRecorder(LESSON.name)

    def meanwhile(bench: Bench) -> Measured:
        """The first one's; after its first run the second one begins, and comes to its end before it."""
        ends = [bench.train("plain", 0).accuracy]
        Bench(LESSON, seeds=1, recorder=second).verdict()
        bench.train("faster", 0, label="faster, on few")
        return Measured([figure("accuracy", ends[0])], "So.")

    Bench(Lesson("tiny", "", "", "", "", "", meanwhile, LESSON.experiments), seeds=1, recorder=first).verdict()
    names = {run.name for run in runs()}
    assert first.trouble == second.trouble == ""
    assert names == first._names | second._names
    assert len(first._names) == 2
    assert len(second._names) == 2
    assert not names & before, "those of the last time are replaced by whoever was alone when it began"
    carry_out(1)
    assert len(runs()) == 2


def test_runs_of_the_last_time_stay_where_not_all_of_this_time_could_be_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    carry_out()
    before = {run.name for run in runs()}
    create, created = home.create, []

    def full_after_the_first(stem: str, fill: Callable[[Path], None]) -> Path:
        created.append(stem)
        if len(created) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return create(stem, fill)

    monkeypatch.setattr(home, "create", full_after_the_first)
    recorder = LessonRecorder(LESSON.name)
    assert Bench(LESSON, seeds=2, recorder=recorder).verdict().figures
    assert recorder.stored == 1
    assert recorder.trouble
    assert before < {run.name for run in runs()}
