"""Terminals that are not as usual: of no size, without a cursor that moves, Linux's own console."""

from __future__ import annotations

import re
import subprocess

import pytest
from terminal import PATIENCE, application

from tests import processes

TRAIN = ("train", "--dataset", "moons", "--device", "cpu", "--epochs", "12")


def test_no_size_is_80_by_24_and_what_the_terminal_says_goes_before_the_variables() -> None:
    with application(size=(80, 24), COLUMNS="50", LINES="12") as terminal:
        terminal.child.setwinsize(0, 0)  # a serial line; `docker exec -t`
        terminal.wait("ready")
        assert terminal.text().split("\n")[0].startswith(" [Set")
        terminal.resize(120, 40)
        terminal.until(lambda: "What is happening" in terminal.text(), "three columns")
        terminal.press("q")
        assert terminal.ended() == 0


@pytest.mark.parametrize("name", ["dumb", "unknown", ""])
def test_a_terminal_whose_cursor_does_not_move(name: str) -> None:
    with application(TERM=name) as terminal:
        assert terminal.ended() == 2
        said = " ".join(terminal.text().split())
        assert said.startswith(f"d2ltui: TERM: '{name}' is not allowed for the application")
        assert b"\x1b" not in terminal.raw


def test_training_where_the_cursor_does_not_move_or_the_width_is_unknown() -> None:
    with application(*TRAIN, TERM="dumb") as terminal:
        assert terminal.ended() == 0
        assert b"\x1b" not in terminal.raw
        assert [len(re.findall(rf"^ +{n} +0\.", terminal.raw.decode(), re.M)) for n in (1, 6, 12)] == [1, 1, 1]
        assert b"epoch 6/12" not in terminal.raw
    with application(*TRAIN, "--epochs", "20", unhurried=True) as terminal:  # a bar is drawn five times a second
        terminal.child.setwinsize(0, 0)
        assert terminal.ended() == 0
        bars = re.findall(rb"\r\x1b\[Kepoch \d+/20 \[[#.]{24}\] [\d,.]+ steps/s, \d+:\d\d left", bytes(terminal.raw))
        assert bars


def test_each_epoch_once_where_both_streams_go_one_way() -> None:
    command = ["-m", "d2ltui", *TRAIN, "--epochs", "3", "--no-store"]
    done = processes.run(command, PATIENCE, stderr=subprocess.STDOUT)
    assert done.returncode == 0
    assert "epoch 2/3" not in done.stdout
    assert len(re.findall(r"^ +2 +0\.", done.stdout, re.M)) == 1


def test_linux_console_is_sent_what_its_font_has() -> None:
    arguments = ("--dataset", "moons", "--epochs", "20", "--start")
    with application(*arguments, TERM="linux", COLORTERM="") as terminal:
        terminal.wait("finished")
        terminal.press("z", "z", "?")
        terminal.wait("escape closes")
        terminal.press("escape", "L", "escape", "R", "escape")
        terminal.press("q")
        assert terminal.ended() == 0
        sent = bytes(terminal.raw).decode()
    missing = {character for character in sent if not character.isascii()} - set("─│┌┐└┘├┤┬┴┼█▄▀░▒▓·±²½«»°µ")
    assert not missing, [sent[max(0, sent.index(c) - 80) : sent.index(c) + 20] for c in missing]
    assert set("─│┌┐└┘") <= set(sent)
