"""What learners are asked to try, and how it is judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from d2ltui.diagnosis.monitor import RULES
from d2ltui.lessons import LESSONS, Check, Lesson, Trial
from d2ltui.lessons.lesson import check_lesson
from d2ltui.lessons.measured import Experiment, Measured
from d2ltui.lessons.recorder import KIND, group_of
from d2ltui.lessons.trial import StoredRuns, carries_out
from d2ltui.spec.config import resolve
from d2ltui.spec.events import ENDED, Finding
from d2ltui.spec.header import header_of
from d2ltui.store.listing import RunInfo
from d2ltui.tui.form_state import FormState, as_text
from d2ltui.tui.screens import lesson_page
from tests.benchmarks.trials import carried_out

EVERY = [(lesson, trial) for lesson in LESSONS.values() for trial in lesson.trials]
BY_HAND = [(lesson, trial) for lesson, trial in EVERY if trial.role]
MLP = {"model": "mlp", "dataset": "digits", "epochs": 10}


def lesson(trial: Trial) -> Lesson:
    made = Lesson(
        "x", "X", "0", "It is.", "", "", lambda bench: Measured([], ""), (Experiment("plain", MLP),), trials=(trial,)
    )
    check_lesson(made)
    return made


def run(
    given: dict[str, Any], accuracy: float | None = None, *, name: str = "mine", rules: str = "", **fields: Any
) -> RunInfo:
    config = resolve({**MLP, **given}, unused=True)
    findings = tuple(Finding(rule, "alarm", None, 1, 1.0, "", "", "", {}) for rule in rules.split())
    told = {"status": "finished", "epochs": config.epochs, "findings": findings, "created": 1.0}
    figures = {} if accuracy is None else {"val_accuracy": accuracy, "val_loss": 1 - accuracy}
    header = header_of(config)
    return RunInfo(name, Path(name), **{**told, "config": config, "header": header, "figures": figures, **fields})


LOWER = Trial("plain", {"dropout": 0.9}, "Do.", "It falls.", Check("val_metric", falls_by=0.1, usual=0.97))


def test_a_run_of_the_change_is_found_whatever_its_seed_and_judged() -> None:
    stored = StoredRuns([run({"dropout": 0.9, "seed": 7, "threads": 1}, 0.31)])
    found = stored.tried(lesson(LOWER), LOWER)
    assert found is not None
    assert found.as_expected
    assert found.said == ("You tried it: validation accuracy 0.31, and 0.97 without the change. As expected.")


def test_what_comes_otherwise_is_told_with_what_was_expected() -> None:
    found = StoredRuns([run({"dropout": 0.9}, 0.95, epochs=6)]).tried(lesson(LOWER), LOWER)
    assert found is not None
    assert not found.as_expected
    assert "0.95, and 0.97 without the change" in found.said
    assert "Not as expected, which is that validation accuracy falls" in found.said
    assert "It was trained for 6 of 10 epochs." in found.said


def test_the_stored_run_without_the_change_counts_before_what_is_usual() -> None:
    rows = [run({"dropout": 0.9, "seed": 3}, 0.85), run({"seed": 3}, 0.9, name="plain-3"), run({}, 0.99, name="plain")]
    found = StoredRuns(rows).tried(lesson(LOWER), LOWER)
    assert found is not None
    assert "0.85, and 0.9 without the change" in found.said, "that of the same seed"
    assert not found.as_expected


@pytest.mark.parametrize(
    "other",
    [
        run({"dropout": 0.9, "lr": 0.5}, 0.2),  # another change beside it
        run({}, 0.2),
        run({"dropout": 0.9}, 0.2, epochs=2, status="stopped"),  # too short to say anything
        run({"dropout": 0.9}, 0.2, status="training"),
        run({"dropout": 0.9}, 0.2, kind=KIND),  # the lesson's own
        run({"dropout": 0.9}, 0.2, problem="damaged"),
        run({"dropout": 0.9}, 0.2, config=None),
    ],
)
def test_what_is_no_run_of_the_change_is_not_taken_for_one(other: RunInfo) -> None:
    assert StoredRuns([other]).tried(lesson(LOWER), LOWER) is None


def test_the_newest_counts() -> None:
    rows = [run({"dropout": 0.9}, 0.1, created=5.0, name="new"), run({"dropout": 0.9}, 0.9, created=2.0, name="old")]
    found = StoredRuns(rows).tried(lesson(LOWER), LOWER)
    assert found is not None
    assert found.run == "new"


LONGER = Trial("plain", {"epochs": 20}, "Do.", "It stays.", Check("val_metric", at_least=0.5))


@pytest.mark.parametrize(("epochs", "counts"), [(10, False), (19, False), (20, True), (30, True)])
def test_a_trial_that_changes_the_epochs_wants_those(epochs: int, counts: bool) -> None:
    longer = lesson(LONGER)
    mine = run({"epochs": epochs}, 0.9)
    assert (StoredRuns([mine]).tried(longer, LONGER) is not None) is counts
    assert mine.config is not None
    assert carries_out(mine.config, longer, LONGER) is counts


def test_a_run_of_another_length_is_none_without_the_change() -> None:
    rows = [run({"dropout": 0.9}, 0.5), run({"epochs": 40}, 0.55, name="longer")]
    found = StoredRuns(rows).tried(lesson(LOWER), LOWER)
    assert found is not None
    assert "0.5, and 0.97 without the change" in found.said, "what is usual, and not what twice the epochs give"


def judged(check: Check, **given: Any) -> bool:
    trial = Trial("plain", {"lr": 3.0}, "Do.", "So.", check)
    found = StoredRuns([run({"lr": 3.0}, **given)]).tried(lesson(trial), trial)
    assert found is not None
    return found.as_expected


def test_bounds_ends_and_findings() -> None:
    assert judged(Check("val_loss", at_most=0.2), accuracy=0.9)
    assert not judged(Check("val_loss", at_most=0.2), accuracy=0.5)
    assert judged(Check("val_metric", at_least=0.5, at_most=0.6), accuracy=0.55)
    assert not judged(Check("val_metric", rises_by=0.0, usual=0.6), accuracy=0.55)
    assert judged(Check(status="diverged"), status="diverged", epochs=0)
    assert not judged(Check(status="diverged"), accuracy=0.9)
    assert not judged(Check("val_metric", at_least=0.5), status="diverged", epochs=1), "it has no figure"
    assert judged(Check(finding="dead-relu"), rules="dead-relu saturation")
    assert not judged(Check(finding="dead-relu"), rules="saturation")
    assert judged(Check(without="dead-relu", status="finished"), rules="saturation")
    assert not judged(Check(without="dead-relu"), rules="dead-relu")


@pytest.mark.parametrize(
    "check",
    [Check(), Check("val_loss"), Check(at_least=1.0), Check("val_loss", falls_by=1.0), Check(status="", usual=1.0)],
)
def test_a_check_that_says_nothing_is_refused(check: Check) -> None:
    with pytest.raises(ValueError, match=r"trials: 'Do\.' is not allowed"):
        lesson(Trial("plain", {"lr": 3.0}, "Do.", "So.", check))


def test_the_last_run_of_an_experiment() -> None:
    group, config = group_of("x"), resolve(MLP)
    place: dict[str, Any] = {"kind": KIND, "group": group, "role": "plain"}
    rows = [
        run({}, 0.9, name="x-plain-1", created=1.0, **place),
        run({"seed": 1}, 0.9, name="x-plain-2", created=2.0, **place),
        run({"lr": 1.0}, 0.9, name="x-plain-lr-1-1", created=3.0, **place),
        run({}, 0.9, name="own", created=4.0),
    ]
    found = StoredRuns(rows).experiment(group, "plain", config)
    assert found is not None
    assert found.name == "x-plain-2"
    assert StoredRuns(rows).experiment(group, "other", config) is None
    few = run({}, 0.9, name="x-plain-few-1", created=5.0, **{**place, "config": None})
    found = StoredRuns([*rows, few]).experiment(group, "plain", config)
    assert found is not None
    assert found.name == "x-plain-few-1"


@pytest.mark.parametrize(("taught", "trial"), EVERY, ids=lambda value: getattr(value, "name", ""))
def test_every_trial_can_be_put_into_the_form_and_says_what_is_looked_up(taught: Lesson, trial: Trial) -> None:
    config = resolve(taught.fields_to_try(trial))
    if trial.role:
        assert config != resolve(taught.fields_of(trial.role)), "something changes"
    assert trial.check is not None, f"{taught.name}: {trial.do}"
    assert not trial.check.problem
    assert {trial.check.finding, trial.check.without} - {""} <= set(RULES)
    assert trial.check.status in ("", *ENDED)


def test_all_that_a_trial_puts_into_the_form_is_said_beside_it() -> None:
    for taught, trial in EVERY:
        said = str(lesson_page.trial(taught, trial, None, ascii=False)).splitlines()[-1]
        given, changed = taught.fields_of(trial.role), taught.fields_to_try(trial)
        before = FormState(resolve(given, unused=True), given)
        after = FormState(resolve(changed, unused=True), changed)
        shown = [name for name in before.visible() if name in after.visible() and before[name] != after[name]]
        names = shown if trial.role else list(trial.given)
        missing = [name for name in names if f"{name.replace('_', ' ')} {after[name]}" not in said]
        assert not missing, (taught.name, said)


@pytest.mark.parametrize("taught", LESSONS.values(), ids=lambda taught: taught.name)
def test_every_lesson_has_two_or_three(taught: Lesson) -> None:
    assert 2 <= len(taught.trials) <= 3


# Trained here are the cheap ones; `python -m tests.benchmarks.trials` trains them all.
CHEAP = ("four-elements", "learning-rate", "exploding", "batch-size")


@pytest.mark.parametrize("name", CHEAP)
def test_what_is_to_be_expected_comes_when_it_is_trained(name: str) -> None:
    for trial in LESSONS[name].trials:
        if trial.given.get("batch_size") != 1:  # which takes seconds
            found = carried_out(LESSONS[name], trial, seed=3)
            assert found.as_expected, found.said


@pytest.mark.parametrize(("lesson", "trial"), BY_HAND, ids=[f"{x.name}-{x.trials.index(t)}" for x, t in BY_HAND])
def test_a_change_that_is_made_by_hand_is_the_one_to_try(lesson: Lesson, trial: Trial) -> None:
    """The experiment is put into the form, and the fields are changed there: nothing else may follow them."""
    given = lesson.fields_of(trial.role)
    form = FormState(resolve(given, unused=True), given)
    wanted = resolve(lesson.fields_to_try(trial), unused=True)
    for name in trial.given:
        form.set(name, as_text(getattr(wanted, name)))
    assert form.resolve() == wanted
