"""Words that go with numbers."""

from __future__ import annotations


def counted(number: int, noun: str, form: str = "") -> str:
    """`1 unit`, `1024 units`; with the form `,`, `1,024 units`."""
    return f"{number:{form}} {noun}{'' if number == 1 else 's'}"


def are(number: int) -> str:
    """`is` or `are`, as so many do."""
    return "is" if number == 1 else "are"
