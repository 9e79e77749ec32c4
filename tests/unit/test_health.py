"""What is found in sick networks, what is not found in healthy ones, and that the remedies cure."""

from __future__ import annotations

import itertools
import math

import msgspec
import pytest
from looks import MLP, epochs, layer, looked
from runs import rules

from d2ltui.data import load
from d2ltui.diagnosis import probes
from d2ltui.diagnosis.live import one_cause
from d2ltui.diagnosis.monitor import LIMITS, examine
from d2ltui.nn import build
from d2ltui.spec import catalogue, events
from d2ltui.spec.activations import ACTIVATIONS
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.spec.fields import FIELDS
from d2ltui.spec.models import MODELS
from d2ltui.spec.optimizers import OPTIMIZERS, from_scratch


def test_nothing_is_found_without_a_probe() -> None:
    assert examine([], [], resolve(MLP)) == ()


@pytest.mark.parametrize(
    ("share", "severity"), [(0.3, None), (0.41, "warning"), (0.5, "warning"), (0.7, "alarm"), (1.0, "alarm")]
)
def test_dead_relus(share: float, severity: str | None) -> None:
    probed = looked(120, layer(1), layer(2, "ReLU", dead=share), layer(3), layer(4, "ReLU", dead=0.0), layer(5))
    found = examine([probed], [], resolve(MLP))
    assert rules(found).get("dead-relu") == severity
    if severity:
        assert found[0].layer == 2
        assert found[0].figure == share
        assert f"{round(40 * share)} of 40" in found[0].what
        assert "layer 2 (ReLU)" in found[0].what
        assert "step 120" in found[0].what
        # The batch that is looked at is not the whole training part; and a gradient is not all that moves weights.
        assert "each of the samples looked at" in found[0].what
        assert "momentum" in found[0].why
        assert "weight decay" in found[0].why


@pytest.mark.parametrize(("loss", "lowest", "severity"), [(0.4, 0.4, "note"), (0.4, 0.2, "alarm"), (2.2, 2.2, "alarm")])
def test_what_is_dead_in_a_network_that_learns_is_of_note(loss: float, lowest: float, severity: str) -> None:
    layers = (layer(1), layer(2, "ReLU", dead=0.9, mean=1.0, sd=1.0), layer(3))
    probed = [
        msgspec.structs.replace(looked(step, *layers), loss=at) for step, at in ((0, 2.3), (50, lowest), (100, loss))
    ]
    found = rules(examine(probed, [], resolve(MLP)))
    assert found["dead-relu"] == severity
    assert ("not-zero-centred" in found) == (severity != "note")


@pytest.mark.parametrize(("norm", "severity"), [(0.6, None), (0.4, "warning"), (0.1, "alarm")])
def test_weights_that_the_penalty_has_shrunk_are_the_cause_of_what_is_dead(norm: float, severity: str | None) -> None:
    def seen(step: int, norm: float, dead: float) -> events.LayersProbed:
        layers = layer(1, weight_norm=norm), layer(2, "ReLU", dead=dead), layer(3, weight_norm=norm / 2)
        return msgspec.structs.replace(looked(step, *layers), loss=2.3)

    probed = [seen(0, 1.0, 0.0), seen(500, norm, 1.0)]
    found = examine(probed, [], resolve({**MLP, "weight_decay": 0.1}))
    assert rules(found).get("over-regularised") == severity
    if severity:
        cause, *others = one_cause(found)
        assert (cause.rule, cause.remedy) == ("over-regularised", {"weight_decay": 0.0})
        assert f"{100 * norm:.0f} % of their norm" in cause.what
        assert next(one for one in others if one.rule == "dead-relu").because_of == "over-regularised"
    # Who has learned something, or has no penalty, has another reason.
    learned = [probed[0], msgspec.structs.replace(probed[1], loss=0.5)]
    assert "over-regularised" not in rules(examine(learned, [], resolve({**MLP, "weight_decay": 0.1})))
    assert "over-regularised" not in rules(examine(probed, [], resolve(MLP)))


