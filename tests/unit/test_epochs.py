"""Epochs behave as a list of EpochEnded would."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from d2ltui.history.epochs import EPOCHS, Epochs
from d2ltui.spec.events import EpochEnded


def ended(number: int) -> EpochEnded:
    return EpochEnded(number, 10 * number, 1 / number, 2 / number, 0.1, float("inf"), 0.5 * number)


@given(st.lists(st.integers(1, 10**6), max_size=8), st.slices(8))
def test_as_a_list(numbers, part):
    as_list = [ended(number) for number in numbers]
    epochs = Epochs()
    for event in as_list:
        epochs.append(event)
    assert len(epochs) == len(as_list)
    assert bool(epochs) == bool(as_list)
    assert list(epochs) == as_list
    assert epochs == as_list
    assert epochs[part] == as_list[part]
    for index in range(-len(as_list), len(as_list)):
        assert epochs[index] == as_list[index]
    with pytest.raises(IndexError):
        epochs[len(as_list)]


def test_a_value_comes_back_as_it_was():
    event = EpochEnded(1, 2**40, 0.1, float("-inf"), 1 / 3, 1e-300, 12.5)
    epochs = Epochs()
    epochs.append(event)
    (kept,) = epochs
    assert kept == event
    assert [type(value) for value in msgspec.structs.astuple(kept)] == [int, int, float, float, float, float, float]


def test_columns_and_numbers():
    epochs = Epochs()
    for number in (1, 2, 4):
        epochs.append(ended(number))
    assert epochs.column("step").tolist() == [10, 20, 40]
    with pytest.raises(ValueError, match="read-only"):
        epochs.column("step")[0] = 1
    assert epochs.at(4) == ended(4)
    assert epochs.at(3) is None
    assert epochs.at(0) is None
    assert epochs.at(5) is None
    assert Epochs().at(1) is None


def test_the_best():
    epochs = Epochs.of([ended(1), ended(4), ended(2), ended(4)])
    assert epochs.best("val_loss") == ended(4)
    nan = msgspec.structs.replace(ended(9), val_loss=float("nan"))
    assert Epochs.of([nan, ended(3), ended(2)]).best("val_loss") == ended(3)


def test_going_back_leaves_a_reader_what_it_has():
    epochs = Epochs()
    for number in range(1, 6):
        epochs.append(ended(number))
    earlier = epochs.until(30)
    assert [epoch.epoch for epoch in earlier] == [1, 2, 3]
    earlier.append(ended(9))
    assert len(epochs) == 5
    assert epochs[3] == ended(4)


def test_rows_at_once():
    rows = np.zeros(3, EPOCHS)
    rows["epoch"] = 7, 8, 9
    epochs = Epochs(rows)
    epochs.extend(rows[:1])
    assert [epoch.epoch for epoch in epochs] == [7, 8, 9, 7]
