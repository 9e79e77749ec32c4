"""Where, and with how many threads, a run is trained."""

from __future__ import annotations

import pytest
import torch

from d2ltui.catalogue import layer_plan
from d2ltui.config import resolve
from d2ltui.engine import device
from d2ltui.engine.device import DeviceError, available, select, set_threads


@pytest.fixture(autouse=True)
def threads_as_before(monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setattr(device, "_ALL_THREADS", 2)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("given", "threads"),
    [
        ({"model": "linear"}, 1),
        ({"model": "mlp", "dataset": "digits"}, 1),
        ({"model": "mlp", "dataset": "spirals"}, 1),
        ({"model": "mlp", "dataset": "fashion-mnist"}, 2),
    ],
)
def test_a_small_step_is_one_threads_work(given: dict[str, object], threads: int) -> None:
    config = resolve(given)
    assert set_threads(torch.device("cpu"), layer_plan(config), config.batch_size) == threads
    assert torch.get_num_threads() == threads


def test_auto_is_the_best_there_is_and_the_cpu_is_always_there() -> None:
    assert str(select("auto")) == available()[0]
    assert select("cpu") == torch.device("cpu")
    assert available()[-1] == "cpu"


@pytest.mark.parametrize("name", ["cuda:99", "mps"])
def test_a_device_that_is_not_there_is_named_with_those_that_are(name: str) -> None:
    if name in available():
        pytest.skip(f"this machine has {name}")
    with pytest.raises(DeviceError, match=f"device: '{name}' is not available.*allowed here: auto,.*cpu"):
        select(name)