def test_many_sick_layers_make_one_sentence_about_the_worst() -> None:
    layers = [layer(i, "ReLU", dead=0.5 + i / 1000) for i in range(1, 101)]
    found = [finding for finding in examine([looked(9, *layers)], [], resolve(MLP)) if finding.rule == "dead-relu"]
    assert [finding.layer for finding in found] == [100]
    assert "99 other layers" in found[0].what


@pytest.mark.parametrize("title", ["Sigmoid", "Tanh"])
def test_saturation(title: str) -> None:
    config = resolve({**MLP, "activation": title.lower(), "init": "normal", "init_std": 2})
    (finding,) = examine([looked(0, layer(1), layer(2, title, saturated=0.65), layer(3))], [], config)
    assert (finding.rule, finding.severity, finding.layer) == ("saturation", "alarm", 2)
    assert "65 %" in finding.what
    assert finding.remedy == {"init": "xavier"}
    assert not examine([looked(0, layer(1), layer(2, title, saturated=0.2), layer(3))], [], config)


@pytest.mark.parametrize(("ratio", "severity"), [(1e-6, "alarm"), (1e-4, "warning"), (0.01, None)])
def test_vanishing_gradient(ratio: float, severity: str | None) -> None:
    config = resolve({**MLP, "activation": "sigmoid", "hidden": "8,8"})
    probed = looked(5, layer(1, gradient_norm=0.2 * ratio), layer(3, gradient_norm=0.1), layer(5, gradient_norm=0.2))
    found = examine([probed], [], config)
    assert rules(found).get("vanishing-gradient") == severity
    if severity:
        assert found[0].remedy == {"activation": "relu", "init": "kaiming", "lr": 0.1}


def test_a_remedy_that_changes_the_activation_brings_a_rate_for_it() -> None:
    """Sigmoid has a higher default rate than ReLU, which would not survive it."""
    config = resolve({**MLP, "activation": "sigmoid", "hidden": "8,8"})
    probed = looked(5, layer(1, gradient_norm=1e-7), layer(3, gradient_norm=0.1), layer(5, gradient_norm=0.2))
    (finding,) = examine([probed], [], config)
    relu = resolve({**MLP, "hidden": "8,8"})
    assert config.lr > relu.lr
    assert finding.remedy == {"activation": "relu", "init": "kaiming", "lr": relu.lr}
    assert examine([probed], [], msgspec.structs.replace(config, lr=relu.lr))[0].remedy.keys() == {"activation", "init"}


@pytest.mark.parametrize(("norm", "severity"), [(5.0, None), (200.0, "warning"), (3000.0, "alarm")])
def test_exploding_gradient(norm: float, severity: str | None) -> None:
    found = examine([looked(0, layer(1, gradient_norm=norm), layer(2))], [], resolve({**MLP, "init": "normal"}))
    assert rules(found).get("exploding-gradient") == severity


@pytest.mark.parametrize(("units", "told"), [(1, "1 of 1 is 0"), (2, "1 of 2 is 0"), (4, "2 of 4 are 0")])
def test_one_dead_unit_is_one(units: int, told: str) -> None:
    share = 1.0 if units == 1 else 0.5
    found = examine([looked(1, layer(1), layer(2, "ReLU", dead=share, num_units=units), layer(3))], [], resolve(MLP))
    assert f"{told} for each of the samples looked at" in found[0].what


def test_one_broken_output_is_one() -> None:
    probed = [looked(0, layer(1)), looked(6, layer(1, nonfinite=1), loss=math.nan)]
    assert ": 1 output of layer 1 (Linear 4→4) is nan or infinite." in examine(probed, [], resolve(MLP))[0].what


def test_divergence_by_a_loss_that_grows_and_by_one_that_is_not_finite() -> None:
    config = resolve({**MLP, "lr": 5})
    start = looked(0, layer(1), loss=2.3)
    assert rules(examine([start, looked(50, layer(1), loss=3.0)], [], config)) == {}
    (grows,) = examine([start, looked(50, layer(1), loss=30.0)], [], config)
    assert (grows.rule, grows.severity) == ("divergence", "alarm")
    assert "30" in grows.what
    broken = looked(60, layer(1), layer(3, nonfinite=7, gradient_norm=math.nan), loss=math.nan)
    found = examine([start, broken], [], config)
    assert rules(found) == {"divergence": "alarm"}
    assert "7 outputs of layer 3" in found[0].what
    assert found[0].remedy == {"lr": 0.1}
    # Where a run has diverged, its layers tell nothing: how many steps they were trained after that is chance.
    (died,) = examine([start, looked(50, layer(1, dead=1.0), loss=2.29)], [], config, diverged_at=60)
    assert (died.what, died.step) == ("The loss has blown up at step 60.", 60)


