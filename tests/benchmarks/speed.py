"""Training speed: with the interface and without, and against loops written by hand."""

from __future__ import annotations

import itertools
import json
import statistics
import subprocess
import sys
import time

from .context import STEPS_PER_EPOCH, Context, NotMeasured, ratios, ratios_of
from .figures import Figure
from .race import Side, installed, rate, read_log
from .terminal import ROOT, environment

ROUNDS = 4  # of each race
EPOCH_ROUNDS = 5
LIVE_SECONDS = 3.0  # many epochs
BOOK = {"dataloader": "in one process", "dataloader-4": "with its 4 worker processes"}
LOGGERS = {
    "wandb": ("wandb", {"linear": 3.0, "mlp": 1.3, "wide": 1.3}),
    "SummaryWriter": ("tensorboard", {"linear": 1.6, "mlp": 1.05, "wide": 1.05}),
}


def live_speed(context: Context) -> list[Figure]:
    """The application with all panes open, at 2 and at 4 frames a second, against `d2ltui train`."""
    figures = []
    for model in context.models:
        name = f"live ÷ headless, {model}, {{}} frames/s"
        try:
            races = context.races(model, ("live-2", "headless", "live-4"), ROUNDS)
        except NotMeasured as why:
            figures += [Figure(name.format(fps), missing=str(why)) for fps in (2, 4)]
            continue
        for fps, goal in ((2, 0.97), (4, 0.95)):
            found = ratios_of(races, f"live-{fps}", "headless")
            figures.append(Figure(name.format(fps), races=found, at_least=goal, details=_medians(races)))
    return figures


def headless_speed(context: Context) -> list[Figure]:
    """`d2ltui train`, which evaluates after each epoch, against loops that do and that do not."""
    figures = []
    for model in context.models:
        name = f"headless ÷ hand-written loop, {model}"
        try:
            races = context.races(model, ("plain", "headless", "no-eval"), ROUNDS)
        except NotMeasured as why:
            figures.append(Figure(name, missing=str(why)))
            continue
        found = ratios_of(races, "headless", "plain")
        figures.append(Figure(name, races=found, at_least=1.0, details=_medians(races)))
        figures.append(
            Figure(
                f"{name} that never evaluates",
                races=ratios_of(races, "headless", "no-eval"),
                note="for information: d2ltui computes loss and accuracy of the validation part after each epoch, and "
                "of each batch; this loop computes neither",
            )
        )
    return figures


def against_graph(context: Context) -> list[Figure]:
    """`d2ltui train` and the hand-written loop against the same step captured in a CUDA graph, without evaluations.

    With D2LTUI_CAPTURE=off in the environment, `d2ltui train` takes its own steps one by one.
    """
    figures = []
    for model in context.models:
        names = {side: f"{side} ÷ a CUDA graph of the step, {model}" for side in ("headless", "hand-written loop")}
        if not context.gpu:
            figures += [Figure(name, missing="there is no CUDA device") for name in names.values()]
            continue
        try:
            races = context.races(model, ("graph", "headless", "no-eval"), ROUNDS)
        except NotMeasured as why:
            figures += [Figure(name, missing=str(why)) for name in names.values()]
            continue
        for name, side in zip(names.values(), ("headless", "no-eval"), strict=True):
            figures.append(Figure(name, races=ratios_of(races, side, "graph"), details=_medians(races)))
    return figures


def against_dataloader(context: Context) -> list[Figure]:
    """The application and `d2ltui train` against the book's `DataLoader` loop, by whole epochs with their validation.

    A window of two seconds is less than one of the book's epochs: it sees the beginning of one, when worker processes
    start, or a validation, or neither.
    """
    figures = []
    for model, (side, how) in itertools.product(context.image_models, BOOK.items()):
        live = f"live ÷ the book's DataLoader loop, {how}, {model}"
        headless = f"an epoch of the book's DataLoader loop ÷ one of d2ltui, {how}, {model}"
        try:
            rounds = [
                (book_epoch(context, model, side), headless_epoch(context, model), live_epoch(context, model))
                for _ in range(EPOCH_ROUNDS * context.repeat)
            ]
        except NotMeasured as why:
            figures += [Figure(name, missing=str(why)) for name in (live, headless)]
            continue
        theirs, ours, watched = (list(column) for column in zip(*rounds, strict=True))
        details: dict[str, object] = {"seconds": {"book": theirs, "headless": ours, "live": watched}}
        figures.append(Figure(live, ratios(theirs, watched), at_least=12, details=details))
        figures.append(Figure(headless, ratios(theirs, ours), at_least=10, details=details))
    return figures


def book_epoch(context: Context, model: str, side: str) -> float:
    """Seconds of an epoch with its validation: the second one, when everything is warm."""
    book = Side(side, context.options(model))
    try:
        while len(marks := [point.time for point in read_log(book.log) if point.kind == "v"]) < 2:
            if book.process.poll() is not None:
                raise RuntimeError(f"the loop {side} has ended")
            time.sleep(0.02)
        return marks[1] - marks[0]
    finally:
        book.close()


def headless_epoch(context: Context, model: str) -> float:
    """Seconds of an epoch with its validation, from a run of several: what `--json` reports."""
    command = [sys.executable, "-m", "d2ltui", "train", *context.options(model), "--json", "--quiet"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, env=environment())
    summary = json.loads(done.stdout.splitlines()[-1])
    return float(summary["seconds"]) / int(summary["epochs"])


def live_epoch(context: Context, model: str) -> float:
    """The same with all panes open, at 4 frames a second."""

    def measure(run: list[str]) -> float:
        side = Side("live-4", run)
        try:
            side.wait_until_training()
            began = time.monotonic()
            time.sleep(LIVE_SECONDS)
            return STEPS_PER_EPOCH[model] / rate(read_log(side.log), began, time.monotonic())
        finally:
            side.close()

    return context.with_run(model, LIVE_SECONDS + 2, measure)


def against_loggers(context: Context) -> list[Figure]:
    """The application against the hand-written loop that logs each step's loss."""
    figures = []
    for model in context.models:
        for title, (package, goals) in LOGGERS.items():
            name = f"live ÷ hand-written loop with {title}, {model}"
            if not installed(package):
                figures.append(Figure(name, at_least=goals[model], missing=f"pip install {package}"))
                continue
            try:
                races = context.races(model, ("live-4", package), 2)
            except NotMeasured as why:
                figures.append(Figure(name, missing=str(why)))
                continue
            found = ratios_of(races, "live-4", package)
            figures.append(Figure(name, races=found, at_least=goals[model], details=_medians(races)))
    return figures


def _medians(races: list[dict[str, list[float]]]) -> dict[str, object]:
    return {
        "steps_per_s": {
            side: round(statistics.median(itertools.chain(*(race[side] for race in races))), 1) for side in races[0]
        }
    }
