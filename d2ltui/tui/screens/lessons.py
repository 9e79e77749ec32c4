"""The lessons: a list, each one's figure drawn as its experiments run, the verdict, and a page of text."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.containers import Container, Horizontal
from textual.screen import Screen
from textual.widgets import OptionList, Static

from d2ltui.lessons import LESSONS
from d2ltui.lessons.lesson import Lesson
from d2ltui.lessons.recorder import group_of
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.spec.language import _
from d2ltui.store.errors import StoreError
from d2ltui.tui.host import Hosted
from d2ltui.tui.keys import LESSONS_KEYS, bindings, help_rows
from d2ltui.tui.render.compositor import BatchedScreen
from d2ltui.tui.screens import lesson_page
from d2ltui.tui.screens.lesson_parts import FigurePane, LessonList, LessonPage
from d2ltui.tui.screens.once import Once
from d2ltui.tui.services.lesson_store import LessonsStored
from d2ltui.tui.services.occupied import MAPPING
from d2ltui.tui.services.threads import begin, in_thread
from d2ltui.tui.widgets.choice import Choice
from d2ltui.tui.widgets.keys_line import KeysLine
from d2ltui.tui.widgets.pane import Pane

if TYPE_CHECKING:
    from d2ltui.charts.canvas import Look

NARROW, ROOMY, WIDE = 100, 120, 160  # columns: the list or the page alone; a wider list; the page beside the figure
LISTS = (30, 36, 44)  # columns of the list, below NARROW, below ROOMY, from there on
SEE_ROWS = 14  # of the figure's pane, below which nothing but the figure stands in it
PATIENCE = 5.0  # seconds for a store that does not answer, before an experiment goes into the form without its run
VERDICT_SHARE = 0.7  # of the page's height, at most: some of the text is always to be seen


class Chosen(NamedTuple):
    """What is to be put into the form, the stored run that is to be shown beside it, or "", and whether to train it.

    The lesson says what the fields `given` are: they stay when another is changed. `says` is what is told then.
    """

    config: RunConfig
    run: str
    trains: bool = False
    given: Collection[str] = ()
    says: str = ""


class LessonsScreen(Hosted, Once, BatchedScreen, Screen[Chosen | None]):
    """Read, run, see, judge, try. It is left with what is to be put into the form, or with None."""

    CSS = f"""
    LessonsScreen #lessons {{ height: 1fr; }}
    LessonsScreen #list-pane {{ width: {LISTS[1]}; }}
    LessonsScreen.-narrow #list-pane {{ width: {LISTS[0]}; }}
    LessonsScreen.-roomy #list-pane {{ width: {LISTS[2]}; }}
    LessonsScreen #list {{ border: none; padding: 0; height: 1fr; background: transparent; }}
    LessonsScreen #list {{ scrollbar-size-vertical: 1; }}
    LessonsScreen #list > .option-list--option {{ padding: 0; }}
    LessonsScreen #lesson {{ width: 1fr; layout: vertical; }}
    LessonsScreen #figure-pane {{ height: 5fr; width: 1fr; }}
    LessonsScreen #see {{ height: auto; color: $text-muted; }}
    LessonsScreen #figure {{ height: 1fr; }}
    LessonsScreen #page-pane {{ height: 4fr; width: 1fr; }}
    LessonsScreen VerticalScroll {{ scrollbar-size-vertical: 1; }}
    LessonsScreen #verdict {{ height: auto; max-height: {round(100 * VERDICT_SHARE)}%; margin-bottom: 1; }}
    LessonsScreen #page, LessonsScreen #experiments-head, LessonsScreen #trials-head {{ margin-bottom: 1; }}
    LessonsScreen.-narrow #verdict {{ max-height: 100%; }}
    LessonsScreen.-narrow.-reading #list-pane {{ display: none; }}
    LessonsScreen.-wide #lesson {{ layout: horizontal; }}
    LessonsScreen.-wide #figure-pane {{ height: 1fr; }}
    LessonsScreen.-wide #page-pane {{ height: 1fr; width: 64; }}
    LessonsScreen #said {{ height: auto; display: none; background: $warning 20%; padding: 0 1; }}
    """
    BINDINGS = bindings(LESSONS_KEYS)
    AUTO_FOCUS = "#list"

    def __init__(self) -> None:
        super().__init__()
        self._shown: object = None
        self._shown_lesson: Lesson | None = None
        self._lessons = list(LESSONS.values())
        self._stored = LessonsStored(self._lessons)
        self._looking: asyncio.Task[None] | None = None
        self._choosing: asyncio.Task[None] | None = None
        self._seen: tuple[object, ...] = ()  # the verdicts that there were when the store was last looked at
        self._told: set[str] = set()
        self._list_pane, self._figure_pane = LessonList(self._lessons), FigurePane()
        self._page_pane = LessonPage(self._lessons)
        self._said = Static(id="said", markup=False)

    def compose(self) -> ComposeResult:
        """The list, the figure, the verdict above the text."""
        with Horizontal(id="lessons"):
            yield self._list_pane
            yield Container(self._figure_pane, self._page_pane, id="lesson")
        yield self._said
        yield KeysLine()

    def fill(self) -> None:
        """The list, and the page of the lesson that was open, or of the first one."""
        opened = self.host.measuring.opened
        self._list_pane.options.highlighted = self._lessons.index(opened) if opened is not None else 0
        self._arrange()
        self._show_lesson()

    def begin(self) -> None:
        """Open the lesson that was open, or what is next, and look at the experiments a few times a second."""
        self.fill()
        self._open_page()
        self._to_what_was_chosen()
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
        self.set_class(isinstance(self.focused, (Pane, Choice)), "-reading")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """On an experiment `enter` puts that into the form, and the footer says nothing else of it."""
        if action == "measure" and isinstance(self.focused, Choice):
            return False
        if action == "map" and self.begun and self.lesson.map is None:
            return False
        return super().check_action(action, parameters)

    @property
    def lesson(self) -> Lesson:
        """The lesson that is open."""
        return self._lessons[self._list_pane.options.highlighted or 0]

    def say(self, sentence: str) -> None:
        """A sentence in a line of its own, which covers nothing; until the next key."""
        self._said.update(sentence)
        self._said.display = bool(sentence)

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Open its page."""
        if self.begun:
            self._open_page()

    def _to_what_was_chosen(self) -> None:
        """To the change that was put into the form: what came of it stands there."""
        number, choices = self.host.measuring.chosen, self._page_pane.trials
        if number is not None and number < len(self.lesson.trials):
            self.set_class(True, "-reading")
            self.set_focus(choices[number])
            self.call_after_refresh(choices[number].scroll_visible, animate=False)

    def _open_page(self) -> None:
        if self.host.measuring.opened is not self.lesson:
            self.host.measuring.chosen = None
        elif self._shown is not None and self._shown_lesson is self.lesson:
            return  # it was opened before the list told of it
        self._shown_lesson = self.lesson
        self.host.measuring.opened = self.lesson
        self._page_pane.scroll.scroll_home(animate=False)
        self.refresh_bindings()  # not every lesson has a map
        self.tick()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter, or a click on the open one."""
        self.action_measure()

    def action_measure(self) -> None:
        """Carry the experiments out, after those of the lessons that were begun before."""
        measuring = self.host.measuring
        if self.host.training:
            self.say(_("a run is in progress: stop it first (x on the main screen)"))
        elif self.host.maps.busy:
            self.say(MAPPING)
        elif self.host.preflight.thread is not None:
            self.say(_("a check is just ending: once more, in a moment"))
        elif measuring.measures(self.lesson):
            self.say(_("measuring; x stops"))
        else:
            measuring.start(self.lesson, self.host.data_dir)
            self.tick()

    def action_stop(self) -> None:
        """End what is measured, and what waits; from a lesson that waits, that one alone."""
        self.host.measuring.stop(self.lesson)
        self.tick()

    def action_experiments(self) -> None:
        """To the experiments, of which `enter` puts one into the form; from there to what to try."""
        page = self._page_pane
        choices = page.choices()
        if not choices:
            self.say(_("this lesson trains nothing that could be put into the form"))
            return
        trials = [choice for choice in page.trials if choice.display]
        within = self.focused in page.experiments and trials
        self.set_class(True, "-reading")
        self.set_focus(trials[0] if within else choices[0])

    def on_choice_chosen(self, message: Choice.Chosen) -> None:
        """Into the form, with the last run of it on the screen; which that is is known once the store has been read."""
        if self._looking is None or self._looking.done():
            self._choose(self.lesson, message.choice)
        elif self._choosing is None or self._choosing.done():
            self._choosing = begin(self.app, self._choose_once_read(self.lesson, message.choice, self._looking))

    async def _choose_once_read(self, lesson: Lesson, choice: Choice, looking: asyncio.Task[None]) -> None:
        self.say(_("looking for the stored run …"))
        await asyncio.wait([looking], timeout=PATIENCE)
        if self.is_current and self.lesson is lesson:  # nobody has gone elsewhere in the meantime
            self._choose(lesson, choice)

    def _choose(self, lesson: Lesson, choice: Choice) -> None:
        number, says = choice.number, ""
        if choice in self._page_pane.experiments:
            self.host.measuring.chosen = None
            role = lesson.experiments[number].role
            given = lesson.fields_of(role)
            config = resolve(given, unused=True)
            run = self._stored.runs.experiment(group_of(lesson.name), role, config)
            name = run.name if run is not None else ""
        else:
            self.host.measuring.chosen = number
            given = lesson.fields_to_try(lesson.trials[number])
            says = lesson_page.to_train(lesson.trials[number], self.host.ascii)
            config = resolve(given, unused=True)
            tried = self._stored.tried(lesson)[number]
            name = tried.run if tried is not None else ""
        self.dismiss(Chosen(config, name, given=tuple(given), says=says))

    def action_map(self) -> None:
        """The lesson's map; a cell of it goes into the form."""
        from d2ltui.tui.screens.map import MapScreen

        if (shown := self.lesson.map) is None:
            self.say(_("this lesson has no map; M on the main screen opens one of any run"))
            return

        def chosen(config: RunConfig | None) -> None:
            if config is not None:
                self.dismiss(Chosen(config, "", screen.trains))

        screen = MapScreen(shown.config, shown.given, wanted=(shown.spec, shown.show))
        self.open(screen, chosen)

    def action_traceback(self) -> None:
        """The whole error of a lesson that failed."""
        from d2ltui.tui.screens.dialogs import TextScreen

        measurement = self.host.measuring.of(self.lesson)
        if measurement is not None and measurement.traceback:
            self.open(TextScreen(_("Why the lesson failed"), measurement.traceback))
        else:
            self.say(_("this lesson has not failed with an error to show"))

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
        """Arrow keys scroll the page, and go from one experiment to the next."""
        if self._said.display:
            self.say("")
        scroll = self._page_pane.scroll
        if isinstance(self.focused, Choice) and event.key in ("up", "down"):
            choices = self._page_pane.choices()
            at = choices.index(self.focused) + (1 if event.key == "down" else -1) if self.focused in choices else 0
            self.set_focus(choices[at] if 0 <= at < len(choices) else self._page_pane if at < 0 else self.focused)
            event.stop()
        elif isinstance(self.focused, (Pane, Choice)) and event.key in ("up", "down", "pageup", "pagedown"):
            move = {
                "up": scroll.scroll_up,
                "down": scroll.scroll_down,
                "pageup": scroll.scroll_page_up,
                "pagedown": scroll.scroll_page_down,
            }
            move[event.key](animate=False)
            event.stop()

    def tick(self) -> None:
        """Bring the list's marks, the figure and the verdict up to date."""
        self._look_at_the_store()
        self._show_lesson()

    def _show_lesson(self) -> None:
        measuring, lesson = self.host.measuring, self.lesson
        measurement, busy = measuring.of(lesson), measuring.measures(lesson)
        runs = measurement.runs if measurement is not None else []
        kept = self._stored.kept.get(lesson.name) if measurement is None else None
        verdict = measurement.verdict if measurement is not None else kept.verdict if kept is not None else None
        ascii, figure = self.host.ascii, self._figure_pane.figure
        self._list_pane.mark(measuring, self._stored.progress, ascii)
        look = self._look()
        epochs = sum(len(run.live.epochs) for run in runs)
        picture = measurement.bench.picture if measurement is not None else kept
        seen = (lesson.name, measurement, picture, look, len(runs), epochs, figure.size)
        page = self._page_pane
        height = page.size.height
        rows = height - 1 if self.has_class("-narrow") else int(height * VERDICT_SHARE)  # a blank row is below it
        heading = lesson_page.fitted(lesson_page.heading(lesson, measuring, kept, ascii), page.verdict.size.width, rows)
        tried = self._stored.tried(lesson)
        # What is seen needs no announcement where its rows are wanted for the figure; the page has it then.
        small = picture is not None and self._figure_pane.size.height < SEE_ROWS
        state = (seen, heading, verdict, busy, tried, small)
        if state == self._shown:
            return
        before, self._shown = self._shown, state
        of = measurement.bench.drawn_in_words if measurement is not None else kept.drawn if kept is not None else ""
        see = lesson_page.see(lesson, ascii)
        self._figure_pane.say("" if small else see, of)
        page.say_title(lesson, verdict, ascii)
        page.say_verdict(heading)
        page.subtitle(lesson_page.measured_on(kept))
        if before is None or before[0][:2] != seen[:2] or (before[2], before[5]) != (verdict, small):  # type: ignore[index]
            page.say(lesson, verdict, ascii, see if small else "")
            if isinstance(chosen := self.focused, Choice):  # the text above it has another length now
                self.call_after_refresh(chosen.scroll_visible, animate=False)
        if before is None or before[0][0] != seen[0] or before[4] != tried:  # type: ignore[index]
            page.offer(lesson, tried, ascii)
            if isinstance(chosen := self.focused, Choice):
                self.call_after_refresh(chosen.scroll_visible, animate=False)
        width, height = figure.size
        if width > 0 and height > 0:
            figure.show(lesson_page.picture_of(self.app, measurement, kept, width, height, look))

    def _look_at_the_store(self) -> None:
        """What was tried, and what is stored: at the beginning, and whenever a lesson has come to its end."""
        measuring = self.host.measuring
        for trouble in (measuring.troubles | self._stored.troubles) - self._told:
            self._told.add(trouble)
            self.say(trouble)
        seen = tuple(measuring.verdicts)
        if self._looking is None or (seen != self._seen and self._looking.done()):
            self._seen = seen
            self._looking = begin(self.app, self._read())

    async def _read(self) -> None:
        try:
            await in_thread(lambda: self._stored.read(writes=self.host.measuring.stores))
        except StoreError as error:
            if self.is_attached:
                self.say(str(error))
        if self.is_attached:
            self.tick()

    def _look(self) -> Look:
        """How the terminal is."""
        from d2ltui.charts.canvas import Look

        background = self._figure_pane.figure.background_colors[1]
        colours = self.app.console.color_system in ("256", "truecolor") and not self.app.no_color
        return Look(background.rgb, background.get_contrast_text(1.0).rgb, colours, self.host.ascii)