def test_a_rate_that_is_too_high_needs_long_steps_and_a_bad_loss() -> None:
    config = resolve({**MLP, "lr": 2})
    start = looked(0, layer(1), loss=2.3)

    def found(ratio: float, loss: float, step: int = 500, steps: int = 2) -> dict[str, str]:
        late = [looked(step + i, layer(1, update_ratio=ratio + 0.001 * i), loss=loss) for i in range(steps)]
        return rules(examine([start, *late], [], config))

    assert found(0.3, 2.5) == {"learning-rate-high": "warning"}
    assert found(1.5, 2.5) == {"learning-rate-high": "alarm"}
    assert found(0.3, 1.0) == {}
    assert found(0.01, 2.5) == {}
    assert found(0.3, 2.5, step=10) == {}
    assert found(1.5, 2.5, steps=1) == {}  # one long step is an accident


def test_one_measured_step_is_no_habit_however_often_it_is_looked_at() -> None:
    start = looked(0, layer(1), loss=2.3)

    def found(lr: float, *ratios: float) -> dict[str, str]:
        """The looks at these steps, of which equal neighbours are one step that was measured."""
        late = [looked(500 + i, layer(1, update_ratio=ratio), layer(3), loss=2.5) for i, ratio in enumerate(ratios)]
        return rules(examine([start, *late], [], resolve({**MLP, "lr": lr})))

    assert found(2, 1.5) == {}
    assert found(2, 1.5, 1.5, 1.5) == {}
    assert found(2, 0.01, 1.5, 1.5) == {}
    assert found(2, 1.5, 1.5, 1.6) == {"learning-rate-high": "alarm"}
    assert found(1e-6, 1e-6) == {}
    assert found(1e-6, 1e-6, 1e-6) == {}
    assert found(1e-6, 1e-6, 1.1e-6) == {"learning-rate-low": "warning"}


def test_a_step_that_was_measured_too_early_does_not_count_when_it_is_looked_at_later() -> None:
    early = [looked(10, layer(1, update_ratio=1.5), loss=2.5), looked(60, layer(1, update_ratio=1.5), loss=2.5)]
    later = looked(90, layer(1, update_ratio=1.6), loss=2.5)
    config = resolve({**MLP, "lr": 2})
    assert rules(examine([looked(0, layer(1), loss=2.3), *early, later], [], config)) == {}


def test_a_rate_that_is_too_low_needs_short_steps_and_a_loss_that_stays() -> None:
    config = resolve({**MLP, "lr": 1e-6})
    start = looked(0, layer(1), loss=2.3)

    def found(ratio: float, loss: float, **given: object) -> tuple[events.Finding, ...]:
        late = (layer(1, update_ratio=ratio * (1 + 0.01 * i), **given) for i in range(2))
        return examine([start, *(looked(500, one, layer(3), loss=loss) for one in late)], [], config)

    (finding,) = found(1e-6, 2.29)
    assert (finding.rule, finding.remedy) == ("learning-rate-low", {"lr": 0.1})
    assert not found(1e-6, 0.5)
    assert not found(1e-3, 2.29)
    # Where no gradient arrives, it is not the rate that is to blame.
    assert rules(found(1e-6, 2.29, gradient_norm=1e-7)) == {"vanishing-gradient": "alarm"}


def test_overfitting_by_a_validation_loss_that_rises() -> None:
    falling = [1 / i for i in range(1, 13)]
    rising = [0.9, 0.6, 0.5] + [0.5 + 0.03 * i for i in range(9)]
    probed = [looked(120, layer(1))]
    (finding,) = examine(probed, epochs(falling, rising), resolve(MLP))
    assert (finding.rule, finding.severity, finding.remedy) == ("overfitting", "warning", {"dropout": 0.5})
    assert "after epoch 3" in finding.what
    assert not examine(probed, epochs(falling, [0.9, 0.6, 0.5] + [0.51] * 9), resolve(MLP))
    # One bad epoch is not a rise.
    assert not examine(probed, epochs(falling, [0.9, 0.6] + [0.5] * 9 + [0.9]), resolve(MLP))
    linear = resolve({"model": "linear", "dataset": "diabetes"})
    assert examine(probed, epochs(falling, rising), linear)[0].remedy == {"weight_decay": 0.01}


