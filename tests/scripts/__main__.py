"""Whether exported scripts come to the figures of their runs: `python -m tests.scripts [EPOCHS] [DATASET…]`.

Every model, data set, optimiser and implementation; each activation, initialisation and schedule with every optimiser;
weight decay, clipping and dropout. A row for each run whose script does not agree to the digits shown.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator

from d2ltui.spec import catalogue
from d2ltui.spec.activations import ACTIVATIONS
from d2ltui.spec.comparison import beside_concise
from d2ltui.spec.config import RunConfig, check_environment, resolve
from d2ltui.spec.models import MODELS
from d2ltui.spec.parsing import ConfigError
from tests.scripts import of_run, of_script

_SAME = "but for rounding"


def combinations(epochs: int) -> Iterator[RunConfig]:
    """The runs, tiny ones."""
    tiny = {"device": "cpu", "threads": 1, "epochs": epochs, "hidden": "8,8", "batch_size": 100}
    optimizers = list(catalogue.OPTIMIZERS)
    for model, optimizer in itertools.product(MODELS, optimizers):
        for dataset, implementation in itertools.product(catalogue.datasets_for(model), ("concise", "scratch")):
            if catalogue.DATASETS[dataset].downloaded and optimizer not in ("sgd", "adam"):
                continue
            given = {**tiny, "model": model, "dataset": dataset, "implementation": implementation}
            yield from _allowed({**given, "optimizer": optimizer})
            yield from _allowed({**given, "optimizer": optimizer, "weight_decay": 0.01, "init": "xavier"})
    mlp = {**tiny, "dataset": "moons"}
    for optimizer, implementation in itertools.product(optimizers, ("concise", "scratch")):
        given = {**mlp, "optimizer": optimizer, "implementation": implementation}
        for activation, init in itertools.product(ACTIVATIONS, catalogue.INITS):
            yield from _allowed({**given, "activation": activation, "init": init})
        for schedule, decay, clip, drop in itertools.product(catalogue.SCHEDULES, (0, 0.1), (0, 0.5), (0, 0.3)):
            more = {"schedule": schedule, "weight_decay": decay, "clip_norm": clip, "dropout": drop, "init": "kaiming"}
            yield from _allowed({**given, **more})


def _allowed(given: dict[str, object]) -> Iterator[RunConfig]:
    try:
        config = resolve(given, unused=True)
        check_environment(config)
    except ConfigError:
        return
    yield config


def main() -> int:
    """The table; 1 where a script does not agree."""
    epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    here = sys.argv[2:]  # data sets that are downloaded, and are here
    runs = agree = same = both = missing = 0
    for config in combinations(epochs):
        if config.dataset_info.downloaded and config.dataset not in here:
            missing += 1
            continue
        runs += 1
        wanted, found = of_run(config), of_script(config)
        agree += wanted == found
        if wanted != found:
            print("differs:", config, wanted, found, sep="\n  ", flush=True)
        if _SAME in beside_concise(config):
            both += 1
            other = of_script(config, "scratch" if config.implementation == "concise" else "concise")
            same += other == wanted
            if other != wanted:
                print("the other implementation differs:", config, wanted, other, sep="\n  ", flush=True)
    print(f"{agree} of {runs} scripts come to the figures of their runs, after {epochs} epochs")
    print(f"{same} of {both} that shall do so with the other implementation, too")
    print(f"{missing} of data sets that are not here")
    return int(agree < runs)


if __name__ == "__main__":
    sys.exit(main())
