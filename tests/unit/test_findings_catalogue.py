"""Every sentence of a finding is marked, and has a translation."""

from __future__ import annotations

import ast
import re
import string

import pytest

from d2ltui.spec.events import Finding
from d2ltui.spec.findings import all_well, finding_values, findings_in_words, tally
from d2ltui.spec.language import using
from d2ltui.spec.text import counted
from tests import catalogues
from tests.catalogues import FINDINGS, ROOT

LANGUAGES = FINDINGS.languages()
# Where findings are put into words.
SPEAKING = (
    *("diagnosis/rules_layers", "diagnosis/rules_loss", "diagnosis/rules_training", "diagnosis/causes"),
    *("diagnosis/remedies", "diagnosis/evidence", "diagnosis/labels", "engine/doctor", "engine/doctor_labels"),
    *("engine/checkup_data", "engine/checkup_network", "engine/checkup_memory", "engine/giving_up", "spec/findings"),
)
# A name of a check that programs read, and what is said of a program's own defect.
NOT_OF_FINDINGS = {"by heart", "judging whether the run will learn"}


def fields(text: str) -> set[tuple[str | None, str | None]]:
    return {(name, form) for _, name, form, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("tongue", LANGUAGES)
def test_each_sentence_has_a_translation_with_the_same_values(tongue: str) -> None:
    known = FINDINGS.read(tongue)
    assert [m.text for m in FINDINGS.marked() if not known.get(m.key, [""])[0]] == [], "python -m tests.catalogues"
    assert set(known) - {""} == {m.key for m in FINDINGS.marked()}, "those that are gone are taken out"
    for message in FINDINGS.marked():
        (said,) = known[message.key]
        assert fields(said) == fields(message.text), message
        if tongue == "zh":
            assert not re.search("[\u4e00-\u9fff][,;:?!]( |$)", said), message


@pytest.mark.parametrize("tongue", LANGUAGES)
def test_the_catalogue_that_is_read_is_that_of_the_text(tongue: str) -> None:
    known = FINDINGS.read(tongue)
    assert FINDINGS.path_of(tongue, "po").read_text("utf-8") == catalogues.po(FINDINGS.marked(), known)
    assert FINDINGS.path_of(tongue, "mo").read_bytes() == catalogues.mo(FINDINGS.marked(), known)


@pytest.mark.parametrize("module", SPEAKING)
def test_no_sentence_of_a_finding_is_left_unmarked(module: str) -> None:
    marked = set()
    tree = ast.parse((ROOT / f"d2ltui/{module}.py").read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in (*catalogues.MARKERS, "counted"):
                marked |= {id(part) for part in ast.walk(node)}
        elif isinstance(node, ast.Expr):  # a docstring
            marked.add(id(node.value))
    texts = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in marked)
    sentences = [
        text.value for text in texts if isinstance(text.value, str) and re.search(r"\w{2}.* \w{2}", text.value)
    ]
    assert set(sentences) <= NOT_OF_FINDINGS


def test_findings_are_told_in_the_language_and_stay_the_same_for_programs() -> None:
    found = Finding("dead-relu", "alarm", 2, 5, 0.5, "什么", "为何", "", {"lr": 0.1})
    following = Finding("stalled", "warning", None, 5, 0.5, "什么", "为何", "", {}, because_of="dead-relu")
    english = finding_values(found)
    with using("zh"):
        assert findings_in_words([found, following]) == ["警报: 什么", "    为何", "    由此而来：什么"]
        assert tally([found, found, following]).words == "2个警报，1个警告"
        assert all_well([], ["输入"]) == "已检查输入：一切正常。"
        assert counted(1024, "unit", ",") == "1,024个单元"
        assert finding_values(found) == english
    assert tally([found, found, following]).words == "2 alarms, 1 warning"
