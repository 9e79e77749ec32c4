"""The data of a run as code: where it comes from, how it is split, and its normalisation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import platformdirs

from d2ltui.spec.config import RunConfig
from d2ltui.spec.datasets import DATASET_SOURCES, DatasetInfo
from d2ltui.spec.folders import FOLDERS
from d2ltui.spec.synthetic import FUNCTION_FROM, FUNCTION_TO, FUNCTIONS
from d2ltui.spec.versions import plain_config


class Data(NamedTuple):
    """Imports, and what follows them; the packages that it needs beside PyTorch, in words."""

    imports: tuple[str, ...]
    text: str
    needs: str = ""


def data_of(config: RunConfig, seed: int) -> Data:
    """Code that makes X_train, y_train, X_val and y_val. `seed` is what the run draws its data with."""
    info = config.dataset_info
    loader = DATASET_SOURCES[config.dataset].loader
    make = _OWN.get(info.name) if loader.startswith("d2ltui.data.") else None
    return make(info, config, seed) if make is not None else _other(config)


def _synthetic_linear(info: DatasetInfo, config: RunConfig, seed: int) -> Data:
    n, total = info.train_size, info.train_size + info.val_size
    return Data(
        (),
        f"""
        generator = torch.Generator().manual_seed({seed})
        true_w, true_b = torch.tensor([[2.0], [-3.4]]), torch.tensor([4.2])
        X = torch.randn({total}, 2, generator=generator)
        y = X @ true_w + true_b + {config.noise!r} * torch.randn({total}, 1, generator=generator)
        X_train, y_train, X_val, y_val = X[:{n}], y[:{n}], X[{n}:], y[{n}:]
        """,
    )


def _function(info: DatasetInfo, config: RunConfig, seed: int) -> Data:
    n, total = info.train_size, info.train_size + info.val_size
    _, code = FUNCTIONS[config.function]
    return Data(
        (),
        f"""
        generator = torch.Generator().manual_seed({seed})
        x = {FUNCTION_FROM!r} + {FUNCTION_TO - FUNCTION_FROM!r} * torch.rand({total}, 1, generator=generator)
        y = {code} + {config.noise!r} * torch.randn({total}, 1, generator=generator)
        X_train, y_train, X_val, y_val = x[:{n}], y[:{n}], x[{n}:], y[{n}:]
        """,
    )


_SPLIT = """
X_train, X_val, y_train, y_val = train_test_split(
    X, y, train_size={info.train_size}, test_size={info.val_size}, random_state=0{stratify}
)
"""
_STANDARDISE = """
mean, sd = {0}_train.mean(axis=0), {0}_train.std(axis=0)  # of the training part alone
{0}_train, {0}_val = ({0}_train - mean) / sd, ({0}_val - mean) / sd
"""
_INPUTS = """
X_train, X_val = torch.tensor(X_train, dtype=torch.float32), torch.tensor(X_val, dtype=torch.float32)
"""
_CLASSES = "y_train, y_val = torch.tensor(y_train), torch.tensor(y_val)\n"
_NUMBERS = "y_train, y_val = torch.tensor(y_train, dtype=torch.float32), torch.tensor(y_val, dtype=torch.float32)\n"


def _of_sklearn(
    making: str, names: str, *, standardise: bool = True, numpy: bool = False
) -> Callable[[DatasetInfo, RunConfig, int], Data]:
    def make(info: DatasetInfo, config: RunConfig, seed: int) -> Data:
        classes = info.task == "classification"
        total = info.train_size + info.val_size
        text = making.strip("\n").format(info=info, config=config, total=total, seed=seed) + "\n"
        text += _SPLIT.strip("\n").format(info=info, stratify=", stratify=y" if classes else "") + "\n"
        text += _STANDARDISE.strip("\n").format("X") + "\n" if standardise else ""
        text += "" if classes else _STANDARDISE.strip("\n").format("y") + "\n"
        text += _INPUTS.strip("\n") + "\n" + (_CLASSES if classes else _NUMBERS)
        imports = (
            *(["import numpy as np"] if numpy else []),
            *([f"from sklearn.datasets import {names}"] if names else []),
            "from sklearn.model_selection import train_test_split",
        )
        why = "which the data comes from" if names else "which splits the data"
        return Data(imports, text, f"scikit-learn, {why}")

    return make


def _folder(config: RunConfig) -> str:
    """torchvision's root, as the script says it."""
    if config.data_dir is not None:
        return f"Path({str(Path(config.data_dir).expanduser().absolute())!r})"
    cache = platformdirs.user_cache_path("d2ltui") / "data"
    try:
        usual = "~/" + cache.relative_to(Path.home()).as_posix()
    except ValueError:
        usual = str(cache)
    return f'Path(os.environ.get("D2LTUI_DATA_DIR") or {usual!r}).expanduser()'


