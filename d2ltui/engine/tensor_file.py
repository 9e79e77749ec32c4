"""A file that `torch.save` has written, read without trust: tensors and plain values, never more than the file holds.

`torch.load(..., weights_only=True)` executes nothing, but a few bytes make it allocate as many gigabytes as they name:
`torch.Tensor(10**10)`, compressed records, records beside each other that are the same bytes. Here every size is
compared with the file's before anything is read, and no callable but the rebuilding of a tensor is known.
"""

from __future__ import annotations

import io
import math
import os
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import torch
from torch import Tensor

from d2ltui.spec.files import open_regular
from d2ltui.spec.language import _
from d2ltui.spec.text import printable

_HEAD = b"PK\x03\x04"  # how the archives begin that PyTorch writes
MAX_PICKLE = 16 * 2**20  # bytes; 200 layers and their optimiser's state take 300 KB
MAX_VALUES = 200_000  # in all lists and dicts together
MAX_TUPLE = 256  # values in a tuple, with those in its tuples
_DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
# What `torch.save` writes of dicts, lists, tuples, tensors, numbers and text.
_OPCODES = frozenset(
    """PROTO STOP MARK NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE SHORT_BINUNICODE
    EMPTY_DICT SETITEM SETITEMS EMPTY_LIST APPEND APPENDS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 BINPUT LONG_BINPUT
    BINGET LONG_BINGET GLOBAL REDUCE BINPERSID""".split()  # noqa: SIM905
)


class UnreadableError(ValueError):
    """What is wrong with a file, as the rest of a sentence that begins with its name."""


class _Type(NamedTuple):
    """Stands for a class of storages."""

    dtype: torch.dtype


def _rebuild(storage: Any, offset: Any, size: Any, stride: Any, *__: Any) -> Tensor:
    numbers = [offset, *size, *stride]
    if not isinstance(storage, Tensor) or any(type(n) is not int or n < 0 for n in numbers) or len(size) != len(stride):
        raise pickle.UnpicklingError(_("something that is not a tensor"))
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) if math.prod(size) else -1
    if last >= len(storage) or math.prod(size) > len(storage):
        raise UnreadableError(_("is damaged (a tensor of it is larger than its bytes)"))
    return torch.as_strided(storage, size, stride, offset)


