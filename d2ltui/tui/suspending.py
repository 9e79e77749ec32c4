"""ctrl+z: the application gives the terminal back, and takes it again when a shell continues the process."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from textual.app import App

from d2ltui.spec.language import _
from d2ltui.tui.signals import AppSignals, suspend_group

if TYPE_CHECKING:
    from d2ltui.tui.render.driver import PromptDriver


class SuspendableApp(App[None]):
    """An application that a shell can stop and continue."""

    signals: AppSignals | None

    def hang_up(self) -> None:
        """The terminal is gone."""
        raise NotImplementedError

    def action_suspend_process(self) -> None:
        """ctrl+z: to the shell."""
        if self.signals is None:
            return super().action_suspend_process()
        self._suspend_signal()
        return suspend_group()

    def suspend_to_shell(self) -> None:
        """Give the terminal back, stop until a shell continues this process, and take the terminal again.

        With `fg` it has it again. After `bg` it has not, and stops once more; nor where it is continued to end, and
        then leaves the terminal alone.
        """
        driver, signals = self._terminal_driver, self.signals
        if signals is None or driver is None or driver.suspended:
            return
        if driver.given_back:  # on the way out, which goes on from there
            signals.stop_process(signal.SIGTSTP)
            return
        driver.suspend_application_mode()
        number = signal.SIGTSTP
        while not signals.end_wanted:
            stopped = signals.stop_process(number)
            if signals.wait_for(lambda: driver.in_foreground):
                break
            if not stopped:  # nor can anybody continue it: its shell is gone
                self.hang_up()
                return
            number = signal.SIGTTOU
        if signals.end_wanted:
            return
        driver.resume_application_mode()
        if not stopped:
            self.notify(_("There is no shell to go back to: q quits."), severity="warning")

    def continued(self) -> None:
        """Somebody has continued this process; it may have been stopped, and its terminal used meanwhile."""
        if (driver := self._terminal_driver) is not None:
            driver.take_again()
            self.refresh(layout=True)

    @property
    def _terminal_driver(self) -> PromptDriver | None:
        driver: object = self._driver
        return driver if hasattr(driver, "suspended") else None  # type: ignore[return-value]
