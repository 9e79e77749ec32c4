"""What is run each time of a claim that many cases repeat: a few of them. The others are `long`, and run at night."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from _pytest.mark import ParameterSet


def long_after(number: int, cases: Iterable[Any], *, whole: bool = False) -> list[ParameterSet]:
    """The first `number` of the cases are run each time. With `whole`, a tuple is one value, and not several."""
    return [_case(case, whole=whole, is_long=i >= number) for i, case in enumerate(cases)]


def long_unless(short: Callable[[Any], bool], cases: Iterable[Any]) -> list[ParameterSet]:
    """Those for which `short` holds are run each time."""
    return [_case(case, is_long=not short(case)) for case in cases]


def _case(case: Any, *, is_long: bool, whole: bool = False) -> ParameterSet:
    values = case if isinstance(case, tuple) and not whole else (case,)
    given = case if isinstance(case, ParameterSet) else pytest.param(*values)
    return pytest.param(*given.values, marks=[*given.marks, *([pytest.mark.long] if is_long else [])], id=given.id)
