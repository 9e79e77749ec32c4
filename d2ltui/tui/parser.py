"""What a terminal sends, as keys, clicks and sizes; whatever it sends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from textual import events
from textual._parser import ParseEOF, ParseError
from textual._xterm_parser import XTermParser
from textual.message import Message

PASTE_BEGINS, PASTE_ENDS = "\x1b[200~", "\x1b[201~"
PASTE_PATIENCE = 2.0  # seconds without another character of a paste: its end has been lost
_NO_TEXT = dict.fromkeys(map(ord, "\0\x1b"))


class InputParser(XTermParser):
    """Textual's parser, which goes on after what it cannot read.

    A terminal that tells its size as nothing has the next click divided by it, a number too large to be a character
    is one all the same: what is raised there ends the parser, and no key is ever read again.

    Args:
        debug: Textual's: whether what is read is written down.
        expects_sizes: whether the terminal has been asked to tell its sizes. One that nobody has asked for, such as in
            a file that is shown or pasted, would hold until the window's next change.
    """

    def __init__(self, debug: bool = False, expects_sizes: Callable[[], bool] = lambda: True) -> None:
        self._expects_sizes = expects_sizes
        self._recent = ""  # the last characters
        self._pasted: list[str] | None = None  # what has come of a paste, while there is one
        self._pasted_at = 0.0
        super().__init__(debug)

    def feed(self, data: str) -> Iterable[Message]:
        """The messages that `data` completes."""
        if not data:  # the end
            yield from super().feed(data)
            return
        for character in data:
            if self._pasted is not None:
                yield from self._paste(character)
                continue
            self._recent = (self._recent + character)[-len(PASTE_BEGINS) :]
            if self._recent == PASTE_BEGINS:
                self._recent, self._pasted, self._pasted_at = "", [], time.monotonic()
                self._begin_anew()  # what it has read of the sequence is no key
                continue
            try:
                yield from (message for message in self._feed(character) if _is_possible(message))
            except (ParseEOF, ParseError):
                raise
            except (ArithmeticError, LookupError, ValueError):
                self._begin_anew()

    def tick(self) -> Iterable[Message]:
        """What time completes: an escape key, a paste whose end has been lost."""
        yield from super().tick()
        if self._pasted is not None and time.monotonic() - self._pasted_at > PASTE_PATIENCE:
            yield from self._end_paste()

    def _paste(self, character: str) -> Iterable[Message]:
        """Text that is pasted holds no keys, whatever is in it. Textual finds some, and then misses the end."""
        assert self._pasted is not None
        self._pasted.append(character)
        self._pasted_at = time.monotonic()
        if character == "~" and "".join(self._pasted[-len(PASTE_ENDS) :]) == PASTE_ENDS:
            del self._pasted[-len(PASTE_ENDS) :]
            yield from self._end_paste()

    def _end_paste(self) -> Iterable[Message]:
        text = "".join(self._pasted or ()).translate(_NO_TEXT)
        self._pasted = None
        if text:
            yield events.Paste(text)

    def _feed(self, character: str) -> Iterable[Message]:
        before = self.terminal_size, self.terminal_pixel_size, self.mouse_pixels
        for message in super().feed(character):
            if isinstance(message, events.Resize) and not self._expects_sizes():
                self.terminal_size, self.terminal_pixel_size, self.mouse_pixels = before
            else:
                yield message

    def parse_mouse_code(self, code: str) -> Message | None:
        """A click; where it is, in cells."""
        if not (_has_area(self.terminal_size) and _has_area(self.terminal_pixel_size)):
            self.mouse_pixels = False  # there is nothing to convert them with
        return super().parse_mouse_code(code)

    def _begin_anew(self) -> None:
        kept = self.terminal_size, self.terminal_pixel_size, self.mouse_pixels, self._debug_log_file
        super().__init__()
        self.terminal_size, self.terminal_pixel_size, self.mouse_pixels, self._debug_log_file = kept


def _has_area(size: tuple[int, int] | None) -> bool:
    return size is not None and size[0] > 0 and size[1] > 0


def _is_possible(message: Message) -> bool:
    """A window without rows or columns shows nothing; a terminal that tells of one does not know its size."""
    return not isinstance(message, events.Resize) or message.size.area > 0
