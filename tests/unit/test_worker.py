"""The background thread: one run at a time, answered at once, joined at the end."""

from __future__ import annotations

import builtins
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import torch
from runs import short

from d2ltui.engine import trainer as trainer_module
from d2ltui.engine.control import Control
from d2ltui.history.live import LiveRun
from d2ltui.nn.network import Network
from d2ltui.runner.recording import RunRecording
from d2ltui.runner.worker import Worker
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig
from d2ltui.store.listing import info
from d2ltui.store.reader import RunReader

PATIENCE = 60.0  # seconds until a test gives up; nothing is measured by it
ENDLESS = {"epochs": 1_000_000}


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.stop()
    assert made.join(PATIENCE)


def wait(condition: Callable[[], bool]) -> None:
    """Until `condition` holds."""
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.002)


def test_a_worker_without_a_run(worker: Worker) -> None:
    assert not worker.busy
    assert worker.live is None
    assert worker.join(0)
    worker.stop()


def test_a_run_to_its_end(worker: Worker) -> None:
    live = worker.start(short())
    assert worker.live is live
    assert worker.join(PATIENCE)
    assert not worker.busy
    assert live.status == "finished"
    assert live.step == 30


def test_pause_step_epoch_resume_and_stop_from_another_thread(worker: Worker) -> None:
    live = worker.start(short(**ENDLESS), mode="pause")
    control = worker.control
    assert control is not None
    wait(lambda: live.status == "paused")
    assert live.step == 0
    assert worker.busy
    control.step()
    wait(lambda: live.status == "paused" and live.step == 1)
    control.epoch()
    wait(lambda: live.status == "paused" and live.step == 10)
    assert len(live.epochs) == 1
    control.set_lr(0.5)
    wait(lambda: live.lr == 0.5)
    assert live.step == 10
    control.resume()
    wait(lambda: live.step > 100)
    worker.stop()
    assert worker.join(PATIENCE)
    assert live.status == "stopped"
    assert live.step == len(live.losses)


def test_two_runs_never_overlap(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    inside: list[int] = []
    most: list[int] = []
    order: list[int] = []
    run = trainer_module.Trainer.run

    def counted(trainer: trainer_module.Trainer) -> object:
        inside.append(1)
        most.append(len(inside))
        order.append(trainer.config.seed)
        try:
            return run(trainer)
        finally:
            inside.pop()

    monkeypatch.setattr(trainer_module.Trainer, "run", counted)
    lives = []
    for seed in range(5):
        lives.append(worker.start(short(seed=seed, **ENDLESS)))
        if seed % 2:
            wait(lambda: lives[-1].step > 0)
    wait(lambda: lives[-1].step > 0)
    assert [live.status for live in lives] == ["stopped"] * 4 + ["training"]
    assert worker.live is lives[-1]
    worker.stop()
    assert worker.join(PATIENCE)
    assert max(most) == 1
    assert order == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("implementation", ["concise", "scratch"])
def test_a_failure_is_kept_and_the_worker_goes_on(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, implementation: str
) -> None:
    def fail(network: Network, x: torch.Tensor) -> torch.Tensor:
        raise ValueError("shapes do not fit")

    with monkeypatch.context() as patch:
        patch.setattr(Network, "__call__", fail)
        live = worker.start(short(implementation=implementation))
        assert worker.join(PATIENCE)
    assert live.status == "failed"
    assert live.ended is not None
    assert live.ended.message == "ValueError: shapes do not fit"
    assert "in fail" in str(live.ended.traceback)
    assert not worker.busy
    again = worker.start(short(implementation=implementation))
    assert worker.join(PATIENCE)
    assert again.status == "finished"


def test_a_broken_pytorch_reaches_the_screen(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def broken(name: str, *args: object, **kwargs: object) -> object:
        if name == "d2ltui.engine.trainer":
            raise OSError("libtorch_cpu.so: cannot open shared object file")
        return real(name, *args, **kwargs)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "__import__", broken)
        live = worker.start(short())
        assert worker.join(PATIENCE)
    assert live.ended is not None
    assert live.ended.message == "PyTorch cannot be used: libtorch_cpu.so: cannot open shared object file"
    assert live.ended.traceback is not None
    assert not worker.busy


def test_whatever_escapes_the_trainer_still_ends_the_run(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def __init__(self, config: RunConfig, control: Control, sinks: list[LiveRun]) -> None:
            raise SystemError("inconceivable")

    with monkeypatch.context() as patch:
        patch.setattr(trainer_module, "Trainer", Broken)
        live = worker.start(short())
        assert worker.join(PATIENCE)
    assert live.status == "failed"
    assert not worker.busy


def test_the_thread_cannot_keep_the_process_alive(worker: Worker) -> None:
    worker.start(short(**ENDLESS))
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "d2ltui-training"]
    assert thread.daemon
    assert not worker.join(0.01)
    assert worker.busy


def test_who_looks_is_known_from_the_first_step(worker: Worker) -> None:
    worker.start(short(), observed=True)
    assert worker.control is not None
    assert worker.control.observed


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A data set that is loaded when the event is set, and no sooner for being asked to stop."""
    loaded = threading.Event()
    load = trainer_module.load

    def slow(*args: object) -> object:
        loaded.wait(PATIENCE)
        return load(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(trainer_module, "load", slow)
    yield loaded
    loaded.set()


def test_what_still_loads_is_stored_as_stopped_by_whoever_waits_no_longer(
    worker: Worker, loads: threading.Event
) -> None:
    worker.start(short(), record=lambda control: RunRecording.new(short(), control))
    recording = worker.recording
    assert recording is not None
    assert recording.store.wait_opened(PATIENCE)
    worker.stop()
    assert not worker.join(4.0)
    path = recording.store.path
    assert path is not None
    assert (info(path).status, info(path).message) == ("stopped", "stopped while loading")
    with RunReader(path) as reader:
        before = list(reader.log())
    loads.set()
    assert worker.join(PATIENCE)
    with RunReader(path) as reader:
        assert list(reader.log()) == before


class SlowStore:
    """A store whose disk takes nothing."""

    def __init__(self) -> None:
        self.told: list[events.Event] = []
        self.waited: list[float] = []
        self.ready = False

    def __call__(self, event: events.Event) -> None:
        self.told.append(event)

    def later(self, job: object) -> None:
        """Never."""

    def close(self, timeout: float = 3.0) -> bool:
        if not self.ready:
            self.waited.append(timeout)
            time.sleep(timeout)
        return self.ready


class SlowRecording:
    """What a worker knows of a recording."""

    resumes, past_probes, past_losses, idle, took = False, (), None, True, 0.0

    def __init__(self) -> None:
        self.live, self.store = LiveRun(short()), SlowStore()

    def keep(self, checkpoint: object) -> None:
        """Never."""

    def close(self) -> bool:
        return self.store.close()


def test_a_slow_disk_is_waited_for_no_longer_than_was_said_and_told_of_one_end(
    worker: Worker, loads: threading.Event
) -> None:
    recording = SlowRecording()
    worker.start(short(), record=lambda control: recording)  # type: ignore[arg-type,return-value]
    worker.stop()
    for timeout in (0.4, 0.4, 0.0):
        recording.store.waited.clear()
        assert not worker.join(timeout)
        assert sum(recording.store.waited) <= timeout
        assert worker.owes_the_store
    recording.store.ready = True
    assert not worker.join(0.0)
    assert not worker.owes_the_store
    loads.set()
    assert worker.join(PATIENCE)
    assert [event for event in recording.store.told if isinstance(event, events.RunEnded)] == recording.store.told[-1:]
