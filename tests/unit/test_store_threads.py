"""The thread that stores a run takes nothing from the threads that train it."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest
import torch

from d2ltui.engine import weight_history
from d2ltui.nn import build
from d2ltui.spec.config import resolve

PATIENCE = 30.0


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in /proc")
def test_the_thread_that_stores_gets_no_others_that_would_slow_the_training() -> None:
    config = resolve({"model": "mlp", "dataset": "digits", "hidden": "2048"})
    parameters = build(config).state_dict()
    kept = tuple(weight_history.Weights(step, parameters) for step in range(4))
    found: list[set[int]] = []

    def native() -> set[int]:
        python = {thread.native_id for thread in threading.enumerate()}
        return {int(task.name) for task in Path("/proc/self/task").iterdir()} - python

    def store() -> None:
        torch.set_num_threads(2)
        before = native()
        weight_history.write(io.BytesIO(), config, kept)
        found.append(native() - before)

    threads = torch.get_num_threads()
    try:
        thread = threading.Thread(target=store)
        thread.start()
        thread.join(PATIENCE)
    finally:
        torch.set_num_threads(threads)
    assert found == [set()]
