"""Runs told line by line, for a screen reader: no chart, no table, nothing that is drawn again."""

from __future__ import annotations

import time
from pathlib import Path

from d2ltui.cli import text
from d2ltui.spec.events import exit_status
from d2ltui.spec.language import _
from d2ltui.spec.text import ended
from d2ltui.store.reader import RunReader

EVERY = 0.5  # seconds between two looks at a run of another process


def follow(path: Path) -> int:
    """Tell of a stored run until it has ended; returns the exit status that its end has.

    Raises:
        StoreError: where it cannot be read.
    """
    from d2ltui.history.speech import Speaker

    with RunReader(path) as reader:
        speaker = Speaker(reader.live)
        while True:
            alive = reader.alive  # before the reading: what a process wrote just before its end is not missed
            reader.poll()
            for line in speaker.news():
                text.say(line)
            if reader.live.ended is not None:
                return exit_status(reader.live.ended.status)
            if not alive:
                text.say(
                    _(
                        "Interrupted after step {step:,}: its process is gone; 'd2ltui train --resume "
                        "{name}' resumes it."
                    ).format(step=reader.live.step, name=path.name)
                )
                return 0
            time.sleep(EVERY)


def tell(path: Path) -> None:
    """`d2ltui show --speak`: the whole of a stored run.

    Raises:
        StoreError: where it cannot be read.
    """
    from d2ltui.history.speech import in_words
    from d2ltui.store.listing import describe

    with RunReader(path) as reader:
        run = describe(path, reader.meta, reader.live.findings)
        text.say(ended(f"{run.name}: {run.status}" + (f", {run.message}" if run.message else "")))
        for line in in_words(reader.live):
            text.say(line)
