"""`d2ltui find-lr`: the range test of the learning rate, its suggestion, and what is printed of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import torch

from d2ltui.charts.draw import draw
from d2ltui.charts.spec import ChartSpec, Line, Style
from d2ltui.data import Dataset
from d2ltui.diagnosis.causes import with_remedy
from d2ltui.engine import workbench
from d2ltui.engine.control import Control
from d2ltui.engine.range_test import HIGHEST, LOWEST, STEPS, RangeTest, range_test, rounded
from d2ltui.engine.trainer import Trainer
from d2ltui.engine.workbench import Cancelled, set_up
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.spec.language import using
from d2ltui.store import home
from tests.commands import Command
from tests.selection import long_after

CPU = {"device": "cpu", "threads": 1}


def range_of(**given: Any) -> tuple[RunConfig, RangeTest]:
    config = resolve({**CPU, **given})
    return config, range_test(set_up(config, Control()))


def final(config: RunConfig) -> float:
    summary = Trainer(config, Control(), [], sample_every=None).run().summary
    value = summary.get("val_accuracy", summary.get("val_r2"))
    assert isinstance(value, float)
    return value


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize(
    ("given", "epochs"),
    long_after(
        1,
        [
            ({"model": "linear", "dataset": "synthetic-linear"}, 5),
            ({"dataset": "digits", "hidden": "32"}, 10),
            ({"dataset": "moons"}, 40),
        ],
    ),
)
def test_the_suggestion_trains_as_well_as_the_default(given: dict[str, Any], epochs: int, optimizer: str) -> None:
    config, found = range_of(**given, optimizer=optimizer, epochs=epochs)
    assert found.suggestion is not None
    default, suggested = final(config), final(msgspec.structs.replace(config, lr=found.suggestion))
    assert suggested >= default - 0.05


@pytest.mark.parametrize("given", long_after(1, [{"hidden": "32,16", "activation": "tanh"}, {}, {"model": "softmax"}]))
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adagrad", "rmsprop", "adamw"])
def test_every_optimiser_has_a_suggestion(given: dict[str, Any], optimizer: str) -> None:
    config, found = range_of(**given, optimizer=optimizer)
    assert found.suggestion is not None
    assert 1 / 40 < found.suggestion / config.lr < 40
    assert found.suggestion == min(rounded(found.steepest or 0.0), rounded(found.tenth or 0.0))


@pytest.mark.parametrize("model", ["linear", "softmax", "mlp"])
def test_from_scratch_finds_what_concise_does(model: str) -> None:
    given = {
        "model": model,
        **({"init": "kaiming"} if model == "mlp" else {"init": "normal"} if model != "linear" else {}),
    }
    rates = [range_of(**given, implementation=how)[1].suggestion for how in ("concise", "scratch")]
    assert None not in rates
    assert 0.3 < (rates[1] or 0.0) / (rates[0] or 1.0) < 3.5  # linear regression from scratch has half the gradient


@pytest.mark.parametrize("implementation", long_after(1, ["concise", "scratch"]))
def test_lenet(implementation: str) -> None:
    config = resolve(
        {
            **CPU,
            "model": "lenet",
            "implementation": implementation,
            "batch_size": 8,
            "activation": "relu",
            "init": "kaiming",
        }
    )
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(40) % 10
    x = torch.randn(10, 784, generator=generator)[y] + 0.1 * torch.randn(40, 784, generator=generator)
    found = range_test(set_up(config, Control(), dataset=Dataset(config.dataset_info, x, y, x, y)))
    assert found.suggestion is not None


def test_a_layer_of_sigmoids_gets_as_many_steps_as_it_needs() -> None:
    _, found = range_of(dataset="digits", activation="sigmoid", hidden="64")
    assert len(found.rates) > STEPS[0]
    assert found.suggestion is not None
    assert 0.1 <= found.suggestion <= 1.0


def test_where_no_rate_helps_it_says_what_does_and_why() -> None:
    config, found = range_of(hidden="32,32,32", activation="sigmoid", optimizer="sgd")
    assert found.suggestion is None
    first, second = found.instead
    assert (first.remedy["activation"], second.remedy) == ("relu", {"optimizer": "adam"})
    said = found.in_words("key k")
    assert said[0].startswith("no suggestion: in 1,280 steps ")
    assert "with activation relu" in said[1]
    assert said[1].endswith("the gradient vanishes on its way back through 3 layers of sigmoid")
    changed = with_remedy(config, {**second.values, "epochs": 10})
    assert changed is not None
    assert final(changed) > 0.8, "and so it does"


def test_rates_grow_and_stop_where_the_loss_explodes(monkeypatch: pytest.MonkeyPatch) -> None:
    _, found = range_of(optimizer="sgd")
    assert found.rates[0] == LOWEST
    ratios = [b / a for a, b in zip(found.rates, found.rates[1:], strict=False)]
    assert max(ratios) == pytest.approx(min(ratios))
    assert found.exploded
    assert STEPS[0] * 0.8 < len(found.rates) < STEPS[0]
    assert found.losses[-1] > 2 * min(found.losses)
    monkeypatch.setattr("d2ltui.engine.range_test.STEPS", STEPS[:1])  # more would be in vain
    _, found = range_of(init="zeros")
    assert not found.exploded
    assert [one.remedy for one in found.instead][:1] == [{"init": "kaiming"}]
    assert found.rates[-1] == pytest.approx(HIGHEST)
    assert (found.suggestion, found.method) == (None, None)


def test_the_run_s_own_rate_changes_nothing_and_the_same_is_found_twice() -> None:
    first, again = range_of()[1], range_of(lr=3.0)[1]
    assert (again.lr, first.rates, first.losses) == (3.0, again.rates, again.losses)


def test_it_ends_when_it_is_asked_to() -> None:
    control = Control()
    bench = set_up(resolve(CPU), control)
    control.stop()
    with pytest.raises(Cancelled):
        range_test(bench)


@pytest.mark.parametrize(("rate", "expected"), [(0.078, 0.1), (0.0017, 0.002), (4.2, 5.0), (8.0, 10.0), (1e-7, 1e-7)])
def test_rounded(rate: float, expected: float) -> None:
    assert rounded(rate) == expected


# The command


Lines = Callable[..., tuple[int, list[str], list[str]]]


@pytest.fixture
def find_lr(command: Command) -> Lines:
    def run(*arguments: str) -> tuple[int, list[str], list[str]]:
        given = ("--device", "cpu") if "--device" not in arguments else ()
        status, out, err = command("find-lr", *arguments, *given)
        return status, out.splitlines(), err.splitlines()

    return run


def test_the_curve_and_a_sentence(find_lr: Lines) -> None:
    status, out, err = find_lr("--lr", "3")
    assert (status, err) == (0, ["digits: loading"])
    assert out[0].startswith("mlp (concise) on digits, sgd: ")
    assert "s suggestion" in out[2].replace("─", "")
    assert "1e-6" in out[-3]
    assert "1e-4" in out[-3]
    assert out[-2].startswith("suggestion: lr 0.1, a tenth of the rate at the lowest loss (")
    assert out[-1] == "the run has lr 3: 30 times the suggestion, which may be too high"
    assert not home.runs_dir().exists() or not list(home.runs_dir().iterdir())


def test_json(find_lr: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    status, out, _ = find_lr("--dataset", "moons", "--json")
    told = json.loads(out[-1])
    assert (status, told["kind"], told["lr"]) == (0, "find-lr", 0.3)
    assert len(told["rates"]) == len(told["losses"]) == told["steps"]
    assert told["ratio"] == pytest.approx(told["lr"] / told["suggestion"])
    monkeypatch.setattr("d2ltui.engine.range_test.STEPS", STEPS[:1])
    status, out, _ = find_lr("--init", "zeros", "--json")
    told = json.loads(out[-1])
    assert (status, told["suggestion"]) == (1, None)
    assert told["instead"] == [{"init": "kaiming", "lr": 0.1}]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--lr", "-1"), "lr: '-1' is not allowed"),
        (("--device", "cuda:77"), "device: 'cuda:77' is not available"),
        (("moons",), "find-lr: 'moons' is not allowed"),
    ],
)
def test_wrong_arguments_are_one_sentence(find_lr: Lines, arguments: tuple[str, ...], said: str) -> None:
    status, out, err = find_lr(*arguments)
    assert (status, out, len(err)) == (2, [], 1)
    assert err[0].startswith(f"d2ltui: {said}")


def test_what_fails_is_one_sentence(find_lr: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("shapes do not fit")

    monkeypatch.setattr(workbench.Learner, "step", fail)
    status, out, err = find_lr()
    assert (status, out, err[1:]) == (1, [], ["d2ltui: ValueError: shapes do not fit"])


@pytest.mark.parametrize("ascii", [True, False])
def test_a_logarithmic_x_axis_has_powers_of_ten(ascii: bool) -> None:
    x = [10.0**k for k in range(-4, 3)]
    spec = ChartSpec(
        60,
        12,
        [Line("", Style.TRAIN, x, [float(i) for i in range(7)])],
        x_low=1e-4,
        x_high=100,
        log_x=True,
        ascii=ascii,
    )
    shown = ["".join(text for _, text in line) for line in draw(spec)]
    assert shown[-1].split() == ["1e-4", "0.01", "1", "100"]
    steps = [line.find("*" if ascii else "⡠") for line in shown]
    assert any(step > 0 for step in steps)  # a straight line: equal factors are equal distances


def test_what_is_found_is_told_in_chinese() -> None:
    found = RangeTest((1e-3, 1e-2), (1.0, 0.5), (1.0, 0.5), 0.01, 0.01, False, 0.03)
    english = found.in_words("key k")
    with using("zh"):
        chinese = found.in_words("k")
    assert english[0].startswith("suggestion: lr 0.01, steepest descent")
    assert chinese[0].startswith("建议：学习率 0.01")
    assert not any("suggestion" in sentence for sentence in chinese)
