"""Which GPU the status line tells of."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from d2ltui.history.live import LiveRun
from d2ltui.spec import events
from d2ltui.spec.catalogue import layer_plan
from d2ltui.spec.config import resolve
from d2ltui.tui.services.machine import CROWDED, PATIENCE, Machine, physical


@pytest.mark.parametrize(
    ("device", "visible", "expected"),
    [
        ("cuda:0", None, 0),
        ("cuda:1", None, 1),
        ("cuda", "", 0),
        ("cuda:0", "3", 3),
        ("cuda:1", "3, 5", 5),
        ("cuda:0", "GPU-8932f937-d72c", "GPU-8932f937-d72c"),
    ],
)
def test_the_gpu_that_pytorch_means(device: str, visible: str | None, expected: int | str) -> None:
    assert physical(device, visible) == expected


class Driver:
    """NVML's part that is asked, with a second GPU that does not tell how busy it is."""

    class NVMLError(Exception):
        pass

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> SimpleNamespace:
        if handle == 1:
            raise self.NVMLError
        return SimpleNamespace(gpu=40)

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> SimpleNamespace:
        return SimpleNamespace(used=(handle + 1) * 10**9)


def opened(monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    machine = Machine()
    deadline = time.monotonic() + 30
    while not machine.describe().startswith("cpu") and time.monotonic() < deadline:
        time.sleep(0.01)
    machine._nvml = Driver()
    return machine


def test_the_run_s_gpu_is_told_as_far_as_it_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = opened(monkeypatch)
    machine._measured = 0.0
    assert machine.describe("cpu").endswith("gpu  40 % 1.0 GB")
    assert machine.describe("cuda:1").endswith("gpu 2.0 GB")


def test_without_a_gpu_there_is_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = opened(monkeypatch)
    machine._nvml, machine._measured = None, 0.0
    assert machine.describe("cpu").endswith("gpu –")
    assert machine.describe("cpu").startswith("cpu ")


def test_the_first_look_has_nothing_to_compare_with() -> None:
    machine = Machine()
    deadline = time.monotonic() + 30
    while not (first := machine.describe()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert first.startswith("cpu   – %  mem ")
    machine._measured = 0.0
    sum(range(3_000_000))  # busy
    assert 0 < int(machine.describe().split()[1]) <= 100


def training(given: dict[str, object], device: str = "cpu", threads: int = 2) -> LiveRun:
    config = resolve(given)
    live = LiveRun(config)
    live(events.RunStarted(config, device, layer_plan(config), 100, 10, 1, "memory", threads))
    live(events.StatusChanged("training"))
    return live


def loaded(monkeypatch: pytest.MonkeyPatch, *, cores: int, busy: float, own: float) -> Machine:
    """A machine that is as busy as that, whatever the one is on which the tests run."""
    machine = opened(monkeypatch)
    monkeypatch.setattr("psutil.cpu_percent", lambda: busy)
    monkeypatch.setattr(machine._process, "cpu_percent", lambda: own)
    machine._cores = cores
    machine._others.clear()
    return machine


def look(machine: Machine, times: int = 1) -> None:
    for _ in range(times):
        machine._measured = 0.0
        machine.describe()


MLP: dict[str, object] = {"model": "mlp", "dataset": "digits", "hidden": "256", "batch_size": 256}


@pytest.mark.parametrize(
    ("given", "device", "busy", "own", "threads", "told"),
    [
        (MLP, "cpu", 100.0, 100.0, 2, True),
        (MLP, "cpu", 100.0, 198.0, 2, False),
        (MLP, "cpu", 100.0, 100.0, 1, False),
        (MLP, "cuda:0", 100.0, 100.0, 2, False),
        ({"model": "linear"}, "cpu", 100.0, 100.0, 2, False),
    ],
    ids=["others take one of two cores", "all is ours", "one thread", "not on the processor", "too small to share"],
)
def test_what_to_do_on_a_busy_machine(
    given: dict[str, object],
    device: str,
    busy: float,
    own: float,
    threads: int,
    told: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = loaded(monkeypatch, cores=2, busy=busy, own=own)
    live = training(given, device, threads)
    look(machine)
    assert machine.advice(live) == ""  # a moment may be anything
    look(machine, PATIENCE)
    assert machine.advice(live) == (CROWDED.format(1) if told else "")
    live(events.StatusChanged("paused"))
    assert machine.advice(live) == ""


def test_a_moment_says_nothing_however_many_cores_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = loaded(monkeypatch, cores=64, busy=100.0, own=100.0)
    live = training(MLP, threads=32)
    look(machine, PATIENCE - 1)
    assert machine.advice(live) == ""
    look(machine, 2 * PATIENCE)
    monkeypatch.setattr("psutil.cpu_percent", lambda: 1.6)
    look(machine)
    assert machine.advice(live) == CROWDED.format(1)  # nor does one take back what was said
    look(machine, PATIENCE)
    assert machine.advice(live) == ""


def test_as_many_threads_are_advised_as_there_are_cores_left(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = loaded(monkeypatch, cores=16, busy=100.0, own=1200.0)
    look(machine, PATIENCE)
    assert machine.advice(training(MLP, threads=16)) == CROWDED.format(12)
    assert machine.advice(training(MLP, threads=12)) == ""
