"""Every sentence that lessons make is marked, and has a translation."""

from __future__ import annotations

import ast
import re
import string

import pytest
from rich.cells import cell_len

from d2ltui.charts.canvas import Look
from d2ltui.charts.picture import draw_picture
from d2ltui.lessons import LESSONS, Bench
from d2ltui.lessons.lesson import fields_in_words
from d2ltui.lessons.progress import key_of
from d2ltui.lessons.roles import role_in_words
from d2ltui.spec.language import using
from tests import catalogues
from tests.catalogues import LESSONS as CATALOGUE

LANGUAGES = CATALOGUE.languages()
HAN = re.compile("[\u4e00-\u9fff]")
# What is the same in Chinese: names, formulas, and what is made of numbers alone.
SAME = re.compile(
    r"logits?|softmax|sigmoid|tanh|ReLUs?|SGD|Xavier|Kaiming|Adagrad|Fashion|MNIST|float\d\d|nan|inf|exp|max|log|sum|sd|torch\.nn"
)


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_sentence_has_a_translation_with_the_same_values(language: str) -> None:
    known = CATALOGUE.read(language)
    assert [m.text for m in CATALOGUE.marked() if not known.get(m.text, [""])[0]] == [], "python -m tests.catalogues"
    assert set(known) - {""} == {m.text for m in CATALOGUE.marked()}, "those that are gone are taken out"
    for message in CATALOGUE.marked():
        (said,) = known[message.text]
        assert fields(said) == fields(message.text), message
        words = SAME.sub("", re.sub(r"\{[^}]*\}", "", message.text))
        assert said != message.text or not re.search("[A-Za-z]{3}", words), message
        if language == "zh":
            assert not re.search("[\u4e00-\u9fff][,;:.?!]", said), message
        assert said.endswith("。") or not message.text.endswith(". ") or not HAN.search(said), message


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_catalogue_that_is_read_is_that_of_the_text(language: str) -> None:
    known = CATALOGUE.read(language)
    assert CATALOGUE.path_of(language, "po").read_text("utf-8") == catalogues.po(CATALOGUE.marked(), known)
    assert CATALOGUE.path_of(language, "mo").read_bytes() == catalogues.mo(CATALOGUE.marked(), known)


SHOWN = {"figure": (0, 5), "accuracy_figure": (0,), "Measured": (1, 2), "Panel": (0,), "Curve": (0,), "Raster": (1, 2)}
SHOWN |= {"Curves": (2,), "Descent": (3,), "Path": (0,), "loss_curve": (0,)}
KEYWORDS = {"plain", "note", "x_label", "bars_label", "names", "across", "axes"}


def bare(node: ast.AST) -> list[str]:
    """Texts in an expression that are shown as they stand, though they have words."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        return []
    match node:
        case ast.Call(func=ast.Name(id="_")):
            return []
        case ast.Constant(value=str(text)):
            return [text] if re.search("[A-Za-z]{3}", SAME.sub("", text)) else []
        case ast.JoinedStr(values=values):
            return [text for value in values if isinstance(value, ast.Constant) for text in bare(value)]
        case ast.BinOp(left=left, right=right):
            return bare(left) + bare(right)
        case ast.IfExp(body=body, orelse=other):
            return bare(body) + bare(other)
        case ast.Tuple(elts=parts) | ast.BoolOp(values=parts):
            return [text for part in parts for text in bare(part)]
    return []


def test_no_lesson_shows_a_text_that_is_not_marked() -> None:
    for path in sorted((catalogues.ROOT / "d2ltui" / "lessons").glob("**/*.py")):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
                places = SHOWN.get(call.func.id, ())
                parts = [arg for i, arg in enumerate(call.args) if i in places]
                parts += [keyword.value for keyword in call.keywords if keyword.arg in KEYWORDS]
                assert [text for part in parts for text in bare(part)] == [], f"{path.name}:{call.lineno}"


def test_what_is_stored_is_in_english_whatever_is_spoken() -> None:
    for lesson in LESSONS.values():
        keys = [key_of(lesson, number) for number in range(len(lesson.trials))]
        with using("zh"):
            assert [key_of(lesson, number) for number in range(len(lesson.trials))] == keys
            for experiment in lesson.experiments:
                assert experiment.role.isascii() or "½" in experiment.role or "²" in experiment.role
                assert (
                    HAN.search(role_in_words(experiment.role)) or SAME.match(experiment.role) or "N(" in experiment.role
                )
                assert HAN.search(fields_in_words(experiment.given))
    with using("zh"):
        assert role_in_words("large weights, Kaiming") == "大权重，Kaiming"
        assert role_in_words("1,437 samples") == "1,437个样本"
        assert role_in_words("sigmoid, 10 layers") == "sigmoid，10层"
    assert role_in_words("large weights, Kaiming") == "large weights, Kaiming"


@pytest.mark.parametrize("name", ["softmax-shift", "half-loss"])
def test_a_lesson_that_is_measured_in_chinese_is_chinese(name: str) -> None:
    with using("zh"):
        bench = Bench(LESSONS[name], seeds=1)
        found = bench.verdict()
        told = [
            found.sentence,
            found.comment,
            found.how,
            *(f.line for f in found.figures),
            *(f.whole_line for f in found.figures),
        ]
        assert all(HAN.search(text) for text in told)
        assert not [text for text in told if re.search("[A-Za-z]{4}", SAME.sub("", text))]
        assert bench.picture is not None
        for width, height in ((46, 7), (46, 10), (76, 20), (110, 34)):
            drawn = draw_picture(bench.picture, width, height, Look(colours=False))
            lines = ["".join(text for _, text in line) for line in drawn]
            assert len(lines) == height
            assert max(map(cell_len, lines)) <= width
            assert any(HAN.search(line) for line in lines)
