"""What is said of a way of training beside each other that there is not."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from d2ltui.cli import app

MAP = ("map", "--x", "lr=0.01:1:2", "--y", "init_std=0.1:1:2", "--dataset", "circles", "--epochs", "1", "--no-store")


def said(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", ["d2ltui", *arguments])
    with pytest.raises(SystemExit) as stop:
        app.main()
    out, err = capfd.readouterr()
    assert stop.value.code == 2
    assert "Traceback" not in err
    assert not out
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
def test_wrong_options(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, options: list[str], sentence: str
) -> None:
    assert sentence in said(capfd, monkeypatch, *MAP, *options)


def test_a_backend_that_is_not_installed(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "ray" else find(name, *rest))
    assert "backend: ray is not installed here; allowed: after pip install 'ray', or --backend loky" in said(
        capfd, monkeypatch, *MAP, "--backend", "ray"
    )
