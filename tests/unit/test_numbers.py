"""A number reads the same wherever it stands."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import d2ltui
from d2ltui.spec import numbers

ROOT = Path(d2ltui.__file__).parent
# Formats that nobody reads: coordinates in a file, and rounding to a number. What is padded only is no format.
ELSEWHERE = {"spec/numbers.py", "store/export_svg.py", "store/export_picture.py"}
OWN_FORMAT = re.compile(r"[^<>^]*[gGeEf%]$")
ROUNDING = {
    "charts/scale.py",
    "charts/axes.py",
    "diagnosis/remedies.py",
    "spec/catalogue.py",
    "spec/axes.py",
}  # float(f"…")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (0.0123456, "0.0123"), (12.5, "12.5"), (999.6, "1,000"), (12345.6, "12,346"), (1234567.0, "1.23e6"),
        (1e-7, "1e-7"), (0.0001, "0.0001"), (-0.00001234, "-1.23e-5"), (1e300, "1e300"), (math.nan, "nan"),
        (-math.inf, "-inf"), (2, "2"),
    ],
)  # fmt: skip
def test_a_figure_has_three_digits_and_short_exponents(value: float, text: str) -> None:
    assert numbers.number(value) == text


@given(st.floats(-1e300, 1e300), st.integers(7, 9))
def test_a_figure_fits_into_its_column_and_says_what_it_is(value: float, width: int) -> None:
    text = numbers.number(value, width=width)
    assert len(text) <= max(width, len("-1e-300"))
    assert float(text.replace(",", "")) == pytest.approx(value, rel=0.5, abs=1e-320)
    assert "e+" not in text
    assert "e-0" not in text


@given(st.floats(0, 1))
def test_a_percentage_is_0_or_100_only_where_it_is(share: float) -> None:
    text = numbers.percent(share)
    assert text.endswith(" %")
    assert (text == "0 %") == (share == 0)
    assert (text == "100 %") == (share == 1)
    if text[0] not in "<>":
        assert float(text[:-2]) == pytest.approx(100 * share, abs=0.06)


def test_settings_are_written_as_options_take_them() -> None:
    values = (1e-7, 0.1, 1.0, (256, 128), None, "relu", 0.1 / 3, 1e6)
    assert [numbers.setting(value) for value in values] == [
        "1e-7", "0.1", "1", "256,128", "–", "relu", "0.0333333", "1e6"
    ]  # fmt: skip
    assert float(numbers.setting(0.1 / 3, exact=True)) == 0.1 / 3


def test_times_and_sizes() -> None:
    assert [numbers.clock(value) for value in (7, 750, 11100)] == ["0:07", "12:30", "3:05:00"]
    assert [numbers.duration(value) for value in (0.01234, 3.2145, 59.94, 59.96, 750)] == [
        "0.0123 s", "3.21 s", "59.9 s", "1:00", "12:30"
    ]  # fmt: skip
    assert [numbers.size(value) for value in (640, 12_345, 1.24e6, 999.96e6, 123e9)] == [
        "640 B", "12.3 kB", "1.2 MB", "1.0 GB", "123 GB"
    ]  # fmt: skip
    assert [numbers.rate(value) for value in (1234.5, 0.456, 12345.6)] == ["1,230", "0.456", "12,300"]


def _formats(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FormattedValue) and isinstance(node.format_spec, ast.JoinedStr):
            yield "".join(str(part.value) for part in node.format_spec.values if isinstance(part, ast.Constant))


def test_no_module_formats_numbers_in_a_way_of_its_own() -> None:
    own = {
        f"{name}: {spec}"
        for path in ROOT.rglob("*.py")
        if (name := path.relative_to(ROOT).as_posix()) not in ELSEWHERE | ROUNDING
        for spec in _formats(path)
        if OWN_FORMAT.match(spec)
    }
    assert own == set()
