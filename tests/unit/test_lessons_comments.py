"""What is said of a measurement follows from its figures, those that break the claim, too."""

from __future__ import annotations

import pytest
import torch

from d2ltui.lessons import LESSONS, Bench
from d2ltui.lessons.book import (
    cross_entropy,
    dead_relu,
    four_elements,
    relu_fast,
    revive,
    sigmoid_saturates,
    vanishing,
    weight_decay,
    zero_centred,
)
from d2ltui.lessons.measured import Measured


def bench(name: str, epochs: int | None, given: dict[str, dict[str, object]] | None = None) -> Bench:
    few: dict[str, object] = {"epochs": epochs} if epochs else {}
    fields = {e.role: {**few, **(given or {}).get(e.role, {})} for e in LESSONS[name].experiments}
    return Bench(LESSONS[name], seeds=1, given=fields)


def value(measured: Measured, what: str) -> float:
    (found,) = (figure.value for figure in measured.figures if figure.what == what)
    assert found is not None
    return found


@pytest.fixture(autouse=True)
def _embedded_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("D2LTUI_DATA_DIR", raising=False)


def test_the_cheapest_activation_is_the_one_that_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relu_fast, "REPEATS", 5)

    def slow(x: torch.Tensor) -> torch.Tensor:
        return torch.stack([torch.tanh(x)] * 8).mean(0)

    turned = {"ReLU": slow, "sigmoid": torch.relu, "tanh": slow}
    comment = relu_fast.relu_fast(bench("relu-fast", 1), functions=turned).comment
    assert "sigmoid is the cheapest" in comment
    assert "ReLU is the cheapest" not in comment
    # After one epoch no network is there: what is counted instead must be said.
    assert "one more" in comment


def test_remedies_that_did_not_help_are_named() -> None:
    comment = revive.revive(bench("revive", 1, {"large weights, Adagrad": {"optimizer": "sgd"}})).comment
    assert "bears" not in comment
    _, not_helping = comment.split("these do not: ")
    assert "large weights, Adagrad" in not_helping.split(". ")[0].split("; ")


def test_no_cause_of_death_is_asserted() -> None:
    comment = dead_relu.dead_relu(bench("dead-relu", 1, {"large weights": {"init": "kaiming"}})).comment
    assert "throws" not in comment
    assert "kill" not in comment


def test_weights_that_fit_nothing_are_not_called_exact() -> None:
    measured = weight_decay.weight_decay(bench("weight-decay", None, {"without": {"lr": 1e-6}}))
    assert value(measured, "training loss without, the median") > 0.001
    assert "exactly" not in measured.comment
    assert "medians" in measured.comment


def test_the_same_implementation_twice_is_no_closer() -> None:
    same: dict[str, dict[str, object]] = {
        "concise": {"implementation": "scratch"},
        "concise, half the rate": {"lr": 1.0},
    }
    measured = four_elements.four_elements(bench("four-elements", None, same))
    assert "closer" not in measured.comment
    assert "is the ½" not in measured.comment
    assert "is the ½" in four_elements.four_elements(bench("four-elements", None)).comment


def test_saturation_is_a_share_of_outputs() -> None:
    measured = sigmoid_saturates.sigmoid_saturates(bench("sigmoid-saturates", None))
    assert not any("units" in figure.what for figure in measured.figures)
    assert sum(figure.what.startswith("saturated outputs") for figure in measured.figures) == 6


def test_cross_entropy_wins_where_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cross_entropy, "MLP_RATES", (0.1,))
    measured = cross_entropy.cross_entropy(bench("cross-entropy", 2), other=lambda o, y: 0 * o.sum())
    assert value(measured, "multilayer perceptron: cross-entropy's gain at the best rates") > 0
    assert "no law" not in measured.comment


def test_samples_agree_where_they_do() -> None:
    comment = zero_centred.zero_centred(bench("zero-centred", 1)).comment
    assert "disagree" not in comment


def test_a_gradient_that_is_0_is_no_divisor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vanishing, "DEPTHS", (2, 3))
    measured = vanishing.vanishing(bench("vanishing", 1, {"sigmoid": {"init": "zeros"}}))
    assert "Each sigmoid layer" not in measured.comment


def test_underflow_of_single_terms_is_not_claimed_to_be_prevented() -> None:
    assert "underflow" not in LESSONS["softmax-shift"].claim
