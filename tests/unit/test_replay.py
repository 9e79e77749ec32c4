"""Slow motion and replay: the speeds, the step that is shown, and a run that is slowed down."""

from __future__ import annotations

import threading

import pytest
from runs import Tape, run, short

from d2ltui.engine.control import Control
from d2ltui.engine.trainer import Trainer
from d2ltui.tui.services.replay import SPEEDS, WHOLE_RUN, Replay, changed_speed


def test_every_speed_can_be_reached_and_left() -> None:
    speed, seen = changed_speed(None, -1, 450.0), []
    assert speed == 300.0  # the first one that makes a difference
    while speed is not None:
        seen.append(speed)
        speed = changed_speed(speed, 1, 450.0)
    assert seen == list(SPEEDS[SPEEDS.index(300.0) :])
    assert changed_speed(None, 1, 450.0) is None
    assert changed_speed(1.0, -1, 0.9) == changed_speed(None, -1, 0.5) == 1.0


def test_a_replay_goes_through_a_run_and_ends() -> None:
    now = 0.0
    replay = Replay(lambda: now)
    replay.start(100, 1_000, 10.0)
    assert replay.step() == 100
    now = 5.0
    assert replay.step() == 150
    replay.change_speed(1)
    replay.change_speed(1)  # from here on
    assert replay.speed == 100.0
    assert replay.step() == 150
    now = 7.0
    assert replay.step() == 350
    now = 60.0  # under another screen
    replay.wait()
    assert replay.step() == 350
    now = 70.0
    assert replay.step() is None
    assert not replay.on


def test_every_key_makes_a_replay_faster_or_slower() -> None:
    now = 0.0
    replay = Replay(lambda: now)
    replay.start(1, 1_000, None)
    assert replay.speed == pytest.approx(1_000 / WHOLE_RUN)
    speeds = [replay.speed]
    while not speeds[1:] or speeds[-1] != speeds[-2]:
        replay.change_speed(1)
        speeds.append(replay.speed)
    assert speeds[1:-1] == [speed for speed in SPEEDS if speed >= 100.0], "faster than at first, and never slower again"
    while replay.speed > 1.0:
        before = replay.speed
        replay.change_speed(-1)
        assert replay.speed < before
    replay.change_speed(-1)
    assert replay.speed == 1.0


def test_a_slow_run_takes_its_turns_and_answers_requests_at_once() -> None:
    control = Control()
    assert not control.attention
    control.set_pace(1e9)
    assert control.attention
    assert not any(control.wait_for_pace(step) for step in range(100))
    control.set_pace(1e-6)
    assert not control.wait_for_pace(100)
    assert not control.wait_for_pace(100)  # asked twice after the same step
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(control.wait_for_pace(101)))
    waiting.start()
    control.stop()
    waiting.join()
    assert not control.wait_for_pace(101)
    control.set_pace(None)
    assert control.attention  # it is to stop


def test_slow_motion_changes_nothing_but_the_time() -> None:
    """A run that takes a step in a million seconds trains on as soon as it may, and to the same figures."""
    control, tape, slow = Control(), Tape(), threading.Event()
    control.set_pace(1e-6)

    def sink(event: object) -> None:
        if type(event).__name__ == "StepsTrained":
            slow.set()

    trainer = Trainer(short(), control, [tape, sink])
    training = threading.Thread(target=trainer.run)
    training.start()
    assert slow.wait(60)
    assert training.is_alive()
    assert len(tape.losses) <= 2
    control.step()  # while it waits for its turn
    control.set_pace(None)
    control.resume()
    training.join()
    assert tape.ended.status == "finished"
    assert (tape.losses == run(short())[1].losses).all()
