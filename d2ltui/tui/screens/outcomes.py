"""What came of a change that was proposed: a finding's remedy, or what a lesson has to try. Told at the run's end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from d2ltui.spec.language import _
from d2ltui.spec.numbers import number
from d2ltui.spec.text import spelled
from d2ltui.store.errors import StoreError
from d2ltui.tui.form_state import as_text
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
        self._before: tuple[LiveRun, Mapping[str, object], str] | None = None  # the sick run, and what was changed
        self._looking: asyncio.Task[None] | None = None

    def remedied(self, sick: LiveRun | None, values: Mapping[str, object], change: str) -> None:
        """A remedy for `sick`, these values of fields, is in the form, which has changed so."""
        self._before = (sick, values, change) if sick is not None and sick.is_configured else None

    def ended(self, live: LiveRun, app: App[object], host: Host) -> None:
        """A run has come to its end."""
        if host.stored.watched is not None:
            return  # nobody here has trained it
        lesson, chosen = host.measuring.opened, host.measuring.chosen
        if lesson is not None and chosen is not None:
            from d2ltui.lessons.trial import carries_out

            says_something = host.run_name and live.status != "stopped" and lesson.trials[chosen].check is not None
            if says_something and carries_out(live.config, lesson, lesson.trials[chosen]):
                self._looking = begin(app, self._look_up(lesson, chosen, host))
                return
        self._tell_of_remedy(live)

    def _tell_of_remedy(self, live: LiveRun) -> None:
        """What the remedy has brought, where this is the run that was trained with it."""
        if self._before is None or self._before[0] is live:
            return
        (before, values, change), self._before = self._before, None
        if not (_is_with(live, before, values) and live.epochs and (before.epochs or before.status == "diverged")):
            return
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
        from d2ltui.store import home, listing

        name = host.run_name

        def stored() -> bool:
            run = listing.info(home.path_of(name))  # of thousands of runs the one that is waited for
            return not run.active and not run.problem

        def tried() -> Tried | None:
            return StoredRuns(listing.runs()).tried(lesson, lesson.trials[number])

        for _look in range(LOOKS):
            try:
                came = await in_thread(tried) if (over := await in_thread(stored)) else None
            except StoreError:
                return  # told where the runs are listed; what this run has come to stands on the screen
            if name != host.run_name or host.training:
                return
            if came is not None and came.run == name:
                told = _("{said} L: back to the lesson").format(said=came.said)
                self._say(spelled(told) if host.ascii else told)
            if over:
                return
            await asyncio.sleep(BETWEEN)


def _is_with(live: LiveRun, before: LiveRun, values: Mapping[str, object]) -> bool:
    """Whether `live` is a run of what `before` was one of, with these values of fields."""
    config, sick = live.config, before.config
    same = (config.model, config.dataset) == (sick.model, sick.dataset)
    return same and all(as_text(getattr(config, name)) == as_text(value) for name, value in values.items())
