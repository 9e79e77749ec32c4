"""Checkpoints that anybody may have written: small on the disk, and small in memory."""

from __future__ import annotations

import os
import resource
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from runs import run

from d2ltui.engine import checkpoint as checkpoint_module
from d2ltui.engine.checkpoint import Checkpoint, CheckpointError, read
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.spec.versions import differing_fields


def config() -> RunConfig:
    return resolve({"model": "mlp", "dataset": "moons", "hidden": "8", "batch_size": 300, "epochs": 4, "device": "cpu"})


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The last checkpoint of a run that has ended."""
    path = tmp_path_factory.mktemp("ended") / "checkpoint.pt"

    class Shelf:
        idle, took = True, 0.0

        def keep(self, checkpoint: Checkpoint) -> None:
            with open(path, "wb") as file:
                checkpoint.write(file)

    run(config(), keeper=Shelf())
    return path.read_bytes()


@pytest.fixture
def whole(ended: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(ended)
    return path


def measured(path: Path, limit: int = 2**27) -> str:
    """Why `path` is refused, and that this takes no memory: allocations beyond `limit` bytes fail meanwhile."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + limit, before[1]))
    try:
        with pytest.raises(CheckpointError) as error:
            read(path, config())
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    return str(error.value).removeprefix(f"checkpoint: {path} ")


class Called:
    """What a pickle asks for by name."""

    def __init__(self, called: object, *arguments: object) -> None:
        self.called, self.arguments = called, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.called, self.arguments


def many(value: object, depth: int) -> object:
    for _ in range(depth):
        value = [value, value]
    return value


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (lambda: {"1.weight": torch.zeros(1).expand(1_200_000_000)}, "a tensor of it is larger than its bytes"),
        (lambda: dict.fromkeys(map(str, range(2000)), torch.zeros(4096)), "larger than its bytes"),
        (lambda: many("x", 40), "larger than its bytes"),
        (lambda: Called(bytearray, 2**33), "more than tensors and plain values"),
        (lambda: Called(torch.Tensor, 2**32), "more than tensors and plain values"),
        (lambda: Called(torch.UntypedStorage, 2**33), "more than tensors and plain values"),
        (lambda: torch.zeros(3).to_sparse(), "more than tensors and plain values"),
    ],
)
def test_a_small_checkpoint_takes_little(tmp_path: Path, model: Callable[[], object], why: str) -> None:
    path = tmp_path / "small.pt"
    torch.save({"format": "d2ltui checkpoint", "version": 1, "checksum": 0, "model": model()}, path)
    assert path.stat().st_size < 200_000
    assert why in measured(path)


def archive(path: Path, method: int, **records: bytes) -> None:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in {"byteorder": b"little", **records}.items():
            file.writestr(f"a/{name.replace('_', '.')}", data)


def test_a_compressed_archive_is_none_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt"
    archive(path, zipfile.ZIP_DEFLATED, data_pkl=b"\0" * 2**26)
    assert path.stat().st_size < 100_000
    assert measured(path) == "is not a checkpoint of d2ltui (it is compressed)"


def test_a_pickle_that_remembers_far_away(tmp_path: Path) -> None:
    path = tmp_path / "memo.pt"
    archive(path, zipfile.ZIP_STORED, data_pkl=b"\x80\x02]r\xff\xff\xff\x7f.")
    assert measured(path) == "is damaged (its bytes are not those that were written)"


def test_a_key_that_takes_years_to_hash(tmp_path: Path) -> None:
    """A pair of one pair twice, and so on: a few bytes, and 2⁶⁰ empty tuples to whoever walks through them."""
    path = tmp_path / "key.pt"
    pairs = b"".join(b"h%c\x86q%c" % (n, n + 1) for n in range(60))  # the last one, once more; both in a tuple
    archive(path, zipfile.ZIP_STORED, data_pkl=b"\x80\x02})q\0" + pairs + b"K\x01s.")
    assert measured(path) == "is damaged (its bytes are not those that were written)"


def test_a_file_of_holes_is_not_read(whole: Path) -> None:
    os.truncate(whole, 2**36)
    assert measured(whole).startswith("is damaged (it has 68,719,476,736 bytes, and one of this run has ")


@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), lambda path: path.symlink_to(path)]
)
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "checkpoint.pt")
    with pytest.raises(CheckpointError, match=r"cannot be read \(it is a (pipe|link), not a file\)"):
        read(tmp_path / "checkpoint.pt", config())


@pytest.mark.parametrize(
    "changed",
    [
        {"step": 10**12},
        {"epoch": 10**9},
        {"seconds": float("nan")},
        {"lr": float("inf")},
        {"epochs": torch.full((3, 7), float("nan"), dtype=torch.float64)},
        {"epochs": torch.full((3, 7), 1e15, dtype=torch.float64)},
        {"epochs": torch.ones((5000, 7), dtype=torch.float64)},
    ],
    ids=str,
)
def test_a_moment_that_its_run_has_not(whole: Path, changed: dict[str, object]) -> None:
    found = torch.load(whole, weights_only=True)
    values = {name: value for name, value in found.items() if name not in ("format", "version", "checksum")} | changed
    torch.save({**found, **values, "checksum": checkpoint_module.checksum(values)}, whole)
    with pytest.raises(CheckpointError, match=r"checkpoint: .* is damaged \("):
        read(whole, config())


@pytest.mark.parametrize(
    "foreign",
    [
        torch.full((3,), float("nan")),
        torch.tensor(5),
        torch.zeros(0),
        {"a": torch.ones(2)},
        [torch.ones(2)],
        "\x1b[?1049h",
        "\udc9b2J",
        None,
        1.5,
        -1,
        True,
    ],
    ids=repr,
)
def test_a_field_of_another_kind_is_told_whichever_it_is(whole: Path, foreign: object) -> None:
    found = torch.load(whole, weights_only=True)
    values = {name: value for name, value in found.items() if name not in ("format", "version", "checksum")}
    right = read(whole, config())
    changes: list[tuple[str, dict[str, object]]] = [(name, {name: foreign}) for name in values]
    changes += [(f"config's {name}", {"config": {**values["config"], name: foreign}}) for name in values["config"]]
    for name, change in changes:
        changed = {**values, **change}
        torch.save({**found, **changed, "checksum": checkpoint_module.checksum(changed)}, whole)
        try:
            checkpoint = read(whole, config())
        except CheckpointError as error:
            told = str(error)
        else:
            told = ""
            assert not differing_fields(checkpoint.config, right.config), name
            kind = type(getattr(right, name, None))
            assert name not in values or type(getattr(checkpoint, name)) in (kind, type(None), torch.Tensor), name
        assert not told or "is damaged (" in told or "is of another run (its " in told, name


def test_the_end_of_an_archive_on_several_disks(whole: Path) -> None:
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 2)  # of two disks
    whole.write_bytes(whole.read_bytes() + locator + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0, 0, 0, 0, 0))
    assert measured(whole).startswith("is damaged")
