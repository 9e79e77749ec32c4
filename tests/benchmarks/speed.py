"""Training speed: with the interface and without, and against loops written by hand."""

from __future__ import annotations

from .context import MODELS, Context, NotMeasured, ratios
from .figures import Figure
from .race import installed

ROUNDS = 14
LOGGERS = {
    "wandb": ("wandb", {"linear": 3.0, "mlp": 1.3}),
    "SummaryWriter": ("tensorboard", {"linear": 1.6, "mlp": 1.05}),
}


def live_speed(context: Context) -> list[Figure]:
    """The application with all panes open, at 2 and at 4 frames a second, against `d2ltui train`."""
    figures = []
    for model in MODELS:
        name = f"live ÷ headless, {model}, {{}} frames/s"
        try:
            speeds = context.race(model, ("live-2", "headless", "live-4"), ROUNDS)
        except NotMeasured as why:
            figures += [Figure(name.format(fps), missing=str(why)) for fps in (2, 4)]
            continue
        for fps, goal in ((2, 0.97), (4, 0.95)):
            values = ratios(speeds[f"live-{fps}"], speeds["headless"])
            figures.append(Figure(name.format(fps), values, at_least=goal, details={"steps_per_s": _medians(speeds)}))
    return figures


def headless_speed(context: Context) -> list[Figure]:
    """`d2ltui train`, which evaluates after each epoch, against loops that do and that do not."""
    figures = []
    for model in MODELS:
        name = f"headless ÷ hand-written loop, {model}"
        try:
            speeds = context.race(model, ("plain", "headless", "no-eval"), ROUNDS)
        except NotMeasured as why:
            figures.append(Figure(name, missing=str(why)))
            continue
        values = ratios(speeds["headless"], speeds["plain"])
        details: dict[str, object] = {"steps_per_s": _medians(speeds)}
        figures.append(Figure(name, values, at_least=1.0, details=details))
        values = ratios(speeds["headless"], speeds["no-eval"])
        figures.append(
            Figure(
                f"{name} that never evaluates",
                values,
                note="for information: d2ltui computes loss and accuracy of the validation part after each epoch, and "
                "of each batch; this loop computes neither",
            )
        )
    return figures


def against_dataloader(context: Context) -> list[Figure]:
    """The application against the book's `DataLoader` loop."""
    name = "live ÷ the book's DataLoader loop, Fashion-MNIST"
    try:
        speeds = context.race("mlp", ("live-4", "dataloader"), 8)
    except NotMeasured as why:
        return [Figure(name, missing=str(why))]
    details: dict[str, object] = {"steps_per_s": _medians(speeds)}
    return [Figure(name, ratios(speeds["live-4"], speeds["dataloader"]), at_least=12, details=details)]


def against_loggers(context: Context) -> list[Figure]:
    """The application against the hand-written loop that logs each step's loss."""
    figures = []
    for model in MODELS:
        for title, (package, goals) in LOGGERS.items():
            name = f"live ÷ hand-written loop with {title}, {model}"
            if not installed(package):
                figures.append(Figure(name, at_least=goals[model], missing=f"pip install {package}"))
                continue
            try:
                speeds = context.race(model, ("live-4", package), 8)
            except NotMeasured as why:
                figures.append(Figure(name, missing=str(why)))
                continue
            details: dict[str, object] = {"steps_per_s": _medians(speeds)}
            values = ratios(speeds["live-4"], speeds[package])
            figures.append(Figure(name, values, at_least=goals[model], details=details))
    return figures


def _medians(speeds: dict[str, list[float]]) -> dict[str, float]:
    return {name: round(sorted(values)[len(values) // 2], 1) for name, values in speeds.items()}
