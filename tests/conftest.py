"""Fixtures of all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """torchvision's root with Fashion-MNIST in it, from the environment's D2LTUI_DATA_DIR."""
    value = os.environ.get("D2LTUI_DATA_DIR")
    if not value:
        pytest.skip("D2LTUI_DATA_DIR is not set: no Fashion-MNIST to test with")
    return Path(value)
