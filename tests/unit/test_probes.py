"""What probes say agrees with what plain PyTorch computes from the full activations and gradients."""

from __future__ import annotations

import math

import msgspec
import pytest
import torch
from torch import Tensor

from d2ltui.data import Dataset, load
from d2ltui.diagnosis import probes
from d2ltui.diagnosis.figures import NUM_BINS, figures
from d2ltui.diagnosis.look_batched import look_at_all
from d2ltui.diagnosis.probes import Prober, probe, probe_batch
from d2ltui.engine.control import Control
from d2ltui.engine.trainer import Trainer
from d2ltui.nn import Network, build
from d2ltui.nn.batched import BatchedNetwork
from d2ltui.spec import catalogue, events
from d2ltui.spec.config import RunConfig, resolve

IMPLEMENTATIONS = ("concise", "scratch")


def mlp(**given: object) -> RunConfig:
    return resolve({"model": "mlp", "dataset": "digits", "device": "cpu", "hidden": "24,16", **given})


def samples(config: RunConfig, n: int = 100) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    inputs = catalogue.DATASETS[config.dataset].num_inputs
    return torch.rand(n, inputs, generator=generator), torch.randint(0, 10, (n,), generator=generator)


def plain(network: Network, x: Tensor, y: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Every layer's output, and each weight's gradient as (n_in, n_out), by the network's own backward()."""
    outputs = []
    for _, output in network.trace(x):
        output.retain_grad() if output.requires_grad else None
        outputs.append(output)
    network.loss(outputs[-1], y).backward()  # type: ignore[no-untyped-call]
    gradients = []
    for (_, weight, _), (_, view, _) in zip(network.linear_parameters(), network.weights(), strict=True):
        assert weight.grad is not None
        gradients.append(weight.grad.T if weight.shape != view.shape else weight.grad)
    return [output.detach() for output in outputs], gradients


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "identity"])
def test_figures_agree_with_plain_pytorch(implementation: str, activation: str) -> None:
    config = mlp(implementation=implementation, activation=activation, init="normal", init_std=0.7)
    network = build(config, dtype=torch.float64)
    x, y = samples(config)
    x = x.double()
    probed = probe(network, x, y, units=True)
    outputs, gradients = plain(network, x, y)
    assert len(probed.layers) == len(outputs)
    assert probed.loss == pytest.approx(float(torch.nn.functional.cross_entropy(outputs[-1], y)), rel=1e-9)
    for layer, output in zip(probed.layers, outputs, strict=True):
        assert list(layer.counts) == torch.histc(output, NUM_BINS).long().tolist()
        assert sum(layer.counts) == output.numel()
        assert layer.minimum == float(output.min())
        assert layer.maximum == float(output.max())
        assert layer.mean == pytest.approx(float(output.mean()), abs=1e-6)
        assert layer.sd == pytest.approx(float(output.std(correction=0)), abs=1e-6)
        assert layer.zeros * output.numel() == pytest.approx(int((output == 0).sum()), abs=1e-6)
        assert layer.num_units == output.shape[1]
        if layer.title == "ReLU":
            assert layer.dead is not None
            assert round(layer.dead * output.shape[1]) == int((output == 0).all(dim=0).sum())
            assert layer.unit_activity == pytest.approx((output > 0).double().mean(dim=0).tolist())
        elif layer.title in ("Sigmoid", "Tanh"):
            flat = (output < 0.01) | (output > 0.99) if layer.title == "Sigmoid" else output.abs() > 0.98
            assert layer.saturated is not None
            assert round(layer.saturated * output.numel()) == int(flat.sum())
            assert layer.unit_activity == pytest.approx((~flat).double().mean(dim=0).tolist())
            assert layer.dead is None
        else:
            assert layer.dead is None
            assert layer.saturated is None
            assert layer.unit_activity is None
    weights = [layer for layer in probed.layers if layer.kind == "linear"]
    for layer, gradient, (_, weight, _) in zip(weights, gradients, network.weights(), strict=True):
        assert layer.gradient_norm == pytest.approx(float(gradient.norm()), rel=1e-9)
        assert layer.weight_norm == pytest.approx(float(weight.norm()), rel=1e-9)
        assert list(layer.gradient_counts) == torch.histc(gradient, NUM_BINS).long().tolist()
        assert (layer.gradient_minimum, layer.gradient_maximum) == (float(gradient.min()), float(gradient.max()))
        assert list(layer.weight_counts) == torch.histc(weight, NUM_BINS).long().tolist()
        assert (layer.weight_minimum, layer.weight_maximum) == (float(weight.min()), float(weight.max()))
        assert layer.parameters == ()  # there are too many
        positive, negative = (gradient > 0).sum(dim=0), (gradient < 0).sum(dim=0)
        having = positive + negative > 0
        share = torch.maximum(positive, negative)[having] / (positive + negative)[having]
        assert layer.sign_share == pytest.approx(float(share.double().mean()), rel=1e-6)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_of_smoothed_labels_gradients_are_told_and_the_loss_is_of_labels_as_they_are(implementation: str) -> None:
    config = mlp(implementation=implementation, init="xavier", label_smoothing=0.3)
    network = build(config, dtype=torch.float64)
    x, y = samples(config)
    probed = probe(network, x.double(), y)
    output = network(x.double())
    assert probed.loss == pytest.approx(float(torch.nn.functional.cross_entropy(output.detach(), y)))
    torch.nn.functional.cross_entropy(output, y, label_smoothing=0.3).backward()
    norms = [float(w.grad.norm()) for _, w, _ in network.linear_parameters() if w.grad is not None]
    assert [layer.gradient_norm for layer in probed.layers if layer.kind == "linear"] == pytest.approx(norms)
    (member,) = look_at_all(BatchedNetwork([config], network.plan, dtype=torch.float64), x.double()[None], y[None], 0)
    assert member.loss == pytest.approx(probed.loss)
    assert [layer.gradient_norm for layer in member.layers if layer.kind == "linear"] == pytest.approx(norms)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_both_implementations_are_seen_alike(implementation: str) -> None:
    # A square layer: nothing but its name tells rows from columns.
    config = mlp(implementation=implementation, hidden="64", init="xavier")
    x, y = samples(config)
    layer = probe(build(config), x, y).layers[0]
    reference = probe(build(mlp(implementation="concise", hidden="64", init="xavier")), x, y).layers[0]
    assert layer.sign_share == pytest.approx(reference.sign_share, rel=1e-3)
    assert layer.gradient_norm == pytest.approx(reference.gradient_norm, rel=1e-4)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_the_few_parameters_of_a_linear_regression_are_told_one_by_one(implementation: str) -> None:
    config = resolve({"model": "linear", "dataset": "synthetic-linear", "implementation": implementation})
    network = build(config)
    x, y = torch.randn(8, 2), torch.randn(8, 1)
    (layer,) = probe(network, x, y).layers
    ((_, weight, bias),) = network.weights()
    assert layer.parameters == (*weight.flatten().tolist(), *bias.tolist())
    assert config.dataset_info.truth == (2.0, -3.4, 4.2)
    assert load(config).truth is not None
    true_weight, true_bias = load(config).truth
    assert (*true_weight.flatten().tolist(), *true_bias.tolist()) == pytest.approx(config.dataset_info.truth)


