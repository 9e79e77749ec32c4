"""What `--help` says is translated, and fits the terminal in wide characters, too."""

from __future__ import annotations

import importlib
import pkgutil
import re
import string
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import d2ltui.cli
from d2ltui.cli.app import cli, main
from d2ltui.spec.language import using
from d2ltui.spec.width import cells
from tests import catalogues
from tests.catalogues import COMMANDS

# A module that is imported in Chinese would keep it in its constants, for the tests of other files, too.
for module in pkgutil.iter_modules(d2ltui.cli.__path__, "d2ltui.cli."):
    importlib.import_module(module.name)


def fields(text: str) -> set[tuple[str | None, str | None]]:
    return {(name, form) for _, name, form, _ in string.Formatter().parse(text) if name is not None}


def helped(*command: str) -> str:
    return CliRunner().invoke(cli, [*command, "--help"], terminal_width=80).output


@pytest.mark.parametrize("tongue", COMMANDS.languages())
def test_all_that_commands_say_of_themselves_is_translated(tongue: str) -> None:
    known = COMMANDS.read(tongue)
    assert [message.text for message in COMMANDS.marked() if not known.get(message.key, [""])[0]] == []
    assert set(known) - {""} == {message.key for message in COMMANDS.marked()}, "those that are gone are taken out"
    for message in COMMANDS.marked():
        assert fields(known[message.key][0]) == fields(message.text), message
    assert COMMANDS.path_of(tongue, "po").read_text("utf-8") == catalogues.po(COMMANDS.marked(), known)
    assert COMMANDS.path_of(tongue, "mo").read_bytes() == catalogues.mo(COMMANDS.marked(), known)


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


# Two words of English in a row, but for names: fields, statuses, commands, layers.
ENGLISH = re.compile(r"\b[a-z]+ (the|a|of|is|are|not|with|in|on|by|to|its|it|and|or|from|at|after) [a-z]+")


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--lr", "x"],
        ["train", "--nope"],
        ["train", "--lr"],
        ["trian"],
        ["show"],
        ["show", "no-such-run"],
        ["runs", "lr"],
        ["runs", "--columns", "x"],
        ["compare", "a"],
        ["export", "x"],
        ["map"],
        ["map", "--x", "lr=1:2:3", "--y", "lr=1:2:3"],
        ["sweep", "--lr", "0.1"],
        ["lessons", "x"],
        ["lessons", "--html", "x"],
        ["watch", "--max-fps", "0"],
        ["train", "--device", "cuda:77", "--epochs", "1"],
        ["train", "--model", "lenet", "--dataset", "moons"],
        ["train", "--hidden", "99999999,99999999"],
        ["models"],
        ["check", "--dataset", "moons"],
    ],
    ids=" ".join,
)
def test_what_commands_print_is_chinese(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("D2LTUI_HOME", str(tmp_path))
    with using("zh"):
        monkeypatch.setattr(sys, "argv", ["d2ltui", *arguments])
        with pytest.raises(SystemExit):
            main()
    said = "".join(capfd.readouterr())
    assert re.search("[\u4e00-\u9fff]", said)
    assert [line for line in said.splitlines() if ENGLISH.search(line)] == []
