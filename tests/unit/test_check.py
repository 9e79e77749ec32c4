"""`d2ltui check`: what would go wrong is said before the first step, and nothing of what would go well."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
import torch

from d2ltui.data import Dataset, load
from d2ltui.diagnosis.causes import with_remedy
from d2ltui.diagnosis.thresholds import AT_START
from d2ltui.engine.by_heart import SAMPLES, handful
from d2ltui.engine.checkup import Checkup, check
from d2ltui.engine.control import Control
from d2ltui.engine.workbench import Cancelled, Learner, set_up
from d2ltui.spec.config import resolve
from d2ltui.store import home
from tests.commands import Command
from tests.selection import long_after, long_unless

CPU = {"device": "cpu", "threads": 1}
DEEP = "64,64,64,64,64,64,64,64,64,64"


def checked(change: Callable[[Dataset], Dataset] = lambda data: data, /, **given: Any) -> Checkup:
    """Of the run, on its data after `change`."""
    config = resolve({**CPU, **given})
    return check(set_up(config, Control(), dataset=change(load(config))))


def figures(found: Checkup) -> dict[str, Any]:
    return {name: value for reading in found.readings for name, value in reading.figures.items()}


ONE_OF_EACH_RULE: list[tuple[str, dict[str, Any]]] = [
    ("symmetry", {"init": "zeros", "hidden": "64", "activation": "sigmoid"}),
    ("initialisation", {"init": "normal", "init_std": 1e-4, "hidden": "64,64,64,64"}),
    ("learning-rate-low", {"model": "linear", "lr": 1e-5}),
    ("learning-rate-high", {"model": "linear", "lr": 10}),
    ("no-activation", {"dataset": "circles", "activation": "identity"}),
    ("bottleneck", {"hidden": "64,1"}),
    ("over-regularised", {"weight_decay": 3, "hidden": "64"}),
    ("vanishing-gradient", {"hidden": "64,64,64,64,64", "activation": "sigmoid"}),
]
MORE: list[tuple[str, dict[str, Any]]] = [
    ("symmetry", {"init": "zeros", "hidden": "64"}),
    ("symmetry", {"init": "zeros", "hidden": "64,64", "activation": "tanh", "implementation": "scratch"}),
    ("initialisation", {"init": "normal", "init_std": 3}),
    ("initialisation", {"init": "default", "hidden": DEEP}),
    ("learning-rate-low", {"lr": 1e-7}),
    ("learning-rate-low", {"lr": 1e-4}),
    ("learning-rate-high", {"lr": 1000}),
    ("learning-rate-high", {"optimizer": "adam", "lr": 1}),
]


@pytest.mark.parametrize(("rule", "given"), [*ONE_OF_EACH_RULE, *long_after(0, MORE)])
def test_what_would_go_wrong_is_named_first_and_its_remedy_is_sound(rule: str, given: dict[str, Any]) -> None:
    severity = "warning" if rule == "bottleneck" else "alarm"  # one unit lets a little through
    given = {**given, "epochs": 5}  # fewer steps than a handful is given anyway
    found = checked(**given)
    first, *others = found.findings
    assert (first.rule, first.severity, first.because_of, first.step) == (rule, severity, "", 0)
    assert all(other.because_of == rule and not other.remedy for other in others)
    remedied = with_remedy(resolve({**CPU, **given}), first.remedy)
    assert first.remedy
    assert remedied is not None
    assert not check(set_up(remedied, Control())).alarmed


@pytest.mark.parametrize(("implementation", "optimizer"), [("concise", "adam"), ("scratch", "sgd")])
@pytest.mark.parametrize(
    ("model", "dataset"),
    long_unless(
        lambda pair: pair[1] in ("synthetic-linear", "moons", "digits"),
        [
            *(("linear", dataset) for dataset in ("synthetic-linear", "diabetes")),
            *(
                (model, dataset)
                for model in ("softmax", "mlp")
                for dataset in ("moons", "circles", "spirals", "digits")
            ),
        ],
    ),
)
def test_no_default_alarms(model: str, dataset: str, implementation: str, optimizer: str) -> None:
    found = checked(model=model, dataset=dataset, implementation=implementation, optimizer=optimizer)
    assert not found.alarmed
    # A straight line is too simple for some, and the book's N(0, 0.01²) takes its time with two hidden layers.
    expected = {"underfitting", "initialisation"} if dataset in ("circles", "spirals") else set()
    assert {finding.rule for finding in found.findings} <= expected


def _scaled(factor: float) -> Callable[[Dataset], Dataset]:
    return lambda data: dataclasses.replace(data, x_train=data.x_train * factor)


def _targets(factor: float) -> Callable[[Dataset], Dataset]:
    return lambda data: dataclasses.replace(data, y_train=data.y_train * factor)


def _mostly(share: float) -> Callable[[Dataset], Dataset]:
    """The first labels are class 3."""

    def change(data: Dataset) -> Dataset:
        y = data.y_train.clone()
        y[: int(share * len(y))] = 3
        return dataclasses.replace(data, y_train=y)

    return change


def _with_nan(data: Dataset) -> Dataset:
    x = data.x_train.clone()
    x[5, 3] = torch.nan
    return dataclasses.replace(data, x_train=x)


@pytest.mark.parametrize(
    ("rule", "severity", "change", "given"),
    [
        ("data-scale", "alarm", _scaled(500), {}),
        ("data-scale", "alarm", _scaled(1e-3), {}),
        ("data-scale", "alarm", _scaled(16), {}),
        ("data-scale", "warning", _scaled(0.15), {"optimizer": "adam"}),
        ("data-scale", "alarm", _scaled(0), {}),
        ("data-scale", "alarm", _with_nan, {}),
        ("data-scale", "warning", lambda data: dataclasses.replace(data, x_train=data.x_train + 0.7), {}),
        ("data-scale", "alarm", _targets(5000), {"model": "linear"}),
        ("data-scale", "warning", _targets(0), {"model": "linear"}),
        ("label-imbalance", "alarm", _mostly(0.95), {}),
        ("label-imbalance", "warning", _mostly(0.7), {}),
        ("label-imbalance", "alarm", _mostly(1.0), {}),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_data(
    rule: str, severity: str, change: Callable[[Dataset], Dataset], given: dict[str, Any]
) -> None:
    hidden = {} if given else {"hidden": "32"}
    found = checked(change, epochs=5, **hidden, **given)
    assert (rule, severity) in {(finding.rule, finding.severity) for finding in found.findings}
    assert all(
        finding.rule == rule or finding.because_of or finding.rule == "not-learning" for finding in found.findings
    )


def test_every_figure_of_a_healthy_network() -> None:
    found = checked(hidden="32")
    told = figures(found)
    assert found.findings == ()
    assert told["loss"] == pytest.approx(told["guess"], rel=0.2)
    assert sum(told["label_shares"]) == pytest.approx(1)
    assert len(told["outputs"]) == len(told["gradients"]) == 2
    assert told["outputs_per_layer"] == pytest.approx((told["outputs"][-1] / told["input"]) ** 0.5)
    assert told["units_alike"] == 0
    assert told["by_heart"]["score"] == 1


def test_a_checkup_changes_nothing_and_says_the_same_twice() -> None:
    bench = set_up(resolve({**CPU, "dropout": 0.3}), Control())
    before = bench.network.state()
    first, again = check(bench), check(bench)
    assert first == again
    assert all(torch.equal(value, before[name]) for name, value in bench.network.state().items())


def test_a_checkup_ends_when_it_is_asked_to() -> None:
    control = Control()
    bench = set_up(resolve(CPU), control)
    control.stop()
    with pytest.raises(Cancelled):
        check(bench)


def test_two_equal_units_are_found() -> None:
    bench = set_up(resolve({**CPU, "hidden": "4"}), Control())
    first, bias, last, _ = bench.network.parameters()
    with torch.no_grad():
        first[1], bias[1] = first[0], bias[0]  # but not what comes out of them: their gradients differ
    assert figures(check(bench))["units_alike"] == 0
    with torch.no_grad():
        last[:, 1] = last[:, 0]
    assert figures(check(bench))["units_alike"] == pytest.approx(1 / 3)


def test_a_handful_has_as_many_of_each_class_as_there_can_be() -> None:
    data = load(resolve(CPU))
    _, y = handful(data, 10)
    assert len(y) == SAMPLES
    assert torch.bincount(y).tolist() == [2, 2, 2, 2, 2, 2, 1, 1, 1, 1]
    few = dataclasses.replace(data, x_train=data.x_train[:3], y_train=data.y_train[:3])
    assert len(handful(few, 10)[1]) == 3


def test_every_limit_has_a_source() -> None:
    assert all(limit.source and limit.warning < limit.alarm for limit in AT_START.values())


# The command


Lines = Callable[..., tuple[int, list[str], list[str]]]


@pytest.fixture
def check_command(command: Command) -> Lines:
    def run(*arguments: str) -> tuple[int, list[str], list[str]]:
        status, out, err = command("check", "--device", "cpu", *arguments)
        return status, out.splitlines(), err.splitlines()

    return run


def test_a_line_for_each_thing_and_what_is_wrong(check_command: Lines) -> None:
    status, out, err = check_command("--hidden", "32")
    assert (status, err) == (0, ["digits: loading"])
    assert [line.split("  ")[0] for line in out[1:-1]] == [
        f"✓ {name}" for name in ("inputs", "labels", "loss", "outputs", "gradients", "units", "by heart")
    ]
    assert out[-1] == "nothing is wrong before the first step"
    status, out, _ = check_command("--hidden", "32", "--init", "zeros")
    assert status == 3
    assert [line[0] for line in out[1:8]] == list("✓✓✓▲▲▲▲")
    assert out[8].startswith("alarm: All weights start at 0")
    assert out[10] == "    try: Train with init kaiming."
    assert out[-1].startswith("    because of this: ")
    assert not home.runs_dir().exists() or not list(home.runs_dir().iterdir())


def test_json(check_command: Lines) -> None:
    status, out, _ = check_command("--lr", "1000", "--json")
    told = json.loads(out[-1])
    assert (status, told["kind"], told["lr"]) == (3, "check", 1000)
    assert told["figures"]["by_heart"]["samples"] == 16
    (finding,) = told["findings"]
    assert (finding["rule"], finding["remedy"]) == ("learning-rate-high", {"lr": 0.1})
    status, out, _ = check_command("--init", "normal", "--init-std", "1e30", "--json")  # what is not finite is null
    assert (status, json.loads(out[-1])["figures"]["loss"]) == (3, None)


def test_wrong_arguments_are_one_sentence(check_command: Lines) -> None:
    status, out, err = check_command("--dataset", "iris")
    assert (status, out, len(err)) == (2, [], 1)
    assert err[0].startswith("d2ltui: dataset: 'iris' is not ")


@pytest.mark.parametrize("name", ["check", "find-lr"])
def test_an_interrupt_ends_it_at_the_next_step(name: str, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []

    def interrupted(*_: object) -> None:
        steps.append(1)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(Learner, "step", interrupted)
    status, out, err = command(name, "--device", "cpu")
    assert (status, out, err.splitlines(), len(steps)) == (130, "", ["digits: loading"], 1)
    assert signal.getsignal(signal.SIGINT) == before
