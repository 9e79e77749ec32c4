"""What is tried before a run begins – a check, a range test – in a thread of its own, and its owner.

PyTorch is imported inside the thread: this module costs nothing to import.
"""

from __future__ import annotations

import threading
import traceback
from typing import TYPE_CHECKING, Literal

from d2ltui.engine.control import Control
from d2ltui.spec import collector
from d2ltui.spec.config import RunConfig
from d2ltui.spec.language import _

if TYPE_CHECKING:
    from d2ltui.engine.checkup import Checkup
    from d2ltui.engine.range_test import RangeTest
    from d2ltui.engine.readings import Reading

Kind = Literal["check", "find-lr"]


def title_of(config: RunConfig) -> str:
    """What is tried, in a few words."""
    return _("{model} ({implementation}) on {dataset}, {optimizer}").format(
        model=config.model, implementation=config.implementation, dataset=config.dataset, optimizer=config.optimizer
    )


class Attempt:
    """A check or a range test of one configuration: how far it is, and what has come of it.

    Its thread writes, and readers look whenever they like: each attribute is replaced by a new value. At the end one of
    `checkup`, `range_test` and `problem` is there; `problem` says in one sentence why there is no result.
    """

    def __init__(self, config: RunConfig, kind: Kind) -> None:
        self.config, self.kind, self.control = config, kind, Control()
        self.doing = _("loading PyTorch")
        self.share: float | None = None  # of what is being done
        self.readings: tuple[Reading, ...] = ()  # of a check, so far
        self.checkup: Checkup | None = None
        self.range_test: RangeTest | None = None
        self.problem = ""
        self.traceback = ""

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to come."""
        return bool(self.problem) or self.checkup is not None or self.range_test is not None

    def stop(self) -> None:
        """End it after the current step."""
        self.control.stop()

    def _tell(self, doing: str, share: float | None) -> None:
        self.doing, self.share = doing, share

    def _read(self, reading: Reading) -> None:
        self.readings = (*self.readings, reading)
        if reading.name == "units":
            self._tell(_("learning 16 samples by heart"), None)

    def carry_out(self, previous: threading.Thread | None = None) -> None:
        """Do it, once `previous` has ended. Raises nothing: it is called at the bottom of a thread."""
        if previous is not None:
            previous.join()
        try:
            _import_engine()
            self._carry_out()
        except Exception as error:  # above a thread there is nobody who would hear of it
            self.traceback = traceback.format_exc()
            self.problem = _("PyTorch cannot be used: {reason}").format(reason=error)

    def _carry_out(self) -> None:
        from d2ltui.data import LoadCancelled
        from d2ltui.engine import checkup, range_test, summary, workbench
        from d2ltui.engine.device import products

        try:
            bench = workbench.set_up(self.config, self.control, progress=self._tell)
            self._tell("looking", None)
            with products(bench.config, bench.device):
                if self.kind == "check":
                    self.checkup = checkup.check(bench, self._read)
                else:
                    self.range_test = range_test.range_test(bench, lambda share: self._tell(_("trying rates"), share))
        except (workbench.Cancelled, LoadCancelled):
            self.problem = "stopped"
        except Exception as error:
            __, said, trace = summary.describe_error(error, self.config, self.config.device, ())
            self.traceback = trace or ""
            self.problem = said


def _import_engine() -> None:
    with collector.held():
        import d2ltui.engine.checkup
        import d2ltui.engine.range_test  # noqa: F401


class Preflight:
    """Carries out one attempt at a time. All methods return at once."""

    def __init__(self) -> None:
        self._last: Attempt | None = None
        self._thread: threading.Thread | None = None

    @property
    def thread(self) -> threading.Thread | None:
        """The thread of the last attempt, where it goes on; who trains waits for its end first."""
        return self._thread if self._thread is not None and self._thread.is_alive() else None

    def start(self, config: RunConfig, kind: Kind) -> Attempt:
        """Begin another attempt, and end the one before."""
        self.stop()
        self._last = attempt = Attempt(config, kind)
        self._thread = threading.Thread(
            target=attempt.carry_out, args=(self.thread,), name="d2ltui-preflight", daemon=True
        )
        self._thread.start()
        return attempt

    def stop(self) -> None:
        """End the attempt that goes on, if there is one, after its current step."""
        if self._last is not None:
            self._last.stop()
