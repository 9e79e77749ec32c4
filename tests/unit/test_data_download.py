"""Fetching MNIST and Fashion-MNIST from a server on this machine: success, and everything that can go wrong."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.server
import os
import shutil
import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from d2ltui import data
from d2ltui.data import DataError, LoadCancelled, download, idx
from d2ltui.data.sources import SOURCES, Source
from d2ltui.spec import numbers
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.spec.datasets import DATASET_SOURCES, DATASETS, DatasetSource

NOBODY = 65534
TRAIN, VAL = 40, 20  # samples of the small Fashion-MNIST that is served here
PARTS = [("train", TRAIN), ("t10k", VAL)]


def images(n: int) -> np.ndarray:
    pixels = np.random.default_rng(n).integers(0, 256, (n, 28, 28), dtype=np.uint8)
    pixels[0, 0, :2] = 0, 255
    return pixels


def idx_files() -> dict[str, bytes]:
    files = {}
    for prefix, n in PARTS:
        header = struct.pack(">4B3I", 0, 0, 8, 3, n, 28, 28)
        files[f"{prefix}-images-idx3-ubyte"] = header + images(n).tobytes()
        labels = (np.arange(n) % 10).astype(np.uint8)
        files[f"{prefix}-labels-idx1-ubyte"] = struct.pack(">4BI", 0, 0, 8, 1, n) + labels.tobytes()
    return files


class Server:
    """Serves `archives` by name, and keeps what was asked for."""

    def __init__(self) -> None:
        self.archives = {f"{name}.gz": gzip.compress(body) for name, body in idx_files().items()}
        self.truncate_to: int | None = None
        self.asked: list[str] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rsplit("/", 1)[-1]
                outer.asked.append(name)
                if name not in outer.archives:
                    self.send_error(404)
                    return
                body = outer.archives[name]
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: outer.truncate_to])

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}/fashion/"

    def close(self) -> None:
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


def offered_at(monkeypatch: pytest.MonkeyPatch, *mirrors: str) -> None:
    """Fashion-MNIST's files are to be had from these places, and from nowhere else."""
    files = [file._replace(urls=tuple(mirror + file.name for mirror in mirrors)) for file in SOURCES["fashion-mnist"]]
    monkeypatch.setitem(SOURCES, "fashion-mnist", tuple(files))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, offer: Callable[[object, object], None]) -> Iterator[Server]:
    """Fashion-MNIST as a small one on a server of our own."""
    server = Server()
    sums = [(name, hashlib.md5(body).hexdigest()) for name, body in server.archives.items()]
    monkeypatch.setitem(SOURCES, "fashion-mnist", tuple(Source(name, md5, ()) for name, md5 in sums))
    offered_at(monkeypatch, server.url)
    small = msgspec.structs.replace(DATASETS["fashion-mnist"], train_size=TRAIN, val_size=VAL)
    offer(DATASET_SOURCES, DatasetSource(small, "d2ltui.data.vision:load"))
    monkeypatch.delenv("D2LTUI_DATA_DIR", raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield server
    server.close()


@pytest.fixture
def config(tmp_path: Path, server: Server) -> RunConfig:
    return resolve({"dataset": "fashion-mnist", "data_dir": str(tmp_path), "batch_size": 8})


def raw(root: Path) -> Path:
    return root / "FashionMNIST" / "raw"


def names(root: Path) -> list[str]:
    return sorted(path.name for path in raw(root).iterdir()) if raw(root).exists() else []


def write_raw(root: Path) -> None:
    raw(root).mkdir(parents=True)
    for name, body in idx_files().items():
        (raw(root) / name).write_bytes(body)


def refusal(config: RunConfig) -> str:
    with pytest.raises(DataError) as caught:
        data.load(config)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("fashion-mnist: ")
    return message


def test_what_is_not_there_is_downloaded_once(
    config: RunConfig, server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    seen: list[tuple[str, float | None]] = []
    dataset = data.load(config, lambda message, fraction: seen.append((message, fraction)))
    expected = torch.from_numpy(images(TRAIN)).reshape(TRAIN, -1).float() / 255
    assert torch.equal(dataset.x_train, expected)
    assert dataset.y_val.tolist() == [i % 10 for i in range(VAL)]
    assert names(tmp_path) == sorted(idx_files())
    assert len(server.asked) == 4
    size = numbers.size(len(server.archives["train-images-idx3-ubyte.gz"]))
    assert (f"fashion-mnist: downloading train-images-idx3-ubyte.gz, {size} of {size}", 1.0) in seen
    fractions = [fraction or 0.0 for message, fraction in seen if "train-images" in message and "down" in message]
    assert fractions[0] == 0.0
    assert fractions == sorted(fractions)
    data.load(config)
    assert len(server.asked) == 4
    output = capfd.readouterr()
    assert (output.out, output.err) == ("", "")


def test_a_download_that_fails_leaves_nothing_behind(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.archives = {}
    config = resolve({"dataset": "fashion-mnist", "data_dir": str(tmp_path), "batch_size": 8})
    refusal(config)
    assert list(tmp_path.rglob("*")) == []
    raw(tmp_path).mkdir(parents=True)  # somebody else's
    refusal(config)
    assert raw(tmp_path).is_dir()
    shutil.rmtree(tmp_path / "FashionMNIST")
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / "cache" / name)
    refusal(resolve({"dataset": "fashion-mnist", "batch_size": 8}))
    assert list(tmp_path.rglob("*")) == []


def test_progress_is_in_megabytes(
    config: RunConfig, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idx, "MORE", 10**7)
    body = b"\x1f\x8b" + os.urandom(2_499_998)
    server.archives = {"train-images-idx3-ubyte.gz": body}
    seen: list[tuple[str, float | None]] = []
    with pytest.raises(DataError):
        data.load(config, lambda message, fraction: seen.append((message, fraction)))
    assert seen[-1] == ("fashion-mnist: downloading train-images-idx3-ubyte.gz, 2.5 MB of 2.5 MB", 1.0)
    middle = [(m, f) for m, f in seen if f is not None and 0.4 < f < 0.6]
    assert middle
    assert all("1." in message and "of 2.5 MB" in message for message, _ in middle)


def test_the_directory_of_the_environment_is_used(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("D2LTUI_DATA_DIR", str(tmp_path))
    write_raw(tmp_path)
    assert len(data.load(resolve({"dataset": "fashion-mnist", "batch_size": 8})).x_val) == VAL
    monkeypatch.setenv("D2LTUI_DATA_DIR", "/no/such/place")
    with pytest.raises(DataError, match=r"D2LTUI_DATA_DIR: '/no/such/place' is not allowed; allowed: an existing"):
        data.load(resolve({"dataset": "fashion-mnist", "batch_size": 8}))
    assert server.asked == []


def test_without_any_directory_the_users_cache_is_used(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / "cache" / name)
    data.load(resolve({"dataset": "fashion-mnist", "batch_size": 8}))
    assert names(tmp_path / "cache" / "d2ltui" / "data") == sorted(idx_files())


def test_files_that_are_there_are_used_as_they_are(config: RunConfig, server: Server, tmp_path: Path) -> None:
    write_raw(tmp_path)
    (raw(tmp_path) / "t10k-labels-idx1-ubyte").unlink()
    before = (raw(tmp_path) / "train-images-idx3-ubyte").stat().st_mtime_ns
    data.load(config)
    assert server.asked == ["t10k-labels-idx1-ubyte.gz"]
    assert (raw(tmp_path) / "train-images-idx3-ubyte").stat().st_mtime_ns == before


def test_archives_that_were_brought_by_hand_are_unpacked(config: RunConfig, server: Server, tmp_path: Path) -> None:
    raw(tmp_path).mkdir(parents=True)
    for name, body in server.archives.items():
        (raw(tmp_path) / name).write_bytes(body)
    data.load(config)
    assert server.asked == []
    assert names(tmp_path) == sorted([*idx_files(), *server.archives])


def test_a_wrong_checksum_is_not_unpacked(config: RunConfig, server: Server, tmp_path: Path) -> None:
    server.archives["train-images-idx3-ubyte.gz"] = gzip.compress(b"something else")
    message = refusal(config)
    assert "train-images-idx3-ubyte.gz came with a wrong checksum" in message
    assert message.endswith("; try the data set digits (--dataset digits), which needs no download")
    assert names(tmp_path) == []


def test_a_connection_that_ends_early(config: RunConfig, server: Server, tmp_path: Path) -> None:
    server.truncate_to = 1000
    total = len(server.archives["train-images-idx3-ubyte.gz"])
    assert f"it ended after 1000 of {total} bytes" in refusal(config)
    assert names(tmp_path) == []


def test_no_network(config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    offered_at(monkeypatch, f"http://127.0.0.1:{port}/")
    message = refusal(config)
    assert f"not found in {tmp_path}" in message
    assert f"could not be downloaded from 127.0.0.1:{port} (Connection refused)" in message
    assert "(--dataset digits)" in message


def test_a_server_that_does_not_answer(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        offered_at(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}/")
        assert "(no answer in 0.2 s)" in refusal(config)


def test_the_next_mirror_is_tried(config: RunConfig, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    offered_at(monkeypatch, server.url + "missing/", server.url)
    kept = server.archives
    server.archives = {}
    assert refusal(config).count("(Not Found)") == 2
    server.archives = kept
    assert len(data.load(config).x_train) == TRAIN


def test_cancelling_leaves_nothing_behind(config: RunConfig, server: Server, tmp_path: Path) -> None:
    server.archives["t10k-images-idx3-ubyte.gz"] = b"\x1f\x8b" + os.urandom(999_998)
    seen: list[str] = []
    with pytest.raises(LoadCancelled):
        data.load(
            config,
            lambda message, fraction: seen.append(message),
            lambda: any("downloading t10k-images" in message and ", 3" in message for message in seen),
        )
    assert names(tmp_path) == ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"]


@pytest.mark.parametrize(
    ("name", "body", "why"),
    [
        ("train-images-idx3-ubyte", idx_files()["train-images-idx3-ubyte"][:-5], "bytes instead of 31376"),
        ("t10k-labels-idx1-ubyte", b"", "it has 0 bytes instead of 28"),
        ("t10k-images-idx3-ubyte", b"x" * (16 + VAL * 784), "does not begin like a file of 20 × 28 × 28"),
        ("train-labels-idx1-ubyte", struct.pack(">4BI", 0, 0, 8, 1, TRAIN) + b"\x0a" * TRAIN, "a label 10"),
    ],
)
def test_a_damaged_or_foreign_file_is_named(
    config: RunConfig, tmp_path: Path, name: str, body: bytes, why: str
) -> None:
    write_raw(tmp_path)
    (raw(tmp_path) / name).write_bytes(body)
    message = refusal(config)
    assert f"{raw(tmp_path) / name} is damaged or foreign" in message
    assert why in message
    assert message.endswith("delete it to download it again")
    (raw(tmp_path) / name).unlink()
    assert len(data.load(config).x_train) == TRAIN


def test_a_root_that_cannot_be_written(config: RunConfig, tmp_path: Path) -> None:
    (tmp_path / "FashionMNIST").write_text("a file where a directory should be")
    message = refusal(config)
    assert f"{raw(tmp_path)} cannot be written (" in message
    assert "choose another --data-dir" in message


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
def test_what_is_no_file_is_not_waited_for(config: RunConfig, tmp_path: Path, name: str) -> None:
    write_raw(tmp_path)
    (raw(tmp_path) / name).unlink()
    os.mkfifo(raw(tmp_path) / name)
    assert f"{raw(tmp_path) / name} is damaged or foreign (it is a pipe, not a file)" in refusal(config)


def test_nothing_is_read_but_the_files(config: RunConfig, tmp_path: Path) -> None:
    """Old versions of torchvision kept pickles, which its class prefers."""
    write_raw(tmp_path)
    processed = tmp_path / "FashionMNIST" / "processed"
    processed.mkdir()
    for name in ("training.pt", "test.pt"):
        (processed / name).write_bytes(b"no pickle")
    assert len(data.load(config).x_train) == TRAIN


def test_files_at_hand_elsewhere_are_told_of(config: RunConfig, server: Server, tmp_path: Path) -> None:
    server.archives = {}
    (tmp_path / "fashion").mkdir()
    (tmp_path / "fashion" / "train-images-idx3-ubyte.gz").touch()
    told = f"; if the files in {tmp_path / 'fashion'} are it, move them to {raw(tmp_path)}"
    assert refusal(config).endswith(told)


@contextlib.contextmanager
def ordinary_user(directory: Path) -> Iterator[None]:
    """Root may read and write everything: for a while, be somebody who may not."""
    if os.geteuid() != 0:
        yield
        return
    for path in (directory, *directory.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_files_and_directories_without_permission(config: RunConfig) -> None:
    # Not pytest's directory: that is its owner's alone.
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        config = msgspec.structs.replace(config, data_dir=name)
        data.load(config)  # now everything is imported that another user might not find
        shutil.rmtree(root / "FashionMNIST")
        root.chmod(0o500)
        with ordinary_user(root):
            assert "cannot be written (Permission denied)" in refusal(config)
        root.chmod(0o700)
        write_raw(root)
        (raw(root) / "train-images-idx3-ubyte").chmod(0)
        with ordinary_user(root):
            assert "train-images-idx3-ubyte cannot be read (Permission denied)" in refusal(config)
