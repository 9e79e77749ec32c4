"""Where experiments are carried out: every training is one run of the engine's Trainer.

The module is cheap to import; PyTorch comes with the first run.
"""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from d2ltui.engine.control import Control
from d2ltui.history.live import LiveRun
from d2ltui.lessons.measured import Experiment, Figure, LessonCancelled, LessonError, Measured, Verdict, figure, shown
from d2ltui.lessons.recorder import RecordedRun, RunRecorder
from d2ltui.spec import catalogue, events
from d2ltui.spec.config import RunConfig, data_key, resolve
from d2ltui.spec.dataset_source import SYNTHETIC
from d2ltui.spec.language import _
from d2ltui.spec.numbers import whole_percent

if TYPE_CHECKING:
    from torch import Tensor

    from d2ltui.data import Dataset
    from d2ltui.nn import Network
    from d2ltui.spec.diagrams import Diagram

SEEDS = 3
_FASHION_MNIST = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


class Claim(Protocol):
    """What a bench needs of a lesson."""

    @property
    def name(self) -> str:
        """The lesson's."""

    @property
    def claim(self) -> str:
        """What it says, in a sentence."""

    @property
    def experiments(self) -> tuple[Experiment, ...]:
        """The runs that test it."""

    @property
    def measure(self) -> Callable[[Bench], Measured]:
        """Carries them out."""


class BenchRun(NamedTuple):
    """A run of an experiment, as an interface shows it: `live` grows while it is trained."""

    role: str
    seed: int
    live: LiveRun


class Trained(NamedTuple):
    """A run that has ended: what is known of it, its network, the data that it saw."""

    live: LiveRun
    network: Network
    data: Dataset

    @property
    def accuracy(self) -> float:
        """The validation part's accuracy (or R²) after the last epoch; 0 for a run that has not finished one."""
        finished = self.live.status == "finished" and self.live.epochs
        return self.live.epochs[-1].val_metric if finished else 0.0

    @property
    def diverged(self) -> bool:
        """Whether its loss was no number any more."""
        return self.live.status == "diverged"

    def outputs(self, x: Tensor) -> Tensor:
        """The network's outputs for x (n, num_inputs), in evaluation mode, on the CPU."""
        import torch

        self.network.train(False)
        with torch.no_grad():
            output: Tensor = self.network(x.to(next(self.network.parameters()).device))
            return output.cpu()

    def losses(self) -> tuple[float, float]:
        """The mean loss of the training and of the validation part, both without dropout and without a penalty."""
        pairs = ((self.data.x_train, self.data.y_train), (self.data.x_val, self.data.y_val))
        train, val = (float(self.network.loss(self.outputs(x), y)) for x, y in pairs)
        return train, val

    def layers(self, x: Tensor, y: Tensor, units: bool = False) -> tuple[events.LayerStats, ...]:
        """Every layer's figures on the samples x, y."""
        from d2ltui.diagnosis.probes import probe

        device = next(self.network.parameters()).device
        return probe(self.network, x.to(device), y.to(device), units=units).layers


