"""`d2ltui lessons`: list them, or measure one or all."""

from __future__ import annotations

import json
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from d2ltui.cli import text
from d2ltui.cli.lesson_sheet import SheetWriter, free
from d2ltui.lessons import LESSONS, Bench, BenchRun, Lesson, LessonError, Verdict
from d2ltui.lessons.lesson import fields_in_words, paragraphs
from d2ltui.lessons.measured import LessonCancelled
from d2ltui.lessons.progress import Progress, look_up_or_tell, note_seen
from d2ltui.lessons.recorder import group_of
from d2ltui.lessons.roles import role_in_words
from d2ltui.lessons.trial import StoredRuns, Tried
from d2ltui.runner.headless import StderrReporter
from d2ltui.spec import terminal
from d2ltui.spec.language import _, ngettext
from d2ltui.spec.numbers import duration
from d2ltui.spec.signals import Signals
from d2ltui.spec.text import sections
from d2ltui.spec.width import cells, cut, filled, padded
from d2ltui.store.defects import in_words, keep_traceback

if TYPE_CHECKING:
    from d2ltui.runner.lesson_recorder import LessonRecorder

Sheet: TypeAlias = Callable[[Lesson, Verdict, Bench], None]
WIDTH, HEIGHT = 100, 24


def list_lessons(as_json: bool) -> int:
    """Print every lesson's name and claim, and how far one has come; returns the exit status."""
    known = _known()[0]
    if as_json:
        keys = ("name", "title", "section", "see", "claim", "formula", "example", "text")
        told = [
            {key: getattr(lesson, key) for key in keys}
            | {"seen": known.of(lesson).seen, "tried": known.tried(lesson), "trials": len(lesson.trials)}
            for lesson in LESSONS.values()
        ]
        print(_json(told))
        return 0
    places = [lesson.section for lesson in LESSONS.values()]
    wide, title = max(map(cells, places)) + 2, max(cells(lesson.title) for lesson in LESSONS.values()) + 2
    for lesson in LESSONS.values():
        holds, tried = known.of(lesson).holds, known.tried(lesson)
        mark = " " if holds is None else "✓" if holds else "✗"
        count = _("  {tried} of {trials} tried").format(tried=tried, trials=len(lesson.trials)) if tried else ""
        print(f"{mark} {padded(lesson.section, wide)}{padded(lesson.title, title)}{lesson.name}{count}")
        print(_wrapped(lesson.see or lesson.claim, " " * (wide + 2)))
    print(f"\n{known.in_words(LESSONS.values())}", end="")
    following = known.following(LESSONS.values())
    print(_("; next: d2ltui lessons {name}").format(name=following.name) if following is not None else "")
    return 0


def _known(*, writes: bool = True) -> tuple[Progress, dict[str, list[Tried | None]]]:
    """What was seen, and what was tried, as far as that can be read; what cannot is told on standard error."""
    from d2ltui.store import StoreError, listing

    runs = StoredRuns(())
    try:
        runs = StoredRuns(listing.runs())
    except StoreError as error:
        print(f"d2ltui: {error}", file=sys.stderr)
    known, tried, trouble = look_up_or_tell(list(LESSONS.values()), runs, writes=writes)
    if trouble:
        print(f"d2ltui: {trouble}", file=sys.stderr)
    return known, tried


def sheet_for(html: str | None, svg: str | None) -> Sheet:
    """What writes the lesson into these files.

    Raises:
        NotAllowed: where one of them is there already, or has no directory.
    """
    return SheetWriter(free("html", html) if html is not None else None, free("svg", svg) if svg is not None else None)


