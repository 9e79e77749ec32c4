"""The main screen: panes in columns where there is room, one at a time where there is not; and what the keys do."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.geometry import Size
from textual.widgets import Input

from d2ltui.spec.config import RunConfig
from d2ltui.spec.config_file import to_toml
from d2ltui.spec.language import _
from d2ltui.spec.parsing import ConfigError, parse
from d2ltui.tui.keys import SCREEN_BINDINGS
from d2ltui.tui.panes.chart_reading import past_at
from d2ltui.tui.panes.spec import COLUMNS, FORM_PANES, FORM_TAB, RunView
from d2ltui.tui.render.frame_limiter import FrameLimiter
from d2ltui.tui.screens.opening import OpeningScreen
from d2ltui.tui.screens.outcomes import Outcomes
from d2ltui.tui.screens.panes import NARROW
from d2ltui.tui.services.occupied import map_under_way
from d2ltui.tui.widgets.fields import ChoiceField, FieldSubmitted, TextField
from d2ltui.tui.widgets.keys_line import KeysLine
from d2ltui.tui.widgets.pane import Column, Columns, Pane
from d2ltui.tui.widgets.setup import Setup
from d2ltui.tui.widgets.status import StatusLine
from d2ltui.tui.widgets.tabs import TabStrip

if TYPE_CHECKING:
    from textual.timer import Timer

    from d2ltui.charts.of_run import Curves
    from d2ltui.engine.control import Mode
    from d2ltui.history.live import LiveRun
    from d2ltui.spec.events import Status
    from d2ltui.tui.form_state import FormState

HINT_FOR = 10.0  # seconds for which a message stands beside a run's result
# Weights of the moving average, as TensorBoard has them.
SMOOTHING = (0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.98)


class MainScreen(OpeningScreen):
    """Choose, train, watch."""

    BINDINGS = SCREEN_BINDINGS
    AUTO_FOCUS = ""

    def __init__(self, config: RunConfig, typed: Collection[str] = ()) -> None:
        super().__init__()
        self._initial, self._given = config, typed
        self._log = False
        self._smoothing = 2
        self._forgetting: Timer | None = None  # until what was said goes away
        self._hint = _("ctrl+r trains what the form describes; tab: the next pane; ?: all keys")
        self._trouble = ""  # why the run is not stored
        self._curves: Curves | None = None
        self._name = ""  # of the run on the screen
        self._handled_end: LiveRun | None = None
        self._outcomes = Outcomes(self._say)

    def compose(self) -> ComposeResult:
        """Three columns, a status line, the keys."""
        columns = [Column(*self.run_panes.build(self.arrangement.column(name)), id=name) for name in COLUMNS]
        yield TabStrip(self.arrangement.short_titles)
        with Columns(id="body"):
            yield Setup(self._initial, self._given)
            yield from columns
        yield StatusLine()
        yield KeysLine()

    def on_mount(self) -> None:
        """Begin to look at the run, a few times a second."""
        # Looked up once: a tick has no time for queries.
        self._status_line, self._tabs = self.query_one(StatusLine), self.query_one(TabStrip)
        self._setup, self._form_pane = self.query_one(Setup), self.query_one("#model-pane", Pane)
        self._arrange()
        self._show_panes()
        self._show_status()  # before the first layout: the line below would need another one
        for rack in self.query_children("ToastRack"):
            rack.display = False  # as long as it is empty; Textual hides it after the first layout
        self._pace = FrameLimiter(self.host.max_fps)
        self.set_interval(1 / (2 * self.host.max_fps), self._on_timer)

    # Looking at the run

    def _on_timer(self) -> None:
        if self._pace.due(self.host.backlog, self.host.undisturbed.puts_off):
            self.tick()

    def tick(self) -> None:
        """Bring what is on the screen up to date. Costs next to nothing where nothing changed."""
        trouble, live = self.host.poll(), self.host.live
        if live is not None and (self._curves is None or (live.ended is not None and self._handled_end is not live)):
            self._hint = self._trouble  # how to begin is known; how it has ended is to be read
        if trouble:
            self._hint = self._trouble = trouble
        if live is not None and (self._curves is None or self._curves.live is not live):
            from d2ltui.charts.of_run import Curves

            self._curves, self._trouble = Curves(live), trouble
            self.forget_cursor()
            self._show_names()
        self.advance()
        if self.is_active:  # under another screen nobody sees it
            with self.batch_refresh():  # the screen is put together once
                self._show_panes()
                self._show_status()
        if live is not None and live.ended is not None and self._handled_end is not live:
            self._handled_end = live
            if live.ended.field:
                self._setup.set_problem(live.ended.field, live.ended.message)
            self.host.run_ended(live)
            self._outcomes.ended(live, self.app, self.host)

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        """What has come while another screen was shown."""
        self.call_after_refresh(self.tick)

    def show_run(self, name: str, config: RunConfig | None) -> None:
        """A stored run comes to the screen: the form describes it, unless another program trains it."""
        if config is not None:
            self._setup.describe(config)
        said = _("{name} is on the screen") if config is None else _("{name} is on the screen, and in the form")
        self.host.tell(said.format(name=name), self)  # another one may be in front, about to close

    def _view(self) -> RunView:
        live = self.host.live
        return RunView(
            live=live,
            curves=self._curves if live is not None else None,
            task=live.header.task if live is not None else self._setup.state.last_valid.task,
            run_name=self.host.run_name,
            log=self._log,
            smoothing=SMOOTHING[self._smoothing],
            ascii=self.host.ascii,
            zoomed=self._zoomed,
            unit=self.unit,
            zoom=self.chart_zoom,
            cursor=self.cursor,
            pictures=self.host.pictures,
        )

    def _show_panes(self) -> None:
        self.run_panes.show(self._view())
        tallies = self.run_panes.tallies
        self._tabs.mark(tallies)
        alarming = any(tally.severity is not None for tally in tallies.values())
        if alarming != self.alarming:
            self.alarming = alarming
            self.refresh_bindings()

    def prepare(self) -> None:
        """Have the panes draw in the sizes that they are about to have."""
        frame = None
        if self._zoomed is not None:
            frame = self.query_one(Columns).size + Size(0, self.query_one(TabStrip).size.height)
        self.run_panes.prepare(self._view(), frame)

    def _show_status(self) -> None:
        live = self.host.live
        device = live.started.device if live is not None and live.started is not None else ""
        if self.host.run_name != self._name:
            self._show_names()
        machine, status, watched = self.host.machine.describe(device), self._status_line, self.host.stored.watched
        hint = self._hint
        if hint != self.occupied:  # which tells of the map
            hint = status.both(hint, map_under_way(self.host.maps))
        interrupted = watched is not None and watched.interrupted
        past = past_at(self._curves, self.cursor) if live is not None else None
        speed, at_most = self.speed_in_words, self.slowed_to
        status.show(live, machine, hint, interrupted=interrupted, speed=speed, at_most=at_most, past=past)

    def _ask(self, request: Callable[[], object], *statuses: Status) -> None:
        """Ask the engine for something. As soon as one of `statuses` is its answer, that is shown.

        Until then nothing else of the run is drawn for it: the last steps before a pause would be told first.
        """
        live, waits = self.host.live, True

        def told() -> None:
            nonlocal waits  # in the engine's thread: meanwhile `on_status` may be another key's, and is left alone
            if waits and live is not None and (live.ended is not None or live.status in statuses):
                waits = False
                with contextlib.suppress(RuntimeError):  # the event loop has ended
                    self.call_later(self.tick)

        if live is not None:
            live.on_status = told
        request()

    def _show_names(self) -> None:
        """Whether the form describes another run than the one on the screen."""
        self._name, live = self.host.run_name, self.host.live
        self._form_pane.title(
            _("Model") if live is None or live.is_of(self._setup.state.last_valid) else _("Model of the next run")
        )

    # Training

    def action_run(self) -> None:
        """Train what the form describes."""
        self.after_typing(lambda: self._start("run"))

    def after_typing(self, act: Callable[[], None]) -> None:
        """Act once the field has the keys that were typed just before: those are still on their way to it."""
        if isinstance(self.focused, Input):
            self.focused.call_later(self.call_later, act)
        else:
            act()

    def _take_shown(self) -> FormState:
        """What the form holds, which is what it shows."""
        if self._setup.take_shown():
            self._show_names()
        return self._setup.state

    def described(self) -> RunConfig | None:
        """The run that the form describes; None where it describes none: then the first problem has the focus."""
        try:
            return self._take_shown().resolve()
        except ConfigError as error:
            self._say(error.problems[0].message)
            self.app.bell()
            self._zoomed = None
            self._open_tab(FORM_TAB)
            self.call_after_refresh(self._setup.focus_problem)
            return None

    def _start(self, mode: Mode) -> None:
        setup, config = self._setup, self.described()
        if config is None:
            return
        if self.occupied:
            self._say(self.occupied)
            return
        self._say("")
        setup.forget_problem()
        away = self.app.size.width < NARROW and self._tab == FORM_TAB and self._zoomed is None
        # A choice keeps the focus: it takes no letters, and may be turned for the next run.
        if self._focused_pane() in FORM_PANES and (away or not isinstance(self.focused, ChoiceField | TextField)):
            self.leave_pane()
        if away:
            self._open_tab(self.arrangement.tab_of(self.arrangement.first))
        self.host.start_run(config, mode)
        self.tick()

    def begin_waiting(self) -> bool:
        """Begin the run that the form describes, which waits before its first step; False where there is none."""
        self._start("pause")
        return self.host.training

    def action_pause(self) -> None:
        """Pause, or resume; a run that is over is played, from the cursor on."""
        control = self.host.control
        if control is None:
            if not self.play():
                self._say(_("nothing is training: ctrl+r begins"))
            return
        if control.mode == "pause":
            self._ask(control.resume, "training")
        else:
            self._ask(control.pause, "paused")

    def action_step(self) -> None:
        """One step, then pause; where nothing runs, a new run's first step."""
        control = self.host.control
        if control is None:
            self._start("step")
        else:
            self._ask(control.step, "paused")

    def action_epoch(self) -> None:
        """To the end of the epoch, then pause; where nothing runs, a new run's first epoch."""
        control = self.host.control
        if control is None:
            self._start("epoch")
        else:
            self._ask(control.epoch, "training", "paused")

    def action_stop(self) -> None:
        """End the run; everything stays on the screen."""
        control = self.host.control
        if control is None:
            self._say(_("nothing is training: ctrl+r begins"))
        else:
            self._ask(control.stop)

    def on_field_submitted(self, event: FieldSubmitted) -> None:
        """Enter in the learning rate's field changes that of the run; in any other, it chooses the next field."""
        control, live = self.host.control, self.host.live
        if event.name == "lr" and control is not None and live is not None:
            try:
                control.set_lr(float(str(parse("lr", event.text))))
            except ConfigError as error:
                self._say(str(error))
                return
            self.action_leave_field()
            self._say(_("lr {text} from step {step:,} on").format(text=event.text, step=live.step + 1))
            return
        self._setup.action_next_field(1)

    def on_setup_changed(self, message: Setup.Changed) -> None:
        """Something else is described: what was said before is old."""
        self._say("")
        self._show_names()

    # What is drawn, and everything else

    def action_log_scale(self) -> None:
        """Linear or logarithmic loss axis."""
        self._log = not self._log
        self._show_other("log")

    def action_smooth(self, by: int) -> None:
        """Less or more smoothing."""
        self._smoothing = min(len(SMOOTHING) - 1, max(0, self._smoothing + by))
        self._show_other("smoothing")

    def _show_other(self, what: str) -> None:
        """Something of `RunView` is another: draw what depends on it. The rest of the run waits for its next frame."""
        if self._curves is None or self._curves.live is not self.host.live:
            self.tick()
        else:
            with self.batch_refresh():
                self.run_panes.show(self._view(), what)

    def action_save(self) -> None:
        """Save the form as TOML."""
        self.after_typing(self._save)

    def _save(self) -> None:
        try:
            config = self._take_shown().resolve()
        except ConfigError as error:
            self._say(_("not saved: {message}").format(message=error.problems[0].message))
            return

        def saved(path: str | None) -> None:
            if path is not None:
                self._say(_("saved: d2ltui --config {path}").format(path=path))

        screen = self.spares.take("save")
        screen.offer(to_toml(config), f"{config.model}-{config.dataset}.toml")  # type: ignore[attr-defined]
        self.open(screen, saved)

    def action_remedy(self) -> None:
        """Put the remedy of the selected finding into the form."""
        finding, live = self.run_panes.finding, self.host.live
        if live is not None and live.examined:  # what is known by now may be a symptom, with a remedy of its own
            self._say(_("the cause is still being looked for: f when it is found"))
            return
        if finding is None:
            self._say(_("no finding with a remedy"))
            return
        self._outcomes.remedied(live, finding.remedy, self.put_into_form(finding.remedy))

    def put_into_form(self, values: Mapping[str, object]) -> str:
        """Change these fields of the form, and say so; returns what has changed, in words."""
        changed = self._setup.apply(values)
        self._say(_("{changed}; ctrl+r trains it").format(changed=changed or _("the form has it already")))
        return changed

    def describe_in_form(self, config: RunConfig, what: str, typed: Collection[str] = ()) -> None:
        """Put a whole run into the form, and say `what` is there now; nothing of one that is trained at once."""
        self._setup.describe(config, typed)
        if what:
            self.notify(_("{what} is in the form; ctrl+r trains it").format(what=what))

    def chosen_fields(self) -> dict[str, object]:
        """The fields of the form that somebody has chosen."""
        return self._take_shown().chosen()

    def _say(self, hint: str) -> None:
        """Say `hint` for a while; what keeps the run from being stored is said again afterwards."""
        self._hint = hint
        self._show_status()
        if self._forgetting is not None:
            self._forgetting.stop()
            self._forgetting = None
        if hint and (self.host.live is not None or self.host.maps.busy):
            self._forgetting = self.set_timer(HINT_FOR, self._forget_hint)

    def _forget_hint(self) -> None:
        self._forgetting = None
        self._hint = self._trouble
        if self.is_active:
            self._show_status()
