"""Both implementations of every model: the same plan, the same weights, the same mathematics."""

from __future__ import annotations

import math
import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import samples
from torch import nn

from d2ltui import nn as models
from d2ltui.data.batches import data_iter
from d2ltui.spec.catalogue import layer_plan
from d2ltui.spec.config import RunConfig, resolve


def train(network: models.Network, config: RunConfig, steps: int) -> None:
    x, y = samples(config)
    optimizer = models.make_optimizer(config, network)
    order = torch.Generator().manual_seed(2)
    done = 0
    while done < steps:
        for features, labels in data_iter(x, y, 16, order):
            optimizer.zero_grad()
            network.objective(network.loss(network(features), labels)).backward()
            optimizer.step()
            done += 1


@pytest.mark.parametrize("weight_decay", [0.0, 0.05])
@pytest.mark.parametrize(
    "given",
    [
        {"model": "linear"},
        {"model": "softmax"},
        *({"hidden": "20,7", "activation": name} for name in ("identity", "sigmoid", "tanh", "relu")),
    ],
    ids=lambda given: "-".join(given.values()),
)
def test_from_scratch_and_concise_end_at_the_same_parameters(given: dict[str, object], weight_decay: float) -> None:
    common = {**given, "init": "xavier", "weight_decay": weight_decay, "lr": 0.1, "seed": 4}
    networks = []
    for implementation in ("scratch", "concise"):
        config = resolve({**common, "implementation": implementation})
        network = models.build(config, dtype=torch.float64)
        if config.model == "linear":
            # The book's two losses differ by the factor ½; everything else has to agree.
            network.loss = torch.nn.functional.mse_loss
        before = network.state()
        train(network, config, steps=100)
        moved = max((network.state()[name] - value).abs().max().item() for name, value in before.items())
        assert moved > 0.01
        networks.append(network)
    scratch, concise = networks
    for (_, w, b), (_, expected_w, expected_b) in zip(scratch.weights(), concise.weights(), strict=True):
        torch.testing.assert_close(w, expected_w, rtol=0.0, atol=1e-10)
        torch.testing.assert_close(b, expected_b, rtol=0.0, atol=1e-10)


def test_the_books_losses_differ_by_a_half() -> None:
    scratch, concise = (
        models.build(resolve({"model": "linear", "implementation": name})) for name in ("scratch", "concise")
    )
    y_hat, y = torch.tensor([[1.0], [4.0]]), torch.tensor([[0.0], [1.0]])
    assert scratch.loss(y_hat, y).item() == 2.5
    assert concise.loss(y_hat, y).item() == 5.0


def test_weight_decay_is_a_penalty_in_the_objective_from_scratch_and_the_optimisers_in_torch() -> None:
    given = {"model": "linear", "weight_decay": 3.0, "init": "normal", "init_std": 1.0}
    scratch = models.build(resolve({**given, "implementation": "scratch"}))
    concise_config = resolve({**given, "implementation": "concise"})
    concise = models.build(concise_config)
    loss = torch.tensor(1.0)
    (_, w, _) = scratch.weights()[0]
    assert scratch.objective(loss).item() == pytest.approx(1.0 + 3.0 * (w**2).sum().item() / 2)
    assert concise.objective(loss) is loss
    weights, biases = models.make_optimizer(concise_config, concise).param_groups  # type: ignore[attr-defined]
    assert (weights["weight_decay"], biases["weight_decay"]) == (3.0, 0.0)
    without = models.build(resolve({"model": "linear", "implementation": "scratch"}))
    assert without.objective(loss) is loss


configs = st.fixed_dictionaries(
    {
        "dataset": st.sampled_from(["moons", "spirals", "digits"]),
        "model": st.sampled_from(["mlp", "softmax"]),
        "implementation": st.sampled_from(["concise", "scratch"]),
        "init": st.sampled_from(["default", "normal", "xavier", "kaiming", "zeros"]),
    }
)
mlp_fields = st.fixed_dictionaries(
    {
        "hidden": st.lists(st.integers(1, 12), min_size=1, max_size=6),
        "activation": st.sampled_from(["identity", "sigmoid", "tanh", "relu"]),
        "dropout": st.sampled_from([0.0, 0.5]),
    }
)


