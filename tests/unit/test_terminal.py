"""The size of a terminal, and what it can show."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
from collections.abc import Iterator

import pytest

from d2ltui.spec import terminal


@pytest.fixture
def slave() -> Iterator[int]:
    master, slave = pty.openpty()
    yield slave
    os.close(master)
    os.close(slave)


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)


def resize(slave: int, columns: int, lines: int) -> None:
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


def test_the_terminal_is_asked_before_the_variables(slave: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LINES", "10")
    resize(slave, 123, 37)
    assert terminal.size(slave) == (123, 37)
    resize(slave, 0, 37)
    assert terminal.size(slave) == (40, 37)
    resize(slave, 0, 0)
    assert terminal.size(slave) == (40, 10)


@pytest.mark.parametrize("nonsense", ["", "0", "-5", "wide", "9" * 20, "²"])
def test_a_size_that_nobody_knows(slave: int, monkeypatch: pytest.MonkeyPatch, nonsense: str) -> None:
    resize(slave, 0, 0)
    with monkeypatch.context() as patched:  # pytest itself asks for them when it reports
        patched.setenv("COLUMNS", nonsense)
        size = terminal.size(slave)
    assert size == (80, 24)


def test_a_terminal_of_65535_columns_is_mistaken(slave: int) -> None:
    resize(slave, 65535, 65535)
    assert terminal.size(slave) == (1000, 1000)


def test_the_first_terminal_among_the_streams(slave: int) -> None:
    resize(slave, 90, 30)
    with open(os.devnull) as null:
        assert terminal.size(null, None, slave) == (90, 30)
        assert terminal.size(null, None) == (80, 24)


@pytest.mark.parametrize(("name", "moves"), [("xterm", True), ("linux", True), ("dumb", False), ("", False)])
def test_types_of_terminals(name: str, moves: bool) -> None:
    assert terminal.moves_cursor({"TERM": name}) == moves
    assert terminal.is_kernel_console({"TERM": name}) == (name == "linux")
    assert not terminal.moves_cursor({})
