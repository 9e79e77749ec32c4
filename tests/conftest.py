"""Fixtures of all tests."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

# Tests run side by side, and what they train is small: more threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Under nohup a hang-up is ignored, and the processes that are started inherit that: these tests are about it.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
# The same of an interrupt, which a shell lets be ignored by what it starts with `&`.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def d2ltui_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty D2LTUI_HOME for each test, and the processes that it starts: none writes into the user's own."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("D2LTUI_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """torchvision's root with Fashion-MNIST in it, from the environment's D2LTUI_DATA_DIR."""
    value = os.environ.get("D2LTUI_DATA_DIR")
    if not value:
        pytest.skip("D2LTUI_DATA_DIR is not set: no Fashion-MNIST to test with")
    return Path(value)
