"""Many networks at once: seeds together beside one run, and a map."""

from __future__ import annotations

import itertools
import statistics
import time

import msgspec
import torch

from d2ltui.engine.control import Control
from d2ltui.engine.map import MapTraining
from d2ltui.engine.trainer import Trainer
from d2ltui.runner.together import train_slice
from d2ltui.spec import events
from d2ltui.spec.axes import base_config, cell_config, parse_axis
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.spec.cores import available_cores

from .context import Context
from .figures import Figure

SEEDS = 8
ROUNDS = 5
# Long enough that a machine's noise does not decide.
SETTINGS: dict[str, tuple[dict[str, object], float]] = {
    "linear": ({"model": "linear", "epochs": 60}, 1.0),
    "digits": ({"dataset": "digits", "epochs": 15}, 3.0),
}
MAP = ({"dataset": "circles", "hidden": "32,32", "epochs": 60}, "lr=1e-3:10:16", "init_std=1e-2:3:16")
MAP_ROUNDS = 3


def population(context: Context) -> list[Figure]:
    """Eight seeds trained together, divided by one run alone: by the clock of training, in turns."""
    figures = []
    for name, (given, goal) in SETTINGS.items():
        config = resolve({**given, "device": "cpu"})
        ratios, speeds = [], []
        _alone(config)  # both begin with everything imported
        for _ in range(ROUNDS * context.repeat):
            alone, many = _alone(config), _together(config)
            ratios.append(many / alone)
            speeds.append(SEEDS * config.total_steps / many)
        details = {"network-steps a second": round(statistics.median(speeds))}
        figures.append(Figure(f"{SEEDS} seeds ÷ one run, {name}", ratios, at_most=goal, details=details))
    return figures


def _alone(config: RunConfig) -> float:
    return float(str(Trainer(config, Control(), [], sample_every=None).run().summary["seconds"]))


def _together(config: RunConfig) -> float:
    configs = [msgspec.structs.replace(config, seed=seed) for seed in range(SEEDS)]
    ended: list[events.RunEnded] = []

    def keep(event: events.Event) -> None:
        if isinstance(event, events.RunEnded):
            ended.append(event)

    controls = [Control() for _ in configs]
    assert train_slice(configs, Control(), [[keep] for _ in configs], controls, [None] * SEEDS)
    return sum(float(str(one.summary["seconds"])) for one in ended)


def a_map(context: Context) -> list[Figure]:
    """Sixteen by sixteen networks on two circles."""
    given, x_text, y_text = MAP
    x, y = parse_axis("x", x_text), parse_axis("y", y_text)
    base = base_config({**given, "device": "cpu"}, x, y)
    places = itertools.product(range(len(x.values)), range(len(y.values)))
    cells = {(i, j): [cell_config(base, x, y, i, j, given)] for i, j in places}
    workers, seconds, steps = min(2, available_cores()), [], 0
    threads = torch.get_num_threads()
    for _ in range(MAP_ROUNDS * context.repeat):
        training = MapTraining(cells, Control(), workers)
        began = time.perf_counter()
        assert training.train(lambda ready: None)
        seconds.append(time.perf_counter() - began)
        steps = training.steps
    torch.set_num_threads(threads)
    details = {"network-steps a second": round(steps / statistics.median(seconds)), "threads": workers}
    name = f"map of {len(x.values)} × {len(y.values)} on circles, {base.epochs} epochs"
    return [Figure(name, seconds, at_most=8.0, unit="s", details=details)]
