"""`d2ltui lessons` from the outside."""

from __future__ import annotations

import json
import re
from unittest.mock import MagicMock

import pytest
from click.testing import CliRunner, Result

from d2ltui.cli.app import cli
from d2ltui.lessons import LESSONS, Bench, LessonError, Verdict
from d2ltui.lessons.book import no_activation
from d2ltui.lessons.lesson import fields_in_words
from d2ltui.lessons.measured import Figure
from d2ltui.spec.fields import FIELDS
from d2ltui.spec.language import using


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["lessons", *arguments])


def test_the_list() -> None:
    result = run()
    assert result.exit_code == 0
    assert all(lesson.title in result.output and lesson.name in result.output for lesson in LESSONS.values())
    listed = json.loads(run("--json").output.splitlines()[-1])
    assert [entry["name"] for entry in listed] == list(LESSONS)


def test_experiments_are_told_as_the_form_calls_them_without_what_has_no_effect() -> None:
    given = {experiment.role: experiment.given for experiment in LESSONS["revive"].experiments}
    assert fields_in_words(given["large weights"]).endswith("hidden 256,256, init normal, init std 1, epochs 10")
    assert "init std" not in fields_in_words(given["large weights, Xavier"])
    with using("zh"):
        english = [name for name in FIELDS.keys() - {"data_dir"} if re.search("[a-z]{3}", fields_in_words({name: 1}))]
        assert not english, "every field has a name, not only those of today's lessons"
        assert fields_in_words({"momentum": 0.9, "samples": 9}) == "动量 0.9，样本数 9"


def test_one_hidden_layer_is_one() -> None:
    labels: list[str] = []
    bench = MagicMock()
    bench.train.side_effect = lambda *_, label, **__: labels.append(label)
    for depth in (1, 2):
        no_activation._draw_regions(bench, "relu", depth, {})
    assert labels == ["relu, 1 hidden layer", "relu, 2 hidden layers"]


def test_one_lesson_prints_its_page_and_its_verdict() -> None:
    result = run("softmax-shift", "--seeds", "1")
    assert result.exit_code == 0
    lesson = LESSONS["softmax-shift"]
    assert all(line in result.output for line in lesson.formula.splitlines())
    assert "softmax-shift: holds (1 seed," in result.output
    assert "of the rows (claimed: exactly 100 %)" in result.output
    assert "█" in result.output, "the figure"
    assert "    o − 1001 = (−1, 0)" in result.output


def test_one_lesson_as_json() -> None:
    result = run("four-elements", "--seeds", "2", "--json")
    assert result.exit_code == 0
    told = json.loads(result.stdout.splitlines()[-1])
    (lesson,) = told["lessons"]
    assert (told["holds"], lesson["name"], lesson["holds"], lesson["seeds"]) == (True, "four-elements", True, 2)
    assert all({"what", "value", "low", "high", "unit", "holds"} == figure.keys() for figure in lesson["figures"])


def verdicts(monkeypatch: pytest.MonkeyPatch, failing: str, error: str = "") -> None:
    def verdict(self: Bench) -> Verdict:
        name = self.lesson.name
        if error and name == failing:
            raise LessonError(error)
        value = 0.0 if name == failing else 1.0
        figure = Figure("what was measured", value, 1.0, 1.0)
        return Verdict(name, self.lesson.claim, figure.holds, (figure,), "a comment", len(self.seeds), 0.1)

    monkeypatch.setattr(Bench, "verdict", verdict)


def test_all_lessons(monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts(monkeypatch, failing="none")
    result = run("all", "--json")
    assert result.exit_code == 0
    told = json.loads(result.stdout.splitlines()[-1])
    assert [lesson["name"] for lesson in told["lessons"]] == list(LESSONS)
    assert told["holds"]


def test_a_claim_that_does_not_hold_is_exit_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts(monkeypatch, failing="vanishing")
    result = run("all")
    assert result.exit_code == 1
    assert "vanishing: DOES NOT HOLD" in result.output
    assert "✗ what was measured: 0 (claimed: exactly 1)" in result.output
    assert f"{len(LESSONS) - 1} of {len(LESSONS)} claims hold" in result.output
    told = json.loads(run("vanishing", "--json").stdout.splitlines()[-1])
    assert not told["holds"]


def test_a_lesson_that_cannot_be_measured_does_not_hold_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts(monkeypatch, failing="yield", error="no room")
    result = run("all")
    assert result.exit_code == 1
    assert "not measured: no room" in result.output
    assert "weight-decay: holds" in result.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("vanishin",), "lesson: 'vanishin' is not known (did you mean vanishing?); allowed: four-elements"),
        (("xyz",), "lesson: 'xyz' is not known; allowed: four-elements"),
        (("all", "--seeds", "0"), "seeds: '0' is not allowed"),
        (("all", "--seeds", "many"), "seeds: 'many' is not allowed"),
        (("all", "--data-dir", "/nowhere/at/all"), "data-dir: '/nowhere/at/all' is not allowed"),
    ],
)
def test_wrong_arguments_are_one_sentence_and_exit_status_2(arguments: tuple[str, ...], sentence: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert sentence in result.output
