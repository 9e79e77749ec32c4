"""Runs seen from the interface: again, changed in the middle, failed, diverged; and keys in any order."""

from __future__ import annotations

import random
import threading

import pytest
from person import ENDLESS, SMALL, Opener
from textual.events import Key
from textual.widgets import Input

from d2ltui.tui.keys import KEYS
from d2ltui.tui.panes.chart import ChartPane
from d2ltui.tui.screens.dialogs import SaveScreen
from tests.selection import long_after

# Everything that a hand can hit, but for the one that leaves at once.
ANY_KEY = (
    [key.key for key in KEYS if key.key != "ctrl+c"]
    + list("abcdfghijkmnopruvwyz0123456789.,-+/")
    + ["up", "down", "left", "right", "enter", "backspace", "delete", "home", "end", "pageup", "pagedown", "ctrl+r"]
)


def training_threads() -> int:
    return sum(thread.name == "d2ltui-training" and thread.is_alive() for thread in threading.enumerate())


async def test_the_learning_rate_changes_while_it_trains(open_app: Opener) -> None:
    async with open_app(ENDLESS, size=(140, 40)) as person:
        await person.press("ctrl+r")
        await person.until_word("training")
        await person.type("lr", "0.5")
        assert person.live.lr == 0.1  # typing alone changes nothing
        await person.press("enter")
        await person.until(lambda: person.live.lr == 0.5, "the other learning rate")
        assert "lr 0.5 from step" in person.status
        (change,) = person.live.lr_changes
        await person.until(lambda: person.live.step > change.step, "steps after it")
        await person.type("lr", "-1")
        await person.press("enter")
        assert "lr: '-1' is not allowed" in person.status
        assert person.live.lr == 0.5
        assert len(person.live.lr_changes) == 1
        # Paused, too.
        await person.press("escape", "space")
        await person.until_word("paused")
        await person.type("lr", "0.25")
        await person.press("enter")
        await person.until(lambda: person.live.lr == 0.25, "the third learning rate")


@pytest.mark.parametrize("key", ["ctrl+r", "ctrl+s"])
async def test_what_was_typed_just_before_a_key_counts(open_app: Opener, key: str) -> None:
    """Over a slow line, keys arrive together: the field must not be behind the key that uses it."""
    async with open_app() as person:
        await person.type("epochs", "")
        for character in "13":
            person.app._driver.send_message(Key(character, character))
        person.app._driver.send_message(Key(key, None))
        if key == "ctrl+r":
            await person.until(lambda: person.app.live is not None, "a run")
            assert person.live.config.epochs == 13
        else:
            await person.until(lambda: isinstance(person.app.screen, SaveScreen), "the question for a name")
            assert "epochs = 13" in person.app.screen._text  # type: ignore[attr-defined]


async def test_a_letter_right_after_escape_is_a_key(open_app: Opener) -> None:
    async with open_app() as person:
        await person.focus("device")
        before = person.setup.state["device"]
        for key in ("escape", "s"):
            person.app._driver.send_message(Key(key, key if len(key) == 1 else None))
        await person.until_word("paused")
        assert person.setup.state["device"] == before


async def test_enter_in_another_field_goes_on(open_app: Opener) -> None:
    async with open_app() as person:
        await person.focus("epochs")
        await person.press("enter")
        assert person.main.focused is not person.field("epochs").query_one(Input)
        assert person.main.focused is not None
        assert person.app.live is None


async def test_run_again_ends_the_run_that_there_is(open_app: Opener) -> None:
    async with open_app(ENDLESS) as person:
        await person.press("ctrl+r")
        await person.until(lambda: person.live.step > 0, "the first step")
        first = person.live
        await person.press("ctrl+r")
        assert person.live is not first
        await person.until(lambda: person.live.step > 0, "the second run's first step")
        assert first.ended is not None
        assert first.ended.status == "stopped"
        assert training_threads() == 1
        await person.press("x")
        await person.until_word("stopped")
        await person.type("epochs", "1")
        await person.press("ctrl+r")
        await person.until_word("finished")
        assert person.live.step == 25


async def test_ctrl_r_pressed_many_times_leaves_one_run(open_app: Opener) -> None:
    async with open_app(ENDLESS) as person:
        await person.press(*["ctrl+r"] * 10)
        await person.until(lambda: person.live.step > 0, "a step")
        await person.until(lambda: training_threads() == 1, "one thread")


