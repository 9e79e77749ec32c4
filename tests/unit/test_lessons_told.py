"""What figures and sentences of lessons say of their runs: which diverged, which are drawn, which count."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from d2ltui.charts.canvas import Look
from d2ltui.charts.picture import draw_picture
from d2ltui.data.batches import data_iter
from d2ltui.lessons import LESSONS, Bench
from d2ltui.lessons.bench import accuracy_figure, outcome
from d2ltui.lessons.book import minibatch_noise, yield_batches
from d2ltui.lessons.loss_gap import gap_picture
from d2ltui.spec.diagrams import Bars, Panel, Panels


class Run(NamedTuple):
    accuracy: float
    diverged: bool = False


RIGHT, WRONG = Run(0.9), Run(0.0, True)


def test_runs_that_diverged_are_told_as_such() -> None:
    assert accuracy_figure("a", [RIGHT, RIGHT], low=0.8).what == "a"
    found = accuracy_figure("a", [RIGHT, WRONG, WRONG], high=0.4)
    assert found.holds
    assert found.value == pytest.approx(0.3)
    assert found.line == "a: 0.9 where it did not diverge, as it did 2 of 3 times (claimed: at most 0.4)"
    none = accuracy_figure("a", [WRONG, WRONG], high=0.4)
    assert none.holds
    assert none.told == "none, for it diverged"
    assert found.holds
    assert outcome([RIGHT, RIGHT]) == "right on 90 %"
    assert outcome([WRONG, WRONG]) == "it diverged"
    assert outcome([RIGHT, WRONG, RIGHT]) == "right on 90 % where it did not diverge, as it did 1 of 3 times"


def test_the_figure_says_of_which_seed_it_is_and_how_seeds_are_judged() -> None:
    bench = Bench(LESSONS["half-loss"])
    bench.show(Panels((Panel("one", Bars(("a",), (1.0,))),)), seed=0)
    assert bench.drawn_in_words == "drawn: seed 0; the verdict: mean of 3 seeds"
    bench.judge_by_worst()
    assert bench.drawn_in_words == "drawn: seed 0; the verdict: worst of 3 seeds"
    assert Bench(LESSONS["half-loss"], seeds=1).drawn_in_words == ""


def drawn(picture: Panels, width: int, height: int) -> list[str]:
    return ["".join(text for _, text in line) for line in draw_picture(picture, width, height, Look(colours=False))]


@pytest.mark.parametrize(("width", "height"), [(46, 7), (46, 10), (76, 10), (120, 40)])
def test_the_order_of_samples_can_be_read_in_any_room(width: int, height: int) -> None:
    lines = drawn(yield_batches._picture(Bench(LESSONS["yield"]), data_iter), width, height)
    assert lines[0] == "10 of 10 samples come once in each epoch"
    epochs = [line.partition("  ")[2] for line in lines if line.startswith("epoch ")]
    orders = ["".join(c for c in epoch if c.isdigit()) for epoch in epochs]
    assert [sorted(order) for order in orders] == [list("0123456789")] * 3
    assert len(set(orders)) == 3
    assert all(epoch.count("[") == epoch.count("]") == 5 for epoch in epochs)


def test_a_sample_that_comes_twice_is_not_called_once() -> None:
    def twice(features: object, labels: object, batch_size: int, generator: object):  # type: ignore[no-untyped-def]
        yield features[:2], labels[:2]  # type: ignore[index]
        yield from data_iter(features, labels, batch_size)  # type: ignore[arg-type]

    lines = drawn(yield_batches._picture(Bench(LESSONS["yield"]), twice), 60, 10)
    assert lines[0] == "8 of 10 samples come once in each epoch"


@pytest.mark.parametrize("width", [46, 76, 110])
def test_the_cloud_of_gradients_has_names_for_its_axes_and_a_whole_legend(width: int) -> None:
    cloud = ([0.5, 1.5], [0.5, -0.5])
    falls = {"at the start": {1: 8.0, 128: 0.7}, "after training": {1: 9.0, 128: 0.8}}
    lines = drawn(minibatch_noise._picture(falls, dict.fromkeys((1, 8, 64), cloud), 2410), width, 10)
    text = " ".join(lines)
    for said in ("→ along X  ↑ across X", "X all", "# 64", "o 8", ". 1", "─s─ start", "─t─ trained"):
        assert said in text, said
    assert text.count("|X| = 1") == 2, "in which unit both are"


def test_what_is_drawn_and_what_is_told_are_the_same_numbers() -> None:
    bench = Bench(LESSONS["sigmoid-saturates"], seeds=3)
    said = bench.verdict().said
    assert isinstance(bench.picture, Panels)
    small, large = (panel.title.split(": ")[1].split(" sat")[0] for panel in bench.picture.panels)
    assert f"(sd 0.1) {small} of" in said
    assert f"(sd 5) {large}:" in said


def test_a_gap_is_the_mean_of_all_runs() -> None:
    runs = {"without": [[(1.0, 1.0), (0.0, 4.0)], [(1.0, 1.0), (0.0, 2.0)]], "with": [[(1.0, 1.0), (0.5, 1.0)]]}
    lines, bars = (panel.picture for panel in gap_picture(runs, {"with": "with it"}).panels)
    assert [curve.y for curve in lines.curves] == [[0.0, 3.0], [0.0, 0.5]]
    assert (bars.labels, bars.values) == (("without", "with it"), (3.0, 0.5))
