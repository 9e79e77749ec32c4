"""What is said of a way of training beside each other that there is not."""

from __future__ import annotations

import importlib.util

import pytest

from tests.commands import Command

MAP = ("map", "--x", "lr=0.01:1:2", "--y", "init_std=0.1:1:2", "--dataset", "circles", "--epochs", "1", "--no-store")


def said(command: Command, *arguments: str) -> str:
    status, out, err = command(*arguments)
    assert (status, out) == (2, "")
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--jobs", "0"], "jobs: '0' is not allowed; allowed: a whole number from 1 to 1000"),
        (["--jobs", "-2"], "jobs: '-2' is not allowed"),
        (["--jobs", "2", "--backend", "slurm"], "backend: 'slurm' is not allowed; allowed: loky, dask, ray"),
        (["--scheduler", "tcp://127.0.0.1:1"], "scheduler: --scheduler alone is not allowed; allowed: with --backend"),
        (["--backend", "dask"], "scheduler: it is missing; allowed: --scheduler ADDRESS"),
    ],
)
def test_wrong_options(command: Command, options: list[str], sentence: str) -> None:
    assert sentence in said(command, *MAP, *options)


def test_a_backend_that_is_not_installed(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "ray" else find(name, *rest))
    assert "backend: ray is not installed here; allowed: after pip install 'ray', or --backend loky" in said(
        command, *MAP, "--backend", "ray"
    )
