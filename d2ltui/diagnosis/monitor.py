"""From figures to sentences: rules that say what is going wrong inside a network, why, and what to change.

What there is:
    `examine(probes, epochs, config)` gives the findings of a run as it stands, the gravest first. Plain values in,
    plain values out: it can be asked of a stored run, too.
    `Monitor` does that for a running one and tells only what is new.
    `LIMITS` holds every threshold with where it comes from.

A rule names the worst layer and counts the others, so that a hundred sick layers make one sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from d2ltui.diagnosis import rules_layers, rules_training
from d2ltui.diagnosis.evidence import LIMITS, Run
from d2ltui.history.epochs import Epochs
from d2ltui.spec import events
from d2ltui.spec.catalogue import LayerSpec
from d2ltui.spec.config import RunConfig

__all__ = ["LIMITS", "Monitor", "examine"]

RULES: tuple[Callable[[Run], Iterator[events.Finding]], ...] = (
    rules_training.divergence,
    rules_layers.exploding_gradient,
    rules_layers.dead_relu,
    rules_layers.saturation,
    rules_layers.vanishing_gradient,
    rules_training.learning_rate,
    rules_training.overfitting,
    rules_layers.no_activation,
    rules_layers.not_zero_centred,
)
_GRAVITY: dict[events.Severity, int] = {"alarm": 0, "warning": 1, "note": 2}
MAX_HISTORY = 64
# A finding that stays is told again when its figure has moved by this share.
RETELL = 0.25


def examine(
    probes: Sequence[events.LayersProbed],
    epochs: Sequence[events.EpochEnded],
    config: RunConfig,
    *,
    plan: Sequence[LayerSpec] | None = None,
    diverged_at: int | None = None,
) -> tuple[events.Finding, ...]:
    """What is found in a run: `probes` in order, from the start on where that is known, `epochs` in order.

    `plan` are the network's layers, where the config alone does not say (a data set of the caller's own).
    `diverged_at` is the step whose loss was not finite, if there was one. Without a probe nothing is found.
    """
    if not probes:
        return ()
    ended = epochs if isinstance(epochs, Epochs) else Epochs.of(epochs)
    run = Run(tuple(probes), ended, config, tuple(plan) if plan is not None else None, diverged_at)
    found = [finding for rule in RULES for finding in rule(run)]
    return _gravest_first(found)


class Monitor:
    """Examines one run after each probe, and says when the findings are others than before."""

    def __init__(self, config: RunConfig, plan: Sequence[LayerSpec]) -> None:
        self._config, self._plan = config, tuple(plan)
        self._probes: list[events.LayersProbed] = []
        self._told: tuple[events.Finding, ...] = ()
        self._blind: events.Finding | None = None

    def remember(self, probes: Sequence[events.LayersProbed]) -> None:
        """What was seen before, in order, where a run goes on."""
        self._probes = [*probes[:1], *probes[1:][1 - MAX_HISTORY :]]

    def look(
        self,
        probed: events.LayersProbed | None,
        epochs: Sequence[events.EpochEnded],
        lr: float,
        diverged_at: int | None = None,
        step: int = 0,
    ) -> events.FindingsChanged | None:
        """What there is to tell after `probed`, if anything. `lr` is the learning rate now.

        Without a new look (None), at `step`, the last one is examined again.
        """
        if probed is not None:
            step = probed.step
            self._probes.append(probed)
            if len(self._probes) > MAX_HISTORY:
                del self._probes[1]  # the first one stays: rules compare with the start
        config = msgspec.structs.replace(self._config, lr=lr)
        found = examine(self._probes, epochs, config, plan=self._plan, diverged_at=diverged_at)
        if self._blind is not None:
            found = _gravest_first([*found, self._blind])
        if _same(self._told, found):
            return None
        self._told = found
        return events.FindingsChanged(step, found)

    def give_up(self, step: int, device: str) -> None:
        """From now on the layers cannot be looked at: what is found includes that."""
        self._blind = events.Finding(
            rule="no-look",
            severity="warning",
            layer=None,
            step=step,
            figure=0.0,
            what=f"The layers could not be looked at at step {step:,}: no memory of {device} was left for it.",
            why="A look takes about one and a half times the memory of the weights; the run does without it.",
            try_="Train a network of fewer hidden units, or end what else takes that memory.",
            remedy={},
        )


def _gravest_first(findings: Sequence[events.Finding]) -> tuple[events.Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: _GRAVITY[finding.severity]))  # stable: the rules' order


def _same(old: tuple[events.Finding, ...], new: tuple[events.Finding, ...]) -> bool:
    """Whether `new` says nothing that `old` did not: figures that barely move are no news to read again."""
    if len(old) != len(new):
        return False
    return all(
        (a.rule, a.severity, a.layer) == (b.rule, b.severity, b.layer)
        and (a.figure == b.figure or abs(a.figure - b.figure) <= RETELL * abs(a.figure))
        for a, b in zip(old, new, strict=True)
    )
