"""The one background thread that trains, and its owner.

PyTorch is imported inside the thread: this module costs nothing to import.
"""

from __future__ import annotations

import threading
import traceback

from d2ltui import events
from d2ltui.config import RunConfig
from d2ltui.engine.control import Control, Mode
from d2ltui.live import LiveRun


class Worker:
    """Owns at most one training thread. All methods return at once, except `join`.

    A new run's thread first waits for the old one to end, so that two runs never overlap.
    """

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self.control: Control | None = None
        self.live: LiveRun | None = None

    @property
    def busy(self) -> bool:
        """Whether a run is loading, training or paused."""
        return self.live is not None and self.live.ended is None

    def preload(self) -> None:
        """Import what a run needs, in the background, so that the first run starts sooner."""
        threading.Thread(target=_import_engine, name="d2ltui-preload", daemon=True).start()

    def start(self, config: RunConfig, mode: Mode = "run", observed: bool = False) -> LiveRun:
        """Stop the run that there is and begin another; returns what will be known of it."""
        if self.control is not None:
            self.control.stop()
        control, live, previous = Control(mode), LiveRun(config), self._thread
        control.observe(observed)
        self.control, self.live = control, live
        # A daemon, so that a download that hangs cannot keep the process alive after its owner has given up on it.
        self._thread = threading.Thread(
            target=_run, args=(config, control, live, previous), name="d2ltui-training", daemon=True
        )
        self._thread.start()
        return live

    def stop(self) -> None:
        """Ask the run, if there is one, to end after its current step."""
        if self.control is not None:
            self.control.stop()

    def join(self, timeout: float) -> bool:
        """Wait for the thread to end; False where it has not within `timeout` seconds."""
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()


def _import_engine() -> None:
    import torch

    import d2ltui.engine.trainer  # noqa: F401

    # The first optimiser imports PyTorch's compiler, another second.
    torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)


def _run(config: RunConfig, control: Control, live: LiveRun, previous: threading.Thread | None) -> None:
    if previous is not None:
        previous.join()
    what = "PyTorch cannot be used"  # a broken installation must reach the screen, too
    try:
        from d2ltui.engine.trainer import Trainer

        what = "the engine has failed"
        Trainer(config, control, [live]).run()
    except BaseException as error:  # above a thread there is nobody who would hear of it
        if live.ended is not None:
            raise
        live(events.RunEnded("failed", f"{what}: {error}", {}, traceback=traceback.format_exc()))
