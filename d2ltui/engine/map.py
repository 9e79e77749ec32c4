"""A map: a network for each cell of a grid of hyperparameters, and more than one where several seeds are asked for.

    training = MapTraining(cells, control, workers)
    training.train(done)        # done(cell, figures) for each cell, as soon as it is known

Cells are trained coarse first, so that a picture sharpens: every fourth one, then every second one, then the rest, and
of those the ones first between which what is shown changes most. What can be trained together is, in slices.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, TypeAlias

import msgspec
import numpy as np
import torch

from d2ltui.data import Dataset, LoadCancelled, load
from d2ltui.diagnosis.look_batched import gradient_ratio, histograms, look_at_all
from d2ltui.diagnosis.monitor import examine
from d2ltui.diagnosis.thresholds import NEAR_GUESS, ROOM
from d2ltui.engine import summary
from d2ltui.engine.control import Control
from d2ltui.engine.device import make_current, select
from d2ltui.engine.graphs import Graphs, graphs_of
from d2ltui.engine.joining import free_on, may_join, members_at_once
from d2ltui.engine.map_merge import finite, merge
from d2ltui.engine.population import Block, EpochFigures, Population
from d2ltui.engine.trainer import Trainer
from d2ltui.history.epochs import Epochs
from d2ltui.spec.config import RunConfig, data_key
from d2ltui.spec.events import EpochEnded, Event, LayersProbed
from d2ltui.spec.language import _
from d2ltui.spec.maps import CURVES, HISTOGRAMS, SAID
from d2ltui.spec.maps import Cell as Cell
from d2ltui.spec.maps import Figures as Figures
from d2ltui.spec.models import MODELS

Coming: TypeAlias = "Generator[Mapping[Cell, Figures] | None, None, None]"  # of slices; None where nothing is ready

STRIDES = (4, 2, 1)
LEAST = 16  # networks that are worth a population of their own
MOST = 128  # networks at once on a processor: what they take stays near it
PAUSED = 1.0  # seconds between two looks at whether a pause is over
MOST_CURVES = 10_000  # cells of a map that keeps each one's curves: some 3 kB each
CURVE_POINTS = 50  # of one
BINS = 30  # of a histogram
REDRAW_EVERY = 0.25  # seconds between two calls of `progress`


class Stopped(Exception):
    """The control asked for an end. Never leaves this module."""


class MapTraining:
    """Trains the networks of a map.

    Args:
        cells: the runs of each cell, one for each seed.
        control: stops all.
        workers: threads that train slices side by side.
        curves: whether each cell's are kept; None where their number decides that.
        graphs: those of a device, as which steps are taken where it has some; `why_not` says why they are not.
    """

    def __init__(
        self,
        cells: Mapping[Cell, Sequence[RunConfig]],
        control: Control,
        workers: int,
        curves: bool | None = None,
        *,
        graphs: Callable[[torch.device], Graphs | None] = graphs_of,
    ) -> None:
        self._graphs_of, self.why_not = graphs, ""
        self.keeps_curves = len(cells) <= MOST_CURVES if curves is None else curves
        self._cells, self._control, self._workers = dict(cells), control, max(1, workers)
        self.networks = sum(map(len, cells.values()))
        self.steps = 0  # of all networks together
        self.seconds = 0.0
        self._data: dict[object, Dataset] = {}
        self._counting = threading.Lock()
        # Networks that are trained alone draw from PyTorch's one generator, and looks put its state back: where one of
        # them draws, they take turns.
        draws = any(config.dropout or MODELS[config.model].build for configs in cells.values() for config in configs)
        self._side_by_side_alone = self._workers > 1 and not draws
        self._turn: contextlib.AbstractContextManager[object] = threading.Lock() if draws else contextlib.nullcontext()

    def train(
        self,
        done: Callable[[Mapping[Cell, Figures]], None],
        progress: Callable[[], None] = lambda: None,
        rank: Callable[[Sequence[Cell]], Sequence[Cell]] = lambda cells: cells,
        over: Callable[[Sequence[list[Cell]]], Coming] | None = None,
    ) -> bool:
        """Train every cell; False where the control has ended it. Errors pass.

        `done` and `progress` are called in this thread: with cells that are ready, and a few times a second. `rank`
        puts the cells of a level into the order in which they are trained. `over` has slices of them trained
        elsewhere, and says what comes of them; it ends by itself where the control asks for that.
        """
        threads = torch.get_num_threads()
        try:
            if over is None:
                self._load()
            began = time.perf_counter()
            for cells in self._levels():
                with contextlib.closing((over or self._side_by_side)(list(self._slices(rank(cells))))) as coming:
                    try:
                        for ready in coming:
                            if ready is not None:
                                done(ready)
                            self.seconds = time.perf_counter() - began
                            progress()
                            if self._control.stopping and over is None:
                                raise Stopped
                    except BaseException:
                        self._control.stop()  # nobody trains on for a map that has ended
                        raise
                if self._control.stopping:
                    raise Stopped
        except (Stopped, LoadCancelled):
            return False
        finally:
            torch.set_num_threads(threads)
        return True

    def train_slices(self, slices: Sequence[list[Cell]]) -> dict[Cell, Figures]:
        """Train these alone, and say what is known of those that were done before the control ended it."""
        found: dict[Cell, Figures] = {}
        with contextlib.suppress(Stopped, LoadCancelled):
            self._load()
            for ready in self._side_by_side(slices):
                found.update(ready or {})
        return found

    def _side_by_side(self, slices: Sequence[list[Cell]]) -> Coming:
        """Train each in a thread; None now and then."""
        waiting = list(slices)
        running: set[Future[Mapping[Cell, Figures]]] = set()
        with ThreadPoolExecutor(self._workers, "d2ltui-map") as pool:
            try:
                while waiting or running:
                    while waiting and len(running) < self._workers:
                        running.add(pool.submit(self._train_slice, waiting.pop(0)))
                    ready, running = wait(running, REDRAW_EVERY, FIRST_COMPLETED)
                    # The done ones first: nobody would hear of them after an error.
                    for one in sorted(ready, key=lambda one: one.exception() is not None):
                        yield one.result()
                    yield None
            except BaseException:
                self._control.stop()  # the pool waits for those that still train
                raise

    def _load(self) -> None:
        """The data of each seed, and of each kind of it, before anything is trained."""
        for config in (one for configs in self._cells.values() for one in configs):
            if (key := data_key(config)) not in self._data:
                self._data[key] = load(config, cancelled=lambda: self._control.stopping)

    def _levels(self) -> Iterator[list[Cell]]:
        left = dict.fromkeys(self._cells)
        for stride in STRIDES:
            level = [cell for cell in left if cell[0] % stride == 0 and cell[1] % stride == 0]
            for cell in level:
                del left[cell]
            if level:
                yield level

    def _slices(self, cells: Sequence[Cell]) -> Iterator[list[Cell]]:
        """Cells whose networks can be trained together: as many as the memory takes, and some for each worker."""
        groups: dict[object, list[Cell]] = {}
        for cell in cells:
            groups.setdefault(may_join(self._cells[cell][0]) or cell, []).append(cell)
        for key, group in groups.items():
            config, seeds = self._cells[group[0]][0], len(self._cells[group[0]])
            fits = max(1, members_at_once(config, free_on(select(config.device))) // self._workers)
            if isinstance(key, tuple) and select(config.device).type == "cpu":
                share = max(LEAST, math.ceil(len(group) * seeds / self._workers))
                fits = min(fits, MOST, share)
            size = max(1, fits // seeds)
            yield from (group[i : i + size] for i in range(0, len(group), size))

    def _train_slice(self, cells: list[Cell]) -> Mapping[Cell, Figures]:
        """In a thread of its own."""
        torch.set_num_threads(1)  # the slices beside it have the other cores; of later threads, too: see `train`
        configs = [config for cell in cells for config in self._cells[cell]]
        if may_join(configs[0]) is None:
            members = [self._train_alone(config) for config in configs]
        else:
            members = self._train_together(configs)
        found, rest = {}, iter(members)
        for cell in cells:
            found[cell] = merge([next(rest) for __ in self._cells[cell]])
        return found

    def _train_together(self, configs: Sequence[RunConfig]) -> list[Figures]:
        """As one population; where the memory does not suffice for it, as two halves."""
        try:
            return self._train_at_once(configs)
        except Exception as error:
            if not summary.is_out_of_memory(error) or len(configs) < 2:
                raise
        # Not above: as long as the error is at hand, so is what its traceback holds, which is the whole population.
        half = len(configs) // 2
        return [figures for part in (configs[:half], configs[half:]) for figures in self._train_together(part)]

    def _train_at_once(self, configs: Sequence[RunConfig]) -> list[Figures]:
        data = [self._data[data_key(config)] for config in configs]
        device = select(configs[0].device)
        make_current(device)
        graphs = self._graphs_of(device)
        population = Population(configs, data, device, self._control, graphs=graphs)
        watcher = _Slice(self, population)
        watcher.look()
        try:
            population.train(watcher)
        except Exception as error:
            if summary.is_out_of_memory(error):  # they are trained again
                self.count(-watcher.counted)
            raise
        self.why_not = population.why_not or self.why_not
        watcher.look(last=True)
        return watcher.figures(data)

    def _train_alone(self, config: RunConfig) -> Figures:
        """What cannot be a member of a population."""
        epochs: list[EpochEnded] = []

        def take(event: Event) -> None:
            if isinstance(event, EpochEnded):
                epochs.append(event)

        data = self._data[data_key(config)]
        if self._side_by_side_alone:
            config = msgspec.structs.replace(config, threads=1)  # the slices beside it have the other cores
        trainer = Trainer(config, self._control, [take], dataset=data, sample_every=None)
        with self._turn:
            ended = trainer.run()
        if ended.status == "stopped":
            raise Stopped
        if ended.status == "failed":
            raise RuntimeError(ended.message)
        self.count(trainer.progress.step)
        names = ("val_accuracy", "val_r2", "val_loss", "train_loss")
        found: Figures = {name: ended.summary[name] for name in names if name in ended.summary}
        unknown = dict.fromkeys(("dead", "saturated", "gradient-ratio", "finding"))
        return {**found, **unknown, "status": ended.status, **self.curves(config, epochs)}

    def curves(self, config: RunConfig, history: Sequence[EpochEnded]) -> Figures:
        """The curves of a run, as a figure of its cell; nothing where the map has too many cells to keep them."""
        if not (self.keeps_curves and history):
            return {}
        every = max(1, math.ceil(len(history) / CURVE_POINTS))
        kept = [*history[:-1:every], history[-1]]
        metric = "val_r2" if config.task == "regression" else "val_accuracy"
        numbers: dict[str, list[float | None]] = {
            "epoch": [one.epoch for one in kept],
            "train_loss": [finite(one.train_loss) for one in kept],
            "val_loss": [finite(one.val_loss) for one in kept],
            metric: [finite(one.val_metric) for one in kept],
        }
        return {CURVES: numbers}

    def count(self, steps: int) -> None:
        """So many steps of single networks have been trained."""
        with self._counting:
            self.steps += steps


class _Slice:
    """Watches a population, and says at its end what each member has come to."""

    def __init__(self, training: MapTraining, population: Population) -> None:
        self._training, self._population = training, population
        self.counted = 0  # steps of single networks
        self._control = training._control
        n = len(population.configs)
        self._epochs: list[tuple[int, tuple[int, ...], EpochFigures]] = []
        self._looks: list[dict[int, LayersProbed]] = [{} for __ in range(n)]
        self._histograms: dict[int, list[list[Any]]] = {}

    def steps(self, members: Sequence[int], block: Block) -> None:
        steps = len(members) * len(block.sizes)
        self.counted += steps
        self._training.count(steps)

    def epoch(self, members: Sequence[int], number: int, figures: EpochFigures) -> None:
        self._epochs.append((self._population.step, tuple(members), figures))

    def between(self) -> None:
        self._rest()
        while self._control.wait_while_paused(PAUSED):
            pass
        if self._control.stopping:
            raise Stopped

    def _rest(self) -> None:
        """Leave the processor to a key that is being answered."""
        if self._control.resting:
            self._control.wait_while_resting()

    def look(self, *, last: bool = False) -> None:
        """At all members that are there."""
        population = self._population
        if not population.members:
            return
        probes = look_at_all(population.network, *population.probe_data(), population.step)
        for member, probed in zip(population.members, probes, strict=True):
            self._looks[member][population.step] = probed
        if last and self._training.keeps_curves:
            x, __ = population.probe_data()
            self._histograms = dict(zip(population.members, histograms(population.network, x, BINS), strict=True))

    def figures(self, data: Sequence[Dataset]) -> list[Figures]:
        """Of each member."""
        population = self._population
        histories: list[list[EpochEnded]] = [[] for __ in population.configs]
        for number, (step, members, figures) in enumerate(self._epochs, 1):
            for member, row in zip(members, np.stack(figures).T.tolist(), strict=True):
                train_loss, val_loss, train_metric, val_metric = row
                histories[member].append(EpochEnded(number, step, train_loss, val_loss, train_metric, val_metric, 0.0))
        return [self._of(member, histories[member], data[member]) for member in range(len(histories))]

    def _of(self, member: int, history: list[EpochEnded], data: Dataset) -> Figures:
        self._rest()
        population = self._population
        config, last = population.configs[member], history[-1]
        regression = config.task == "regression"
        variance = float(data.y_train.double().var(correction=0)) if regression else 1.0
        guess = summary.guess(config, variance, data.info.num_outputs)
        classes = 0 if regression else data.info.num_outputs
        ran_away = summary.has_run_away(last, population.first_loss[member], guess, classes)
        diverged = population.diverged(member) or ran_away
        looks = [probed for __, probed in sorted(self._looks[member].items())]
        broken = int(population.broken_step[member]) or None
        found = examine(looks, Epochs.of(history), config, plan=population.plan, diverged_at=broken)
        sick = [finding.rule for finding in found if finding.severity != "note"]
        said = {finding.rule: finding.what for finding in reversed(found)}
        rule = "divergence" if diverged else sick[0] if sick else None
        if not diverged:
            nothing = 0.0 if regression else 1 / data.info.num_outputs
            if last.val_metric >= 1 - ROOM:
                rule = None  # it has learned, whatever its layers look like
            elif rule is None and last.val_metric <= nothing + NEAR_GUESS * (1 - nothing):
                rule = "not-learning"
        layers = looks[-1].layers if len(looks) > 1 and not diverged else ()
        metric = "val_r2" if regression else "val_accuracy"
        return {
            metric: None if diverged else finite(last.val_metric),
            "val_loss": None if diverged else finite(last.val_loss),
            "train_loss": None if diverged else finite(last.train_loss),
            "dead": max((layer.dead for layer in layers if layer.dead is not None), default=None),
            "saturated": max((layer.saturated for layer in layers if layer.saturated is not None), default=None),
            "gradient-ratio": gradient_ratio(looks[-1]) if layers else None,
            "finding": rule,
            "status": "diverged" if diverged else "finished",
            **({SAID: said.get(rule) or _SAID.get(rule)} if rule is not None else {}),
            **self._training.curves(config, history),
            **({HISTOGRAMS: self._histograms[member]} if self._histograms.get(member) and not diverged else {}),
        }


_SAID = {
    "divergence": _("The loss has grown a hundredfold, and the network knows no more than a guess."),
    "not-learning": _("The network knows no more than a guess."),
}
