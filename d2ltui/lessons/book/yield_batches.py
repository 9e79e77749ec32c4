"""A generator hands out the data (section 3.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from d2ltui.lessons.bench import Bench, mean
from d2ltui.lessons.measured import Measured, figure
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.diagrams import Batches, Panel, Panels
from d2ltui.spec.language import _
from d2ltui.spec.numbers import size, whole_percent

if TYPE_CHECKING:
    from torch import Tensor

DRAWN, DRAWN_BATCH, EPOCHS = 10, 2, 3  # samples, samples in a batch, and epochs of the picture
_SAMPLES, _INPUTS, _BATCH = 200_000, 64, 256


def yield_batches(bench: Bench, iterate: Callable[..., Iterator[tuple[Tensor, Tensor]]] | None = None) -> Measured:
    """Section 3.3's generator, or another, over a data set of 49 MiB."""
    import torch

    from d2ltui.data.batches import data_iter

    iterate = iterate or data_iter
    bench.show(_picture(bench, iterate))
    labels = torch.arange(_SAMPLES)
    features = labels.to(torch.float32).reshape(-1, 1).repeat(1, _INPUTS)
    wrong, mixed, alike, block = 0, 0, [], 0
    for seed in bench.seeds:
        generator = torch.Generator().manual_seed(seed)
        orders = []
        for _epoch in range(2):
            seen = []
            for x, y in iterate(features, labels, _BATCH, generator):
                bench.go_on()
                seen.append(y)
                mixed += int((x[:, 0].long() != y).sum())
                block = max(block, x.untyped_storage().nbytes())
            order = torch.cat(seen)
            counts = torch.bincount(order, minlength=_SAMPLES)
            wrong += int((counts != 1).sum())
            orders.append(order[:_SAMPLES])
        n = min(map(len, orders))
        alike.append(float((orders[0][:n] == orders[1][:n]).double().mean()))
    share = block / features.nbytes
    return Measured(
        [
            figure(
                _("samples handed out never or more than once in an epoch"),
                wrong,
                0,
                0,
                plain=_("Samples that came never, or twice, in an epoch"),
            ),
            figure(_("samples that came with another's label"), mixed, 0, 0),
            figure(
                _("places where two epochs have the same sample"),
                mean(alike),
                0,
                0.01,
                "of all",
                _("The same sample in the same place in two epochs"),
            ),
            figure(
                _("memory behind a batch"), share, high=0.2, unit="of the data set", plain=_("Memory behind a batch")
            ),
        ],
        _(
            "{seeds} epochs of {samples:,} samples; behind a batch there are at most {block} of "
            "memory, the data set has {nbytes}."
        ).format(seeds=2 * len(bench.seeds), samples=_SAMPLES, block=size(block), nbytes=size(features.nbytes)),
        _(
            "In {seeds} epochs of {samples:,} samples {wrong} came never or twice, another epoch has "
            "another order, and behind a batch there is {share} of the memory of the data set."
        ).format(seeds=2 * len(bench.seeds), samples=_SAMPLES, wrong=wrong or _("none"), share=whole_percent(share)),
    )


def _picture(bench: Bench, iterate: Callable[..., Iterator[tuple[Tensor, Tensor]]]) -> Panels:
    """Of a small data set, which samples come in which batch, epoch by epoch."""
    import torch

    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(DRAWN)
    epochs = []
    once = DRAWN
    for _epoch in range(EPOCHS):
        batches = []
        for _x, y in iterate(labels.float().reshape(-1, 1), labels, DRAWN_BATCH, generator):
            bench.go_on()
            batches.append(tuple(y.tolist()))
        epochs.append(tuple(batches))
        came = torch.bincount(torch.tensor([sample for batch in batches for sample in batch]), minlength=DRAWN)
        once = min(once, int((came == 1).sum()))
    names = tuple(_("epoch {number}").format(number=number) for number in range(1, EPOCHS + 1))
    title = _("{once} of {samples} samples come once in each epoch").format(once=once, samples=DRAWN)
    note = _("a number and its colour: a sample; [ ]: a batch of {batch}").format(batch=DRAWN_BATCH)
    return Panels((Panel(title, Batches(names, tuple(epochs))),), columns=1, note=note)


LESSON = book_lesson(
    "yield",
    measure=yield_batches,
)
