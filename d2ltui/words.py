"""Words that go with numbers."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """`1 unit`, `2 units`, `1,024 units`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
