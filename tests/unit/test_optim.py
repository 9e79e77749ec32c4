"""The optimisers: torch's, and the same moves in less time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import torch
from runs import samples
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from d2ltui import nn as models
from d2ltui.nn.accel.kernels import select_kernel
from d2ltui.nn.accel.optimizers import PlainSGD, uncompiled
from d2ltui.nn.concise import ConciseNetwork
from d2ltui.spec.config import resolve
from d2ltui.spec.optimizers import OPTIMIZERS

KINDS = {
    "sgd": torch.optim.SGD,
    "momentum": torch.optim.SGD,
    "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}


@pytest.mark.parametrize(
    ("device", "plain", "fused"),
    [
        ("cpu", {"sgd"}, {"momentum", "adagrad", "adam", "adamw"}),
        ("cuda", {"sgd"}, {"momentum", "adam", "adamw"}),
        ("mps", set(), set()),
    ],
)
def test_which_update_a_run_gets(device: str, plain: set[str], fused: set[str]) -> None:
    updates = {name: select_kernel(name, device) for name in OPTIMIZERS}
    expected = {name: "plain" if name in plain else "fused" if name in fused else "torch" for name in KINDS}
    assert updates == expected


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", KINDS)
def test_every_optimiser_is_torchs_and_does_what_the_plain_one_does(name: str, dtype: torch.dtype) -> None:
    """A fused kernel is chosen for speed: it has to move the weights as the plain loop over tensors does."""
    config = resolve({"optimizer": name, "lr": 0.01, "hidden": "8", "weight_decay": 0.01})
    network, plain = (models.build(config, dtype=dtype) for _ in range(2))
    assert isinstance(plain, ConciseNetwork)
    optimizer = models.make_optimizer(config, network)
    assert isinstance(optimizer, PlainSGD if name == "sgd" else KINDS[name])
    linear = plain.linear_parameters()
    groups = [
        {"params": [w for _, w, _ in linear], "weight_decay": 0.01},
        {"params": [b for _, _, b in linear], "weight_decay": 0.0},
    ]
    momentum = {"momentum": 0.9} if name == "momentum" else {}
    expected = KINDS[name](groups, lr=0.01, foreach=False, **momentum)
    x, y = samples(config, dtype=dtype)
    for _ in range(20):
        for net, opt in ((network, optimizer), (plain, expected)):
            opt.zero_grad()
            net.loss(net(x), y).backward()
            opt.step()
    tolerance = 1e-10 if dtype == torch.float64 else 1e-4
    for p, q in zip(network.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("kind", [PlainSGD, *dict.fromkeys(map(uncompiled, KINDS.values()))])
def test_schedulers_and_closures_take_what_is_not_compiled_as_torchs(
    kind: Callable[..., torch.optim.Optimizer],
) -> None:
    parameter = nn.Parameter(torch.ones(1))
    optimizer = kind([parameter], lr=0.5)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)

    def closure() -> float:
        optimizer.zero_grad()
        loss = (parameter**2).sum()
        loss.backward()
        return loss.item()

    assert optimizer.step(closure) == 1.0
    assert parameter.item() < 1.0
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.05)
    assert isinstance(optimizer, torch.optim.Optimizer)


@pytest.mark.parametrize("given", [{"optimizer": name} for name in KINDS] + [{"implementation": "scratch"}])
def test_the_learning_rate_can_be_read_and_set(given: dict[str, object]) -> None:
    config = resolve({**given, "lr": 0.25, "weight_decay": 0.1})
    network = models.build(config)
    optimizer = models.make_optimizer(config, network)
    assert models.get_lr(optimizer) == 0.25
    models.set_lr(optimizer, 0.0)
    assert models.get_lr(optimizer) == 0.0
    x, y = samples(config, dtype=torch.float32)
    before = network.state()
    network.loss(network(x), y).backward()
    optimizer.step()
    assert all(torch.equal(value, before[name]) for name, value in network.state().items())
    models.set_lr(optimizer, 0.5)
    saved = optimizer.state_dict()
    again = models.make_optimizer(config, network)
    again.load_state_dict(saved)
    assert models.get_lr(again) == 0.5


def test_only_sgd_is_there_from_scratch() -> None:
    config = msgspec.structs.replace(resolve({"implementation": "scratch"}), optimizer="adam")
    network = models.build(config)
    with pytest.raises(ValueError, match="optimizer: 'adam' is not allowed; allowed: from scratch, sgd"):
        models.make_optimizer(config, network)


@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
def test_plain_sgd_moves_as_torchs_and_takes_over_its_state(weight_decay: float) -> None:
    config = resolve({"hidden": "8", "lr": 0.1, "weight_decay": weight_decay})
    network, theirs = (models.build(config) for _ in range(2))
    optimizer = models.make_optimizer(config, network)
    assert isinstance(optimizer, PlainSGD)
    optimizer.step()  # nothing has a gradient yet
    weights, biases = list(theirs.parameters())[::2], list(theirs.parameters())[1::2]
    groups = [{"params": weights}, {"params": biases}] if weight_decay else [{"params": theirs.parameters()}]
    expected = torch.optim.SGD(groups, lr=1.0, foreach=False)
    expected.load_state_dict(optimizer.state_dict())
    assert [group["weight_decay"] for group in expected.param_groups] == [weight_decay, 0.0][: len(groups)]
    x, y = samples(config, dtype=torch.float32)
    for _ in range(5):
        for net, opt in ((network, optimizer), (theirs, expected)):
            opt.zero_grad()
            net.loss(net(x), y).backward()
            opt.step()
    for p, q in zip(network.parameters(), theirs.parameters(), strict=True):
        if weight_decay:  # the decay is rounded elsewhere: by half a unit in the last place in each of the steps
            torch.testing.assert_close(p, q, rtol=1e-6, atol=1e-7)
        else:
            assert torch.equal(p, q)
    models.set_lr(optimizer, 0.0)
    optimizer.load_state_dict(expected.state_dict())
    assert models.get_lr(optimizer) == 0.1
    before = network.state()
    optimizer.step()
    assert not torch.equal(network.state()["1.weight"], before["1.weight"])


class OutOfPlace(TorchDispatchMode):
    """Collects the operations that make a new tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not func.overloadpacket.__name__.endswith("_"):
            self.found.append(str(func))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
