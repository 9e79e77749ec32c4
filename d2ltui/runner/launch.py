"""A run assembled and trained: the engine, and what is stored of it. Both front ends begin theirs here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from d2ltui.engine.control import Control
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig

if TYPE_CHECKING:
    from d2ltui.runner.recording import RunRecording


def train(
    config: RunConfig,
    control: Control,
    sinks: Sequence[events.Sink],
    recording: RunRecording | None = None,
    *,
    diagnose: bool = False,
    trials: bool = True,
    give_up: Callable[[events.Finding], None] | None = None,
) -> events.RunEnded:
    """Train `config` in this thread and tell `sinks` (of a stored run, its store is one); returns the last event.

    With a `recording` checkpoints are kept, and a stored run goes on from its last one; closing it is the caller's.
    With `diagnose`, what is wrong with a run that has not learned is looked for at its end, with `trials` by training
    with other settings, too. With `give_up`, a run that will not learn any more is stopped, and `give_up` told why.
    """
    from d2ltui.engine.trainer import Trainer  # PyTorch: seconds

    if recording is None:
        return Trainer(config, control, sinks, diagnose=diagnose, trials=trials, give_up=give_up).run()
    return Trainer(
        config,
        control,
        sinks,
        keeper=recording,
        weights=recording,
        resume=recording.checkpoint if recording.resumes else None,
        probes=recording.past_probes,
        losses=recording.past_losses,
        diagnose=diagnose,
        trials=trials,
        give_up=give_up,
    ).run()
