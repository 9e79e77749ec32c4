"""What tests of populations share."""

from __future__ import annotations

from collections.abc import Sequence

from d2ltui.engine.population import Block, EpochFigures

CIRCLES: dict[str, object] = {
    "dataset": "circles",
    "hidden": "8,6",
    "batch_size": 300,
    "epochs": 34,
    "device": "cpu",
    "threads": 1,
}


class Tape:
    """A watcher that keeps everything."""

    def __init__(self) -> None:
        self.losses: dict[int, list[float]] = {}
        self.metrics: dict[int, list[float]] = {}
        self.epochs: dict[int, list[tuple[float, ...]]] = {}

    def steps(self, members: Sequence[int], block: Block) -> None:
        assert block.losses.shape == block.metrics.shape == (len(block.sizes), len(members))
        for column, member in enumerate(members):
            self.losses.setdefault(member, []).extend(block.losses[:, column].tolist())
            self.metrics.setdefault(member, []).extend(block.metrics[:, column].tolist())

    def epoch(self, members: Sequence[int], number: int, figures: EpochFigures) -> None:
        for column, member in enumerate(members):
            of_member = self.epochs.setdefault(member, [])
            of_member.append(tuple(float(figure[column]) for figure in figures))
            assert len(of_member) == number

    def between(self) -> None:
        pass
