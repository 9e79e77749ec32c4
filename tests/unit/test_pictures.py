"""Pictures of a network: what they say is so, and to look changes nothing."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
import pytest
import torch
from torch import nn

from d2ltui.data import Dataset, load
from d2ltui.diagnosis.probes import probe
from d2ltui.engine.painter import Painter
from d2ltui.engine.picture_desk import PictureDesk
from d2ltui.nn import Network, build
from d2ltui.pictures.activation import of_function
from d2ltui.pictures.make import make
from d2ltui.pictures.subject import Subject
from d2ltui.spec.activations import ACTIVATIONS
from d2ltui.spec.config import resolve
from d2ltui.spec.pictures import (
    ActivationCurve,
    Confusion,
    Fit,
    Images,
    Maps,
    PictureRequest,
    Regions,
    SoftmaxSteps,
    Surface,
    picture_kinds,
)
from d2ltui.spec.registry import load_object


def subject_of(**given: object) -> tuple[Subject, Network, Dataset]:
    config = resolve(given)
    data = load(config)
    network = build(config, dataset=data.info)
    return Subject.of(network, data, torch.device("cpu")), network, data


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (
            {"model": "mlp", "dataset": "moons", "dropout": 0.5},
            ["regions", "units", "confusion", "softmax", "activation"],
        ),
        ({"model": "softmax", "dataset": "spirals", "implementation": "scratch"}, ["regions", "confusion", "softmax"]),
        (
            {"model": "mlp", "dataset": "digits", "implementation": "scratch"},
            ["mistakes", "samples", "confusion", "weights", "softmax", "activation"],
        ),
        ({"model": "linear", "dataset": "diabetes"}, ["fit", "surface"]),
        ({"model": "linear", "dataset": "synthetic-linear"}, ["fit", "surface"]),
    ],
    ids=lambda value: value["dataset"] if isinstance(value, dict) else "",
)
def test_every_picture_of_a_run_leaves_the_network_and_the_random_numbers_alone(
    given: dict[str, object], names: list[str]
) -> None:
    subject, network, data = subject_of(**given)
    kinds = picture_kinds(data.info, network.plan)
    assert [kind.name for kind in kinds] == names
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.get_rng_state()
    for kind in kinds:
        for choice in (0, 1, -1, 10_000):
            made = make(subject, PictureRequest(kind.name, 30, 20, choice), 7)
            assert made.picture is not None
            assert made.step == 7
    assert network.training
    assert all(module.training for module in network.modules())
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(parameter.grad is None for parameter in network.parameters())


def picture(subject: Subject, kind: str, width: int = 40, height: int = 30, choice: int = 0) -> object:
    return make(subject, PictureRequest(kind, width, height, choice), 0).picture


def test_regions_are_what_the_network_predicts_at_the_middle_of_each_pixel() -> None:
    subject, network, data = subject_of(model="mlp", dataset="spirals")
    found = picture(subject, "regions", 13, 8)
    assert isinstance(found, Regions)
    (left, right), (low, high) = found.x, found.y
    assert found.classes.shape == found.confidence.shape == (8, 13)
    for row, column in ((0, 0), (3, 5), (7, 12)):
        place = torch.tensor([[left + (column + 0.5) * (right - left) / 13, high - (row + 0.5) * (high - low) / 8]])
        probabilities = torch.softmax(network.eval()(place).detach(), 1)[0]
        assert found.classes[row, column] == int(probabilities.argmax())
        assert found.confidence[row, column] == pytest.approx(float(probabilities.max()), abs=1e-5)
    assert left < found.points[:, 0].min()
    assert found.points[:, 1].max() < high
    assert len(found.points) == min(1000, len(data.x_train)) == len(found.labels)


def test_the_true_curve_of_a_function_is_beside_what_is_fitted() -> None:
    subject, network, _ = subject_of(model="mlp", dataset="function", function="absolute", hidden="8")
    found = picture(subject, "fit")
    assert isinstance(found, Fit)
    assert found.truth == pytest.approx(np.abs(found.line_x), abs=1e-6)
    with torch.no_grad():
        outputs = network.eval()(torch.from_numpy(found.line_x).float().unsqueeze(1))
    assert found.line_y == pytest.approx(outputs[:, 0].numpy(), abs=1e-5)
    assert found.others == 0


def test_a_fit_has_its_residuals_and_the_true_line() -> None:
    subject, network, data = subject_of(model="linear", dataset="synthetic-linear")
    assert data.truth is not None
    w, b = data.truth
    with torch.no_grad():
        for value, parameter in zip((w.T, b), network.parameters(), strict=True):
            parameter.copy_(value)
    found = picture(subject, "fit", choice=1)
    assert isinstance(found, Fit)
    assert found.truth is not None
    assert found.axis == "x2"
    assert found.line_y == pytest.approx(found.truth, abs=1e-4)
    slope = (found.truth[-1] - found.truth[0]) / (found.line_x[-1] - found.line_x[0])
    assert slope == pytest.approx(-3.4, abs=1e-4)
    expected = (subject.y - (subject.x @ w + b))[:, 0].numpy()
    assert found.residuals == pytest.approx(expected, abs=1e-4)
    assert found.residuals.std() == pytest.approx(0.01, rel=0.2)
    # Each sample lies as far from the line as its residual says.
    on_line = np.interp(found.x, found.line_x, found.line_y)
    assert found.y - on_line == pytest.approx(found.residuals, abs=1e-3)


def test_a_plane_of_two_of_ten_inputs_has_the_others_at_their_mean() -> None:
    subject, network, _ = subject_of(model="linear", dataset="diabetes")
    found = picture(subject, "surface", 5, 4, choice=1)
    assert isinstance(found, Surface)
    assert found.axes == ("x1", "x3")
    place = subject.x.mean(0, keepdim=True).clone()
    (left, right), (low, high) = found.x, found.y
    place[0, 0], place[0, 2] = left + 0.1 * (right - left), high - (high - low) / 8
    assert found.values[0, 0] == pytest.approx(float(network(place).detach()), abs=1e-5)


def test_images_confusions_and_weights_are_those_of_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    subject, network, data = subject_of(model="mlp", dataset="digits")
    logits = network.eval()(data.x_val).detach()
    losses = nn.functional.cross_entropy(logits, data.y_val, reduction="none")
    wrong = logits.argmax(1) != data.y_val
    found = picture(subject, "mistakes", 50, 60)
    assert isinstance(found, Images)
    assert found.images.shape == (5 * 6, 8, 8, 1)
    assert found.total == int(wrong.sum())
    worst = int(torch.where(wrong, losses, -1.0).argmax())
    assert (found.images[0, ..., 0] / 255).ravel() == pytest.approx(data.x_val[worst].numpy(), abs=0.01)
    label, guess = int(data.y_val[worst]), int(logits[worst].argmax())
    assert found.captions[0].startswith(f"{label}→{guess} ")
    assert all(found.wrong)
    assert found.key[0].startswith(f"{found.captions[0]}: label {label}, predicted {guess}, ")
    later = picture(subject, "mistakes", 50, 60, choice=1)
    assert isinstance(later, Images)
    assert later.first == 30

    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)  # to import it takes a second of the training
    counts = picture(subject, "confusion")
    assert isinstance(counts, Confusion)
    for true, predicted in ((0, 0), (3, 5), (9, 1)):
        expected = int(((data.y_val == true) & (logits.argmax(1) == predicted)).sum())
        assert counts.counts[true, predicted] == expected
    assert counts.counts.sum() == len(data.x_val)

    weights = picture(subject, "weights", 50, 60)
    assert isinstance(weights, Maps)
    spec, weight, _ = network.weights()[0]
    assert weights.total == spec.num_outputs
    assert weights.maps[3].ravel() == pytest.approx(weight[:, 3].numpy())


def test_units_answer_as_the_hidden_layer_does() -> None:
    subject, network, _ = subject_of(model="mlp", dataset="moons")
    found = picture(subject, "units", 100, 200)
    assert isinstance(found, Maps)
    assert found.maps.min() == 0  # ReLUs
    assert found.maps.max() > 0
    assert found.total == network.plan[0].num_outputs
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize(("width", "height", "shown"), [(118, 68, 32), (38, 40, 9), (38, 60, 12), (8, 6, 1)])
def test_as_many_units_are_shown_as_there_is_room_for(width: int, height: int, shown: int) -> None:
    """In tiles of 20 pixels down to 10, with room for three lines below in a small pane."""
    subject, _, _ = subject_of(model="mlp", dataset="moons", hidden=32)
    found = picture(subject, "units", width, height)
    assert isinstance(found, Maps)
    assert (len(found.captions), found.total) == (shown, 32)
    assert 10 <= found.maps.shape[1] == found.maps.shape[2] <= 20


def test_softmax_overflows_where_it_is_naive_only() -> None:
    subject, network, _ = subject_of(model="softmax", dataset="moons")
    calm = picture(subject, "softmax")
    assert isinstance(calm, SoftmaxSteps)
    assert calm.naive == pytest.approx(calm.probabilities, abs=1e-6)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(0)
        list(network.parameters())[1].copy_(torch.tensor([100.0, 99.0]))
    found = picture(subject, "softmax")
    assert isinstance(found, SoftmaxSteps)
    assert np.isinf(found.naive_exp).all()
    assert np.isnan(found.naive).all()
    assert found.shifted.tolist() == [0, -1]
    assert found.probabilities == pytest.approx([0.731, 0.269], abs=1e-3)


def test_the_inputs_of_an_activation_lie_where_the_layer_before_puts_them() -> None:
    subject, network, _ = subject_of(model="mlp", dataset="moons", activation="tanh", init="normal", init_std=5)
    found = picture(subject, "activation", 60, 20)
    assert isinstance(found, ActivationCurve)
    inputs = network.layers[0].module(subject.x).detach().numpy().ravel()
    end = max(4.0, np.abs(inputs).max())
    assert (found.x[0], found.x[-1]) == pytest.approx((-end, end))
    assert found.counts.tolist() == np.histogram(inputs, 60, (-end, end))[0].tolist()
    pane = probe(network, subject.x, subject.y).layers[1]
    assert found.flat == pytest.approx(pane.saturated, abs=0.005), "as the layers' pane tells it"
    assert found.flat > 0.5
    assert found.title == "2 Tanh"


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_the_units_of_an_activation_are_told_as_a_look_tells_them(activation: str) -> None:
    subject, network, _ = subject_of(model="mlp", dataset="moons", activation=activation, init="normal", init_std=2)
    with torch.no_grad():
        network.layers[0].module.bias[:3] = -1e3  # units that are dead, or always saturated
    found = picture(subject, "activation", 60, 20)
    assert isinstance(found, ActivationCurve)
    looked = probe(network, subject.x, subject.y, units=True).layers[1].unit_activity
    assert looked is not None
    assert found.activity == pytest.approx(looked)
    assert found.activity[:3] == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "gelu"])
def test_an_input_far_out_changes_no_share(activation: str) -> None:
    subject, _, _ = subject_of(model="mlp", dataset="moons", activation=activation, init="normal", init_std=2)
    before = picture(subject, "activation", 60, 20)
    x = subject.x.clone()
    x[0] *= 1000
    after = picture(dataclasses.replace(subject, x=x), "activation", 60, 20)
    assert isinstance(before, ActivationCurve)
    assert isinstance(after, ActivationCurve)
    assert after.x[-1] > 100 * before.x[-1]
    assert after.flat == pytest.approx(before.flat, abs=1.5 / len(x))


@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_the_curve_of_every_activation_is_its_function_and_its_slope(name: str) -> None:
    activation = ACTIVATIONS[name]
    found = of_function(activation, 4.0)
    function = load_object(activation.module)() if activation.module else nn.Identity()
    assert found.y == pytest.approx(function(torch.from_numpy(found.x)).numpy(), abs=1e-6)
    smooth = np.abs(found.x) > 0.1  # a ReLU has no slope at 0
    rise = np.gradient(found.y.astype(np.float64), found.x.astype(np.float64))
    assert found.slope[smooth] == pytest.approx(rise[smooth], abs=0.02)
    assert not found.counts.any()


def test_a_picture_that_fails_is_told_once_and_others_go_on() -> None:
    subject, network, _ = subject_of(model="mlp", dataset="moons")
    failures: list[str] = []
    desk = PictureDesk()
    painter = Painter(desk, lambda: subject, lambda what, error: failures.append(f"{what}: {error}"))
    hook = network.layers[1].module.register_forward_hook(lambda *_: 1 / 0)
    for step in (1, 2):
        desk.ask(None)
        desk.ask(PictureRequest("regions", 4, 4))
        painter.paint(step)
        assert desk.made is not None
        assert desk.made.picture is None
        assert "division by zero" in desk.made.problem
    assert failures == ["the picture 'regions': division by zero"]
    hook.remove()
    desk.ask(PictureRequest("confusion", 4, 4))
    painter.paint(3)
    assert isinstance(desk.made.picture, Confusion)


def test_weights_that_have_diverged_have_a_picture_all_the_same() -> None:
    subject, network, data = subject_of(model="mlp", dataset="digits")
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(torch.nan)
    for kind in picture_kinds(data.info, network.plan):
        assert picture(subject, kind.name) is not None


def test_feature_maps_are_the_outputs_of_each_convolution_page_after_page() -> None:
    images = torch.rand(40, 28 * 28, generator=torch.Generator().manual_seed(0))
    config = resolve({"model": "lenet", "dataset": "mnist"})
    info = config.dataset_info
    network = build(config, dataset=info)
    labels = torch.arange(40) % 10
    subject = Subject.of(network, Dataset(info, images, labels, images, labels), torch.device("cpu"))
    assert "features" in [kind.name for kind in picture_kinds(info, network.plan)]
    expected = {spec.index: output[0].detach() for spec, output in network.trace(images[:1])}
    seen: list[Maps] = []
    for choice in range(4):
        found = picture(subject, "features", 59, 40, choice)
        assert isinstance(found, Maps)
        seen.append(found)
    # Two of 28×28 beside each other, and five times two of 10×10.
    assert [(found.first, found.total, len(found.maps)) for found in seen] == [
        (0, 6, 2),
        (2, 6, 2),
        (4, 6, 2),
        (0, 16, 15),
    ]
    assert seen[1].maps == pytest.approx(expected[1][2:4].numpy())
    assert seen[3].maps == pytest.approx(expected[4][:15].numpy())
    assert seen[1].captions == ("map 3", "map 4")
    assert "Conv 5×5 1→6" in seen[0].note