def measure(
    names: Sequence[str], seeds: int, data_dir: str | None, as_json: bool, store: bool, sheet: Sheet | None = None
) -> int:
    """Measure the lessons called `names`; returns the exit status, 0 when every claim holds and 1 when one does not.

    Prints the page of a single one, figures and verdicts, or with `as_json` one object as the last line of standard
    output; progress on standard error. `sheet` is told of the lesson that was measured, and what there is to see.
    """
    from d2ltui.runner.lesson_recorder import LessonRecorder  # not for the list: it takes numpy

    began = time.perf_counter()
    verdicts: list[Verdict] = []
    with Signals(on_hangup="stop") as signals:
        for name in names:
            recorder = LessonRecorder(name, StderrReporter(sys.stderr)) if store else None
            page = len(names) == 1 and not as_json
            verdict, bench = _measure_one(LESSONS[name], signals, seeds, data_dir, recorder, page)
            if verdict is None:
                return signals.status or 1
            verdicts.append(verdict)
            if store:
                _note(verdict, bench)
            if not as_json:
                _print_verdict(verdict, whole=len(names) == 1)
                if len(names) == 1 and LESSONS[name].trials:
                    _print_trials(LESSONS[name], _known(writes=store)[1].get(name, []))
                if len(names) == 1 and (found := LESSONS[name].map) is not None:
                    print("\n" + _("Its map:"))
                    print(f"{_wrapped(found.see, '    ')}\n        {found.command}", flush=True)
                if len(names) == 1 and recorder is not None and recorder.stored:
                    said = ngettext(
                        "{number} run stored: {command}", "{number} runs stored: {command}", recorder.stored
                    )
                    command = f"d2ltui runs group={group_of(name)}"
                    print(said.format(number=recorder.stored, command=command), file=sys.stderr)
            if sheet is not None:
                sheet(LESSONS[name], verdict, bench)
    holds = all(verdict.holds for verdict in verdicts)
    seconds = round(time.perf_counter() - began, 1)
    if as_json:
        print(_json({"holds": holds, "seconds": seconds, "lessons": [_as_dict(verdict) for verdict in verdicts]}))
    elif len(verdicts) > 1:
        number = sum(verdict.holds for verdict in verdicts)
        said = _("{number} of {total} claims hold ({time})")
        print(said.format(number=number, total=len(verdicts), time=duration(seconds)))
    return 0 if holds else 1


def _measure_one(
    lesson: Lesson, signals: Signals, seeds: int, data_dir: str | None, recorder: LessonRecorder | None, page: bool
) -> tuple[Verdict | None, Bench]:
    """The verdict, or None where a signal has ended the measurement; and where it was measured."""
    if page:
        _print_page(lesson)
    progress = _Progress(lesson)
    bench = Bench(lesson, seeds=seeds, data_dir=data_dir, on_run=progress, recorder=recorder)
    progress.bench = bench
    signals.watch(bench)
    try:
        verdict = bench.verdict()
    except LessonCancelled:
        return None, bench
    except LessonError as error:
        verdict = Verdict(
            lesson.name, lesson.claim, False, (), _("not measured: {error}").format(error=error), seeds, 0.0
        )
    except Exception as error:  # a lesson may be anybody's, and the others go on
        why = _("not measured: {error}").format(error=f"{in_words(error)}; {keep_traceback(error)}")
        verdict = Verdict(lesson.name, lesson.claim, False, (), why, seeds, 0.0)
    finally:
        progress.clear()
    if page and bench.picture is not None:
        _print_picture(lesson, bench)
    return None if signals.caught is not None else verdict, bench


def _note(verdict: Verdict, bench: Bench) -> None:
    """That it was seen, and what."""
    from d2ltui.lessons.kept import keep
    from d2ltui.store import StoreError

    try:
        if verdict.figures:
            note_seen(verdict.name, verdict.holds)
            keep(verdict, bench.picture, bench.drawn_in_words)
    except StoreError as error:
        print(f"d2ltui: {error}", file=sys.stderr)
    except Exception as error:  # another package's lesson may have found what cannot be written; the others go on
        why = _("not kept: {error}").format(error=f"{in_words(error)}; {keep_traceback(error)}")
        print(f"d2ltui: {why}", file=sys.stderr)


def _as_dict(verdict: Verdict) -> dict[str, object]:
    figures = [
        {
            "what": figure.what,
            "value": figure.value,
            "low": figure.low,
            "high": figure.high,
            "unit": figure.unit,
            "holds": figure.holds,
        }
        for figure in verdict.figures
    ]
    return {
        "name": verdict.name,
        "claim": verdict.claim,
        "holds": verdict.holds,
        "figures": figures,
        "comment": verdict.comment,
        "seeds": verdict.seeds,
        "seconds": verdict.seconds,
    }


