"""Pickled arrays, as CIFAR-10's authors wrote them with Python 2, read without executing anything that they name.

A pickle is a program: it may call whatever can be imported. Here the three names that an array of bytes is made of
stand for classes of this module, which keep what they are given and check it; every other name is refused.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from d2ltui.spec.language import _

_MOST_MEMO = 1_000_000  # entries: a number below which what is remembered takes no memory to speak of
# What such a file needs: numbers, texts, lists, dicts and tuples, and objects made of them.
_OPCODES = frozenset(
    (
        "PROTO", "STOP", "MARK", "POP", "POP_MARK", "DUP", "NONE", "NEWTRUE", "NEWFALSE", "INT", "LONG", "LONG1",
        "LONG4", "BININT", "BININT1", "BININT2", "STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES",
        "SHORT_BINBYTES", "BINBYTES8", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "EMPTY_LIST",
        "APPEND", "APPENDS", "LIST", "EMPTY_DICT", "DICT", "SETITEM", "SETITEMS", "EMPTY_TUPLE", "TUPLE", "TUPLE1",
        "TUPLE2", "TUPLE3", "PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "GET", "BINGET", "LONG_BINGET", "GLOBAL",
        "STACK_GLOBAL", "REDUCE", "BUILD", "FRAME",
    )
)  # fmt: skip


class _Type:
    """Stands for numpy's dtype, of bytes alone."""

    def __init__(self, *arguments: Any) -> None:
        if not arguments or arguments[0] not in ("u1", b"u1", "|u1"):
            raise pickle.UnpicklingError(_("an array that is not of bytes"))

    def __setstate__(self, state: Any) -> None:
        """Byte order and the like: nothing that a byte has."""


class _Array:
    """Stands for numpy's array: `values` are those of one with bytes in rows, as C lays them out."""

    values: NDArray[np.uint8]

    def __setstate__(self, state: Any) -> None:
        match state:
            case (int(), (int(rows), int(columns)), _Type(), False | 0, str() | bytes() as data):
                # Python 2's bytes come as a str, a character for each.
                raw = data.encode("latin1") if isinstance(data, str) else data
                if rows < 0 or columns < 0 or len(raw) != rows * columns:
                    raise pickle.UnpicklingError(_("an array that is larger or smaller than its bytes"))
                self.values = np.frombuffer(bytearray(raw), dtype=np.uint8).reshape(rows, columns)
            case _:
                raise pickle.UnpicklingError(_("something that is not an array"))


class _Name:
    """What a name stands for: it can be called, and not be changed."""

    __slots__ = ("_made",)

    def __init__(self, made: Callable[..., Any]) -> None:
        self._made = made

    def __call__(self, *arguments: Any) -> Any:
        return self._made(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError(_("it changes what it names"))


def _reconstruct(*arguments: Any) -> _Array:
    return _Array()


def _refuse(*arguments: Any) -> None:
    raise pickle.UnpicklingError(_("an array without a shape"))


def _encode(text: Any, encoding: Any) -> bytes:
    """Python 3 writes bytes so, where it writes for Python 2."""
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError(_("something that is not bytes"))
    return text.encode("latin1")


_NAMES = {
    ("numpy.core.multiarray", "_reconstruct"): _Name(_reconstruct),
    ("numpy._core.multiarray", "_reconstruct"): _Name(_reconstruct),
    ("numpy", "ndarray"): _Name(_refuse),
    ("numpy", "dtype"): _Name(_Type),
    ("_codecs", "encode"): _Name(_encode),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _NAMES:
            return _NAMES[module, name]
        raise pickle.UnpicklingError(
            _("it names {module}.{name}, and only arrays of bytes are read").format(module=module, name=name)
        )


def load_arrays(data: bytes) -> dict[str, Any]:
    """The dict in `data`, its arrays of bytes (n, m) as numpy arrays; nothing that it names is imported or called.

    Raises:
        pickle.UnpicklingError: with the reason, where it is no such pickle.
    """
    try:
        for opcode, argument, __ in pickletools.genops(data):
            if opcode.name not in _OPCODES:
                raise pickle.UnpicklingError(
                    _("it has a {name}, and only arrays of bytes are read").format(name=opcode.name)
                )
            # The number of a memo's entry is the size of a table that Python makes.
            if opcode.name in ("PUT", "LONG_BINPUT") and int(str(argument)) > _MOST_MEMO:
                raise pickle.UnpicklingError(_("it remembers more than it holds"))
        value = _Unpickler(io.BytesIO(data), encoding="latin1").load()
    except pickle.UnpicklingError:
        raise
    except Exception as error:  # whatever Python makes of arbitrary bytes
        raise pickle.UnpicklingError(_("it is not a readable pickle")) from error
    if not isinstance(value, dict):
        raise pickle.UnpicklingError(_("it holds something else"))
    return {str(name): item.values if isinstance(item, _Array) else item for name, item in value.items()}