class Bench:
    """Carries out one lesson's experiments.

    Args:
        lesson: whose experiments.
        seeds: how often, where chance matters.
        data_dir: torchvision's root; None for the environment's D2LTUI_DATA_DIR.
        given: other fields for an experiment, by its role: what the claim is about can be exchanged.
        on_run: told of each run when it begins, in the thread that measures.
        recorder: who stores the runs; None where nobody does.

    `runs` are the runs so far, for whoever draws them, and `picture` is what there is to see of them by now, one of
    `spec.diagrams` or None; `drawn_seed` is the seed of the runs that it shows, None where it shows all. `total` is how
    many runs there will be, as far as that is known. `stop()` may be called from any thread.
    """

    def __init__(
        self,
        lesson: Claim,
        *,
        seeds: int = SEEDS,
        data_dir: str | None = None,
        given: Mapping[str, Mapping[str, object]] | None = None,
        on_run: Callable[[BenchRun], None] | None = None,
        recorder: RunRecorder | None = None,
    ) -> None:
        self.lesson = lesson
        self.seeds = range(seeds)
        self.runs: list[BenchRun] = []
        self._data_dir = data_dir or os.environ.get("D2LTUI_DATA_DIR") or None
        self._on_run = on_run
        self._recorder = recorder
        self._experiments = {e.role: {**e.given, **(given or {}).get(e.role, {})} for e in lesson.experiments}
        self._control = Control()
        self._stopping = False
        self.picture: Diagram | None = None
        self.drawn_seed: int | None = None
        self._by_worst = False
        self.total = seeds * len(self._experiments)
        self._loaded: dict[tuple[object, ...], Dataset] = {}

    def verdict(self) -> Verdict:
        """Measure, and judge.

        Raises:
            LessonError: where an experiment cannot be carried out.
            LessonCancelled: soon after `stop()`.
        """
        began = time.perf_counter()
        seconds: float | None = None
        try:
            measured = self.lesson.measure(self)
            seconds = time.perf_counter() - began
        finally:
            self._loaded.clear()  # whoever shows the verdict keeps the bench, and data can be large
            if self._recorder is not None:
                self._recorder.close(finished=seconds is not None)
        return Verdict(
            name=self.lesson.name,
            claim=self.lesson.claim,
            holds=all(figure.holds for figure in measured.figures),
            figures=tuple(measured.figures),
            comment=measured.comment,
            seeds=len(self.seeds),
            seconds=round(seconds, 2),
            said=measured.said,
        )

    def show(self, picture: Diagram, seed: int | None = None) -> None:
        """What there is to see by now, in the place of what there was; of which `seed`, where it is of one alone."""
        self.picture, self.drawn_seed = picture, seed

    @property
    def drawn_in_words(self) -> str:
        """Which run there is to see, where the verdict is about several; or ""."""
        if self.drawn_seed is None or len(self.seeds) < 2:
            return ""
        if self._by_worst:
            said = _("drawn: seed {seed}; the verdict: worst of {seeds} seeds")
        else:
            said = _("drawn: seed {seed}; the verdict: mean of {seeds} seeds")
        return said.format(seed=self.drawn_seed, seeds=len(self.seeds))

    def judge_by_worst(self) -> None:
        """The figures are those of the seed that speaks most against the claim, not means."""
        self._by_worst = True

    def expect(self, runs: int) -> None:
        """How many runs there will be, where each experiment is not carried out once for each seed."""
        self.total = runs

    def stop(self) -> None:
        """End the measurement after the current step."""
        self._stopping = True
        self._control.stop()

    def rest(self, seconds: float) -> None:
        """Leave the processor to the caller for a moment: see `Control.rest`."""
        self._control.rest(seconds)

    def end_rest(self) -> None:
        """Go on: the processor is no longer needed."""
        self._control.end_rest()

    def go_on(self) -> None:
        """To be called between pieces of work that are no training.

        Raises:
            LessonCancelled: after `stop()`.
        """
        if self._stopping:
            raise LessonCancelled

    @property
    def has_fashion_mnist(self) -> bool:
        """Whether Fashion-MNIST is there already, whole: a lesson downloads nothing."""
        from d2ltui.data import DataError
        from d2ltui.data.vision import data_root

        try:
            raw = data_root(self._data_dir) / "FashionMNIST" / "raw"
        except DataError:
            return False
        return all(os.path.exists(raw / name) for name in _FASHION_MNIST)

    def config(self, role: str, seed: int = 0, **given: object) -> RunConfig:
        """The RunConfig of the experiment with this role."""
        fields: dict[str, object] = {"seed": seed, **self._experiments[role], **given}
        if fields.get("dataset") in ("mnist", "fashion-mnist"):
            fields["data_dir"] = self._data_dir
        # An experiment that takes another's weights differently leaves their sd without a use.
        return resolve(fields, unused=True)

    def data(self, config: RunConfig) -> Dataset:
        """The data set of `config`, loaded once, or once for each seed where the seed makes it.

        Raises:
            LessonError: where it cannot be had.
            LessonCancelled: after `stop()`.
        """
        from d2ltui.data import DataError, LoadCancelled, load

        self.go_on()
        made = catalogue.DATASETS[config.dataset].origin == SYNTHETIC
        key = data_key(config if made else msgspec.structs.replace(config, seed=0))
        if key not in self._loaded:
            try:
                self._loaded[key] = load(config, cancelled=lambda: self._stopping)
            except DataError as error:
                raise LessonError(str(error)) from error
            except LoadCancelled:
                raise LessonCancelled from None
        return self._loaded[key]

    def train(
        self,
        role: str,
        seed: int = 0,
        *,
        label: str | None = None,
        dataset: Dataset | None = None,
        loss: Callable[[Tensor, Tensor], Tensor] | None = None,
        each_epoch: Callable[[Network], None] | None = None,
        changed: Mapping[str, object] | None = None,
        **given: object,
    ) -> Trained:
        """Train the experiment with this role, on `dataset` or what it names, with `loss` or the model's own.

        `each_epoch(network)` is called before the first step and after each epoch. `given` are further fields of its
        RunConfig, and `label` says so to who looks on. `changed` says in what else the run is not what its RunConfig
        describes, by name and value; of `dataset` and `loss` that is known.

        Raises:
            LessonError: where the run fails. One that diverges is a result.
            LessonCancelled: soon after `stop()`.
        """
        from d2ltui.engine.trainer import Trainer

        config = self.config(role, seed, **given)
        data = dataset if dataset is not None else self.data(config)
        live = LiveRun(config)
        trainers: list[Trainer] = []

        def follow(event: events.Event) -> None:
            match event:
                case events.RunStarted():
                    if loss is not None:
                        trainers[0].network.loss = loss
                    if each_epoch is not None:
                        each_epoch(trainers[0].network)
                case events.EpochEnded() if each_epoch is not None:
                    each_epoch(trainers[0].network)

        self._control = Control()
        self.go_on()
        run = BenchRun(label or role, seed, live)
        self.runs.append(run)
        if self._on_run is not None:
            self._on_run(run)
        sinks: list[events.Sink] = [live, follow]
        keeper = None
        if self._recorder is not None:
            own = None if any(dataset is known for known in self._loaded.values()) else dataset
            differs = {**_changes(own, loss), **(changed or {})}
            steps = math.ceil(len(data.x_train) / config.batch_size)
            recorded = RecordedRun(config, role, run.role, len(self.runs), self.total, steps, differs)
            sink, keeper = self._recorder.begin(recorded, self._control)
            sinks.append(sink)
        trainers.append(Trainer(config, self._control, sinks, dataset=data, sample_every=None, keeper=keeper))
        try:
            ended = trainers[0].run()
            self.go_on()
            if ended.status == "failed":
                raise LessonError(f"{run.role}: {ended.message}")
            return Trained(live, trainers[0].network, data)
        finally:
            # It holds `follow`, which holds it: data and network would stay until Python looks for such circles, which
            # it does not when a GPU's memory is short.
            trainers.clear()
            if self._recorder is not None:
                self._recorder.end()


