"""Which GPU the status line tells of."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from d2ltui.tui.services.machine import Machine, physical


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
