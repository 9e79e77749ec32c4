"""How often the screen is brought up to date."""

from __future__ import annotations

from itertools import pairwise

import pytest

from d2ltui.tui.render.frame_limiter import SHARE, SLOWEST, FrameLimiter
from d2ltui.tui.services.undisturbed import Undisturbed


class Clocks:
    """Wall and processor time that a test moves."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    def run(self, pace: FrameLimiter, seconds: float, cost: float, tick: float = 0.05, backlog: bool = False) -> int:
        """Tick for `seconds`; each frame costs `cost` of processor time. Returns the number of frames."""
        frames = 0
        for _ in range(round(seconds / tick)):
            self.wall += tick
            if pace.due(backlog):
                frames += 1
                self.cpu += cost
        return frames


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def test_cheap_frames_come_at_the_highest_rate(clocks: Clocks) -> None:
    pace = FrameLimiter(4.0, lambda: clocks.wall, lambda: clocks.cpu)
    assert clocks.run(pace, 10, cost=0.001) == pytest.approx(40, abs=2)


def test_expensive_frames_come_seldom_enough_to_keep_the_share(clocks: Clocks) -> None:
    pace = FrameLimiter(4.0, lambda: clocks.wall, lambda: clocks.cpu)
    clocks.run(pace, 20, cost=0.015)
    before = clocks.cpu
    clocks.run(pace, 20, cost=0.015)
    assert (clocks.cpu - before) / 20 <= SHARE * 1.1


def test_it_never_stands_still(clocks: Clocks) -> None:
    pace = FrameLimiter(4.0, lambda: clocks.wall, lambda: clocks.cpu)
    clocks.run(pace, 20, cost=1.0)
    assert clocks.run(pace, 20, cost=1.0) >= 20 * SLOWEST - 1


def test_it_recovers_when_frames_are_cheap_again(clocks: Clocks) -> None:
    pace = FrameLimiter(4.0, lambda: clocks.wall, lambda: clocks.cpu)
    clocks.run(pace, 20, cost=0.1)
    clocks.run(pace, 20, cost=0.001)
    assert clocks.run(pace, 10, cost=0.001) >= 36


def test_nothing_is_drawn_for_a_terminal_that_does_not_read(clocks: Clocks) -> None:
    pace = FrameLimiter(4.0, lambda: clocks.wall, lambda: clocks.cpu)
    assert clocks.run(pace, 10, cost=0.001, backlog=True) == 0
    assert clocks.run(pace, 1, cost=0.001) >= 4


@pytest.mark.parametrize("tick", [0.03, 0.05, 0.125])
def test_under_a_held_key_each_frame_that_is_due_waits_for_one_answer(clocks: Clocks, tick: float) -> None:
    """Whatever the number of ticks to a frame; and it comes at the next."""

    def ticks_to_a_frame(*, held: bool) -> set[int]:
        pace, undisturbed = FrameLimiter(4.0, lambda: clocks.wall, lambda: clocks.cpu), Undisturbed(60.0)
        frames = []
        for number in range(round(5 / tick)):
            clocks.wall += tick
            if held:
                undisturbed.expect()
            if pace.due(False, undisturbed.puts_off):
                frames.append(number)
        assert frames[0] == held
        return {after - before for before, after in pairwise(frames)}

    (free,) = ticks_to_a_frame(held=False)
    assert ticks_to_a_frame(held=True) == {free + 1}


def test_a_rate_below_the_slowest_is_kept(clocks: Clocks) -> None:
    pace = FrameLimiter(0.5, lambda: clocks.wall, lambda: clocks.cpu)
    assert clocks.run(pace, 20, cost=0.001) == pytest.approx(10, abs=1)
