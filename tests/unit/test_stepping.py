"""Captured steps train what steps trained one by one do, to the bit: with a stand-in for a GPU's graphs."""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Callable

import msgspec
import numpy as np
import pytest
import torch
from graph_stand_in import StandIn
from runs import Tape, run, samples, short
from torch import Tensor

from d2ltui.data import Dataset
from d2ltui.engine import graphs, launches
from d2ltui.engine import trainer as trainer_module
from d2ltui.engine.checkpoint import Checkpoint
from d2ltui.engine.control import Control
from d2ltui.engine.graphs import CannotCaptureError, NothingWaits, graphs_of
from d2ltui.engine.trainer import Trainer
from d2ltui.nn import functional
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.spec.optimizers import OPTIMIZERS
from tests.selection import long_unless

CPU = torch.device("cpu")


class Shelf:
    """A keeper that keeps."""

    idle, took = True, 0.0

    def __init__(self) -> None:
        self.kept: list[Checkpoint] = []

    def keep(self, checkpoint: Checkpoint) -> None:
        self.kept.append(checkpoint)


OF_MODEL: dict[str, dict[str, object]] = {
    "linear": {"dataset": "synthetic-linear", "lr": 0.03},
    "softmax": {"dataset": "digits", "lr": 0.01},
    "mlp": {"dataset": "digits", "hidden": "16,8", "dropout": 0.3, "lr": 0.01},
    "lenet": {"dataset": "fashion-mnist", "lr": 0.01},
}
EXTRAS: dict[str, object] = {"weight_decay": 0.01, "clip_norm": 0.5, "schedule": "cosine"}


class Refuses(StandIn):
    """A device on which nothing can be recorded: the same optimiser takes the same steps one by one."""

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        raise RuntimeError("operation not permitted\nwhen stream is capturing")


