"""What each room brings in when a fresh interpreter imports it: import-linter checks the code, this what runs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "torchvision", "sklearn", "numpy", "scipy", "textual", "plotext", "psutil")


def loaded(modules: str) -> set[str]:
    """Which of HEAVY there are after importing `modules`."""
    code = f"import json, sys, {modules}; print(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("modules", "allowed"),
    [
        ("d2ltui.spec.config, d2ltui.spec.catalogue, d2ltui.spec.events, d2ltui.cli.app, d2ltui.__main__", set()),
        ("d2ltui.runner.headless, d2ltui.engine.control", set()),
        ("d2ltui.history.series, d2ltui.history.live, d2ltui.runner.worker", {"numpy"}),
        ("d2ltui.tui.app", {"textual", "psutil"}),
        # torchvision and scikit-learn wait until a data set wants them.
        ("d2ltui.engine.trainer, d2ltui.nn, d2ltui.data, d2ltui.data.vision", {"torch", "numpy"}),
    ],
)
def test_imports_bring_in_no_more_than_they_need(modules: str, allowed: set[str]) -> None:
    assert loaded(modules) <= allowed
