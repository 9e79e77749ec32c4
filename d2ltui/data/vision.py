"""MNIST and Fashion-MNIST: torchvision's files and readers, with a download that can be watched and given up.

torchvision's own download prints a bar, has no timeout, no limit and cannot be stopped, so the files are fetched by
`download`, from the places that its classes name, checked against the sums that they name, and read by torchvision.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import os
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from d2ltui.data import DataError, Dataset, LoadCancelled, Progress, download
from d2ltui.nn.import_in_thread import apart
from d2ltui.spec.datasets import DatasetInfo, Params
from d2ltui.spec.files import kind
from d2ltui.spec.folders import FOLDERS, RAW, where_else
from d2ltui.spec.text import quoted

CHUNK = 1024 * 1024  # bytes
MORE = 1024 * 1024  # bytes by which gzip may make a file larger, with much to spare
# Where the same files are to be had by https, for a mirror that has none: their author's own, of the same checksums.
_SECURE = {
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/": (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"
    )
}


def load(info: DatasetInfo, params: Params, progress: Progress, cancelled: Callable[[], bool]) -> Dataset:
    """Both parts of `info`, pixels in 0…1, from torchvision's root `params["data_dir"]` (None: see `data_root`).

    Raises:
        DataError: where the files are neither there nor to be had, or not what they should be.
        LoadCancelled: when `cancelled()` turns true.
    """
    root = data_root(params["data_dir"])
    datasets = apart(_torchvision_datasets)
    torchvision_class: Any = {"mnist": datasets.MNIST, "fashion-mnist": datasets.FashionMNIST}[info.name]
    raw = root / FOLDERS[info.name] / RAW
    with _leaving_no_empty_folder(raw):
        _fetch_missing(info, torchvision_class, root, raw, progress, cancelled)
    parts = []
    for prefix, size in (("train", info.train_size), ("t10k", info.val_size)):
        if cancelled():
            raise LoadCancelled
        height, width = info.input_shape
        _check_file(info, raw / f"{prefix}-images-idx3-ubyte", (size, height, width))
        _check_file(info, raw / f"{prefix}-labels-idx1-ubyte", (size,))
        try:
            # Not by its class: that prefers an old version's `processed`, which torch.load would have to read.
            images = datasets.mnist.read_image_file(str(raw / f"{prefix}-images-idx3-ubyte"))
            labels = datasets.mnist.read_label_file(str(raw / f"{prefix}-labels-idx1-ubyte"))
        except OSError as error:
            raise _unreadable(info, error) from error
        largest = int(labels.max())
        if largest >= info.num_outputs:
            raise _broken(info, raw / f"{prefix}-labels-idx1-ubyte", f"it has a label {largest}")
        parts += [images.reshape(size, -1).to(torch.float32).div_(255.0), labels.to(torch.int64)]
    return Dataset(info, *parts)


def _torchvision_datasets() -> Any:
    # Imported here because torchvision takes seconds.
    from torchvision import datasets

    return datasets


def data_root(data_dir: str | None) -> Path:
    """torchvision's root: `data_dir`, else the environment's D2LTUI_DATA_DIR, else the user's cache.

    Raises:
        DataError: where one of the first two is given and is no directory.
    """
    environment = os.environ.get("D2LTUI_DATA_DIR")
    for name, value in (("data_dir", data_dir), ("D2LTUI_DATA_DIR", environment)):
        if value:
            root = Path(value).expanduser()
            # Where it may not look, Path's own raises instead of saying no.
            if not os.path.isdir(root):
                raise DataError(f"{name}: {quoted(value)} is not allowed; allowed: an existing, readable directory")
            return root
    import platformdirs

    return platformdirs.user_cache_path("d2ltui") / "data"


@contextlib.contextmanager
def _leaving_no_empty_folder(raw: Path) -> Iterator[None]:
    """Folders on the way to `raw` that are made meanwhile go again where nothing has come into them."""
    made = [folder for folder in (raw, *raw.parents) if not os.path.exists(folder)]
    try:
        yield
    finally:
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _fetch_missing(
    info: DatasetInfo,
    torchvision_class: Any,
    root: Path,
    raw: Path,
    progress: Progress,
    cancelled: Callable[[], bool],
) -> None:
    """Downloads and unpacks each of the class's files that is not in `raw`; what is there stays as it is."""
    from torchvision.datasets.utils import check_integrity

    for archive, md5 in torchvision_class.resources:
        if os.path.exists(raw / Path(archive).stem):
            continue
        try:
            raw.mkdir(parents=True, exist_ok=True)
            # Under a temporary name, so that an interruption leaves nothing that looks whole.
            with tempfile.TemporaryDirectory(prefix=".download-", dir=raw) as folder:
                path = raw / archive
                if not check_integrity(path, md5):
                    path = Path(folder) / archive
                    reasons = download.fetch(
                        [f"{mirror}{archive}" for mirror in _mirrors(torchvision_class.mirrors)],
                        path,
                        functools.partial(check_integrity, md5=md5),
                        _size_of(info, archive) + MORE,
                        f"{info.name}: downloading {archive}",
                        progress,
                        cancelled,
                    )
                    if reasons:
                        raise _not_found(info, root, f"could not be downloaded from {' or '.join(reasons)}")
                progress(f"{info.name}: unpacking {archive}", None)
                _unpack(info, path, Path(folder) / path.stem, cancelled)
                os.replace(Path(folder) / path.stem, raw / path.stem)
        except OSError as error:
            where = error.filename or raw
            why = f"{where} cannot be written ({error.strerror or error}); choose another --data-dir"
            raise _not_found(info, root, why) from error


