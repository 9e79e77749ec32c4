"""PromptDriver: from the bytes of a terminal to keys."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import signal
import struct
import sys
import termios
import threading
import time
import tty
from collections.abc import Iterator

import pytest
from textual import constants, events
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Size
from textual.message import Message

from d2ltui.tui.render.app import FrameApp
from d2ltui.tui.render.driver import PromptDriver
from d2ltui.tui.render.frame import TerminalFrame


class Listener(FrameApp):
    """An application that hears of input."""

    def __init__(self) -> None:
        self.heard: list[float] = []

    def input_comes(self) -> None:
        self.heard.append(time.monotonic())


class Keyboard:
    """A terminal's two ends, and a driver that reads one of them."""

    def __init__(self, driver_class: type[LinuxDriver] = PromptDriver) -> None:
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.keys: list[tuple[float, str]] = []
        driver = driver_class.__new__(driver_class)
        driver.fileno = self.slave
        driver._debug = False
        self.listener = driver._app = Listener()
        driver.exit_event = threading.Event()
        driver.process_message = self._note  # type: ignore[method-assign]
        self.driver = driver
        self.thread = threading.Thread(target=driver.run_input_thread)
        self.thread.start()

    def _note(self, message: Message) -> None:
        if isinstance(message, events.Key):
            self.keys.append((time.monotonic(), message.key))

    def until(self, count: int) -> list[str]:
        deadline = time.monotonic() + 20
        while len(self.keys) < count and time.monotonic() < deadline:
            time.sleep(0.002)
        return [key for _, key in self.keys]

    def close(self) -> None:
        self.driver.exit_event.set()
        self.thread.join(5)
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def keyboard() -> Iterator[Keyboard]:
    board = Keyboard()
    yield board
    board.close()
    assert not board.thread.is_alive()


def test_the_size_is_that_of_the_terminal_drawn_on(keyboard: Keyboard, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    fcntl.ioctl(keyboard.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 37, 123, 0, 0))
    with open(os.devnull, "w") as null, os.fdopen(os.dup(keyboard.slave), "w") as drawn_on:
        monkeypatch.setattr(sys, "__stdout__", null)  # d2ltui --json > FILE
        keyboard.driver._file = drawn_on
        assert keyboard.driver._get_terminal_size() == (123, 37)


