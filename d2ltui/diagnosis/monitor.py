"""From figures to sentences: rules that say what is going wrong inside a network, why, and what to change.

What there is:
    `examine(probes, epochs, config)` gives the findings of a run as it stands, the gravest first. Plain values in,
    plain values out: it can be asked of a stored run, too.
    `Monitor` does that for a running one and tells only what is new.
    `thresholds` holds every threshold with where it comes from.

A rule names the worst layer and counts the others, so that a hundred sick layers make one sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from d2ltui.diagnosis import live, rules_layers, rules_loss, rules_training
from d2ltui.diagnosis.at_start import SEVERITY_ORDER, beside
from d2ltui.diagnosis.evidence import Run
from d2ltui.diagnosis.thresholds import LIMITS
from d2ltui.history.epochs import Epochs
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig
from d2ltui.spec.language import _
from d2ltui.spec.layers import LayerSpec
from d2ltui.spec.registry import Registry

__all__ = ["LIMITS", "RULES", "Monitor", "Rule", "examine"]


class Rule(msgspec.Struct, frozen=True):
    """Says what is wrong with a run, if anything is: `find(run)` yields findings."""

    name: str
    find: Callable[[Run], Iterator[events.Finding]]


RULES: Registry[Rule] = Registry("d2ltui.rules", Rule)
for _rule in (
    Rule("divergence", rules_training.divergence),
    Rule("exploding-gradient", rules_layers.exploding_gradient),
    Rule("dead-relu", rules_layers.dead_relu),
    Rule("saturation", rules_layers.saturation),
    Rule("vanishing-gradient", rules_layers.vanishing_gradient),
    Rule("weight-decay", rules_training.weight_decay),
    Rule("learning-rate", rules_training.learning_rate),
    Rule("oscillation", rules_loss.oscillation),
    Rule("stalled", rules_loss.stalled),
    Rule("overfitting", rules_training.overfitting),
    Rule("overconfidence", rules_training.overconfidence),
    Rule("no-activation", rules_layers.no_activation),
    Rule("not-zero-centred", rules_layers.not_zero_centred),
):
    RULES.register(_rule)

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
    rules: Iterable[Rule] | None = None,
    failed: Callable[[Rule, Exception], None] | None = None,
    losses: Sequence[float] = (),
) -> tuple[events.Finding, ...]:
    """What is found in a run: `probes` in order, from the start on where that is known, `epochs` in order.

    `plan` are the network's layers, where the config alone does not say (a data set of the caller's own).
    `diverged_at` is the step whose loss was not finite, if there was one. Without a probe nothing is found.
    `losses` are those of the latest steps. `rules` are those to ask, None for all. `failed` is told of a rule that
    raises; without it, the error passes.
    """
    if not probes:
        return ()
    ended = epochs if isinstance(epochs, Epochs) else Epochs.of(epochs)
    run = Run(tuple(probes), ended, config, tuple(plan) if plan is not None else None, diverged_at, losses)
    found: list[events.Finding] = []
    for rule in tuple(RULES.values() if rules is None else rules):
        try:
            found += [_checked(finding) for finding in rule.find(run)]
        except Exception as error:
            if failed is None:
                raise
            failed(rule, error)
    if run.learns:
        found = [_of_note(finding) for finding in found if finding.rule != "not-zero-centred"]
    return _most_severe_first(found)


# What is seen in layers, and harms nobody while the loss falls.
_SEEN = frozenset(("exploding-gradient", "dead-relu", "saturation", "vanishing-gradient"))


def _of_note(finding: events.Finding) -> events.Finding:
    return msgspec.structs.replace(finding, severity="note") if finding.rule in _SEEN else finding


class Monitor:
    """Examines one run, of `steps` steps, after each probe, and says when the findings are others than before."""

    def __init__(self, config: RunConfig, plan: Sequence[LayerSpec], steps: int = 0) -> None:
        self._config, self._plan, self._steps = config, tuple(plan), steps
        self._probes: list[events.LayersProbed] = []
        self._found: tuple[events.Finding, ...] = ()  # by the last look
        self._told: tuple[events.Finding, ...] = ()
        self._start: tuple[events.Finding, ...] = ()  # what was found before the first step, until the network learns
        self._seen_at_start: frozenset[str] = frozenset()
        self._disabled: events.Finding | None = None
        self.unsaid = False  # whether there is something to tell that no look brings
        self._losses: Sequence[float] = ()
        self._rules = list(RULES.values())
        self._failures: list[tuple[str, Exception]] = []  # of rules, not told of yet

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
        losses: Sequence[float] = (),
    ) -> events.FindingsChanged | None:
        """What there is to tell after `probed`, if anything. `lr` is the learning rate now.

        Without a new look (None), at `step`, the last one is examined again.
        """
        self.unsaid, self._losses = False, losses
        if probed is not None:
            step = probed.step
            self._probes.append(probed)
            if len(self._probes) > MAX_HISTORY:
                del self._probes[1]  # the first one stays: rules compare with the start
        found = self._examine(self._probes, epochs, lr, diverged_at)
        if self._probes:
            config = msgspec.structs.replace(self._config, lr=lr)
            ended = epochs if isinstance(epochs, Epochs) else Epochs.of(epochs)
            run = Run(tuple(self._probes), ended, config, self._plan, diverged_at)
            found = _most_severe_first(live.in_peace(found, run, self._steps))
            if run.learns:
                self._start = ()  # it did no harm
        self._found = found
        return self._news(step)

    def _news(self, step: int) -> events.FindingsChanged | None:
        found = beside(self._found, self._start, self._seen_at_start) if self._start else self._found
        found = live.one_cause(found)
        if _same(self._told, found):
            return None
        self._told = found
        return events.FindingsChanged(step, found)

    def begin(self, start: Sequence[events.Finding]) -> events.FindingsChanged | None:
        """What there is to tell after a look at the untrained network, where `start` was found beside it.

        It is told as long as the network does not learn.
        """
        self._start = tuple(start)
        self._seen_at_start = frozenset(finding.rule for finding in self._found)
        return self._news(0)

    def judge_again(self, step: int) -> events.FindingsChanged | None:
        """What there is to tell where nothing can be looked at any more."""
        self.unsaid = False
        if self._disabled is not None and self._disabled not in self._found:
            self._found = _most_severe_first([*self._found, self._disabled])
        return self._news(step)

    def at_the_end(
        self, epochs: Sequence[events.EpochEnded], lr: float, diverged_at: int | None
    ) -> tuple[events.Finding, ...]:
        """What is found by the first look and the last one alone, without how long the steps between them were."""
        if not self._probes:
            return (self._disabled,) if self._disabled is not None else ()
        looks = [without_steps(probed) for probed in dict.fromkeys((self._probes[0], self._probes[-1]))]
        return self._examine(looks, epochs, lr, diverged_at)

    def _examine(
        self,
        looks: Sequence[events.LayersProbed],
        epochs: Sequence[events.EpochEnded],
        lr: float,
        diverged_at: int | None,
    ) -> tuple[events.Finding, ...]:
        """What the rules find by `looks`, and that the layers cannot be looked at any more, where that is so."""
        found = examine(
            looks,
            epochs,
            msgspec.structs.replace(self._config, lr=lr),
            plan=self._plan,
            diverged_at=diverged_at,
            rules=self._rules,
            failed=self._leave_out,
            losses=self._losses,
        )
        return found if self._disabled is None else _most_severe_first([*found, self._disabled])

    def _leave_out(self, rule: Rule, error: Exception) -> None:
        self._rules.remove(rule)
        self._failures.append((rule.name, error))

    def take_failures(self) -> list[tuple[str, Exception]]:
        """The rules that have failed since the last time, by name, with what they raised. They are asked no more."""
        failures, self._failures = self._failures, []
        return failures

    def no_memory(self, step: int, device: str) -> None:
        """From now on the layers cannot be looked at: what is found includes that."""
        self.unsaid = True
        self._disabled = events.Finding(
            rule="no-look",
            severity="warning",
            layer=None,
            step=step,
            figure=0.0,
            what=_(
                "The layers could not be looked at after step {step:,}: there was no memory left on {device} for it."
            ).format(step=step, device=device),
            why=_("A look takes about one and a half times the memory of the weights; the run continues without it."),
            try_=_("Train a network with fewer hidden units, or end other programs that use this memory."),
            remedy={},
        )


def without_steps(probed: events.LayersProbed) -> events.LayersProbed:
    """Without what was measured of a step somewhere before: the clock has decided which."""
    layers = tuple(msgspec.structs.replace(layer, update_ratio=None) for layer in probed.layers)
    return msgspec.structs.replace(probed, layers=layers)


def _most_severe_first(findings: Sequence[events.Finding]) -> tuple[events.Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: SEVERITY_ORDER[finding.severity]))  # stable: the rules' order


def _checked(finding: object) -> events.Finding:
    """`finding`, of which everything is what it should be: a rule may be anybody's. Raises msgspec's errors."""
    return msgspec.convert(msgspec.to_builtins(finding), events.Finding)


def _same(old: tuple[events.Finding, ...], new: tuple[events.Finding, ...]) -> bool:
    """Whether `new` says nothing that `old` did not: figures that barely move are no news to read again."""
    if len(old) != len(new):
        return False
    return all(
        (a.rule, a.severity, a.layer) == (b.rule, b.severity, b.layer)
        and (a.figure == b.figure or abs(a.figure - b.figure) <= RETELL * abs(a.figure))
        for a, b in zip(old, new, strict=True)
    )
