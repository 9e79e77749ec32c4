"""Limits, ticks and their labels: 1, 2 or 5 times a power of ten, so that they rarely change as data comes in."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from d2ltui.spec.numbers import setting, with_exponent

# Beyond these a float's neighbours, or its powers of ten, are no longer fit to divide an axis with.
_LARGEST = 1e100
_SMALLEST = 1e-100
# A range narrower than this part of its values is widened: noise must not look like a trend.
_NARROWEST = 0.05


def _nice(number: float, *, up: bool) -> float:
    """The nearest 1, 2 or 5 times a power of ten that is not below (`up`) or not above `number` > 0."""
    exponent = math.floor(math.log10(number))
    steps = [_power(digit, exponent) for digit in (1, 2, 5)] + [_power(1, exponent + 1)]
    slack = number * 1e-9
    if up:
        return next((step for step in steps if step >= number - slack), steps[-1])
    return next((step for step in reversed(steps) if step <= number + slack), steps[0])


def _power(digit: int, exponent: int) -> float:
    # From its decimal form, because 2 * 10 ** -1 and its like are not always the nearest float.
    return float(f"{digit}e{exponent}")


def clamp(number: float) -> float:
    """`number` within what an axis can show."""
    return max(-_LARGEST, min(_LARGEST, number))


def apart(low: float, high: float) -> bool:
    """Whether an axis can be divided between the two: float64 has numbers enough between them."""
    return high - low > 1e-9 * max(1e-90, abs(low))


def nice_limits(low: float, high: float, log: bool = False, parts: int = 4) -> tuple[float, float]:
    """Round limits around the finite `low` ≤ `high` (both positive with `log`) with `high` above `low`.

    Each end is moved by a round step, of which there are at most `parts` in the range.

    A linear axis starts at 0 where the values reach from less than half of the highest, and always spans at least 5 %
    of its values.
    """
    low, high = clamp(low), clamp(high)
    if log:
        low, high = max(low, _SMALLEST), max(high, _SMALLEST)
        low, high = _nice(low, up=False), _nice(high, up=True)
        return (low, high) if high > low else (low, _nice(low * 1.5, up=True))
    if 0 <= low < 0.5 * high:
        low = 0.0
    elif 0.5 * low < high <= 0:
        high = 0.0
    size = max(abs(low), abs(high))
    if size < _SMALLEST:
        return 0.0, 1.0
    missing = _NARROWEST * size - (high - low)
    if missing > 0:
        low, high = low - missing / 2, high + missing / 2
    step = _nice((high - low) / parts, up=True)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return _multiple(first, step), _multiple(last, step)


def _multiple(count: int, step: float) -> float:
    """`count` · `step` without the digits that multiplication leaves behind."""
    return float(f"{count * step:.12g}")


def ticks(low: float, high: float, most: int, log: bool = False, whole: bool = False) -> list[float]:
    """About `most` round numbers or fewer from `low` to `high`, ascending.

    With `whole` only whole ones, where the range has room for two.
    """
    most = max(1, most)
    if log:
        return _log_ticks(low, high, most)
    step = _nice(max((high - low) / most, _SMALLEST), up=True)
    if whole and high - low >= 1:
        step = max(1.0, step)
    elif f"{step:e}".startswith("5") and (high - low) / (step / 2) <= most + 1e-9:
        step /= 2  # quarters, where fifths would be too many
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [_multiple(index, step) for index in range(first, last + 1)]


def _log_ticks(low: float, high: float, most: int) -> list[float]:
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    digits: Sequence[int] = (1, 2, 5)
    inside = [
        tick
        for exponent in range(first - 1, last + 1)
        for tick in (_power(digit, exponent) for digit in digits)
        if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)
    ]
    if len(inside) <= most + 1:
        return inside
    every = math.ceil((last - first + 1) / most)
    decades = [_power(1, exponent) for exponent in range(first, last + 1) if exponent % every == 0]
    return decades or inside[:: max(1, math.ceil(len(inside) / most))]


def labels(numbers: Sequence[float], width: int, log: bool = False) -> list[str]:
    """Short texts for ticks, at most `width` ≥ 3 characters each: 0.05, .0072, 1e-4, 12, 1.2e5.

    Where not every number can be told so, the others have none: a text is never of another number than its tick's.
    Only where none can be told all of them are rounded.
    """
    if not numbers:
        return []
    if log:
        return [_exponent(number, 0) if number < 0.00999 or number >= 9999 else setting(number) for number in numbers]
    largest = max(abs(number) for number in numbers)
    finest = min(_last_digit(number) for number in numbers)
    fixed = [f"{number:.{max(0, -finest)}f}" if finest > -7 else "" for number in numbers]
    if all(fixed) and max(map(len, fixed)) <= width and largest < 1e5:
        return fixed
    precise = [
        _exponent(number, max(0, math.floor(math.log10(abs(number)) + 1e-9) - finest) if number else 0)
        for number in numbers
    ]
    if max(map(len, precise)) <= width:
        return precise
    short = [re.sub(r"^(-?)0\.", r"\1.", text) for text in fixed]
    if all(short) and max(map(len, short)) <= width:
        return short
    near = [next((text for d in (2, 1, 0) if len(text := _exponent(number, d)) <= width), "") for number in numbers]
    exact = [
        text if text and math.isclose(float(text), number, rel_tol=1e-9) else ""
        for text, number in zip(near, numbers, strict=True)
    ]
    return exact if any(exact) else near


def _last_digit(number: float) -> int:
    """The power of ten of the last digit of `number` that is not 0: -2 for 0.05, 3 for 2000."""
    mantissa, exponent = f"{number:.11e}".split("e")
    return int(exponent) - len(mantissa.rstrip("0").partition(".")[2]) if number else 99


def _exponent(number: float, decimals: int) -> str:
    """`number` as 1e-4: without the zeros and the plus that Python's format has."""
    return with_exponent(number, decimals + 1)
