"""Work that processes beside this one do: each piece once, whatever becomes of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from spread_pieces import die, look_around, raise_it, wait_for_the_end

from d2ltui.engine.control import Control
from d2ltui.runner.spread import MOST_AGAIN, Spread
from d2ltui.spec.jobs import Jobs, WorkersLost
from tests.processes.loky import workers


def children() -> list[int]:
    return [one.pid for one in workers()]


def test_what_a_dead_process_had_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """In a directory full of traps; and nobody writes to the terminal."""
    for name in ("struct", "typing", "shelve", "joblib", "numpy", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text(f"open('trace', 'a').write({name!r})\nraise ImportError\n")
    monkeypatch.chdir(tmp_path)
    told: list[str] = []
    found = []
    with Spread(Jobs(2), Control(), told.append, numbered=True) as spread:
        for done in spread.over(look_around, range(5)):
            if done is not None:
                found.append(done)
        assert children()
    assert sorted(index for index, _ in found) == [0, 1, 2, 3, 4]
    for index, seen in found:
        assert seen["piece"] == index
        assert seen["path"] != str(tmp_path)
        assert os.path.dirname(seen["shelve"]) == os.path.dirname(os.__file__)
        assert seen["streams"] == [os.devnull] * 3
    assert next(seen["again"] for index, seen in found if index == 1)
    assert len(told) == 1
    assert told[0].startswith("a process that trains has died: ")
    assert os.getcwd() == str(tmp_path)
    assert not (tmp_path / "trace").exists()
    assert capfd.readouterr() == ("", "")
    assert not children()


def test_a_piece_that_kills_each_process_is_given_up() -> None:
    told: list[str] = []
    with (
        Spread(Jobs(2), Control(), told.append, numbered=True) as spread,
        pytest.raises(WorkersLost, match=f"has died {MOST_AGAIN + 1} times"),
    ):
        list(spread.over(die, [0]))
    assert len(told) == MOST_AGAIN


def test_an_error_and_a_stop() -> None:
    control = Control()
    with Spread(Jobs(32), control, pytest.fail, numbered=True) as spread:
        with pytest.raises(ValueError, match="piece 0"):
            list(spread.over(raise_it, [0]))
        assert len(children()) <= 2  # no more processes than there is work for: joblib begins them all at once
        ended = []
        for done in spread.over(wait_for_the_end, range(2)):
            if done is not None:
                ended.append(done[1])
            elif children():
                control.stop()
        assert all(stopped for _, stopped in ended)
        assert len(ended) <= 2
    assert not children()


def test_processes_whose_owner_was_killed_end_by_themselves(tmp_path: Path) -> None:
    script = f"""
import sys
sys.path.insert(0, {os.path.dirname(__file__)!r})
from spread_pieces import wait_for_the_end
from d2ltui.engine.control import Control
from d2ltui.runner.spread import Spread
from d2ltui.spec.jobs import Jobs
with Spread(Jobs(2), Control(), print, numbered=True) as spread:
    for _ in spread.over(wait_for_the_end, range(2)):
        pass
"""
    owner = subprocess.Popen([sys.executable, "-c", script], env={**os.environ, "TMPDIR": str(tmp_path)})
    deadline = time.monotonic() + 60
    try:
        while len(list(tmp_path.glob("d2ltui-jobs-*/begun-*"))) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        begun = psutil.Process(owner.pid).children(recursive=True)
        assert len(begun) >= 2
    finally:
        owner.kill()
        owner.wait()
    _, alive = psutil.wait_procs(begun, timeout=60)
    assert alive == []
    assert list(tmp_path.glob("d2ltui-jobs-*")) == []
