"""The lessons: a list, a page of text, and the experiments run live, with their curves and the measured verdict."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from d2ltui.charts.overlay import letter, overlay, style
from d2ltui.charts.spec import ChartSpec
from d2ltui.lessons import LESSONS
from d2ltui.lessons.lesson import Lesson, paragraphs
from d2ltui.lessons.measured import Verdict, shown
from d2ltui.spec.numbers import duration
from d2ltui.spec.text import counted, spelled
from d2ltui.tui.host import Hosted
from d2ltui.tui.keys import LESSONS_KEYS, bindings, help_rows
from d2ltui.tui.render.compositor import BatchedScreen
from d2ltui.tui.screens.once import Once
from d2ltui.tui.services.defects import drawn
from d2ltui.tui.services.lesson_runner import newest_of_each_role
from d2ltui.tui.widgets.keys_line import KeysLine
from d2ltui.tui.widgets.lines import LinesView
from d2ltui.tui.widgets.options import Options
from d2ltui.tui.widgets.pane import Pane

if TYPE_CHECKING:
    from d2ltui.lessons.bench import BenchRun
    from d2ltui.tui.services.lesson_runner import LessonRunner, Measurement

NARROW = 100


def verdict_text(verdict: Verdict, ascii: bool = False) -> Text:
    """Every figure with its band, and what they say together."""
    text, spell = Text(), spelled if ascii else str
    text.append("The claim holds. " if verdict.holds else "The claim does not hold. ", "bold")
    text.append(spell(f"{verdict.comment}\n\n"))
    for figure in verdict.figures:
        band = f"  (claimed: {figure.band})" if figure.band else ""
        text.append("✓ " if figure.holds else "✗ ", "" if figure.holds else "bold")
        text.append(spell(f"{figure.what}: {shown(figure.value)} {figure.unit}".rstrip() + f"{band}\n"))
    text.append(f"\nmeasured with {counted(verdict.seeds, 'seed')} in {duration(verdict.seconds)}", "dim")
    return text


def newest_curves(runs: list[BenchRun], width: int, height: int, ascii: bool, empty: str) -> ChartSpec:
    """The validation curves of the newest run of each role, on one axis; `empty` where there is none."""
    newest = newest_of_each_role(runs)
    lives = [run.live for run in newest.values()]
    return overlay(lives, "val_metric", width, height, ascii, empty, lowest=-1.0, names=list(newest))


def mark(measuring: LessonRunner, lesson: Lesson) -> str:
    """What the list says of `lesson`: being measured, the claim holds, it does not, or nothing."""
    measurement = measuring.of(lesson)
    if measurement is None:
        return ""
    if measuring.measures(lesson):
        return "…"
    if measurement.verdict is None:
        return ""
    return "✓" if measurement.verdict.holds else "✗"


class LessonsScreen(Hosted, Once, BatchedScreen, Screen[None]):
    """Read, run, judge."""

    CSS = """
    LessonsScreen #lessons { height: 1fr; }
    LessonsScreen #list-pane { width: 34; }
    LessonsScreen.-narrow #list-pane { width: 24; }
    LessonsScreen #list { border: none; padding: 0; height: 1fr; background: transparent; }
    LessonsScreen #page-pane, LessonsScreen #right { width: 1fr; }
    LessonsScreen #curves-pane { height: 1fr; }
    LessonsScreen #verdict-pane { height: 1fr; }
    """
    BINDINGS = bindings(LESSONS_KEYS)
    AUTO_FOCUS = "#list"

    def __init__(self) -> None:
        super().__init__()
        self._shown: object = None
        self._marks: dict[str, str] = {}
        # Held, not looked up: what is still on its way when the screen closes finds them all the same.
        prompts = (Option(lesson.name, id=lesson.name) for lesson in LESSONS.values())
        self._list = Options(*prompts, id="list", compact=True)
        self._page, self._verdict = Static(id="page", markup=False), Static(id="verdict", markup=False)
        self._curve = LinesView(id="curve")
        self._page_scroll = VerticalScroll(self._page, can_focus=False)
        self._page_pane = Pane("", self._page_scroll, id="page-pane", can_focus=True)
        self._curves_pane = Pane("Validation accuracy, or R²", self._curve, id="curves-pane", can_focus=True)
        self._verdict_pane = Pane(
            "Verdict", VerticalScroll(self._verdict, can_focus=False), id="verdict-pane", can_focus=True
        )
        self._right = Vertical(self._curves_pane, self._verdict_pane, id="right")
        self._experiments = False  # where there is no room for both: the curves and the verdict, not the page

    def compose(self) -> ComposeResult:
        """A list, a page, the curves, the verdict."""
        with Horizontal(id="lessons"):
            yield Pane("Lessons", self._list, id="list-pane")
            yield self._page_pane
            yield self._right
        yield KeysLine()

    def on_mount(self) -> None:
        """Open the lesson that was open, and begin to look at the experiments, a few times a second."""
        opened = self.host.measuring.opened
        if opened is not None:
            self._list.highlighted = list(LESSONS.values()).index(opened)
        self._arrange()
        self.set_interval(1 / self.host.max_fps, self.tick)

    def on_resize(self, event: events.Resize) -> None:
        """What had the focus keeps it."""
        self._experiments = self._experiments or self._right.has_focus_within
        self._arrange()

    def _arrange(self) -> None:
        """Show what there is room for: in a narrow terminal the page, or the curves and the verdict."""
        narrow = self.app.size.width < NARROW
        measurement = self.host.measuring.of(self.lesson)
        trained_nothing = measurement is not None and measurement.verdict is not None and not measurement.runs
        self.set_class(narrow, "-narrow")
        page = self._page_pane
        page.display = not (narrow and self._experiments)
        page.subtitle("tab: the experiments" if narrow else "")
        self._verdict_pane.subtitle("tab: the page" if narrow else "")
        self._right.display = not narrow or self._experiments
        self._curves_pane.display = not trained_nothing

    @property
    def lesson(self) -> Lesson:
        """The lesson that is open."""
        return list(LESSONS.values())[self._list.highlighted or 0]

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Open its page."""
        lesson, measuring = self.lesson, self.host.measuring
        # A lesson that one comes back to is shown with what it has found.
        self._experiments = lesson is measuring.opened and measuring.of(lesson) is not None
        measuring.opened = lesson
        self._arrange()
        page, spell = Text(), spelled if self.host.ascii else str
        page.append(spell(lesson.claim), "bold")
        page.append(spell(f" (section {lesson.section})\n\n"))
        page.append(spell("\n\n".join(paragraph.text for paragraph in paragraphs(lesson.text))))
        page.append(spell(f"\n\n{lesson.formula}"), "bold")
        if lesson.example:
            page.append(spell(f"\n\nIn numbers:\n{lesson.example}"))
        self._page_pane.title(lesson.title)
        self._page.update(page)
        self._page_scroll.scroll_home(animate=False)
        self.tick()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter, or a click on the open one."""
        self.action_measure()

    def action_measure(self) -> None:
        """Carry the experiments out."""
        measuring = self.host.measuring
        if self.host.training:
            self.app.notify("a run is in progress: stop it first (x on the main screen)", severity="warning")
        elif self.host.preflight.thread is not None:
            self.app.notify("a check is just ending: try again in a moment", severity="warning")
        elif measuring.busy:
            self.app.notify("a lesson is being measured: x stops it", severity="warning")
        else:
            measuring.start(self.lesson, self.host.data_dir)
            self._experiments = True
            self._arrange()
            self.tick()

    def action_stop(self) -> None:
        """End the measurement."""
        self.host.measuring.stop()

    def action_traceback(self) -> None:
        """The whole error of a lesson that failed."""
        from d2ltui.tui.screens.dialogs import TextScreen

        measurement = self.host.measuring.of(self.lesson)
        if measurement is not None and measurement.traceback:
            self.open(TextScreen("Why the lesson failed", measurement.traceback))
        else:
            self.app.notify("no lesson has failed with an error to show")

    def action_help(self) -> None:
        """All keys."""
        from d2ltui.tui.screens.dialogs import HelpScreen

        self.open(HelpScreen(help_rows(LESSONS_KEYS)))

    def action_close(self) -> None:
        """Back to the main screen; a measurement goes on."""
        self.dismiss()

    def action_next_pane(self) -> None:
        """The list, the page, the curves, the verdict."""
        panes = list(self.query(Pane))
        present = next((i for i, pane in enumerate(panes) if pane.has_focus_within), -1)
        following = panes[(present + 1) % len(panes)]
        if following.id == "curves-pane" and not following.display:
            following = self._verdict_pane
        if following.id != "list-pane":
            self._experiments = following.id != "page-pane"
            self._arrange()
        following.focus_inside()

    def on_key(self, event: events.Key) -> None:
        """Arrow keys scroll the page and the verdict."""
        focused = self.focused
        if isinstance(focused, Pane) and event.key in ("up", "down", "pageup", "pagedown"):
            for scroll in focused.query(VerticalScroll):
                move = {
                    "up": scroll.scroll_up,
                    "down": scroll.scroll_down,
                    "pageup": scroll.scroll_page_up,
                    "pagedown": scroll.scroll_page_down,
                }
                move[event.key](animate=False)
                event.stop()

    def tick(self) -> None:
        """Bring the list's marks, the curves and the verdict up to date."""
        measuring, lesson = self.host.measuring, self.lesson
        view = self._curve
        measurement, busy = measuring.of(lesson), measuring.measures(lesson)
        runs = measurement.runs if measurement is not None else []
        epochs = sum(len(run.live.epochs) for run in runs)
        verdict = measurement.verdict if measurement is not None else None
        state = (lesson.name, measurement, busy, verdict, len(runs), epochs, self._experiments, view.size)
        self._mark()
        if state == self._shown:
            return
        self._shown = state
        self._arrange()
        width, height = view.size
        roles = [f"{letter(i)} {role}" for i, role in enumerate(newest_of_each_role(runs))]
        rows = len(roles) if height - len(roles) >= 8 else 0
        said = self._said(measurement, busy)
        # What there is no room for below the curves stands above the verdict.
        self._verdict.update(Text("\n").join([Text("\n".join(roles), "dim"), Text(), said]) if roles[rows:] else said)
        if width > 0 and height > 0:
            empty = "no training so far" if measurement is not None else "enter measures it"
            build = partial(newest_curves, runs, width, height - rows, self.host.ascii, empty)
            below = [[(int(style(i)), role[:width])] for i, role in enumerate(roles[:rows])]
            self._curve.show([*drawn(self.app, build), *below])

    def _mark(self) -> None:
        """Say in the list which lessons have been measured, and what came out."""
        for lesson in LESSONS.values():
            said = mark(self.host.measuring, lesson)
            if self._marks.get(lesson.name, "") != said:
                self._marks[lesson.name] = said
                prompt = f"{lesson.name} {spelled(said) if self.host.ascii else said}"
                self._list.replace_option_prompt(lesson.name, prompt)

    def _said(self, measurement: Measurement | None, busy: bool) -> Text:
        """The verdict, or what there is in its stead."""
        if measurement is None:
            return Text("enter carries the experiments out and measures")
        if busy:
            runs = measurement.runs
            now = f"run {len(runs)}: {runs[-1].role}, seed {runs[-1].seed}" if runs else "measuring"
            return Text(f"{now}\nx stops")
        if measurement.verdict is not None:
            return verdict_text(measurement.verdict, self.host.ascii)
        more = "\nt shows the full error" if measurement.traceback else ""
        return Text(f"{measurement.problem}{more}")
