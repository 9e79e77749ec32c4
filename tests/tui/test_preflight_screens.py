"""`k` and `F`: what would go wrong with what the form describes, and which learning rate to take."""

from __future__ import annotations

from typing import Any

import pytest
from person import ENDLESS, Opener, Person

from d2ltui.engine.checkup import Checkup
from d2ltui.engine.range_test import RangeTest
from d2ltui.engine.readings import Reading
from d2ltui.runner.preflight import Attempt, Kind
from d2ltui.spec.config import RunConfig
from d2ltui.spec.events import Finding
from tests.selection import long_after

MLP: dict[str, object] = {"model": "mlp", "dataset": "digits", "hidden": "16"}
SIZES = [(80, 24), (120, 40)]

LOW = Finding(
    "learning-rate-low", "alarm", None, 0, 1.0, "The rate is too low.", "Short steps.", "lr 0.1.", {"lr": 0.1}
)
FADES = Finding("initialisation", "warning", None, 0, 5.0, "Outputs fade.", "", "", {}, "learning-rate-low")
READINGS = (
    Reading("inputs", "root mean square 0.484, mean 0.305", {}),
    Reading("outputs", "0.484 > 0.283 > 0.119: " + "shrinking, " * 9, {}, FADES),
    Reading("by heart", "16 samples: accuracy 0.312 after 2400 steps", {}, LOW),
)
_RATES = tuple(1e-7 * 10 ** (k / 20) for k in range(150))
_LOSSES = tuple(2.3 if rate < 0.01 else 1.5 if rate < 1 else 3.0 for rate in _RATES)
RATES = RangeTest(_RATES, _LOSSES, _LOSSES, 0.05, 0.03, True, 0.001)


class Scripted:
    """In place of `Preflight`: attempts that the test carries out itself."""

    thread = None

    def __init__(self, person: Person) -> None:
        self.attempts: list[Attempt] = []
        person.app.preflight = self  # type: ignore[assignment]

    def start(self, config: RunConfig, kind: Kind) -> Attempt:
        self.attempts.append(Attempt(config, kind))
        return self.attempts[-1]

    def stop(self) -> None:
        for attempt in self.attempts:
            attempt.stop()


@pytest.mark.parametrize("size", long_after(1, SIZES, whole=True))
async def test_what_would_go_wrong_is_shown_as_it_is_found(open_app: Opener, size: tuple[int, int]) -> None:
    async with open_app({**MLP, "lr": 0.0001}, size=size) as person:
        scripted = Scripted(person)
        await person.press("k")
        (attempt,) = scripted.attempts
        assert (attempt.kind, attempt.config.lr) == ("check", 0.0001)
        await person.until(lambda: "… loading PyTorch" in person.text(), "what is being done")
        assert "Before the first step (escape stops it)" in person.text()
        attempt.doing, attempt.share = "fashion-mnist: downloading", 0.25
        await person.until(lambda: "fashion-mnist: downloading 25 %" in person.text(), "how far it is")
        attempt.doing, attempt.share, attempt.readings = "learning 16 samples by heart", None, READINGS[:2]
        await person.until(lambda: "learning 16 samples by heart" in person.text(), "what is being done")
        assert "✓ inputs     root mean square" in person.text()
        assert "△ outputs" in person.text()
        attempt.readings, attempt.checkup = READINGS, Checkup(READINGS, (LOW, FADES))
        await person.until(lambda: "because of this: Outputs fade." in person.text(), "what is wrong")
        text = person.text()
        assert "▲ by heart" in text
        assert "The rate is too low." in text
        assert "Before the first step (f puts lr 0.1 into the form, escape closes)" in text
        assert "learning 16 samples" not in text
        assert all(len(line) <= size[0] for line in text.splitlines())
        await person.press("f")
        await person.until(lambda: person.setup.state["lr"] == "0.1", "the remedy in the form")
        assert "lr 0.0001 → 0.1; ctrl+r trains it" in person.status
        assert person.app.screen is person.main


