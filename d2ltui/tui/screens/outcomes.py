"""What came of a change that was proposed: a finding's remedy, or what a lesson has to try. Told at the run's end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from d2ltui.spec.language import _
from d2ltui.spec.numbers import number
from d2ltui.spec.text import spelled
from d2ltui.store.errors import StoreError
from d2ltui.tui.services.threads import begin, in_thread

if TYPE_CHECKING:
    from textual.app import App

    from d2ltui.history.live import LiveRun
    from d2ltui.lessons.lesson import Lesson
    from d2ltui.lessons.trial import Tried
    from d2ltui.tui.host import Host

LOOKS, BETWEEN = 20, 0.25  # at the store, and seconds: a run is written to its end a moment after it has ended


class Outcomes:
    """Knows what was changed, and tells `say` what it has brought."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._before: tuple[LiveRun | None, str] = (None, "")  # the sick run, and what was changed
        self._looking: asyncio.Task[None] | None = None

    def remedied(self, sick: LiveRun | None, change: str) -> None:
        """A remedy for `sick` is in the form, which has changed so."""
        self._before = sick, change

    def ended(self, live: LiveRun, app: App[object], host: Host) -> None:
        """A run has come to its end."""
        if host.stored.watched is not None:
            return  # nobody here has trained it
        lesson, chosen = host.measuring.opened, host.measuring.chosen
        if lesson is not None and chosen is not None:
            from d2ltui.lessons.trial import carries_out

            if carries_out(live.config, lesson, lesson.trials[chosen]):
                self._looking = begin(app, self._look_up(lesson, chosen, host))
                return
        self._tell_of_remedy(live)

    def _tell_of_remedy(self, live: LiveRun) -> None:
        """What the remedy has brought, where this is the run that was trained with it."""
        before, change = self._before
        if before is None or before is live or not live.epochs or not (before.epochs or before.status == "diverged"):
            return
        self._before = (None, "")
        was = _("diverged") if before.status == "diverged" else number(before.epochs[-1].val_metric)
        figures = f"{was} → {number(live.epochs[-1].val_metric)}"
        self._say(
            _("{change}: validation {metric_title} {figures}").format(
                change=change, metric_title=_(live.header.metric_title), figures=figures
            )
        )

    async def _look_up(self, lesson: Lesson, number: int, host: Host) -> None:
        """Whether it came as the lesson says, once the run is stored."""
        from d2ltui.lessons.trial import StoredRuns
        from d2ltui.store import listing

        name = host.run_name

        def tried() -> Tried | None:
            return StoredRuns(listing.runs()).tried(lesson, lesson.trials[number])

        for _look in range(LOOKS):
            try:
                came = await in_thread(tried)
            except StoreError:
                return  # told where the runs are listed; what this run has come to stands on the screen
            if name != host.run_name or host.training:
                return
            if came is not None and came.run == name:
                told = _("{said} L: back to the lesson").format(said=came.said)
                self._say(spelled(told) if host.ascii else told)
                return
            await asyncio.sleep(BETWEEN)
