"""MNIST and Fashion-MNIST: torchvision's files and readers, with a download that can be watched and given up.

torchvision's own download prints a bar, has no timeout and cannot be stopped, so the files are fetched here,
from the places that its classes name, checked against the sums that they name, and read by torchvision.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import struct
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch

from d2ltui.data import DataError, Dataset, LoadCancelled, Progress
from d2ltui.nn.import_in_thread import apart
from d2ltui.spec.catalogue import DatasetInfo

TIMEOUT = 10.0  # seconds without a byte
CHUNK = 64 * 1024  # bytes


def load(info: DatasetInfo, data_dir: str | None, progress: Progress, cancelled: Callable[[], bool]) -> Dataset:
    """Both parts of `info`, pixels in 0…1, from torchvision's root `data_dir` (None: see `data_root`).

    Raises:
        DataError: where the files are neither there nor to be had, or not what they should be.
        LoadCancelled: when `cancelled()` turns true.
    """
    root = data_root(data_dir)
    datasets = apart(_torchvision_datasets)
    torchvision_class: Any = {"mnist": datasets.MNIST, "fashion-mnist": datasets.FashionMNIST}[info.name]
    raw = root / torchvision_class.__name__ / "raw"
    with _leaving_no_empty_folder(raw):
        _fetch_missing(info, torchvision_class, root, raw, progress, cancelled)
    parts = []
    for train, prefix, size in ((True, "train", info.train_size), (False, "t10k", info.val_size)):
        if cancelled():
            raise LoadCancelled
        height, width = info.input_shape
        _check_file(info, raw / f"{prefix}-images-idx3-ubyte", (size, height, width))
        _check_file(info, raw / f"{prefix}-labels-idx1-ubyte", (size,))
        try:
            part = torchvision_class(str(root), train=train)
        except OSError as error:
            raise _unreadable(info, error) from error
        largest = int(part.targets.max())
        if largest >= info.num_outputs:
            raise _broken(info, raw / f"{prefix}-labels-idx1-ubyte", f"it has a label {largest}")
        parts += [part.data.reshape(size, -1).to(torch.float32).div_(255.0), part.targets.to(torch.int64)]
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
                raise DataError(f"{name}: '{value}' is not allowed; allowed: an existing, readable directory")
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
    from torchvision.datasets.utils import check_integrity, extract_archive

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
                    _download(info, torchvision_class.mirrors, path, md5, root, progress, cancelled)
                progress(f"{info.name}: unpacking {archive}", None)
                extract_archive(str(path), folder)
                os.replace(Path(folder) / path.stem, raw / path.stem)
        except OSError as error:
            where = error.filename or raw
            raise DataError(
                f"{info.name}: not found in {root}, and {where} cannot be written "
                f"({error.strerror or error}); "
                "choose another --data-dir, or try the data set digits (--dataset digits), which needs no download"
            ) from error


def _download(
    info: DatasetInfo,
    mirrors: list[str],
    path: Path,
    md5: str,
    root: Path,
    progress: Progress,
    cancelled: Callable[[], bool],
) -> None:
    """Fetches `path.name` into `path` from the first of `mirrors` that has it whole and right."""
    from torchvision.datasets.utils import check_integrity

    reasons = []
    for mirror in mirrors:
        try:
            chunks = _open(f"{mirror}{path.name}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            reasons.append(f"{urlsplit(mirror).netloc} ({_reason(error)})")
            continue
        with chunks as response, path.open("wb") as file:
            reason = _copy(response, file, f"{info.name}: downloading {path.name}", progress, cancelled)
        if reason is None and not check_integrity(path, md5):
            reason = f"{path.name} came with a wrong checksum"
        if reason is None:
            return
        reasons.append(f"{urlsplit(mirror).netloc} ({reason})")
    raise DataError(
        f"{info.name}: not found in {root}, and could not be downloaded from {' or '.join(reasons)}; "
        "try the data set digits (--dataset digits), which needs no download"
    )


def _open(url: str) -> Any:
    # Some servers refuse urllib's own name.
    request = urllib.request.Request(url, headers={"User-Agent": "d2ltui"})
    return urllib.request.urlopen(request, timeout=TIMEOUT)


def _copy(response: Any, file: Any, message: str, progress: Progress, cancelled: Callable[[], bool]) -> str | None:
    """Copies the response's body; returns why it is not whole, or None where it is."""
    total, done = response.length, 0
    of = f" of {total / 1e6:.1f}" if total else ""
    while True:
        if cancelled():
            raise LoadCancelled
        progress(f"{message}, {done / 1e6:.1f}{of} MB", done / total if total else None)
        try:
            chunk = response.read1(CHUNK)
        except (OSError, http.client.HTTPException) as error:
            return _reason(error)
        if not chunk:
            break
        file.write(chunk)
        done += len(chunk)
    return f"it ended after {done} of {total} bytes" if total and done < total else None


def _reason(error: BaseException) -> str:
    """Why a download failed, in words."""
    cause = getattr(error, "reason", None) or error
    if isinstance(cause, TimeoutError):
        return f"no answer in {TIMEOUT:g} s"
    return str(getattr(cause, "strerror", None) or cause) or type(cause).__name__


def _check_file(info: DatasetInfo, path: Path, shape: tuple[int, ...]) -> None:
    """Compares an IDX file of bytes with the `shape` that it should have, so that a wrong one is named."""
    header = struct.pack(f">4B{len(shape)}I", 0, 0, 8, len(shape), *shape)
    size = len(header) + torch.Size(shape).numel()
    try:
        with path.open("rb") as file:
            start = file.read(len(header))
        actual = path.stat().st_size
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
