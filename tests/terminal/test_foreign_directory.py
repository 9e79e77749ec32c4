"""In a directory of somebody else's: nothing that lies there is executed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from terminal import PATIENCE, application

from d2ltui.store.environment import environment

# Of the standard library and of what d2ltui depends on; `runpy`, which finds the module of `-m`, is before its time.
NAMES = (
    *("__future__", "typing", "signal", "struct", "io", "re", "sqlite3", "sitecustomize"),
    *("click", "msgspec", "plotext", "textual", "numpy", "torch"),
)


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, full of modules that leave a trace; returns where they leave it."""
    here, trace = tmp_path / "here", tmp_path / "trace"
    here.mkdir()
    for name in NAMES:
        (here / f"{name}.py").write_text(f"open({str(trace)!r}, 'a').write({name!r} + chr(10))\nraise ImportError\n")
    monkeypatch.chdir(here)
    return trace


def traces(trace: Path) -> str:
    return trace.read_text() if trace.exists() else ""


def test_as_a_module_in_text(trap: Path) -> None:
    """What needs PyTorch is the application's test below: that takes seconds to import."""
    command = [sys.executable, "-m", "d2ltui", "runs"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stderr, traces(trap)) == (0, "", "")


def test_the_application(trap: Path) -> None:
    with application("--epochs", "2", cold=True) as terminal:
        terminal.wait("ready")
        terminal.press("ctrl+r")
        terminal.wait("finished")
        terminal.press("q")
        assert terminal.ended() == 0
    assert traces(trap) == ""


def test_git_runs_nothing_that_a_repository_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, trace = tmp_path / "here", tmp_path / "trace"
    here.mkdir()
    script = here / "git"
    script.write_text(f"#!/bin/sh\necho executed >> {trace}\n")
    script.chmod(0o755)
    monkeypatch.chdir(here)
    for arguments in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x"],
        ["config", "core.fsmonitor", str(script)],
        ["config", "core.sshCommand", str(script)],
        ["config", "core.pager", str(script)],
        ["config", "alias.rev-parse", f"!{script}"],
    ):
        subprocess.run(["/usr/bin/env", "git", *arguments], check=True, timeout=PATIENCE)
    monkeypatch.setenv("PATH", f".:{os.environ['PATH']}")
    assert len(str(environment()["git_commit"])) == 40
    assert traces(trace) == ""
