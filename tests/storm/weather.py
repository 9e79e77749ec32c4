"""What is thrown at the application: bytes, as a terminal sends them, and sizes. All of it follows from a seed."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator
from typing import NamedTuple

from d2ltui.tui.keys import KEYS, LESSONS_KEYS, RUNS_KEYS

NAMED = {
    "enter": b"\r", "tab": b"\t", "escape": b"\x1b", "space": b" ", "backspace": b"\x7f", "delete": b"\x1b[3~",
    "up": b"\x1b[A", "down": b"\x1b[B", "right": b"\x1b[C", "left": b"\x1b[D", "home": b"\x1b[H", "end": b"\x1b[F",
    "pageup": b"\x1b[5~", "pagedown": b"\x1b[6~", "shift+tab": b"\x1b[Z", "shift+left": b"\x1b[1;2D",
    "shift+right": b"\x1b[1;2C", "left_square_bracket": b"[", "right_square_bracket": b"]", "slash": b"/",
    "question_mark": b"?", "f1": b"\x1bOP", "f5": b"\x1b[15~", "ctrl+end": b"\x1b[1;5F", "ctrl+left": b"\x1b[1;5D",
}  # fmt: skip
PROBE = b"\x14"  # ctrl+t, to which every screen answers: not among what is thrown
LEAVING = {"q", "ctrl+c", "ctrl+q", "ctrl+z"}  # seldom: most of the time is to be spent inside
UNSENT = b"\x03\x11\x14\x1a\x1c"  # among random bytes: the probe, and what ends or suspends a process
WAYS = (
    b"L",
    b"R",
    b"?",
    b"u",
    b"\x13",
    b"z",
    b"\x12",
    b"t",
    b"R ",
    b"R/",
    b"Rn",
    b"RN",
    b"Rd",
    b"R\r",
    b"Lx",
    b"L\r",
    b"k",
    b"F",
)


class Gust(NamedTuple):
    """One event: bytes, or a size of the terminal; then a pause in seconds."""

    what: str
    data: bytes = b""
    size: tuple[int, int] | None = None  # columns, rows
    pause: float = 0.0


def key_bytes(name: str) -> bytes:
    """What a terminal sends for a key."""
    if name in NAMED:
        return NAMED[name]
    if name.startswith("ctrl+"):
        return bytes([ord(name[-1].upper()) & 0x1F])
    return name.encode()


def all_keys() -> list[str]:
    """Every key of every screen, and those of fields, lists and tables."""
    names = [name for entry in (*KEYS, *RUNS_KEYS, *LESSONS_KEYS) for name in entry.key.split(",")]
    names += [*NAMED, *string.digits, ".", "-", "e", "y", "n"]
    return sorted({name for name in names if name not in LEAVING and key_bytes(name) != PROBE})


class Weather:
    """An endless storm that follows from `seed`."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)
        self._keys = all_keys()
        self._size = (80, 24)
        self._where = (5, 5)

    def gusts(self) -> Iterator[Gust]:
        """One event after the other, without end."""
        kinds = {
            self._key: 46, self._burst: 9, self._click: 13, self._wheel: 4, self._drag: 2, self._paste: 3,
            self._bytes: 4, self._sequence: 4, self._resize: 6, self._way: 8, self._leave: 1,
        }  # fmt: skip
        makers, weights = list(kinds), list(kinds.values())
        while True:
            (maker,) = self._random.choices(makers, weights)
            yield from maker()

    def pause(self) -> float:
        """Mostly none, or a hand's; now and then long enough for a frame."""
        return self._random.choices((0.0, self._random.uniform(0.0, 0.05), self._random.uniform(0.1, 0.4)), (4, 5, 1))[
            0
        ]

    def _key(self) -> Iterator[Gust]:
        name = self._random.choice(self._keys)
        yield Gust(name, key_bytes(name), pause=self.pause())

    def _burst(self) -> Iterator[Gust]:
        names = [self._random.choice(self._keys) for _ in range(self._random.randint(3, 12))]
        if self._random.random() < 0.3:
            names = names[:1] * len(names)
        for name in names:
            yield Gust(name, key_bytes(name))

    def _way(self) -> Iterator[Gust]:
        """To another screen, or dialog, from wherever this is."""
        for data in (b"\x1b", b"\x1b", self._random.choice(WAYS)):
            yield Gust("way", data, pause=self._random.choice((0.0, 0.12)))

    def _leave(self) -> Iterator[Gust]:
        name = self._random.choices(("ctrl+z", "q", "ctrl+c", "ctrl+q"), (5, 3, 1, 1))[0]
        yield Gust(name, key_bytes(name), pause=self.pause())

    def _point(self) -> tuple[int, int]:
        if self._random.random() < 0.4:
            return self._where
        columns, rows = self._size
        x = self._random.randint(1, columns + 2 if self._random.random() < 0.05 else columns)
        self._where = (x, rows if self._random.random() < 0.1 else self._random.randint(1, rows))
        return self._where

    def _click(self) -> Iterator[Gust]:
        x, y = self._point()
        button = self._random.choices((0, 1, 2, 4, 16), (20, 1, 2, 1, 1))[0]  # with shift, ctrl, too
        for _ in range(self._random.choices((1, 2, 3, 5), (8, 3, 3, 1))[0]):
            yield Gust("click", f"\x1b[<{button};{x};{y}M\x1b[<{button};{x};{y}m".encode())

    def _wheel(self) -> Iterator[Gust]:
        x, y = self._point()
        way = self._random.choice((64, 65, 66, 67))
        for _ in range(self._random.randint(1, 6)):
            yield Gust("wheel", f"\x1b[<{way};{x};{y}M".encode())

    def _drag(self) -> Iterator[Gust]:
        (x, y), (columns, rows) = self._point(), self._size
        yield Gust("press", f"\x1b[<0;{x};{y}M".encode())
        for _ in range(self._random.randint(1, 5)):
            x, y = self._random.randint(1, columns), self._random.randint(1, rows)
            yield Gust("drag", f"\x1b[<32;{x};{y}M".encode(), pause=self.pause())
        if self._random.random() < 0.9:
            yield Gust("release", f"\x1b[<0;{x};{y}m".encode())

    def _paste(self) -> Iterator[Gust]:
        alphabet = self._random.choice(
            (string.digits + ".,-e", string.printable, "äß漢🙂\u202e\u0301[/]$", "\x00\x07\x1b]")
        )
        length = self._random.choice((0, 1, 5, 40, 3000))
        text = "".join(self._random.choice(alphabet) for _ in range(length))
        yield Gust("paste", b"\x1b[200~" + text.encode() + b"\x1b[201~", pause=self.pause())

    def _bytes(self) -> Iterator[Gust]:
        data = bytes(self._random.randrange(256) for _ in range(self._random.randint(1, 12)))
        yield Gust("bytes", bytes(byte for byte in data if byte not in UNSENT), pause=0.12)

    def _sequence(self) -> Iterator[Gust]:
        """What looks like a terminal's own words: replies, focus, function keys, some of them cut off."""
        number = self._random.choice
        made = (
            f"\x1b[{number('123456789')};{number('2345678')}{number('ABCDFHPQRS~uIOcnRtyz')}",
            f"\x1b[?{number(('2026;2$y', '1u', '997;1n', '62;22c', '1;2;4c'))}",
            f"\x1b[{number('IO')}",
            f"\x1b]{number(('10;rgb:ffff/0000/0000', '11;?', '52;c;aGk='))}{number((chr(7), chr(27) + chr(92)))}",
            f"\x1bO{number('ABCDPQRSXx')}",
            f"\x1bP{number(('>|xterm(1)', '1+r', 'zzz'))}\x1b\\",
            f"\x1b[<{number((0, 3, 35, 99))};{number((0, 1, 500))};{number((0, 1, 500))}{number('Mm')}",
            f"\x1b[48;{number((0, 1, 30))};{number((0, 1, 100))};0;0t",
            f"\x1b[{number((97, 120, 57344, 1114112, 13))};{number((1, 3, 9))};{number((0, 97, 120))}u",
            f"\x1b{number('abfqz[]<>')}",
        )
        data = self._random.choice(made).encode()
        if self._random.random() < 0.2:
            data = data[: self._random.randint(1, len(data))]
        yield Gust("sequence", data, pause=0.12)

    def _resize(self) -> Iterator[Gust]:
        for _ in range(self._random.choice((1, 1, 1, 4))):
            if self._random.random() < 0.6:
                self._size = self._random.choice(((80, 24), (120, 40), (40, 12), (160, 45), (20, 5), (100, 30)))
            else:
                self._size = round(300 ** self._random.random()), round(100 ** self._random.random())
            yield Gust("resize", size=self._size, pause=self.pause())
