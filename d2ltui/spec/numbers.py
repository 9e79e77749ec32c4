"""Every number that a person reads, on a screen, in the shell or in a message: one format for each kind.

Thousands are separated by commas, exponents are short (1e-7), and nothing is 0 or 100 % that is only close to it.
"""

from __future__ import annotations

import math

_SMALLEST, _LARGEST = -4, 6  # powers of ten: what is smaller, or as large, has an exponent
_HIDES = 0.001  # a share below this, or as close to 1, is said to be so


def number(value: float, digits: int = 3, width: int = 0) -> str:
    """A measured figure with `digits` significant digits: 0.0123, 12.5, 12,346, 1.23e6, 1e-7, nan, -inf.

    With a `width` of 6 characters or more it has as many digits as fit into it.
    """
    if not math.isfinite(value):
        return str(float(value))
    text = _with_digits(value, digits)
    if not width or len(text) <= width:
        return text
    for fewer in range(digits, 0, -1):
        for text in (_with_digits(value, fewer).replace(",", ""), with_exponent(value, fewer)):
            if len(text) <= width:
                return text
    return text


def signed(value: float, digits: int = 3) -> str:
    """A difference with its sign: `+0.0123`, `−0.5`, `±0`."""
    return f"{'+' if value > 0 else '−' if value < 0 else '±' if value == 0 else ''}{number(abs(value), digits)}"


def optional(value: float | None, digits: int = 4) -> str:
    """A number, or a dash where there is none."""
    return "–" if value is None else number(value, digits)


def setting(value: object, *, exact: bool = False) -> str:
    """A hyperparameter as its option takes it: 0.1, 1e-7, 256,128; a dash where it has no value.

    Of a computed one, such as a rate on a schedule, six digits, or with `exact` as many as it has.
    """
    if value is None:
        return "–"
    if isinstance(value, (list, tuple)):
        return ",".join(map(setting, value))
    if isinstance(value, float):
        short = f"{value:g}"
        return short_exponent(repr(value) if exact and float(short) != value else short)
    return str(value)


def percent(share: float, digits: int = 3, *, tiny: bool = False) -> str:
    """`0 %`, `12.5 %`, `95.6 %`, `100 %`; `<0.1 %` and `>99.9 %` for what is not quite 0 or 1; `tiny`: how little."""
    if 0 < share < _HIDES and not tiny:
        return "<0.1 %"
    if 1 - _HIDES < share < 1:
        return ">99.9 %"
    return f"{number(100 * share, digits)} %"


def whole_percent(share: float) -> str:
    """`7 %`: of what moves, and of what is no more precise."""
    return f"{number(100 * share, 1) if not math.isfinite(share) else f'{100 * share:.0f}'} %"


def rate(per_second: float) -> str:
    """`1,230` of 1234.5: what a clock measures changes in its fourth digit from look to look."""
    return number(float(f"{per_second:.3g}"))


def fixed(value: float) -> str:
    """`1,234.57`: what stands in a column, or counts up, has two decimals."""
    return f"{value:,.2f}"


def clock(value: float) -> str:
    """Seconds as `0:07`, `12:30`, `3:05:00`."""
    whole = max(0, round(value))
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def duration(value: float) -> str:
    """`3.21 s`; from a minute on `12:30`."""
    return f"{number(value)} s" if value < 59.95 else clock(value)


def brief_duration(value: float) -> str:
    """The same, and `0.7 ms` of a moment."""
    return " ".join((number(1000 * value, 2), "ms")) if 0 < value < 0.0995 else duration(value)


def size(count: float) -> str:
    """`640 B`, `12 kB`, `1.2 MB`, `3.4 GB` of a number of bytes."""
    for unit, one in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= 0.9995 * one:
            many = count / one
            return f"{many:,.1f} {unit}" if many < 99.95 else f"{many:,.0f} {unit}"
    return f"{count:.0f} B"


def short_exponent(text: str) -> str:
    """`1e-7` of `1e-07`, `1e6` of `1e+06`."""
    mantissa, e, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent)}" if e else text


def with_exponent(value: float, digits: int) -> str:
    """`1.2e5`, of as many digits at most; `0`."""
    if value == 0:
        return "0"
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return short_exponent(f"{mantissa}e{exponent}")


def _with_digits(value: float, digits: int) -> str:
    if value == 0:
        return "0"
    power = int(f"{value:.{digits - 1}e}".partition("e")[2])
    if not _SMALLEST <= power < _LARGEST:
        return with_exponent(value, digits)
    return f"{value:,.0f}" if power >= digits - 1 else f"{value:.{digits}g}"
