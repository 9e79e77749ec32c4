"""Axes that nobody has typed, as they are typed, and parts of them."""

from __future__ import annotations

import pytest

from d2ltui.spec.axes import Axis, base_config, cell_config, parse_axis
from d2ltui.spec.axes_usual import axis_fields, axis_text, usual_axes, usual_axis, zoomed
from d2ltui.spec.config import resolve
from d2ltui.spec.maps import MapSpec, effort_of, quantities_of, runs_of
from d2ltui.spec.models import MODELS
from d2ltui.spec.parsing import ConfigError


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("implementation", ["concise", "scratch"])
def test_every_usual_axis_of_every_model_can_be_trained(model: str, implementation: str) -> None:
    if implementation not in MODELS[model].implementations:
        return
    given: dict[str, object] = {"model": model, "implementation": implementation}
    config = resolve(given)
    texts = usual_axes(config, given)
    assert texts[0] == "lr=1e-4:10:16"
    fields = axis_fields(config, given)
    assert {"lr", "seed", "batch_size"} <= set(fields)
    for field in fields:
        axis = parse_axis("y", usual_axis(field, config))
        other = parse_axis("x", usual_axis("lr" if field != "lr" else "seed", config))
        base = base_config(given, other, axis)
        for row in range(len(axis.values)):
            cell_config(base, other, axis, 0, row, given)


def test_an_initialisation_that_was_chosen_stays() -> None:
    given: dict[str, object] = {"model": "mlp", "init": "xavier"}
    assert usual_axes(resolve(given), given)[1].startswith("weight_decay=")
    assert usual_axes(resolve({"model": "mlp"}), {"model": "mlp"})[1].startswith("init_std=")


def test_fields_that_would_be_refused_or_change_the_data_are_not_offered() -> None:
    def offered(**given: object) -> set[str]:
        return set(axis_fields(resolve({"model": "mlp", **given}), {"model": "mlp", **given}))

    assert {"momentum", "init_std", "label_smoothing"} <= offered(dataset="circles")
    assert "momentum" not in offered(dataset="circles", optimizer="adam")
    assert "momentum" in offered(dataset="circles", optimizer="momentum")
    assert "init_std" not in offered(dataset="circles", init="xavier")
    assert "label_smoothing" not in offered(dataset="function")


@pytest.mark.parametrize(
    "text", ["lr=0.0001:10:16", "lr=0.1:0.5:5:linear", "dropout=0:0.5:6", "optimizer=sgd,adam", "depth=1:4:4"]
)
def test_an_axis_is_told_as_it_is_typed(text: str) -> None:
    assert axis_text(parse_axis("x", text)) == text


def test_a_part_of_an_axis_has_as_many_values_in_half_of_its_range() -> None:
    axis = parse_axis("x", "lr=1e-4:1e4:17")
    part = zoomed("x", axis, 8)
    assert (part.values[0], part.values[-1], len(part.values)) == (0.01, 100.0, 17)
    assert part.scale == "log"
    assert 1.0 in part.values
    for index, ends in ((0, (1e-4, 1.0)), (16, (1.0, 1e4))):  # at an edge it reaches as far to the other side
        part = zoomed("x", axis, index)
        assert (part.values[0], part.values[-1]) == ends


def test_whole_numbers_between_are_as_many_as_there_are() -> None:
    assert zoomed("x", parse_axis("x", "depth=1:8:8"), 3).values == (2, 3, 4, 5, 6)
    width = zoomed("x", parse_axis("x", "width=2:256:8"), 1)
    assert width.values[0] == 2
    assert len(set(width.values)) == len(width.values) > 4
    choices = parse_axis("y", "optimizer=sgd,adam,rmsprop")
    assert zoomed("y", choices, 1) == choices
    with pytest.raises(ConfigError, match="too close"):
        zoomed("x", Axis("lr", tuple(0.1 + k * 1e-5 for k in range(16)), "linear"), 8)


def test_what_a_map_takes_and_shows() -> None:
    x, y = parse_axis("x", "lr=1e-4:10:1000"), parse_axis("y", "init_std=1e-3:3:1000")
    large = effort_of(MapSpec(base_config({}, x, y), x, y, 1))
    assert large.is_large
    assert large.in_words.startswith("1,000,000 networks of 4,500 steps take about ")
    x, y = parse_axis("x", "lr=0.1,1"), parse_axis("y", "init_std=0.1,1")
    small = MapSpec(base_config({"dataset": "circles"}, x, y), x, y, 2)
    assert not effort_of(small).is_large
    assert [run.seed for run in runs_of(small)[1, 0]] == [0, 1]
    assert quantities_of("classification")[:2] == ("val_accuracy", "val_loss")
    assert quantities_of("regression")[:3] == ("val_loss", "val_r2", "train_loss")