def test_overfitting_by_a_validation_loss_that_never_falls() -> None:
    probed = [looked(120, layer(1))]
    falling = [10.0**-i for i in range(8)]
    assert rules(examine(probed, epochs(falling, [0.02] * 8), resolve(MLP))) == {"overfitting": "warning"}
    assert not examine(probed, epochs(falling, [0.02 / i for i in range(1, 9)]), resolve(MLP))


def test_nothing_is_compared_with_a_start_that_is_not_known() -> None:
    """Of a run whose history was damaged, the first look that is known comes from where it went on."""
    config = resolve({**MLP, "lr": 1.0})

    def found(first: int, ratio: float, losses: tuple[float, float], config: RunConfig = config) -> dict[str, str]:
        steps = (first, first + 500, first + 600)
        told = zip(steps, (ratio, ratio * 1.01, ratio * 1.02), (*losses, losses[1]), strict=True)
        return rules(examine([looked(s, layer(1, update_ratio=r), loss=loss) for s, r, loss in told], [], config))

    grown, stays = (0.5, 30.0), (2.0, 2.0)
    assert found(0, 0.01, grown) == {"divergence": "alarm"}
    assert found(500, 0.01, grown) == {}
    assert found(0, 1e-6, stays) == {"learning-rate-low": "warning"}
    assert found(500, 1e-6, stays) == {}
    # What a guess is worth is known of classes; of numbers, the network as it starts is the guess.
    assert found(500, 0.5, (2.5, 2.6)) == {"learning-rate-high": "warning"}
    regression = resolve({"model": "linear", "dataset": "diabetes"})
    assert found(500, 0.5, (1.0, 1.5), regression) == {}
    for given in (config, regression):
        assert found(500, 0.01, (1.0, math.nan), given) == {"divergence": "alarm"}


def test_what_is_said_of_the_first_epoch_is_about_the_first_one() -> None:
    falling = [10.0**-i for i in range(8)]
    told = epochs(falling, [0.02] * 8)
    assert rules(examine([looked(80, layer(1))], told, resolve(MLP))) == {"overfitting": "warning"}
    later = [msgspec.structs.replace(epoch, epoch=epoch.epoch + 1000) for epoch in told]
    assert rules(examine([looked(80, layer(1))], later, resolve(MLP))) == {}


@pytest.mark.parametrize(
    ("hidden", "product", "bias"),
    [
        ("32", "W1·W2", "b1·W2 + b2"),
        ("32,16", "W1·W2·W3", "b1·W2·W3 + b2·W3 + b3"),
        ("8,8,8,8,8", "W1·W2·…·W6", "b1·W2·…·W6 + … + b6"),
    ],
)
def test_a_network_without_activations_equals_one_matrix(hidden: str, product: str, bias: str) -> None:
    (finding,) = examine([looked(0, layer(1))], [], resolve({**MLP, "activation": "identity", "hidden": hidden}))
    assert finding.rule == "no-activation"
    assert "64×10" in finding.what
    assert f"W = {product} does" not in finding.what
    assert f"W = {product}," in finding.what
    assert f"b = {bias}." in finding.what
    assert finding.remedy == {"activation": "relu"}


def test_not_zero_centred() -> None:
    positive = {"minimum": 0.0, "mean": 0.4}
    found = examine([looked(0, layer(1), layer(2, "ReLU", **positive), layer(3))], [], resolve(MLP))
    assert rules(found) == {"not-zero-centred": "note"}
    assert (found[0].remedy, found[0].try_) == ({}, ""), "a finding without a remedy advises nothing"
    sigmoid = examine([looked(0, layer(2, "Sigmoid", **positive))], [], resolve({**MLP, "activation": "sigmoid"}))
    assert sigmoid[0].remedy == {"activation": "tanh"}
    assert not examine([looked(0, layer(2, "Tanh"))], [], resolve({**MLP, "activation": "tanh"}))
    # A tanh may happen to be nowhere negative: that is not the activation's fault, and tanh no remedy.
    assert not examine([looked(0, layer(2, "Tanh", **positive))], [], resolve({**MLP, "activation": "tanh"}))