@pytest.mark.parametrize("size", long_after(1, SIZES, whole=True))
async def test_the_curve_and_its_suggestion(open_app: Opener, size: tuple[int, int]) -> None:
    async with open_app({**MLP, "lr": 0.001}, size=size) as person:
        scripted = Scripted(person)
        for key in ("f", "enter"):
            await person.press("F")
            attempt = scripted.attempts[-1]
            assert attempt.kind == "find-lr"
            attempt.doing, attempt.share = "trying rates", 0.5
            await person.until(lambda: "… trying rates 50 %" in person.text(), "how far it is")
            await person.press(key)
            assert person.app.screen is not person.main, "there is nothing to take yet"
            attempt.range_test = RATES
            await person.until(lambda: "suggestion: lr 0.03" in person.text(), "the suggestion")
            text = person.text()
            assert "─s─ suggestion" in text
            assert "1e-4" in text, "a logarithmic axis"
            assert "(f puts lr 0.03 into the form, escape closes)" in text
            assert "0.033 times the suggestion, which may be too low" in " ".join(text.replace("│", "").split())
            await person.press(key)
            await person.until(lambda: person.setup.state["lr"] == "0.03", "the suggestion in the form")
            person.setup.apply({"lr": 0.001})


async def test_escape_ends_it_and_the_form_stays(open_app: Opener) -> None:
    async with open_app(MLP) as person:
        scripted = Scripted(person)
        for key in ("k", "F"):
            before = dict(person.setup.state._texts)
            await person.press(key)
            attempt = scripted.attempts[-1]
            assert not attempt.control.stopping
            await person.press("escape")
            await person.until(lambda attempt=attempt: attempt.control.stopping, "that it ends")
            assert person.app.screen is person.main
            assert person.setup.state._texts == before


async def test_what_cannot_be_done_is_said(open_app: Opener) -> None:
    async with open_app(MLP, size=(80, 24)) as person:
        scripted = Scripted(person)
        await person.press("F")
        scripted.attempts[-1].problem = "digits: the disk is full"
        await person.until(lambda: "digits: the disk is full" in person.text(), "the reason")
        await person.press("f", "escape")
        await person.press("F")
        scripted.attempts[-1].range_test = RangeTest((), (), (), None, None, True, 0.1)
        await person.until(lambda: "no suggestion; key k says what is wrong" in person.text(), "so")
        assert "the loss is not finite after the first step" in person.text()
        await person.press("escape")
        await person.press("k")
        scripted.attempts[-1].readings = READINGS[:1]
        scripted.attempts[-1].checkup = Checkup(READINGS[:1], ())
        await person.until(lambda: "nothing is wrong before the first step" in person.text(), "that all is well")
        await person.press("f")
        assert person.app.screen is not person.main, "there is nothing to take"
        await person.press("k")
        assert person.app.screen is person.main


async def test_a_form_with_a_problem_is_not_tried(open_app: Opener) -> None:
    async with open_app(MLP) as person:
        scripted = Scripted(person)
        await person.type("lr", "-1")
        await person.press("escape", "escape")
        for key in ("k", "F"):
            person.main.set_focus(None)
            await person.press(key)
            assert not scripted.attempts
            assert "lr: '-1' is not allowed" in person.status


async def test_while_a_run_trains_both_wait_for_its_end(open_app: Opener) -> None:
    async with open_app(ENDLESS, size=(80, 24)) as person:
        scripted = Scripted(person)
        await person.press("ctrl+r")
        await person.until_word("training")
        await person.press("k")
        assert "a run is in progress: the check has to wait for its end (x stops it)" in person.status
        await person.press("F")
        assert "a run is in progress: the search for a learning rate has to wait for its end" in person.status
        assert not scripted.attempts
        await person.press("x")
        await person.until_word("stopped")
        await person.press("k")
        assert [attempt.kind for attempt in scripted.attempts] == ["check"]
        await person.press("escape")


async def test_both_in_earnest_and_a_run_after_them(open_app: Opener) -> None:
    """Small enough to be there at once. The run that is begun while an attempt ends waits for that."""
    given: dict[str, Any] = {"model": "mlp", "dataset": "moons", "hidden": "8", "epochs": 2, "device": "cpu"}
    async with open_app(given) as person:
        await person.press("k")
        await person.until(lambda: "by heart   16 samples: accuracy" in person.text(), "what the check has found")
        await person.press("escape")
        await person.press("F")
        await person.until(lambda: "suggestion: lr " in person.text(), "a suggestion")
        await person.press("escape")
        await person.press("k", "escape", "ctrl+r")
        await person.until_word("finished")
        assert person.app.preflight.thread is None
