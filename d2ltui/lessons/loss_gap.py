"""The gap between the losses of the training and the validation part, drawn while a run goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from d2ltui.lessons.bench import mean
from d2ltui.lessons.roles import role_in_words
from d2ltui.spec.diagrams import Bars, Curve, Curves, Panel, Panels
from d2ltui.spec.language import _

if TYPE_CHECKING:
    from d2ltui.data import Dataset
    from d2ltui.nn import Network

Losses: TypeAlias = list[tuple[float, float]]  # (train, validation) at the start and after each epoch


def gap_follower(losses: Losses, data: Dataset, draw: Callable[[], None]) -> Callable[[Network], None]:
    """What to call after each epoch of a run: adds to its `losses`, then draws; it changes nothing of the run."""

    def look(network: Network) -> None:
        import torch

        from d2ltui.diagnosis.look import evaluating

        device = next(network.parameters()).device
        parts = ((data.x_train, data.y_train), (data.x_val, data.y_val))
        with evaluating(network, keep_random=True), torch.no_grad():
            train, val = (float(network.loss(network(x.to(device)), y.to(device))) for x, y in parts)
        losses.append((train, val))
        draw()

    return look


def gap_picture(runs: dict[str, list[Losses]], short: Mapping[str, str]) -> Panels:
    """The gap itself over the epochs, a line for each role, and as bars how large it is by now: the mean of its runs.

    `short` are the roles' names beside the bars, in the language spoken.
    """
    gaps = {role: _mean_gap(of) for role, of in runs.items()}
    lines = [
        Curve(role_in_words(role), [float(epoch) for epoch in range(len(gap))], gap, index, "ox"[index % 2])
        for index, (role, gap) in enumerate(gaps.items())
    ]
    last = max(1.0, *(float(len(gap) - 1) for gap in gaps.values()))
    over_epochs = Curves(tuple(lines), (0.0, last), _("epoch"), low=0.0, whole=True)
    left = Bars(
        tuple(short.get(role, role) for role in gaps),
        tuple(gap[-1] for gap in gaps.values()),
        tuple(range(len(gaps))),
        form=".2g",
    )
    return Panels(
        (Panel(_("Gap of the losses"), over_epochs), Panel(_("Gap, last epoch"), left)),
        columns=2,
        note=_("gap: the validation part's loss minus the training part's"),
    )


def _mean_gap(runs: list[Losses]) -> list[float]:
    """Over the epochs: of the runs that have come so far."""
    epochs = max(map(len, runs))
    return [mean(run[epoch][1] - run[epoch][0] for run in runs if len(run) > epoch) for epoch in range(epochs)]
