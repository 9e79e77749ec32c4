"""What `--help` says is translated, and fits the terminal in wide characters, too."""

from __future__ import annotations

import re
import sys

import pytest
from click.testing import CliRunner

from d2ltui.cli.app import cli
from d2ltui.spec.language import using
from d2ltui.spec.width import cells
from tests.catalogues import COMMANDS


def helped(*command: str) -> str:
    return CliRunner().invoke(cli, [*command, "--help"], terminal_width=80).output


@pytest.mark.parametrize("tongue", COMMANDS.languages())
def test_all_that_commands_say_of_themselves_is_translated(tongue: str) -> None:
    known = COMMANDS.read(tongue)
    assert [message.text for message in COMMANDS.marked() if not known.get(message.key, [""])[0]] == []


@pytest.mark.parametrize("command", [(), ("train",), ("lessons",), ("map",)])
def test_help_is_chinese_in_a_chinese_terminal_and_fits_it(command: tuple[str, ...]) -> None:
    with using("zh"):
        lines = helped(*command).splitlines()
    assert "用法：" in lines[0]
    said = [line for line in lines if not re.match(r"  --?[\w-]+ \S+\|", line)]  # choices are never broken
    assert max(map(cells, said)) <= 80
    assert [line for line in said if re.search(r"[a-z]+ (the|a|of) [a-z]+", line)] == [], "left in English"


def test_english_help_is_click_s_own_and_loads_nothing_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "d2ltui.cli.help", raising=False)
    assert "Train without the interface." in helped("train")
    assert "d2ltui.cli.help" not in sys.modules
