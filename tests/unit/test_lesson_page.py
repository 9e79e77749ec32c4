"""The verdict above a lesson's page: whole lines, in whatever room there is."""

from __future__ import annotations

import textwrap
from types import SimpleNamespace
from typing import Any

import pytest
from rich.text import Text

from d2ltui.lessons import LESSONS
from d2ltui.tui.screens.lesson_page import fitted, time_left

LINES = [
    "The claim holds. Large weights leave 93 % of the worst layer's units dead.",
    "✓ Dead with large weights: 92.8 % of the units (claimed: at least 50 %)",
    "✓ Dead with Kaiming's instead: 3.65 % of the units (claimed: at most 15 %)",
]


@pytest.mark.parametrize("width", [24, 48, 70, 200])
@pytest.mark.parametrize("rows", range(4, 14))
def test_no_figure_is_cut_in_the_middle(width: int, rows: int) -> None:
    said = fitted(Text("\n".join(LINES)), width, rows).plain.split("\n")
    whole = [line for line in said if line in LINES]
    assert whole == LINES[: len(whole)], "from the first on"
    assert whole
    assert said[len(whole) :] in ([], ["the other figures stand below"])
    assert len(whole) == len(LINES) or "below" in said[-1]
    used = sum(len(textwrap.wrap(line, width)) for line in said)
    assert used <= rows or len(whole) == 1


def test_what_has_room_stays_as_it_is() -> None:
    said = Text("\n".join(LINES))
    assert fitted(said, 80, 3) is said
    assert fitted(said, 0, 0) is said, "before there is a size"


def measured(total: int, *runs: tuple[str, float]) -> Any:
    """The dropout lesson with two seeds, its runs so far, each on a data set for so many seconds."""
    lives = [SimpleNamespace(config=SimpleNamespace(dataset=name), seconds=seconds) for name, seconds in runs]
    bench = SimpleNamespace(total=total, seeds=(0, 1))
    return SimpleNamespace(
        lesson=LESSONS["dropout"], bench=bench, began=0.0, runs=[SimpleNamespace(live=live) for live in lives]
    )


def test_quick_runs_on_few_samples_say_nothing_of_long_ones_to_come() -> None:
    digits = [("digits", 1.0)] * 4
    assert time_left(measured(8, *digits), 4.0) is None, "Fashion-MNIST comes later"
    assert time_left(measured(8, *digits, ("fashion-mnist", 2.0)), 6.0) is None, "the first of them goes on"
    assert time_left(measured(8, *digits, ("fashion-mnist", 20.0), ("fashion-mnist", 1.0)), 25.0) == 59.0
    assert time_left(measured(8, *digits, ("fashion-mnist", 20.0), ("fashion-mnist", 30.0)), 54.0) == 40.0
    assert time_left(measured(4, *digits[:3]), 3.0) == 1.0, "where there is no Fashion-MNIST"
    assert time_left(measured(0, *digits), 4.0) is None, "of a lesson that does not say how many there are"