def test_plain_sgd_makes_no_copy_of_weights_or_gradients(weight_decay: float) -> None:
    config = resolve({"hidden": "8", "weight_decay": weight_decay})
    network = models.build(config)
    optimizer = models.make_optimizer(config, network)
    assert isinstance(optimizer, PlainSGD)
    x, y = samples(config, dtype=torch.float32)
    network.loss(network(x), y).backward()  # type: ignore[no-untyped-call]
    with OutOfPlace() as operations:
        optimizer.step()
    assert operations.found == []


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("name", [*KINDS, "scratch"])
@pytest.mark.parametrize("field", ["lr", "weight_decay"])
def test_a_factor_that_no_float32_holds_raises_nothing(field: str, name: str, fused: bool) -> None:
    """Only some of the fused kernels take it as it is, and not every device has those."""
    how = {"implementation": "scratch"} if name == "scratch" else {"optimizer": name}
    config = resolve({**how, "dataset": "digits", "hidden": "8", field: 1e39})
    network = models.build(config)
    optimizer = models.make_optimizer(config, network)
    if isinstance(optimizer, torch.optim.Optimizer) and not fused:
        for group in optimizer.param_groups:
            group["fused"] = False
    x, y = samples(config, dtype=torch.float32)
    for _ in range(3):
        optimizer.zero_grad()
        network.objective(network.loss(network(x), y)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        models.set_lr(optimizer, 1e300)
    if field == "lr" or name in ("sgd", "momentum", "scratch"):  # the others divide by what they have seen
        assert not network.loss(network(x), y).item() < 1e20
