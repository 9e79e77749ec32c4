"""The axes of a map: what they may be, which runs they make, and what is said of wrong ones."""

from __future__ import annotations

import numpy as np
import pytest

from d2ltui.spec.axes import Axis, base_config, cell_config, check_cells, parse_axis
from d2ltui.spec.catalogue import default_lr
from d2ltui.spec.parsing import ConfigError

LR = "lr=1e-4:10:6"


def test_scales_are_multiples_and_shares_distances() -> None:
    lr, dropout = parse_axis("x", LR), parse_axis("y", "dropout=0:0.5:6")
    assert lr.scale == "log"
    np.testing.assert_allclose(lr.values, [1e-4, 1e-3, 1e-2, 0.1, 1, 10])
    assert dropout == Axis("dropout", (0.0, 0.1, 0.2, 0.3, 0.4, 0.5), "linear")
    assert parse_axis("x", "lr=0.1:0.5:5:linear").values == (0.1, 0.2, 0.3, 0.4, 0.5)
    assert parse_axis("x", "momentum=0.1:0.9:3:log").values == (0.1, 0.3, 0.9)
    assert parse_axis("x", "--init-std=1e-3:1:4").field == "init_std"


def test_whole_numbers_and_choices() -> None:
    assert parse_axis("x", "batch_size=8:64:4").values == (8, 16, 32, 64)
    assert parse_axis("x", "depth=1:4:4").values == (1, 2, 3, 4)
    assert parse_axis("x", "width=4:64:5").values == (4, 8, 16, 32, 64)
    assert parse_axis("x", "optimizer=sgd, adam") == Axis("optimizer", ("sgd", "adam"), "choice")
    assert parse_axis("x", "lr=0.1,0.5").values == (0.1, 0.5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lr=10:1e-4:32", "its ends are the wrong way round); allowed: lr=1e-4:10:32"),
        ("lr=1e-4:10:1", "it has one value"),
        ("lr=1:1:5", "it has one value"),
        ("optimizer=adam", "it has one value"),
        ("weight_decay=0:1:5", "allowed: more than 0, or weight_decay=0:1:5:linear"),
        ("lr=0:1:5", "lr: 0.0 is not allowed; allowed: a finite number greater than 0"),
        ("lr=0.1:1:0", "it has no values"),
        ("weight_decay=0:1:5", "more than 0, or weight_decay=0:1:5:linear"),
        ("lr=nan:1:5", "nan is not finite"),
        ("lr=1:inf:5", "inf is not finite"),
        ("lr=1:1e999:5", "1e999 is not finite"),
        ("lr=a:1:5", "'a' is not a number"),
        ("lr=1:2:2.5", "not a number of values"),
        ("lr=1:2:1001", "1,001 values are too many"),
        ("lr=1:1.00001:9", "too close together"),
        ("depth=1:3:9", "it has 3 whole numbers"),
        ("lr=1:2", "it is not a range"),
        ("lr=1:2:3:cubic", "it is not a range"),
        ("lr", "it has no values"),
        ("hidden=8:64:3", "depth and width vary it"),
        ("learning=1:2:3", "there is no such axis"),
        ("activation=1:2:3", "activation is not a number"),
        ("optimizer=sgd,adm", "did you mean adam?"),
        ("optimizer=sgd,sgd", "a value is given twice"),
        ("dropout=0.5:1.5:3", "allowed: a finite number, 0 or more and less than 1"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_axis("x", text)
    (problem,) = error.value.problems
    assert problem.message.startswith(f"x: '{text}' is not allowed")
    assert said in problem.message


def test_what_goes_with_a_choice_only_has_it() -> None:
    """A standard deviation of the initial weights means init normal, unless that is an axis, too, or given."""
    x, y = parse_axis("x", LR), parse_axis("y", "init_std=1e-3:1:4")
    assert base_config({}, x, y).init == "normal"
    assert base_config({}, parse_axis("x", "momentum=0.1,0.9"), x).optimizer == "momentum"
    smoothed = parse_axis("x", "label_smoothing=0:0.9:4")
    assert base_config({}, smoothed, x).dataset == "digits"
    with pytest.raises(ConfigError, match="dataset diabetes has no label_smoothing"):
        base_config({"dataset": "diabetes", "model": "mlp"}, smoothed, x)
    with pytest.raises(ConfigError, match="init kaiming has no init_std"):
        base_config({"init": "kaiming"}, x, y)


@pytest.mark.parametrize(
    ("given", "x", "y", "said"),
    [
        ({}, LR, LR, "lr is not allowed on both axes"),
        ({"model": "softmax"}, "dropout=0:0.5:3", LR, "model softmax has no dropout"),
        ({"model": "softmax"}, "depth=1:3:3", LR, "model softmax, which has no hidden layers"),
        ({"optimizer": "sgd"}, "momentum=0:0.9:3", LR, "optimizer sgd has no momentum"),
    ],
)
def test_fields_that_the_run_has_not(given: dict[str, object], x: str, y: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        base_config(given, parse_axis("x", x), parse_axis("y", y))
    assert said in str(error.value)


def test_a_cell_is_the_run_with_both_values() -> None:
    x, y = parse_axis("x", "optimizer=sgd,adam"), parse_axis("y", "depth=1:3:3")
    given = {"dataset": "circles", "hidden": "7"}
    base = base_config(given, x, y)
    cell = cell_config(base, x, y, 1, 2, given)
    assert (cell.optimizer, cell.hidden) == ("adam", (7, 7, 7))
    assert cell.lr == default_lr("mlp", "circles", "adam", "relu")  # which nobody has chosen
    assert cell_config(base, x, y, 1, 2, {**given, "lr": 0.1}).lr == base.lr
    both = parse_axis("x", "width=4:16:3")
    assert cell_config(base, both, y, 2, 1, given).hidden == (16, 16)


def test_a_value_that_no_run_can_have_is_found_before() -> None:
    x, y = parse_axis("x", "batch_size=100:5000:3"), parse_axis("y", LR)
    base = base_config({"dataset": "circles"}, x, y)
    cells = {(i, j): cell_config(base, x, y, i, j, {}) for i in range(3) for j in range(6)}
    with pytest.raises(ConfigError, match="batch_size: 5000 is not allowed; allowed: 1 to 800"):
        check_cells(cells)
