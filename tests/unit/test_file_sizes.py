"""Files that are read in one go: a room has one job, and a file of it a few screens."""

from __future__ import annotations

import statistics
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST, MEDIAN = 400, 150  # lines


def lines(folder: str) -> dict[str, int]:
    """Of each Python file in `folder`, however deep."""
    files = sorted((ROOT / folder).rglob("*.py"))
    return {str(file.relative_to(ROOT)): len(file.read_text("utf-8").splitlines()) for file in files}


def test_no_file_is_too_long_to_be_read_in_one_go() -> None:
    counted = lines("d2ltui") | lines("tests")
    assert len(counted) > 300
    assert {name: count for name, count in counted.items() if count > MOST} == {}


def test_the_median_file_of_the_package_is_short() -> None:
    assert statistics.median(lines("d2ltui").values()) <= MEDIAN
