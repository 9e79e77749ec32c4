"""What a person is told of a defect of ours."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from d2ltui.spec.config import resolve
from d2ltui.tui.app import D2LApp


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What reaches standard error."""
    error = io.StringIO()
    monkeypatch.setattr(sys, "__stderr__", error)
    return error


def fail(app: D2LApp) -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError as error:
        app._exception = error
    app._print_error_renderables()


def test_one_sentence_and_the_traceback_in_the_home_directory(
    said: io.StringIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("D2LTUI_HOME", str(tmp_path / "home"))
    fail(D2LApp(resolve({})))
    (log,) = (tmp_path / "home").iterdir()
    assert said.getvalue() == f"d2ltui: the interface failed (ValueError: two); the traceback is in {log}\n"
    text = log.read_text()
    assert text.startswith("Traceback")
    assert text.endswith("ValueError: two\nlines\n")


def test_a_home_that_takes_nothing_is_no_reason_for_another_traceback(
    said: io.StringIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("D2LTUI_HOME", str(tmp_path / "file" / "home"))
    fail(D2LApp(resolve({})))
    assert said.getvalue().startswith("d2ltui: the interface failed (ValueError: two); the traceback could not be kept")
    assert said.getvalue().count("\n") == 1
