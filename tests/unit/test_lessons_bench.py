"""What a lesson's experiments are carried out with: data, devices, an end before the end."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from d2ltui.diagnosis import probes
from d2ltui.lessons import LESSONS, Bench, Lesson, LessonCancelled
from d2ltui.lessons.bench import Trained
from d2ltui.lessons.book import relu_fast, zero_centred
from d2ltui.lessons.book.yield_batches import yield_batches
from d2ltui.lessons.measured import Experiment, Measured
from d2ltui.nn import Network
from d2ltui.spec.events import LayersProbed, LayerStats

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


@pytest.fixture(autouse=True)
def _embedded_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("D2LTUI_DATA_DIR", raising=False)


def lesson(*experiments: Experiment, measure: object = None) -> Lesson:
    return Lesson("x", "", "", "", "", "", measure or (lambda bench: Measured([], "")), experiments)  # type: ignore[arg-type]


DATA = lesson(
    Experiment("real", {"model": "mlp", "dataset": "digits"}),
    Experiment("made", {"model": "mlp", "dataset": "moons"}),
)


def test_zero_centred_looks_at_a_network_where_the_network_is(monkeypatch: pytest.MonkeyPatch) -> None:
    moving = False
    layers, probe = Trained.layers, probes.probe

    def moved(run: Trained, x: Tensor, y: Tensor, units: bool = False) -> tuple[LayerStats, ...]:
        nonlocal moving
        moving = True
        try:
            return layers(run, x, y, units)
        finally:
            moving = False

    def only_moved(network: Network, x: Tensor, y: Tensor, **given: Any) -> LayersProbed:
        of_a_run = "step" in given  # the trainer's own look at the network
        assert moving or of_a_run, "the samples are where they were loaded, the network may be on an accelerator"
        return probe(network, x, y, **given)

    monkeypatch.setattr(Trained, "layers", moved)
    monkeypatch.setattr(probes, "probe", only_moved)
    claim = LESSONS["zero-centred"]
    given = {e.role: {"epochs": 1} for e in claim.experiments}
    assert zero_centred.zero_centred(Bench(claim, seeds=1, given=given)).figures


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU to train on")
@pytest.mark.parametrize("name", [name for name in LESSONS if LESSONS[name].experiments])
def test_every_lesson_can_be_measured_on_a_gpu(name: str) -> None:
    given = {e.role: {"epochs": 2, "device": "cuda"} for e in LESSONS[name].experiments}
    assert Bench(LESSONS[name], seeds=1, given=given).verdict().figures


def test_real_data_are_there_once_and_made_ones_for_each_seed() -> None:
    bench = Bench(DATA)
    real = [bench.data(bench.config("real", seed)) for seed in range(3)]
    assert real[0] is real[1] is real[2]
    made = [bench.data(bench.config("made", seed)) for seed in range(2)]
    assert not torch.equal(made[0].x_train, made[1].x_train)
    assert bench.data(bench.config("made", 0)) is made[0]


def test_a_run_leaves_nothing_that_only_the_collector_finds() -> None:
    """Of a GPU's memory, which may be short, Python's collector knows nothing."""
    given = {"model": "mlp", "dataset": "digits", "hidden": "8", "epochs": 1, "device": "cpu"}
    bench = Bench(lesson(Experiment("one", given)))
    gc.disable()
    try:
        trained = bench.train("one", 0, each_epoch=lambda network: None)
        network, data = weakref.ref(trained.network), weakref.ref(trained.data.x_train)
        bench._loaded.clear()
        del trained
        assert (network(), data()) == (None, None)
    finally:
        gc.enable()


@pytest.mark.parametrize("stopped", [False, True])
def test_no_data_are_kept_when_the_measurement_is_over(stopped: bool) -> None:
    def measure(bench: Bench) -> Measured:
        bench.data(bench.config("real"))
        assert bench._loaded
        if stopped:
            raise LessonCancelled
        return Measured([], "")

    bench = Bench(lesson(*DATA.experiments, measure=measure))
    if stopped:
        with pytest.raises(LessonCancelled):
            bench.verdict()
    else:
        bench.verdict()
    assert not bench._loaded


@pytest.mark.parametrize("missing", FILES)
def test_fashion_mnist_is_there_when_all_its_files_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for name in FILES:
        if name != missing:
            (raw / name).touch()
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / "cache" / name)
    bench = Bench(LESSONS["dropout"], data_dir=str(tmp_path))
    assert not bench.has_fashion_mnist
    (raw / missing).touch()
    assert bench.has_fashion_mnist
    assert not Bench(LESSONS["dropout"]).has_fashion_mnist
    (tmp_path / "cache" / "d2ltui").mkdir(parents=True)
    (tmp_path / "cache" / "d2ltui" / "data").symlink_to(tmp_path)
    assert Bench(LESSONS["dropout"]).has_fashion_mnist


@pytest.mark.parametrize(
    "name",
    [
        "yield",
        "relu-fast",
        "sigmoid-saturates",
        "softmax",
        "softmax-shift",
        "exploding",
        "minibatch-noise",
        "xavier",
        "depth-width",
    ],
)
def test_a_lesson_that_was_told_to_stop_does_not_begin(name: str) -> None:
    bench = Bench(LESSONS[name])
    bench.stop()
    with pytest.raises(LessonCancelled):
        bench.verdict()
    assert not bench.runs


def test_an_epoch_of_batches_is_not_waited_for() -> None:
    handed_out = 0

    def slowly(*_: object) -> object:
        nonlocal handed_out
        while True:
            handed_out += 1
            if handed_out == 3:
                bench.stop()
            yield torch.zeros(1, 64), torch.zeros(1, dtype=torch.int64)

    bench = Bench(LESSONS["yield"])
    with pytest.raises(LessonCancelled):
        yield_batches(bench, iterate=slowly)  # type: ignore[arg-type]
    assert handed_out == 3


def test_times_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relu_fast, "REPEATS", 1_000_000)
    bench = Bench(LESSONS["relu-fast"])
    timer = threading.Timer(0.2, bench.stop)
    timer.start()
    began, threads = time.monotonic(), torch.get_num_threads()
    with pytest.raises(LessonCancelled):
        bench.verdict()
    assert time.monotonic() - began < 20
    assert torch.get_num_threads() == threads


def test_experiments_with_other_data_get_other_data() -> None:
    bench = Bench(DATA)
    quiet, noisy = (bench.data(bench.config("made", 0, noise=noise)) for noise in (0.01, 0.4))
    assert not torch.equal(quiet.x_train, noisy.x_train)
