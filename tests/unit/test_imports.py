"""What import-linter does not check: what a fresh interpreter imports, and that no modules import each other."""

from __future__ import annotations

import json
import subprocess
import sys

import grimp
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
        # What the interface's thread imports where a lesson is begun: PyTorch comes in the thread that measures.
        ("d2ltui.lessons.bench, d2ltui.runner.lesson_recorder", {"numpy"}),
        # torchvision and scikit-learn wait until a data set wants them.
        ("d2ltui.engine.trainer, d2ltui.nn, d2ltui.data, d2ltui.data.vision", {"torch", "numpy"}),
    ],
)
def test_imports_bring_in_no_more_than_they_need(modules: str, allowed: set[str]) -> None:
    assert loaded(modules) <= allowed


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Nor for the type checker alone: whoever reads one of a circle has to read them all."""
    graph = grimp.build_graph("d2ltui", exclude_type_checking_imports=False, cache_dir=None)
    needs = {module: graph.find_upstream_modules(module) for module in graph.modules}
    mutual = {module: {other for other in needs[module] if module in needs[other]} for module in needs}
    assert {module: others for module, others in mutual.items() if others} == {}
    assert len(needs) > 100