def data_for(config: RunConfig, n: int) -> Dataset:
    x, y = samples(config, n, torch.float32)
    return Dataset(config.dataset_info, x, y, x[: n // 2], y[: n // 2])


def trained(
    config: RunConfig, graphs: StandIn | None, n: int = 70, new_lr: float | None = None
) -> tuple[Trainer, Tape]:
    """With `new_lr`, the first 6 steps one by one, and from then on with that rate."""
    control = Control("step" if new_lr is not None else "run")

    def ask(event: events.Event) -> None:
        if isinstance(event, events.StatusChanged) and event.status == "paused" and new_lr is not None:
            if (event.step or 0) < 6:
                control.step()
            else:
                control.set_lr(new_lr)
                control.resume()

    return run(config, control, ask, dataset=data_for(config, n), graphs=lambda device: graphs)


def told(tape: Tape) -> list[object]:
    """What was told, but the clock, and in which blocks steps came."""
    epochs = [msgspec.structs.replace(event, seconds=0.0) for event in tape.of(events.EpochEnded)]
    return [*epochs, *tape.of(events.FindingsChanged), *tape.of(events.LearningRateChanged), tape.ended.message]


def assert_same(one: tuple[Trainer, Tape], other: tuple[Trainer, Tape]) -> None:
    (a, a_tape), (b, b_tape) = one, other
    assert a_tape.ended.status == b_tape.ended.status == "finished", (a_tape.ended, b_tape.ended)
    assert np.array_equal(a_tape.losses, b_tape.losses)
    assert np.array_equal(a_tape.metrics, b_tape.metrics)
    for name, value in a.network.state().items():
        assert value.equal(b.network.state()[name]), name


def largest_difference(one: Trainer, other: Trainer) -> float:
    """Between two parameters, by the largest of that tensor."""
    mine, theirs = one.network.state(), other.network.state()
    return max(float((mine[name] - theirs[name]).abs().max() / theirs[name].abs().max()) for name in mine)


CASES = [
    (model, implementation, optimizer, extras)
    for model in OF_MODEL
    for implementation in ("concise", "scratch")
    for optimizer in (OPTIMIZERS if model == "mlp" else ("sgd", "adam"))
    if implementation == "concise" or OPTIMIZERS[optimizer].from_scratch
    for extras in ((False, True) if model == "mlp" and optimizer in ("sgd", "adam") else (True,))
    if model != "lenet" or (implementation, optimizer) != ("concise", "sgd")
]

# Each model but LeNet, whose steps take long; both implementations, with and without extras, and a state of its own.
EACH_TIME = (
    ("linear", "scratch", "sgd", True),
    ("softmax", "concise", "adam", True),
    ("mlp", "concise", "sgd", False),
    ("mlp", "scratch", "sgd", True),
)


@pytest.mark.parametrize(("model", "implementation", "optimizer", "extras"), long_unless(EACH_TIME.__contains__, CASES))
def test_a_hundred_captured_steps_are_those_taken_one_by_one(
    model: str, implementation: str, optimizer: str, extras: bool
) -> None:
    # 20 epochs of 5 steps, the last of which has 6 samples; LeNet, whose steps take long, 3 epochs of 5 smaller ones.
    n, batch_size, epochs = (18, 4, 3) if model == "lenet" else (70, 16, 20)
    given = {"implementation": implementation, "optimizer": optimizer, "batch_size": batch_size, "epochs": epochs}
    config = resolve({"model": model, "device": "cpu", **OF_MODEL[model], **given, **(EXTRAS if extras else {})})
    stand_in, lr = StandIn(), 0.004 if extras else None
    captured = trained(config, stand_in, n, new_lr=lr)
    assert stand_in.captures >= 2
    assert stand_in.launches > 0
    assert not captured[1].of(events.Noted)
    plain = trained(config, Refuses(), n, new_lr=lr)
    assert_same(captured, plain)
    assert told(captured[1]) == told(plain[1])
    # What a CPU takes otherwise computes the same in another order, or with a rate of double precision.
    usual = trained(config, None, n, new_lr=lr)
    if implementation == "scratch":
        assert_same(captured, usual)
    else:
        assert largest_difference(captured[0], usual[0]) < 2e-4
    assert usual[1].losses == pytest.approx(captured[1].losses, rel=2e-3, abs=1e-5)


def test_steps_are_launched_several_at_a_time_and_the_queue_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launches, "LAUNCH", 10.0)
    stand_in = StandIn()
    config = short(batch_size=32, epochs=3)  # 1,000 samples: 31 steps and one of 8 samples
    one = run(config, graphs=lambda device: stand_in)
    assert_same(one, run(config, graphs=lambda device: Refuses()))
    assert stand_in.captures == 3
    most = 3 * (3 + 7 + 1) + 1 + launches.TIMED + 3 + 8  # 3 × 8 steps, 7 single ones, the last; some samples in between
    assert stand_in.launches < most + 3 * 8
    assert stand_in.waits > 3 * (3 + 7 + 1) - 10  # each launch but the last two has been waited for


def test_what_is_asked_for_is_answered_between_two_launches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause, single steps and a stop, and never more than a launch later."""
    monkeypatch.setattr(launches, "LAUNCH", 10.0)
    control, paused = Control(), []
    stand_in = StandIn()
    mark = stand_in.mark

    def asked_while_launching() -> Callable[[], None]:
        if len(paused) == 0 and stand_in.launches > launches.TIMED + 7:
            control.pause()
        return mark()

    stand_in.mark = asked_while_launching  # type: ignore[method-assign]

    def ask(event: events.Event) -> None:
        if isinstance(event, events.StatusChanged) and event.status == "paused":
            paused.append(event.step)
            control.stop() if len(paused) == 4 else control.step()

    config = short(batch_size=10, epochs=9)
    trainer, tape = run(config, control, ask, graphs=lambda device: stand_in)
    first = paused[0]
    assert paused == [first, first + 1, first + 2, first + 3]
    assert tape.ended.status == "stopped"
    assert trainer.progress.step == first + 3 == len(tape.losses)


def test_a_step_is_measured_that_was_taken_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launches, "LAUNCH", 10.0)
    monkeypatch.setattr(trainer_module, "PUBLISH_EVERY", 1e-4)
    monkeypatch.setattr("d2ltui.diagnosis.probes.Prober.due", lambda *_: True)
    _, tape = run(short(batch_size=10, epochs=2), None, graphs=lambda device: StandIn())
    assert any(probed.layers[0].update_ratio is not None for probed in tape.of(events.LayersProbed)[2:-1])


@pytest.mark.parametrize("optimizer", long_unless("adam".__eq__, ["sgd", "momentum", "adagrad", "rmsprop", "adam"]))
def test_a_resumed_run_goes_on_with_the_same_bits(optimizer: str) -> None:
    config = resolve(
        {"model": "mlp", "device": "cpu", **OF_MODEL["mlp"], "optimizer": optimizer, "batch_size": 16, "epochs": 4}
    )
    data, shelf = data_for(config, 70), Shelf()
    whole = run(config, dataset=data, graphs=lambda device: StandIn())
    control = Control("step")

    def ask(event: events.Event) -> None:
        if isinstance(event, events.StatusChanged) and event.status == "paused":
            control.stop() if event.step == 8 else control.step()

    run(config, control, ask, dataset=data, graphs=lambda device: StandIn(), keeper=shelf)
    kept = shelf.kept[-1]
    assert kept.step == 8
    # A CPU reads it, too: rates and flags in it are not the device's.
    groups = kept.optimizer["param_groups"]
    assert all(isinstance(group["lr"], float) for group in groups)
    stand_in = StandIn()
    resumed, tape = run(config, dataset=data, resume=lambda: copy.deepcopy(kept), graphs=lambda device: stand_in)
    assert stand_in.launches > 0
    assert np.array_equal(whole[1].losses[8:], tape.losses)
    for name, value in whole[0].network.state().items():
        assert value.equal(resumed.network.state()[name]), name
    elsewhere, usual = run(config, dataset=data, resume=lambda: copy.deepcopy(kept))
    assert usual.ended.status == "finished"
    assert largest_difference(elsewhere, whole[0]) < 1e-4


# What cannot be captured


def test_a_step_that_waits_is_trained_as_ever_and_that_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"implementation": "scratch", "batch_size": 16, "epochs": 3}
    config = resolve({"model": "mlp", "device": "cpu", **OF_MODEL["mlp"], **given})
    monkeypatch.setattr("d2ltui.nn.functional.relu", _waits())
    stand_in = StandIn()
    one = trained(config, stand_in)
    assert stand_in.captures == 0
    (note,) = one[1].of(events.Noted)
    assert "waits for a value that the device computes (item)" in note.sentence
    assert "\n" not in note.sentence
    assert_same(one, trained(config, None))


def _waits() -> Callable[[Tensor], Tensor]:
    """An activation that asks for a number at each step."""
    relu = functional.relu
    return lambda x: relu(x) if float(x.detach().max()) > -1e9 else x


def test_a_capture_that_fails_is_told_in_one_line() -> None:
    _, tape = trained(short(epochs=2), Refuses())
    (note,) = tape.of(events.Noted)
    assert note.sentence.endswith("slower than a graph of the step: RuntimeError: operation not permitted")


class Frozen(StandIn):
    """A device whose graphs keep what they should read anew: the samples of the time when they were recorded."""

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        gather = torch.Tensor.index_select

        def once(source: Tensor, dim: int, index: Tensor) -> Tensor:
            return gather(source, dim, torch.from_numpy(index.numpy().copy()))  # which no operation is recorded of

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch.Tensor, "index_select", once)
            return super().capture(work)


def test_graphs_that_compute_something_else_are_not_relied_on() -> None:
    config = short(epochs=2)
    one = run(config, graphs=lambda device: Frozen())
    (note,) = one[1].of(events.Noted)
    assert note.sentence.endswith("slower than a graph of the step: as a graph, a step computed something else")
    assert_same(one, run(config, graphs=lambda device: Refuses()))


def test_nothing_waits() -> None:
    x = torch.arange(4.0, requires_grad=True)
    for waiting in (x.sum().item, lambda: bool(x.sum() > 0), lambda: x.nonzero(), lambda: x[x > 1]):
        with NothingWaits(), pytest.raises(CannotCaptureError):
            waiting()
    with NothingWaits():
        (x * 2).sum().backward()
    assert x.grad is not None


def test_the_stand_in_is_as_strict_as_a_graph() -> None:
    stand_in, place, rate = StandIn(), torch.ones(2), {"lr": 1.0}

    def work() -> None:
        place.add_(place * 2, alpha=rate["lr"])

    launch = stand_in.capture(work)
    assert place.tolist() == [1, 1]  # recording computes nothing
    rate["lr"] = 100.0  # a number is what it was
    launch()
    launch()
    assert place.tolist() == [9, 9]
    with pytest.raises(RuntimeError, match="capturing"):
        stand_in.capture(lambda: print(place.sum().item()))


def test_graphs_are_let_go_with_the_run() -> None:
    """At once: what waits for the collector may wait for ever, and a GPU's memory with it."""
    gc.disable()
    try:
        trainer, _ = run(short(epochs=2), graphs=lambda device: StandIn())
        captured = weakref.ref(trainer._steps._captured)
        assert captured() is not None
        trainer._steps._captured = None
        assert captured() is None
    finally:
        gc.enable()


def test_a_cpu_has_no_graphs() -> None:
    assert graphs_of(CPU) is None
    trainer, _ = run(short(epochs=1))
    assert not trainer._steps.captured


def test_the_place_of_a_launch_is_soon_free_again() -> None:
    """A stop is answered at once, however much there is to train."""
    control = Control()
    began: list[float] = []

    def ask(event: events.Event) -> None:
        if isinstance(event, events.StepsTrained) and not began:
            began.append(event.step)
            control.stop()

    trainer, _ = run(short(batch_size=1, epochs=50), control, ask, graphs=lambda device: StandIn())
    assert trainer.progress.step <= began[0] + launches.MOST


def test_steps_are_recorded_where_the_device_has_graphs_and_nobody_minds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "CudaGraphs", lambda device: f"graphs of {device}")
    monkeypatch.delenv(graphs.SWITCH, raising=False)
    assert graphs.graphs_of(torch.device("cuda:0")) == "graphs of cuda:0"
    for value, found in (("on", "graphs of cuda:0"), ("OFF", None), ("off", None), ("", "graphs of cuda:0")):
        monkeypatch.setenv(graphs.SWITCH, value)
        assert graphs.graphs_of(torch.device("cuda:0")) == found
        assert graphs.graphs_of(torch.device("cpu")) is None
