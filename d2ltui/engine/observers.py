"""Those who watch a run: sinks, looks at the layers, and the rules that judge them. None of them can harm it.

What fails among them ends there, and is told once, in words and with its traceback; the run goes on.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Sequence

from d2ltui.diagnosis.monitor import Monitor
from d2ltui.diagnosis.probes import Prober
from d2ltui.engine import summary
from d2ltui.history.epochs import Epochs
from d2ltui.spec import events
from d2ltui.spec.text import counted

OF_DATA = ("inputs", "labels")


def failure(step: int, observer: str, error: Exception) -> events.ObserverFailed:
    """The event that tells of it."""
    why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return events.ObserverFailed(step, observer, why, "".join(traceback.format_exception(error)))


class Sinks:
    """Tells every sink of every event, until it fails.

    A sink that has failed hears nothing more but the end of the run: whoever waits for that must not wait for ever.
    """

    def __init__(self, sinks: Sequence[events.Sink]) -> None:
        self._all, self._well = tuple(sinks), list(sinks)
        self.step = 0  # of the run, now

    def __call__(self, event: events.Event) -> None:
        """Tell all of `event`."""
        for sink in tuple(self._well):
            try:
                sink(event)
            except Exception as error:
                self._well.remove(sink)
                self(failure(self.step, _name_of(sink), error))

    def tell_failure(self, observer: str, error: Exception) -> None:
        """Tell all that `observer` has failed."""
        self(failure(self.step, observer, error))

    def end(self, event: events.RunEnded) -> None:
        """Tell all of the end. What a sink raises is raised when every other one has heard of it."""
        with contextlib.ExitStack() as stack:
            for sink in reversed(self._all):
                stack.callback(sink, event)


class Inspection:
    """A run's looks at its layers, and what is found by them.

    Args:
        prober: what looks.
        monitor: what judges.
        tell: called with what there is to tell.
        device: its name, for the sentence that says that its memory is not enough.
    """

    def __init__(self, prober: Prober, monitor: Monitor, tell: events.Sink, device: str) -> None:
        self._prober, self._monitor, self._tell, self._device = prober, monitor, tell, device
        self.due, self.armed = prober.due, prober.armed
        self.findings: tuple[events.Finding, ...] = ()  # what was found last
        self._probed: events.LayersProbed | None = None  # the last look
        self._checked: tuple[str, ...] = ()  # what was looked at before the first step

    def remember(self, probes: Sequence[events.LayersProbed]) -> None:
        """What was seen before, in order, where a run is resumed."""
        self._monitor.remember(probes)

    def look(
        self, step: int, *, units: bool, epochs: Epochs, lr: float, diverged: bool = False
    ) -> events.LayersProbed | None:
        """Look after `step` steps, and tell what was seen and what is found; None where nothing could be seen."""
        probed = None
        if not self._prober.disabled:
            probed = self._guarded(step, lambda: self._prober.probe(step, units))
        if probed is not None:
            self._tell(probed)
        changed = self._monitor.look(probed, epochs, lr, step if diverged else None, step)
        for rule, error in self._monitor.take_failures():
            self._tell(failure(step, f"the rule {rule}", error))
        self._probed = probed
        self._tell_news(changed)
        return probed

    def check_start(self, check: Callable[[events.LayersProbed | None], Sequence[events.Finding]]) -> None:
        """Tell what `check` finds before the first step, given the look at the untrained network, if there was one."""
        try:
            found = check(self._probed)
        except Exception as error:
            self._tell(failure(0, "the check before the first step", error))
        else:
            self._checked = OF_DATA if self._probed is None else (*OF_DATA, "initial weights")
            self._tell_news(self._monitor.begin(found))

    @property
    def looked_at(self) -> tuple[str, ...]:
        """What has been looked at until now, in words."""
        layers = self._probed.layers if self._probed is not None else ()
        counts = {
            "activations": len(layers),
            "gradients": sum(layer.gradient_norm is not None for layer in layers),
        }
        seen = (f"{what} of {counted(number, 'layer')}" for what, number in counts.items() if number)
        return (*seen, *self._checked)

    def _tell_news(self, changed: events.FindingsChanged | None) -> None:
        if changed is not None:
            self.findings = changed.findings
            self._tell(changed)

    def at_the_end(self, epochs: Epochs, lr: float, diverged_at: int | None) -> tuple[events.Finding, ...]:
        """What is found in the end, however long the run has taken."""
        return self._monitor.at_the_end(epochs, lr, diverged_at)

    def arm(self, step: int) -> bool:
        """Get ready to measure the step after `step`; False where there is to be no more looking from here on."""
        if not self._prober.disabled:
            self._guarded(step, lambda: self._prober.arm(step))
            return not self._prober.disabled
        return True

    def _guarded(self, step: int, look: Callable[[], events.LayersProbed | None]) -> events.LayersProbed | None:
        try:
            return look()
        except Exception as error:
            self._prober.disable()
            if summary.is_out_of_memory(error):
                self._monitor.no_memory(step, self._device)
            else:
                self._tell(failure(step, "looking at the layers", error))
            return None


def _name_of(sink: events.Sink) -> str:
    return getattr(sink, "title", "") or type(sink).__name__
