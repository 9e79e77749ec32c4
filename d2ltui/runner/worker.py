"""The one background thread that trains, and its owner.

PyTorch is imported inside the thread: this module costs nothing to import.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from d2ltui.engine.control import Control, Mode
from d2ltui.history.live import LiveRun
from d2ltui.runner import launch
from d2ltui.spec import collector, events
from d2ltui.spec.config import RunConfig
from d2ltui.spec.language import _

if TYPE_CHECKING:
    from d2ltui.runner.recording import RunRecording


# Of the time that a run which still loads is waited for, the share that its thread has before the store is told.
THREAD_SHARE = 0.25


class _UntilEnd:
    """A sink around another, which hears of one end and of nothing after it, whoever tells it."""

    def __init__(self, sink: events.Sink) -> None:
        self._sink = sink
        self._telling = threading.Lock()
        self._ended = False

    def __call__(self, event: events.Event) -> None:
        with self._telling:
            if not self._ended:
                self._ended = isinstance(event, events.RunEnded)
                self._sink(event)


class Worker:
    """Owns at most one training thread. All methods return at once, except `join`.

    A new run's thread first waits for the old one to end, so that two runs never overlap.
    """

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self.control: Control | None = None
        self.live: LiveRun | None = None
        self.recording: RunRecording | None = None
        self._stored: _UntilEnd | None = None
        self._has_stored = False

    @property
    def busy(self) -> bool:
        """Whether a run is loading, training or paused."""
        return self.live is not None and self.live.ended is None

    def preload(self) -> None:
        """Import what a run needs, in the background, so that the first run starts sooner."""
        threading.Thread(target=_import_engine, name="d2ltui-preload", daemon=True).start()

    def start(
        self,
        config: RunConfig,
        mode: Mode = "run",
        observed: bool = False,
        record: Callable[[Control], RunRecording] | None = None,
        control: Control | None = None,
        *,
        after: threading.Thread | None = None,
    ) -> LiveRun:
        """Stop the run that there is and begin another, or go on with a stored one; returns what is known of it.

        `record` makes the run's `recording.RunRecording`; where that resumes a run, the configuration is that run's.
        What it raises passes, and no run begins. `control` is that of the new run, where there is one already. It
        begins when the thread `after` has ended, too: what draws random numbers there must not change the run.
        """
        control = control or Control(mode)
        previous = [thread for thread in (self._thread, after) if thread is not None]
        recording = record(control) if record is not None else None  # what it refuses ends no run
        if self.control is not None:
            self.control.stop()
        live = recording.live if recording is not None else LiveRun(config)
        control.observe(observed)
        control.offer_pictures()
        self.control, self.live, self.recording = control, live, recording
        self._stored = _UntilEnd(recording.store) if recording is not None else None
        self._has_stored = False
        # A daemon, so that a download that hangs cannot keep the process alive after its owner has given up on it.
        self._thread = threading.Thread(
            target=_run,
            args=(live.config, control, live, recording, self._stored, previous),
            name="d2ltui-training",
            daemon=True,
        )
        self._thread.start()
        return live

    def stop(self) -> None:
        """Ask the run, if there is one, to end after its current step."""
        if self.control is not None:
            self.control.stop()

    def go_on_unseen(self) -> None:
        """Nobody is left who could ask for the next step, or who looks at the layers: on to the end."""
        if self.control is not None:
            self.control.set_pace(None)
            self.control.resume()
            self.control.observe(False)

    def join(self, timeout: float) -> bool:
        """Wait for the thread to end; False where it has not within `timeout` seconds.

        It may be inside an import or a download, which no request ends. Where the run was asked to end, the store does
        not wait for that, and has what is left of the time to write it: whoever gives up now leaves a run behind that
        was stopped, not one that was interrupted.
        """
        if self._thread is None:
            return True
        until = time.monotonic() + timeout
        self._thread.join(timeout * THREAD_SHARE if self._stops_loading else timeout)
        if self._thread.is_alive() and self._stops_loading and self._stored is not None and self.recording is not None:
            self._stored(events.RunEnded("stopped", _("stopped while loading"), {}))
            self._has_stored = self.recording.store.close(_left(until))
        self._thread.join(_left(until))
        return not self._thread.is_alive()

    @property
    def owes_the_store(self) -> bool:
        """Whether a run that was stopped while it loads would be left behind as an interrupted one: `join` again."""
        return self._stops_loading and self._stored is not None and not self._has_stored

    @property
    def _stops_loading(self) -> bool:
        """Whether the run is to end, and has not begun."""
        return (
            self.control is not None and self.control.stopping and self.live is not None and self.live.started is None
        )


def _left(until: float) -> float:
    return max(0.0, until - time.monotonic())


def _import_engine() -> None:
    with collector.held():
        _import_trainer()
        import d2ltui.charts.picture  # noqa: F401 – who first asks for a picture waits for it


def _import_trainer() -> None:
    import d2ltui.engine.trainer  # noqa: F401


def _run(
    config: RunConfig,
    control: Control,
    live: LiveRun,
    recording: RunRecording | None,
    stored: events.Sink | None,
    previous: Sequence[threading.Thread],
) -> None:
    for thread in previous:
        thread.join()
    sinks: list[events.Sink] = [live] if stored is None else [live, stored]
    what = _("PyTorch cannot be used")  # a broken installation must reach the screen, too
    try:
        _import_trainer()
        what = _("the engine has failed")
        launch.train(config, control, sinks, recording, diagnose=True)
    except BaseException as error:  # above a thread there is nobody who would hear of it
        if live.ended is not None:
            raise
        ended = events.RunEnded("failed", f"{what}: {error}", {}, traceback=traceback.format_exc())
        for sink in sinks:
            sink(ended)
    finally:
        if recording is not None:
            recording.close()
