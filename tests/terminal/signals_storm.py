"""Signals at every moment: `PYTHONPATH=. python tests/terminal/signals_storm.py [--whole] [--cases N] [--seed N] …`.

Each case starts the application, or a command, from a shell with job control in a terminal of its own, brings it to a
moment, sends it one signal or two, and sees to the end of it. Afterwards the terminal is as it was before, the exit
status is right, no process is left, and what is stored of the run is what has become of it. `--whole` is every moment
with every signal and every pair, in an order that `--seed` decides; the last line is one JSON object.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import itertools
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from job import Job

ENDS = (signal.SIGTERM, signal.SIGINT)
NUMBERS = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGTSTP, signal.SIGCONT)
PAIRS = [(number,) for number in NUMBERS] + list(itertools.permutations(NUMBERS, 2))
ENDLESS = ("--dataset", "moons", "--epochs", "1000000")
SHORT = ("--dataset", "moons", "--epochs", "3")
REDRAWN = 500  # bytes at least, of a screen that is drawn anew: a dialog takes a thousand
PATIENCE = 150.0  # seconds: a busy machine that imports PyTorch takes its time


@dataclass(frozen=True)
class Moment:
    """When the signals come: `arguments` start it, `wait` is a text on the screen, then `keys`, then `delay` seconds.

    `trains`: whether a run has begun for certain, and goes on. `leaving`: whether it is about to end by itself.
    """

    name: str
    arguments: tuple[str, ...] = ()
    wait: str = ""
    keys: tuple[str, ...] = ()
    then: str = ""
    delay: float = 0.0
    trains: bool = False
    leaving: bool = False
    suspended: bool = False
    interface: bool = True


def _after_start(seconds: float) -> Moment:
    return Moment(f"{seconds:g} s after the start", ("--start", *ENDLESS), delay=seconds)


_TRAINING = ("--start", *ENDLESS)
MOMENTS = (
    *map(_after_start, (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.3, 1.7, 2.2)),
    Moment("painted", wait="ready"),
    Moment("painted, PyTorch is imported", wait="ready", delay=0.5),
    Moment("a burst of keys", wait="ready", keys=("zz?",)),
    Moment("the run loads", _TRAINING, wait="loading"),
    Moment("training", _TRAINING, wait="▶ training", trains=True),
    Moment("training, a second on", _TRAINING, wait="▶ training", delay=1.0, trains=True),
    Moment("paused", _TRAINING, wait="▶ training", keys=(" ",), then="paused", trains=True),
    Moment("a step", _TRAINING, wait="▶ training", keys=(" ", "s"), trains=True),
    Moment("stopped", _TRAINING, wait="▶ training", keys=("x",), then="stopped"),
    Moment("at rest", ("--start", *SHORT), wait="finished"),
    Moment("help", _TRAINING, wait="▶ training", keys=("?",), then="escape closes", trains=True),
    Moment("the lessons", _TRAINING, wait="▶ training", keys=("L",), then="seen, ", trains=True),
    Moment("a lesson is measured", wait="ready", keys=("L", "m"), delay=1.5),
    Moment("the stored runs", _TRAINING, wait="▶ training", keys=("R",), then="mlp-moons-1", trains=True),
    Moment("asked whether to quit", _TRAINING, wait="▶ training", keys=("q",), then="in progress", trains=True),
    Moment("the way out", wait="ready", keys=("q",), leaving=True),
    Moment("the way out of a run", _TRAINING, wait="▶ training", keys=("q", "y"), leaving=True),
    Moment("the way out, 0.1 s on", _TRAINING, wait="▶ training", keys=("q", "y"), delay=0.1, leaving=True),
    Moment("ctrl+z", _TRAINING, wait="▶ training", keys=("ctrl+z",), trains=True),
    Moment("suspended", _TRAINING, wait="▶ training", keys=("ctrl+z", "STOPPED"), trains=True, suspended=True),
    Moment("in the background", _TRAINING, wait="▶ training", keys=("ctrl+z", "STOPPED", "BG"), trains=True),
    Moment("resumed", _TRAINING, wait="▶ training", keys=("ctrl+z", "STOPPED", "FG"), trains=True),
    Moment("train: at the start", ("train", *ENDLESS), delay=0.15, interface=False),
    Moment("train: PyTorch is imported", ("train", *ENDLESS), delay=1.0, interface=False),
    Moment("train: training", ("train", *ENDLESS), wait="steps/s", trains=True, interface=False),
    Moment("train --seeds", ("train", "--seeds", "3", *ENDLESS), wait="steps/s", trains=True, interface=False),
    Moment("sweep", ("sweep", "--lr", "0.1,0.2", *ENDLESS), wait="steps/s", trains=True, interface=False),
    Moment("lessons NAME", ("lessons", "vanishing"), wait="run 1", interface=False),
)
CASES = list(itertools.product(MOMENTS, PAIRS))


class Failure(AssertionError):
    """What is not as it should be."""


def carry_out(moment: Moment, numbers: Sequence[signal.Signals], gap: float) -> None:
    """One case.

    Raises:
        Failure: with what is wrong.
    """
    with tempfile.TemporaryDirectory(prefix="storm-") as folder:
        home = os.path.join(folder, "home")
        command = [sys.executable, "-m", "d2ltui", *moment.arguments]
        job = Job(command, environment={"D2LTUI_HOME": home, "OMP_NUM_THREADS": "1"})
        try:
            _reach(job, moment)
            _strike(job, moment, numbers, gap)
            _check_end(job, moment, numbers, Path(home))
        finally:
            left = _processes_of(home) if job.status is not None else []
            job.close()
            for process in _processes_of(home):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        if left:
            raise Failure(f"left behind: {[' '.join(process.cmdline())[:80] for process in left]}")


def _reach(job: Job, moment: Moment) -> None:
    if moment.wait:
        _until(job, lambda: moment.wait in job.text(), f"'{moment.wait}' on the screen")
    for key in moment.keys:
        if key == "STOPPED":
            _until(job, lambda: job.stopped, "it stops")
        elif key in ("FG", "BG"):
            job.shell(key.lower())
        elif key == moment.keys[-1] and not moment.then:
            job.send(key)  # at once
        else:
            job.press(key)
    if moment.then:
        _until(job, lambda: moment.then in job.text(), f"'{moment.then}' on the screen")
    job.await_(lambda: False, moment.delay)


def _until(job: Job, condition: Callable[[], object], what: str) -> None:
    if not job.await_(lambda: condition() or job.status is not None, PATIENCE) or not condition():
        raise Failure(f"never: {what} (status {job.status}):\n{job.text()}")


def _strike(job: Job, moment: Moment, numbers: Sequence[signal.Signals], gap: float) -> None:
    for number in numbers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(job.pid, number)
        job.await_(lambda: False, gap)
    # A shell continues what it kills; what is stopped, and was sent nothing but that, is continued by `fg`.
    ends = [number for number in numbers if number in (*ENDS, signal.SIGHUP)]
    job.await_(lambda: job.status is not None, 1.0)
    if job.status is None and not ends:
        if job.stopped or signal.SIGTSTP in numbers or moment.suspended:
            job.shell("fg")
        if moment.interface and not moment.leaving:
            _answers(job)
        with contextlib.suppress(ProcessLookupError):
            os.kill(job.pid, signal.SIGTERM)
    elif job.status is None:
        job.shell(random.choice(("fg", "bg")))
    if not job.await_(lambda: job.status is not None, 6.0) and signal.SIGHUP in numbers:
        with contextlib.suppress(ProcessLookupError):  # the run goes on without its terminal
            os.kill(job.pid, signal.SIGTERM)
    if job.status is None and job.stopped:
        job.shell("fg")


def _answers(job: Job) -> None:
    """The interface is there: it draws again, after its terminal has become larger."""
    before = len(job.raw)
    job.await_(lambda: False, 0.3)
    job.resize(100, 31)
    if not job.await_(lambda: len(job.raw) > before + REDRAWN or job.status is not None, PATIENCE):
        raise Failure(f"the interface does not answer:\n{job.text()}")


def _check_end(job: Job, moment: Moment, numbers: Sequence[signal.Signals], home: Path) -> None:
    if not job.await_(lambda: job.status is not None, PATIENCE):
        raise Failure(f"it does not end ({job._state()}):\n{job.text()}")
    while job.read(0.2):  # what it has sent before its end
        pass
    if signal.SIGINT in numbers and b"init_import_site" in job.raw:
        return  # the interpreter has hardly started, and says so with a traceback and a status of its own
    allowed = {128 + number for number in numbers if number in (*ENDS, signal.SIGHUP)}
    if (signal.SIGHUP in numbers and moment.interface) or not allowed:
        allowed |= {143}  # sent by the storm, at last
    if signal.SIGHUP in numbers:
        allowed |= {143}
    if moment.leaving or moment.name == "at rest":
        allowed |= {0}
    if job.status not in allowed:
        raise Failure(f"exit status {job.status}, not one of {sorted(allowed)}:\n{job.text()}")
    # An interrupt before the interpreter has come to our first line is its own affair.
    if b"Traceback" in job.raw and b"/d2ltui/" in job.raw:
        raise Failure(f"a traceback:\n{job.text()}")
    try:
        job.assert_restored() if moment.interface and b"\x1b[?1049h" in job.raw else None
    except AssertionError as error:
        raise Failure(str(error)) from None
    if job.changed:
        raise Failure(f"the line discipline is not what it was: {job.changed}")
    statuses = _stored(home)
    wanted = {"stopped", "finished"} if not moment.trains else {"stopped"}
    if not set(statuses) <= wanted or (moment.trains and not statuses):
        raise Failure(f"stored as {statuses}, not as {sorted(wanted)}")


def _stored(home: Path) -> list[str]:
    from d2ltui.store.listing import runs

    before = os.environ.get("D2LTUI_HOME")
    os.environ["D2LTUI_HOME"] = str(home)
    try:
        return [run.status for run in runs()]
    finally:
        if before is None:
            del os.environ["D2LTUI_HOME"]
        else:
            os.environ["D2LTUI_HOME"] = before


def _processes_of(home: str) -> list[psutil.Process]:
    """Those that have been started with this D2LTUI_HOME, a moment after the end."""

    def found() -> list[psutil.Process]:
        there = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.status() != psutil.STATUS_ZOMBIE and process.environ().get("D2LTUI_HOME") == home:
                    there.append(process)
        return there

    deadline = time.monotonic() + 3
    while (processes := found()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return processes


def attempt(case: tuple[int, int, float]) -> tuple[str, str]:
    """Carry out a case, by its number, the seed and the gap; its name, and what is wrong, "" where nothing is."""
    index, seed, gap = case
    moment, numbers = CASES[index]
    random.seed(seed + index)
    name = f"{moment.name}: {' '.join(number.name for number in numbers)}, {gap:g} s apart"
    try:
        carry_out(moment, numbers, gap)
    except Failure as failure:
        return name, str(failure)
    except Exception:
        return name, traceback.format_exc()
    return name, ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whole", action="store_true", help="every case")
    parser.add_argument("--cases", type=int, default=40, metavar="N", help="so many of them (40)")
    parser.add_argument("--skip", type=int, default=0, metavar="N", help="not the first N of them (0)")
    parser.add_argument("--only", default="", metavar="TEXT", help="moments whose name contains TEXT")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="at the same time (2)")
    given = parser.parse_args()
    chance = random.Random(given.seed)
    order = [index for index, (moment, _) in enumerate(CASES) if given.only in moment.name]
    chance.shuffle(order)
    cases = [(index, given.seed, chance.choice((0.0, 0.02, 0.2))) for index in order]
    if not given.whole:
        cases = cases[: given.skip + given.cases]
    cases = cases[given.skip :]
    failed = []
    began = time.monotonic()
    with concurrent.futures.ProcessPoolExecutor(given.workers) as pool:
        attempts = [pool.submit(attempt, case) for case in cases]
        for done, ended in enumerate(concurrent.futures.as_completed(attempts), 1):
            name, wrong = ended.result()
            if wrong:
                failed.append(name)
                print(f"FAILED {name}\n{wrong}\n", flush=True)
            elif done % 10 == 0:
                print(f"{done} of {len(cases)}, {len(failed)} failed, {time.monotonic() - began:.0f} s", flush=True)
    seconds = round(time.monotonic() - began)
    print(json.dumps({"moments": len(MOMENTS), "cases": len(cases), "failed": failed, "seconds": seconds}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
