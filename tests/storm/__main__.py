"""`python -m tests.storm --events 20000 --seed 1`: see `--help`."""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from . import inside, terminal
from .terminal import Blown, Report

ENDLESS = ("--epochs", "1000000", "--start")
STARTS: tuple[tuple[str, ...], ...] = (
    (), (), ENDLESS, ENDLESS, ("--start",), ("--model", "linear", *ENDLESS),
    ("--model", "softmax", "--dataset", "moons", *ENDLESS), ("--hidden", "8,8,8", "--lr", "30", "--start"),
    ("--no-store", *ENDLESS),
)  # fmt: skip


def stored_runs(home: Path, number: int) -> None:
    """Some runs for the runs screen."""
    if not number:
        return
    code = (
        "from d2ltui.spec.config import resolve\n"
        "from d2ltui.runner.headless import train\n"
        f"for i in range({number}):\n"
        "    train(resolve({'model': 'softmax', 'dataset': 'moons', 'epochs': i + 1, 'seed': i}), False, True)\n"
    )
    environment = os.environ | {"D2LTUI_HOME": str(home), "OMP_NUM_THREADS": "1"}
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=root, check=True, stdout=subprocess.DEVNULL)


def main() -> int:
    """1 where the application did not bear it."""
    parser = argparse.ArgumentParser(prog="python -m tests.storm", description=__doc__)
    parser.add_argument("--events", type=int, default=2000, help="how many, all in all (default 2000)")
    parser.add_argument("--seed", default="1", help="what they follow from (default 1)")
    parser.add_argument("--session", type=int, help="only this one of the seed's starts, such as one that failed")
    parser.add_argument("--each", type=int, default=400, help="events until the application is started anew")
    parser.add_argument("--runs", type=int, default=6, help="stored runs to begin with (default 6)")
    parser.add_argument("--limit", type=float, default=1.0, help="seconds that a key may wait (default 1)")
    parser.add_argument("--inside", action="store_true", help="without a terminal, in this process: quicker to debug")
    parser.add_argument("--go-on", action="store_true", help="after a failure, too")
    given = parser.parse_args()
    carry_out: Callable[..., Report] = inside.run if given.inside else terminal.run
    done = probes = failures = 0
    longest, begun = 0.0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="d2ltui storm ") as place:
        home, cwd = Path(place, "home"), Path(place, "here")
        cwd.mkdir()
        stored_runs(home, given.runs)
        session = given.session or 0
        while done < given.events:
            seed = f"{given.seed}/{session}"
            arguments = random.Random(f"start of {seed}").choice(STARTS)
            try:
                report = carry_out(arguments, home, cwd, seed, min(given.each, given.events - done), given.limit)
            except Blown as blown:
                failures += 1
                print(f"FAILED: --seed {given.seed} --session {session} ({' '.join(arguments)}): {blown}", flush=True)
                if not given.go_on:
                    return 1
                done += 1
            else:
                done, probes = done + report.events, probes + report.probes
                longest = max(longest, report.longest)
                minutes = (time.monotonic() - begun) / 60
                print(
                    f"{done} events in {session + 1} starts, {minutes:.1f} min, {probes} probes, the slowest "
                    f"{longest:.2f} s, {failures} failures",
                    flush=True,
                )
            if given.session is not None:
                break
            session += 1
    return 1 if failures else 0


sys.exit(main())
