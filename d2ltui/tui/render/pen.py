"""What a terminal writes with: its colours and attributes, and the shortest way from one to another."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

# SGR codes: what ends an attribute, by what begins it. Some end two.
_ENDS = {
    "1": "22",
    "2": "22",
    "3": "23",
    "4": "24",
    "5": "25",
    "6": "25",
    "7": "27",
    "8": "28",
    "9": "29",
    "21": "24",
    "51": "54",
    "52": "54",
    "53": "55",
}
_SEEN_ON_BLANKS = frozenset(("4", "7", "9", "21", "51", "52", "53"))
_STYLED = re.compile(r"(?:\x1b\]8;(?P<link>[^\x1b]*)\x1b\\)?(?:\x1b\[(?P<codes>[\d;:]*)m)?x")


class Pen(NamedTuple):
    """SGR codes of attributes and colours, where "" is the terminal's own one; and OSC 8's parameters of a link."""

    attributes: frozenset[str] = frozenset()
    foreground: str = ""
    background: str = ""
    link: str = ""

    @property
    def decorates(self) -> bool:
        """Whether more than the background is seen of a blank."""
        return bool(self.link) or not _SEEN_ON_BLANKS.isdisjoint(self.attributes)


PLAIN = Pen()


def pen_for(style: Style | None, console: Console) -> Pen:
    """The pen that draws as Textual renders `style`. (Its other contents, such as what a click means, stay here.)"""
    found = _STYLED.match(Strip([Segment("x", style)]).render(console))
    if found is None:
        return PLAIN
    codes, attributes, colours = iter((found["codes"] or "").split(";")), set(), {"3": "", "4": ""}
    for code in codes:
        if code in _ENDS:
            attributes.add(code)
        elif code in ("38", "48"):
            kind = next(codes)
            rest = [next(codes) for _ in range(3 if kind == "2" else 1)]
            colours[code[0]] = ";".join((code, kind, *rest))
        elif code not in ("", "0", "39", "49"):
            # 30 to 37 and 90 to 97, 40 to 47 and 100 to 107
            colours["3" if code[0] in "39" else "4"] = code
    link = "".join(character for character in found["link"] or "" if character.isprintable())
    return Pen(frozenset(attributes), colours["3"], colours["4"], link)


@lru_cache(4096)
def change(old: Pen, new: Pen) -> str:
    """What makes `new` of `old`."""
    link = f"\x1b]8;{new.link or ';'}\x1b\\" if old.link != new.link else ""
    gone = old.attributes - new.attributes
    ends = {_ENDS[code] for code in gone}
    codes = sorted(ends)
    codes += sorted(code for code in new.attributes if code not in old.attributes or _ENDS[code] in ends)
    if old.foreground != new.foreground:
        codes.append(new.foreground or "39")
    if old.background != new.background:
        codes.append(new.background or "49")
    anew = ["", *sorted(new.attributes), *filter(None, (new.foreground, new.background))]
    shortest = min(";".join(codes), ";".join(anew), key=len)
    return link + (f"\x1b[{shortest}m" if codes else "")


@lru_cache(4096)
def for_blank(old: Pen, background: str) -> tuple[str, Pen]:
    """What makes `old` draw blanks on `background`, and what it is then."""
    if not old.decorates and old.background == background:
        return "", old
    new = Pen(old.attributes - _SEEN_ON_BLANKS, old.foreground, background)
    return change(old, new), new