def test_the_gravest_comes_first() -> None:
    probed = looked(7, layer(2, "ReLU", dead=0.4, minimum=0.0, mean=0.4), layer(3, gradient_norm=1e5))
    assert [f.severity for f in examine([probed], [], resolve(MLP))] == ["alarm", "warning", "note"]


def test_every_limit_has_a_source() -> None:
    assert all(limit.source for limit in LIMITS.values())


def test_six_sigmoid_layers_lose_as_much_as_the_limit_says() -> None:
    config = resolve({**MLP, "activation": "sigmoid", "hidden": ",".join(["64"] * 6)})
    data = load(config)
    norms = [
        layer.gradient_norm
        for layer in probes.probe(build(config), *probes.probe_batch(data.x_train, data.y_train)).layers
        if layer.gradient_norm is not None
    ]
    assert norms[0] / norms[-1] == pytest.approx(1e-5, rel=0.3)
    assert "measured: six sigmoid layers" in LIMITS["vanishing"].source


def sick_everywhere(config: RunConfig) -> tuple[events.Finding, ...]:
    """Every rule's finding that there can be."""
    bad = {"update_ratio": 2.0, "gradient_norm": 1e6}
    layers = [layer(1, **bad), layer(2, "ReLU", dead=1.0), layer(3, "Tanh", saturated=1.0), layer(4, **bad)]
    start, late = looked(0, layer(1), loss=2.0), looked(500, *layers, loss=1e5)
    later = looked(600, layer(1, **{**bad, "update_ratio": 2.1}), *layers[1:], loss=1e5)
    slow = [looked(500, layer(1, update_ratio=ratio), layer(3), loss=2.0) for ratio in (1e-7, 1.1e-7)]
    vanished = looked(0, layer(1, gradient_norm=0.0), layer(3))
    told = epochs([1 / i for i in range(1, 20)], [1.0, *(0.1 * i for i in range(1, 19))])
    return (
        *examine([start, late, later], told, config),
        *examine([start, *slow], [], config),
        *examine([vanished], [], config),
    )


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("implementation", catalogue.IMPLEMENTATIONS)
def test_every_remedy_is_allowed(model: str, implementation: str) -> None:
    optimizers = OPTIMIZERS if implementation == "concise" else from_scratch()
    activations = ACTIVATIONS if model == "mlp" else ("relu",)
    seen = set()
    datasets = catalogue.datasets_for(model)
    settings = itertools.product(optimizers, catalogue.INITS, activations, (1e-5, 10.0))
    # Every combination with the first data set; with each of the others, every optimiser with every rate.
    combinations = [(datasets[0], *setting) for setting in settings]
    inits, shapes = itertools.cycle(catalogue.INITS), itertools.cycle(activations)
    for dataset, optimizer, lr in itertools.product(datasets[1:], optimizers, (1e-5, 10.0)):
        combinations.append((dataset, optimizer, next(inits), next(shapes), lr))
    for dataset, optimizer, init, activation, lr in combinations:
        given = {
            "model": model,
            "dataset": dataset,
            "implementation": implementation,
            "optimizer": optimizer,
            "init": init,
            "lr": lr,
        }
        if model == "mlp":
            given |= {"activation": activation, "hidden": "8,8", "dropout": 0.2}
        config = resolve(given)
        for finding in sick_everywhere(config):
            seen.add(finding.rule)
            changed = resolve({**given, **finding.remedy})
            assert not finding.remedy or changed != config
            assert finding.remedy.keys() <= FIELDS.keys()
            for text in (finding.what, finding.why, finding.try_):
                assert text
                assert "  " not in text
                assert text[-1] == "."
    assert {"divergence", "exploding-gradient", "dead-relu", "learning-rate-high", "overfitting"} <= seen
    assert {"vanishing-gradient", "learning-rate-low"} <= seen
    assert ("no-activation" in seen) == (model == "mlp")
