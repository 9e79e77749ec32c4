"""Histories and their reduction, against plain numpy over the whole history."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from d2ltui.history.series import Reducer, Series

NUMBERS = st.one_of(
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.sampled_from([float("nan"), float("inf"), float("-inf"), 0.0, 1.0]),
)


def series_of(values) -> Series:
    series = Series()
    series.extend(values)
    return series


def brute_force(values, total, buckets):
    """Each bucket's (x, low, high, mean, nonfinite), one value after the other."""
    total = max(total, len(values))
    buckets = min(buckets, total) if total <= buckets else buckets
    found = {}
    for step, value in enumerate(values.tolist()):
        found.setdefault(step * buckets // total, []).append((step, value))
    rows = []
    for members in found.values():
        finite = np.array([v for _, v in members if np.isfinite(v)], dtype=np.float64)
        x = sum(step for step, _ in members) / len(members)
        low, high = (finite.min(), finite.max()) if len(finite) else (np.nan, np.nan)
        mean = finite.sum() / len(finite) if len(finite) else np.nan
        rows.append((x, low, high, mean, len(members) - len(finite)))
    return np.array(rows, dtype=np.float64).reshape(-1, 5)


def assert_reduced(reduced, values, total, buckets):
    expected = brute_force(values, total, buckets)
    np.testing.assert_allclose(reduced.x, expected[:, 0], rtol=1e-12)
    np.testing.assert_array_equal(reduced.low, expected[:, 1])
    np.testing.assert_array_equal(reduced.high, expected[:, 2])
    # Sums in another order: the error is relative to the largest summand, not to a mean that may cancel out.
    largest = np.nanmax(np.abs(values[np.isfinite(values)]), initial=0.0)
    np.testing.assert_allclose(reduced.mean, expected[:, 3], rtol=1e-9, atol=1e-9 * float(largest))
    np.testing.assert_array_equal(reduced.nonfinite, expected[:, 4])


def test_append_and_extend_keep_the_order():
    series = Series()
    series.append(1.5)
    series.extend([2.5, 3.5])
    series.append(4.5)
    assert len(series) == 4
    assert series.values().tolist() == [1.5, 2.5, 3.5, 4.5]


def test_values_are_read_only_and_do_not_grow():
    series = series_of([1, 2])
    view = series.values()
    series.append(3)
    assert view.tolist() == [1, 2]
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 9
    series.append(4)
    assert series.values().tolist() == [1, 2, 3, 4]


def test_growth_keeps_everything_and_stays_small():
    n = 100_000
    series = Series()
    for value in range(n):
        series.append(value)
    np.testing.assert_array_equal(series.values(), np.arange(n, dtype=np.float32))
    assert series.nbytes <= 10 * n


def test_too_large_a_number_becomes_infinite():
    series = Series()
    series.append(1e300)
    series.extend([-1e300])
    assert series.values().tolist() == [float("inf"), float("-inf")]


def test_truncate_drops_the_tail_and_leaves_older_views_alone():
    series = series_of(range(10))
    before = series.values()
    series.truncate(4)
    series.extend([-1, -2])
    assert series.values().tolist() == [0, 1, 2, 3, -1, -2]
    assert before.tolist() == list(range(10))


@pytest.mark.parametrize("n", [-1, 4])
def test_truncate_to_a_length_that_is_not_there(n):
    with pytest.raises(ValueError, match=f"n: {n} is not allowed; allowed: 0 to 3"):
        series_of([1, 2, 3]).truncate(n)


def test_extend_refuses_a_matrix():
    with pytest.raises(ValueError, match="one dimension"):
        Series().extend(np.zeros((2, 2)))


@given(
    st.lists(NUMBERS, max_size=300),
    st.integers(0, 600),
    st.integers(1, 80),
)
def test_reduce_agrees_with_brute_force(values, total, buckets):
    series = series_of(values)
    assert_reduced(Reducer(series).reduce(total, buckets), series.values(), total, buckets)


@given(
    st.integers(0, 60_000),
    st.integers(1, 100_000),
    st.integers(1, 300),
    st.integers(0, 2**32 - 1),
    st.floats(0, 1),
)
def test_reduce_of_long_histories(n, total, buckets, seed, broken):
    """Long enough for the pyramid's upper levels, with stretches of values that are not finite."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=n).astype(np.float32)
    if n:
        start = int(rng.integers(n))
        values[start : start + int(broken * 3000)] = np.nan
        values[rng.integers(n, size=5)] = np.inf
    series = series_of(values)
    assert_reduced(Reducer(series).reduce(total, buckets), values, total, buckets)


@given(st.data())
def test_reduce_follows_a_series_that_grows_and_is_truncated(data):
    series = Series()
    reducer = Reducer(series)
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    for _ in range(data.draw(st.integers(1, 8))):
        if data.draw(st.booleans()):
            series.extend(rng.normal(size=data.draw(st.integers(0, 15_000))))
        else:
            series.truncate(data.draw(st.integers(0, len(series))))
        total, buckets = data.draw(st.integers(0, 50_000)), data.draw(st.integers(1, 250))
        assert_reduced(reducer.reduce(total, buckets), series.values(), total, buckets)


def test_truncated_and_grown_longer_between_two_calls():
    series = series_of(np.zeros(50_000))
    reducer = Reducer(series)
    reducer.reduce(50_000, 10)
    series.truncate(0)
    series.extend(np.ones(60_000))
    assert reducer.reduce(60_000, 10).low.tolist() == [1.0] * 10


def test_a_single_spike_in_a_million_is_seen():
    values = np.zeros(1_000_000, dtype=np.float32)
    values[777_777] = 5.0
    reduced = Reducer(series_of(values)).reduce(1_000_000, 200)
    assert np.flatnonzero(reduced.high).tolist() == [777_777 * 200 // 1_000_000]
    assert reduced.high.max() == 5.0


def test_a_long_history_is_not_gone_through_again():
    """The second reduction of a million values touches a small part of them."""
    series = series_of(np.random.default_rng(0).normal(size=1_000_000))
    reducer = Reducer(series)
    touched = 0
    entries = reducer._entries

    def counting(values, depth, where):
        nonlocal touched
        found = entries(values, depth, where)
        touched += found.low.size
        return found

    reducer._entries = counting
    reducer.reduce(1_000_000, 200)
    first, touched = touched, 0
    series.append(1.0)
    reducer.reduce(1_000_000, 200)
    assert first > 1_000_000
    assert touched < 60_000


def test_every_value_is_its_own_bucket_where_there_is_room():
    reduced = Reducer(series_of([3, np.nan, 1])).reduce(10, 10)
    assert reduced.x.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(reduced.mean, [3, np.nan, 1])
    assert reduced.nonfinite.tolist() == [0, 1, 0]


def test_reduce_of_nothing():
    reduced = Reducer(Series()).reduce(100, 10)
    assert [len(part) for part in reduced[:5]] == [0] * 5


def test_reduce_refuses_no_buckets():
    with pytest.raises(ValueError, match="buckets: 0 is not allowed"):
        Reducer(Series()).reduce(10, 0)


def test_mean_is_inside_the_range_whatever_the_rounding():
    reduced = Reducer(series_of(np.full(100_000, 0.1))).reduce(100_000, 7)
    assert ((reduced.low <= reduced.mean) & (reduced.mean <= reduced.high)).all()


def test_readers_see_only_what_has_been_written():
    series = Series()
    problems = []
    done = threading.Event()

    def read():
        reducer = Reducer(series)
        while not done.is_set():
            view = series.values()
            if not np.array_equal(view, np.arange(len(view), dtype=np.float32)):
                problems.append(len(view))
            reduced = reducer.reduce(0, 50)
            if len(reduced.x) and (reduced.low[0] != 0 or (np.diff(reduced.mean) <= 0).any()):
                problems.append(reduced)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for value in range(30_000):
        series.append(value)
    done.set()
    for reader in readers:
        reader.join()
    assert not problems


def test_a_reader_that_sees_half_of_a_truncation() -> None:
    series = Series()
    series.extend(np.arange(1000.0))
    reducer = Reducer(series)
    reducer.reduce(1000, 50)
    series._data, series._count = series._data.copy(), 300  # all of `truncate` but its last line
    assert len(reducer.reduce(1000, 50).x) == 15


def test_what_was_reduced_before_changes_nothing() -> None:
    """Buckets that are full are kept from call to call."""
    values = np.sin(np.arange(3000.0)) * 10
    values[[5, 700, 701, 2999]] = np.nan, np.inf, -np.inf, 1e30
    series = Series()
    reducer = Reducer(series)
    for n in range(0, 3000, 61):
        series.extend(values[len(series) : n + 1])
        for total, buckets in ((3000, 100), (3000, 100), (2000, 7), (50, 100), (3000, 99)):
            kept, fresh = reducer.reduce(total, buckets), Reducer(series).reduce(total, buckets)
            for one, other in zip(kept, fresh, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-12)  # type: ignore[call-overload]