def test_all_nan_and_constant_layers() -> None:
    nothing = figures(torch.full((4, 3), math.nan)).tolist()
    assert nothing[6] == 12
    assert sum(nothing) == 12
    constant = figures(torch.full((4, 3), 7.5)).tolist()
    assert constant[:4] == [7.5, 7.5, 7.5, 0.0]
    assert constant[7] == 12


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_a_network_of_nans_can_be_looked_at(implementation: str) -> None:
    config = mlp(implementation=implementation)
    network = build(config)
    network.load_state({name: torch.full_like(value, math.nan) for name, value in network.state().items()})
    x, y = samples(config)
    probed = probe(network, x, y, units=True)
    assert math.isnan(probed.loss)
    for layer in probed.layers:
        assert layer.nonfinite == len(x) * layer.num_units
        assert sum(layer.counts) == 0
        assert not layer.dead
    assert all(layer.sign_share is None for layer in probed.layers)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("hidden", ["1", ",".join(["4"] * 100)])
@pytest.mark.parametrize("n", [1, 5])
def test_one_unit_a_hundred_layers_one_sample(implementation: str, hidden: str, n: int) -> None:
    config = mlp(implementation=implementation, hidden=hidden)
    x, y = samples(config, n)
    probed = probe(build(config), x, y, units=True)
    assert [layer.index for layer in probed.layers] == list(range(1, 2 * len(config.hidden) + 2))
    for layer in probed.layers:
        assert sum(layer.counts) == n * layer.num_units


def test_looking_changes_nothing() -> None:
    config = mlp(dropout=0.5)
    network = build(config)
    x, y = samples(config)
    network.loss(network(x), y).backward()  # type: ignore[no-untyped-call]
    before = network.state()
    gradients = [parameter.grad.clone() for parameter in network.parameters() if parameter.grad is not None]
    state = torch.get_rng_state()
    probe(network, x, y, units=True)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in network.state().items())
    after = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    assert len(gradients) == len(after)
    assert all(torch.equal(old, new) for old, new in zip(gradients, after, strict=True))


