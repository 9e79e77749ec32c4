"""The generator of batches: every sample once, whatever the sizes, bit by bit what plain indexing gives."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from d2ltui.data import batches
from d2ltui.data.batches import data_iter

sizes = st.tuples(st.integers(1, 300), st.integers(1, 70), st.integers(1, 5))


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def samples(n: int, d: int) -> tuple[Tensor, Tensor]:
    return torch.arange(n * d, dtype=torch.float32).reshape(n, d), torch.arange(n)


@given(sizes, st.integers(0, 2**31 - 1), st.integers(1, 3000), st.integers(1, 9))
def test_batches_are_those_of_plain_indexing(
    shape: tuple[int, int, int], seed: int, block_bytes: int, block_batches: int
) -> None:
    n, batch_size, d = shape
    x, y = samples(n, d)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "BLOCK_BYTES_CPU", block_bytes)
        patch.setattr(batches, "BLOCK_BATCHES", block_batches)
        got = list(data_iter(x, y, batch_size, seeded(seed)))
    order = torch.randperm(n, generator=seeded(seed))
    expected = order.split(batch_size)
    assert len(got) == len(expected) == math.ceil(n / batch_size)
    for (features, labels), indices in zip(got, expected, strict=True):
        assert torch.equal(features, x[indices])
        assert torch.equal(labels, y[indices])
    assert torch.cat([labels for _, labels in got]).sort().values.tolist() == list(range(n))


@given(sizes, st.integers(0, 80), st.integers(1, 3000))
def test_starting_late_gives_the_rest_of_the_same_epoch(
    shape: tuple[int, int, int], start: int, block_bytes: int
) -> None:
    n, batch_size, d = shape
    x, y = samples(n, d)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "BLOCK_BYTES_CPU", block_bytes)
        whole = list(data_iter(x, y, batch_size, seeded(1)))
        rest = list(data_iter(x, y, batch_size, seeded(1), start=start))
    assert len(rest) == max(0, len(whole) - start)
    for (features, labels), (expected_features, expected_labels) in zip(rest, whole[start:], strict=True):
        assert torch.equal(features, expected_features)
        assert torch.equal(labels, expected_labels)


@given(sizes)
def test_without_a_generator_the_order_is_the_datas(shape: tuple[int, int, int]) -> None:
    n, batch_size, d = shape
    x, y = samples(n, d)
    got = list(data_iter(x, y, batch_size))
    assert torch.equal(torch.cat([features for features, _ in got]), x)
    assert torch.equal(torch.cat([labels for _, labels in got]), y)
    assert all(len(labels) == batch_size for _, labels in got[:-1])


def test_every_epoch_has_another_order() -> None:
    x, y = samples(100, 1)
    generator = seeded(0)
    first, second = (torch.cat([labels for _, labels in data_iter(x, y, 8, generator)]) for _ in range(2))
    assert not torch.equal(first, second)


def test_a_block_is_bounded() -> None:
    """A batch is a view of its block: the storage tells how much was gathered at once."""
    x, y = torch.zeros(20_000, 784), torch.zeros(20_000, dtype=torch.int64)
    features, _ = next(data_iter(x, y, 256, seeded(0)))
    assert features.untyped_storage().nbytes() <= batches.BLOCK_BYTES_CPU
    features, _ = next(data_iter(x, y, 20_000, seeded(0)))
    assert len(features) == 20_000


def test_the_device_that_computes_says_how_large_a_block_is() -> None:
    """Data that are too large for a GPU lie in the host's memory, and go to it in few large blocks."""
    x, y = torch.zeros(20_000, 784), torch.zeros(20_000, dtype=torch.int64)
    features, _ = next(data_iter(x, y, 256, seeded(0), device="meta"))
    assert batches.BLOCK_BYTES_GPU / 2 < features.untyped_storage().nbytes() <= batches.BLOCK_BYTES_GPU


def test_batches_arrive_on_the_device_that_was_asked_for() -> None:
    # The meta device stands for any other one: it has shapes and no numbers.
    x, y = samples(10, 3)
    for generator in (None, seeded(0)):
        got = list(data_iter(x, y, 4, generator, device="meta"))
        assert [features.shape for features, _ in got] == [(4, 3), (4, 3), (2, 3)]
        assert {tensor.device.type for pair in got for tensor in pair} == {"meta"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("home", ["cpu", "cuda"])
def test_batches_on_a_gpu_are_those_of_the_cpu(home: str) -> None:
    x, y = samples(5000, 300)
    expected = list(data_iter(x, y, 32, seeded(0)))
    got = data_iter(x.to(home), y.to(home), 32, seeded(0), device="cuda")
    for (features, labels), (expected_features, expected_labels) in zip(got, expected, strict=True):
        assert features.is_cuda
        assert torch.equal(features.cpu(), expected_features)
        assert torch.equal(labels.cpu(), expected_labels)


def test_wrong_arguments_are_named() -> None:
    x, y = samples(10, 2)
    with pytest.raises(ValueError, match="labels: 9 samples are not allowed; allowed: 10"):
        next(data_iter(x, y[:9], 4))
    with pytest.raises(ValueError, match="batch_size: 0 is not allowed"):
        next(data_iter(x, y, 0))
    with pytest.raises(ValueError, match="start: -1 is not allowed"):
        next(data_iter(x, y, 4, start=-1))
