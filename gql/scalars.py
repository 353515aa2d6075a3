"""The scalars of the API: instants, days, and JSON values."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import lru_cache

import strawberry
from graphql import GraphQLError
from strawberry.scalars import JSON
from strawberry.types.scalar import ScalarDefinition

from resolvers.db import STORED_ZONE

__all__ = ["JSON", "SCALARS", "date_time_text", "parse_date", "parse_date_time"]

_DATE_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_UTC = frozenset({UTC, STORED_ZONE, None})  # what is stored is in UTC
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def parse_date_time(value: object) -> datetime:
    """The instant that an RFC 3339 text names, in UTC, to the millisecond."""
    if isinstance(value, str) and _DATE_TIME.fullmatch(value):
        try:
            instant = datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        else:
            return instant.replace(microsecond=instant.microsecond // 1000 * 1000)
    raise GraphQLError(
        f"{value!r:.60} is not a DateTime: give RFC 3339 with its offset, "
        'such as "2026-03-01T09:30:00Z" or "2026-03-01T10:30:00+01:00".'
    )


def date_time_text(value: datetime) -> str:
    """RFC 3339 in UTC, always with milliseconds: equal lengths sort as text."""
    if value.tzinfo not in _UTC:
        value = value.astimezone(UTC)
    # Put together from tables, in a quarter of the time that isoformat takes.
    return (
        f"{_day(value.toordinal())}{_HOURS[value.hour]}{_MINUTES[value.minute]}"
        f"{_SECONDS[value.second]}{_MILLISECONDS[value.microsecond // 1000]}"
    )


@lru_cache(maxsize=4096)
def _day(ordinal: int) -> str:
    return f"{date.fromordinal(ordinal).isoformat()}T"


_HOURS = [f"{hour:02}:" for hour in range(24)]
_MINUTES = [f"{minute:02}:" for minute in range(60)]
_SECONDS = [f"{second:02}" for second in range(60)]
_MILLISECONDS = [f".{thousandth:03}Z" for thousandth in range(1000)]


def parse_date(value: object) -> date:
    """The day that `YYYY-MM-DD` names."""
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise GraphQLError(
        f'{value!r:.60} is not a Date: give year, month and day, such as "2026-03-01".'
    )


SCALARS: Mapping[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description=(
            "An instant, as RFC 3339 text. Given with any offset; answered in UTC with "
            'milliseconds, such as "2026-03-01T09:30:00.000Z".'
        ),
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=date_time_text,
        parse_value=parse_date_time,
    ),
    date: strawberry.scalar(
        name="Date",
        description=(
            'A calendar day, such as "2026-03-01". Where it begins and ends is told by '
            "the account's time zone."
        ),
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=date.isoformat,
        parse_value=parse_date,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description=(
            "Any JSON value: object, list, string, number, boolean or null. Used where "
            "the shape belongs to you, such as custom properties."
        ),
        specified_by_url="https://www.rfc-editor.org/rfc/rfc8259",
        serialize=lambda value: value,
        parse_value=lambda value: value,
    ),
}
