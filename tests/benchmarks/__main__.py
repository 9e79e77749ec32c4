"""`python -m tests.benchmarks [--data-dir DIR] [--json FILE] [--repeat N] [NAME ...]`.

`python -m tests.benchmarks diagnosis [--n N] [--seed S]` is one by itself: see `diagnosis`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import time
import traceback
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import psutil

from . import (
    accel,
    cursor,
    evidence,
    inside,
    key_table,
    keys,
    map_keys,
    picture,
    population,
    recording,
    speed,
    starting,
    threads,
    watching,
)
from .context import Context
from .figures import Figure, table

BENCHMARKS: dict[str, Callable[[Context], list[Figure]]] = {
    "live-speed": speed.live_speed,
    "headless-speed": speed.headless_speed,
    "graph": speed.against_graph,
    "population": population.population,
    "map": population.a_map,
    "dataloader": speed.against_dataloader,
    "loggers": speed.against_loggers,
    "threads": threads.threads,
    "evidence": evidence.evidence,
    "interface-cpu": watching.interface_cpu,
    "keys": keys.key_presses,
    "cursor": cursor.cursor,
    "key-table": key_table.key_table,
    "map-keys": map_keys.map_keys,
    "bytes": watching.bytes_sent,
    "start": starting.start,
    "long-run": recording.long_run,
    "memory": recording.memory,
    "panes": inside.panes,
    "obedience": inside.obedience,
    "picture": picture.picture,
    "accel": accel.accelerations,
}


def machine() -> dict[str, object]:
    """What it was measured on."""
    return {
        "machine": platform.platform(),
        "processors": psutil.cpu_count(),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in ("torch", "textual", "plotext")},
        "load": os.getloadavg()[0],
        "time": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def main() -> None:
    if sys.argv[1:2] == ["diagnosis"]:
        from . import diagnosis

        sys.exit(diagnosis.main(sys.argv[2:]))
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measure what watching costs.")
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"all, or some of: {', '.join(BENCHMARKS)}")
    parser.add_argument("--data-dir", metavar="DIR", help="torchvision's root with Fashion-MNIST (or D2LTUI_DATA_DIR)")
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write the figures, with every value, to FILE")
    parser.add_argument(
        "--repeat", metavar="N", type=int, default=1, help="N times as many rounds of what compares speeds"
    )
    arguments = parser.parse_args()
    if arguments.repeat < 1:
        parser.error(f"--repeat: {arguments.repeat} is not allowed; allowed: 1 or more")
    for name in arguments.names:
        if name not in BENCHMARKS:
            parser.error(f"NAME: '{name}' is not allowed; allowed: {', '.join(BENCHMARKS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what has been started is ended on the way out
    context = Context.create(arguments.data_dir, arguments.repeat)
    about = machine() | ({"gpu": context.gpu} if context.gpu else {})
    print("  ".join(f"{name} {value}" for name, value in about.items()), file=sys.stderr)
    figures: list[Figure] = []
    failed = False
    for name in arguments.names or BENCHMARKS:
        print(f"{name} …", file=sys.stderr, flush=True)
        began = time.monotonic()
        try:
            measured = BENCHMARKS[name](context)
            print(table(measured), file=sys.stderr, flush=True)  # now: what comes later may take its time, or fail
            figures += measured
        except Exception as error:  # one that cannot be measured must not take the others' results with it
            traceback.print_exc()
            failed = True
            figures.append(Figure(name, missing=f"{type(error).__name__}: {error}"))
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    if arguments.json is not None:
        rows = [figure.as_json() for figure in figures]
        arguments.json.write_text(json.dumps({**about, "figures": rows}, indent=1, ensure_ascii=False) + "\n")
    print(table(figures))
    print("\n± is half the 95 % interval of the figure, from resampling the repetitions.")
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
