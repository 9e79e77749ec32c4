"""What the screens ask of the application: no more than this, so that they need not know how it does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

from d2ltui.tui.services.occupied import occupied

if TYPE_CHECKING:
    from textual.notifications import SeverityLevel
    from textual.screen import Screen

    from d2ltui.engine.control import Control, Mode
    from d2ltui.engine.picture_desk import PictureDesk
    from d2ltui.history.live import LiveRun
    from d2ltui.runner.preflight import Preflight
    from d2ltui.spec.config import RunConfig
    from d2ltui.tui.services.lesson_runner import LessonRunner
    from d2ltui.tui.services.machine import Machine
    from d2ltui.tui.services.map_runner import MapRunner
    from d2ltui.tui.services.stored import StoredRuns
    from d2ltui.tui.services.undisturbed import Undisturbed
    from d2ltui.tui.services.watching import Watching

    ScreenMixin = Screen[Any]
else:
    ScreenMixin = object  # Textual takes a style sheet from the first base that is a widget


class Host(Protocol):
    """The application, beside what it has as any Textual application: the run on the screen, and what goes with it."""

    ascii: bool  # whether to draw with ASCII characters only
    max_fps: float
    data_dir: str | None
    machine: Machine
    maps: MapRunner
    measuring: LessonRunner
    preflight: Preflight
    stored: StoredRuns
    undisturbed: Undisturbed

    @property
    def live(self) -> LiveRun | None:
        """The run on the screen."""

    @property
    def control(self) -> Control | Watching | None:
        """The control of the run on the screen; None where it does not go on."""

    @property
    def pictures(self) -> PictureDesk | None:
        """Where pictures of the run on the screen are asked for, while it trains and afterwards."""

    @property
    def run_name(self) -> str:
        """What the run on the screen is called; "" where it has no name."""

    @property
    def training(self) -> bool:
        """Whether this process trains a run."""

    @property
    def backlog(self) -> bool:
        """Whether the terminal has not taken yet what was sent."""

    def start_run(self, config: RunConfig, mode: Mode) -> None:
        """End the run that there is, and begin another."""

    def set_pace(self, pace: float | None) -> None:
        """Have the run that this process trains take at most so many steps a second; None for all there is."""

    def poll(self) -> str:
        """Take in what has come of a watched run; returns, once, what went wrong with storing or watching a run."""

    def observe(self, who: str, looks: bool) -> None:
        """`who` shows the layers, or no longer."""

    def tell(
        self,
        message: str,
        screen: Screen[Any] | None,
        *,
        title: str = ...,
        severity: SeverityLevel = ...,
        timeout: float | None = ...,
        markup: bool = ...,
    ) -> None:
        """A notice of this screen, in front or not; of None: of everything, shown wherever somebody is."""

    def run_ended(self, live: LiveRun) -> None:
        """A run has ended and its end is on the screen."""

    def leave(self, status: int = 0) -> None:
        """Leave with an exit status; the run, if there is one, ends after its step."""


class Hosted(ScreenMixin):
    """A screen of this application."""

    @property
    def host(self) -> Host:
        """The application."""
        return cast(Host, self.app)

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """A notice of this screen, in front or not; an error is told everywhere."""
        screen = self if severity != "error" else None
        self.host.tell(message, screen, title=title, severity=severity, timeout=timeout, markup=markup)

    @property
    def occupied(self) -> str:
        """What is being trained beside runs, and how to stop it; "" where nothing is."""
        return occupied(self.host.measuring, self.host.maps)
