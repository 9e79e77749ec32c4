"""Textual's driver for Linux and macOS, with a prompt escape key."""

from __future__ import annotations

import os
import selectors
import shutil
from codecs import getincrementaldecoder
from contextlib import suppress

from textual import constants
from textual._parser import ParseEOF, ParseError
from textual.drivers.linux_driver import LinuxDriver

from d2ltui.tui.parser import InputParser

IDLE = 0.1  # seconds between two looks at whether to end


class PromptDriver(LinuxDriver):
    """Tells the escape key after `ESCDELAY`.

    A terminal sends the escape character for that key, and also at the beginning of what it sends for an arrow. Only
    time tells which one it was: Textual waits for `ESCDELAY` milliseconds, but looks at the clock ten times a second
    only. Here it is looked at when it is due.
    """

    def _get_terminal_size(self) -> tuple[int, int]:
        """The size of the terminal that is drawn on: standard output may go into a file."""
        fallback = (80, 24)
        with suppress(OSError, ValueError):
            if self._file is not None:
                fallback = os.get_terminal_size(self._file.fileno())
        return shutil.get_terminal_size(fallback)

    def _run_input_thread(self) -> None:
        """A defect in this thread ends the application as one in the interface's does, and not as if all were well."""
        try:
            self.run_input_thread()
        except Exception as error:
            self._app.call_later(_fail, error)

    def run_input_thread(self) -> None:
        """Read keys until the end; see LinuxDriver, from which everything but the times is."""
        parser = InputParser(self._debug)
        # What is not UTF-8 is left out: another character set's letters, line noise, a paste of either.
        decode = getincrementaldecoder("utf-8")("ignore").decode
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            patience, ending = IDLE, False
            while not ending:
                ending = self.exit_event.is_set()  # then once more: what was typed meanwhile is not left to the shell
                typed = ""
                if selector.select(patience):
                    typed = decode(os.read(self.fileno, 1024 * 4), final=ending)
                    for event in parser.feed(typed) if typed else ():
                        self.process_message(event)
                for event in parser.tick():
                    self.process_message(event)
                patience = min(IDLE, constants.ESCAPE_DELAY + 0.001) if typed else IDLE
        with suppress(ParseEOF, ParseError, EOFError):
            for _ in parser.feed(""):
                pass


def _fail(error: Exception) -> None:
    raise error
