"""Every sentence of the interface is marked, and has a translation."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest
from click.testing import CliRunner

from d2ltui.cli.app import cli
from d2ltui.spec import language
from d2ltui.spec.language import VARIABLE, prepare, using
from d2ltui.tui.keys import FIELD_HELP, KEYS, MAP_KEYS, RUNS_KEYS, help_rows, in_words
from tests import catalogues
from tests.catalogues import INTERFACE

LANGUAGES = INTERFACE.languages()


def fields(text: str) -> set[tuple[str | None, str | None]]:
    return {(name, form) for _, name, form, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("tongue", LANGUAGES)
def test_each_sentence_has_a_translation_with_the_same_values(tongue: str) -> None:
    known = INTERFACE.read(tongue)
    assert [m.text for m in INTERFACE.marked() if not known.get(m.key, [""])[0]] == [], "python -m tests.catalogues"
    assert set(known) - {""} == {m.key for m in INTERFACE.marked()}, "those that are gone are taken out"
    for message in INTERFACE.marked():
        (said,) = known[message.key]
        assert fields(said) == fields(message.text), message
        assert said.count("\n") == message.text.count("\n"), message
        if tongue == "zh":
            assert not re.search("[\u4e00-\u9fff][,;:?!]( |$)", said), message


@pytest.mark.parametrize("tongue", LANGUAGES)
def test_the_catalogue_that_is_read_is_that_of_the_text(tongue: str) -> None:
    known = INTERFACE.read(tongue)
    assert INTERFACE.path_of(tongue, "po").read_text("utf-8") == catalogues.po(INTERFACE.marked(), known)
    assert INTERFACE.path_of(tongue, "mo").read_bytes() == catalogues.mo(INTERFACE.marked(), known)


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


# Modules that make what is on the screen; of the others, another package's author or a developer reads the sentences.
SHOWN = ("d2ltui/tui/**/*.py", "d2ltui/charts/*.py")
SHOWN_TOO = ("fields", "config", "parsing", "axes", "memory", "comparison", "similar", "synthetic", "maps")
NOT_SHOWN = (
    *("d2ltui/tui/render/*.py", "d2ltui/tui/screens/lesson*.py", "d2ltui/charts/diagram_*.py"),  # the lessons' test's
    *("d2ltui/tui/services/lesson*.py", "d2ltui/charts/export*.py", "d2ltui/charts/html*.py"),
)
# What takes no sentences for a user: exceptions for a developer, queries and styles; and what is looked up when shown.
NO_WORDS = {
    "ValueError",
    "TypeError",
    "RuntimeError",
    "query",
    "query_one",
    "assemble",
    "Key",
    "Binding",
    "PaneSpec",
    "Field",
}
TABLES = {"KEYS", "DEFAULT_CSS", "FIELD_HELP", "MAP_HELP", "TABLE_HELP", "FUNCTIONS", "SOURCES", "COLUMNS", "STYLES"}
EXCEPTIONS = {
    "on the way out: ": "for Textual's log",
    "train (≥ −1)": "a curve's name, looked up where it is drawn",
    "bold reverse": "a style",
    "whole number": "counted, which looks it up",
    "each input to mean 0, sd 1": "looked up where it is shown",
    "auto, cpu, cuda, cuda:N, mps": "values",
    "logit o": "a formula",
}


def no_sentences(node: ast.AST) -> list[ast.AST | None]:
    """What of `node` holds texts that are docstrings, types, names or already looked up."""
    match node:
        case ast.Module() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
            return [node.body[0] if isinstance(node.body[0], ast.Expr) else None, getattr(node, "returns", None)]
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in {*catalogues.MARKERS, *NO_WORDS}:
            return [node]
        case ast.AnnAssign(annotation=annotation, target=ast.Name(id=name)):
            alias = isinstance(annotation, ast.Name) and annotation.id == "TypeAlias"
            return [annotation, node.value if alias or name in TABLES else None]
        case ast.Assign(targets=[ast.Name(id=name)]) if name in TABLES:
            return [node.value]
        case ast.arg() | ast.AnnAssign():
            return [node.annotation]
        case ast.Assert():
            return [node.msg]
        case ast.Subscript():
            return [node.slice]
    return []


def unmarked(path: Path) -> list[str]:
    """Two words or more in a module that nothing marks as a sentence."""
    tree = ast.parse(path.read_text("utf-8"))
    parts = [part for node in ast.walk(tree) for part in no_sentences(node) if part is not None]
    left_out = {id(inner) for part in parts for inner in ast.walk(part)}
    texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in left_out]
    sentences = [text for text in texts if isinstance(text, str) and re.search("[A-Za-z]{2},? [a-z(]", text)]
    return [text for text in sentences if not re.search(r"[{};]\s*\n|^\W|\$", text) and text not in EXCEPTIONS]


def test_no_sentence_on_the_screen_is_without_a_mark() -> None:
    root = catalogues.ROOT
    paths = {path for pattern in SHOWN for path in root.glob(pattern)} | {
        root / "d2ltui" / "spec" / f"{name}.py" for name in SHOWN_TOO
    }
    paths -= {path for pattern in NOT_SHOWN for path in root.glob(pattern)}
    found = {path.name: texts for path in sorted(paths) if (texts := unmarked(path))}
    assert found == {}, "mark them with _(), or add them to EXCEPTIONS with a reason"


@pytest.mark.parametrize(
    ("arguments", "environment", "encoding"),
    [
        (["--lang", "zh"], {}, "iso8859-1"),
        ([], {VARIABLE: "zh"}, "ascii"),
        ([], {"LANG": "zh_CN.GB2312"}, "gb2312"),
        ([], {"LANG": "zh_CN.UTF-8"}, "ascii"),
        ([], {"LANG": "zh_CN.UTF-8", "TERM": "linux"}, "utf-8"),
    ],
)
def test_where_chinese_cannot_be_written_english_is_spoken_and_that_is_said(
    arguments: list[str], environment: dict[str, str], encoding: str
) -> None:
    try:
        said = prepare(arguments, environment, encoding)
        assert (language.language(), environment[VARIABLE]) == ("en", "en")
        assert (
            said == "lang: zh cannot be written here, so this is English; allowed: a terminal and a locale with UTF-8"
        )
        assert prepare(["--lang", "zh"], {}, "utf-8") == prepare([], {"LANG": "fr_FR.ISO-8859-1"}, "iso8859-1") == ""
    finally:
        language.use("en")
