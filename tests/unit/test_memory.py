"""Whether a run fits is known before anything of it is built."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from d2ltui.engine import trainer as trainer_module
from d2ltui.engine.control import Control
from d2ltui.engine.device import check_fits
from d2ltui.engine.trainer import Trainer
from d2ltui.nn import build, make_optimizer
from d2ltui.spec import memory
from d2ltui.spec.config import resolve
from d2ltui.spec.optimizers import OPTIMIZERS
from d2ltui.spec.parsing import ConfigError
from d2ltui.tui.form_state import FormState


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with 1 GB left."""
    monkeypatch.setattr(memory, "free_memory", lambda: 10**9)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_what_is_counted_is_what_is_there(optimizer: str) -> None:
    config = resolve({"hidden": "40,30", "optimizer": optimizer, "batch_size": 16, "device": "cpu"})
    network = build(config)
    parameters = sum(tensor.nbytes for tensor in network.parameters())
    assert memory.weights(config) == parameters
    step = make_optimizer(config, network)
    network.loss(network(torch.rand(16, 64)), torch.zeros(16, dtype=torch.int64)).backward()
    step.step()
    gradients = sum(tensor.grad.nbytes for tensor in network.parameters() if tensor.grad is not None)
    states = step.state_dict()["state"].values() if hasattr(step, "state_dict") else []
    kept = sum(t.nbytes for state in states for t in state.values() if isinstance(t, torch.Tensor) and t.numel() > 1)
    outputs = 2 * 4 * 16 * (40 + 30 + 10)
    assert memory.needed(config, checkpoint=False) == pytest.approx(parameters + gradients + kept + outputs, rel=0.01)
    assert memory.needed(config) > memory.needed(config, checkpoint=False) + parameters - 1


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"hidden": "65536,65536"}, "hidden", "'65536,65536' is not allowed (training takes at least 51."),
        ({"hidden": ",".join(["65536"] * 200)}, "hidden", "10,2"),
        ({"hidden": "30000", "dataset": "fashion-mnist", "batch_size": 60000}, "batch_size", "'60000' is not allowed"),
    ],
)
def test_a_run_that_does_not_fit(little: None, given: dict[str, object], field: str, said: str) -> None:
    config = resolve({"device": "cpu", **given})
    with pytest.raises(ConfigError) as caught:
        memory.check_memory(config)
    (problem,) = caught.value.problems
    assert problem.field == field
    assert said in problem.message
    assert problem.message.endswith("GB of memory, and 1.0 GB are free); allowed: what fits, so try fewer")


def test_data_that_does_not_fit(little: None) -> None:
    config = resolve({"dataset": "svhn", "device": "cpu"})
    assert memory.data(config) == 4 * 3 * 32 * 32 * (73257 + 26032)
    with pytest.raises(ConfigError) as caught:
        memory.check_memory(config)
    (problem,) = caught.value.problems
    assert (problem.field, problem.message) == (
        "dataset",
        "dataset: 'svhn' is not allowed (with it, training takes at least 1.2 GB of memory, and 1.0 GB are free); "
        "allowed: what fits, so try a smaller one",
    )
    memory.check_memory(config, loaded=True)
    memory.check_memory(resolve({"dataset": "cifar10", "device": "cpu"}))


def test_what_fits_is_not_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: pytest.fail("asked"))
    memory.check_memory(resolve({}))
    memory.check_memory(resolve({"hidden": "1024,1024"}))


def test_the_form_says_so_beside_the_field(little: None) -> None:
    form = FormState(resolve({"device": "cpu"}))
    form.set("hidden", "65536,65536")
    assert "training takes at least" in form.problems()["hidden"]
    form.set("hidden", "256")
    assert form.problems() == {}


def test_the_shell_says_so_and_builds_nothing(
    little: None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from d2ltui.cli.app import main

    for before in (("train",), (), ("sweep", "--lr", "0.1,0.2"), ("train", "--seeds", "2")):
        monkeypatch.setattr(sys, "argv", ["d2ltui", *before, "--hidden", "65536,65536", "--device", "cpu"])
        with pytest.raises(SystemExit) as stop:
            main()
        out, err = capfd.readouterr()
        assert (stop.value.code, out, err.count("\n")) == (2, "", 1)
        assert err.startswith("d2ltui: hidden: '65536,65536' is not allowed (training takes at least ")


def test_a_run_that_comes_another_way_fails_before_it_is_built(little: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer_module, "build", lambda *given, **more: pytest.fail("built"))
    ended = Trainer(resolve({"hidden": "65536,65536", "device": "cpu"}), Control(), []).run()
    assert (ended.status, ended.field) == ("failed", "hidden")
    assert ended.message.startswith("hidden: '65536,65536' is not allowed (training takes at least ")
    assert json.dumps(ended.summary)


def test_a_gpu_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    config = resolve({"hidden": "16384,16384", "device": "cuda"})
    free = memory.needed(config, checkpoint=False)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free - 1000, 10**12))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 5000)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 4000)
    monkeypatch.setattr(memory, "free_memory", lambda: 2 * memory.weights(config))
    check_fits(config, torch.device("cuda:0"))  # with what PyTorch keeps and does not use
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 4001)
    with pytest.raises(ConfigError, match=r"^hidden: '16384,16384' .* of the memory of cuda:0, and 2\.2 GB are free\)"):
        check_fits(config, torch.device("cuda:0"))
    monkeypatch.setattr(memory, "free_memory", lambda: 2 * memory.weights(config) - 1)
    with pytest.raises(ConfigError, match=r"^hidden: .* of memory, and "):
        check_fits(config, torch.device("cuda:0"))


def test_a_control_group_has_its_say(tmp_path: Path) -> None:
    root, own = tmp_path / "cgroup", tmp_path / "own"
    assert memory._control_groups(root, own) == []
    for group, most in (("", None), ("job", "5000"), ("job/step", "max")):
        (root / group).mkdir(parents=True, exist_ok=True)
        if most is not None:
            (root / group / "memory.max").write_text(f"{most}\n")
            (root / group / "memory.current").write_text("4000\n")
            (root / group / "memory.stat").write_text("anon 10\ninactive_file 700\n")
    own.write_text("1:name=systemd:/x\n0::/job/step\n")
    assert memory._control_groups(root, own) == [5000 - 4000 + 700]
    old = root / "memory"
    old.mkdir()
    (old / "memory.limit_in_bytes").write_text("900\n")
    (old / "memory.usage_in_bytes").write_text("800\n")
    (old / "memory.stat").write_text("total_inactive_file 50\n")
    own.write_text("4:cpu,memory:/gone\n")
    assert memory._control_groups(root, own) == [150]


def test_this_machine_has_some_left() -> None:
    import psutil

    assert 0 < memory.free_memory() <= psutil.virtual_memory().total