_TORCHVISION = {
    "mnist": "datasets.MNIST(root, download=True)",
    "fashion-mnist": "datasets.FashionMNIST(root, download=True)",
    "kmnist": "datasets.KMNIST(root, download=True)",
    "emnist-letters": 'datasets.EMNIST(root, split="letters", download=True)',
    "qmnist": 'for part in ("train", "test"):\n        datasets.QMNIST(root, what=part, download=True)',
}
_ROOT = """
root = {root}  # torchvision's
if not (root / {there!r}).exists():
    from torchvision import datasets  # which downloads the files

    {download}

"""
_READ_IDX = '''
def read_idx(name):
    """The numbers in a file of the format IDX: how many dimensions, their sizes, and then the bytes."""
    data = (root / {folder!r} / name).read_bytes()
    start = 4 + 4 * data[3]
    shape = [int.from_bytes(data[i : i + 4], "big") for i in range(4, start, 4)]
    return torch.frombuffer(bytearray(data[start:]), dtype=torch.uint8).reshape(*shape, {last})

'''
_PIXELS = """
X_train, X_val = (X.reshape(len(X), -1).to(torch.float32) / 255 for X in (X_train, X_val))
"""


def _idx(
    names: tuple[str, str, str, str], labels: str, images: str = ""
) -> Callable[[DatasetInfo, RunConfig, int], Data]:
    def make(info: DatasetInfo, config: RunConfig, seed: int) -> Data:
        folder = f"{FOLDERS[info.name]}/raw"
        qmnist = info.name == "qmnist"
        text = _ROOT.strip("\n").format(
            root=_folder(config), there=f"{folder}/{names[0]}", download=_TORCHVISION[info.name]
        )
        read = _READ_IDX.format(folder=folder, last="-1").replace(", -1)", ")")
        if qmnist:  # whose labels are whole numbers of four bytes
            read = read.replace(".reshape(*shape)", ".reshape(*shape, -1)")
        text += "\n\n" + read + "\n"
        text += f'X_train, y_train = read_idx("{names[0]}"){images}, read_idx("{names[1]}"){labels}\n'
        text += f'X_val, y_val = read_idx("{names[2]}"){images}, read_idx("{names[3]}"){labels}\n'
        text += _PIXELS.strip("\n") + "\n"
        imports = ("import os", "from pathlib import Path") if "os.environ" in text else ("from pathlib import Path",)
        return Data(imports, text, "torchvision, if the images are not there yet")

    return make


def _of_files(config: RunConfig, there: str, download: str, reading: str) -> str:
    """What reads pictures and labels from files by `reading`, after `download` where `there` is not there."""
    found = _ROOT.strip("\n").format(root=_folder(config), there=there, download=download)
    return f"{found}\n\n\n" + reading.strip("\n") + "\n" + _PIXELS.strip("\n") + "\n"


_CIFAR = """
def read_batch(name):
    with open(root / "cifar-10-batches-py" / name, "rb") as file:
        batch = pickle.load(file, encoding="bytes")
    return torch.from_numpy(batch[b"data"]), torch.tensor(batch[b"labels"])


X_train, y_train = (torch.cat(parts) for parts in zip(*(read_batch(f"data_batch_{i}") for i in range(1, 6))))
X_val, y_val = read_batch("test_batch")
"""


def _cifar10(info: DatasetInfo, config: RunConfig, seed: int) -> Data:
    there = "cifar-10-batches-py/test_batch"
    text = _of_files(config, there, "datasets.CIFAR10(root, download=True)", _CIFAR)
    return Data(
        ("import os", "import pickle", "from pathlib import Path"),
        text,
        "numpy, and torchvision, if the images are not there yet",
    )


_SVHN = """
def read_part(name):
    part = loadmat(root / name)
    images = torch.from_numpy(part["X"]).permute(3, 2, 0, 1)
    return images, torch.from_numpy(part["y"]).to(torch.int64).flatten() % 10  # 0 has the label 10


X_train, y_train = read_part("train_32x32.mat")
X_val, y_val = read_part("test_32x32.mat")
"""


