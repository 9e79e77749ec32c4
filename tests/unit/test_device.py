"""Where a run is trained."""

from __future__ import annotations

import pytest
import torch
from runs import run, short

from d2ltui.data import LoadCancelled
from d2ltui.engine import trainer
from d2ltui.engine.device import DeviceError, available, select


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


@pytest.mark.parametrize(("name", "made"), [("cuda:1", ["cuda:1"]), ("cpu", [])])
def test_the_training_thread_s_cuda_device_is_the_run_s(
    monkeypatch: pytest.MonkeyPatch, name: str, made: list[str]
) -> None:
    """Each thread has a current device of its own, the first one until it is told another."""
    current: list[str] = []
    found: list[list[str]] = []

    def check(*_: object) -> None:
        found.append([*current])
        raise LoadCancelled

    monkeypatch.setattr(torch.cuda, "set_device", lambda device: current.append(str(device)))
    monkeypatch.setattr(trainer, "candidates", lambda config: (config.device,))
    monkeypatch.setattr(trainer, "check_fits", check)
    run(short(device=name))
    assert found == [made]