def _not_found(info: DatasetInfo, root: Path, why: str) -> DataError:
    hint = where_else(root, info.name) or "try the data set digits (--dataset digits), which needs no download"
    return DataError(f"{info.name}: not found in {root}, and {why}; {hint}")


def _mirrors(mirrors: Sequence[str]) -> list[str]:
    """What there is by https comes first: a plain one tells everybody between, and is last."""
    all_ = [*mirrors, *(_SECURE[mirror] for mirror in mirrors if mirror in _SECURE)]
    return sorted(all_, key=lambda mirror: not mirror.startswith("https:"))


def _size_of(info: DatasetInfo, archive: str) -> int:
    """Bytes of an unpacked file: a header of four bytes and four for each axis, and a byte for each pixel or label."""
    samples = info.train_size if archive.startswith("train-") else info.val_size
    return 16 + samples * info.num_inputs if "-images-" in archive else 8 + samples


def _unpack(info: DatasetInfo, archive: Path, target: Path, cancelled: Callable[[], bool]) -> None:
    """Unpacks no more than a byte above what the file should have."""
    left = _size_of(info, archive.name) + 1
    try:
        with gzip.open(archive) as packed, target.open("wb") as file:
            while left and (chunk := packed.read(min(CHUNK, left))):
                if cancelled():
                    raise LoadCancelled
                file.write(chunk)
                left -= len(chunk)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _broken(info, archive, str(error)) from error


def _check_file(info: DatasetInfo, path: Path, shape: tuple[int, ...]) -> None:
    """Compares an IDX file of bytes with the `shape` that it should have, so that a wrong one is named."""
    header = struct.pack(f">4B{len(shape)}I", 0, 0, 8, len(shape), *shape)
    size = len(header) + torch.Size(shape).numel()
    try:
        found = path.stat()
        if words := kind(found.st_mode):
            raise _broken(info, path, f"it is {words}, not a file")
        with path.open("rb") as file:
            start = file.read(len(header))
        actual = found.st_size
    except OSError as error:
        raise _unreadable(info, error) from error
    if actual != size:
        raise _broken(info, path, f"it has {actual} bytes instead of {size}")
    if start != header:
        raise _broken(info, path, f"it does not begin like a file of {' × '.join(map(str, shape))} bytes")


def _broken(info: DatasetInfo, path: Path, why: str) -> DataError:
    return DataError(f"{info.name}: {path} is damaged or foreign ({why}); delete it to download it again")


def _unreadable(info: DatasetInfo, error: OSError) -> DataError:
    return DataError(
        f"{info.name}: {error.filename} cannot be read ({error.strerror or error}); "
        "make it readable, or delete it to download it again"
    )
