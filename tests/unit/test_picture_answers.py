"""Pictures of a run that goes on: they come soon, once, and change nothing of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from d2ltui.engine import reporting
from d2ltui.engine.control import Control
from d2ltui.engine.evaluation import evaluate
from d2ltui.engine.picture_desk import PictureDesk
from d2ltui.engine.trainer import Trainer
from d2ltui.spec import events
from d2ltui.spec.config import resolve
from d2ltui.spec.pictures import (
    PictureMade,
    PictureRequest,
    SoftmaxSteps,
)
from d2ltui.spec.step_seen import STEP

PATIENCE = 30.0


def trained(asked: bool, **given: object) -> tuple[list[float], Control]:
    losses: list[float] = []

    def listen(event: events.Event) -> None:
        if isinstance(event, events.StepsTrained):
            losses.extend(event.losses.tolist())

    control = Control()
    if asked:
        control.offer_pictures().ask(PictureRequest("regions", 20, 20))
    ended = Trainer(resolve(given), control, [listen], sample_every=None).run()
    assert ended.status == "finished"
    return losses, control


def until(condition: Callable[[], object]) -> None:
    """Wait for a state, as long as it takes; a thread makes it."""
    waiting = threading.Event()
    for _ in range(int(PATIENCE / 0.01)):
        if condition():
            return
        waiting.wait(0.01)
    raise AssertionError("never")


def answer(desk: PictureDesk, request: PictureRequest) -> PictureMade:
    desk.ask(request)
    until(lambda: desk.made is not None and desk.made.request == request)
    assert desk.made is not None
    return desk.made


def test_a_run_trains_the_same_steps_with_a_picture_and_shows_its_end_afterwards() -> None:
    given: dict[str, object] = {"model": "mlp", "dataset": "moons", "dropout": 0.3, "epochs": 8, "threads": 1}
    plain, _ = trained(False, **given)
    looked_at, control = trained(True, **given)
    assert looked_at == plain
    desk = control.pictures
    assert desk is not None
    until(lambda: desk.made is not None and desk.made.step == len(plain))  # the end, unasked
    made = answer(desk, PictureRequest("softmax", 20, 20))
    assert made.step == len(plain)
    assert isinstance(made.picture, SoftmaxSteps)


def test_a_paused_run_answers_at_once_and_only_once() -> None:
    control = Control("step")
    desk = control.offer_pictures()
    paused = threading.Event()

    def listen(event: events.Event) -> None:
        if isinstance(event, events.StatusChanged) and event.status == "paused":
            paused.set()

    trainer = Trainer(resolve({"model": "softmax", "dataset": "moons"}), control, [listen], sample_every=None)
    thread = threading.Thread(target=trainer.run)
    thread.start()
    try:
        assert paused.wait(PATIENCE)
        made = answer(desk, PictureRequest("regions", 20, 20))
        assert made.step == 1
        desk.ask(None)
        desk.ask(PictureRequest("regions", 20, 20))  # somebody comes back
        until(lambda: desk.made is not made)
        again = desk.made
        control.step()
        until(lambda: desk.made is not again)
        assert desk.made is not None
        assert desk.made.step == 2
    finally:
        control.stop()
        thread.join(PATIENCE)
    assert not thread.is_alive()


def test_a_picture_that_is_asked_for_during_an_evaluation_comes_before_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    control, seen = Control(), []
    desk = control.offer_pictures()

    def asked(*arguments: Any) -> tuple[float, float]:
        desk.ask(PictureRequest("regions", 20, 10 + 2 * len(seen)))
        found = evaluate(*arguments)
        seen.append(desk.made is not None and desk.made.request == desk.request)
        return found

    monkeypatch.setattr(reporting, "evaluate", asked)
    config = resolve({"model": "softmax", "dataset": "moons", "epochs": 2, "device": "cpu"})
    assert Trainer(config, control, [], sample_every=None).run().status == "finished"
    assert seen == [True, True]
    until(lambda: desk.made is not None and desk.made.step == config.total_steps)  # of the same tensors, afterwards
    desk.look_at(1)
    until(lambda: any(made.step == 1 for made in desk.past))
    assert all(made.picture is not None for made in desk.past)


def test_whoever_waits_for_a_picture_is_answered_after_the_next_step() -> None:
    control = Control()
    desk = control.offer_pictures()
    assert not control.attention
    desk.ask(PictureRequest("regions", 20, 20))
    assert control.attention
    desk.take()
    control.take_lr()  # the trainer has looked at what is asked of it
    assert not control.attention
    desk.ask(PictureRequest(STEP, 0, 0))  # which is made while the run stands still
    assert not control.attention
