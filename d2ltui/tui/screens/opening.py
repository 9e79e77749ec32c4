"""What the main screen opens: dialogs, and the other screens."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from d2ltui.spec.language import _
from d2ltui.spec.text import quoted
from d2ltui.tui.keys import FIELD_HELP, KEYS, help_rows, in_words
from d2ltui.tui.screens.playing import PlayingScreen
from d2ltui.tui.screens.spare import SpareScreens
from d2ltui.tui.widgets.fields import ChoiceField

if TYPE_CHECKING:
    from textual.screen import Screen

    from d2ltui.runner.preflight import Kind
    from d2ltui.spec.config import RunConfig
    from d2ltui.tui.screens.lessons import Chosen


def _help() -> Screen[Any]:
    from d2ltui.tui.screens.dialogs import HelpScreen

    return HelpScreen([*help_rows(KEYS), *in_words(FIELD_HELP)])


def _layer() -> Screen[Any]:
    from d2ltui.tui.screens.layer import LayerScreen

    return LayerScreen()


def _lessons() -> Screen[Any]:
    from d2ltui.tui.screens.lessons import LessonsScreen

    return LessonsScreen()


def _runs() -> Screen[Any]:
    from d2ltui.tui.screens.runs import RunsScreen

    return RunsScreen()


def _save() -> Screen[Any]:
    from d2ltui.tui.screens.dialogs import SaveScreen

    return SaveScreen()


# The modules are imported with the first of each: not before the first paint.
MAKERS = {"help": _help, "layer": _layer, "runs": _runs, "lessons": _lessons, "save": _save}


READ_FOR = 15.0  # seconds for a notice of some sentences


class OpeningScreen(PlayingScreen):
    """A screen of panes whose keys open other screens."""

    def __init__(self) -> None:
        super().__init__()
        self.spares = SpareScreens(self.app, MAKERS)

    def after_typing(self, act: Callable[[], None]) -> None:
        """Act once the form knows the keys that were typed just before."""
        raise NotImplementedError

    def described(self) -> RunConfig | None:
        """The run that the form describes; None where it describes none, and the person has been told."""
        raise NotImplementedError

    def put_into_form(self, values: Mapping[str, object]) -> str:
        """Change these fields of the form; returns what has changed, in words."""
        raise NotImplementedError

    def describe_in_form(self, config: RunConfig, what: str, typed: Collection[str] = ()) -> None:
        """Put a whole run into the form, as if its fields `typed` had been, and say `what` it is, if anything."""
        raise NotImplementedError

    def chosen_fields(self) -> dict[str, object]:
        """The fields of the form that somebody has chosen."""
        raise NotImplementedError

    def begin_waiting(self) -> bool:
        """Begin the run that the form describes, which waits before its first step; False where there is none."""
        raise NotImplementedError

    def action_run(self) -> None:
        """Train what the form describes."""
        raise NotImplementedError

    def action_stop(self) -> None:
        """End the run; everything stays on the screen."""
        raise NotImplementedError

    def action_epoch(self) -> None:
        """To the end of the epoch, then pause."""
        raise NotImplementedError

    def action_check(self) -> None:
        """What would go wrong with the described run."""
        self.after_typing(lambda: self._attempt("check"))

    def action_find_lr(self) -> None:
        """Which learning rate to take."""
        self.after_typing(lambda: self._attempt("find-lr"))

    def _attempt(self, kind: Kind) -> None:
        from d2ltui.tui.screens.preflight import CheckScreen, RatesScreen

        if self.host.training:
            what = _("the check") if kind == "check" else _("the search for a learning rate")
            self._say(_("a run is in progress: {what} has to wait for its end (x stops it)").format(what=what))
        elif self.occupied:
            self._say(self.occupied)
        elif (config := self.described()) is not None:

            def taken(values: Mapping[str, object] | None) -> None:
                if values:
                    self.put_into_form(values)

            attempt = self.host.preflight.start(config, kind)
            self.open(CheckScreen(attempt) if kind == "check" else RatesScreen(attempt), taken)

    def on_choice_field_list_asked(self, message: ChoiceField.ListAsked) -> None:
        """Show all choices with their meaning."""
        from d2ltui.tui.screens.dialogs import ChoiceScreen

        field = message.field
        choices = {name: field.meanings[name] for name in field.choices}

        def take(value: str | None) -> None:
            if value is not None:
                field.choose(value)

        self.open(ChoiceScreen(field.label, choices, field.value), take)

    def action_open_layer(self) -> None:
        """The units of a layer."""
        live = self.host.live
        if live is None or live.layers is None:
            self._say(_("no layer to open before a run begins"))
            return
        screen = self.spares.take("layer")
        screen.cursor = self.cursor  # type: ignore[attr-defined]
        self.open(screen)

    def action_code(self) -> None:
        """The run on the screen as code; before there is one, the run that the form describes."""
        live = self.host.live
        if live is None:
            self.after_typing(lambda: self._show_code(self.described()))
        elif live.is_configured:
            self._show_code(live.config)
        else:
            self._say(
                _("this run is trained by {source}, which keeps its code to itself").format(
                    source=quoted(live.header.source)
                )
            )

    def _show_code(self, config: RunConfig | None) -> None:
        from d2ltui.tui.screens.code import CodeScreen

        if config is not None:
            self.open(CodeScreen(config, self))

    def action_traceback(self) -> None:
        """The whole error of a failed run."""
        from d2ltui.tui.screens.dialogs import TextScreen

        live = self.host.live
        if live is None or live.ended is None or live.ended.status != "failed":
            self._say(_("no run has failed with an error to show"))
            return
        self.open(TextScreen(_("Why the run failed"), live.ended.traceback or live.ended.message))

    def action_lessons(self) -> None:
        """What to see, and experiments that prove it."""

        def chosen(choice: Chosen | None) -> None:
            if choice is not None:
                what = "" if choice.trains or choice.says else _("the experiment")
                self.describe_in_form(choice.config, what, choice.given)
                if choice.trains:
                    self.action_run()
                elif choice.run and not self.host.training:
                    self.host.stored.watch(choice.run, describes=False)
                if choice.says:
                    self.notify(choice.says, timeout=READ_FOR)

        self.open(self.spares.take("lessons"), chosen)

    def action_map(self) -> None:
        """A network for each cell of a grid."""
        self.after_typing(self.open_map)

    def open_map(self, stored: str = "") -> None:
        """The map's screen, with the stored map of that name, if any."""
        from d2ltui.tui.screens.map import MapScreen

        def chosen(config: RunConfig | None) -> None:
            if config is not None:
                self.describe_in_form(config, "" if screen.trains else _("the cell"))
                if screen.trains:
                    self.action_run()
            elif self.host.maps.busy:
                self._say("")  # how far it is, rather than how to begin

        if (config := self.described()) is not None:
            screen = MapScreen(config, self.chosen_fields(), stored)
            self.open(screen, chosen)

    def action_runs(self) -> None:
        """The stored runs."""
        self.open_runs()

    def open_runs(self, group: str = "") -> None:
        """The stored runs, with those of that group marked, and the ones that join it."""

        def chosen(run: Path | str | None) -> None:
            if run is not None:
                self.host.stored.watch(run)
            self.tick()

        screen = self.spares.take("runs")
        screen.followed = group  # type: ignore[attr-defined]
        self.open(screen, chosen)

    def action_help(self) -> None:
        """All keys."""
        self.open(self.spares.take("help"))

    def action_quit_asking(self) -> None:
        """Quit; ask first while a run goes on."""
        from d2ltui.tui.screens.dialogs import ConfirmScreen

        if not (self.host.training or self.host.maps.busy):
            self.host.leave()
            return

        def answered(quits: bool | None) -> None:
            if quits:
                self.host.leave()

        question = _("A run is in progress. Quit and end it?")
        if not self.host.training:
            question = _("A map is being trained. Quit and stop it?")
        self.open(ConfirmScreen(question, _("quit"), _("stay")), answered)
