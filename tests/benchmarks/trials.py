"""Whether what lessons propose to try comes as they say: `python -m tests.benchmarks.trials [LESSON …] [--seeds N]`.

Every trial is trained as the application trains it, and judged by what its lesson expects. The exit status is 0 when
every one comes as expected with every seed.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from d2ltui.engine.control import Control
from d2ltui.engine.trainer import Trainer
from d2ltui.history.live import LiveRun
from d2ltui.lessons import LESSONS, Lesson, Trial
from d2ltui.lessons.trial import StoredRuns, Tried
from d2ltui.spec.config import resolve
from d2ltui.spec.header import header_of
from d2ltui.store.listing import RunInfo


def trained(lesson: Lesson, trial: Trial, seed: int) -> RunInfo:
    """The row of a run of `trial`."""
    config = resolve({**lesson.fields_to_try(trial), "seed": seed}, unused=True)
    live = LiveRun(config)
    ended = Trainer(config, Control(), [live], diagnose=True).run()
    figures: dict[str, float] = {}
    header = header_of(config)
    if live.epochs:
        last = live.epochs[-1]
        figures = {
            "train_loss": last.train_loss,
            "val_loss": last.val_loss,
            f"train_{header.metric}": last.train_metric,
            f"val_{header.metric}": last.val_metric,
        }
    return RunInfo(
        "tried",
        Path("tried"),
        ended.status,
        created=1.0,
        config=config,
        header=header,
        epochs=len(live.epochs),
        figures={name: value for name, value in figures.items() if value - value == 0},
        findings=live.findings,
    )


def carried_out(lesson: Lesson, trial: Trial, seed: int) -> Tried:
    """What the lesson's page says of a run of `trial`."""
    found = StoredRuns([trained(lesson, trial, seed)]).tried(lesson, trial)
    assert found is not None, f"{lesson.name}: {trial.do} is not looked up"
    return found


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help=", ".join(LESSONS))
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    failed = 0
    for name in given.lessons or LESSONS:
        for trial in LESSONS[name].trials:
            for seed in range(given.seeds):
                began = time.process_time()
                found = carried_out(LESSONS[name], trial, seed)
                failed += not found.as_expected
                mark = "✓" if found.as_expected else "✗"
                took = time.process_time() - began
                print(f"{mark} {name}, seed {seed}: {trial.do} {found.said} ({took:.1f} s)", flush=True)
    print(f"{failed} not as expected" if failed else "all as expected")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
