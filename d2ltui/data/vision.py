"""torchvision's data sets, of its own files where they are already there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from d2ltui.data import DataError, Dataset, LoadCancelled, Progress, idx, images
from d2ltui.data.archives import Files, leaving_no_empty_folder
from d2ltui.spec.datasets import DatasetInfo, Params
from d2ltui.spec.folders import home_of
from d2ltui.spec.language import _
from d2ltui.spec.text import quoted

_LOADERS: dict[str, Callable[[Files], list[Tensor]]] = {
    "mnist": idx.load_mnist,
    "fashion-mnist": idx.load_mnist,
    "kmnist": idx.load_mnist,
    "emnist-letters": idx.load_emnist_letters,
    "qmnist": idx.load_qmnist,
    "cifar10": images.load_cifar10,
    "svhn": images.load_svhn,
    "usps": images.load_usps,
}


def load(info: DatasetInfo, params: Params, progress: Progress, cancelled: Callable[[], bool]) -> Dataset:
    """Both parts of `info`, pixels in 0…1, from torchvision's root `params["data_dir"]` (None: see `data_root`).

    Raises:
        DataError: where the files are neither there nor to be had, or not what they should be.
        LoadCancelled: when `cancelled()` turns true.
    """
    root = data_root(params["data_dir"])
    with leaving_no_empty_folder(root / home_of(info.name)):
        x_train, y_train, x_val, y_val = _LOADERS[info.name](Files(info, root, progress, cancelled))
    if cancelled():
        raise LoadCancelled
    return Dataset(info, x_train, y_train, x_val, y_val)


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
                raise DataError(
                    _("{name}: {value} is not allowed; allowed: an existing, readable directory").format(
                        name=name, value=quoted(value)
                    )
                )
            return root
    import platformdirs

    return platformdirs.user_cache_path("d2ltui") / "data"
