"""Pickles of arrays are read as numpy reads them, and nothing in them is executed."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from image_archives import (
    pictures,
    python2_pickle,
)

from d2ltui.data.pickles import load_arrays


class Evil:
    """What a pickle can do."""

    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("executed",)


def evil_pickles() -> dict[str, bytes]:
    good = pickle.dumps({"data": np.zeros((2, 3), np.uint8), "labels": [0, 1]}, protocol=2)
    name = b"cnumpy\nndarray\n"
    return {
        "a function": pickle.dumps({"data": Evil()}),
        "an import": b"cos\nsystem\n(S'true'\ntR.",
        "numpy's own reader": pickle.dumps({"data": np.lib.format.read_array}),
        "an attribute": b"\x80\x04\x8c\x05numpy\x8c\x11ndarray.__class__\x93.",
        "objects": pickle.dumps({"data": np.array([[None]], dtype=object)}),
        "floats": pickle.dumps({"data": np.zeros((2, 3))}),
        "one axis": pickle.dumps({"data": np.zeros(6, np.uint8)}),
        "more than its bytes": good.replace(b"K\x02K\x03\x86", b"J\xff\xff\xff\x7fK\x03\x86"),
        "an array without a shape": b"(dS'data'\n" + name + b"(tRs.",
        "a change": name + b"(NS'x'\n(dtb.",
        "a set": pickle.dumps({1, 2}),
        "an extension": b"\x82\x01.",
        "a persistent one": b"Pme\n.",
        "a huge memo": b"]r\xff\xff\xff\x7f.",
        "bytes that there are none of": b"\x8e\xff\xff\xff\xff\xff\x00\x00\x00.",
        "no pickle": b"hello",
        "half": good[: len(good) // 2],
        "nothing": b"",
        "a list": pickle.dumps([1, 2]),
    }


@pytest.mark.parametrize("case", evil_pickles())
def test_nothing_that_a_pickle_names_is_executed(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(pickle.UnpicklingError) as caught:
        load_arrays(evil_pickles()[case])
    assert str(caught.value)
    assert capsys.readouterr().out == ""
    # And the next one is read as it should be.
    found = load_arrays(pickle.dumps({"data": np.arange(6, dtype=np.uint8).reshape(2, 3), "labels": [0, 1]}))
    assert found["data"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["labels"] == [0, 1]


@pytest.mark.parametrize("protocol", range(1, pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_are_read_as_numpy_reads_them(protocol: int) -> None:
    value = {"data": pictures(4, 5), "labels": [3, 1, 2, 0], "name": "batch", "raw": b"\xff\x00"}
    if protocol == 5:  # numpy hands over its memory in another way then
        protocol = 4
    for data in (pickle.dumps(value, protocol=protocol), python2_pickle(value)):
        found = load_arrays(data)
        assert np.array_equal(found["data"], value["data"])
        assert found["labels"] == value["labels"]
        assert found["name"] == "batch"
