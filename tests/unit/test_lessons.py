"""Every claim holds as it is put, and fails when what it is about is exchanged."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import msgspec
import pytest
import torch
from torch import Tensor

from d2ltui.charts.canvas import Look
from d2ltui.charts.picture import draw_picture
from d2ltui.data.batches import data_iter
from d2ltui.lessons import (
    LESSONS,
    Bench,
    BenchRun,
    Figure,
    Lesson,
    LessonCancelled,
    LessonError,
    Verdict,
)
from d2ltui.lessons.book import cross_entropy, dead_relu, softmax, softmax_shift, vanishing
from d2ltui.lessons.book.yield_batches import yield_batches
from d2ltui.lessons.measured import Experiment, Measured, figure, shown
from d2ltui.nn import functional
from d2ltui.spec import catalogue
from d2ltui.spec.config import resolve
from d2ltui.spec.diagrams import Panels
from d2ltui.spec.similar import nearest
from tests.selection import long_unless

# Those that soon are measured: their claims are looked at each time.
SOON_MEASURED = (
    "four-elements", "half-loss", "yield", "learning-rate", "softmax", "softmax-shift", "sigmoid-saturates", "symmetry",
    "momentum",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _embedded_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("D2LTUI_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/no/cache")  # nor what a user may have there


def verdict(name: str, given: Mapping[str, Mapping[str, object]] | None = None, seeds: int = 1) -> Verdict:
    return Bench(LESSONS[name], seeds=seeds, given=given).verdict()


def broken(verdict: Verdict) -> list[str]:
    return [figure.what for figure in verdict.figures if not figure.holds]


@pytest.mark.parametrize("name", long_unless(SOON_MEASURED.__contains__, LESSONS))
def test_every_claim_holds(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vanishing, "DEPTHS", (2, 6, 10))
    bench = Bench(LESSONS[name], seeds=1)
    found = bench.verdict()
    assert broken(found) == []
    assert found.said, "a sentence for a student"
    assert 1 < len([figure for figure in found.figures if figure.plain]) < 4, "the two or three that matter"
    assert bench.total >= len(bench.runs)
    assert isinstance(bench.picture, Panels)
    drawn = draw_picture(bench.picture, 50, 10, Look(colours=False, ascii=True))
    assert all(text.isascii() for line in drawn for _, text in line)
    assert found.holds
    assert found.comment
    if name == "revive":
        assert "All 5 remedies help" in found.comment
    assert any(figure.band for figure in found.figures)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Verdict) == found


FEW_EPOCHS = {"epochs": 3}
SOON_SEEN = ("vanishing", "dead-relu", "revive", "zero-centred", "no-activation", "batch-size", "symmetry", "xavier")
EXCHANGES: list[tuple[str, dict[str, dict[str, object]], str]] = [
    ("four-elements", {"concise": {"implementation": "scratch"}}, "concise, 3 epochs"),
    ("four-elements", {"concise, half the rate": {"lr": 0.03}}, "half the rate"),
    ("no-activation", {"no activation": {"activation": "relu"}}, "one matrix"),
    ("no-activation", {"circles, ReLU": {"activation": "identity"}}, "circles with ReLU"),
    ("sigmoid-saturates", {"sigmoid": {"activation": "relu"}}, "slope at 0"),
    ("sigmoid-saturates", {"sigmoid": {"activation": "tanh"}}, "slope at 0"),
    ("vanishing", {"sigmoid": {"activation": "relu"}}, "sigmoid, 10 hidden layers"),
    ("vanishing", {"ReLU": {"activation": "sigmoid"}}, "ReLU, 10 hidden layers"),
    ("exploding", {"large weights": {"init": "xavier"}}, "diverge"),
    ("exploding", {"Xavier": {"init": "normal", "init_std": 1.0}}, "Xavier"),
    ("zero-centred", {"sigmoid": {"activation": "tanh"}}, "sigmoid: distance"),
    ("zero-centred", {"ReLU": {"activation": "tanh"}}, "ReLU: distance"),
    ("zero-centred", {"tanh": {"activation": "relu"}}, "tanh: distance"),
    ("relu-fast", {"sigmoid": {"activation": "relu"}}, "sigmoid's epochs"),
    ("dead-relu", {"a rate of 3": {"lr": 0.1}}, "a rate of 3: dead at the end"),
    ("dead-relu", {"a rate of 3": {"activation": "tanh"}}, "a rate of 3: dead at the end"),
    ("dead-relu", {"large weights": {"init": "kaiming"}}, "large weights, two hidden layers"),
    ("revive", {"large weights": {"init": "kaiming"}}, "large weights: accuracy"),
    ("revive", {"large weights, Xavier": {"init": "normal"}}, "large weights, Xavier: dead"),
    ("dropout", {"digits, with dropout": {"dropout": 0.0}}, "with dropout"),
    ("weight-decay", {"with decay": {"weight_decay": 0.0}}, "validation loss with"),
    ("learning-rate", {"too low": {"lr": 0.1}}, "a rate of 0.1"),
    ("learning-rate", {"about right": {"lr": 0.001}}, "a rate of 0.001"),
    ("learning-rate", {"too high": {"lr": 0.1}}, "the last loss"),
    ("batch-size", {"batches of 8": {"batch_size": 512}}, "the small batches are ahead"),
    ("batch-size", {"batches of 512": {"batch_size": 16}}, "change of the loss"),
    ("half-loss", {"without it": {"implementation": "scratch"}}, "first step"),
    ("half-loss", {"without it, half the rate": {"lr": 0.1}}, "half the rate"),
    ("symmetry", {"all alike": {"init": "xavier"}}, "all alike: different units"),
    ("symmetry", {"random": {"init": "zeros"}}, "random: different units"),
    ("xavier", {"Xavier": {"init": "normal", "init_std": 0.01}}, "Xavier: sd"),
    ("xavier", {"N(0, 1)": {"init": "xavier"}}, "N(0, 1): sd"),
    ("depth-width", {"3 layers": {"hidden": "128"}}, "three layers gain"),
    ("random-labels", {"random labels": {"hidden": "2"}}, "random labels: accuracy on the training part"),
    ("momentum", {"momentum": {"momentum": 0.0}}, "SGD's steps"),
    ("label-smoothing", {"smoothed labels": {"label_smoothing": 0.0}}, "smoothed labels: gap"),
    ("label-smoothing", {"smoothed labels": {"label_smoothing": 0.5}}, "smoothed labels: gap"),
    ("label-smoothing", {"labels as they are": {"label_smoothing": 0.1}}, "labels as they are: gap"),
]


@pytest.mark.parametrize(
    ("name", "given", "what"),
    long_unless(lambda exchange: exchange[0] in SOON_MEASURED, EXCHANGES),
    ids=[f"{name}-{next(iter(given))}" for name, given, _ in EXCHANGES],
)
def test_exchanging_the_subject_breaks_the_claim(
    name: str, given: dict[str, dict[str, object]], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What decides is soon to be seen: few depths, and few epochs.
    monkeypatch.setattr(vanishing, "DEPTHS", (2, 10))
    fields = FEW_EPOCHS if name in SOON_SEEN else {}
    changed = {e.role: {**fields, **given.get(e.role, {})} for e in LESSONS[name].experiments}
    found = verdict(name, changed)
    assert not found.holds
    assert any(what in figure for figure in broken(found)), broken(found)


def with_replacement(
    features: Tensor, labels: Tensor, batch_size: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    for _ in range(0, len(features), batch_size):
        index = torch.randint(len(features), (batch_size,), generator=generator)
        yield features[index], labels[index]


def always_the_same(
    features: Tensor, labels: Tensor, batch_size: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    return data_iter(features, labels, batch_size)


def copied(
    features: Tensor, labels: Tensor, batch_size: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    order = torch.randperm(len(features), generator=generator)
    yield from zip(features[order].split(batch_size), labels[order].split(batch_size), strict=True)


def mislabelled(
    features: Tensor, labels: Tensor, batch_size: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    for x, y in data_iter(features, labels, batch_size, generator):
        yield x, y.roll(1)


@pytest.mark.parametrize("iterate", [with_replacement, always_the_same, copied, mislabelled])
def test_another_generator_breaks_the_claim_of_yield(iterate: object) -> None:
    measured = yield_batches(Bench(LESSONS["yield"], seeds=1), iterate=iterate)  # type: ignore[arg-type]
    assert not all(figure.holds for figure in measured.figures)


@pytest.mark.parametrize("function", [torch.sigmoid, lambda x: x, lambda x: functional.softmax(-x), torch.log_softmax])
def test_another_function_breaks_the_claims_of_softmax(function: object) -> None:
    if function is torch.log_softmax:
        function = partial(torch.log_softmax, dim=1)
    measured = softmax.softmax(Bench(LESSONS["softmax"], seeds=1), function=function)  # type: ignore[arg-type]
    assert not all(figure.holds for figure in measured.figures)


def test_an_unstable_softmax_breaks_the_claim_of_the_shift() -> None:
    bench = Bench(LESSONS["softmax-shift"], seeds=1)
    unstable = softmax_shift.softmax_shift(bench, shifted=functional.naive_softmax)
    stable = softmax_shift.softmax_shift(bench, naive=functional.softmax)
    not_invariant = softmax_shift.softmax_shift(bench, naive=torch.sigmoid)
    assert not any(all(figure.holds for figure in found.figures) for found in (unstable, stable, not_invariant))


def test_the_same_loss_twice_breaks_the_claim_of_cross_entropy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cross_entropy, "MLP_RATES", (0.1,))
    given = {role: {"epochs": 2} for role in ("softmax regression", "multilayer perceptron")}
    bench = Bench(LESSONS["cross-entropy"], seeds=1, given=given)
    measured = cross_entropy.cross_entropy(bench, other=torch.nn.functional.cross_entropy)
    failed = {figure.what for figure in measured.figures if not figure.holds}
    assert {"cross-entropy's gain", "of 3 rates, those at which squared error diverges"} <= failed


def test_equal_functions_take_equal_time() -> None:
    lesson = LESSONS["relu-fast"]
    bench = Bench(lesson, seeds=1, given={e.role: {"epochs": 1} for e in lesson.experiments})
    same = dict.fromkeys(("ReLU", "sigmoid", "tanh"), torch.relu)
    from d2ltui.lessons.book.relu_fast import relu_fast

    measured = {figure.what: figure.value for figure in relu_fast(bench, functions=same).figures}
    # tanh itself takes about ten times as long.
    assert (measured["time for tanh's outputs, ReLU's being 1"] or 0) < 3


def test_the_squared_error_is_that_of_one_hot_labels() -> None:
    raw = torch.tensor([[1.0, 0.0, 0.0], [3.0, 0.0, 0.0]])
    assert float(cross_entropy.squared_error(raw, torch.tensor([0, 0]))) == pytest.approx((0 + 4) / 4)


def test_dead_units_are_followed_one_by_one() -> None:
    deaths = dead_relu.Deaths([{1}, {1, 2}, {2, 3}, {2, 3, 4}], 8, 0.5)
    assert (deaths.died, deaths.revived) == ({1, 2, 3, 4}, {1})
    again = dead_relu.Deaths([set(), {1}, set(), {1}, set()], 8, 0.5)
    assert (again.died, again.revived) == ({1}, {1}), "a unit that comes back twice is one unit"
    assert deaths.share == 3 / 8


def test_every_lesson_is_complete() -> None:
    assert list(LESSONS) == [
        "four-elements",
        "half-loss",
        "batch-size",
        "minibatch-noise",
        "yield",
        "learning-rate",
        "data-size",
        "weight-decay",
        "softmax",
        "cross-entropy",
        "label-smoothing",
        "softmax-shift",
        "no-activation",
        "depth-width",
        "relu-fast",
        "sigmoid-saturates",
        "zero-centred",
        "vanishing",
        "exploding",
        "symmetry",
        "dead-relu",
        "revive",
        "xavier",
        "random-labels",
        "early-stopping",
        "dropout",
        "momentum",
    ]
    for lesson in LESSONS.values():
        assert all(
            (lesson.title, lesson.section, lesson.claim, lesson.formula, lesson.text, lesson.see, lesson.example)
        )
        code = [line for line in lesson.text.splitlines() if line.startswith("    ")]
        lines = [*lesson.formula.splitlines(), *lesson.example.splitlines(), *code]
        assert [line for line in lines if len(line) > 50] == [], "it would be wrapped in the middle"
        for trial in lesson.trials:
            assert resolve(lesson.fields_to_try(trial)), "as the shell takes it"
        bench = Bench(lesson)
        for experiment in lesson.experiments:
            if catalogue.DATASETS[bench.config(experiment.role).dataset].embedded:
                assert bench.config(experiment.role, 1, epochs=2).seed == 1


def test_nothing_is_imported_before_something_is_measured() -> None:
    code = (
        "import sys; from d2ltui.lessons import LESSONS; import d2ltui.cli.lessons; "
        "print([m for m in ('torch', 'sklearn', 'textual') if m in sys.modules], len(LESSONS))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[] 27"


@pytest.mark.parametrize(
    ("name", "meant"), [("vanish", "vanishing"), ("Dropout", "dropout"), ("xyz", None), ("al", "all")]
)
def test_the_nearest_name(name: str, meant: str | None) -> None:
    assert nearest(name, [*LESSONS, "all"]) == meant


@pytest.mark.parametrize(
    ("value", "low", "high", "holds"),
    [(1, None, None, True), (1, 1, 1, True), (1, 2, None, False), (3, None, 2, False), (float("nan"), 0, 1, False)],
)
def test_figures_and_their_bands(value: float, low: float | None, high: float | None, holds: bool) -> None:
    assert figure("x", value, low, high).holds == holds
    assert Figure("x", None).holds


def test_numbers_are_shown_short() -> None:
    assert [shown(v) for v in (None, 0, 1, 0.25, 12345.678, 7.3e-7, 1.1e5)] == [
        "not finite", "0", "1", "0.25", "12,346", "7.3e-7", "110,000",
    ]  # fmt: skip


def test_runs_can_be_watched_and_stopped() -> None:
    seen: list[BenchRun] = []
    bench: Bench

    def watch(run: BenchRun) -> None:
        seen.append(run)
        if len(seen) == 2:
            bench.stop()

    bench = Bench(LESSONS["dead-relu"], on_run=watch)
    thread_error: list[BaseException] = []

    def measure() -> None:
        try:
            bench.verdict()
        except LessonCancelled as error:
            thread_error.append(error)

    thread = threading.Thread(target=measure)
    thread.start()
    thread.join(60)
    assert len(thread_error) == 1
    assert seen == bench.runs
    assert len(seen) == 2
    assert seen[0].live.status == "finished"
    assert seen[0].role == "a rate of 3"


def test_a_run_that_fails_is_no_measurement() -> None:
    def measure(bench: Bench) -> Measured:
        bench.train("elsewhere")
        return Measured([], "")

    lesson = Lesson(
        "x", "", "", "", "", "", measure, (Experiment("elsewhere", {"dataset": "moons", "device": "cuda:99"}),)
    )
    with pytest.raises(LessonError, match="device"):
        Bench(lesson).verdict()


def test_lessons_use_fashion_mnist_where_it_is(data_dir: Path) -> None:
    assert Bench(LESSONS["dropout"], data_dir=str(data_dir)).has_fashion_mnist
    assert not Bench(LESSONS["dropout"]).has_fashion_mnist
    assert not Bench(LESSONS["dropout"], data_dir=str(data_dir / "nowhere")).has_fashion_mnist
