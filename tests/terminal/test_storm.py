"""A small share of the storm; `python -m tests.storm` has as much of it as one likes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.selection import long_after
from tests.storm import terminal


@pytest.mark.parametrize(("events", "probes"), long_after(1, [(40, 1), (120, 2)]))
def test_random_keys_clicks_pastes_and_sizes_are_borne(
    events: int, probes: int, d2ltui_home: Path, tmp_path: Path
) -> None:
    """While it starts and trains. The limit of a second for a key is not judged: other tests run beside this one."""
    arguments = ["--model", "softmax", "--dataset", "moons", "--epochs", "1000000", "--start"]
    report = terminal.run(arguments, d2ltui_home, tmp_path, "suite", events, limit=60.0)
    assert report.events == events
    assert report.probes >= probes
