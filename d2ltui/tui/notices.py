"""Notices: each is of the screen that it was given on, and goes with it; what has failed is told everywhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from textual.notifications import Notification, Notifications, Notify, SeverityLevel
from textual.widgets._toast import ToastRack

if TYPE_CHECKING:
    from textual.app import App
    from textual.screen import Screen

    AppMixin = App[Any]
else:
    AppMixin = object  # Textual looks for style sheets beside the first base that is an application


LEAST = 0.05  # seconds that a notice is shown, once it is


class Notice(Notification):
    """A notice of `screen`; of None: of none in particular, and shown on whichever is in front.

    Its time begins when it can be seen: another screen may be in front for long. One that expires while it is being put
    on the screen has a moment left all the same: of a timer for less than no time, Textual computes for ever when it is
    due.
    """

    screen: Screen[Any] | None = None
    shown = False

    def show(self) -> None:
        """It can be seen from now on."""
        if not self.shown:
            self.shown, self.raised_at = True, time.time()

    @property
    def time_left(self) -> float:
        """Seconds; never less than a timer can wait."""
        return max(LEAST, super().time_left)

    @property
    def has_expired(self) -> bool:
        """Whether its time is over."""
        return self.shown and super().time_left <= 0


class NoticesApp(AppMixin):
    """An application whose notices do not follow a person onto other screens. (Textual's do.)"""

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """A notice of the screen in front; an error is told everywhere.

        It is text: a sentence that names a path or a value may hold brackets.
        """
        screen = self.screen if severity != "error" and self.screen_stack else None
        self.tell(message, screen, title=title, severity=severity, timeout=timeout, markup=markup)

    def tell(
        self,
        message: str,
        screen: Screen[Any] | None,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """A notice of this screen, in front or not; of None: of everything, shown wherever somebody is."""
        seconds = self.NOTIFICATION_TIMEOUT if timeout is None else timeout
        notice = Notice(message, title, severity, seconds, markup=markup)
        notice.screen = screen
        self.post_message(Notify(notice))

    def _refresh_notifications(self) -> None:
        """Show those of the screen in front, and forget those of screens that have been closed."""
        stack = self.screen_stack
        here = Notifications()
        for notification in list(self._notifications):
            screen = notification.screen if isinstance(notification, Notice) else None
            if screen is not None and screen not in stack:
                self._unnotify(notification, refresh=False)
            elif screen is None or screen is stack[-1]:
                if isinstance(notification, Notice):
                    notification.show()
                here.add(notification)
        for rack in stack[-1].query_children(ToastRack) if stack else ():
            self.call_later(rack.show, here)
