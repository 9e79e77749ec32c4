"""What the lessons' screen says: the list, a page of text, what was measured, and how far the experiments are."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from rich.text import Text

from d2ltui.charts.overlay import epoch_curves, letter, overlay, style
from d2ltui.charts.spec import ChartSpec, Drawing, Style
from d2ltui.lessons.lesson import Lesson, fields_in_words, paragraphs
from d2ltui.lessons.measured import Experiment, Verdict
from d2ltui.lessons.progress import Progress
from d2ltui.lessons.roles import role_in_words
from d2ltui.lessons.trial import Trial, Tried
from d2ltui.spec.language import _, ngettext
from d2ltui.spec.numbers import clock
from d2ltui.spec.text import spelled
from d2ltui.spec.width import centred, cut, padded, wrapped
from d2ltui.tui.services.defects import drawn, drawn_or_told
from d2ltui.tui.services.lesson_runner import newest_of_each_role

if TYPE_CHECKING:
    from textual.app import App

    from d2ltui.charts.canvas import Look
    from d2ltui.lessons.bench import BenchRun
    from d2ltui.lessons.kept import Kept
    from d2ltui.tui.services.lesson_runner import LessonRunner, Measurement


def to_begin() -> str:
    """What stands where nothing was measured yet."""
    return _("enter runs the experiments, and judges")


def mark(measuring: LessonRunner, progress: Progress, lesson: Lesson) -> str:
    """What the list says of `lesson`: being measured, waiting, the claim holds, it does not, or nothing.

    What was seen in an earlier session counts, too.
    """
    measurement = measuring.of(lesson)
    if measurement is not None and measuring.measures(lesson):
        return "·" if measurement.waits else "…"
    holds = progress.of(lesson).holds
    if measurement is not None and measurement.verdict is not None:
        holds = measurement.verdict.holds
    return "" if holds is None else "✓" if holds else "✗"


def list_lines(lesson: Lesson, said: str, tried: int, width: int, ascii: bool) -> list[str]:
    """A lesson in the list: its mark, its section, its title, and how much of it was tried."""
    count = f"  {tried}/{len(lesson.trials)}" if tried else ""
    place = ".".join(map(str, lesson.place)) or lesson.section
    first = f"{said or ' '} {place:<8}"
    room = max(8, width - len(first) - len(count))
    title, *more = wrapped(spelled(lesson.title) if ascii else lesson.title, room) or [""]
    first = spelled(first) if ascii else first
    return [f"{first}{padded(title, room)}{count}" if count else f"{first}{title}", *(" " * 10 + line for line in more)]


def see(lesson: Lesson, ascii: bool) -> str:
    """What there is to see, as a sentence."""
    said = _("{sentence}.").format(sentence=f"{lesson.see[:1].upper()}{lesson.see[1:]}")
    return "" if not lesson.see else spelled(said) if ascii else said


def heading(lesson: Lesson, measuring: LessonRunner, kept: Kept | None, ascii: bool) -> Text:
    """What stands above the text and never leaves the screen: the verdict and its figures, or what there is instead."""
    spell = spelled if ascii else str
    measurement = measuring.of(lesson)
    if measurement is not None and measurement.verdict is not None:
        return _verdict(measurement.verdict, ascii)
    if measurement is None and kept is not None:
        return _verdict(kept.verdict, ascii)
    text = Text(spell(lesson.claim), "bold")
    if measurement is None:
        return text.append(f"\n{to_begin()}", "dim")
    if measuring.measures(lesson):
        others, present = measuring.waiting, measuring.measured
        said = waits(present) if measurement.waits and present is not lesson else progress(measurement, others)
        return text.append(spell(f"\n{said}"), "dim")
    more = "\n" + _("t shows the whole error") if measurement.traceback else ""
    return text.append(f"\n{measurement.problem}{more}")


def fitted(said: Text, width: int, rows: int) -> Text:
    """As many whole lines of `said` as fit in `rows` rows of `width` columns, the first one at least.

    No figure is cut in the middle: the page below has all of them.
    """
    lines = said.split("\n", allow_blank=False)
    heights = [len(wrapped(line.plain, width)) or 1 for line in lines]
    if width <= 0 or rows <= 0 or sum(heights) <= rows:
        return said
    more = _("the other figures stand below")
    room = rows - len(wrapped(more, width))
    kept = 1 + sum(sum(heights[: end + 1]) <= room for end in range(1, len(lines)))
    return Text("\n").join([*lines[:kept], Text(more, "dim")])


def measured_on(kept: Kept | None) -> str:
    """Since when what is shown is known, where that was not just now."""
    if kept is None:
        return ""
    return _("measured on {date}").format(date=time.strftime("%Y-%m-%d %H:%M", time.localtime(kept.when)))


def _verdict(verdict: Verdict, ascii: bool) -> Text:
    """The sentence, and the two or three figures that matter, with what was claimed of them."""
    spell = spelled if ascii else str
    text = Text(spell(verdict.sentence), "bold")
    for figure in verdict.main_figures:
        mark = "✓" if figure.holds else "✗"
        said = f"\n{mark} {figure.line}"
        text.append(spell(said), "" if figure.holds else "bold")
    return text


def waits(present: Lesson | None) -> str:
    """What is said of a lesson that has its turn later."""
    if present is None:
        return _("it begins")
    return _("waits for “{lesson}” to end; x takes it back").format(lesson=present.title)


def time_left(measurement: Measurement, now: float) -> float | None:
    """Seconds that the rest will take, judged by the runs so far that had the same data; None where none says it.

    Two hundred digits are learned in a moment, and say nothing of Fashion-MNIST.
    """
    *ended, present = measurement.runs
    bench, lesson = measurement.bench, measurement.lesson
    alike = [run for run in ended if run.live.config.dataset == present.live.config.dataset]
    seen = {run.live.config.dataset for run in measurement.runs}
    whole = bench.total >= len(lesson.experiments) * len(bench.seeds)
    if (
        bench.total <= len(ended)
        or not alike
        or (whole and not {e.given.get("dataset") for e in lesson.experiments} <= seen)
    ):
        return None
    trained = sum(run.live.seconds for run in measurement.runs)
    beside = (now - (measurement.began or now)) / trained if trained else 1.0  # loading, looking and judging, too
    each = sum(run.live.seconds for run in alike) / len(alike) * max(1.0, beside)
    under_way = min(each, present.live.seconds * max(1.0, beside))
    return each * (bench.total - len(ended)) - under_way


def progress(measurement: Measurement, waiting: int = 0) -> str:
    """Which run of how many, how long the rest will take, and how many lessons wait for the end."""
    runs, total = measurement.runs, measurement.bench.total
    if measurement.began is None or not runs:
        return _("measuring; x stops")
    role, seed = role_in_words(runs[-1].role), runs[-1].seed
    template = _("run {number} of {total}: {role}, seed {seed}") if total else _("run {number}: {role}, seed {seed}")
    said = template.format(number=len(runs), total=max(total, len(runs)), role=role, seed=seed)
    if (left := time_left(measurement, time.monotonic())) is not None:
        said += _("; about {time} left").format(time=clock(left))
    if waiting:
        said += ngettext("; {number} lesson after it", "; {number} lessons after it", waiting).format(number=waiting)
    return said + _("; x stops")


def page(lesson: Lesson, verdict: Verdict | None, ascii: bool, see: str = "") -> Text:
    """The rest, in words first: the text, the formula, the same in numbers, all that was measured."""
    spell = spelled if ascii else str
    text = Text(f"{see}\n\n" if see else "")
    if verdict is not None:
        text.append(spell(f"{lesson.claim}\n\n"), "bold")
    text.append(spell("\n\n".join(paragraph.text for paragraph in paragraphs(lesson.text))))
    if lesson.formula:
        text.append(spell(f"\n\n{lesson.formula}"), "bold")
    if lesson.example:
        text.append("\n\n" + _("In numbers"), "underline")
        text.append(spell(f"\n{lesson.example}"))
    if lesson.map is not None:
        text.append("\n\n" + _("Its map, on m"), "underline")
        text.append(spell(f"\n{lesson.map.see}"))
        text.append(f"\n{lesson.map.command}", "dim")
    if verdict is not None:
        _measured(text, verdict, spell)
    return text


def experiment(offered: Experiment, ascii: bool) -> Text:
    """An experiment that can be put into the form."""
    spell = spelled if ascii else str
    return Text.assemble(
        (spell(role_in_words(offered.role)), "bold"),
        spell(_(": {fields}").format(fields=fields_in_words(offered.given))),
    )


def trial(lesson: Lesson, offered: Trial, came: Tried | None, ascii: bool) -> Text:
    """What to try, what to expect of it, what that changes in the form, and what came."""
    spell = spelled if ascii else str
    text = Text.assemble(
        (spell(offered.do), "bold"),
        spell(_(" What to expect: {expect}").format(expect=offered.expect)),
        (spell(f"\n{changes(lesson, offered)}"), "dim"),
    )
    if came is not None:
        text.append(spell(f"\n{'✓' if came.as_expected else '✗'} {came.said}"), "" if came.as_expected else "bold")
    return text


def to_train(offered: Trial, ascii: bool) -> str:
    """What is told when it is in the form."""
    said = _("{do} What to expect: {expect} ctrl+r trains it").format(do=offered.do, expect=offered.expect)
    return spelled(said) if ascii else said


def changes(lesson: Lesson, offered: Trial) -> str:
    """What is to be tried, as the form says it: a sentence is no place for every field."""
    fields = fields_in_words(lesson.changes_to_try(offered))
    if not offered.role:
        return _("In the form: {fields}").format(fields=fields)
    return _("In the form: “{role}” with {fields}").format(role=role_in_words(offered.role), fields=fields)


def _measured(text: Text, verdict: Verdict, spell: type[str] | object) -> None:
    """Every figure."""
    say = spell if callable(spell) else str
    text.append("\n\n" + _("All that was measured"), "underline")
    text.append(f"   {verdict.how}", "dim")
    for figure in verdict.figures:
        mark = "✓" if figure.claimed and figure.holds else "·" if figure.holds else "✗"
        text.append(str(say(f"\n{mark} {figure.whole_line}")))
    if verdict.said:
        text.append(str(say(f"\n{verdict.comment}")))


def picture_of(
    app: App[object], measurement: Measurement | None, kept: Kept | None, width: int, height: int, look: Look
) -> Drawing:
    """The lesson's own figure; of one that has none, the validation curves of its runs."""
    picture = measurement.bench.picture if measurement is not None else kept.picture if kept is not None else None
    if picture is not None:
        from d2ltui.charts.picture import draw_picture

        return drawn_or_told(app, partial(draw_picture, picture, width, height, look))
    runs = measurement.runs if measurement is not None else []
    if not runs:
        said = to_begin() if measurement is None else _("no training so far")
        lines = wrapped(spelled(said) if look.ascii else said, max(8, min(60, width)))
        return [[]] * max(0, (height - len(lines)) // 2) + [[(int(Style.AXIS), centred(line, width))] for line in lines]
    roles = [f"{letter(i)} {role_in_words(role)}" for i, role in enumerate(newest_of_each_role(runs))]
    rows = len(roles) if height - len(roles) >= 8 else 0
    build = partial(newest_curves, runs, width, height - rows, look.ascii, _("no training so far"))
    return [*drawn(app, build), *([(int(style(i)), cut(role, width))] for i, role in enumerate(roles[:rows]))]


def newest_curves(runs: list[BenchRun], width: int, height: int, ascii: bool, empty: str) -> ChartSpec:
    """The validation curves of the newest run of each role, on one axis; `empty` where there is none."""
    newest = newest_of_each_role(runs)
    lives = [run.live for run in newest.values()]
    longest = max((live.header.epochs or live.epoch for live in lives), default=1)
    curves = epoch_curves(lives, "val_metric", width, lowest=-1.0)
    return overlay(curves, list(newest), width, height, ascii, longest or 1, empty)
