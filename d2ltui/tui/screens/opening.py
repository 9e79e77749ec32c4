"""What the main screen opens: dialogs, and the other screens."""

from __future__ import annotations

from d2ltui.spec.fields import FIELDS
from d2ltui.tui.keys import FIELD_HELP, KEYS, help_rows
from d2ltui.tui.screens.panes import PanesScreen
from d2ltui.tui.widgets.fields import ChoiceField


class OpeningScreen(PanesScreen):
    """A screen of panes whose keys open other screens."""

    def _say(self, hint: str) -> None:
        """Put `hint` below the status line."""
        raise NotImplementedError

    def on_choice_field_list_asked(self, message: ChoiceField.ListAsked) -> None:
        """Show all choices with their meaning."""
        from d2ltui.tui.screens.dialogs import ChoiceScreen

        field = message.field
        choices = {name: field.meanings[name] for name in field.choices}

        def take(value: str | None) -> None:
            if value is not None:
                field.choose(value)

        self.open(ChoiceScreen(FIELDS[field.field].label, choices, field.value), take)

    def action_open_layer(self) -> None:
        """The units of a layer."""
        from d2ltui.tui.screens.layer import LayerScreen

        live = self.host.live
        if live is None or live.layers is None:
            self._say("no layer to open before a run begins")
            return
        self.open(LayerScreen())

    def action_traceback(self) -> None:
        """The whole error of a failed run."""
        from d2ltui.tui.screens.dialogs import TextScreen

        live = self.host.live
        if live is None or live.ended is None or live.ended.status != "failed":
            self._say("no run has failed with an error to show")
            return
        self.open(TextScreen("Why the run failed", live.ended.traceback or live.ended.message))

    def action_lessons(self) -> None:
        """What to see, and experiments that prove it."""
        from d2ltui.tui.screens.lessons import LessonsScreen

        self.open(LessonsScreen())

    def action_runs(self) -> None:
        """The stored runs."""
        from d2ltui.tui.screens.runs import RunsScreen

        def chosen(name: str | None) -> None:
            if name is not None:
                self.host.stored.watch(name)
            self.tick()

        self.open(RunsScreen(), chosen)

    def action_help(self) -> None:
        """All keys."""
        from d2ltui.tui.screens.dialogs import HelpScreen

        self.open(HelpScreen([*help_rows(KEYS), *FIELD_HELP]))

    def action_quit_asking(self) -> None:
        """Quit; ask first while a run goes on."""
        from d2ltui.tui.screens.dialogs import ConfirmScreen

        if not self.host.training:
            self.host.leave()
            return

        def answered(quits: bool | None) -> None:
            if quits:
                self.host.leave()

        question = "A run is in progress. Quit and end it?"
        self.open(ConfirmScreen(question, "quit", "go on"), answered)
