"""What Control answers, and that the trainer obeys within the step in which it was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from runs import Tape, during_step, run, short

from d2ltui.diagnosis.probes import Prober
from d2ltui.engine.control import Control
from d2ltui.nn import get_lr
from d2ltui.spec import events
from d2ltui.spec.config import resolve


class WhenPaused:
    """A sink that answers each pause with the next of `answers`."""

    def __init__(self, *answers: Callable[[], object]) -> None:
        self._answers = list(answers)

    def __call__(self, event: events.Event) -> None:
        if isinstance(event, events.StatusChanged) and event.status == "paused":
            self._answers.pop(0)()


def paused_after(tape: Tape) -> list[int]:
    """The step numbers at which the run paused."""
    steps, step = [], 0
    for event in tape.events:
        if isinstance(event, events.StepsTrained):
            step = event.step
        elif isinstance(event, events.StatusChanged) and event.status == "paused":
            steps.append(step)
    return steps


def test_who_begins_to_look_during_the_look_at_a_pause_gets_one_of_their_own() -> None:
    control, paused, looks = Control("pause"), [], []

    def begin_to_look(event: events.Event) -> None:
        if isinstance(event, events.StatusChanged) and event.status == "paused":
            paused.append(event)
        elif paused and isinstance(event, events.LayersProbed):
            looks.append([layer.unit_activity is not None for layer in event.layers])
            control.observe(True)
            if len(looks) == 2:
                control.stop()

    patience = threading.Timer(20.0, control.stop)
    patience.start()
    run(resolve({"dataset": "moons", "hidden": "8", "device": "cpu"}), control, begin_to_look)
    assert patience.is_alive(), "never looked at while it is paused"
    patience.cancel()
    assert looks[:2] == [[False, False, False], [False, True, False]], "the ReLU has units to look at"


@pytest.mark.parametrize("step", [1, 7, 10, 11, 29])
def test_pause_comes_after_the_step_in_which_it_was_asked(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    control = Control()
    made = during_step(monkeypatch, {step: control.pause})
    seen: list[int] = []
    _, tape = run(short(), control, WhenPaused(lambda: (seen.append(len(made)), control.resume())))
    assert seen == [step]
    assert paused_after(tape) == [step]
    assert tape.statuses == ["loading", "training", "paused", "training", "finished"]
    assert tape.ended.summary["steps"] == 30


def test_a_pause_is_told_before_anything_else_is_done_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks that are due take the processor from the frame that says so, or come before it."""
    monkeypatch.setattr(Prober, "due", lambda *_: True)
    control = Control()
    control.observe(True)
    during_step(monkeypatch, {12: control.pause, 13: control.pause})
    answers = WhenPaused(control.step, control.stop)
    _, tape = run(resolve({"dataset": "moons", "hidden": "8", "device": "cpu"}), control, answers)
    told = tape.events
    pauses = [at for at, event in enumerate(told) if isinstance(event, events.StatusChanged) and event.step is not None]
    assert len(pauses) == 2
    for at, step in zip(pauses, (12, 13), strict=True):
        since = [event for event in told[:at] if isinstance(event, events.LayersProbed) and event.step == step]
        assert since == []


def test_pause_during_the_last_step_comes_before_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    control = Control()
    during_step(monkeypatch, {30: control.pause})
    _, tape = run(short(), control, WhenPaused(control.resume))
    assert tape.statuses == ["loading", "training", "paused", "training", "finished"]
    assert len(tape.of(events.EpochEnded)) == 3


