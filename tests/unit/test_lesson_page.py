"""The verdict above a lesson's page: whole lines, in whatever room there is."""

from __future__ import annotations

import textwrap

import pytest
from rich.text import Text

from d2ltui.tui.screens.lesson_page import fitted

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