@given(configs, mlp_fields)
@settings(deadline=None)
def test_what_is_built_is_what_was_planned(given: dict[str, object], more: dict[str, object]) -> None:
    config = resolve({**given, **more} if given["model"] == "mlp" else given)
    plan = layer_plan(config)
    network = models.build(config, dtype=torch.float64)
    network.train(False)
    assert tuple(layer.spec for layer in network.layers) == plan
    assert sum(p.numel() for p in network.parameters()) == sum(spec.parameters for spec in plan)
    assert all(p.is_leaf and p.requires_grad for p in network.parameters())
    for spec, weight, bias in network.weights():
        assert weight.shape == (spec.num_inputs, spec.num_outputs)
        assert bias.shape == (spec.num_outputs,)
    x, _ = samples(config, n=5)
    outputs = list(network.trace(x))
    assert [spec for spec, _ in outputs] == list(plan)
    assert all(output.shape == (5, spec.num_outputs) for spec, output in outputs)
    assert torch.equal(outputs[-1][1], network(x))
    linear = [spec.kind for spec in plan].count("linear")
    assert len(list(network.parameters())) == len(network.state()) == 2 * linear


@pytest.mark.parametrize("init", ["normal", "xavier", "kaiming", "zeros"])
def test_both_implementations_start_from_the_same_weights(init: str) -> None:
    given = {"dataset": "digits", "hidden": "9,5", "init": init, "seed": 11}
    scratch, concise = (models.build(resolve({**given, "implementation": name})) for name in ("scratch", "concise"))
    for (spec, w, b), (other, expected_w, expected_b) in zip(scratch.weights(), concise.weights(), strict=True):
        assert spec == other
        assert torch.equal(w, expected_w)
        assert torch.equal(b, expected_b)
        assert not b.any()


def standard_deviation(**given: object) -> tuple[float, float]:
    """Of the first layer's weights, and the largest bias."""
    (_, weight, bias) = models.build(resolve({"dataset": "fashion-mnist", **given})).weights()[0]
    assert abs(weight.mean().item()) < 5 * weight.std().item() / math.sqrt(weight.numel())
    return weight.std().item(), bias.abs().max().item()


def test_initial_weights_have_the_spread_that_is_promised() -> None:
    # 784 × 256 draws: the sd of their sd is .16 %, so 1 % is six of them.
    expected = {
        ("normal", "concise"): 0.05,
        ("xavier", "concise"): math.sqrt(2 / (784 + 256)),
        ("kaiming", "scratch"): math.sqrt(2 / 784),
        ("default", "scratch"): 0.01,
    }
    for (init, implementation), sd in expected.items():
        given = {"init_std": 0.05} if init == "normal" else {}
        measured, bias = standard_deviation(init=init, implementation=implementation, **given)
        assert measured == pytest.approx(sd, rel=0.01)
        assert bias == 0.0
    measured, bias = standard_deviation(init="default", implementation="concise")
    assert measured == pytest.approx(1 / math.sqrt(3 * 784), rel=0.01)
    assert 0 < bias <= 1 / 28


def test_linear_regression_starts_as_in_the_book_in_both_implementations() -> None:
    for implementation in ("scratch", "concise"):
        drawn = [
            models.build(resolve({"dataset": "diabetes", "implementation": implementation, "seed": seed}))
            for seed in range(200)
        ]
        weights = torch.cat([network.weights()[0][1] for network in drawn])
        assert weights.std().item() == pytest.approx(0.01, rel=0.1)
        assert not any(network.weights()[0][2].any() for network in drawn)


