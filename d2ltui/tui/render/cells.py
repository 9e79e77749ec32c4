"""A line's text, cell by cell."""

from __future__ import annotations

import re
import unicodedata

from rich.cells import cell_len

# Characters of one cell on every terminal, as Rich counts them, too: Latin, Greek, punctuation, arrows and mathematics,
# frames and blocks, most of the geometric shapes, two marks, braille.
SINGLE = re.compile(r"[ -~¡-¬®-˿Ͱ-Ͽ‐-‧‰-⁞⁰-₞←-⋿─-◼✓✗⠀-⣿]*")

CONTINUED = ""  # the second cell of a character of two
JOINER, EMOJI = "\u200d", "\ufe0f"  # join what stands on both sides; make an emoji, two cells wide, of the one before


def in_single_cells(text: str) -> bool:
    """Whether every character takes one cell: not two, as Chinese and many emoji do, nor none, as an added accent."""
    return SINGLE.fullmatch(text) is not None or all(cell_len(character) == 1 for character in text)


def split_cells(text: str) -> list[str]:
    """One string for each cell: a character with all that is added to it, or `CONTINUED`.

    What would not be shown but obeyed (control characters, and those that turn the direction of writing) is left out,
    or shown as a question mark where a cell is reserved for it: nothing that is drawn can steer a terminal.
    """
    cells: list[str] = []
    lead = -1  # the last cell that is not a continuation
    width, joined = 0, False
    for end in range(1, len(text) + 1):
        character = text[end - 1]
        wider = max(0, cell_len(text[:end]) - width)
        width += wider
        adds = joined or character in (JOINER, EMOJI) or (wider == 0 and unicodedata.category(character)[0] == "M")
        joined = character == JOINER
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and not joined:
            character = "?" * min(1, wider)
            adds = adds and not wider
        if adds and lead >= 0:
            cells[lead] += character
        elif wider:
            lead = len(cells)
            cells.append(character)
            wider -= 1
        cells += [CONTINUED] * wider
    return cells


def whole_characters(cells: list[str]) -> None:
    """Put a blank where only one half of a character of two cells is left, as Textual does where it cuts one."""
    at = 0
    while at < len(cells):
        if cells[at] == CONTINUED:
            cells[at] = " "
        if len(cells[at]) == 1 and SINGLE.fullmatch(cells[at]):
            at += 1
            continue
        end = at + max(1, cell_len(cells[at]))
        if end > len(cells) or any(cell != CONTINUED for cell in cells[at + 1 : end]):
            cells[at] = " "
            at += 1
        else:
            at = end
