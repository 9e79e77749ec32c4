"""Looks into modules that d2ltui has not built: any shape, nested, used twice, without parameters, with hooks gone."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from d2ltui.diagnosis.look import look


class Twice(nn.Module):
    """One ReLU, and one linear layer, used twice; a block within."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5))
        self.shared, self.relu = nn.Linear(5, 5), nn.ReLU()
        self.drop = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.drop(self.shared(self.relu(self.shared(self.relu(self.first(x))))))


class Recurrent(nn.Module):
    """A module that returns a tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.GRU(4, 8, batch_first=True), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        output, _ = self.rnn(x)
        result: Tensor = self.head(output[:, -1])
        return result


class Detached(nn.Module):
    """A module whose output knows of no gradient."""

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(num_inputs, num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.linear(x).detach()
        return result


def lenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.Flatten(),
        nn.Linear(16 * 10 * 10, 10),
    )  # fmt: skip


CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], list[str]]] = {
    "twice": (Twice, (16, 6), ["Linear 6→5", "BatchNorm1d", "ReLU", "Linear 5→5", "ReLU", "Linear 5→5", "Dropout"]),
    "recurrent": (Recurrent, (16, 7, 4), ["GRU", "Linear 8→3"]),
    "lenet": (
        lenet, (4, 1, 28, 28),
        ["Conv2d 1→6", "Sigmoid", "AvgPool2d", "Conv2d 6→16", "ReLU", "Flatten", "Linear 1600→10"],
    ),
    "weight norm": (
        lambda: nn.Sequential(weight_norm(nn.Linear(6, 5)), nn.ReLU(), nn.Linear(5, 3)), (16, 6),
        ["Linear 6→5", "ReLU", "Linear 5→3"],
    ),
    "detached": (lambda: Detached(6, 3), (16, 6), ["Linear 6→3"]),
    "no parameters": (lambda: nn.Sequential(nn.Flatten(), nn.ReLU()), (8, 2, 3), ["Flatten", "ReLU"]),
}  # fmt: skip


def looked(name: str) -> tuple[nn.Module, Tensor, Tensor]:
    make, shape, _ = CASES[name]
    torch.manual_seed(0)
    return make(), torch.randn(shape), torch.zeros(shape[0], dtype=torch.long)


@pytest.mark.parametrize("name", CASES)
def test_any_module_is_looked_into(name: str) -> None:
    module, x, y = looked(name)
    found = look(module, x, y, F.cross_entropy, units=True).probed
    assert [layer.title for layer in found.layers] == CASES[name][2]
    assert [layer.index for layer in found.layers] == list(range(1, len(found.layers) + 1))
    assert found.loss == pytest.approx(float(F.cross_entropy(module.eval()(x), y).detach()))


@pytest.mark.parametrize("name", CASES)
def test_a_look_leaves_nothing_behind(name: str) -> None:
    module, x, y = looked(name)
    parts = list(module.modules())
    parts[-1].eval()  # a mode of its own is kept
    modes = [part.training for part in parts]
    state = {key: value.clone() for key, value in module.state_dict().items()}
    drawn = torch.get_rng_state(), random.getstate()
    look(module, x, y, F.cross_entropy)
    assert not any(part._forward_hooks for part in parts)
    assert [part.training for part in parts] == modes
    assert all(torch.equal(value, state[key]) for key, value in module.state_dict().items())
    assert torch.equal(torch.get_rng_state(), drawn[0])
    assert random.getstate() == drawn[1]
    assert all(parameter.grad is None for parameter in module.parameters())


def test_a_convolutions_units_are_its_channels() -> None:
    module, x, y = looked("lenet")
    layers = look(module, x, y, F.cross_entropy, units=True).probed.layers
    assert [layer.num_units for layer in layers] == [6, 6, 6, 16, 16, 1600, 10]
    channels = module[:5](x)  # type: ignore[index]
    expected = (channels != 0).double().mean(dim=(0, 2, 3))
    assert layers[4].unit_activity == pytest.approx(expected.tolist())
    assert layers[4].dead == pytest.approx(float((expected == 0).double().mean()))
    assert sum(layers[0].counts) == 4 * 6 * 28 * 28


def test_gradients_are_autograds_and_told_once_where_a_layer_is_used_twice() -> None:
    module, x, y = looked("twice")
    layers = look(module, x, y, F.cross_entropy).probed.layers
    module.eval()
    F.cross_entropy(module(x), y).backward()  # type: ignore[no-untyped-call]
    expected = [float(part.weight.grad.norm()) for part in (module.first[0], module.first[1], module.shared)]  # type: ignore[union-attr, operator, index]
    assert [layer.gradient_norm for layer in layers if layer.gradient_norm is not None] == pytest.approx(expected)
    assert [layer.index for layer in layers if layer.gradient_norm is not None] == [1, 2, 4]


def test_a_look_that_fails_takes_its_hooks_off() -> None:
    module, x, y = looked("lenet")

    def broken(output: Tensor, labels: Tensor) -> Tensor:
        raise RuntimeError("no loss")

    with pytest.raises(RuntimeError, match="no loss"):
        look(module, x, y, broken)
    assert not any(part._forward_hooks for part in module.modules())
    assert all(part.training for part in module.modules())