class _Unpickler(pickle.Unpickler):
    """Knows tensors alone."""

    def __init__(self, data: bytes, records: _Records) -> None:
        super().__init__(io.BytesIO(data))
        self._records = records

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch" and name in _DTYPES:
            return _Type(_DTYPES[name])
        raise pickle.UnpicklingError(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Tensor:
        match pid:
            case ("storage", _Type(dtype), str(key), str(), int(count)):
                return self._records.storage(key, dtype, count)
        raise pickle.UnpicklingError(_("a reference to something else"))


class _Records:
    """The records of an archive, each of which is read once."""

    def __init__(self, archive: zipfile.ZipFile, size: int) -> None:
        self._archive, self._size = archive, size
        self._storages: dict[str, Tensor] = {}
        entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise UnreadableError(_("is not a checkpoint of d2ltui (it is compressed)"))
        if sum(entry.file_size for entry in entries) > size:
            raise UnreadableError(_("is damaged (its records are larger than it is)"))
        # All in one folder, whatever that is called.
        self._entries = {entry.filename.partition("/")[2]: entry for entry in entries}

    def bytes_of(self, name: str, most: int) -> bytes:
        entry = self._entries.get(name)
        if entry is None:
            raise UnreadableError(_("is not a checkpoint of d2ltui"))
        if entry.file_size > most:
            raise UnreadableError(
                _("is damaged (its {name} is larger than a checkpoint's)").format(name=printable(name, 40))
            )
        return self._archive.read(entry)

    def storage(self, key: str, dtype: torch.dtype, count: int) -> Tensor:
        if key in self._storages:
            found = self._storages[key]
        else:
            data = bytearray(self.bytes_of(f"data/{key}", self._size))
            found = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
            self._storages[key] = found
        if found.dtype != dtype or len(found) != count:
            raise UnreadableError(_("is damaged (a record of it has another size)"))
        return found


def load(path: Path, most: int) -> Any:
    """The value that `torch.save` has written into `path`; a file of more than `most` bytes is not read.

    Raises:
        FileNotFoundError: where there is none.
        UnreadableError: where it is no such file, damaged, or holds more than tensors and plain values.
    """
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            return _load(file, most)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UnreadableError(_("cannot be read ({reason})").format(reason=error.strerror or error)) from None


def _load(file: BinaryIO, most: int) -> Any:
    size = os.fstat(file.fileno()).st_size
    head = file.read(len(_HEAD))
    if not head:
        raise UnreadableError(_("is damaged (it is empty)"))
    if head != _HEAD:
        raise UnreadableError(_("is not a checkpoint of d2ltui"))
    if size > most:
        raise UnreadableError(
            _("is damaged (it has {size:,} bytes, and one of this run has {most:,} at most)").format(
                size=size, most=most
            )
        )
    try:
        if not zipfile.is_zipfile(file):
            raise UnreadableError(_("is damaged (its end is cut off)"))
        with zipfile.ZipFile(file) as archive:
            records = _Records(archive, size)
            if records.bytes_of("byteorder", 10) != b"little":
                raise UnreadableError(_("is not a checkpoint of d2ltui (of another byte order)"))
            data = records.bytes_of("data.pkl", MAX_PICKLE)
            _check_opcodes(data)
            value = _Unpickler(data, records).load()
            _check_amount(value, size)
            return value
    except UnreadableError:
        raise
    except pickle.UnpicklingError:
        more = _("it holds more than tensors and plain values, and nothing else is read from a file")
        raise UnreadableError(_("cannot be read ({more})").format(more=more)) from None
    except Exception:  # whatever Python makes of arbitrary bytes
        raise UnreadableError(_("is damaged (its bytes are not those that were written)")) from None


def _check_opcodes(data: bytes) -> None:
    """That the pickle does what `torch.save`'s do, and remembers no more than it has: a high number takes memory.

    Nor has it a tuple of tuples of tuples, each of them twice: the key of a dict is hashed while it is read, and sixty
    such tuples would take years.
    """
    sizes: list[int] = []  # of what is on the pickle's stack
    marks: list[int] = []
    remembered: dict[object, int] = {}
    for opcode, argument, __ in pickletools.genops(data):
        if opcode.name not in _OPCODES:
            raise pickle.UnpicklingError(opcode.name)
        if opcode.name == "LONG_BINPUT" and isinstance(argument, int) and argument > MAX_VALUES:
            raise ValueError("a memo of that size")
        if opcode.name == "MARK":
            marks.append(len(sizes))
        elif opcode.name.endswith("BINPUT"):
            remembered[argument] = sizes[-1]
        elif opcode.name.endswith("BINGET"):
            sizes.append(remembered[argument])
        else:
            taken = len(sizes) - len(opcode.stack_before)
            if pickletools.markobject in opcode.stack_before:
                taken = marks.pop() - opcode.stack_before.index(pickletools.markobject)
            size = 1 + sum(sizes[taken:]) if opcode.name.startswith("TUPLE") else 1
            if size > MAX_TUPLE:
                raise ValueError("a tuple of that size")
            sizes[taken:] = [size] * len(opcode.stack_after)


def _check_amount(value: Any, size: int) -> None:
    """That what has been read, taken apart, is no more than the file: one value may stand in many places."""
    waiting, seen, total = [value], 0, 0
    while waiting:
        item = waiting.pop()
        seen += 1
        if isinstance(item, Tensor):
            total += item.numel() * item.element_size()
        elif isinstance(item, dict):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, (list, tuple)):
            waiting += item
        elif isinstance(item, str):
            total += len(item)
        if seen + len(waiting) > MAX_VALUES or total > size:
            raise UnreadableError(_("is damaged (it is larger than its bytes)"))
