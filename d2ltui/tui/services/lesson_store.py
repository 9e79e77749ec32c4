"""What the store knows of lessons: the runs that they have trained, what was tried of them, and how far a person is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from d2ltui.lessons import progress
from d2ltui.lessons.kept import Kept, read
from d2ltui.lessons.progress import Progress
from d2ltui.lessons.trial import StoredRuns, Tried
from d2ltui.store.errors import StoreError

if TYPE_CHECKING:
    from d2ltui.lessons.lesson import Lesson


class LessonsStored:
    """Read in a thread, looked at by a screen: each attribute is replaced by a new one."""

    def __init__(self, lessons: Sequence[Lesson]) -> None:
        self._lessons = lessons
        self.progress = Progress()
        self.runs = StoredRuns(())
        self.kept: dict[str, Kept] = {}
        self.troubles: set[str] = set()
        self._tried: dict[str, list[Tried | None]] = {}

    def tried(self, lesson: Lesson) -> Sequence[Tried | None]:
        """What came of each trial of `lesson`."""
        return self._tried.get(lesson.name) or [None] * len(lesson.trials)

    def read(self, *, writes: bool) -> None:
        """Look again. With `writes`, what was tried is noted for good.

        Raises:
            StoreError: where the runs cannot be read, or what is known of the lessons cannot be read or written.
        """
        from d2ltui.store import listing

        # Each by itself: what can be read is shown, whatever else cannot.
        troubles = []
        try:
            self.progress = progress.read()
        except StoreError as error:
            troubles.append(error)
        self._look_at_what_is_kept()  # before the runs, of which there may be thousands
        try:
            self.runs = StoredRuns(listing.runs())
        except StoreError as error:
            troubles.append(error)
        self.progress, self._tried, trouble = progress.look_up_or_tell(self._lessons, self.runs, writes=writes)
        if trouble or troubles:
            raise StoreError(trouble or str(troubles[0]))

    def _look_at_what_is_kept(self) -> None:
        """The last verdicts and figures. One that is damaged is told of and left out."""
        found = {}
        for lesson in self._lessons:
            try:
                kept = read(lesson.name)
            except StoreError as error:
                self.troubles = self.troubles | {str(error)}
                continue
            if kept is not None:
                found[lesson.name] = kept
        self.kept = found
