"""torchvision's files: fetched where they are missing, unpacked within bounds, and named where something is wrong.

torchvision's own download prints a bar, has no timeout, no limit and cannot be stopped, so the files are fetched by
`download`, from the places in `sources`, and checked against the sums there.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import hashlib
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from d2ltui.data import DataError, LoadCancelled, Progress, download
from d2ltui.data.sources import Source
from d2ltui.spec.datasets import DatasetInfo
from d2ltui.spec.files import kind
from d2ltui.spec.folders import where_else
from d2ltui.spec.language import _

CHUNK = 1024 * 1024  # bytes
MORE = 1024 * 1024  # bytes by which an archive may be larger than what it holds, with much to spare
# Where the same files are to be had by https, for a place that is named without it.
_SECURE = {
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/": (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"
    ),
    "http://codh.rois.ac.jp/": "https://codh.rois.ac.jp/",
    "http://ufldl.stanford.edu/": "https://ufldl.stanford.edu/",
}


@dataclass(frozen=True)
class Files:
    """The files of the data set `info` below torchvision's `root`, for one loading of it."""

    info: DatasetInfo
    root: Path
    progress: Progress
    cancelled: Callable[[], bool]

    @contextlib.contextmanager
    def archive(self, folder: Path, source: Source, limit: int) -> Iterator[tuple[Path, Path]]:
        """The archive `source`, of `limit` bytes at most: the one in `folder`, or else it is downloaded.

        Yields its path, and that of a temporary folder within `folder`, where it lies if it came by a download. What
        is unpacked there and then moved leaves nothing behind that looks whole after an interruption.

        Raises:
            DataError: where it is not to be had, or `folder` cannot be written.
            LoadCancelled: soon after `cancelled()` has turned true.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as temporary:
                path = folder / source.name
                if not is_whole(path, source.md5):
                    path = Path(temporary) / source.name
                    reasons = download.fetch(
                        secure_first(source.urls),
                        path,
                        functools.partial(is_whole, md5=source.md5),
                        limit,
                        _("{name}: downloading {file}").format(name=self.info.name, file=source.name),
                        self.progress,
                        self.cancelled,
                    )
                    if reasons:
                        raise self._not_found(
                            _("could not be downloaded from {reasons}").format(reasons=_(" or ").join(reasons))
                        )
                yield path, Path(temporary)
        except OSError as error:
            where = error.filename or folder
            why = _("{where} cannot be written ({reason}); choose another --data-dir").format(
                where=where, reason=error.strerror or error
            )
            raise self._not_found(why) from error

    def copy(self, packed: IO[bytes] | gzip.GzipFile, target: Path, limit: int) -> None:
        """Unpack no more than a byte above `limit` into `target`: one too many is noticed where it is read."""
        left = limit + 1
        with target.open("wb") as file:
            while left and (chunk := packed.read(min(CHUNK, left))):
                if self.cancelled():
                    raise LoadCancelled
                file.write(chunk)
                left -= len(chunk)

    def gunzip(self, packed: Path | IO[bytes], target: Path, limit: int, name: Path) -> None:
        """Unpack a gzip file as `copy` does; `name` is what it is called where it is damaged."""
        try:
            with gzip.open(packed) as file:
                self.copy(file, target, limit)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self.broken(name, str(error)) from error

    @contextlib.contextmanager
    def reading(self, path: Path) -> Iterator[None]:
        """Whatever cannot be read meanwhile is told with its name; what is at `path` and no file is not even opened."""
        try:
            if words := kind(path.stat().st_mode):
                raise self.broken(path, _("it is {words}, not a file").format(words=words))
            yield
        except OSError as error:
            raise DataError(
                _(
                    "{name}: {filename} cannot be read ({reason}); make it readable, or delete it to download it again"
                ).format(name=self.info.name, filename=error.filename or path, reason=error.strerror or error)
            ) from error

    def broken(self, path: Path, why: str) -> DataError:
        """The error for a file that is not what it should be."""
        return DataError(
            _("{name}: {path} is damaged or foreign ({why}); delete it to download it again").format(
                name=self.info.name, path=path, why=why
            )
        )

    def check_labels(self, path: Path, smallest: int, largest: int) -> None:
        """That the labels in `path` are of the data set's classes."""
        for label in (smallest, largest):
            if not 0 <= label < self.info.num_outputs:
                raise self.broken(path, _("it has a label {label}").format(label=label))

    def _not_found(self, why: str) -> DataError:
        elsewhere = where_else(self.root, self.info.name)
        hint = elsewhere or _("try the data set digits (--dataset digits), which needs no download")
        return DataError(
            _("{name}: not found in {root}, and {why}; {hint}").format(
                name=self.info.name, root=self.root, why=why, hint=hint
            )
        )


def is_whole(path: Path, md5: str) -> bool:
    """Whether there is a file at `path`, and it has this MD5 sum (hexadecimal).

    Raises:
        OSError: where it cannot be read.
    """
    if not os.path.isfile(path):
        return False
    found = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            found.update(chunk)
    return found.hexdigest() == md5


def secure_first(urls: Sequence[str]) -> list[str]:
    """What there is by https comes first: plain http tells everybody in between, and is last."""
    secure = [url.replace(plain, other) for url in urls for plain, other in _SECURE.items() if url.startswith(plain)]
    return sorted([*urls, *secure], key=lambda url: not url.startswith("https:"))


@contextlib.contextmanager
def leaving_no_empty_folder(folder: Path) -> Iterator[None]:
    """Folders on the way to `folder` that are made meanwhile go again where nothing has come into them."""
    made = [path for path in (folder, *folder.parents) if not os.path.exists(path)]
    try:
        yield
    finally:
        for path in made:
            with contextlib.suppress(OSError):
                path.rmdir()
