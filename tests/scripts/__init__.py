"""Exported scripts, carried out in this process as if nothing of d2ltui were there."""

from __future__ import annotations

import ast
import builtins
import contextlib
import io
import sys
from pathlib import Path
from typing import Any
from unittest import mock

from d2ltui.code.script import script
from d2ltui.data import Dataset
from d2ltui.engine.control import Control
from d2ltui.engine.trainer import Trainer
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig


def carried_out(text: str, *arguments: str) -> dict[str, Any]:
    """The names that the script `text` has defined. It may import nothing of d2ltui."""
    imported = builtins.__import__

    def without_d2ltui(name: str, names: Any = None, *rest: Any) -> Any:
        if name.partition(".")[0] == "d2ltui" and names is defined:
            raise ModuleNotFoundError(f"No module named '{name}'")
        return imported(name, names, *rest)

    defined: dict[str, Any] = {"__name__": "__main__"}
    with (
        mock.patch.object(builtins, "__import__", without_d2ltui),
        mock.patch.object(sys, "argv", ["script.py", *arguments]),
        contextlib.redirect_stdout(io.StringIO()) as printed,
    ):
        exec(compile(text, "script.py", "exec"), defined)
    return {**defined, "printed": printed.getvalue()}


def imports_of(text: str) -> set[str]:
    """The packages that the script imports."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).partition(".")[0])
    return found - sys.stdlib_module_names


def last_epoch(config: RunConfig, data: Dataset | None = None) -> events.EpochEnded:
    """What a run of `config` has come to."""
    trainer = Trainer(config, Control(), [], dataset=data, sample_every=None)
    ended = trainer.run()
    assert ended.status in ("finished", "diverged"), ended
    return trainer.progress.epochs[-1]


def digits(train_loss: float, val_loss: float, metric: float) -> tuple[str, str, str]:
    """Figures as a summary and a script show them."""
    return f"{train_loss:.4g}", f"{val_loss:.4g}", f"{metric:.4f}"


def of_run(config: RunConfig, data: Dataset | None = None) -> tuple[str, str, str]:
    """The figures of a run of `config`."""
    last = last_epoch(config, data)
    return digits(last.train_loss, last.val_loss, last.val_metric)


def of_script(config: RunConfig, *arguments: str) -> tuple[str, str, str]:
    """The figures of its script."""
    names = carried_out(script(config, "a-run", threads=1), *arguments)
    metric = "val_accuracy" if config.task == "classification" else "val_r2"
    return digits(names["train_loss"], names["val_loss"], names[metric])


def network(text: str, weights: Path) -> Any:
    """The concise network of the script `text`, with the exported weights instead of trained ones."""
    untrained = text.replace("for epoch in range(num_epochs):", "for epoch in range(0):")
    loads = 'net.load_state_dict(torch.load("weights.pt", weights_only=True))'
    assert text.count(loads) == 1
    untrained = untrained.replace(f"# {loads}", loads).replace('"weights.pt"', repr(str(weights)))
    net = carried_out(untrained, "concise")["net"]
    net.eval()
    return net
