"""What is read to be watched or to be resumed may be slow, damaged or gone: one is told, and the screen answers."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest
from person import ENDLESS, PATIENCE, TRAIN, Opener, Starter, listed

from d2ltui.runner.recording import RunRecording
from d2ltui.store import StoreError
from d2ltui.store.listing import runs
from d2ltui.store.reader import RunReader
from d2ltui.tui.screens.dialogs import HelpScreen
from tests import processes


@pytest.fixture(scope="module")
def once_trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a finished run."""
    once = tmp_path_factory.mktemp("once")
    processes.run([*TRAIN, "--epochs", "2"], PATIENCE, env={**os.environ, "D2LTUI_HOME": str(once)}).check_returncode()
    return once


@pytest.fixture
def stored_run(once_trained: Path, d2ltui_home: Path) -> Path:
    """A finished run in this test's own home."""
    shutil.copytree(once_trained, d2ltui_home, dirs_exist_ok=True)
    return runs()[-1].path


async def test_a_directory_that_takes_its_time_does_not_hold_up_the_interface(
    open_app: Opener, stored_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, asked, poll = threading.Event(), threading.Event(), RunReader.poll

    def slow(self: RunReader) -> bool:
        asked.set()
        assert answers.wait(60)
        return poll(self)

    monkeypatch.setattr(RunReader, "poll", slow)
    async with open_app() as person:
        person.app.stored.watch(stored_run)
        await person.until(asked.is_set, "the first look")
        await person.press("?")
        assert isinstance(person.app.screen, HelpScreen)
        await person.press("escape")
        assert person.app.live is None
        answers.set()
        await person.until_word("finished")
        assert len(person.live.epochs) == 2


async def test_a_run_that_cannot_be_read_is_told_of_and_nothing_else_changes(
    open_app: Opener, stored_run: Path
) -> None:
    (stored_run / "run.db").write_bytes(b"no database")
    async with open_app() as person:
        person.app.stored.watch(stored_run)
        await person.until(lambda: person.app._notifications, "why")
        (notice,) = person.app._notifications
        assert stored_run.name in notice.message
        assert person.app.live is None
        await person.press("ctrl+r")
        await person.until_word("finished")


async def test_a_defect_in_reading_is_not_swallowed(
    open_app: Opener, stored_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: RunReader) -> bool:
        raise ZeroDivisionError("a defect of ours")

    async def see() -> None:
        async with open_app() as person:
            person.app.stored.watch(stored_run)
            await person.until_word("finished")
            monkeypatch.setattr(RunReader, "poll", broken)
            await person.until(lambda: not person.app.is_running, "the end")

    with pytest.raises(ZeroDivisionError):
        await see()


async def test_a_run_that_begins_while_another_is_opened_stays_on_the_screen(
    open_app: Opener, stored_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, poll = threading.Event(), RunReader.poll
    monkeypatch.setattr(RunReader, "poll", lambda self: answers.wait(60) and poll(self))
    async with open_app(ENDLESS) as person:
        person.app.stored.watch(stored_run)
        opening = person.app.stored._opening
        assert opening is not None
        await person.press("ctrl+r")
        await person.until_word("training")
        answers.set()
        opening.join(30)
        await person.settle()
        assert person.app.stored.watched is None
        assert person.app.training
        assert person.word == "training"


async def test_a_run_that_has_gone_meanwhile_is_one_sentence(open_app: Opener, stored_run: Path) -> None:
    async with open_app() as person:
        screen = await listed(person)
        shutil.rmtree(stored_run)
        screen.action_open()
        await person.until(lambda: person.app._notifications, "why")
        assert [stored_run.name in notice.message for notice in person.app._notifications] == [True]
        assert person.app.screen is person.main


async def test_keys_are_answered_while_a_run_is_read_to_go_on_with(
    open_app: Opener, stored_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, asked = threading.Event(), threading.Event()

    def slow(path: Path, control: object) -> RunRecording:
        asked.set()
        assert answers.wait(60)
        raise StoreError("it has finished")

    monkeypatch.setattr(RunRecording, "resume", slow)
    async with open_app() as person:
        await listed(person)
        await person.press("c")
        await person.until(asked.is_set, "the reading")
        await person.press("escape")
        assert person.app.screen is person.main
        answers.set()
        await person.until(lambda: person.app._notifications, "why")


async def test_a_look_that_fails_is_told_each_time_and_the_process_still_looked_for(
    open_app: Opener, train_elsewhere: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll, fails = RunReader.poll, threading.Event()

    def failing(self: RunReader) -> bool:
        if fails.is_set():
            raise StoreError("run: it cannot be read just now")
        return poll(self)

    monkeypatch.setattr(RunReader, "poll", failing)
    told: list[str] = []
    async with open_app() as person:
        process = await train_elsewhere(person)
        monkeypatch.setattr(person.app, "tell", lambda message, *_, **options: told.append(message))
        await person.until(lambda: any(run.status == "training" for run in runs()), "the other process")
        person.app.stored.watch(runs()[-1].path)
        await person.until_word("training")
        await person.press("less_than_sign")  # the other process knows nothing of slow motion
        await person.until(lambda: "another process trains this run" in person.status, "why it is no slower")
        assert "slow motion" not in person.status
        assert person.main.speed is None
        for times in (1, 2):
            fails.set()
            await person.until(lambda times=times: len(told) == times, "what is wrong")  # type: ignore[misc]
            fails.clear()
            step = person.live.step
            await person.until(lambda step=step: person.live.step > step, "more steps")  # type: ignore[misc]
            await person.until(lambda: person.app.stored._told == "", "a good look")
        fails.set()
        process.kill()
        process.wait()
        await person.until(lambda: person.app.control is None, "nobody to ask")
        fails.clear()
        await person.until_word("interrupted")


async def test_the_form_follows_a_run_that_comes_from_the_list(open_app: Opener, stored_run: Path) -> None:
    async with open_app({"model": "mlp", "hidden": "7"}) as person:
        await listed(person)
        await person.press("enter")
        await person.until_word("finished")
        assert person.setup.state["model"] == "softmax"
        assert person.setup.state["dataset"] == "moons"
        assert [stored_run.name in notice.message for notice in person.app._notifications] == [True]
        assert person.setup.query_one("#model").pressed_button.name == "softmax"  # type: ignore[attr-defined]


async def test_who_presses_keys_already_is_not_asked(
    open_app: Opener, train_elsewhere: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    async with open_app({}) as person:
        await train_elsewhere(person)
        monkeypatch.setattr(person.app, "tell", lambda message, screen, **options: told.append(message))
        await person.until(lambda: any(run.status == "training" for run in runs()), "the other process")
        await person.press("l")
        await person.app.stored.offer()
        assert person.app.screen is person.main
        assert "R, then enter" in told[0]


async def test_a_second_key_while_a_run_is_read_does_not_hinder_the_first(
    open_app: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    real = RunRecording.resume

    def slow(path: Path, control: object) -> RunRecording:
        assert go_on.wait(30)
        return real(path, control)  # type: ignore[arg-type]

    async with open_app(ENDLESS) as person:
        await person.press("ctrl+r")
        await person.until_word("training")
        await person.press("x")
        await person.until_word("stopped")
        assert person.app.worker.join(30)
        await person.press("less_than_sign")
        assert "speed of the next run or replay: " in person.status
        assert "slow motion" not in person.status
        monkeypatch.setattr(RunRecording, "resume", slow)
        await listed(person)
        await person.press("c", "c")
        await person.until(lambda: "is being read" in person.text(), "what the second one is told")
        go_on.set()
        await person.until_word("training")
        await person.until(lambda: "slow motion" in person.status, "the speed that was asked for")
        control = person.app.worker.control
        assert control is not None
        assert control._pace == person.main.speed is not None
