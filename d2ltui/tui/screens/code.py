"""The run as code: its model and its training step as the book writes them, from scratch and concise.

While the run waits for its next step, that step is gone through line by line: the tensors of the line that has just run
stand below the code, its result beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen

from d2ltui.charts import tensors
from d2ltui.charts.spec import Style
from d2ltui.code.lines import Line
from d2ltui.code.listing import TITLES, listing
from d2ltui.spec.language import _, pgettext
from d2ltui.spec.text import pace
from d2ltui.tui.host import Hosted
from d2ltui.tui.keys import CODE_KEYS, bindings, help_rows
from d2ltui.tui.render.compositor import BatchedScreen
from d2ltui.tui.screens.once import Once
from d2ltui.tui.services.stepper import Stepper, mark_of
from d2ltui.tui.widgets.code import CodeView
from d2ltui.tui.widgets.lines import LinesView

if TYPE_CHECKING:
    from d2ltui.spec.config import RunConfig

WIDE = 120  # columns from which on both stand side by side
TABLE_ROWS = 8  # of the tensors: a frame, a heading, and as many as an optimiser's line has at most
# Seconds: how often to look for the engine's answer to a key, and for how long.
ANSWER_EVERY, ANSWER_WITHIN = 0.02, 2.0


class Behind(Protocol):
    """The screen behind, some of whose keys act here, too."""

    speed: float | None  # steps a second of a run that trains; None for all there is

    def begin_waiting(self) -> bool:
        """Begin the run that the form describes, which waits before its first step; False where there is none."""

    def action_speed(self, by: int) -> None:
        """Slower, or faster."""

    def action_stop(self) -> None:
        """End the run."""

    def action_epoch(self) -> None:
        """To the end of the epoch, then pause."""


class CodeScreen(Hosted, Once, BatchedScreen, ModalScreen[None]):
    """Both implementations; on a narrow terminal one at a time, first that of the run.

    Args:
        config: the run, or the one that the form describes.
        behind: the screen that opens this one.
    """

    DEFAULT_CSS = """
    CodeScreen { align: center middle; background: $background; }
    CodeScreen .box { width: 1fr; height: 1fr; border: round $border; background: $surface; }
    CodeScreen #tensors { display: none; }
    """
    BINDINGS = bindings(CODE_KEYS)

    def __init__(self, config: RunConfig, behind: Behind) -> None:
        super().__init__()
        self._config, self._behind = config, behind
        self._shown = config.implementation if config.implementation in TITLES else "concise"
        self._views = {which: CodeView() for which in TITLES}
        self._boxes = {which: Vertical(view, classes="box") for which, view in self._views.items()}
        self._tensors = LinesView()
        self._table = Vertical(self._tensors, classes="box", id="tensors")
        self._table.styles.height = TABLE_ROWS
        self._code: dict[str, list[Line]] = {}
        self._told: RunConfig | None = None  # what the code has been made of

    def compose(self) -> ComposeResult:
        """The two beside each other, and the tensors below."""
        yield Vertical(Horizontal(*self._boxes.values()), self._table)

    def on_mount(self) -> None:
        """Follow the run: its learning rate may be changed, and it may be stepped through."""
        self._stepper = Stepper(self.host)
        self._arrange()
        self.set_interval(1 / self.host.max_fps, self.tick)
        self.call_after_refresh(self.tick)

    def on_unmount(self) -> None:
        """Nobody looks any more."""
        self._stepper.leave()

    def on_resize(self) -> None:
        """Two or one."""
        self._arrange()
        self.call_after_refresh(self.tick)

    def _arrange(self) -> None:
        both = self.app.size.width >= WIDE
        keys = _("s line, S step, ← → ↑ ↓ move, ? keys, esc closes")
        for which, box in self._boxes.items():
            box.display = both or which == self._shown
            last = which == list(TITLES)[-1] or not both
            box.border_subtitle = (keys if both else _("v other, {keys}").format(keys=keys)) * last

    def tick(self) -> None:
        """Show the code with the run's present numbers."""
        live, config = self.host.live, self._config
        if live is not None and live.is_configured:
            config = live.config if live.lr == live.config.lr else msgspec.structs.replace(live.config, lr=live.lr)
        if config != self._told:
            self._told = config
            self._code = {which: listing(config, which) for which in TITLES}
        self._stepper.look()
        stepped = self._stepper.moments[: self._stepper.at + 1]
        self._show_table()
        notes = tensors.notes(stepped)
        goes_back = bool(stepped) and stepped[-1].phase == "backward"
        for which, view in self._views.items():
            title = TITLES[which]
            if which == config.implementation:
                title += _(", this run{state}").format(state=self._state())
            self._boxes[which].border_title = title
            if view.size.width > 0:
                code = self._code[which]
                # The other implementation's values may be others: a loss without its ½, weights of another start.
                own = notes if which == config.implementation else {}
                beside = {number: own[line.moment] for number, line in enumerate(code) if line.moment in own}
                view.show_code(code, mark_of(code, stepped), beside, "◀" if goes_back else "▶")

    def _state(self) -> str:
        live = self.host.live
        if live is None:
            return ""
        speed = self._behind.speed if self.host.training else None
        return _(": {status}, step {step:,}").format(status=pgettext("status", live.word), step=live.step) + (
            f", {pace(speed)}" if speed is not None else ""
        )

    def _show_table(self) -> None:
        stepper, made = self._stepper, self._stepper.made
        shown = made is not None
        if self._table.display != shown:
            self._table.display = shown
            self.call_after_refresh(self.tick)
        if made is None:
            return
        if made.next_step is None:
            self._table.border_title = _("The next step")
            self._tensors.show([[(int(Style.WARNING), made.problem)]])
            return
        seen, moment = made.next_step, stepper.moments[stepper.at]
        self._table.border_title = _(
            "Step {step:,}, epoch {epoch}, batch {batch:,} of {batches:,}: {phase}, line {at} of {moments}"
        ).format(
            step=made.step + 1,
            epoch=seen.epoch,
            batch=seen.batch,
            batches=seen.batches,
            phase=_(moment.phase),
            at=stepper.at + 1,
            moments=len(stepper.moments),
        )
        if self._tensors.size.width > 0:
            self._tensors.show(tensors.table(moment.tensors, self._tensors.size.width))

    def _answer_soon(self) -> None:
        """Show what the engine answers as soon as it does, not at the next frame."""
        before, patience = self._stepper.made, ANSWER_WITHIN
        self.tick()

        def look() -> None:
            nonlocal patience
            patience -= ANSWER_EVERY
            self._stepper.look()
            if self._stepper.made is not before or patience <= 0:
                self.tick()
            elif self.is_active:
                self.set_timer(ANSWER_EVERY, look)

        self.set_timer(ANSWER_EVERY, look)

    def action_turn(self) -> None:
        """The other implementation, where there is room for one."""
        if self.app.size.width < WIDE:
            self._shown = next(which for which in TITLES if which != self._shown)
            self._arrange()
            self.call_after_refresh(self.tick)

    def action_shift(self, by: int) -> None:
        """Sideways."""
        for view in self._views.values():
            view.shift(by)
        self.tick()

    def action_scroll(self, by: int) -> None:
        """Up and down."""
        for view in self._views.values():
            view.scroll_relative(y=by, animate=False)

    def action_step(self) -> None:
        """The next line; where nothing runs, a new run waits before its first step."""
        self._step(whole=False)

    def action_whole_step(self) -> None:
        """All lines that are left, and the step."""
        self._step(whole=True)

    def _step(self, *, whole: bool) -> None:
        if self.host.control is not None:
            self._stepper.forward(whole=whole)
        elif self._behind.begin_waiting():
            self.notify(_("a new run has begun: it waits before its first step, s goes on"))
        else:
            self.notify(_("no run could begin: esc, and see what the main screen says"))
        self._answer_soon()

    def action_pause(self) -> None:
        """Pause, or resume, as on the main screen."""
        control = self.host.control
        if control is not None:
            control.resume() if control.mode == "pause" else control.pause()
            self._answer_soon()

    def action_epoch(self) -> None:
        """To the end of the epoch, as on the main screen."""
        self._behind.action_epoch()
        self._answer_soon()

    def action_stop(self) -> None:
        """End the run, as on the main screen."""
        self._behind.action_stop()
        self._answer_soon()

    def action_speed(self, by: int) -> None:
        """Slower, or faster, as on the main screen."""
        self._behind.action_speed(by)
        self.tick()

    def action_help(self) -> None:
        """The keys of this screen."""
        from d2ltui.tui.screens.dialogs import HelpScreen

        self.open(HelpScreen(help_rows(CODE_KEYS)))