def _svhn(info: DatasetInfo, config: RunConfig, seed: int) -> Data:
    download = 'for part in ("train", "test"):\n        datasets.SVHN(root, split=part, download=True)'
    text = _of_files(config, "test_32x32.mat", download, _SVHN)
    imports = ("import os", "from pathlib import Path", "from scipy.io import loadmat")
    return Data(imports, text, "SciPy, which reads the files, and torchvision, if they are not there yet")


_USPS = """
def read_part(name):
    \"\"\"A line for each picture: its label, from 1, and `number:value` for each pixel, from −1 to 1.\"\"\"
    with bz2.open(root / name, "rt") as file:
        lines = [line.split() for line in file]
    X = torch.zeros(len(lines), 256)
    for row, (_, *pixels) in zip(X, lines):
        for number, value in (pixel.split(":") for pixel in pixels):
            row[int(number) - 1] = float(value)
    levels = ((X + 1) / 2 * 255).to(torch.uint8)
    return levels, torch.tensor([int(float(label)) - 1 for label, *_ in lines])


X_train, y_train = read_part("usps.bz2")
X_val, y_val = read_part("usps.t.bz2")
"""


def _usps(info: DatasetInfo, config: RunConfig, seed: int) -> Data:
    download = "for train in (True, False):\n        datasets.USPS(root, train=train, download=True)"
    text = _of_files(config, "usps.t.bz2", download, _USPS)
    return Data(
        ("import bz2", "import os", "from pathlib import Path"), text, "torchvision, if the images are not there yet"
    )


def _other(config: RunConfig) -> Data:
    """A data set of another package, which only that package can make."""
    given = {field: value for field, value in plain_config(config).items() if field not in ("device", "threads")}
    return Data(
        ("from d2ltui.data import load", "from d2ltui.spec.config import resolve"),
        f"""
        data = load(resolve({given!r}, unused=True))
        X_train, y_train, X_val, y_val = data.x_train, data.y_train, data.x_val, data.y_val
        """,
        f"d2ltui and the package that brings the data set {config.dataset}",
    )


_MNIST_FILES = (
    "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
)  # fmt: skip
_SPIRALS = """
rng = np.random.default_rng({seed})
y = np.arange({total}) % {info.num_outputs}
radius = rng.uniform(0.1, 1.0, {total})
angle = 2 * math.pi * ({config.turns!r} * radius + y / {info.num_outputs})
X = radius[:, None] * np.stack((np.cos(angle), np.sin(angle)), axis=1)
X = X + rng.normal(0.0, {config.noise!r}, X.shape)
"""
_OWN: dict[str, Callable[[DatasetInfo, RunConfig, int], Data]] = {
    "synthetic-linear": _synthetic_linear,
    "function": _function,
    "moons": _of_sklearn("X, y = make_moons({total}, noise={config.noise!r}, random_state={seed})", "make_moons"),
    "circles": _of_sklearn(
        "X, y = make_circles({total}, noise={config.noise!r}, factor={config.factor!r}, random_state={seed})",
        "make_circles",
    ),
    "spirals": _of_sklearn(_SPIRALS, "", numpy=True),
    "digits": _of_sklearn(
        "X, y = load_digits(return_X_y=True)\nX = X / 16  # pixels from 0…16 to 0…1", "load_digits", standardise=False
    ),
    "diabetes": _of_sklearn("X, y = load_diabetes(return_X_y=True)\ny = y.reshape(-1, 1)", "load_diabetes"),
    "mnist": _idx(_MNIST_FILES, ".long()"),
    "fashion-mnist": _idx(_MNIST_FILES, ".long()"),
    "kmnist": _idx(_MNIST_FILES, ".long()"),
    "emnist-letters": _idx(
        (
            "emnist-letters-train-images-idx3-ubyte", "emnist-letters-train-labels-idx1-ubyte",
            "emnist-letters-test-images-idx3-ubyte", "emnist-letters-test-labels-idx1-ubyte",
        ),
        ".long() - 1",
        ".transpose(1, 2)",
    ),
    "qmnist": _idx(
        (
            "qmnist-train-images-idx3-ubyte", "qmnist-train-labels-idx2-int",
            "qmnist-test-images-idx3-ubyte", "qmnist-test-labels-idx2-int",
        ),
        "[:, 0, 3].long()",
    ),
    "cifar10": _cifar10,
    "svhn": _svhn,
    "usps": _usps,
}  # fmt: skip
