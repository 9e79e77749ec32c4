"""Textual's driver for Linux and macOS, with a prompt escape key, for terminals that come and go."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import termios
import threading
import time
from codecs import getincrementaldecoder
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from textual import constants, events
from textual._parser import ParseEOF, ParseError
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Size
from textual.message import Message

from d2ltui.spec import terminal
from d2ltui.tui.parser import InputParser
from d2ltui.tui.render.app import FrameApp
from d2ltui.tui.typed_ahead import in_foreground

if TYPE_CHECKING:
    from textual.app import App

    from d2ltui.tui.signals import AppSignals

IDLE = 0.1  # seconds between two looks at whether to end
# How long the way out waits for a terminal that takes nothing: flow control, a link that is dead. In seconds.
DRAIN_TIMEOUT = 4.0


class PromptDriver(LinuxDriver):
    """Tells the escape key after `ESCDELAY`.

    A terminal sends the escape character for that key, and also at the beginning of what it sends for an arrow. Only
    time tells which one it was: Textual waits for `ESCDELAY` milliseconds, but looks at the clock ten times a second
    only. Here it is looked at when it is due.

    Between `suspend_application_mode` and `resume_application_mode` the terminal is the shell's, and is left alone,
    also on the way out. Where another process group has it, its line discipline is left alone.
    """

    suspended = False
    given_back = False  # whether the terminal is again as it was before: the application ends, or is suspended
    _raw: list[Any] | None = None  # the line discipline that we have set
    _keyboard = ""  # the flags of Kitty's keyboard protocol that Textual has asked for
    _signals: AppSignals | None = None

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)
        if self._size is None:  # Textual's first guess asks COLUMNS and LINES before the terminal
            self._size = self._get_terminal_size()
        if isinstance(app, FrameApp):
            app.ask_size = self._ask_size
        self._signals = getattr(app, "signals", None)
        if self._signals is not None:
            self._signals.take()

    def _get_terminal_size(self) -> tuple[int, int]:
        """The size of the terminal that is drawn on: standard output may go into a file."""
        return terminal.size(self._file, self.fileno)

    @property
    def in_foreground(self) -> bool:
        """Whether the terminal is ours."""
        return in_foreground(self.fileno)

    def write(self, data: str) -> None:
        """Send `data`, where there is a terminal to send it to. Waits for one that takes nothing, but not for ever."""
        writer = self._writer_thread
        if self.suspended or writer is None or not writer.is_alive():
            return
        if data.startswith("\x1b[>") and data.endswith("u"):
            self._keyboard = data[3:-1]
        while writer._queue.full() and writer.is_alive():
            if self._signals is not None and self._signals.end_wanted:
                self._discard()
            time.sleep(IDLE / 10)
        super().write(data)

    def start_application_mode(self) -> None:
        """Take the terminal. It is empty."""
        self.given_back = False
        if (typed_ahead := getattr(self._app, "typed_ahead", None)) is not None:
            typed_ahead.end()
        super().start_application_mode()  # type: ignore[no-untyped-call]
        if isinstance(self._app, FrameApp):
            self._app.frame.forget()
        signal.signal(signal.SIGWINCH, self._hear_of_size)
        with suppress(termios.error):
            self._raw = termios.tcgetattr(self.fileno)

    def stop_application_mode(self) -> None:
        """Give the terminal back as it was."""
        if self.suspended:
            return
        with _from_background():
            if not self.in_foreground:
                self.attrs_before = None
            super().stop_application_mode()
            self.given_back = True

    def disable_input(self) -> None:
        """Read no more keys."""
        if not self.suspended:
            super().disable_input()

    def close(self) -> None:
        """End the thread that writes, as soon as the terminal has taken everything, or takes nothing more."""
        writer = self._writer_thread
        if self.suspended or writer is None or not writer.is_alive():
            return
        waiting, since = writer._queue.qsize(), time.monotonic()
        threading.Thread(target=writer.stop, daemon=True).start()  # it waits where the queue is full
        while writer.is_alive():
            writer.join(IDLE / 10)
            now = time.monotonic()
            if writer._queue.qsize() != waiting:
                waiting, since = writer._queue.qsize(), now
            elif now - since > DRAIN_TIMEOUT:
                self._discard()

    def _discard(self) -> None:
        """Throw away what the terminal has not taken, so that the next of it can be written.

        Linux does not wake who waits to write to a pseudo-terminal that has been emptied so: only output that is held
        up and let go again does.
        """
        with suppress(termios.error, ValueError):
            number = self._file.fileno() if self._file is not None else self.fileno
            termios.tcflush(number, termios.TCOFLUSH)
            termios.tcflow(number, termios.TCOOFF)
            termios.tcflow(number, termios.TCOON)

    def suspend_application_mode(self) -> None:
        """Give the terminal to the shell."""
        super().suspend_application_mode()
        self.suspended = True

    def resume_application_mode(self) -> None:
        """Take it again. The application is told, and draws everything."""
        self.suspended = False
        self._must_signal_resume = True
        super().resume_application_mode()

    def take_again(self) -> None:
        """Set everything once more, after another process may have changed it while this one was stopped."""
        if self.given_back or not self.in_foreground:
            return
        if self._writer_thread is None:  # stopped in the background when it was to be taken for the first time
            self.start_application_mode()
            return
        if self._raw is not None:
            with suppress(termios.error):
                termios.tcsetattr(self.fileno, termios.TCSANOW, self._raw)
        self.write("\x1b[?25l\x1b[?1004h")
        if self._keyboard:  # what Textual sends pushes the flags on a stack; this sets what is on top of it
            self.write(f"\x1b[={self._keyboard};1u")
        self._enable_mouse_support()
        self._enable_bracketed_paste()
        self._disable_line_wrap()
        self._tell_size()

    def _hear_of_size(self, *_: object) -> None:
        """The window has another size. It is asked for in the event loop, where nothing comes in between.

        Textual asks here. The next change may come just then, and is told first: what was asked for before would stay.
        """
        if self._in_band_window_resize:  # the terminal tells it itself
            return
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._tell_size)

    def _ask_size(self) -> Size | None:
        """The size of the window now; None where the terminal tells it itself."""
        return None if self._in_band_window_resize else Size(*self._get_terminal_size())

    def _tell_size(self) -> None:
        size = Size(*self._get_terminal_size())
        self._app.post_message(events.Resize(size, size))

    def process_message(self, message: Message) -> None:
        """Hand on what has been read. The application hears of keys and clicks at once, before it handles them."""
        acts = isinstance(message, (events.Key, events.MouseDown, events.MouseScrollUp, events.MouseScrollDown))
        if acts:
            self._announce()
        super().process_message(message)

    def _announce(self) -> None:
        if isinstance(self._app, FrameApp):
            self._app.input_comes()

    def _run_input_thread(self) -> None:
        """A defect in this thread ends the application as one in the interface's does, and not as if all were well."""
        try:
            self.run_input_thread()
        except Exception as error:
            self._app.call_later(_fail, error)

    def run_input_thread(self) -> None:
        """Read keys until the end; see LinuxDriver, from which everything but the times is."""
        parser = InputParser(self._debug, lambda: getattr(self, "_in_band_window_resize", True))
        # What is not UTF-8 is left out: another character set's letters, line noise, a paste of either.
        decode = getincrementaldecoder("utf-8")("ignore").decode
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            patience, ending = IDLE, False
            while not ending:
                ending = self.exit_event.is_set()  # then once more: what was typed meanwhile is not left to the shell
                typed = ""
                if selector.select(patience):
                    data = self._read()
                    if not data:
                        break
                    typed = decode(data, final=ending)
                    if typed.endswith("\x1b"):
                        self._announce()  # whatever follows, and while it is not known that nothing does
                    for event in parser.feed(typed) if typed else ():
                        self.process_message(event)
                for event in parser.tick():
                    self.process_message(event)
                patience = min(IDLE, constants.ESCAPE_DELAY + 0.001) if typed else IDLE
        with suppress(ParseEOF, ParseError, EOFError):
            for _ in parser.feed(""):
                pass

    def _read(self) -> bytes:
        """What has been typed; nothing where the terminal is gone, which counts as a hang-up."""
        with suppress(OSError):
            if data := os.read(self.fileno, 1024 * 4):
                return data
        if self._signals is not None and not self.exit_event.is_set():
            os.kill(os.getpid(), signal.SIGHUP)
        return b""


@contextlib.contextmanager
def _from_background() -> Iterator[None]:
    """Within it, changing the terminal from the background does not stop the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGTTOU, before)


def _fail(error: Exception) -> None:
    raise error
