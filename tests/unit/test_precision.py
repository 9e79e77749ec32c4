"""`--precision`: in which numbers products are taken, by every network, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from graph_stand_in import StandIn
from runs import run, samples, short

from d2ltui.code.script import script
from d2ltui.data import Dataset
from d2ltui.diagnosis.look import look
from d2ltui.engine import trainer
from d2ltui.engine.checkpoint import Checkpoint
from d2ltui.engine.device import products
from d2ltui.engine.joining import may_join
from d2ltui.nn import build
from d2ltui.nn.accel.onednn import OneDNNLinear
from d2ltui.runner.map_run import cells_of
from d2ltui.spec import events
from d2ltui.spec.axes import parse_axis
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.spec.maps import MapSpec
from d2ltui.spec.parsing import ConfigError
from d2ltui.spec.versions import plain_config, read_config

MLP: dict[str, object] = {"dataset": "digits", "hidden": "16,8", "device": "cpu", "init": "xavier", "threads": 1}
LENET: dict[str, object] = {"model": "lenet", "dataset": "fashion-mnist", "device": "cpu", "init": "xavier"}


def digits(**given: object) -> tuple[RunConfig, Dataset]:
    config = resolve({**MLP, "epochs": 3, "batch_size": 16, "precision": "bf16", **given})
    x, y = samples(config, 70, torch.float32)
    return config, Dataset(config.dataset_info, x, y, x[:30], y[:30])


@pytest.mark.parametrize("implementation", ["concise", "scratch"])
@pytest.mark.parametrize("given", [MLP, LENET, {"model": "linear", "device": "cpu"}])
def test_outputs_are_those_of_bfloat16_and_float32_for_whoever_sees_them(
    given: dict[str, object], implementation: str
) -> None:
    lower, whole = (
        build(resolve({**given, "implementation": implementation, "precision": p})) for p in ("bf16", "fp32")
    )
    x, y = samples(resolve(given), 20, torch.float32)
    rough, exact = lower(x), whole(x)
    assert rough.dtype == exact.dtype == torch.float32
    assert not torch.equal(rough, exact)
    assert torch.allclose(rough, exact, rtol=0.05, atol=0.05)
    assert torch.equal(rough.bfloat16().float(), rough) or implementation == "scratch"  # whose bias is float32
    lower.loss(rough, y).backward()
    assert {parameter.grad.dtype for parameter in lower.parameters() if parameter.grad is not None} == {torch.float32}
    *_, (_spec, last) = lower.trace(x)
    assert torch.equal(last, rough)
    assert {output.dtype for _, output in lower.trace(x)} == {torch.float32}
    assert not torch.is_autocast_enabled("cpu")
    seen = look(lower, x, y, lower.loss).probed
    assert [layer.mean for layer in seen.layers] == pytest.approx(
        [layer.mean for layer in look(whole, x, y, whole.loss).probed.layers], rel=0.2, abs=0.05
    )


def test_what_is_looked_at_is_counted_in_float32() -> None:
    """With 8 bits, 2,044 zeros in 2,048 are all of them."""

    class Sparse(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(x).to(torch.bfloat16)

    module = torch.nn.Sequential(Sparse(), torch.nn.Linear(1, 1, dtype=torch.bfloat16))
    x = torch.full((2048, 1), -1.0)
    x[:4] = 1.0
    seen = look(module, x, x, lambda output, y: output.float().square().mean(), brief=True).probed
    assert seen.layers[0].zeros == pytest.approx(2044 / 2048)


def test_a_map_is_refused_before_its_data_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("d2ltui.engine.device.available", lambda: ("cpu",))
    config = resolve({"dataset": "circles", "hidden": "4", "precision": "tf32"})
    with pytest.raises(ConfigError, match="precision: 'tf32' is not allowed on cpu; allowed there: fp32, bf16"):
        cells_of(MapSpec(config, parse_axis("x", "lr=0.1:1:2"), parse_axis("y", "init_std=0.1:1:2"), 1))


def test_a_library_that_knows_float32_only_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("d2ltui.nn.accel.onednn.onednn_is_faster", lambda: True)
    kinds = {
        p: type(build(resolve({"dataset": "fashion-mnist", "precision": p})).layers[0].module) for p in ("fp32", "bf16")
    }
    assert kinds == {"fp32": OneDNNLinear, "bf16": torch.nn.Linear}


@pytest.mark.parametrize("implementation", ["concise", "scratch"])
def test_a_run_learns_and_goes_on_bit_for_bit(implementation: str) -> None:
    config, data = digits(implementation=implementation, epochs=4, dropout=0.2)
    shelf = _Shelf()
    whole, tape = run(config, dataset=data, keeper=shelf)
    assert tape.ended.status == "finished"
    epochs = tape.of(events.EpochEnded)
    assert epochs[-1].train_loss < epochs[0].train_loss
    middle = next(kept for kept in shelf.kept if 0 <= kept.step < tape.losses.size)
    resumed, rest = run(config, dataset=data, resume=lambda: middle)
    assert np.array_equal(tape.losses[middle.step :], rest.losses)
    for name, value in whole.network.state().items():
        assert value.equal(resumed.network.state()[name]), name


def test_captured_steps_are_those_taken_one_by_one() -> None:
    config, data = digits(optimizer="adam")
    stand_in = StandIn()
    captured, tape = run(config, dataset=data, graphs=lambda device: stand_in)
    assert stand_in.launches > 0
    assert not tape.of(events.Noted)
    plain, other = run(config, dataset=data)
    assert tape.losses == pytest.approx(other.losses, rel=0.02)
    assert captured.progress.step == plain.progress.step


class _Shelf:
    idle, took = True, 0.0

    def __init__(self) -> None:
        self.kept: list[Checkpoint] = []

    def keep(self, checkpoint: Checkpoint) -> None:
        self.kept.append(checkpoint)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"precision": "fp16"}, "precision: 'fp16' is not allowed; allowed: fp32, tf32, bf16"),
        ({"precision": "tf32", "device": "cpu"}, "precision: 'tf32' is not allowed; allowed: on cpu, fp32, bf16"),
        ({"precision": "bf16", "device": "mps"}, "precision: 'bf16' is not allowed; allowed: on mps, fp32"),
    ],
)
def test_what_is_not_allowed_is_said_in_a_sentence(given: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        resolve(given)
    assert [(problem.field, problem.message) for problem in error.value.problems] == [("precision", said)]


def test_a_precision_that_this_machine_has_not_is_said_beside_its_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("d2ltui.engine.device.available", lambda: ("cpu",))
    monkeypatch.setattr(trainer, "load", lambda *_: pytest.fail("loaded"))
    _, tape = run(short(device="auto", precision="tf32"))
    assert tape.ended.field == "precision"
    assert tape.ended.message == "precision: 'tf32' is not allowed on cpu; allowed there: fp32, bf16"


def test_stored_runs_of_before_are_fp32_and_others_keep_theirs() -> None:
    config = resolve({"precision": "bf16"})
    stored = plain_config(config)
    assert read_config(stored).precision == "bf16"
    del stored["precision"]
    assert read_config(stored).precision == "fp32"


def test_networks_are_batched_in_fp32_only() -> None:
    assert may_join(resolve(MLP)) is not None
    assert may_join(resolve({**MLP, "precision": "bf16"})) is None


def test_what_is_set_for_a_gpu_is_set_for_the_run_and_put_back() -> None:
    def found() -> tuple[str, bool]:
        return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32

    before, gpu = found(), torch.device("cuda:0")
    with products(resolve({"precision": "tf32"}), gpu):
        assert found() == ("high", True)
        with products(resolve({}), gpu):
            assert found() == ("highest", False)
        assert found() == ("high", True)
    assert found() == before
    with products(resolve({}), torch.device("cpu")):
        assert found() == before


def test_a_run_puts_back_what_it_has_set(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[str] = []

    class Setting:
        def __enter__(self) -> None:
            left.append("set")

        def __exit__(self, *_: object) -> None:
            left.append("put back")

    monkeypatch.setattr(trainer, "products", lambda config, device: Setting())
    run(short(epochs=1), None, lambda event: left.append("ended") if isinstance(event, events.RunEnded) else None)
    assert left == ["set", "put back", "ended"]


@pytest.mark.parametrize(
    ("given", "device", "line"),
    [
        ({"precision": "tf32"}, "cuda:0", 'torch.set_float32_matmul_precision("high")'),
        ({"precision": "bf16"}, "cuda:1", "with torch.autocast(X.device.type, torch.bfloat16):"),
        ({"model": "lenet", "dataset": "mnist"}, "cuda:0", "torch.backends.cudnn.allow_tf32 = False"),
    ],
)
def test_a_script_computes_in_the_precision_of_the_run(given: dict[str, object], device: str, line: str) -> None:
    assert line in script(resolve(given), "a-run", device=device)
    assert line not in script(resolve({**given, "precision": "fp32", "model": "mlp"}), "a-run", device=device)
