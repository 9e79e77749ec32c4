"""What lessons measure that no field of an experiment can exchange: other functions break the claim."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, Tensor

from d2ltui.data import Dataset
from d2ltui.lessons import LESSONS, Bench
from d2ltui.lessons.altered_data import first_samples, with_random_labels, with_training_part, with_wrong_labels
from d2ltui.lessons.book import data_size, early_stopping, minibatch_noise, momentum, random_labels, symmetry
from d2ltui.lessons.bowl import Bowl
from d2ltui.lessons.measured import Measured


@pytest.fixture(autouse=True)
def _embedded_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("D2LTUI_DATA_DIR", raising=False)


def bench(name: str, **fields: object) -> Bench:
    return Bench(LESSONS[name], seeds=1, given={e.role: fields for e in LESSONS[name].experiments})


def broken(measured: Measured) -> list[str]:
    return [figure.what for figure in measured.figures if not figure.holds]


def of_one_class(data: Dataset, size: int, generator: Generator) -> Tensor:
    """Batches that are no fair sample: more of the same does not bring them nearer to all."""
    of_it = (data.y_train == 3).nonzero()[:, 0]
    return of_it[torch.randperm(len(of_it), generator=generator)[:size]]


def test_batches_of_one_class_do_not_come_nearer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minibatch_noise, "BATCHES", 8)
    found = minibatch_noise.minibatch_noise(bench("minibatch-noise", epochs=1), draw=of_one_class)
    assert len(broken(found)) == 3


def test_noise_that_falls_by_another_power_is_told_from_the_law() -> None:
    sizes = minibatch_noise.SIZES
    for power in (-0.5, -1.0, 0.0):
        assert minibatch_noise._power({n: 7.0 * n**power for n in sizes}) == pytest.approx(power)


def copies(data: Dataset, count: int) -> Dataset:
    """As many samples, of which none is new."""
    few = torch.arange(count) % data_size.SIZES[0]
    return with_training_part(data, data.x_train[few], data.y_train[few])


def test_copies_are_no_further_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_size, "STEPS", 60)
    found = data_size.data_size(bench("data-size"), choose=copies)
    assert any("the gap with" in what for what in broken(found))
    assert "1,437 samples: accuracy on new ones" in broken(found)


def test_where_all_labels_are_right_nothing_is_lost_by_going_on() -> None:
    found = early_stopping.early_stopping(bench("early-stopping", epochs=30), wrong=0.0)
    assert any("lost by going on" in what for what in broken(found))


def test_true_labels_are_not_learned_by_heart_alone() -> None:
    found = random_labels.random_labels(bench("random-labels", epochs=10), relabel=lambda data, seed: data)
    assert "random labels: accuracy on new samples" in broken(found)


def test_samples_and_labels_are_altered_as_said() -> None:
    config = bench("early-stopping").config("network")
    data = Bench(LESSONS["early-stopping"]).data(config)
    few = first_samples(data, 200)
    assert (few.info.train_size, len(few.x_train), len(few.x_val)) == (200, 200, len(data.x_val))
    wrong = with_wrong_labels(few, 0.3, seed=1)
    assert int((wrong.y_train != few.y_train).sum()) == 60
    assert torch.equal(wrong.x_train, few.x_train)
    assert int((few.y_train != data.y_train[:200]).sum()) == 0, "the data that were loaded stay as they are"
    random = with_random_labels(few, seed=1)
    assert 0.02 < float((random.y_train == few.y_train).double().mean()) < 0.25
    assert set(random.y_train.tolist()) == set(range(10))


def test_the_bottom_of_the_bowl_is_where_the_data_come_from() -> None:
    lesson = bench("momentum")
    data = momentum._valley(lesson.data(lesson.config("SGD")))
    bowl = Bowl(data)
    assert bowl.goal == pytest.approx((2.0, -3.4), abs=1e-4)
    loss = bowl.picture((1.0, 3.0), (-4.4, -2.4))
    assert divmod(int(loss.argmin()), loss.shape[1])[1] == pytest.approx(loss.shape[1] / 2, abs=1)
    assert loss.min() == pytest.approx(0, abs=1e-3)


def test_a_path_that_leaves_the_bottom_again_has_not_arrived() -> None:
    lesson = bench("momentum")
    bowl = Bowl(momentum._valley(lesson.data(lesson.config("SGD"))))
    start, goal = (0.0, 0.0), bowl.goal
    assert momentum._steps(bowl, [start, start, goal, goal]) == 2
    assert momentum._steps(bowl, [start, goal, start, goal]) == 3
    assert momentum._steps(bowl, [start, start]) == 2, "one more than there were"
    assert momentum._steps(bowl, [start, (float("nan"), 0.0)]) == 2


def test_units_that_are_alike_are_counted_once() -> None:
    unit, other = torch.tensor([3.0, 4.0]), torch.tensor([4.0, 3.0])
    assert symmetry._different(torch.stack([unit, unit + 1e-4, other, unit])) == 2
    assert symmetry._different(torch.zeros(4, 2)) == 1
