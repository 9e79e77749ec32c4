"""LeNet (section 7.6): concise and from scratch are one network, on any pictures that are large enough."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from runs import Tape
from torch.nn import functional as F

from d2ltui import nn as models
from d2ltui.data import Dataset
from d2ltui.engine.control import Control
from d2ltui.engine.trainer import Trainer
from d2ltui.nn import functional
from d2ltui.spec import events
from d2ltui.spec.catalogue import DATASETS, datasets_for, layer_plan
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.spec.parsing import ConfigError
from tests.selection import long_after

TITLES = [
    "Conv 5×5 1→6", "Sigmoid", "AvgPool 2×2", "Conv 5×5 6→16", "Sigmoid", "AvgPool 2×2", "Flatten",
    "Linear 400→120", "Sigmoid", "Linear 120→84", "Sigmoid", "Linear 84→10",
]  # fmt: skip


def lenet(**given: object) -> RunConfig:
    return resolve({"model": "lenet", "dataset": "fashion-mnist", "device": "cpu", **given})


def pictures(n: int) -> Dataset:
    """`n` random pictures with labels that can be seen in them: a bright square somewhere."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.rand(n, 28, 28, generator=generator) / 4, torch.arange(n) % 10
    for i, label in enumerate(y.tolist()):
        x[i, 2 * label : 2 * label + 6, 4:24] += 0.7
    x = x.reshape(n, 784)
    return Dataset(DATASETS["fashion-mnist"], x, y, x[:50].clone(), y[:50].clone())


def test_the_plan_is_the_books() -> None:
    plan = layer_plan(lenet())
    assert [spec.title for spec in plan] == TITLES
    assert [spec.output_shape for spec in plan[:6]] == [
        (6, 28, 28), (6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 10, 10), (16, 5, 5),
    ]  # fmt: skip
    assert sum(spec.parameters for spec in plan) == 61_706  # LeCun et al., with 28×28 pictures padded by 2


def test_defaults_are_the_books() -> None:
    config = lenet()
    assert (config.activation, config.init, config.lr, config.batch_size) == ("sigmoid", "xavier", 0.1, 128)


@pytest.mark.parametrize(
    "given", long_after(1, [{}, {"init": "default", "activation": "relu"}, {"activation": "identity"}])
)
def test_from_scratch_is_concise(given: dict[str, object]) -> None:
    init = {"init": "kaiming", **given} if "init" not in given else {**given, "init": "xavier"}
    scratch, concise = (
        models.build(lenet(implementation=name, **init), dtype=torch.float64) for name in ("scratch", "concise")
    )
    data = pictures(8)
    x, y = data.x_train.double(), data.y_train
    outputs = [network(x) for network in (scratch, concise)]
    torch.testing.assert_close(outputs[0], outputs[1], rtol=1e-10, atol=1e-12)
    gradients: list[dict[int, torch.Tensor]] = []
    for network, output in zip((scratch, concise), outputs, strict=True):
        network.loss(output, y).backward()  # type: ignore[no-untyped-call]
        gradients.append({})
        for spec, weight, _ in network.linear_parameters():
            assert weight.grad is not None
            transposed = spec.kind == "linear" and network is concise
            gradients[-1][spec.index] = weight.grad.T if transposed else weight.grad
    assert gradients[0].keys() == gradients[1].keys()
    for index, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][index], rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize(("size", "kernel", "padding"), [((9, 7), 3, 0), ((6, 6), 5, 2), ((5, 8), 1, 1)])
def test_a_convolution_from_scratch_is_torchs(size: tuple[int, int], kernel: int, padding: int) -> None:
    generator = torch.Generator().manual_seed(1)
    x, weight, bias = (
        torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for shape in ((2, 3, *size), (4, 3, kernel, kernel), (4,))
    )
    ours = functional.conv2d(x, weight, bias, padding)
    torch.testing.assert_close(ours, F.conv2d(x, weight, bias, padding=padding))
    torch.testing.assert_close(functional.avg_pool2d(x, 2), F.avg_pool2d(x, 2))
    torch.autograd.gradcheck(lambda *given: functional.conv2d(*given, padding), (x, weight, bias))  # type: ignore[call-arg]


def test_pictures_that_are_too_small_and_no_pictures_are_refused() -> None:
    assert set(datasets_for("lenet")) >= {"mnist", "fashion-mnist"}
    assert "digits" not in datasets_for("lenet")
    with pytest.raises(
        ConfigError, match=r"^dataset: 'digits' is not allowed \(the pictures of digits are 8×8, and the "
    ):
        lenet(dataset="digits")
    with pytest.raises(ConfigError, match=r"^dataset: 'moons' is not allowed \(moons has no pictures\)"):
        lenet(dataset="moons")


@pytest.mark.parametrize("implementation", long_after(1, ["concise", "scratch"]))
def test_it_learns_and_every_layer_is_looked_at(implementation: str) -> None:
    given: dict[str, Any] = {"activation": "relu", "init": "kaiming", "epochs": 3, "batch_size": 25}
    tape = Tape()
    control = Control()
    control.observe(True)
    config = lenet(implementation=implementation, **given)
    ended = Trainer(config, control, [tape], dataset=pictures(500)).run()
    assert ended.status == "finished"
    assert tape.of(events.EpochEnded)[-1].val_metric > 0.9
    layers = tape.of(events.LayersProbed)[-1].layers
    assert [layer.title for layer in layers] == [title.replace("Sigmoid", "ReLU") for title in TITLES]
    assert [layer.num_units for layer in layers[:7]] == [6, 6, 6, 16, 16, 16, 400]
    assert all(layer.gradient_norm for layer in layers if layer.kind in ("linear", "convolution"))
    assert len(layers[1].unit_activity or ()) == 6
