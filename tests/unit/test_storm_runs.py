"""A small share of `python -m tests.storm.hostile_runs`."""

from __future__ import annotations

import collections
import os
import random
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.storm import hostile_runs


@pytest.mark.timeout(300)
def test_hostile_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("D2LTUI_HOME", str(tmp_path))
    before = signal.signal(signal.SIGALRM, hostile_runs.on_alarm)
    seen: collections.Counter[str] = collections.Counter()
    try:
        hostile_runs.make_good(tmp_path)
        failures = list(hostile_runs.storm(tmp_path, 12, str(random.randrange(10**6)), seen, limit=20.0))
    finally:
        signal.signal(signal.SIGALRM, before)
        os.chdir(Path(__file__).parent)
    assert not failures, "\n".join(failures)
    assert sum(seen.values()) == 12
