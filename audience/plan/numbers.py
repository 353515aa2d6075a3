"""Sets of numbers, as ranges: what a comparison accepts, and its complement."""

from dataclasses import dataclass
from math import ceil, floor, inf, isfinite

from audience.conditions.tree import NumberComparison

# What two sums that are the same may differ by: so much, or such a part of them.
_LEAST, _PART = 1e-9, 1e-12


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers between two ends; an end is left out when it is open."""

    low: float = -inf
    high: float = inf
    low_open: bool = False
    high_open: bool = False

    def __contains__(self, number: float) -> bool:
        above = number > self.low if self.low_open else number >= self.low
        below = number < self.high if self.high_open else number <= self.high
        return above and below


Ranges = tuple[Range, ...]


def ranges_of(compare: NumberComparison) -> Ranges:
    """The numbers that the comparison accepts, in ascending order."""
    value = compare.value
    match compare.operator:
        case "equals":
            return (Range(value, value),)
        case "notEquals":
            return (Range(high=value, high_open=True), Range(low=value, low_open=True))
        case "greaterThan":
            return (Range(low=value, low_open=True),)
        case "atLeast":
            return (Range(low=value),)
        case "lessThan":
            return (Range(high=value, high_open=True),)
        case "atMost":
            return (Range(high=value),)
        case "between":
            return (Range(value, inf if compare.upper is None else compare.upper),)


def accepts(ranges: Ranges, number: float) -> bool:
    return any(number in each for each in ranges)


def complement(ranges: Ranges) -> Ranges:
    """The numbers in none of `ranges`, which are ascending and apart."""
    gaps, low, low_open = [], -inf, False
    for each in ranges:
        if each.low > low or (each.low == low and each.low_open and not low_open):
            gaps.append(Range(low, each.low, low_open, not each.low_open))
        low, low_open = each.high, not each.high_open
    if low < inf:
        gaps.append(Range(low, inf, low_open))
    return tuple(gaps)


def about(ranges: Ranges) -> Ranges:
    """The same for numbers that were added up, whose last digits depend on how: what
    is hardly away from an end is at that end."""
    return tuple(
        Range(
            each.low + _hardly(each.low) * (1 if each.low_open else -1),
            each.high - _hardly(each.high) * (1 if each.high_open else -1),
            each.low_open,
            each.high_open,
        )
        for each in ranges
    )


def whole(ranges: Ranges, least: int) -> Ranges:
    """The same for whole numbers from `least` up: closed ranges with whole ends."""
    found = []
    for each in ranges:
        low: float = least
        if each.low > -inf:
            start = floor(each.low) + 1 if each.low_open else ceil(each.low)
            low = max(least, start)
        high = each.high
        if high < inf:
            high = ceil(high) - 1 if each.high_open else floor(high)
        if low <= high:
            found.append(Range(low, high))
    return tuple(found)


def _hardly(end: float) -> float:
    return max(_LEAST, abs(end) * _PART) if isfinite(end) else 0
