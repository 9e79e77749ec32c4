"""Work that the workers of a cluster do: a local one of dask.distributed, of two processes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from spread_pieces import raise_it, survive

from d2ltui.engine.control import Control
from d2ltui.runner.spread import Spread
from d2ltui.spec.jobs import Jobs, JobsError
from tests.commands import Command

distributed = pytest.importorskip("distributed", reason="needs distributed: pip install -e '.[cluster]'")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where the scheduler of a cluster listens."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs="CRITICAL"
    ) as cluster:
        yield cluster.scheduler_address


def test_what_a_dead_worker_had_is_done_again(address: str, capfd: pytest.CaptureFixture[str]) -> None:
    told: list[str] = []
    with Spread(Jobs(None, "dask", address), Control(), told.append) as spread:
        assert spread.number == 2
        found = [done for done in spread.over(survive, range(5)) if done is not None]
        assert sorted(index for index, _ in found) == [0, 1, 2, 3, 4]
        assert next((piece, again) for _, (piece, again) in sorted(found) if again) == (1, True)
        assert len(told) >= 1
        assert all(sentence.startswith("a process that trains has died: ") for sentence in told)
        with pytest.raises(ValueError, match="piece 0"):
            list(spread.over(raise_it, [0]))
    assert capfd.readouterr() == ("", "")


def test_a_map(address: str, command: Command) -> None:
    """Its cells are those of one process."""

    def cells(*options: str) -> Any:
        grid = ("--x", "lr=0.01:1e30:3", "--y", "init_std=0.1:1:2", "--dataset", "circles", "--epochs", "2")
        status, out, err = command("map", *grid, "--device", "cpu", "--quiet", "--json", *options)
        assert (status, err) == (0, "")
        return json.loads(out)["cells"]

    assert cells("--backend", "dask", "--scheduler", address) == cells()


def test_a_scheduler_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("d2ltui.runner.spread.ANSWER", 0.5)
    for address, why in (("tcp://127.0.0.1:9", "none answers within 0.5 seconds"), ("nonsense://x", "nonsense")):
        with (
            pytest.raises(JobsError, match=f"^scheduler: '{address}' is not allowed .*{why}"),
            Spread(Jobs(2, "dask", address), Control(), pytest.fail),
        ):
            pytest.fail("there is none")