def test_the_default_of_torch_nn_is_torch_nns() -> None:
    """The range of the default is that of a fresh nn.Linear, which `build` draws itself to control the seed."""
    (_, weight, bias) = models.build(resolve({"model": "softmax", "dataset": "fashion-mnist"})).weights()[0]
    fresh = nn.Linear(784, 10)
    assert weight.std().item() == pytest.approx(fresh.weight.std().item(), rel=0.05)
    assert weight.abs().max().item() == pytest.approx(fresh.weight.abs().max().item(), rel=0.01)
    assert bias.abs().max().item() <= 1 / 28


def test_seeds_decide_the_weights_and_nothing_else_is_drawn() -> None:
    before = torch.get_rng_state()
    first, same, other = (models.build(resolve({"seed": seed})).state() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not torch.equal(first["1.weight"], other["1.weight"])


def test_what_is_built_in_one_thread_takes_no_random_number_of_another() -> None:
    """A picture of a stored run is made while a run draws its dropout."""
    config, over = resolve({"hidden": "512,512", "dataset": "digits"}), threading.Event()

    def build() -> None:
        while not over.is_set():
            models.build(config)

    def drawn() -> list[float]:
        torch.manual_seed(0)
        return [float(torch.rand(())) for _ in range(20_000)]

    alone, thread = drawn(), threading.Thread(target=build)
    thread.start()
    try:
        assert drawn() == alone
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("implementation", ["scratch", "concise"])
def test_dropout_drops_in_training_only(implementation: str) -> None:
    config = resolve({"dropout": 0.5, "hidden": "400", "init": "kaiming", "implementation": implementation})
    network = models.build(config, dtype=torch.float64)
    x, _ = samples(config)
    torch.manual_seed(0)
    trained = {spec.kind: output for spec, output in network.trace(x)}
    dropped = (trained["dropout"] == 0) & (trained["activation"] != 0)
    assert dropped.sum() / (trained["activation"] != 0).sum() == pytest.approx(0.5, abs=0.03)
    torch.manual_seed(0)
    assert torch.equal(network(x), trained["linear"])
    assert not torch.equal(network(x), trained["linear"])
    network.train(False)
    assert torch.equal(network(x), network(x))
    evaluated = {spec.kind: output for spec, output in network.trace(x)}
    assert torch.equal(evaluated["dropout"], evaluated["activation"])
    network.train(True)
    assert not torch.equal(network(x), network(x))


@pytest.mark.parametrize("implementation", ["scratch", "concise"])
def test_a_hundred_layers_and_layers_of_one_unit(implementation: str) -> None:
    for hidden in ([4] * 100, [1], [1] * 5):
        config = resolve({"hidden": hidden, "init": "xavier", "implementation": implementation})
        network = models.build(config)
        x, y = samples(config, dtype=torch.float32)
        loss = network.loss(network(x), y)
        loss.backward()
        assert loss.isfinite()
        assert len(network.weights()) == len(hidden) + 1
        assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("implementation", ["scratch", "concise"])
def test_a_state_is_a_copy_that_brings_the_network_back(implementation: str) -> None:
    config = resolve({"hidden": "6", "implementation": implementation})
    network = models.build(config, dtype=torch.float64)
    x, _ = samples(config)
    before, state = network(x), network.state()
    train(network, config, steps=5)
    assert not torch.equal(network(x), before)
    network.load_state(state)
    assert torch.equal(network(x), before)
    other = models.build(resolve({"hidden": "7", "implementation": implementation}))
    with pytest.raises(ValueError, match=r"state: 1\.weight of shape .* is not allowed; allowed: "):
        other.load_state(state)
    with pytest.raises(ValueError, match=r"state: 1\.weight is not allowed; allowed: 1\.weight, 1\.bias"):
        other.load_state({"1.weight": state["1.weight"]})


def test_weights_follow_training() -> None:
    config = resolve({"model": "softmax"})
    network = models.build(config, dtype=torch.float64)
    (_, weight, _) = network.weights()[0]
    before = weight.clone()
    train(network, config, steps=3)
    assert not torch.equal(weight, before)
    assert torch.equal(weight, next(network.parameters()).detach().T)
