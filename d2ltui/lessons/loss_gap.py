"""The gap between the losses of the training and the validation part, drawn while a run goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from d2ltui.lessons.roles import role_in_words
from d2ltui.spec.diagrams import Curve, Curves, Panel, Panels
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number

if TYPE_CHECKING:
    from d2ltui.data import Dataset
    from d2ltui.lessons.bench import Bench
    from d2ltui.nn import Network

Losses = dict[str, list[tuple[float, float]]]  # (train, validation) at the start and after each epoch, by name


def gap_follower(
    bench: Bench, drawn: Losses, name: str, data: Dataset, *, log: bool = False
) -> Callable[[Network], None]:
    """What to call after each epoch of the run that is called `name`; it changes nothing of the run."""
    losses = drawn.setdefault(name, [])

    def look(network: Network) -> None:
        import torch

        from d2ltui.diagnosis.look import evaluating

        device = next(network.parameters()).device
        parts = ((data.x_train, data.y_train), (data.x_val, data.y_val))
        with evaluating(network, keep_random=True), torch.no_grad():
            train, val = (float(network.loss(network(x.to(device)), y.to(device))) for x, y in parts)
        losses.append((train, val))
        bench.show(gap_picture(drawn, log), seed=0)

    return look


def gap_picture(drawn: Losses, log: bool) -> Panels:
    """Both losses over the epochs, a panel for each run, all with one axis."""
    after = [value for losses in drawn.values() for pair in losses[1:] for value in pair if value > 0]
    low = min(after, default=0.01) if log else 0.0
    panels = []
    for name, losses in drawn.items():
        x = [float(epoch) for epoch in range(1, len(losses))]
        train, val = ([pair[part] for pair in losses[1:]] for part in (0, 1))
        curves = (Curve(_("training part"), x, train, 0, "t"), Curve(_("validation part"), x, val, 1, "v"))
        ends = (1.0, max(2.0, float(max(map(len, drawn.values())) - 1)))
        diagram = Curves(curves, ends, _("epoch"), low=low, high=max(after, default=1.0), log=log, whole=True)
        gap = losses[-1][1] - losses[-1][0]
        panels.append(Panel(_("{name}: gap {gap}").format(name=role_in_words(name), gap=number(gap, 2)), diagram))
    return Panels(tuple(panels), columns=2, note=_("the loss after each epoch"))