@pytest.mark.parametrize("step", [1, 9, 10, 11, 30])
def test_stop_comes_after_the_step_in_which_it_was_asked(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    control = Control()
    made = during_step(monkeypatch, {step: control.stop})
    _, tape = run(short(), control)
    assert len(made) == step
    assert tape.ended.status == "stopped"
    assert tape.ended.summary["steps"] == step == len(tape.losses)
    assert tape.ended.message == f"stopped after step {step:,}"


def test_one_step_at_a_time() -> None:
    control = Control("step")
    _, tape = run(short(), control, WhenPaused(control.step, control.step, control.resume))
    assert paused_after(tape) == [1, 2, 3]
    assert tape.ended.status == "finished"


def test_steps_lead_over_the_end_of_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    control = Control()
    during_step(monkeypatch, {9: control.pause})
    _, tape = run(short(), control, WhenPaused(control.step, control.step, control.stop))
    assert paused_after(tape) == [9, 10, 11]
    assert len(tape.of(events.EpochEnded)) == 1


def test_every_step_of_a_run_alone() -> None:
    control = Control("step")
    _, tape = run(short(epochs=2), control, WhenPaused(*[control.step] * 20))
    assert paused_after(tape) == list(range(1, 21))
    assert tape.ended.status == "finished"


def test_a_step_while_it_trains_is_the_present_one(monkeypatch: pytest.MonkeyPatch) -> None:
    control = Control()
    during_step(monkeypatch, {5: control.step})
    _, tape = run(short(), control, WhenPaused(control.resume))
    assert paused_after(tape) == [5]


def test_one_epoch_at_a_time() -> None:
    control = Control("epoch")
    _, tape = run(short(), control, WhenPaused(control.epoch, control.epoch))
    assert paused_after(tape) == [10, 20]
    assert tape.ended.status == "finished"  # the third epoch is the last: nothing is left to pause before
    assert [e.step for e in tape.of(events.EpochEnded)] == [10, 20, 30]


def test_an_epoch_asked_in_the_middle_ends_with_its_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    control = Control()
    during_step(monkeypatch, {3: control.pause})
    _, tape = run(short(), control, WhenPaused(control.epoch, control.stop))
    assert paused_after(tape) == [3, 10]
    assert len(tape.of(events.EpochEnded)) == 1
    assert tape.ended.summary["epochs"] == 1


@pytest.mark.parametrize("last", ["pause", "resume", "step", "epoch"])
def test_the_last_request_within_a_step_counts(monkeypatch: pytest.MonkeyPatch, last: str) -> None:
    control = Control()

    def ask() -> None:
        for name in ("pause", "step", "epoch", "resume", last):
            getattr(control, name)()

    during_step(monkeypatch, {4: ask})
    _, tape = run(short(), control, WhenPaused(control.resume))
    assert paused_after(tape) == {"pause": [4], "resume": [], "step": [4], "epoch": [10]}[last]


@pytest.mark.parametrize("implementation", ["concise", "scratch"])
def test_the_learning_rate_changes_with_the_next_step(monkeypatch: pytest.MonkeyPatch, implementation: str) -> None:
    changed, plain = Control(), Control()
    # A rate of nearly nothing: from the step after the fifth, the weights stay as they are.
    during_step(monkeypatch, {5: lambda: changed.set_lr(1e-30)})
    trainer, tape = run(short(implementation=implementation), changed)
    (change,) = tape.of(events.LearningRateChanged)
    assert (change.step, change.lr) == (5, 1e-30)
    assert get_lr(trainer.parts.optimizer) == 1e-30
    monkeypatch.undo()
    during_step(monkeypatch, {5: plain.stop})
    stopped, _ = run(short(implementation=implementation), plain)
    for name, value in stopped.network.state().items():
        assert value.equal(trainer.network.state()[name])


def test_the_learning_rate_changes_while_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    control = Control("step")
    _, tape = run(
        short(),
        control,
        WhenPaused(lambda: (control.set_lr(0.5), control.set_lr(0.25)), control.stop),
        Resumer(control),
    )
    assert [(e.step, e.lr) for e in tape.of(events.LearningRateChanged)] == [(1, 0.25)]


class Resumer:
    """A sink that asks for another step when the learning rate has changed."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def __call__(self, event: events.Event) -> None:
        if isinstance(event, events.LearningRateChanged):
            self._control.step()


def test_stop_while_paused() -> None:
    control = Control("pause")
    _, tape = run(short(), control, WhenPaused(control.stop))
    assert tape.statuses == ["loading", "training", "paused", "stopped"]
    assert tape.ended.summary["steps"] == 0


def test_stop_while_paused_from_another_thread() -> None:
    control = Control("pause")
    _, tape = run(short(), control, WhenPaused(lambda: threading.Timer(0.02, control.stop).start()))
    assert tape.ended.status == "stopped"


def test_stop_before_anything() -> None:
    control = Control()
    control.stop()
    _, tape = run(short(), control)
    assert tape.statuses == ["loading", "stopped"]
    assert not tape.of(events.RunStarted)


def test_stop_while_loading() -> None:
    control = Control()

    def stop(event: events.Event) -> None:
        if isinstance(event, events.Loading):
            control.stop()

    _, tape = run(short(), control, stop)
    assert tape.statuses == ["loading", "stopped"]
    assert tape.ended.summary["train_loss"] is None


def test_stop_while_evaluating(monkeypatch: pytest.MonkeyPatch) -> None:
    from d2ltui.engine import evaluation as module

    control = Control()
    # Parts of one sample, so that the request arrives between two of a thousand.
    monkeypatch.setattr(module, "VALUES_CPU", 256)
    parts: list[int] = []
    score = module.scores

    def counted(*args: object) -> object:
        parts.append(1)
        if len(parts) == 3:
            control.stop()
        return score(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "scores", counted)
    _, tape = run(short(), control)
    assert len(parts) == 3
    assert tape.ended.status == "stopped"
    assert tape.ended.summary["steps"] == 10
    assert tape.ended.summary["epochs"] == 0


def test_attention_is_there_only_while_something_is_asked() -> None:
    control = Control()
    assert not control.attention
    for ask, expected in (
        (control.pause, True),
        (control.resume, False),
        (control.step, True),
        (control.epoch, False),
        (lambda: control.set_lr(0.1), True),
        (control.take_lr, False),
        (lambda: control.observe(True), False),
        (control.stop, True),
        (control.resume, True),
    ):
        ask()
        assert control.attention is expected


def test_each_request_for_a_step_is_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    control = Control("pause")

    def ask() -> None:
        for _ in range(5):
            control.step()

    _, tape = run(short(), control, WhenPaused(ask, control.stop))
    assert paused_after(tape) == [0, 5]


def test_a_rest_ends_when_the_answer_is_there_or_its_time_is_over_and_is_followed_by_work() -> None:
    control = Control()
    control.rest(60.0)
    assert (control.resting, control.attention) == (True, True)
    answered = threading.Timer(0.05, control.end_rest)
    answered.start()
    assert control.wait_while_resting() >= 0.04
    answered.join()
    assert (control.resting, control.attention) == (False, False)
    control.rest(60.0)
    assert not control.resting, "as long as it has rested it trains first"
    other = Control()
    other.rest(0.01)
    other.wait_while_resting()
    assert not other.resting, "nobody has said that the answer is there, and it trains all the same"


def test_neither_a_stop_nor_a_pause_waits_for_a_rest() -> None:
    control = Control()
    control.rest(60.0)
    control.stop()
    control.wait_while_resting()
    assert control.stopping
    paused = Control("pause")
    paused.rest(60.0)
    assert not paused.resting


def test_a_run_that_rests_now_and_then_is_the_same_run() -> None:
    config = short()
    rested = 0
    control = Control()

    def rest(event: events.Event) -> None:
        nonlocal rested
        if isinstance(event, events.StepsTrained):
            control.rest(0.002)
            rested += control.resting

    tapes = Tape(), Tape()
    run(config, control, tapes[0], rest)
    run(config, Control(), tapes[1])
    assert rested > 0
    ends = [[e for e in tape.events if isinstance(e, events.EpochEnded)] for tape in tapes]
    assert [(e.val_loss, e.train_loss) for e in ends[0]] == [(e.val_loss, e.train_loss) for e in ends[1]]


def test_a_pause_and_a_step_that_come_during_a_rest_train_one_step_more(monkeypatch: pytest.MonkeyPatch) -> None:
    control = Control()
    during_step(monkeypatch, {7: lambda: control.rest(60.0)})
    wait = control.wait_while_resting

    def with_keys() -> float:
        control.pause()
        control.step()
        control.end_rest()
        return wait()

    monkeypatch.setattr(control, "wait_while_resting", with_keys)
    _, tape = run(short(), control, WhenPaused(control.resume))
    assert paused_after(tape) == [8]
    assert tape.ended.status == "finished"