def test_the_probe_batch_is_spread_over_the_data_and_bounded() -> None:
    x, y = torch.arange(10_000.0).reshape(-1, 1), torch.arange(10_000)
    some, labels = probe_batch(x, y)
    assert len(some) == probes.PROBE_SAMPLES
    assert (float(some[0]), float(some[-1])) == (0.0, 9999.0)
    assert torch.equal(some.flatten().long(), labels)
    few, _ = probe_batch(x, y, width=probes.PROBE_VALUES // 10)
    assert len(few) == 10
    one, _ = probe_batch(x, y, width=10 * probes.PROBE_VALUES)
    assert len(one) == 1


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_the_update_ratio_is_that_of_one_step(implementation: str) -> None:
    config = mlp(implementation=implementation, lr=0.5)
    network = build(config)
    x, y = samples(config)
    prober = Prober(network, x, y)
    assert all(layer.update_ratio is None for layer in prober.probe(0, units=False).layers)
    prober.arm(0)
    gradients = [layer.gradient_norm for layer in probe(network, x, y).layers if layer.gradient_norm is not None]
    norms = [float(weight.double().norm()) for _, weight, _ in network.weights()]
    network.loss(network(x), y).backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for parameter in network.parameters():
            assert parameter.grad is not None
            parameter -= 0.5 * parameter.grad
    ratios = [layer.update_ratio for layer in prober.probe(1, units=False).layers if layer.kind == "linear"]
    expected = [0.5 * gradient / norm for gradient, norm in zip(gradients, norms, strict=True)]
    assert ratios == pytest.approx(expected, rel=1e-3)
    # Two steps later there is nothing to compare with: the last figure stays.
    again = [layer.update_ratio for layer in prober.probe(3, units=False).layers if layer.kind == "linear"]
    assert again == ratios


def test_weights_of_zero_have_no_ratio_to_speak_of() -> None:
    config = mlp(init="zeros")
    network = build(config)
    x, y = samples(config)
    prober = Prober(network, x, y)
    prober.probe(0, units=False)
    prober.arm(0)
    layer = prober.probe(1, units=False).layers[0]
    assert layer.update_ratio is not None
    assert math.isnan(layer.update_ratio)


def train(config: RunConfig, observed: bool = False, dataset: Dataset | None = None) -> list[events.Event]:
    told: list[events.Event] = []
    control = Control()
    control.observe(observed)
    Trainer(config, control, [told.append], dataset=dataset).run()
    return told


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_a_run_is_looked_at_before_the_first_step_and_after_the_last(
    implementation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "FIRST_PROBE", 0.0)
    monkeypatch.setattr(probes, "EARLY_PROBE_EVERY", 0.0)
    monkeypatch.setattr(probes, "PROBE_EVERY", 0.0)
    monkeypatch.setattr(probes, "SOONEST", 0.0)
    monkeypatch.setattr(probes, "EARLY_UNSEEN_SHARE", 1e9)
    monkeypatch.setattr("d2ltui.engine.trainer.PUBLISH_EVERY", 0.0)
    config = mlp(implementation=implementation, epochs=2)
    told = [event for event in train(config, observed=True) if isinstance(event, events.LayersProbed)]
    assert told[0].step == 0
    assert told[-1].step == config.total_steps
    assert told[0].layers[1].unit_activity is not None
    ratios = [ratio for look in told if (ratio := look.layers[0].update_ratio) is not None]
    assert ratios
    assert all(0 < ratio < 1 for ratio in ratios)
    unobserved = [event for event in train(config) if isinstance(event, events.LayersProbed)]
    assert len(unobserved) >= 3
    assert all(look.layers[1].unit_activity is None for look in unobserved[:-1])
    assert unobserved[-1].layers[1].unit_activity is not None, "somebody may look when the run has ended"


def test_looking_does_not_change_what_is_learned() -> None:
    config = mlp(epochs=2, dropout=0.3)
    ends = [
        next(event for event in train(config, observed) if isinstance(event, events.RunEnded))
        for observed in (False, True)
    ]
    assert ends[0].summary["train_loss"] == ends[1].summary["train_loss"]


def test_a_data_set_of_ones_own_shapes_the_network() -> None:
    config = resolve({"model": "linear", "dataset": "synthetic-linear", "device": "cpu", "epochs": 1})
    info = msgspec.structs.replace(load(config).info, input_shape=(5,))
    wide = Dataset(info, torch.randn(40, 5), torch.randn(40, 1), torch.randn(20, 5), torch.randn(20, 1))
    told = train(config, dataset=wide)
    started = next(event for event in told if isinstance(event, events.RunStarted))
    assert (started.num_train, started.layers[0].num_inputs, started.steps_per_epoch) == (40, 5, 2)
    assert isinstance(told[-1], events.RunEnded)
    assert told[-1].status == "finished"