def _changes(dataset: Dataset | None, loss: object) -> dict[str, object]:
    """In what a run with its own data or its own loss is not what its RunConfig describes."""
    found: dict[str, object] = {}
    if dataset is not None:
        found["training_samples"] = len(dataset.x_train)
    if loss is not None:
        found["loss"] = getattr(loss, "__name__", type(loss).__name__)
    return found


class Ended(Protocol):
    """What is to be known of a run for its accuracy."""

    @property
    def accuracy(self) -> float:
        """The last one; 0 where it has none."""

    @property
    def diverged(self) -> bool:
        """Whether its loss was no number any more."""


def accuracy_figure(
    what: str, runs: Sequence[Ended], low: float | None = None, high: float | None = None, plain: str = ""
) -> Figure:
    """The mean accuracy of `runs`; of those that have diverged, and so have none, that is told in its place.

    Judged they are as if it was 0: a network that gives nan is right on nothing.
    """
    diverged = sum(run.diverged for run in runs)
    if not diverged:
        said = ""
    elif diverged == len(runs):
        said = _("none, for it diverged")
    else:
        said = _("{value} where it did not diverge, as it did {diverged} of {runs} times").format(
            value=shown(mean(run.accuracy for run in runs if not run.diverged)), diverged=diverged, runs=len(runs)
        )
    return figure(what, mean(run.accuracy for run in runs), low, high, plain=plain, instead=said)


def outcome(runs: Sequence[Ended]) -> str:
    """What has come of `runs`, in words: `right on 91 %`, or that they diverged."""
    diverged = sum(run.diverged for run in runs)
    if diverged == len(runs):
        return _("it diverged")
    right = _("right on {share}").format(share=whole_percent(mean(run.accuracy for run in runs if not run.diverged)))
    if not diverged:
        return right
    return _("{right} where it did not diverge, as it did {diverged} of {runs} times").format(
        right=right, diverged=diverged, runs=len(runs)
    )


def mean(values: Iterable[float]) -> float:
    """The mean; the seeds' figures are told by it."""
    return statistics.fmean(values)