def _json(value: object) -> str:
    return json.dumps(value, allow_nan=False, ensure_ascii=False)


def _wrapped(text: str, indent: str = "") -> str:
    return filled(text, WIDTH, indent)


def _print_page(lesson: Lesson) -> None:
    print(_("{title} ({place})").format(title=lesson.title, place=sections(lesson.section)) + "\n")
    print(_wrapped(_("Claim: {claim}").format(claim=lesson.claim)), end="\n\n")
    for paragraph in paragraphs(lesson.text):
        print(paragraph.text if paragraph.is_code else _wrapped(paragraph.text), end="\n\n")
    print(textwrap.indent(lesson.formula, "    "), end="\n\n")
    if lesson.example:
        print(_("In numbers:"), textwrap.indent(lesson.example, "    "), sep="\n", end="\n\n")
    for experiment in lesson.experiments:
        fields = fields_in_words(experiment.given)
        print(_wrapped(_("{role}: {fields}").format(role=role_in_words(experiment.role), fields=fields), "    "))
    if lesson.experiments:
        print()
    sys.stdout.flush()


def _print_verdict(verdict: Verdict, whole: bool) -> None:
    came = _("holds") if verdict.holds else _("DOES NOT HOLD")
    print(_("{lesson}: {came} ({how})").format(lesson=verdict.name, came=came, how=verdict.how))
    print(_wrapped(verdict.sentence, "    "))
    main = verdict.main_figures
    for figure in main:
        print(f"  {'  ' if figure.holds else '✗ '}{figure.line}")
    others = [figure for figure in verdict.figures if figure not in main]
    for figure in others if whole else [figure for figure in others if not figure.holds]:
        print(f"  {'  ' if figure.holds else '✗ '}{figure.whole_line}")
    if whole and verdict.said:
        print(_wrapped(verdict.comment, "    "))
    sys.stdout.flush()


def _print_picture(lesson: Lesson, bench: Bench) -> None:
    """What there is to see, as wide as the terminal."""
    from d2ltui.charts.canvas import Look
    from d2ltui.charts.picture import draw_picture

    print(_wrapped(_("To be seen: {see}").format(see=lesson.see)))
    look = Look(colours=text.has_colours(), ascii=text.is_ascii())
    if bench.picture is not None:
        text.lines(draw_picture(bench.picture, text.width(), HEIGHT, look))
    if bench.drawn_in_words:
        print(bench.drawn_in_words)
    print()


def _print_trials(lesson: Lesson, tried: Sequence[Tried | None]) -> None:
    print("\n" + _("Try yourself:"))
    for number, trial in enumerate(lesson.trials):
        print(_wrapped(trial.do, "    "))
        print(f"        {lesson.command_to_try(trial)}")
        print(_wrapped(_("What to expect: {expect}").format(expect=trial.expect), "        "))
        came = tried[number] if number < len(tried) else None
        if came is not None:
            print(_wrapped(f"{'✓' if came.as_expected else '✗'} {came.said}", "        "))
    sys.stdout.flush()


class _Progress:
    """Which run is being trained: one line that is overwritten on a terminal, one line for each lesson elsewhere."""

    def __init__(self, lesson: Lesson) -> None:
        self._lesson = lesson
        self._terminal = sys.stderr.isatty() and terminal.moves_cursor()
        self._count = 0
        self.bench: Bench | None = None
        if not self._terminal:
            print(f"{lesson.name} …", file=sys.stderr, flush=True)

    def __call__(self, run: BenchRun) -> None:
        self._count += 1
        if self._terminal:
            total = self.bench.total if self.bench is not None and self.bench.total >= self._count else 0
            said = _("{lesson}, run {number} of {total}: {role}, seed {seed}")
            said = said if total else _("{lesson}, run {number}: {role}, seed {seed}")
            told = {"lesson": self._lesson.name, "number": self._count, "total": total}
            said = said.format(**told, role=role_in_words(run.role), seed=run.seed)
            columns = terminal.size(sys.stderr)[0]
            print(f"\r\x1b[K{cut(said, max(1, columns - 1))}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._terminal and self._count:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
