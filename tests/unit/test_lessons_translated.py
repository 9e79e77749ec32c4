"""Lessons in other languages than English: complete, of the same shape, and in the same room."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from rich.cells import cell_len

from d2ltui.lessons import LESSONS, Lesson
from d2ltui.lessons.lesson import check_lesson, paragraphs
from d2ltui.lessons.texts import ENGLISH, SAID, _file, read

LANGUAGES = ("zh",)
OF_THE_BOOK = [name for name, lesson in LESSONS.items() if type(lesson) is not Lesson]
# Names and signs that are the same in every language.
NAMES = (
    "softmax exp log mean ReLU sigmoid tanh Xavier Kaiming Adagrad Var sd inf nan max min n_in n_out batch_size L_val"
)
HAN = re.compile("[\u4e00-\u9fff]")


def words(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z_]{3,}", text)) - set(NAMES.split())


def numbers(text: str) -> Counter[str]:
    return Counter(re.findall(r"\d+(?:,\d{3})*(?:\.\d+)?", text))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", OF_THE_BOOK)
def test_a_translation_has_the_same_shape(name: str, language: str) -> None:
    english, own = _file(name, ENGLISH), _file(name, language)
    said = {key for key in SAID if key in english}
    assert {"title", "claim", "see", "text", "try"} <= own.keys() <= said | {"try", "map"}
    maps = [own["map"]] if "map" in english else []
    assert [shown.keys() for shown in maps] == [{"see"}] * len(maps)
    assert [trial.keys() for trial in own["try"]] == [{"do", "expect"}] * len(english["try"])
    for key in said - own.keys():
        assert not words(english[key]), f"{key} has words, and no translation"
    spoken = [*(own[key] for key in ("title", "claim", "see")), *(t[k] for t in own["try"] for k in ("do", "expect"))]
    spoken += [shown["see"] for shown in maps]
    assert all(HAN.search(text) for text in spoken)
    assert not any("\n" in text or "  " in text for text in spoken)
    assert not any(re.search(r"[,;:!?]($|[\u4e00-\u9fff])", text) for text in spoken), "Chinese signs in Chinese text"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", OF_THE_BOOK)
def test_code_and_numbers_are_the_same(name: str, language: str) -> None:
    english, own = read(name), read(name, language)
    assert [p.text for p in paragraphs(own["text"]) if p.is_code] == [
        p.text for p in paragraphs(english["text"]) if p.is_code
    ]
    assert len(paragraphs(own["text"])) == len(paragraphs(english["text"]))
    for key in ("formula", "example"):
        lines, own_lines = english[key].splitlines(), own[key].splitlines()
        assert len(lines) == len(own_lines)
        assert max(map(cell_len, own_lines)) <= 50, "it would be wrapped in the middle"
        for line, translated in zip(lines, own_lines, strict=True):
            assert not numbers(line) - numbers(translated), f"{line!r}: {translated!r}"
    # What is trained and what is checked is never translated.
    rest = [{k: v for k, v in trial.items() if k not in ("do", "expect")} for trial in english["try"]]
    assert [{k: v for k, v in trial.items() if k not in ("do", "expect")} for trial in own["try"]] == rest


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", OF_THE_BOOK)
def test_a_lesson_says_what_it_says_in_the_language_that_is_spoken(
    name: str, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lesson = LESSONS[name]
    before = lesson.title, lesson.place, [lesson.fields_to_try(trial) for trial in lesson.trials]
    monkeypatch.setattr("d2ltui.lessons.texts.language", lambda: language)
    check_lesson(lesson)
    assert HAN.search(lesson.title)
    assert before[0] != lesson.title
    assert before[1:] == (lesson.place, [lesson.fields_to_try(trial) for trial in lesson.trials])
    text = "".join(p.text for p in paragraphs(lesson.text) if not p.is_code)
    assert not re.search("[\u4e00-\u9fff，。] [\u4e00-\u9fff]", text), "a line's end is no blank"
