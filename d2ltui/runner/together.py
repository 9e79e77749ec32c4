"""Several runs at once: those of one shape are trained as a population, and each is told and stored as by itself.

`slices` says which runs of a list can be trained together, `train_slice` trains one such group of them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import torch

from d2ltui.data import Dataset, LoadCancelled, load
from d2ltui.diagnosis.probes import A_LOOK, SAMPLE_EVERY, unseen_wait
from d2ltui.engine import summary
from d2ltui.engine.checkpoint import EPOCH_EVERY, SHARE
from d2ltui.engine.clock import Clock
from d2ltui.engine.control import Control
from d2ltui.engine.device import candidates, check_fits, make_current, select
from d2ltui.engine.device_choice import choose
from d2ltui.engine.graphs import Graphs, graphs_of, slower
from d2ltui.engine.joining import free_on, may_join, members_at_once
from d2ltui.engine.member import Member
from d2ltui.engine.population import Block, EpochFigures, Population
from d2ltui.engine.threads import ONE_THREAD_FLOPS, CoreMeter, ThreadCount
from d2ltui.spec import catalogue, events
from d2ltui.spec.config import RunConfig
from d2ltui.spec.dataset_source import SYNTHETIC
from d2ltui.spec.datasets import DATASET_SOURCES
from d2ltui.spec.language import _
from d2ltui.spec.memory import free_memory

if TYPE_CHECKING:
    from d2ltui.runner.recording import RunRecording

MOST = 32  # runs at once: each is stored by a thread of its own
LOOKS_SHARE = 0.01  # of the time that looks at the members' layers may take
PAUSE_POLL = 0.05  # seconds between two looks at whether a pause is over


def slices(configs: Sequence[RunConfig], jobs: int = 1) -> Iterator[tuple[int, ...]]:
    """The indices of runs that are to be trained together, in order of their first one; a run by itself is one, too.

    Where `jobs` processes train them, there is something for each.

    On a processor, a step of a large network is bound by what it computes, not by the calls into PyTorch: such runs
    gain nothing from company. On a GPU all do but those with dropout, which is left to `train_slice` to find out.
    """
    groups: dict[object, list[int]] = {}
    for index, config in enumerate(configs):
        groups.setdefault(_key(config) or index, []).append(index)
    for indices in groups.values():
        free = min(free_memory(), free_on(select(configs[indices[0]].device)))
        most = min(MOST, members_at_once(configs[indices[0]], free), math.ceil(len(indices) / jobs))
        most = max(1, most)
        rest = iter(indices)
        while part := tuple(islice(rest, most)):
            yield part


def _key(config: RunConfig) -> object:
    devices = [torch.device(name).type for name in candidates(config)]
    gains = "cuda" in devices or ("cpu" in devices and _flops(config) < ONE_THREAD_FLOPS)
    return may_join(config) if gains else None


def _flops(config: RunConfig) -> float:
    """Of a step of one network."""
    return 6.0 * config.batch_size * sum(layer.parameters for layer in catalogue.layer_plan(config))


Build = Callable[[Sequence[RunConfig], Sequence[Dataset]], Population]


class Stopped(Exception):
    """The control asked for an end of all. Never leaves this module."""


class AloneError(Exception):
    """The device is one on which runs gain nothing from company. Never leaves this module."""


def train_slice(
    configs: Sequence[RunConfig],
    control: Control,
    sinks: Sequence[Sequence[events.Sink]],
    controls: Sequence[Control],
    recordings: Sequence[RunRecording | None],
    give_up: Sequence[Callable[[events.Finding], None] | None] = (),
    *,
    graphs: Callable[[torch.device], Graphs | None] = graphs_of,
    say: Callable[[str], None] = lambda sentence: None,
) -> bool:
    """Train runs together, each with its sinks, its own control and its recording; `control` ends or pauses all.

    Where the memory does not suffice after all, they begin again as two halves, one after the other; `say` is told why.

    Of `give_up`, where it is there, each run's is told why that run is ended, since it will not learn any more.
    `graphs` are those of a device, as which steps are taken where it has some.

    Returns False, with nothing told but that they load, where their data cannot be loaded, it is known that the memory
    is too small for all of them, or the device gains nothing from it: then each is to be trained by itself. Otherwise
    each has ended, and recordings are closed.
    """
    keepers = zip(configs, controls, sinks, recordings, give_up or (None,) * len(configs), strict=True)
    members = [
        Member(config, own, [*told, *([kept.store] if kept is not None else [])], kept, gives_up)
        for config, own, told, kept, gives_up in keepers
    ]
    for member in members:
        member.emit(events.StatusChanged("loading"))
    try:
        watcher = _Watcher.prepared(members, control, graphs)
    except (LoadCancelled, Stopped):
        for member in members:
            member.end("stopped", _("stopped while loading"))
    except Exception:
        return False  # whatever it is, each run by itself says it in its own words
    else:
        watcher.train(say)
    for recording in recordings:
        while recording is not None and not recording.close():
            pass
    return True


def _datasets(configs: Sequence[RunConfig], member: Member, control: Control) -> list[Dataset]:
    """Each run's data; a data set that does not depend on the seed is there once."""
    source = DATASET_SOURCES[configs[0].dataset]
    one_for_all = source.loader.startswith("d2ltui.data.") and configs[0].dataset_info.origin != SYNTHETIC
    known: dict[object, Dataset] = {}
    found = []
    for config in configs:
        key = None if one_for_all else config.seed
        if key not in known:

            def tell(message: str, fraction: float | None) -> None:
                member.emit(events.Loading(message, fraction))

            known[key] = load(config, tell, lambda: control.stopping)
        found.append(known[key])
    return found


