"""The runs screen, going on with a run, watching one of another process, and the end of a terminal."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from person import ENDLESS, SMALL, Opener, Starter, listed
from textual.widgets import DataTable, Input, Static

from d2ltui.charts.bundles import bundled
from d2ltui.engine.control import Control
from d2ltui.engine.trainer import Trainer
from d2ltui.history.live import LiveRun
from d2ltui.runner.recording import RunRecording
from d2ltui.spec.config import resolve
from d2ltui.store import StoreError, home, listing
from d2ltui.store.listing import runs
from d2ltui.tui.panes.layer_lines import number
from d2ltui.tui.screens.dialogs import AskScreen, ConfirmScreen
from d2ltui.tui.screens.runs import RunsScreen, differences
from d2ltui.tui.screens.runs_curves import Shown, marked_runs


async def test_runs_are_stored_listed_overlaid_and_compared(open_app: Opener) -> None:
    async with open_app(SMALL) as person:
        await person.press("ctrl+r")
        await person.until_word("finished")
        await person.type("lr", "0.5")
        await person.press("ctrl+r")
        await person.until(lambda: person.live.lr == 0.5 and person.word == "finished", "the second run")
        assert person.app.worker.join(30)
        screen = await listed(person, 2)
        await person.press("space", "down", "space")
        await person.until(lambda: "lr: a 0.5, b 0.1" in str(screen.query_one("#facts", Static).content), "differences")
        await person.until(lambda: "─a─" in person.text() and "─b─" in person.text(), "both curves")
        assert "at epoch 1" in person.text()
        await person.press("right")
        await person.until(lambda: "at epoch 2" in person.text(), "the cursor at epoch 2")


async def test_the_list_is_filtered_as_one_types_and_says_what_is_wrong_with_a_filter(open_app: Opener) -> None:
    async with open_app(SMALL) as person:
        await person.press("ctrl+r")
        await person.until_word("finished")
        assert person.app.worker.join(30)
        table = (await listed(person)).query_one(DataTable)
        await person.press("slash", *"lr>0.2")
        await person.until(lambda: table.row_count == 0, "no run with such a rate")
        box = person.app.screen.query_one("#filter", Input)
        box.value = "lr=0.1 status=finished"
        await person.until(lambda: table.row_count == 1, "the run")
        box.value = "lrr=0.1"
        await person.until(
            lambda: "lrr" in str(person.app.screen.query_one("#filter-problem", Static).content), "why not"
        )


async def test_a_run_is_renamed_noted_and_deleted_only_when_asked_twice(open_app: Opener) -> None:
    async with open_app(SMALL) as person:
        await person.press("ctrl+r")
        await person.until_word("finished")
        assert person.app.worker.join(30)
        await listed(person)
        await person.press("n")
        assert isinstance(person.app.screen, AskScreen)
        person.app.screen.query_one(Input).value = "better"
        await person.press("enter")
        await person.until(lambda: [run.name for run in runs()] == ["better"], "the new name")
        await person.until(lambda: "better" in person.text(), "the new name on the screen")
        await person.press("n")
        person.app.screen.query_one(Input).value = "../outside"
        await person.press("enter")
        assert [run.name for run in runs()] == ["better"]
        await person.press("escape", "N")
        person.app.screen.query_one(Input).value = "the teacher's"
        await person.press("enter")
        await person.until(lambda: runs()[0].note == "the teacher's", "the note")
        await person.press("d")
        assert isinstance(person.app.screen, ConfirmScreen)
        await person.press("n")
        assert len(runs()) == 1
        await person.press("d", "y")
        await person.until(lambda: runs() == [], "no run")


async def test_a_run_in_progress_is_not_deleted(open_app: Opener) -> None:
    async with open_app(ENDLESS) as person:
        await person.press("ctrl+r")
        await person.until_word("training")
        await person.press("R")
        table = person.app.screen.query_one(DataTable)
        await person.until(lambda: table.row_count == 1, "the run in the list")
        await person.press("d")
        await person.until(lambda: "is in progress: stop it first" in person.text(), "why not")
        assert isinstance(person.app.screen, RunsScreen)


async def test_the_screen_names_the_run_and_tells_it_from_the_form(open_app: Opener) -> None:
    async with open_app(ENDLESS, size=(160, 45)) as person:
        loss, model = person.main.query_one("#loss"), person.main.query_one("#model-pane")
        assert (loss.border_title, model.border_title) == ("Loss", "Model")
        person.app.notify("what was on the screen before", timeout=60)
        await person.press("ctrl+r")
        await person.until(lambda: loss.border_title.endswith(" of softmax-moons-1"), "the run's name")
        await person.until(lambda: not person.app.screen.query("Toast"), "no old notice")
        assert model.border_title == "Model"
        await person.type("lr", "0.25")
        await person.until(lambda: model.border_title == "Model of the next run", "that the form has gone on")
        await person.type("lr", str(ENDLESS.get("lr", person.live.config.lr)))
        await person.until(lambda: model.border_title == "Model", "that it is the run's again")


async def test_a_stopped_run_goes_on(open_app: Opener) -> None:
    async with open_app({**ENDLESS, "epochs": 200_000}) as person:
        await person.press("ctrl+r")
        await person.until(lambda: person.app.live is not None and person.live.step > 50, "some steps")
        await person.press("x")
        await person.until_word("stopped")
        stopped_at = person.live.step
        assert person.app.worker.join(30)
        await listed(person)
        await person.press("c")
        await person.until(lambda: person.live.step > stopped_at, "steps after the ones before")
        assert len(runs()) == 1
        await person.press("x")
        await person.until_word("stopped")


async def test_going_on_with_another_run_never_ends_the_one_in_progress(open_app: Opener) -> None:
    async with open_app(SMALL) as person:
        await person.press("ctrl+r")
        await person.until_word("finished")
        assert person.app.worker.join(30)
        finished = runs()[0].name
        person.app.start_run(resolve(ENDLESS), "run")
        await person.until_word("training")
        assert not await person.app.stored.resume(finished)
        with pytest.raises(StoreError):  # nor where it is asked for past the screen
            person.app.worker.start(resolve(SMALL), record=partial(RunRecording.resume, home.path_of(finished)))
        step = person.live.step
        await person.until(lambda: person.live.step > step, "more steps")
        await person.press("x")
        await person.until_word("stopped")


async def test_a_finished_run_is_opened_on_the_main_screen_and_does_not_go_on(open_app: Opener) -> None:
    async with open_app(SMALL) as person:
        await person.press("ctrl+r")
        await person.until_word("finished")
        assert person.app.worker.join(30)
        accuracy = person.live.epochs[-1].val_metric
        await listed(person)
        await person.press("c")
        assert isinstance(person.app.screen, RunsScreen)  # and a notice says why
        await person.press("enter")
        await person.until(lambda: person.app.screen is person.main, "the main screen")
        assert person.app.control is None
        await person.until_word("finished")
        assert person.live.epochs[-1].val_metric == pytest.approx(accuracy, abs=1e-6)  # stored in single precision


async def test_a_run_of_another_process_is_offered_watched_paused_and_stopped(
    open_app: Opener, train_elsewhere: Starter, d2ltui_home: Path
) -> None:
    async with open_app({}) as person:
        other = await train_elsewhere(person)
        await person.until(lambda: any(run.status == "training" for run in runs()), "the other process's run")
        await person.app.stored.offer()
        await person.until(lambda: isinstance(person.app.screen, ConfirmScreen), "the offer")
        await person.press("y")
        await person.until(lambda: person.app.live is not None and person.live.step > 0, "its steps")
        assert not person.app.training
        loss = person.main.query_one("#loss")
        await person.until(lambda: "of another process" in str(loss.border_subtitle), "whose run it is")
        step = person.live.step
        await person.until(lambda: person.live.step > step, "more of its steps")
        await person.press("space")
        await person.until_word("paused")
        await person.press("space")
        await person.until_word("training")
        await person.press("x")
        await person.until_word("stopped")
        await person.until(lambda: "process" not in str(loss.border_subtitle), "that it is nobody's")
    assert other.wait(30) == 0


async def test_leaving_does_not_end_a_watched_run(open_app: Opener, train_elsewhere: Starter) -> None:
    async with open_app({}) as person:
        other = await train_elsewhere(person)
        await person.until(lambda: any(run.status == "training" for run in runs()), "the other process's run")
        person.app.stored.watch(home.path_of(runs()[0].name))
        await person.until_word("training")
        await person.press("q")
    assert other.poll() is None


async def test_a_store_that_cannot_be_written_does_not_stop_the_training(
    open_app: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "nodir"
    file.write_text("")
    monkeypatch.setenv("D2LTUI_HOME", str(file / "home"))
    async with open_app(SMALL) as person:
        await person.press("ctrl+r")
        await person.until_word("finished")
        await person.until(lambda: "the run is not stored" in person.status, "what is wrong with the store")
        await person.until(lambda: person.live.ended.message in " ".join(person.status.split()), "how it has ended")


def test_differences_name_only_the_fields_that_differ() -> None:
    lives = {"one": LiveRun(resolve({"lr": 0.1})), "other": LiveRun(resolve({"lr": 0.2, "activation": "tanh"}))}
    assert differences(bundled(lives)).splitlines() == ["activation: a relu, b tanh", "lr: a 0.1, b 0.2"]
    same = {name: LiveRun(resolve({})) for name in "ab"}
    assert differences(bundled(same)) == "the configurations are the same"


def test_linear_regression_from_scratch_and_concise_share_a_unit_on_the_screen() -> None:
    given = {"model": "linear", "epochs": 2, "batch_size": 100, "device": "cpu"}
    lives = {}
    for name in ("scratch", "concise"):
        lives[name] = LiveRun(resolve({**given, "implementation": name}))
        Trainer(lives[name].config, Control(), [lives[name]]).run()
    spec, below = marked_runs(bundled(lives), Shown(epoch=2), 60, 12, ascii=False)
    legend = "".join(text for line in below for _, text in line)
    for line, live, factor in zip(spec.lines, lives.values(), (2.0, 1.0), strict=True):
        assert line.y == [factor * epoch.val_loss for epoch in live.epochs]
    assert number(2 * lives["scratch"].epochs[-1].val_loss) in legend
    facts = differences(bundled(lives))
    assert "implementation: a scratch, b concise" in facts
    assert "shown as (ŷ − y)²" in facts
    assert "halves the gradient" in facts


async def test_no_run_is_resumed_while_a_lesson_is_measured(open_app: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_app(ENDLESS) as person:
        await person.press("ctrl+r")
        await person.until_word("training")
        await person.press("x")
        await person.until_word("stopped")
        recording = person.app.worker.recording
        assert recording is not None
        name = recording.store.name
        assert name is not None
        monkeypatch.setattr(type(person.app.measuring), "busy", property(lambda self: True))
        assert not await person.app.stored.resume(name)
        assert not person.app.training


async def test_a_watched_run_whose_process_is_killed_is_no_longer_training(
    open_app: Opener, train_elsewhere: Starter
) -> None:
    async with open_app() as person:
        process = await train_elsewhere(person)
        await person.until(lambda: any(run.status == "training" for run in runs()), "the other process")
        person.app.stored.watch(runs()[-1].path)
        await person.until_word("training")
        process.kill()
        process.wait()
        await person.until_word("interrupted")  # as the list calls it
        await person.until(lambda: "interrupted after step" in person.status, "what happened")
        await person.press("space")
        assert person.word == "interrupted"
        assert "interrupted after step" in person.status  # what is said of the key stands beside it
        assert listing.info(person.app.stored.watched._run_given).status == person.word
