"""The lessons: a list, each one's figure drawn as its experiments run, the verdict, and a page of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.containers import Container, Horizontal, VerticalScroll
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from d2ltui.lessons import LESSONS
from d2ltui.lessons.lesson import Lesson, fields_in_words
from d2ltui.spec.config import RunConfig
from d2ltui.spec.text import sections, spelled
from d2ltui.tui.host import Hosted
from d2ltui.tui.keys import LESSONS_KEYS, bindings, help_rows
from d2ltui.tui.render.compositor import BatchedScreen
from d2ltui.tui.screens import lesson_page
from d2ltui.tui.screens.once import Once
from d2ltui.tui.widgets.keys_line import KeysLine
from d2ltui.tui.widgets.lines import LinesView
from d2ltui.tui.widgets.options import Options
from d2ltui.tui.widgets.pane import Pane

if TYPE_CHECKING:
    from d2ltui.charts.canvas import Look

NARROW, ROOMY, WIDE = 100, 120, 160  # columns: the list or the page alone; a wider list; the page beside the figure
LIST, NARROW_LIST = 44, 30
VERDICT_SHARE = 0.7  # of the page's height, at most: some of the text is always to be seen


class LessonsScreen(Hosted, Once, BatchedScreen, Screen[RunConfig | None]):
    """Read, run, see, judge. It is left with an experiment that is to be put into the form, or with None."""

    CSS = f"""
    LessonsScreen #lessons {{ height: 1fr; }}
    LessonsScreen #list-pane {{ width: {NARROW_LIST}; }}
    LessonsScreen.-roomy #list-pane {{ width: {LIST}; }}
    LessonsScreen #list {{ border: none; padding: 0; height: 1fr; background: transparent; }}
    LessonsScreen #list {{ scrollbar-size-vertical: 1; }}
    LessonsScreen #lesson {{ width: 1fr; layout: vertical; }}
    LessonsScreen #figure-pane {{ height: 5fr; width: 1fr; }}
    LessonsScreen #page-pane {{ height: 4fr; width: 1fr; }}
    LessonsScreen VerticalScroll {{ scrollbar-size-vertical: 1; }}
    LessonsScreen #verdict {{ height: auto; max-height: {round(100 * VERDICT_SHARE)}%; margin-bottom: 1; }}
    LessonsScreen.-narrow #verdict {{ max-height: 100%; }}
    LessonsScreen.-narrow.-reading #list-pane {{ display: none; }}
    LessonsScreen.-wide #lesson {{ layout: horizontal; }}
    LessonsScreen.-wide #figure-pane {{ height: 1fr; }}
    LessonsScreen.-wide #page-pane {{ height: 1fr; width: 64; }}
    """
    BINDINGS = bindings(LESSONS_KEYS)
    AUTO_FOCUS = "#list"

    def __init__(self) -> None:
        super().__init__()
        self._shown: object = None
        self._lines: dict[str, str] = {}
        self._lessons = list(LESSONS.values())
        # Held, not looked up: what is still on its way when the screen closes finds them all the same.
        prompts = (Option(lesson.title, id=lesson.name) for lesson in self._lessons)
        self._list = Options(*prompts, id="list", compact=True, markup=False)
        self._verdict, self._page = Static(id="verdict", markup=False), Static(id="page", markup=False)
        self._figure = LinesView(id="figure", scrolls=False)
        self._scroll = VerticalScroll(self._page, can_focus=False)
        self._figure_pane = Pane("", self._figure, id="figure-pane", can_focus=True)
        self._page_pane = Pane("", self._verdict, self._scroll, id="page-pane", can_focus=True)

    def compose(self) -> ComposeResult:
        """The list, the figure, the verdict above the text."""
        with Horizontal(id="lessons"):
            yield Pane("Lessons", self._list, id="list-pane")
            yield Container(self._figure_pane, self._page_pane, id="lesson")
        yield KeysLine()

    def begin(self) -> None:
        """Open the lesson that was open, and begin to look at the experiments, a few times a second."""
        opened = self.host.measuring.opened
        self._list.highlighted = self._lessons.index(opened) if opened is not None else 0
        self._arrange()
        self._open_page()
        self.set_interval(1 / self.host.max_fps, self.tick)

    def on_resize(self, event: events.Resize) -> None:
        """Another size, another arrangement."""
        self._arrange()

    def _arrange(self) -> None:
        """Beside or below each other; in a narrow terminal the list makes room for what is read."""
        width = self.app.size.width
        self.set_class(width < NARROW, "-narrow")
        self.set_class(width >= ROOMY, "-roomy")
        self.set_class(width >= WIDE, "-wide")
        self.set_class(isinstance(self.focused, Pane), "-reading")

    @property
    def lesson(self) -> Lesson:
        """The lesson that is open."""
        return self._lessons[self._list.highlighted or 0]

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Open its page."""
        if self.begun:
            self._open_page()

    def _open_page(self) -> None:
        self.host.measuring.opened = self.lesson
        self._scroll.scroll_home(animate=False)
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
            self.app.notify("a check is just ending: once more, in a moment", severity="warning")
        elif not measuring.measures(self.lesson):
            measuring.start(self.lesson, self.host.data_dir)
            self.tick()

    def action_stop(self) -> None:
        """End what is measured, and what waits; from a lesson that waits, that one alone."""
        self.host.measuring.stop(self.lesson)
        self.tick()

    def action_experiments(self) -> None:
        """Put one of the experiments, or one of the changes to try, into the form."""
        from d2ltui.spec.config import resolve
        from d2ltui.tui.screens.dialogs import ChoiceScreen

        lesson = self.lesson
        offered = {e.role: (lesson.fields_of(e.role), fields_in_words(e.given)) for e in lesson.experiments}
        for number, trial in enumerate(lesson.trials, 1):
            offered[f"try {number}"] = lesson.fields_to_try(trial), trial.do
        if not offered:
            self.app.notify("this lesson trains nothing that could be put into the form", severity="warning")
            return

        def chosen(name: str | None) -> None:
            if name in offered:
                self.dismiss(resolve(offered[name][0], unused=True))

        meanings = {name: meaning for name, (_, meaning) in offered.items()}
        self.open(ChoiceScreen("Put into the form", meanings, ""), chosen)

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
        self.dismiss(None)

    def action_next_pane(self) -> None:
        """The list, the figure, the page."""
        panes = list(self.query(Pane))
        present = next((i for i, pane in enumerate(panes) if pane.has_focus_within), -1)
        following = panes[(present + 1) % len(panes)]
        self.set_class(following.id != "list-pane", "-reading")
        following.focus_inside()

    def on_key(self, event: events.Key) -> None:
        """Arrow keys scroll the page."""
        if isinstance(self.focused, Pane) and event.key in ("up", "down", "pageup", "pagedown"):
            move = {
                "up": self._scroll.scroll_up,
                "down": self._scroll.scroll_down,
                "pageup": self._scroll.scroll_page_up,
                "pagedown": self._scroll.scroll_page_down,
            }
            move[event.key](animate=False)
            event.stop()

    def tick(self) -> None:
        """Bring the list's marks, the figure and the verdict up to date."""
        measuring, lesson = self.host.measuring, self.lesson
        measurement, busy = measuring.of(lesson), measuring.measures(lesson)
        runs = measurement.runs if measurement is not None else []
        verdict = measurement.verdict if measurement is not None else None
        ascii = self.host.ascii
        self._mark()
        look = self._look()
        epochs = sum(len(run.live.epochs) for run in runs)
        picture = measurement.bench.picture if measurement is not None else None
        seen = (lesson.name, measurement, picture, look, len(runs), epochs, self._figure.size)
        heading = lesson_page.heading(lesson, measuring, ascii)
        rows = int(self._page_pane.size.height * (1 if self.has_class("-narrow") else VERDICT_SHARE))
        heading = lesson_page.fitted(heading, self._verdict.size.width, rows)
        state = (seen, heading, verdict, busy)
        if state == self._shown:
            return
        before, self._shown = self._shown, state
        self._figure_pane.title(f"To be seen: {lesson.see}" if lesson.see else lesson.title)
        said = "✓ " if verdict is not None and verdict.holds else "✗ " if verdict is not None else ""
        self._page_pane.title(f"{spelled(said) if ascii else said}{lesson.title} ({sections(lesson.section)})")
        self._verdict.update(heading)
        if before is None or before[0][:2] != seen[:2] or before[2] != verdict:  # type: ignore[index]
            self._page.update(lesson_page.page(lesson, verdict, ascii))
        width, height = self._figure.size
        if width > 0 and height > 0:
            self._figure.show(lesson_page.picture_of(self.app, lesson, measurement, width, height, look))

    def _look(self) -> Look:
        """How the terminal is."""
        from d2ltui.charts.canvas import Look

        background = self._figure.background_colors[1]
        colours = self.app.console.color_system in ("256", "truecolor") and not self.app.no_color
        return Look(background.rgb, background.get_contrast_text(1.0).rgb, colours, self.host.ascii)

    def _mark(self) -> None:
        """Say in the list which lessons have been measured, and what came out."""
        width = (LIST if self.has_class("-roomy") else NARROW_LIST) - 5
        for lesson in self._lessons:
            line = lesson_page.list_line(lesson, lesson_page.mark(self.host.measuring, lesson), width)
            if self._lines.get(lesson.name, "") != line:
                self._lines[lesson.name] = line
                self._list.replace_option_prompt(lesson.name, spelled(line) if self.host.ascii else line)