class _Watcher:
    """Tells each member what becomes of it, and does what is asked of them."""

    def __init__(
        self, members: Sequence[Member], control: Control, build: Build, population: Population | None = None
    ) -> None:
        self._all, self._control, self._build = members, control, build
        self._waiting: Sequence[Member] = ()  # for their turn, after these
        self._trained = population  # built before its members begin, or else by `_train`
        self._clock = Clock()
        self._shares = [0.0] * len(members)  # seconds, of which each member that is trained takes an equal part
        self._counted = 0.0
        self._looked = self._kept = time.perf_counter()
        self._look_took, self._age = A_LOOK * len(members), 0.0  # of the last looks; seconds of training until then
        self._keep_took = 0.0
        self._armed = self._told_why_not = False
        self._step = 0  # after which it was seen to what is asked

    @classmethod
    def prepared(
        cls, members: Sequence[Member], control: Control, graphs: Callable[[torch.device], Graphs | None]
    ) -> _Watcher:
        """Load the data, build the networks, and tell that the runs begin."""
        configs = [member.config for member in members]
        config, meter = configs[0], CoreMeter()
        data = _datasets(configs, members[0], control)

        def go_on() -> None:
            if control.stopping:
                raise Stopped

        go_on()
        device, why = choose(config, data[0], go_on)
        flops = _flops(config)
        alone_is_faster = {"cpu": flops >= ONE_THREAD_FLOPS, "cuda": config.dropout > 0}  # which is drawn on the CPU
        if alone_is_faster.get(device.type, True):
            raise AloneError
        make_current(device)
        check_fits(config, device)
        # One network's work, not that of all: two threads wait for each other longer than a batched product takes.
        threads = ThreadCount(config.threads, flops, device.type, meter)
        threads.choose()

        def build(configs: Sequence[RunConfig], data: Sequence[Dataset]) -> Population:
            return Population(configs, data, device, control, graphs=graphs(device))

        population = build(configs, data)
        for member, own in zip(members, data, strict=True):
            member.prepare(own, device, population.residence, threads.number, SAMPLE_EVERY)
        for member in members:
            member.tell_start()
            if why:
                member.emit(events.Noted(0, why))
        return cls(members, control, build, population)

    @property
    def _population(self) -> Population:
        assert self._trained is not None
        return self._trained

    def train(self, say: Callable[[str], None]) -> None:
        """To the end of every member; those for which the memory does not suffice at once, in halves."""
        rest = self._train()
        if not rest:
            return
        # Not in there: as long as the error is at hand, so is what its traceback holds, which is the whole population.
        self._trained = None
        why = _(
            "there is not enough memory for {n} networks at once: they start again in two groups, one after the other"
        )
        why = why.format(n=len(rest))
        say(why)
        for member in rest:
            try:
                member.begin_again(why)
            except Exception as error:
                member.end("failed", error=error)
        half = len(rest) // 2
        for part, later in ((rest[:half], rest[half:]), (rest[half:], [])):
            if here := [member for member in part if not member.ended]:
                watcher = _Watcher(here, self._control, self._build)
                watcher._waiting = [*later, *self._waiting]
                watcher.train(say)

    def _train(self) -> Sequence[Member]:
        """All of them; returns those that have not ended since together they do not fit into the memory."""
        try:
            if self._trained is None:
                self._trained = self._build([one.config for one in self._all], [one.data for one in self._all])
            for row, member in enumerate(self._all):
                member.join(self._population, row)
            self._looked = self._kept = time.perf_counter()
            self._clock.start()
            self._population.train(self)
            self._clock.stop()
            self._end_those("finished")
        except Stopped:
            self._clock.stop()
            self._end_those("stopped")
        except Exception as error:
            self._clock.stop()
            rest = [member for member in self._all if not member.ended]
            if len(rest) > 1 and summary.is_out_of_memory(error):
                return rest
            self._end_those("failed", error)
        return ()

    def _end_those(self, status: events.Status, error: Exception | None = None) -> None:
        for member in self._all:
            if not member.ended:
                member.end(status, summary.stopped(member.progress.step), error)

    def _present(self, members: Sequence[int]) -> Iterator[tuple[int, Member]]:
        """Those of the population's columns whose runs go on."""
        for column, index in enumerate(members):
            if not self._all[index].ended:
                yield column, self._all[index]

    def _count(self, members: Sequence[int]) -> None:
        now = self._clock.seconds
        here = [index for index in members if not self._all[index].ended]
        for index in here:
            self._shares[index] += (now - self._counted) / len(here)
        self._counted = now

    # The population's watcher

    def steps(self, members: Sequence[int], block: Block) -> None:
        """Tell them, and end the runs that have diverged."""
        self._count(members)
        for column, member in self._present(members):
            member.take_steps(column, block, self._shares[members[column]])
            if member.progress.diverged:
                member.end("diverged")

    def epoch(self, members: Sequence[int], number: int, figures: EpochFigures) -> None:
        """Tell them; now and then keep checkpoints."""
        self._count(members)
        self._tell_why_not(members)
        judged = []
        for column, member in self._present(members):
            member.progress.clock.set(self._shares[members[column]])
            member.end_epoch(number, float(figures.val_loss[column]), float(figures.val_metric[column]))
            if number < self._population.epochs:
                member.control.epoch_done()
            if member.progress.diverged:
                member.end("diverged")
            elif number < self._population.epochs and member.judged:
                judged.append((members[column], member))
        if judged:
            self._judge(judged)
        began = time.perf_counter()
        if number < self._population.epochs and began - self._kept >= max(EPOCH_EVERY, self._keep_took / SHARE):
            self._for_all(members, Member.keep)
            self._kept = time.perf_counter()
            self._keep_took = self._kept - began

    def _tell_why_not(self, members: Sequence[int]) -> None:
        if self._population.why_not and not self._told_why_not:
            self._told_why_not = True
            for __, member in self._present(members):
                member.emit(events.Noted(0, slower(self._population.why_not)))

    def _judge(self, judged: Sequence[tuple[int, Member]]) -> None:
        """End those that will not learn any more; not while the clock goes."""
        self._clock.stop()
        for index, member in judged:
            if why := member.judge():
                member.end("stopped", summary.stopped(member.progress.step, why))
                self._population.leave(index)
        self._clock.start()

    def _for_all(self, members: Sequence[int], do: Callable[[Member], None]) -> None:
        """Not while the clock goes: nobody is trained meanwhile."""
        self._clock.stop()
        for __, member in self._present(members):
            do(member)
        self._clock.start()

    def between(self) -> None:
        """Publish, look at the layers now and then, and do what is asked."""
        population = self._population
        population.publish(self)
        if self._control.stopping:
            raise Stopped
        members = tuple(population.members)
        stepped, self._step = population.step > self._step, population.step
        for index, member in enumerate(self._all):
            if not member.ended and member.control.attention:
                if stepped:  # before a pause: a step that is asked for during it is another one
                    member.control.step_done()
                self._handle(index, member)
        for member in self._waiting:
            if not member.ended and member.control.stopping:
                member.end("stopped", summary.stopped(0))
        self._wait_while_paused()
        if any(member.control.mode == "step" and not member.ended for member in self._all):
            population.due = 0.0  # come back after the very next step
        if all(member.ended for member in self._all):
            raise Stopped
        began = time.perf_counter()
        if self._armed:
            self._armed = False
            self._for_all(members, Member.look)
            self._looked, self._age = time.perf_counter(), self._clock.seconds
            self._look_took = self._looked - began
        elif began - self._looked >= unseen_wait(self._age, self._look_took, LOOKS_SHARE):
            self._for_all(members, Member.arm)
            self._armed, population.due = True, 0.0  # come back after the very next step, which is the one to measure

    def _handle(self, index: int, member: Member) -> None:
        """What another process asks of one of the runs."""
        if (lr := member.control.take_lr()) is not None:
            member.progress.lr = lr
            self._population.set_lr(index, lr)
            member.emit(events.LearningRateChanged(member.progress.step, lr))
        if member.control.stopping:
            member.end("stopped", summary.stopped(member.progress.step))
            self._population.leave(index)

    def _wait_while_paused(self) -> None:
        """A run that is paused keeps those beside it waiting."""
        if not any(member.control.mode == "pause" and not member.ended for member in self._all):
            return
        self._clock.stop()
        here = [member for member in self._all if not member.ended]
        for member in here:
            member.emit(events.StatusChanged("paused", member.progress.step))
            member.keep()
        while not self._control.stopping:
            for index, member in enumerate(self._all):
                if not member.ended and member.control.attention:
                    self._handle(index, member)
            if not any(member.control.mode == "pause" and not member.ended for member in self._all):
                break
            time.sleep(PAUSE_POLL)
        if self._control.stopping:
            raise Stopped
        for member in here:
            if not member.ended:
                member.emit(events.StatusChanged("training"))
        self._clock.start()
