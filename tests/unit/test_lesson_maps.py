"""The maps of lessons show what they say: where networks die, and where they learn."""

from __future__ import annotations

import shlex

import pytest

from d2ltui.engine.control import Control
from d2ltui.engine.map import MapTraining
from d2ltui.lessons import LESSONS
from d2ltui.lessons.lesson import check_lesson
from d2ltui.lessons.lesson_map import LessonMap
from d2ltui.spec.axes import base_config, parse_axis
from d2ltui.spec.language import using
from d2ltui.spec.maps import Cell, Figures, effort_of, runs_of

MAPPED = [name for name, lesson in LESSONS.items() if lesson.map is not None]


def test_who_has_one() -> None:
    assert MAPPED == ["sigmoid-saturates", "vanishing", "dead-relu", "revive"]


@pytest.mark.parametrize("name", MAPPED)
def test_its_command_trains_the_same_in_seconds(name: str) -> None:
    shown = map_of(name)
    words = shlex.split(shown.command)
    assert words[:2] == ["d2ltui", "map"]
    given = {
        option.removeprefix("--").replace("-", "_"): value
        for option, value in zip(words[2::2], words[3::2], strict=True)
    }
    x, y = parse_axis("x", given.pop("x")), parse_axis("y", given.pop("y"))
    assert given.pop("show") == shown.show
    assert (base_config(given, x, y), x, y) == (shown.spec.config, shown.spec.x, shown.spec.y)
    assert not effort_of(shown.spec).is_large
    assert shown.spec.total <= 100


@pytest.mark.parametrize("name", MAPPED)
def test_what_there_is_to_see_is_told_in_chinese(name: str) -> None:
    english = map_of(name)
    with using("zh"):
        chinese = map_of(name)
    assert chinese.see != english.see
    assert chinese.spec == english.spec


def map_of(name: str) -> LessonMap:
    found = LESSONS[name].map
    assert found is not None
    return found


def trained(name: str, *cells: Cell) -> list[float]:
    """What the map shows of some of its cells, each of which is trained."""
    shown, found = map_of(name), dict[Cell, Figures]()
    runs = runs_of(shown.spec)
    training = MapTraining({cell: runs[cell] for cell in cells}, Control(), workers=1)
    assert training.train(found.update)
    return [found[cell][shown.show] for cell in cells]


def test_a_high_rate_kills_and_so_do_large_weights() -> None:
    healthy, high, large = trained("dead-relu", (2, 0), (9, 0), (3, 7))
    assert healthy < 0.2
    assert min(high, large) > 0.8


def test_a_good_start_stands_rates_that_large_weights_do_not_and_not_the_highest() -> None:
    normal, xavier, kaiming, highest = trained("revive", (4, 0), (4, 1), (4, 2), (9, 2))
    assert max(xavier, kaiming) < 0.25 < 0.6 < min(normal, highest)


def test_sigmoid_alone_loses_the_gradient_with_depth() -> None:
    shallow, sigmoid, tanh, relu = trained("vanishing", (0, 0), (9, 0), (9, 1), (9, 2))
    assert sigmoid < 1e-4 < 0.05 < min(shallow, tanh, relu)


def test_large_weights_saturate_and_small_ones_do_not() -> None:
    small, large, at_ten = trained("sigmoid-saturates", (0, 2), (9, 2), (0, 5))
    assert small < 0.1 < 0.6 < min(large, at_ten)


def test_a_map_that_cannot_be_trained_is_said() -> None:
    lesson = LESSONS["dead-relu"]
    given = {
        field: getattr(lesson, field) for field in ("name", "title", "section", "claim", "formula", "text", "measure")
    }
    for shown, said in (
        (LessonMap({}, "lr=0:1:3", "depth=1:2:2", "dead", "It."), "map: x: 'lr=0:1:3' is not allowed"),
        (LessonMap({}, "lr=0.1:1:3", "depth=1:2:2", "dead", ""), "map: '' is no line of text"),
    ):
        with pytest.raises(ValueError, match=said):
            check_lesson(type(LESSONS["symmetry"]).__mro__[1](**given, map=shown))
