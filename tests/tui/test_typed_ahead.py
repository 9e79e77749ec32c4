"""What is typed before the application has taken the terminal."""

from __future__ import annotations

import os
import pty
import select
import termios
import tty

from d2ltui.tui.typed_ahead import TypedAhead


def test_ctrl_r_waits_as_other_keys_do_and_the_terminal_is_as_it_was() -> None:
    master, slave = pty.openpty()
    try:
        before = termios.tcgetattr(slave)
        with TypedAhead(slave) as typed_ahead:
            os.write(master, b"a\x12z")
            echo = b""
            while b"z" not in echo:  # the terminal has got it
                assert select.select([master], [], [], 10)[0]
                echo += os.read(master, 99)
            typed_ahead.end()
            assert termios.tcgetattr(slave) == before
            tty.setraw(slave, termios.TCSANOW)  # the application takes it
            raw = termios.tcgetattr(slave)
            ready, _, _ = select.select([slave], [], [], 10)
            assert ready
            assert os.read(slave, 99) == b"a\x12z"
        assert termios.tcgetattr(slave) == raw, "it is the application's by now"
    finally:
        os.close(master)
        os.close(slave)


def test_without_a_terminal_nothing_happens() -> None:
    reads, writes = os.pipe()
    with TypedAhead(reads):
        pass
    os.close(reads)
    os.close(writes)
