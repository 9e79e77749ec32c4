"""Histories of numbers, and their reduction to the width of a screen.

`Series` is written by one thread and read by any number; `Reducer` belongs to one reader.

    losses = Series()
    losses.append(2.3)                                  # or losses.extend(array)
    reduced = Reducer(losses).reduce(total=1000, buckets=120)
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]

_BLOCK = 32
_FIRST_CAPACITY = 1024
# Up to so many values are gone through directly: numpy takes less than .1 ms for them.
_DIRECT = 8192


class Series:
    """An append-only history of numbers, stored as `dtype` (float32: a number too large becomes infinite).

    One thread writes, any number read, and nobody waits: a value is stored before it is counted, and a larger array
    is filled before it takes the place of the smaller one, so that a reader never sees a number that is not there.
    """

    __slots__ = ("_count", "_data", "_generation")

    def __init__(self, dtype: npt.DTypeLike = np.float32) -> None:
        self._data: Array = np.empty(_FIRST_CAPACITY, dtype=dtype)
        self._count = 0
        self._generation = 0

    def __len__(self) -> int:
        return self._count

    @property
    def generation(self) -> int:
        """How many times the history has been truncated: what was derived from an older one is void."""
        return self._generation

    @property
    def nbytes(self) -> int:
        """Bytes of storage, room for growth included."""
        return int(self._data.nbytes)

    def append(self, value: float | tuple[float, ...]) -> None:
        """Add one number, or the fields of one record."""
        count = self._count
        if count == len(self._data):
            self._grow(count + 1)
        with np.errstate(over="ignore"):
            self._data[count] = value
        self._count = count + 1

    def extend(self, values: npt.ArrayLike) -> None:
        """Add numbers, shape (n,), in their order."""
        added = np.asarray(values)
        if added.ndim != 1:
            raise ValueError(f"values: shape {added.shape} is not allowed; allowed: one dimension")
        count = self._count
        end = count + len(added)
        if end > len(self._data):
            self._grow(end)
        with np.errstate(over="ignore"):
            self._data[count:end] = added
        self._count = end

    def truncate(self, n: int) -> None:
        """Keep the first `n` numbers and drop the rest; only the writer may do so.

        Raises:
            ValueError: where `n` is negative or more than there are.
        """
        if not 0 <= n <= self._count:
            raise ValueError(f"n: {n} is not allowed; allowed: 0 to {self._count}, the length of the series")
        # A fresh array: whoever still looks at the dropped numbers must not see them change.
        data = self._data.copy()  # whole: a reader may have taken the old count already
        self._count = n
        self._data = data
        self._generation += 1

    def values(self) -> Array:
        """What is there now, shape (len,), as a read-only view: later numbers do not appear in it."""
        # The count first: an array that is swapped in between holds at least as many.
        count = self._count
        view = self._data[:count]
        view.flags.writeable = False
        return view

    def _grow(self, needed: int) -> None:
        data: Array = np.empty(max(needed, 2 * len(self._data)), dtype=self._data.dtype)
        data[: self._count] = self._data[: self._count]
        self._data = data


class Reduced(NamedTuple):
    """A history reduced to buckets: arrays of one length, the number of buckets that hold a step; float64.

    `x` is the mean index of a bucket's steps; `low`, `high` and `mean` are of its finite values (nan where there are
    none); `nonfinite` counts the others.
    """

    x: Array
    low: Array
    high: Array
    mean: Array
    nonfinite: Array


class _Summary(NamedTuple):
    """For each of some ranges: minimum, maximum and sum of the finite values, and their number."""

    low: Array
    high: Array
    total: Array
    finite: Array

    @classmethod
    def empty(cls, size: int) -> _Summary:
        return cls(np.full(size, np.inf), np.full(size, -np.inf), np.zeros(size), np.zeros(size, dtype=np.int64))

    @classmethod
    def of_values(cls, values: Array) -> _Summary:
        """Each value as a range of its own."""
        finite = np.isfinite(values)
        if finite.all():
            return cls(values, values, values, finite)
        return cls(
            np.where(finite, values, np.inf),
            np.where(finite, values, -np.inf),
            np.where(finite, values, 0.0),
            finite,
        )

    def rows(self) -> _Summary:
        """Of ranges in rows, shape (n, k): each row together, shape (n,)."""
        return _Summary(
            self.low.min(axis=1),
            self.high.max(axis=1),
            self.total.sum(axis=1, dtype=np.float64),
            self.finite.sum(axis=1, dtype=np.int64),
        )

    def join(self, other: _Summary) -> _Summary:
        return _Summary(
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
            self.total + other.total,
            self.finite + other.finite,
        )

    def only(self, there: Array) -> _Summary:
        """The ranges where `there` holds; empty ones elsewhere."""
        return _Summary(
            np.where(there, self.low, np.inf),
            np.where(there, self.high, -np.inf),
            np.where(there, self.total, 0.0),
            np.where(there, self.finite, 0),
        )


class _Level:
    """Summaries of blocks of `_BLOCK` entries of the level below; only complete blocks, each computed once."""

    def __init__(self, dtype: Any) -> None:
        self.count = 0
        self._low: Array = np.empty(0, dtype=dtype)
        self._high: Array = np.empty(0, dtype=dtype)
        self._total: Array = np.empty(0, dtype=np.float64)
        self._finite: Array = np.empty(0, dtype=np.int64)

    def add(self, blocks: _Summary) -> None:
        end = self.count + len(blocks.low)
        if end > len(self._low):
            self._grow(max(end, len(self._low) * 3 // 2, 64))
        new = slice(self.count, end)
        self._low[new], self._high[new] = blocks.low, blocks.high
        self._total[new], self._finite[new] = blocks.total, blocks.finite
        self.count = end

    def _grow(self, capacity: int) -> None:
        def larger(old: Array) -> Array:
            new: Array = np.empty(capacity, dtype=old.dtype)
            new[: self.count] = old[: self.count]
            return new

        self._low, self._high = larger(self._low), larger(self._high)
        self._total, self._finite = larger(self._total), larger(self._finite)

    def take(self, where: Any) -> _Summary:
        return _Summary(self._low[where], self._high[where], self._total[where], self._finite[where])


class Reducer:
    """Reduces one series to a number of buckets, exactly, at a cost that hardly depends on its length.

    It keeps a pyramid over the series (blocks of 32, 1024, 32768, ... values: minimum, maximum, sum, number of
    finite values), extended by the newly complete blocks at each call. It belongs to one reader.
    """

    def __init__(self, series: Series) -> None:
        self._series = series
        self._generation = series.generation
        self._levels: list[_Level] = []
        self._seen = 0
        # The last call's buckets that no step can come into any more: of the same buckets, only the rest is new.
        self._key = (0, 0, 0)
        self._complete = _Summary.empty(0)

    def reduce(self, total: int, buckets: int) -> Reduced:
        """The history in `buckets` equal parts of the steps 0 to `total` (at least the length of the series).

        Step i is in bucket i · buckets // total, and buckets without a step are left out. Where `total` is no
        more than `buckets`, every value is a bucket of its own.

        Raises:
            ValueError: where `buckets` is less than 1.
        """
        if buckets < 1:
            raise ValueError(f"buckets: {buckets} is not allowed; allowed: at least 1")
        generation = self._series.generation
        values = self._series.values()
        n = len(values)
        if generation != self._generation or n < self._seen:
            self._levels, self._generation, self._key = [], generation, (0, 0, 0)
        self._seen = n
        total = max(total, n)
        if n == 0:
            none = np.empty(0)
            return Reduced(none, none, none, none, np.empty(0, dtype=np.int64))
        if total <= buckets:
            starts = np.arange(n, dtype=np.int64)
            ends = starts + 1
            complete = n
        else:
            # The first step of bucket b is the smallest i with i · buckets >= b · total.
            edges = -(-np.arange(buckets + 1, dtype=np.int64) * total // buckets)
            used = int(np.searchsorted(edges[:-1], n))
            starts, ends = edges[:used], np.minimum(edges[1 : used + 1], n)
            complete = int(np.searchsorted(edges[1:], n, side="right"))
        if (key := (generation, total, buckets)) != self._key:
            self._key, self._complete = key, _Summary.empty(0)
        known = len(self._complete.low)
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            self._extend(values)
            new = self._ranges(values, 0, starts[known:], ends[known:])
            found = _Summary(*(np.concatenate(parts) for parts in zip(self._complete, new, strict=True)))
            self._complete = _Summary(*(part[:complete] for part in found))
            # Rounding must not put the mean outside the range.
            mean = np.clip(found.total / found.finite, found.low, found.high)
        some = found.finite > 0
        return Reduced(
            (starts + ends - 1) / 2.0,
            np.where(some, found.low, np.nan),
            np.where(some, found.high, np.nan),
            np.where(some, mean, np.nan),
            ends - starts - found.finite,
        )

    def _extend(self, values: Array) -> None:
        depth, below = 0, len(values)
        while below >= _BLOCK:
            if depth == len(self._levels):
                self._levels.append(_Level(values.dtype))
            level = self._levels[depth]
            complete = below // _BLOCK
            if complete > level.count:
                new = slice(level.count * _BLOCK, complete * _BLOCK)
                entries = self._entries(values, depth, new)
                level.add(_Summary(*(part.reshape(-1, _BLOCK) for part in entries)).rows())
            depth, below = depth + 1, level.count

    def _entries(self, values: Array, depth: int, where: Any) -> _Summary:
        return _Summary.of_values(values[where]) if depth == 0 else self._levels[depth - 1].take(where)

    def _ranges(self, values: Array, depth: int, starts: Array, ends: Array) -> _Summary:
        """Summaries of the entries `starts` to `ends` (exclusive) of a level; ranges may be empty."""
        if len(starts) == 0:
            return _Summary.empty(0)
        span = int(ends[-1] - starts[0])
        if span <= _DIRECT or depth >= len(self._levels) or int((ends - starts).max()) <= 2 * _BLOCK:
            return self._direct(values, depth, starts, ends)
        first, last = -(-starts // _BLOCK), ends // _BLOCK
        head_ends = np.minimum(first * _BLOCK, ends)
        tail_starts = np.maximum(last * _BLOCK, head_ends)
        middle = self._ranges(values, depth + 1, first, np.maximum(first, last))
        head = self._short(values, depth, starts, head_ends)
        return middle.join(head).join(self._short(values, depth, tail_starts, ends))

    def _short(self, values: Array, depth: int, starts: Array, ends: Array) -> _Summary:
        """Summaries of ranges that are shorter than a block."""
        size = len(values) if depth == 0 else self._levels[depth - 1].count
        where = starts[:, None] + np.arange(_BLOCK)
        there = where < ends[:, None]
        return self._entries(values, depth, np.minimum(where, size - 1)).only(there).rows()

    def _direct(self, values: Array, depth: int, starts: Array, ends: Array) -> _Summary:
        there = ends > starts
        if not there.any():
            return _Summary.empty(len(starts))
        some_starts, some_ends = starts[there], ends[there]
        offset, stop = int(some_starts[0]), int(some_ends[-1])
        entries = self._entries(values, depth, slice(offset, stop))
        # Every second of the stretches is one between ranges; the last range goes to the end by itself.
        bounds = (np.stack([some_starts, some_ends], axis=1).ravel() - offset)[:-1]
        summary = _Summary.empty(len(starts))
        summary.low[there] = np.minimum.reduceat(entries.low, bounds)[::2]
        summary.high[there] = np.maximum.reduceat(entries.high, bounds)[::2]
        summary.total[there] = np.add.reduceat(entries.total, bounds, dtype=np.float64)[::2]
        summary.finite[there] = np.add.reduceat(entries.finite, bounds, dtype=np.int64)[::2]
        return summary