def test_a_terminal_that_was_given_back_is_not_taken_again(keyboard: Keyboard, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is continued while the application ends."""
    driver, sent = keyboard.driver, []
    monkeypatch.setattr(type(driver), "write", lambda _, data: sent.append(data))
    monkeypatch.setattr(type(driver), "in_foreground", True)
    assert isinstance(driver, PromptDriver)
    driver.attrs_before, driver._raw = None, termios.tcgetattr(keyboard.slave)
    driver._mouse, driver._key_thread, driver._file, driver._in_band_window_resize = True, None, None, False
    driver.stop_application_mode()
    assert "\x1b[?25h" in sent
    given_back = len(sent)
    shells = termios.tcgetattr(keyboard.slave)
    shells[3] |= termios.ECHO
    termios.tcsetattr(keyboard.slave, termios.TCSANOW, shells)
    driver.take_again()
    assert sent[given_back:] == []
    assert termios.tcgetattr(keyboard.slave)[3] & termios.ECHO


def test_letters_arrows_and_escape(keyboard: Keyboard) -> None:
    os.write(keyboard.master, "aé\x1b[A".encode())
    assert keyboard.until(3) == ["a", "é", "up"]
    os.write(keyboard.master, b"\x1b")
    assert keyboard.until(4)[3:] == ["escape"]


def test_an_escape_is_heard_of_before_it_is_known_to_be_one(
    keyboard: Keyboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ESCAPE_DELAY", 0.1)
    os.write(keyboard.master, b"\x1b")
    assert keyboard.until(1) == ["escape"]
    (heard,) = keyboard.listener.heard
    assert heard < keyboard.keys[0][0] - 0.05, "whatever trains rests meanwhile"


def test_an_arrow_in_pieces_is_no_escape(keyboard: Keyboard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ESCAPE_DELAY", 10.0)
    for piece in (b"\x1b", b"[", b"B"):
        os.write(keyboard.master, piece)
        time.sleep(0.01)
    assert keyboard.until(1) == ["down"]


def test_a_letter_in_pieces(keyboard: Keyboard) -> None:
    os.write(keyboard.master, b"\xc3")
    time.sleep(0.01)
    os.write(keyboard.master, b"\xa9")
    assert keyboard.until(1) == ["é"]


def test_escape_is_told_sooner_than_by_textual(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ESCAPE_DELAY", 0.01)
    took = {}
    for driver_class in (LinuxDriver, PromptDriver):
        board = Keyboard(driver_class)
        began = time.monotonic()
        for count in range(1, 10):
            os.write(board.master, b"\x1b")
            assert board.until(count) == ["escape"] * count
        took[driver_class] = board.keys[-1][0] - began
        board.close()
    assert took[PromptDriver] < took[LinuxDriver] / 2


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        (b"a\xffb", ["a", "b"]),
        (b"\xf8b", ["b"]),
        (b"\xe9b", ["b"]),  # é in Latin-1: of a character in UTF-8 the first of three bytes
        (b"\xe9\xe9\x1b[Ab", ["up", "b"]),
        ("é".encode(), ["é"]),
        (b"\xc3", []),
    ],
)
def test_bytes_that_are_no_text_are_left_out(keyboard: Keyboard, sent: bytes, keys: list[str]) -> None:
    os.write(keyboard.master, sent + b"z")
    assert keyboard.until(len(keys) + 1) == [*keys, "z"]
    assert keyboard.thread.is_alive()


def test_who_waits_for_a_terminal_that_takes_nothing_goes_on_when_it_is_thrown_away(keyboard: Keyboard) -> None:
    written = threading.Event()

    def write() -> None:
        data = b"x" * 200_000
        while data:
            data = data[os.write(keyboard.slave, data) :]
        written.set()

    keyboard.driver._file = None  # type: ignore[assignment]
    threading.Thread(target=write, daemon=True).start()
    assert not written.wait(0.3)  # nobody reads it
    deadline = time.monotonic() + 20
    while not written.wait(0.01) and time.monotonic() < deadline:
        keyboard.driver._discard()  # type: ignore[attr-defined]
    assert written.is_set()


def test_a_terminal_that_was_not_asked_to_tell_its_sizes_does_not_change_them(keyboard: Keyboard) -> None:
    read: list[Message] = []
    keyboard.driver.process_message = read.append  # type: ignore[method-assign, assignment]
    for tells in (False, True):
        keyboard.driver._in_band_window_resize = tells
        os.write(keyboard.master, b"\x1b[48;1;1;0;0tz")
        deadline = time.monotonic() + 20
        while not any(isinstance(message, events.Key) for message in read) and time.monotonic() < deadline:
            time.sleep(0.002)
        assert any(isinstance(message, events.Resize) for message in read) == tells
        read.clear()


async def test_a_defect_in_the_thread_that_reads_keys_is_no_good_end() -> None:
    app = App[None]()

    async def run() -> None:
        async with app.run_test() as pilot:
            driver = PromptDriver.__new__(PromptDriver)
            driver._app = app
            driver.run_input_thread = lambda: 1 // 0  # type: ignore[method-assign,assignment]
            driver._run_input_thread()
            await pilot.pause(0.2)

    with pytest.raises(ZeroDivisionError):
        await run()
    assert app.return_code == 1


async def test_of_sizes_that_follow_each_other_at_once_the_last_one_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal may come while that before it is handled: Python handles it there and then."""
    master, slave = pty.openpty()
    app = Listener()
    app.frame = TerminalFrame()
    told: list[Size] = []

    def note(message: Message) -> bool:
        if isinstance(message, events.Resize):
            told.append(message.size)
        return True

    async def note_later(message: Message) -> bool:
        return note(message)

    monkeypatch.setattr(app, "post_message", note, raising=False)
    monkeypatch.setattr(app, "_post_message", note_later, raising=False)
    with os.fdopen(slave, "w") as file:
        monkeypatch.setattr(sys, "__stderr__", file)
        before = signal.getsignal(signal.SIGWINCH)
        driver = PromptDriver(app, size=(120, 40))
        driver.fileno = slave
        sizes = [(1, 18), (80, 24)]

        def asked() -> tuple[int, int]:
            if len(sizes) > 1:
                found = sizes.pop(0)
                os.kill(os.getpid(), signal.SIGWINCH)  # the window changes just after this look at it
                return found
            return sizes[0]

        try:
            driver.start_application_mode()
            await asyncio.sleep(0.05)
            told.clear()
            monkeypatch.setattr(driver, "_get_terminal_size", asked)
            os.kill(os.getpid(), signal.SIGWINCH)
            await asyncio.sleep(0.05)
        finally:
            driver.disable_input()
            driver.stop_application_mode()
            driver.close()
            signal.signal(signal.SIGWINCH, before)
            os.close(master)
    assert told[-1] == (80, 24)


async def test_a_size_that_is_told_late_is_that_of_the_window_now() -> None:
    """At the start, Textual sends the size that it has asked for after that of a change in between."""

    class Window(FrameApp, App[None]):
        pass

    app = Window()
    async with app.run_test(size=(80, 24)) as pilot:
        app.ask_size = lambda: Size(60, 20)
        for told in (Size(60, 20), Size(120, 40)):
            app.post_message(events.Resize(told, told))
        await pilot.pause(0.1)
        assert app.size == app.screen.size == (60, 20)
        app.ask_size = lambda: None  # the terminal tells it itself
        app.post_message(events.Resize(Size(90, 30), Size(90, 30)))
        await pilot.pause(0.1)
        assert app.size == app.screen.size == (90, 30)
