"""PyTorch's compiler, a second and a half, comes only with optimisers that want it, and leaves nothing behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import processes
from tests.selection import long_after

# Two threads at once: the one that imports ahead of the first run, and that run's own.
CODE = """
import os, sys, threading
before = dict(os.environ)
import torch
import d2ltui.engine.trainer
from d2ltui import nn
from d2ltui.nn.accel.optimizers import uncompiled
from d2ltui.runner.worker import _import_engine
from d2ltui.spec.config import resolve
from d2ltui.spec.optimizers import OPTIMIZERS
ahead = threading.Thread(target=_import_engine)
ahead.start()
for name in OPTIMIZERS:
    config = resolve({"optimizer": name, "hidden": "4"})
    optimizer = nn.make_optimizer(config, nn.build(config))
    optimizer.zero_grad()
    optimizer.step()
    nn.load_state(optimizer, optimizer.state_dict())
ahead.join()
assert "torch._dynamo" not in sys.modules
class Foreign(torch.optim.Optimizer):
    pass
Foreign.step = torch.optim.SGD.step
uncompiled(Foreign)([torch.zeros(1)], {})
assert "torch._dynamo" in sys.modules
assert dict(os.environ) == before, {name for name in os.environ if os.environ[name] != before.get(name)}
"""


@pytest.mark.parametrize("given", long_after(1, [None, "cache"]))
def test_the_environment_stays_as_it_was_and_no_directory_is_made_but_where_one_is_asked_for(
    tmp_path: Path, given: str | None
) -> None:
    (tmp_path / "tmp").mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TORCH")}
    environment |= {"TMPDIR": str(tmp_path / "tmp"), "PYTHONPATH": str(Path(__file__).parents[2])}
    if given is not None:
        environment["TORCHINDUCTOR_CACHE_DIR"] = given
    done = processes.run(["-c", CODE], 100, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert not list((tmp_path / "tmp").iterdir())
    assert (tmp_path / "cache").exists() is (given is not None)
