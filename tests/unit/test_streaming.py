"""Blocks on their way to a device: the same batches, one block ahead and no more, wherever it fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from d2ltui.data import batches
from d2ltui.data.batches import data_iter, stacked_iter
from d2ltui.data.streaming import Arrived, ahead, transfer_to


class StandIn:
    """A transfer to nowhere, which notes what is asked of it, in which thread."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.threads: set[str] = set()
        self.arrived: set[str] = set()

    def begin(self, source: Tensor, at: Tensor) -> Arrived:
        self.threads.add(threading.current_thread().name)
        self.told.append(f"begin {len(at)}")
        block = source.index_select(0, at)

        def take() -> Tensor:
            self.arrived.add(threading.current_thread().name)
            self.told.append(f"take {len(at)}")
            return block

        return take


@pytest.fixture
def transfer(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    stand_in = StandIn()
    monkeypatch.setattr(batches, "transfer_to", lambda device, source: stand_in)
    monkeypatch.setattr(batches, "BLOCK_BATCHES", 3)
    return stand_in


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def samples(n: int) -> tuple[Tensor, Tensor]:
    return torch.arange(2.0 * n).reshape(n, 2), torch.arange(n)


@pytest.mark.parametrize(("n", "start", "order"), [(100, 0, True), (100, 4, True), (7, 0, True), (100, 2, False)])
def test_batches_are_the_same_on_their_way_and_at_home(
    monkeypatch: pytest.MonkeyPatch, n: int, start: int, order: bool
) -> None:
    x, y = samples(n)

    def given() -> list[tuple[Tensor, Tensor]]:
        return list(data_iter(x, y, 9, seeded(3) if order else None, start=start))

    at_home = given()
    monkeypatch.setattr(batches, "BLOCK_BATCHES", 3)
    stand_in = StandIn()
    monkeypatch.setattr(batches, "transfer_to", lambda device, source: stand_in)
    on_the_way = given()
    assert len(at_home) == len(on_the_way)
    for one, other in zip(at_home, on_the_way, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert stand_in.threads.isdisjoint(stand_in.arrived)  # who steps gathers nothing


def test_those_of_several_data_sets_too(monkeypatch: pytest.MonkeyPatch, transfer: StandIn) -> None:
    (x, y), (u, v) = samples(50), samples(50)

    def given() -> list[tuple[Tensor, Tensor]]:
        return list(stacked_iter([x, u + 1000], [y, v], 8, [seeded(1), seeded(2)]))

    on_the_way = given()
    assert len(transfer.told) == 2 * 4 * 3  # begun and taken, of two data sets' features and labels, three blocks
    monkeypatch.setattr(batches, "transfer_to", lambda device, source: None)
    for one, other in zip(given(), on_the_way, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_one_block_is_ahead_and_no_more() -> None:
    began = [threading.Event() for _ in range(5)]

    def makers() -> Iterator[Callable[[], int]]:
        for number, event in enumerate(began):
            yield lambda number=number, event=event: event.set() or number  # type: ignore[misc]

    coming = ahead(makers())
    for number in range(5):
        assert next(coming) == number
        assert number == 4 or began[number + 1].wait(10)  # while this one is in use
        assert not any(event.is_set() for event in began[number + 2 :])
    assert list(coming) == []


def test_what_goes_wrong_on_the_way_is_raised_where_the_block_was_wanted(transfer: StandIn) -> None:
    x, y = samples(60)
    begin = transfer.begin

    def fails(source: Tensor, at: Tensor) -> Arrived:
        if transfer.told.count("begin 30") == 2:  # features and labels of the first block, whatever has been taken
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        return begin(source, at)

    transfer.begin = fails  # type: ignore[method-assign]
    got = data_iter(x, y, 10, seeded(1))
    assert [len(labels) for _, labels in (next(got) for _ in range(3))] == [10] * 3
    with pytest.raises(RuntimeError, match="illegal memory access"):
        list(got)


def test_an_epoch_that_is_left_leaves_no_thread(transfer: StandIn) -> None:
    before = threading.active_count()
    batches_of = data_iter(*samples(200), 10, seeded(1))
    next(batches_of)
    batches_of.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_what_is_where_it_is_used_needs_no_way() -> None:
    assert transfer_to(torch.device("cpu"), torch.zeros(2)) is None
