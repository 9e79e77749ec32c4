"""Blocks of losses and metrics against plain computation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, r2_score

from d2ltui.engine.metrics import MAX_STEPS, MAX_VALUES, StepMetrics, scores


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=12), seed=st.integers(0, 99))
def test_accuracy_of_each_step(sizes: list[int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    recorder, expected = StepMetrics("classification", 1.0), []
    for i, n in enumerate(sizes):
        output = torch.randn(n, 3, generator=generator)
        labels = torch.randint(3, (n,), generator=generator)
        recorder.add(torch.tensor(float(i)), output, labels)
        expected.append(accuracy_score(labels.numpy(), output.argmax(1).numpy()))
    assert len(recorder) == len(sizes)
    losses, metrics, counts = recorder.take()
    assert losses.tolist() == list(range(len(sizes)))
    np.testing.assert_allclose(metrics, expected, rtol=1e-6)
    assert counts.tolist() == sizes
    assert losses.dtype == metrics.dtype == np.float32


@given(sizes=st.lists(st.integers(2, 9), min_size=1, max_size=12), seed=st.integers(0, 99))
def test_r2_of_each_step_weighs_its_squares_by_the_training_variance(sizes: list[int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    outputs, labels = (torch.randn(sum(sizes), 1, generator=generator) for _ in range(2))
    variance = float(labels.double().var(correction=0))
    recorder = StepMetrics("regression", variance)
    for output, label in zip(torch.split(outputs, sizes), torch.split(labels, sizes), strict=True):
        recorder.add(torch.tensor(0.0), output, label)
    _, metrics, counts = recorder.take()
    # Weighted by their samples, the batches' figures give the whole's.
    whole = r2_score(labels.numpy(), outputs.numpy())
    assert np.average(metrics, weights=counts) == pytest.approx(whole, rel=1e-4, abs=1e-4)


def test_taking_empties() -> None:
    recorder = StepMetrics("classification", 1.0)
    recorder.add(torch.tensor(1.0), torch.zeros(2, 2), torch.zeros(2, dtype=torch.int64))
    recorder.take()
    assert len(recorder) == 0
    losses, metrics, sizes = recorder.take()
    assert len(losses) == len(metrics) == len(sizes) == 0


def test_a_loss_that_is_not_finite_is_handed_on() -> None:
    recorder = StepMetrics("regression", 1.0)
    for loss in (1.0, float("inf"), float("nan")):
        recorder.add(torch.tensor(loss), torch.full((2, 1), 1e30), torch.zeros(2, 1))
    losses, metrics, _ = recorder.take()
    assert np.isfinite(losses).tolist() == [True, False, False]
    assert (metrics == -np.inf).all()


def test_capacity_is_bounded_in_steps_and_in_memory() -> None:
    recorder = StepMetrics("classification", 1.0)
    assert recorder.capacity(32, 10) == MAX_STEPS
    assert recorder.capacity(60_000, 10) == MAX_VALUES // 600_000
    assert recorder.capacity(MAX_VALUES, 10) == 1


def test_scores() -> None:
    output = torch.tensor([[1.0, 2.0], [3.0, 0.0]])
    assert scores("classification", output, torch.tensor([1, 1])).tolist() == [True, False]
    assert scores("regression", torch.tensor([[1.0], [3.0]]), torch.tensor([[0.0], [1.0]])).tolist() == [1.0, 4.0]
