"""Every sentence of the interface is marked, and has a translation."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest
from click.testing import CliRunner

from d2ltui.charts.of_map import key_of
from d2ltui.cli.app import cli
from d2ltui.diagnosis.monitor import RULES
from d2ltui.spec import language
from d2ltui.spec.catalogue import DATASETS
from d2ltui.spec.findings import rule_in_words
from d2ltui.spec.language import VARIABLE, prepare, using
from d2ltui.spec.maps import Known
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


def test_classes_are_called_as_one_speaks() -> None:
    assert DATASETS["circles"].named == ("outer", "inner")
    with using("zh"):
        assert DATASETS["circles"].named == ("外", "内")
        assert DATASETS["fashion-mnist"].named[-1] == "短靴"
        assert DATASETS["digits"].named == DATASETS["digits"].classes, "digits are digits"


def test_rules_have_names_in_the_language_that_is_spoken() -> None:
    assert rule_in_words("dead-relu") == "dead-relu", "as a filter takes it"
    with using("zh"):
        english = [rule for rule in RULES if re.search("[a-z]{3}", rule_in_words(rule).replace("ReLU", ""))]
        assert not english
        known = Known({(0, 0): {"status": "diverged", "finding": "dead-relu"}})
        said = "".join(text for _, text in [*key_of(known, "finding", ascii=False), *key_of(known, "lr", ascii=False)])
        assert "diverged" not in said
        assert "ReLU失活" in said


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


# What no user reads, or is looked up where it is shown, or has a test of its own.
NOT_SHOWN = (
    *(
        "d2ltui/code/*.py",
        "d2ltui/store/export_*.py",
        "d2ltui/charts/export*.py",
        "d2ltui/charts/html*.py",
    ),  # code, markup
    *("d2ltui/lessons/**/*.py", "d2ltui/tui/screens/lesson*.py", "d2ltui/charts/diagram_*.py"),  # the lessons' test's
    *("d2ltui/tui/render/*.py", "d2ltui/diagnosis/thresholds.py", "d2ltui/spec/language.py"),  # a developer's
    *(f"d2ltui/spec/{name}.py" for name in ("activations", "catalogue", "datasets", "inits", "optimizers", "pictures")),
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
    "ModelSpec",
    "LayerSpec",
    "option",  # of a command: its help is looked up where it is shown
    "Option",
}
TABLES = {
    "KEYS",
    "DEFAULT_CSS",
    "_FORMATS",
    "TABLES",
    "_NOT_ITS_BYTES",
    "FIELD_HELP",
    "MAP_HELP",
    "TABLE_HELP",
    "FUNCTIONS",
    "SOURCES",
    "COLUMNS",
    "STYLES",
}
EXCEPTIONS = {
    "on the way out: {}": "for Textual's log",
    "train (≥ −1)": "a curve's name, looked up where it is drawn",
    "bold reverse": "a style",
    "whole number": "counted, which looks it up",
    "training step": "counted",
    "other layer": "counted",
    "other setting": "counted",
    "each input to mean 0, sd 1": "looked up where it is shown",
    "by heart": "the name of a reading, likewise",
    "auto, cpu, cuda, cuda:N, mps": "values",
    "logit o": "a formula",
    "d2ltui checkpoint": "the format's name",
    "d2ltui weights": "the format's name",
    "steepest descent": "a value of JSON",
    "a tenth of the rate at the lowest loss": "likewise",
    "at end of document": "what another library says",
    "steps per epoch": "a name in a file",
    " Repeat the option for more values.": "looked up with the help of its option",
    "no {} screen could be prepared: {}": "for a log",
    "no {} screen could be drawn ahead: {}": "for a log",
    "d2ltui train ": "a command",
    "d2ltui runs group={}": "a command",
    "'d2ltui check'": "a command",
    "dict[str, object]": "a type",
}
FOREIGN = re.compile(
    "CUDA|CUBLAS|MPS|^(can't allocate|not enough|out of|illegal|misaligned|device-side|launch)|disk i/o|is full"
)
# Statements for a database, styles, and what is made of figures alone.
NO_SENTENCE = re.compile(
    r"^(\{\})?[a-z2]+: \{\} ?$|^<|[{};]\s*\n|\$|^bold \{\}|^\{\} bold|"
    r"\b(SELECT|PRAGMA|INSERT|DELETE|WHERE|CREATE)\b|unable to open"
)


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


def said(node: ast.AST) -> str:
    """The text of a constant, or of an f-string with `{}` for its values."""
    if isinstance(node, ast.JoinedStr):
        return "".join(said(part) or "{}" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def unmarked(path: Path) -> list[str]:
    """Two words or more in a module that nothing marks as a sentence."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    parts = [part for node in nodes for part in no_sentences(node) if part is not None]
    left_out = {id(inner) for part in parts for inner in ast.walk(part)}
    left_out |= {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    texts = (node for node in nodes if isinstance(node, (ast.Constant, ast.JoinedStr)) and id(node) not in left_out)
    found = [text for node in texts if (text := said(node))]
    sentences = [
        text for text in found if re.search("[A-Za-z]{2},? [a-z(]|[a-z]{3}:? \\{}|}:? [a-z]{2}|^an? [a-z]{3}", text)
    ]
    return [
        text
        for text in sentences
        if text not in EXCEPTIONS and not NO_SENTENCE.search(text) and not FOREIGN.search(text) and not SAME.match(text)
    ]


# Values beside the names that they have in the form and on the command line.
SAME = re.compile(r"(\{}, )?(  )?(lr|gpu|cpu|spare|layer|Dropout|Conv|AvgPool|mem)\b[ {}×–%a-z]*$|  ?lr |\{}  gpu \{}$")


def test_no_sentence_that_reaches_a_person_is_without_a_mark() -> None:
    root = catalogues.ROOT
    paths = set(root.glob("d2ltui/**/*.py")) - {path for pattern in NOT_SHOWN for path in root.glob(pattern)}
    found = {str(path.relative_to(root)): texts for path in sorted(paths) if (texts := unmarked(path))}
    assert found == {}, "mark them with _(), or add them to EXCEPTIONS with a reason"


SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def own(scope: ast.AST) -> list[ast.AST]:
    """What stands in a function itself, without those in it."""
    inner = [node for node in ast.iter_child_nodes(scope) if not isinstance(node, SCOPES)]
    return inner + [deeper for node in inner for deeper in own(node)]


def test_nothing_hides_the_mark() -> None:
    """A variable `_` would: where a function has one, `_("…")` calls it."""
    for path in sorted(catalogues.ROOT.glob("d2ltui/**/*.py")):
        text = path.read_text("utf-8")
        if " _," not in text and " _ " not in text and "(_" not in text.replace("(_(", ""):
            continue
        for scope in ast.walk(ast.parse(text)):
            if isinstance(scope, SCOPES):
                inner = own(scope)
                names = [n.id for n in inner if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
                names += [n.arg for n in inner if isinstance(n, ast.arg)]
                calls = [n.lineno for n in inner if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "_"]
                assert not ("_" in names and calls), f"{path.name}:{calls}"


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
