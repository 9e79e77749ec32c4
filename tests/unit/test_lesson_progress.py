"""How far one has come with the lessons: kept, and told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from d2ltui.cli.app import cli
from d2ltui.lessons import LESSONS, Check, Lesson, Trial, kept, progress
from d2ltui.lessons.measured import Experiment, Measured, Verdict, figure
from d2ltui.lessons.progress import FILE, Progress, key_of, look_up, look_up_or_tell, note_seen, read
from d2ltui.lessons.trial import Proposing, StoredRuns, Tried
from d2ltui.spec.diagrams import Bars, Panel, Panels
from d2ltui.store import StoreError
from d2ltui.tui.services.lesson_store import LessonsStored


def lesson(name: str, trials: int = 2) -> Lesson:
    proposed = tuple(
        Trial("plain", {"lr": float(i + 1)}, "Do.", "So.", Check("val_loss", at_most=1.0)) for i in range(trials)
    )
    experiments = (Experiment("plain", {"model": "softmax", "dataset": "digits"}),)
    return Lesson(name, name, "0", "It is.", "", "", lambda bench: Measured([], ""), experiments, trials=proposed)


A, B = lesson("a"), lesson("b", 1)


class Came(StoredRuns):
    """The store of somebody who has tried a few."""

    def __init__(self, *tried: tuple[Lesson, int, bool]) -> None:
        super().__init__(())
        self._came = {(one.name, one.trials[number].given["lr"]): holds for one, number, holds in tried}

    def tried(self, lesson: Proposing, trial: Trial) -> Tried | None:
        assert isinstance(lesson, Lesson)
        holds = self._came.get((lesson.name, trial.given["lr"]))
        return None if holds is None else Tried("mine", holds, "You tried it.")


def test_what_is_next_is_what_was_not_seen_and_then_what_was_not_tried(d2ltui_home: Path) -> None:
    assert read() == Progress()
    assert read().following([A, B]) is A
    assert note_seen("a", True).following([A, B]) is B
    known = note_seen("b", False)
    assert (known.of(A).holds, known.of(B).holds) == (True, False)
    assert known.following([A, B]) is A
    known, came = look_up([A, B], Came((A, 0, True), (A, 1, False)))
    assert [found is not None for found in came["a"]] == [True, True]
    assert known.of(A).tried == {key_of(A, 0): True, key_of(A, 1): False}
    assert (known.tried(A), known.tried(B)) == (2, 0)
    assert known.following([A, B]) is B
    assert known.in_words([A, B]) == "2 of 2 lessons seen, 2 of 3 changes tried"
    # The runs may be deleted: what was tried was tried.
    assert look_up([A, B], Came((B, 0, True)))[0].following([A, B]) is None
    assert read().tried(A) == 2
    assert (d2ltui_home / FILE).is_file()


def test_nothing_is_written_where_nothing_is_to_be_kept(d2ltui_home: Path) -> None:
    known, _ = look_up([A], Came((A, 0, True)), writes=False)
    assert known.tried(A) == 1
    assert not (d2ltui_home / FILE).exists()


DAMAGES = {
    "empty": b"",
    "cut": b"{",
    "other": b'{"lessons": []}',
    "wrong value": b'{"lessons": {"a": {"seen": "yesterday"}}}',
    "not UTF-8": b'{"lessons": {"\xff": {}}}',
    "deep": b'{"other": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_told_of_and_not_overwritten(d2ltui_home: Path, damage: bytes) -> None:
    (d2ltui_home / FILE).write_bytes(damage)
    with pytest.raises(StoreError, match=r"lessons: .* cannot be read"):
        note_seen("a", True)
    assert (d2ltui_home / FILE).read_bytes() == damage


def test_what_is_seen_while_trials_are_looked_up_is_kept(d2ltui_home: Path) -> None:
    class Ends(Came):
        def tried(self, lesson: Proposing, trial: Trial) -> Tried | None:
            note_seen("b", True)  # as the thread does that measures
            return super().tried(lesson, trial)

    known, _ = look_up([A, B], Ends((A, 0, True)))
    assert known == read()
    assert (known.tried(A), known.of(B).holds) == (1, True)


def command(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["lessons", *arguments])


def drawn(bench: object) -> Measured:
    bench.show(Panels((Panel("one", Bars(("<one>",), (1.0,))),)), seed=0)  # type: ignore[attr-defined]
    return Measured([figure("a & b", 1.0, 1.0, 1.0, plain="A & B"), figure("else", 2.0)], "A comment.", "It is < 2.")


SHEET = Lesson(
    "sheet",
    "A sheet",
    "4.5",
    "One is less than 2.",
    "1 < 2",
    "In words.\n\n    code = 1 < 2\n        indented",
    drawn,
    (Experiment("plain", {"model": "softmax", "dataset": "moons", "epochs": 1}),),
    "one bar",
    "0.5 < 2",
    (Trial("plain", {"lr": 0.5}, "Take <half>.", "It falls.", Check("val_metric", at_least=0.0)),),
)


def test_a_page_to_hand_out_is_whole_and_needs_no_other(offer, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    offer(LESSONS, SHEET)
    page, figure_alone = tmp_path / "sheet.html", tmp_path / "sheet.svg"
    told = command("sheet", "--html", str(page), "--svg", str(figure_alone))
    assert told.exit_code == 0
    html = page.read_text("utf-8")
    for said in (
        "A sheet",
        "section 4.5",
        "One is less than 2.",
        "The claim holds. It is &lt; 2.",
        "To be seen: one bar. drawn: seed 0; the verdict: mean of 3 seeds",
        "<td>A &amp; B</td><td>1</td><td>exactly 1</td>",
        "<pre>    code = 1 &lt; 2\n        indented</pre>",
        "<pre>1 &lt; 2</pre>",
        "<pre>0.5 &lt; 2</pre>",
        "Take &lt;half&gt;.",
        "d2ltui train --model softmax --dataset moons --epochs 1 --lr 0.5",
        "What to expect: It falls.",
        "A comment.",
    ):
        assert said in html, said
    assert html.count("<svg") == 1
    assert "&lt;one&gt;" in html
    assert not {"http:", "https:", "src=", "href="} & set(html.replace("http://www.w3.org", "").split('"'))
    assert figure_alone.read_text("utf-8").startswith("<svg")
    # Nothing is overwritten, and that is said before anything is measured.
    again = command("sheet", "--html", str(page))
    assert again.exit_code == 2
    assert "html: " in again.output
    assert "is there already" in again.output
    assert command("all", "--svg", str(tmp_path / "x.svg")).exit_code == 2
    assert "svg: --svg is not allowed without a lesson" in command("--svg", str(tmp_path / "x.svg")).output
    nowhere = command("sheet", "--html", str(tmp_path / "no" / "sheet.html"))
    assert nowhere.exit_code == 2
    assert "its directory is not there" in nowhere.output


def test_the_list_says_how_far_one_has_come() -> None:
    first, second = list(LESSONS)[:2]
    assert f"0 of {len(LESSONS)} lessons seen" in command().output
    assert f"next: d2ltui lessons {first}" in command().output
    note_seen(first, True)
    output = command().output
    assert f"✓ {LESSONS[first].section}" in output
    assert f"1 of {len(LESSONS)} lessons seen" in output
    assert f"next: d2ltui lessons {second}" in output
    listed = {entry["name"]: entry for entry in json.loads(command("--json").output)}
    assert listed[first]["seen"] is not None
    assert (listed[second]["seen"], listed[second]["tried"]) == (None, 0)


def test_what_is_measured_in_the_shell_counts_as_seen_unless_nothing_is_to_be_kept(offer) -> None:  # type: ignore[no-untyped-def]
    offer(LESSONS, SHEET)
    command("sheet", "--no-store")
    assert read().of(SHEET).seen is None
    command("sheet")
    assert read().of(SHEET).seen is not None


def test_what_can_be_read_is_shown_whatever_cannot_be_written(
    d2ltui_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note_seen("a", True)

    def refused(*_: object) -> None:
        raise StoreError("lessons: lessons.lock cannot be written")

    monkeypatch.setattr(progress, "locked", refused)
    known, came, trouble = look_up_or_tell([A, B], Came((A, 0, True)), writes=True)
    assert known.of(A).seen is not None
    assert came["a"][0] is not None
    assert "cannot be written" in trouble


def test_what_was_tried_is_known_though_the_file_is_damaged(d2ltui_home: Path) -> None:
    (d2ltui_home / FILE).write_bytes(b"{")
    known, came, trouble = look_up_or_tell([A, B], Came((A, 0, True)), writes=True)
    assert known == Progress()
    assert came["a"][0] is not None
    assert "cannot be read" in trouble
    stored = LessonsStored([A])
    kept.keep(Verdict("a", "It is.", True, (), "So.", 3, 1.0), None, "")
    with pytest.raises(StoreError, match="cannot be read"):
        stored.read(writes=False)
    assert set(stored.kept) == {"a"}
