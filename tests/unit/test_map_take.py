"""A cell of a map as a run of its own: the same network, trained alone, and stored."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from d2ltui.cli.map_take import cell_at
from d2ltui.data import load
from d2ltui.engine.control import Control
from d2ltui.engine.population import Block, EpochFigures, Population
from d2ltui.spec.axes import parse_axis
from d2ltui.spec.config import resolve
from d2ltui.spec.maps import MapSpec, runs_of
from d2ltui.store import home, maps
from d2ltui.store.errors import NotAllowed
from d2ltui.store.reader import RunReader
from tests.commands import Command


def stored() -> MapSpec:
    given = {"dataset": "circles", "hidden": "8", "epochs": 20, "batch_size": 100, "device": "cpu", "init": "normal"}
    spec = MapSpec(
        resolve({**given, "dropout": "0.2", "threads": 1}),
        parse_axis("x", "lr=0.01:1:4"),
        parse_axis("y", "init_std=0.1:1:3"),
        2,
    )
    made = maps.StoredMap.create(spec)
    usual = dict.fromkeys(("dead", "saturated", "gradient-ratio", "finding"))
    for row in range(3):
        made.add({(1, row): {**usual, "val_accuracy": 0.5 + row / 10, "val_loss": 0.5, "train_loss": 0.5,
                             "status": "finished"}})  # fmt: skip
    made.close()
    return spec


class Losses:
    """Keeps the losses of one member."""

    def __init__(self, member: int) -> None:
        self.member, self.found = member, list[float]()

    def steps(self, members: Any, block: Block) -> None:
        self.found += block.losses[:, list(members).index(self.member)].tolist()

    def epoch(self, members: Any, number: int, figures: EpochFigures) -> None:
        pass

    def between(self) -> None:
        pass


@pytest.mark.parametrize("place", ["0.04642,1", "best"])
def test_it_is_the_member_of_the_map(place: str, command: Command) -> None:
    spec = stored()
    status, out, err = command("map", "--resume", "map-1", "--take", place, "--json", "--quiet")
    assert (status, err.count("alarm")) == (0, 1)  # it had too few steps
    name = json.loads(out.splitlines()[-1])["run"]
    with RunReader(home.path_of(name)) as reader:
        alone, config = reader.live.losses.values()[:100].copy(), reader.live.config
    cells = runs_of(spec)
    assert config == cells[1, 2][0]
    members = [one for runs in cells.values() for one in runs]
    watcher = Losses(members.index(config))
    data = {one.seed: load(one) for one in members}
    Population(members, [data[one.seed] for one in members], torch.device("cpu"), Control()).train(watcher)
    assert len(alone) == 100
    np.testing.assert_allclose(alone, watcher.found[:100], rtol=1e-4)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("7", "take: '7' is not allowed; allowed: a value of lr, a comma, and one of init_std, or best"),
        ("0.5,1", "take: lr '0.5' is not on the map; allowed: 0.01, 0.04642, 0.2154, 1"),
        ("1,nan", "take: init_std 'nan' is not on the map"),
    ],
)
def test_what_is_no_cell(place: str, said: str) -> None:
    spec = MapSpec(resolve({}), parse_axis("x", "lr=0.01:1:4"), parse_axis("y", "init_std=0.1:1:3"), 1)
    with pytest.raises(NotAllowed) as caught:
        cell_at(spec, place)
    assert str(caught.value).startswith(said)
    assert cell_at(spec, " 1, 0.1") == (3, 0)
