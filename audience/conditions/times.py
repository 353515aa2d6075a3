"""Reading and writing spans, timeframes and comparisons of dates."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar, assert_never

from audience.conditions import limits
from audience.conditions.scanning import At
from audience.conditions.tree import (
    After,
    Anniversary,
    Before,
    Between,
    DateComparison,
    InTheLast,
    InTheLastBetween,
    InTheNext,
    NotInTheLast,
    On,
    Span,
    Timeframe,
    Unit,
)

Given = TypeVar("Given")
Made = TypeVar("Made")

_A_YEAR = {
    Unit.MINUTE: 527_040,
    Unit.HOUR: 8_784,
    Unit.DAY: 366,
    Unit.WEEK: 53,
    Unit.MONTH: 12,
    Unit.YEAR: 1,
}
_A_DAY = 24 * 60
_MINUTES = {
    Unit.MINUTE: 1,
    Unit.HOUR: 60,
    Unit.DAY: _A_DAY,
    Unit.WEEK: 7 * _A_DAY,
    Unit.MONTH: 366 * _A_DAY // 12,
    Unit.YEAR: 366 * _A_DAY,
}
_WHOLE_DAYS = (Unit.DAY, Unit.WEEK, Unit.MONTH, Unit.YEAR)


def read_span(at: At, *, least: int = 1) -> Span | None:
    """A span of at most a hundred years."""
    if not at.object("amount", "unit"):
        return None
    unit = at.at("unit").choice(Unit)
    if unit is None:
        return None
    amount = at.at("amount").whole(least, _A_YEAR[unit] * limits.SPAN_YEARS)
    return None if amount is None else Span(amount, unit)


def read_timeframe(at: At) -> Timeframe | None:
    one = at.one_of(
        "inTheLast",
        "notInTheLast",
        "inTheLastBetween",
        "inTheNext",
        "before",
        "after",
        "on",
        "between",
        "anniversary",
    )
    if one is None:
        return None
    match one.path[-1]:
        case "inTheLast":
            return _made(InTheLast, read_span(one))
        case "notInTheLast":
            return _made(NotInTheLast, read_span(one))
        case "inTheLastBetween":
            return _span_range(one)
        case "inTheNext":
            return _made(InTheNext, read_span(one))
        case "anniversary":
            return _anniversary(one)
        case "before":
            return _made(Before, one.instant())
        case "after":
            return _made(After, one.instant())
        case "on":
            return _made(On, one.day())
    return _instants(one)


def read_date_comparison(at: At) -> DateComparison | None:
    one = at.one_of("during", "inTheNext", "anniversary")
    if one is None:
        return None
    match one.path[-1]:
        case "during":
            return read_timeframe(one)
        case "inTheNext":
            return _made(InTheNext, read_span(one))
    return _anniversary(one)


def span_json(span: Span) -> dict[str, Any]:
    return {"amount": span.amount, "unit": span.unit.value}


def timeframe_json(timeframe: Timeframe) -> dict[str, Any]:
    match timeframe:
        case InTheLast():
            return {"inTheLast": span_json(timeframe.span)}
        case NotInTheLast():
            return {"notInTheLast": span_json(timeframe.span)}
        case InTheLastBetween():
            ends = {"from": timeframe.nearest, "to": timeframe.farthest}
            return {
                "inTheLastBetween": {key: span_json(it) for key, it in ends.items()}
            }
        case InTheNext():
            return {"inTheNext": span_json(timeframe.span)}
        case Anniversary():
            return {"anniversary": _anniversary_json(timeframe)}
        case Before():
            return {"before": instant_json(timeframe.at)}
        case After():
            return {"after": instant_json(timeframe.at)}
        case On():
            return {"on": timeframe.day.isoformat()}
        case Between():
            return {
                "between": {
                    "from": instant_json(timeframe.start),
                    "to": instant_json(timeframe.end),
                }
            }
    assert_never(timeframe)


def date_comparison_json(comparison: DateComparison) -> dict[str, Any]:
    written = timeframe_json(comparison)
    is_named = isinstance(comparison, InTheNext | Anniversary)
    return written if is_named else {"during": written}


def instant_json(moment: datetime) -> str:
    precision = "milliseconds" if moment.microsecond else "seconds"
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


def _anniversary_json(anniversary: Anniversary) -> dict[str, Any]:
    if anniversary.span is not None:
        return {anniversary.kind: span_json(anniversary.span)}
    return {anniversary.kind: anniversary.month or True}


def _made(kind: Callable[[Given], Made], value: Given | None) -> Made | None:
    return None if value is None else kind(value)


def _span_range(at: At) -> InTheLastBetween | None:
    if not at.object("from", "to"):
        return None
    nearest = read_span(at.at("from"), least=0)
    farthest = read_span(at.at("to"))
    if nearest is None or farthest is None:
        return None
    if _minutes(nearest) > _minutes(farthest):
        at.wrong("from is the nearer end: it must not be more than to.")
        return None
    return InTheLastBetween(nearest, farthest)


def _minutes(span: Span) -> int:
    """How long it is, about, where months and years are of different lengths."""
    return span.amount * _MINUTES[span.unit]


def _instants(at: At) -> Between | None:
    if not at.object("from", "to"):
        return None
    start, end = at.at("from").instant(), at.at("to").instant()
    if start is None or end is None:
        return None
    if start > end:
        at.wrong("from must not be later than to.")
        return None
    return Between(start, end)


def _anniversary(at: At) -> Anniversary | None:
    one = at.one_of("today", "inTheNext", "inTheLast", "month", "thisMonth")
    if one is None:
        return None
    match one.path[-1]:
        case "today" | "thisMonth" as name:
            if one.boolean() is True:
                return Anniversary(name)
            if one.value is False:
                one.wrong(f"{name} can only be true; use not for the others.")
            return None
        case "month":
            month = one.whole(1, 12)
            return None if month is None else Anniversary("month", month=month)
        case "inTheNext" | "inTheLast" as kind:
            span = read_span(one)
            if span is not None and span.unit not in _WHOLE_DAYS:
                one.at("unit").wrong(
                    "An anniversary is a whole day: use DAY, WEEK, MONTH or YEAR."
                )
                return None
            return None if span is None else Anniversary(kind, span)
    return None
