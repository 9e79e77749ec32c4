"""Every sentence of the interface is marked, and has a translation."""

from __future__ import annotations

import re
import string

import pytest
from click.testing import CliRunner

from d2ltui.cli.app import cli
from d2ltui.spec import language
from d2ltui.spec.language import VARIABLE, prepare, using
from d2ltui.tui.keys import FIELD_HELP, KEYS, MAP_KEYS, RUNS_KEYS, help_rows, in_words
from tests import catalogues
from tests.catalogues import INTERFACE

LANGUAGES = INTERFACE.languages()
MESSAGES = INTERFACE.marked()


def fields(text: str) -> set[tuple[str | None, str | None]]:
    return {(name, form) for _, name, form, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("tongue", LANGUAGES)
def test_each_sentence_has_a_translation_with_the_same_values(tongue: str) -> None:
    known = INTERFACE.read(tongue)
    assert [m.text for m in MESSAGES if not known.get(m.key, [""])[0]] == [], "python -m tests.catalogues"
    assert set(known) - {""} == {m.key for m in MESSAGES}, "those that are gone are taken out"
    for message in MESSAGES:
        (said,) = known[message.key]
        assert fields(said) == fields(message.text), message
        assert said.count("\n") == message.text.count("\n"), message
        if tongue == "zh":
            assert not re.search("[\u4e00-\u9fff][,;:?!]( |$)", said), message


@pytest.mark.parametrize("tongue", LANGUAGES)
def test_the_catalogue_that_is_read_is_that_of_the_text(tongue: str) -> None:
    known = INTERFACE.read(tongue)
    assert INTERFACE.path_of(tongue, "po").read_text("utf-8") == catalogues.po(MESSAGES, known)
    assert INTERFACE.path_of(tongue, "mo").read_bytes() == catalogues.mo(MESSAGES, known)


def test_a_fuzzy_translation_is_none() -> None:
    text = '#, fuzzy\nmsgid "a"\nmsgstr "b"\n\nmsgctxt "key"\nmsgid "c"\nmsgstr "d"\n'
    assert catalogues.parsed(text) == {"a": [""], "key\4c": ["d"]}


def test_a_word_is_said_in_its_sense() -> None:
    with using("zh"):
        assert language.pgettext("key", "run") == "训练"
        assert language.pgettext("no such sense", "run") == "run"
        assert [
            text for _, text in [*help_rows(KEYS), *help_rows(RUNS_KEYS), *help_rows(MAP_KEYS)] if text.isascii()
        ] == []
        assert in_words(FIELD_HELP)[0][1] == "窗格的下一个字段，或滚动"
    assert in_words(FIELD_HELP)[0] == FIELD_HELP[0]


@pytest.mark.parametrize("given", [["train", "--lang", "zh"], ["--lang=zh"], []])
def test_the_language_is_chosen_before_anything_else_is_imported(given: list[str]) -> None:
    """By the option, or by the locale; and processes that this one starts speak it, too."""
    environment = {"LANG": "en_US.UTF-8" if given else "zh_CN.UTF-8"}
    try:
        prepare(given, environment)
        assert language.language() == environment[VARIABLE] == "zh"
    finally:
        language.use("en")


def test_a_command_takes_the_language_and_says_what_is_allowed() -> None:
    assert CliRunner().invoke(cli, ["datasets", "--lang", "zh"]).exit_code == 0
    for arguments in (["datasets", "--lang", "xx"], ["--lang", "xx", "datasets"]):
        refused = CliRunner().invoke(cli, arguments)
        assert refused.exit_code == 2
        assert "lang: 'xx' is not allowed; allowed: en, zh" in refused.output
