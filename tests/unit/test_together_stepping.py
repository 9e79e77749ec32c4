"""Steps and epochs that are asked of a run which is trained together with others: all of them wait for it."""

from __future__ import annotations

import pytest
from graph_stand_in import StandIn
from runs import Tape

from d2ltui.engine.control import Control
from d2ltui.runner.together import train_slice
from d2ltui.spec import events
from d2ltui.spec.config import resolve

SHORT: dict[str, object] = {
    "dataset": "circles",
    "hidden": "8",
    "epochs": 6,
    "batch_size": 64,
    "device": "cpu",
    "threads": 1,
}
A_PASS = 13  # steps of an epoch


@pytest.mark.parametrize("graphs", [False, True], ids=["step by step", "as graphs"])
def test_a_member_is_stepped_as_a_run_of_its_own(graphs: bool) -> None:
    configs = [resolve({**SHORT, "seed": seed}) for seed in (0, 1)]
    controls, tapes = [Control(), Control()], [Tape(), Tape()]
    paused: list[int] = []
    first = controls[0]
    asked = iter([first.step, lambda: (first.step(), first.step()), first.epoch, first.epoch, first.resume])

    def ask(event: events.Event) -> None:
        if isinstance(event, events.EpochEnded) and event.epoch == 1:
            first.pause()
        if isinstance(event, events.StatusChanged) and event.status == "paused":
            paused.append(event.step)
            next(asked)()

    sinks = [[tapes[0], ask], [tapes[1]]]
    stand_in = StandIn() if graphs else None
    assert train_slice(configs, Control(), sinks, controls, [None, None], graphs=lambda device: stand_in)  # type: ignore[arg-type]
    assert paused == [A_PASS, A_PASS + 1, A_PASS + 3, 2 * A_PASS, 3 * A_PASS]
    for tape in tapes:
        assert tape.ended.status == "finished"
        assert [event.step for event in tape.of(events.StatusChanged) if event.status == "paused"] == paused
        assert len(tape.losses) == 6 * A_PASS
