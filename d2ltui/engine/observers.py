"""Those who watch a run: sinks, looks at the layers, and the rules that judge them. None of them can harm it.

What fails among them ends there, and is told once, in words and with its traceback; the run continues.
"""

from __future__ import annotations

import contextlib
import math
import traceback
from collections.abc import Callable, Sequence

import msgspec

from d2ltui.diagnosis.monitor import Monitor, without_steps
from d2ltui.diagnosis.probes import Prober
from d2ltui.diagnosis.sampling import Sampler, moments
from d2ltui.engine import summary
from d2ltui.engine.progress import Progress
from d2ltui.engine.workbench import Workbench
from d2ltui.history.epochs import Epochs
from d2ltui.spec import events
from d2ltui.spec.language import _
from d2ltui.spec.text import counted

OF_DATA = (_("inputs"), _("labels"))


def inspection_of(
    bench: Workbench,
    tell: events.Sink,
    sample_every: float | None,
    *,
    samples: bool = True,
    trained: Callable[[], float] | None = None,
) -> Inspection:
    """The looks at a run; `sample_every` and `trained`: see `Prober`.

    With None, or without `samples`, nothing is judged between the start and the end.
    """
    config, x = bench.config, bench.x
    a_pass = math.ceil(len(bench.data.x_train) / config.batch_size)
    sampled = samples and sample_every is not None
    at = moments(bench.plan, config.batch_size, len(x), a_pass, config.epochs) if sampled else ()
    prober = Prober(bench.network, x, bench.y, sample_every, trained)
    sampler = Sampler(bench.network, x, bench.y, at)
    return Inspection(prober, sampler, Monitor(config, bench.plan, a_pass * config.epochs), tell, str(bench.device))


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

    The prober looks by the clock, for the eye; the sampler by steps. Only samples, and the looks at the start and at
    the end, are judged: the same run has the same findings, whoever looks and however fast it is.

    Args:
        prober: what looks.
        sampler: what takes samples.
        monitor: what judges.
        tell: called with what there is to tell.
        device: its name, for the sentence that says that its memory is not enough.
    """

    def __init__(self, prober: Prober, sampler: Sampler, monitor: Monitor, tell: events.Sink, device: str) -> None:
        self._prober, self._monitor, self._tell, self._device = prober, monitor, tell, device
        self.sampler = sampler  # its `next` is the step after which `sample` is to be called
        self.due, self.armed = prober.due, prober.armed
        self.findings: tuple[events.Finding, ...] = ()  # what was found last
        self._probed: events.LayersProbed | None = None  # the last look
        self._checked: tuple[str, ...] = ()  # what was looked at before the first step
        self.found_at_start: tuple[events.Finding, ...] = ()  # by `check_start`, the cause first
        self.given_up: events.Finding | None = None  # why the run ends early

    def go_on_from(self, step: int, probes: Sequence[events.LayersProbed]) -> None:
        """A run is resumed. Of what was seen before, only the look at the start was no matter of the clock."""
        self._monitor.remember([without_steps(probed) for probed in probes if probed.step == 0])
        self.sampler.go_on_from(step)

    def look(self, step: int, *, units: bool) -> events.LayersProbed | None:
        """Look after `step` steps, and tell what was seen; None where nothing could be."""
        probed = None
        if not self._prober.disabled:
            probed = self._guarded(step, lambda: self._prober.probe(step, units))
        if probed is not None:
            self._tell(probed)
        elif self._monitor.unsaid:
            self._tell_news(self._monitor.judge_again(step))
        self._probed = probed
        return probed

    def look_and_judge(self, at: Progress, lr: float, *, units: bool) -> None:
        """Look where a run is now, at its start or at its end, and tell what was seen and what is found.

        The weights of a run that has diverged have been trained further, for as many steps as the clock has decided.
        """
        probed = self.look(at.step, units=units)
        self._judge(None if probed is None or at.diverged else without_steps(probed), at, lr)

    def sample(self, at: Progress, lr: float) -> None:
        """Do what the sampler has to do where a run is now, and tell what is found by it."""
        probed = self._guarded(at.step, lambda: self.sampler.take(at.step))
        if probed is not None or self._monitor.unsaid:
            self._judge(probed, at, lr)

    def _judge(self, probed: events.LayersProbed | None, at: Progress, lr: float) -> None:
        changed = self._monitor.look(probed, at.epochs, lr, at.step if at.diverged else None, at.step, at.losses)
        for rule, error in self._monitor.take_failures():
            self._tell(failure(at.step, _("the rule {rule}").format(rule=rule), error))
        self._tell_news(changed)

    def check_start(self, check: Callable[[events.LayersProbed | None], Sequence[events.Finding]]) -> None:
        """Tell what `check` finds before the first step, given the look at the untrained network, if there was one."""
        try:
            found = check(self._probed)
        except Exception as error:
            self._tell(failure(0, _("the check before the first step"), error))
        else:
            self.found_at_start = tuple(found)
            self._checked = OF_DATA if self._probed is None else (*OF_DATA, _("initial weights"))
            self._tell_news(self._monitor.begin(found))

    @property
    def looked_at(self) -> tuple[str, ...]:
        """What has been looked at until now, in words."""
        layers = self._probed.layers if self._probed is not None else ()
        counts = {
            _("activations of {layers}"): len(layers),
            _("gradients of {layers}"): sum(layer.gradient_norm is not None for layer in layers),
        }
        seen = (said.format(layers=counted(number, "layer")) for said, number in counts.items() if number)
        return (*seen, *self._checked)

    def give_up(self, why: events.Finding) -> None:
        """The run ends early: that stands first among its findings, from now on."""
        self.given_up = why
        self._tell_news(events.FindingsChanged(why.step, self.findings))

    def _tell_news(self, changed: events.FindingsChanged | None) -> None:
        if changed is not None:
            if (why := self.given_up) is not None:
                others = (finding for finding in changed.findings if finding.rule != why.rule)
                changed = msgspec.structs.replace(changed, findings=(why, *others))
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
            self.sampler.disable()
            if summary.is_out_of_memory(error):
                self._monitor.no_memory(step, self._device)
            else:
                self._tell(failure(step, _("looking at the layers"), error))
            return None


def _name_of(sink: events.Sink) -> str:
    return getattr(sink, "title", "") or type(sink).__name__
