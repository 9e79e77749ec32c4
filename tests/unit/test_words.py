"""One is one, and others are many."""

from __future__ import annotations

import pytest

from d2ltui.words import are, counted


@pytest.mark.parametrize(
    ("number", "told"), [(0, "0 steps are"), (1, "1 step is"), (2, "2 steps are"), (1024, "1024 steps are")]
)
def test_numbers(number: int, told: str) -> None:
    assert f"{counted(number, 'step')} {are(number)}" == told
    assert counted(1024, "step", ",") == "1,024 steps"
