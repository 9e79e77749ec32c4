"""The parts of the lessons' screen: the list, the figure, and the page with the verdict, the text, what to choose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.widgets import Static
from textual.widgets.option_list import Option

from d2ltui.spec.language import _
from d2ltui.spec.text import sections, spelled
from d2ltui.tui.screens import lesson_page
from d2ltui.tui.widgets.choice import Choice
from d2ltui.tui.widgets.lines import LinesView
from d2ltui.tui.widgets.options import Options
from d2ltui.tui.widgets.pane import Pane
from d2ltui.tui.widgets.prose import prose

if TYPE_CHECKING:
    from d2ltui.lessons.lesson import Lesson
    from d2ltui.lessons.measured import Verdict
    from d2ltui.lessons.progress import Progress
    from d2ltui.lessons.trial import Tried
    from d2ltui.tui.services.lesson_runner import LessonRunner


class LessonList(Pane):
    """All lessons, each with what has come of it; titles are broken, never cut."""

    def __init__(self, lessons: Sequence[Lesson]) -> None:
        # Held, not looked up: what is still on its way when the screen closes finds them all the same.
        self.options = Options(*(Option(lesson.title, id=lesson.name) for lesson in lessons), id="list", markup=False)
        super().__init__(_("Lessons"), self.options, id="list-pane")
        self._lessons = lessons
        self._lines: dict[str, Text] = {}
        self._marked: object = None  # what the lines were made of

    def mark(self, measuring: LessonRunner, progress: Progress, ascii: bool) -> None:
        """Say which lessons have been seen, what came out, what is tried, and what is next."""
        width = self.options.scrollable_content_region.width
        marks = [lesson_page.mark(measuring, progress, lesson) for lesson in self._lessons]
        if (state := (progress, marks, width, ascii)) == self._marked:
            return
        self._marked = state
        following = progress.following(self._lessons)
        for lesson, came in zip(self._lessons, marks, strict=True):
            said = came or ("→" if lesson is following else "")
            line = Text("\n").join(
                map(Text, lesson_page.list_lines(lesson, said, progress.tried(lesson), width, ascii))
            )
            if self._lines.get(lesson.name) != line:
                self._lines[lesson.name] = line
                self.options.replace_option_prompt(lesson.name, line)
        seen = sum(progress.of(lesson).seen is not None for lesson in self._lessons)
        tried, trials = sum(map(progress.tried, self._lessons)), sum(len(lesson.trials) for lesson in self._lessons)
        of_all = _("{seen} of {lessons} seen").format(seen=seen, lessons=len(self._lessons))
        more = _("{of_all}, {tried} of {trials} tried").format(of_all=of_all, tried=tried, trials=trials)
        self.subtitle(self.longest_fitting(more, of_all))


class FigurePane(Pane):
    """What is to be seen, in words above and drawn below."""

    def __init__(self) -> None:
        self._see = Static(id="see", markup=False)
        self.figure = LinesView(id="figure", scrolls=False)
        super().__init__(_("To be seen"), self._see, self.figure, id="figure-pane", can_focus=True)
        self._said = ""

    def say(self, see: str, of: str) -> None:
        """What is to be seen, and of which run it is drawn."""
        if see != self._said:
            self._said = see
            self._see.update(prose(see))
            self._see.display = bool(see)
        self.subtitle(of)


class LessonPage(Pane):
    """The verdict, which never leaves the screen; below it the text, the experiments, and what to try.

    Once the verdict is there `enter` goes on to what can be chosen: who reads on does not want to measure again.
    """

    BINDINGS = [Binding("enter", "go_on", "try", key_display="enter")]

    def __init__(self, lessons: Sequence[Lesson]) -> None:
        self.verdict, self._text = Static(id="verdict", markup=False), Static(id="page", markup=False)
        heads = (("experiments-head", _("The experiments")), ("trials-head", _("Try yourself")))
        self._heads = [Static(Text(said, "underline"), id=id, markup=False) for id, said in heads]
        self.experiments = [Choice(i) for i in range(max(len(lesson.experiments) for lesson in lessons))]
        self.trials = [Choice(i) for i in range(max(len(lesson.trials) for lesson in lessons))]
        parts = (self._text, self._heads[0], *self.experiments, self._heads[1], *self.trials)
        self.scroll = VerticalScroll(*parts, can_focus=False)
        super().__init__("", self.verdict, self.scroll, id="page-pane", can_focus=True)
        self._heading = Text()
        self._judged = False

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Before the verdict `enter` is the screen's: it measures."""
        if action == "go_on" and not (self._judged and self.choices()):
            return False
        return super().check_action(action, parameters)

    async def action_go_on(self) -> None:
        """To the experiments and what to try."""
        await self.run_action("screen.experiments")

    def choices(self) -> list[Choice]:
        """Those that are shown, from the first to the last."""
        return [choice for choice in (*self.experiments, *self.trials) if choice.display]

    def say(self, lesson: Lesson, verdict: Verdict | None, ascii: bool, see: str) -> None:
        """The text, which begins with what is to be seen where that is not said elsewhere."""
        self._text.update(prose(lesson_page.page(lesson, verdict, ascii, see)))

    def say_title(self, lesson: Lesson, verdict: Verdict | None, ascii: bool) -> None:
        """The title, with the section where there is room: it stands in the list, too."""
        mark = "✓ " if verdict is not None and verdict.holds else "✗ " if verdict is not None else ""
        if (verdict is not None) != self._judged:
            self._judged = verdict is not None
            self.refresh_bindings()
        name = f"{spelled(mark) if ascii else mark}{lesson.title}"
        self.title(
            self.longest_fitting(_("{title} ({place})").format(title=name, place=sections(lesson.section)), name)
        )

    def say_verdict(self, heading: Text) -> None:
        """What stands above the text."""
        if heading != self._heading:
            self._heading = heading
            self.verdict.update(prose(heading))

    def offer(self, lesson: Lesson, tried: Sequence[Tried | None], ascii: bool) -> None:
        """The experiments, and what to try with what came of it."""
        _show(self.experiments, [lesson_page.experiment(e, ascii) for e in lesson.experiments])
        came = [*tried, *([None] * len(lesson.trials))]
        _show(self.trials, [lesson_page.trial(lesson, t, came[i], ascii) for i, t in enumerate(lesson.trials)])
        self._heads[0].display, self._heads[1].display = bool(lesson.experiments), bool(lesson.trials)


def _show(choices: Sequence[Choice], texts: Sequence[Text]) -> None:
    for choice in choices:
        choice.display = choice.number < len(texts)
        if choice.display:
            choice.update(prose(texts[choice.number]))
