"""The application and what is stored: a run of another process to watch, an older one to go on with.

Whatever reads a run's directory does so in a thread: it may be on a network, and another process may hold it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from d2ltui.spec.language import _, pgettext
from d2ltui.spec.text import counted
from d2ltui.spec.versions import unknown_choices
from d2ltui.tui.services.occupied import occupied
from d2ltui.tui.services.threads import in_thread

if TYPE_CHECKING:
    from textual.app import App
    from textual.notifications import SeverityLevel

    from d2ltui.engine.control import Control
    from d2ltui.history.live import LiveRun
    from d2ltui.runner.recording import RunRecording
    from d2ltui.spec.config import RunConfig
    from d2ltui.tui.services.lesson_runner import LessonRunner
    from d2ltui.tui.services.map_runner import MapRunner
    from d2ltui.tui.services.watching import Watching

SLOW = 0.5  # seconds of reading after which it is said what the screen waits for
BUSY = _("a run is in progress here: stop it first")


class RunScreen(Protocol):
    """A screen that shows a run."""

    @property
    def is_active(self) -> bool:
        """Whether no other screen covers it."""

    def show_run(self, name: str, config: RunConfig | None) -> None:
        """A stored run comes to the screen."""

    def open_map(self, stored: str = "") -> None:
        """A screen of its own, with the stored map of that name."""

    def open_runs(self, group: str = "") -> None:
        """The list of runs, with those of that group marked."""

    def tick(self) -> None:
        """Bring what is on the screen up to date."""


class Owner(Protocol):
    """Whoever has a run on the screen, and trains runs."""

    measuring: LessonRunner
    maps: MapRunner

    @property
    def main(self) -> RunScreen:
        """The screen that shows the run."""

    @property
    def live(self) -> LiveRun | None:
        """The run on the screen."""

    @property
    def training(self) -> bool:
        """Whether this process trains a run."""

    @property
    def in_use(self) -> bool:
        """Whether somebody has pressed a key."""

    def go_on(self, recording: RunRecording, control: Control) -> None:
        """Go on with a stored run; there is no other."""

    def tell(self, message: str, screen: None, *, severity: SeverityLevel) -> None:
        """A notice that is shown wherever somebody is."""


class StoredRuns:
    """The stored runs that the application shows or goes on with."""

    def __init__(self, app: App[Any], owner: Owner) -> None:
        self._app, self._owner = app, owner
        self.watched: Watching | None = None  # the one on the screen
        self._opening: Watching | None = None  # the one that is read for the first time
        self._told = ""
        self._resuming = ""  # the run that is read to be gone on with

    # Watching

    def watch(self, run: Path | str, *, describes: bool = True) -> None:
        """Show a stored run (its directory or name), live where another process trains it, once it has been read.

        A map's directory, or `home.path_of_group`, opens the screen that shows that.
        A run's settings go into the form, unless `describes` is False.
        """
        from d2ltui.store import maps
        from d2ltui.store.home import name_of_group
        from d2ltui.tui.services.watching import Watching

        if isinstance(run, Path):
            if run.parent == maps.maps_dir():
                self._owner.main.open_map(run.name)
                return
            if (group := name_of_group(run)) is not None:
                self._owner.main.open_runs(group)
                return
        if self._owner.training:
            self._app.notify(BUSY, severity="warning")
            return
        if self._opening is not None:
            self._opening.close()
        # Through the application's queue: what is raised there reaches the screen.
        opening = self._opening = Watching(run, lambda opened: self._app.call_later(self._opened, opened, describes))

        def still() -> None:
            if self._opening is opening:
                self._app.notify(_("reading {name} …").format(name=opening.name))

        self._app.set_timer(SLOW, still)

    def _opened(self, watching: Watching, describes: bool) -> None:
        if watching is not self._opening:
            watching.close()  # something else has been asked for meanwhile
            return
        self._opening = None
        if not watching.ready:
            if watching.defect is not None:
                raise watching.defect
            self._app.notify(watching.problem, severity="error")
            return
        self.leave()
        self.watched, self._told = watching, ""
        described = watching.live.config if describes and watching.live.is_configured else None
        if described is not None and unknown_choices(described):
            described = None  # another version's, or a plug-in's that is not here: the form has no such choice
        self._owner.main.show_run(watching.name, described)
        self._owner.main.tick()

    def trouble(self) -> None:
        """Say, once, what keeps the watched run from being read."""
        if self.watched is None:
            return
        if self.watched.defect is not None:
            raise self.watched.defect
        if (problem := self.watched.problem) != self._told:  # it is looked for at every tick
            self._told = problem
            if problem:
                self._owner.tell(problem, None, severity="warning")

    def leave(self, timeout: float = 0.0) -> None:
        """Watch no longer, and wait so many seconds for the threads. The run goes on."""
        for watching in (self.watched, self._opening):
            if watching is not None:
                watching.close()
                watching.join(timeout)
        self.watched = self._opening = None

    async def offer(self) -> None:
        """Offer to watch a run that another process trains."""
        from d2ltui.store import StoreError, listing
        from d2ltui.tui.screens.dialogs import ConfirmScreen
        from d2ltui.tui.screens.once import unless_over

        try:
            active = await in_thread(listing.active)
        except StoreError:
            return  # the runs screen says what is wrong
        if not active or self._owner.live is not None or not self._owner.main.is_active:
            return
        run = active[0]
        if self._owner.in_use:  # a question would take the keys that are on their way to something else
            said = _("Another process is training {name}: R, then enter, shows it.").format(name=run.name)
            self._owner.tell(said, None, severity="information")
            return

        def answered(watches: bool | None) -> None:
            if watches:
                self.watch(run.path)

        done = _("{status}, {epochs} done").format(
            status=pgettext("status", run.status), epochs=counted(run.epochs, "epoch", ",")
        )
        question = _("Another process is training {name} ({done}). Watch it?").format(name=run.name, done=done)
        self._app.push_screen(ConfirmScreen(question, _("watch"), _("not now")), unless_over(self._app, answered))

    # Going on

    async def resume(self, name: str) -> bool:
        """Go on with a stored run; False, and a sentence on the screen, where that cannot be."""
        from d2ltui.engine.control import Control
        from d2ltui.runner.recording import RunRecording
        from d2ltui.store import StoreError, home

        control = Control()
        if why := self._taken():
            self._app.notify(why, severity="warning")
            return False
        self._resuming = name
        try:
            recording = await in_thread(
                lambda: RunRecording.resume(home.path_of(name), control), undo=lambda unwanted: unwanted.close()
            )
        except StoreError as error:
            self._app.notify(str(error), severity="error")
            return False
        finally:
            self._resuming = ""
        if why := self._taken():  # meanwhile
            await in_thread(recording.close)
            self._app.notify(why, severity="warning")
            return False
        self._owner.go_on(recording, control)
        self._owner.main.show_run(name, recording.config)
        return True

    def _taken(self) -> str:
        """Why no run can begin now, "" where one can."""
        if self._owner.training:
            return BUSY
        if self._resuming:  # begun anew, it would find the run in use: by ourselves
            return _("{resuming} is being read").format(resuming=self._resuming)
        return occupied(self._owner.measuring, self._owner.maps)