async def test_a_failed_run_says_why_and_the_next_one_trains(open_app: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    from d2ltui.nn.network import Network

    original = Network.__call__
    calls = []

    def forward(self: Network, x: object) -> object:
        calls.append(x)
        if len(calls) > 40:
            raise RuntimeError("broken in the middle")
        return original(self, x)  # type: ignore[arg-type]

    monkeypatch.setattr(Network, "__call__", forward)
    async with open_app() as person:
        await person.press("ctrl+r")
        await person.until_word("failed")
        assert "RuntimeError: broken in the middle" in person.status
        assert "✗ failed" in person.text()
        assert person.live.ended is not None
        assert "in forward" in str(person.live.ended.traceback)
        await person.until_drawn("loss")  # what was trained is kept
        monkeypatch.setattr(Network, "__call__", original)
        await person.press("ctrl+r")
        await person.until_word("finished")
        await person.press("t")
        assert "no run has failed" in person.status


async def test_a_diverged_run_keeps_its_curves(open_app: Opener) -> None:
    async with open_app({"model": "linear", "dataset": "diabetes", "lr": 5, "epochs": 50}) as person:
        await person.press("ctrl+r")
        await person.until_word("diverged")
        assert "a lower lr than 5 may help" in person.status
        assert len(person.live.losses) == person.live.step > 1
        await person.until_drawn("loss")
        frames = person.main.query_one("#loss", ChartPane).frames
        await person.until_drawn("accuracy")
        others = person.main.query_one("#accuracy", ChartPane).frames
        await person.press("l")
        await person.until(lambda: person.main.query_one("#loss", ChartPane).frames > frames, "the logarithmic axis")
        drawn = "".join(text for line in person.main.query_one("#loss", ChartPane).view.lines for _, text in line)
        assert any("⠀" < character <= "⣿" for character in drawn)
        person.main.tick()
        assert person.main.query_one("#accuracy", ChartPane).frames == others  # it has no such axis


@pytest.mark.long
async def test_lr_1e30_is_valid_and_diverges(open_app: Opener) -> None:
    async with open_app() as person:
        await person.type("lr", "1e30")
        assert person.problem("lr") == ""
        await person.press("ctrl+r")
        await person.until_word("diverged", "finished")
        assert person.word == "diverged"


async def test_start_and_exit_when_done(open_app: Opener) -> None:
    async with open_app(start=True, exit_when_done=True) as person:
        await person.until(lambda: not person.app.is_running, "the end")
    assert person.app.return_code == 0
    assert person.live.status == "finished"


@pytest.mark.long
async def test_exit_when_done_tells_a_diverged_run_by_its_status(open_app: Opener) -> None:
    async with open_app({**SMALL, "lr": 1e30}, start=True, exit_when_done=True) as person:
        await person.until(lambda: not person.app.is_running, "the end")
    assert person.live.status == "diverged"
    assert person.app.return_code == 1


async def test_layers_are_looked_at_only_while_they_are_on_the_screen(open_app: Opener) -> None:
    async with open_app(ENDLESS, size=(80, 24)) as person:
        await person.press("ctrl+r")
        await person.until_word("training")
        control = person.app.control
        assert control is not None
        assert not control.observed  # the loss is shown
        while person.focused_pane != "activations":
            await person.press("tab")
        assert control.observed
        pane = person.main.query_one("#activations")
        first = pane.border_subtitle
        await person.until(lambda: pane.border_subtitle != first, "newer looks")
        await person.press("shift+tab")
        assert not control.observed
        await person.pilot.resize_terminal(120, 40)
        await person.until(lambda: control.observed, "the layers beside the curves")


@pytest.mark.parametrize(
    ("number", "seed", "size"),
    long_after(1, [(30, 1, (80, 24)), (100, 0, (120, 40)), (100, 1, (80, 24)), (100, 2, (200, 60))]),
)
async def test_random_keys(
    open_app: Opener,
    number: int,
    seed: int,
    size: tuple[int, int],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("saved"))
    draw = random.Random(seed)
    async with open_app({"model": "mlp", "dataset": "moons"}, size=size) as person:
        pressed = []
        for _ in range(number):
            key = draw.choice(ANY_KEY)
            if key == "y" or (key in ("q", "enter") and draw.random() < 0.8):
                continue
            pressed.append(key)
            await person.pilot.press(key)
            if not person.app.is_running:
                break
            if draw.random() < 0.03:
                await person.pilot.resize_terminal(draw.randint(1, 200), draw.randint(1, 60))
        assert person.app._exception is None, pressed
        if person.app.is_running:
            # It still answers.
            for _ in range(4):
                await person.press("escape")
            if person.app.is_running:
                await person.pilot.resize_terminal(*size)
                await person.press("ctrl+r")
                assert person.app.is_running
        assert training_threads() <= 2
