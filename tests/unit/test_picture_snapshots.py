"""Every picture of a trained network in terminals of four sizes, character by character, zoomed to the whole window.

The pictures are text files in `pictures/`, as they are without colours. After a change that is meant,
`pytest tests/unit/test_picture_snapshots.py --update-screens` takes them anew; look at them before you commit them.
"""

from __future__ import annotations

import difflib
import functools
import itertools
import re
from pathlib import Path

import pytest
import torch
from runs import run
from torch import nn

from d2ltui.charts.canvas import Look
from d2ltui.charts.picture import area, draw_picture
from d2ltui.data import Dataset, load
from d2ltui.nn import Network, build
from d2ltui.pictures.make import make
from d2ltui.pictures.subject import Subject
from d2ltui.spec.config import resolve
from d2ltui.spec.pictures import PictureRequest, picture_kinds

PICTURES = Path(__file__).parent / "pictures"
SIZES = ((80, 24), (100, 30), (120, 40), (200, 60))
FRAME = (4, 6)  # columns and lines of a terminal that are not the zoomed pane's own
# Of the characters of a picture of one size: another processor rounds other sums, and a step later the next ones.
ROUNDING = 0.02
RUNS: dict[str, dict[str, object]] = {
    "moons": {"model": "mlp", "dataset": "moons", "hidden": "8,8", "epochs": 20},
    "function": {"model": "mlp", "dataset": "function", "hidden": "16", "activation": "tanh", "epochs": 60},
    "linear": {"model": "linear", "dataset": "synthetic-linear", "epochs": 1},
    "digits": {"model": "mlp", "dataset": "digits", "hidden": "24", "epochs": 3},
}
LENET: dict[str, object] = {"model": "lenet", "dataset": "mnist", "activation": "relu", "init": "xavier"}


@functools.cache
def subject_of(name: str) -> tuple[Subject, tuple[str, ...]]:
    """A network with its samples, and the kinds of picture that there are of it."""
    if name == "lenet":
        network, data = _lenet()
    else:
        config = resolve({**RUNS[name], "device": "cpu", "threads": 1})
        network, data = run(config, sample_every=None)[0].network, load(config)
    kinds = picture_kinds(data.info, network.plan, chain=True)
    return Subject.of(network, data, torch.device("cpu")), tuple(kind.name for kind in kinds)


def _lenet() -> tuple[Network, Dataset]:
    """Not trained, with digits as large as those that it is made for."""
    config, digits = resolve(LENET), load(resolve({"dataset": "digits"}))
    x = digits.x_val[:200].reshape(-1, 1, 8, 8).repeat_interleave(3, 2).repeat_interleave(3, 3)
    x, y = nn.functional.pad(x, (2, 2, 2, 2)).flatten(1), digits.y_val[:200]
    return build(config, dataset=config.dataset_info), Dataset(config.dataset_info, x, y, x, y)


@pytest.mark.parametrize("name", [*RUNS, "lenet"])
def test_every_picture_looks_as_it_did(name: str, request: pytest.FixtureRequest) -> None:
    subject, kinds = subject_of(name)
    changes: list[str] = []
    for kind in kinds:
        path = PICTURES / f"{name}-{kind}.txt"
        now = "\n\n".join(_drawn(subject, kind, *size) for size in SIZES) + "\n"
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        if request.config.getoption("--update-screens"):
            PICTURES.mkdir(exist_ok=True)
            path.write_text(now, encoding="utf-8")
        elif not _alike(before, now):
            named = {"fromfile": path.name, "tofile": "now", "lineterm": ""}
            changes += difflib.unified_diff(before.splitlines(), now.splitlines(), **named)
    assert not changes, "\n".join(changes)
    assert {path.name for path in PICTURES.glob(f"{name}-*.txt")} == {f"{name}-{kind}.txt" for kind in kinds}


def _drawn(subject: Subject, kind: str, columns: int, lines: int) -> str:
    width, height = columns - FRAME[0], lines - FRAME[1]
    made = make(subject, PictureRequest(kind, *area(width, height)), 1)
    assert made.picture is not None, made.problem
    drawing = draw_picture(made.picture, width, height, Look(colours=False))
    text = "\n".join("".join(part for _, part in line).rstrip() for line in drawing)
    return f"{columns}x{lines}\n{text}"


def _alike(before: str, now: str) -> bool:
    """But for rounding: in each size as many lines, and hardly another character in them."""
    old, new = (re.split(r"^(\d+x\d+)$", text, flags=re.MULTILINE) for text in (before, now))
    return len(old) == len(new) and all(map(_alike_in_one_size, old, new))


def _alike_in_one_size(before: str, now: str) -> bool:
    pairs = list(itertools.zip_longest(before.splitlines(), now.splitlines()))
    if any(line is None for pair in pairs for line in pair):
        return False
    others = sum(a != b for old, new in pairs for a, b in itertools.zip_longest(old, new, fillvalue=" "))
    return others <= ROUNDING * sum(not character.isspace() for character in before)


def test_a_picture_that_is_blank_or_has_other_numbers_is_not_alike() -> None:
    before = (PICTURES / "moons-softmax.txt").read_text(encoding="utf-8")
    small = before[: before.index("100x30")]
    assert _alike(before, before)
    assert not _alike(before, before.replace(small, "80x24\n\n"))
    assert not _alike(before, before.replace("0.989", "0.123"))
