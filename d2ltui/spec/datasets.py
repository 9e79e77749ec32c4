"""The data sets: those that come with the program, and those of other packages.

Those that come with it are loaded by `d2ltui.data.tabular` and `d2ltui.data.vision`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from d2ltui.spec.dataset_source import (
    DATA_FIELDS,
    DatasetInfo,
    DatasetSource,
    DescriptionError,
    Params,
    Task,
    check_source,
)
from d2ltui.spec.registry import Registry
from d2ltui.spec.synthetic import SOURCES

__all__ = [
    "DATASETS",
    "DATASET_SOURCES",
    "DATA_FIELDS",
    "DatasetInfo",
    "DatasetSource",
    "DescriptionError",
    "Params",
    "Task",
]

DATASET_SOURCES: Registry[DatasetSource] = Registry("d2ltui.datasets", DatasetSource, check_source)


class _Descriptions(Mapping[str, DatasetInfo]):
    """Each data set by name, as it is where no parameter is given."""

    def __getitem__(self, name: str) -> DatasetInfo:
        return DATASET_SOURCES[name].info

    def __iter__(self) -> Iterator[str]:
        return iter(DATASET_SOURCES)

    def __len__(self) -> int:
        return len(DATASET_SOURCES)


DATASETS: Mapping[str, DatasetInfo] = _Descriptions()

_FASHION = (
    "t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
_TEN_DIGITS = tuple("0123456789")
_KANA = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
_CIFAR = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_PIXELS = "pixels from 0…255 to 0…1"

for _source in SOURCES:
    DATASET_SOURCES.register(_source)
for _loader, _infos in (
    (
        "d2ltui.data.tabular:load",
        (
            DatasetInfo(
                name="digits",
                title="digits",
                task="classification",
                origin="scikit-learn",
                input_shape=(8, 8),
                num_outputs=10,
                train_size=1437,
                val_size=360,
                normalisation="pixels from 0…16 to 0…1",
                description="real handwritten digits, 8×8 grey levels",
                classes=_TEN_DIGITS,
            ),
            DatasetInfo(
                name="diabetes",
                title="diabetes",
                task="regression",
                origin="scikit-learn",
                input_shape=(10,),
                num_outputs=1,
                train_size=353,
                val_size=89,
                normalisation="inputs and target to mean 0, sd 1",
                description="real patients: ten measurements, and the disease's progress a year later",
            ),
        ),
    ),
    (
        "d2ltui.data.vision:load",
        (
            DatasetInfo(
                name="mnist",
                title="MNIST",
                task="classification",
                origin="torchvision",
                input_shape=(28, 28),
                num_outputs=10,
                train_size=60000,
                val_size=10000,
                normalisation=_PIXELS,
                description="real handwritten digits, 28×28 grey levels; 12 MB, downloaded once",
                downloaded=True,
                classes=_TEN_DIGITS,
            ),
            DatasetInfo(
                name="fashion-mnist",
                title="Fashion-MNIST",
                task="classification",
                origin="torchvision",
                input_shape=(28, 28),
                num_outputs=10,
                train_size=60000,
                val_size=10000,
                normalisation=_PIXELS,
                description="the book's: real pictures of clothes, 28×28 grey levels; 31 MB, downloaded once",
                downloaded=True,
                classes=_FASHION,
            ),
            DatasetInfo(
                name="kmnist",
                title="Kuzushiji-MNIST",
                task="classification",
                origin="torchvision",
                input_shape=(28, 28),
                num_outputs=10,
                train_size=60000,
                val_size=10000,
                normalisation=_PIXELS,
                description="real handwritten Japanese characters, 28×28 grey levels; 21 MB, downloaded once",
                downloaded=True,
                classes=_KANA,
            ),
            DatasetInfo(
                name="emnist-letters",
                title="EMNIST letters",
                task="classification",
                origin="torchvision",
                input_shape=(28, 28),
                num_outputs=26,
                train_size=124800,
                val_size=20800,
                normalisation=_PIXELS,
                description="real handwritten letters, small or capital, 28×28 grey levels; 562 MB, downloaded once",
                downloaded=True,
                classes=tuple("abcdefghijklmnopqrstuvwxyz"),
            ),
            DatasetInfo(
                name="qmnist",
                title="QMNIST",
                task="classification",
                origin="torchvision",
                input_shape=(28, 28),
                num_outputs=10,
                train_size=60000,
                val_size=60000,
                normalisation=_PIXELS,
                description="MNIST with six times its test images, 28×28 grey levels; 21 MB, downloaded once",
                downloaded=True,
                classes=_TEN_DIGITS,
            ),
            DatasetInfo(
                name="cifar10",
                title="CIFAR-10",
                task="classification",
                origin="torchvision",
                input_shape=(3, 32, 32),
                num_outputs=10,
                train_size=50000,
                val_size=10000,
                normalisation=_PIXELS,
                description="real small photographs, 32×32 in red, green and blue; 170 MB, downloaded once",
                downloaded=True,
                classes=_CIFAR,
            ),
            DatasetInfo(
                name="svhn",
                title="SVHN",
                task="classification",
                origin="torchvision",
                input_shape=(3, 32, 32),
                num_outputs=10,
                train_size=73257,
                val_size=26032,
                normalisation=_PIXELS,
                description="real house numbers, 32×32 in red, green and blue; 246 MB, downloaded once",
                downloaded=True,
                classes=_TEN_DIGITS,
            ),
            DatasetInfo(
                name="usps",
                title="USPS",
                task="classification",
                origin="torchvision",
                input_shape=(16, 16),
                num_outputs=10,
                train_size=7291,
                val_size=2007,
                normalisation="pixels from −1…1 to 0…1",
                description="real digits from envelopes, 16×16 grey levels; 8 MB, downloaded once",
                downloaded=True,
                classes=_TEN_DIGITS,
            ),
        ),
    ),
):
    for _info in _infos:
        DATASET_SOURCES.register(DatasetSource(_info, _loader))
