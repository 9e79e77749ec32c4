"""Which GPU the status line tells of."""

from __future__ import annotations

import sys
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

    NVML_ERROR_NOT_FOUND = 6

    class NVMLError(Exception):
        pass

    def __init__(self, *names: str) -> None:
        self.names = names or ("H100", "H100")
        self.known = {"GPU-aaaa": 0, "GPU-bbbb": 1, "MIG-cccc": 0}

    def nvmlDeviceGetCount(self) -> int:
        return len(self.names)

    def nvmlDeviceGetName(self, handle: int) -> str:
        return self.names[handle]

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> int:
        if uuid not in self.known:
            raise self.NVMLError
        return self.known[uuid]

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
    machine.open()
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


class Cuda:
    """PyTorch's part that is asked: its first GPU is the one that NVML calls the second."""

    uuids = ("bbbb", "aaaa", "cccc", "dddd")

    def __init__(self, initialized: bool) -> None:
        self.is_initialized = lambda: initialized

    def current_device(self) -> int:
        return 0

    def device_count(self) -> int:
        return len(self.uuids)

    def get_device_properties(self, index: int) -> SimpleNamespace:
        return SimpleNamespace(uuid=self.uuids[index])


@pytest.mark.parametrize(
    ("device", "expected"), [("cuda:0", "2.0 GB"), ("cuda", "2.0 GB"), ("cuda:1", "1.0 GB"), ("cuda:2", "1.0 GB")]
)
def test_pytorch_and_the_driver_may_count_the_gpus_otherwise(
    monkeypatch: pytest.MonkeyPatch, device: str, expected: str
) -> None:
    machine = opened(monkeypatch)
    machine._nvml = Driver("GTX 1050", "RTX 4090")
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=Cuda(True)))
    assert machine._gpu_text(device).endswith(expected)


def test_a_gpu_that_cannot_be_told_is_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = opened(monkeypatch)
    machine._nvml = Driver("GTX 1050", "RTX 4090")
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=Cuda(False)))
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    assert machine._gpu_text("cuda:0") == "–"
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=Cuda(True)))  # its run has begun
    assert machine._gpu_text("cuda:0") == "2.0 GB"
    assert machine._gpu_text("cuda:3") == "–"  # the driver knows none of this name
    assert machine._gpu_text("cuda:9") == "–"


@pytest.mark.parametrize("order", ["PCI_BUS_ID", "FASTEST_FIRST"])
def test_where_cuda_counts_by_address_the_number_is_the_drivers(monkeypatch: pytest.MonkeyPatch, order: str) -> None:
    machine = opened(monkeypatch)
    machine._nvml = Driver("GTX 1050", "RTX 4090")
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=Cuda(False)))
    monkeypatch.setenv("CUDA_DEVICE_ORDER", order)
    assert machine._gpu_text("cuda:1") == ("2.0 GB" if order == "PCI_BUS_ID" else "–")


def test_without_a_gpu_there_is_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = opened(monkeypatch)
    machine._nvml, machine._measured = None, 0.0
    assert machine.describe("cpu").endswith("gpu –")
    assert machine.describe("cpu").startswith("cpu ")


def test_the_first_look_has_nothing_to_compare_with() -> None:
    machine = Machine()
    machine.open()
    deadline = time.monotonic() + 30
    while not (first := machine.describe()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert first.startswith("cpu   – %  mem ")
    machine._measured = 0.0
    sum(range(3_000_000))  # busy
    assert 0 < int(machine.describe().split()[1]) <= 100
