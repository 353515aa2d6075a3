"""Dates inside custom properties are texts: a day, or an instant with its offset.

Anything else is no date. The expressions never fail, whatever the value is.
"""

from datetime import date, timedelta
from typing import Any

from audience.plan.tree import AnniversaryTest
from audience.plan.windows import Window
from resolvers.db import Document

_LEAP = r"(?:[1-9]\d(?:0[48]|[2468][048]|[13579][26])|(?:[2468][048]|[13579][26])00)"
_DAY = (
    r"(?:[1-9]\d{3}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)"
    r"|02-(?:0[1-9]|1\d|2[0-8]))"
    rf"|{_LEAP}-02-29)"
)
_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?"
_OFFSET = r"(?:Z|[+-](?:0\d|1[0-3]):[0-5]\d|[+-]14:00)"

DAY_TEXT = rf"\A{_DAY}\z"
INSTANT_TEXT = rf"\A{_DAY}T{_TIME}{_OFFSET}\z"


def window_operators(window: Window) -> Document:
    """The window as operators on a date."""
    operators: Document = {}
    if window.start is not None:
        operators["$gte"] = window.start
    if window.end is not None:
        operators["$lt"] = window.end
    return operators


def instant_in_window(path: str, window: Window) -> Document:
    """An expression: the text at `path` is an instant in the window."""
    tests: list[Document] = [{"$gt": ["$$at", None]}]
    for operator, bound in window_operators(window).items():
        tests.append({operator: ["$$at", bound]})
    return {"$let": {"vars": {"at": _instant(f"${path}")}, "in": {"$and": tests}}}


def anniversary(path: str, test: AnniversaryTest, *, custom: bool) -> Document:
    """An expression: the day of the date at `path` is in one of the ranges."""
    text: Document = {
        "$dateToString": {
            "date": _instant(f"${path}") if custom else f"${path}",
            "format": "%m-%d",
            "timezone": test.zone,
        }
    }
    if custom:
        day = {"$substrBytes": [f"${path}", 5, 5]}
        text = {"$cond": [_is_text(f"${path}", DAY_TEXT), day, text]}
    ranges = [
        {"$and": [{"$gte": ["$$day", first]}, {"$lte": ["$$day", last]}]}
        for first, last in test.ranges
    ]
    return {"$let": {"vars": {"day": text}, "in": {"$or": ranges}}}


def day_pattern(test: AnniversaryTest) -> str:
    """A pattern for the texts of days that are in one of the ranges."""
    months: dict[str, list[str]] = {}
    for number in range(366):
        month, day = f"{date(2024, 1, 1) + timedelta(number):%m %d}".split()
        if any(first <= f"{month}-{day}" <= last for first, last in test.ranges):
            months.setdefault(month, []).append(day)
    choices = (f"{month}-(?:{'|'.join(days)})" for month, days in months.items())
    return rf"\A\d{{4}}-(?:{'|'.join(choices)})\z"


def _instant(value: str) -> Document:
    read = {"$dateFromString": {"dateString": value, "onError": None}}
    return {"$cond": [_is_text(value, INSTANT_TEXT), read, None]}


def _is_text(value: str, pattern: str) -> Document:
    matches: Any = {"$regexMatch": {"input": value, "regex": pattern}}
    return {"$cond": [{"$eq": [{"$type": value}, "string"]}, matches, False]}
