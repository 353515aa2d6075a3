"""How memberships of segments are told about: who entered or left, why, and at which
instants sizes are shown."""

from datetime import datetime, tzinfo
from enum import StrEnum

from audience.conditions.tree import Span, Unit
from audience.errors import InvalidInput, TooLarge
from audience.plan.windows import moved

MAX_POINTS = 1_000


class Movement(StrEnum):
    """What someone did."""

    ENTERED = "ENTERED"
    LEFT = "LEFT"


class Cause(StrEnum):
    """Why it was so."""

    CHANGE = "CHANGE"
    TIME = "TIME"
    DEFINITION = "DEFINITION"
    GONE = "GONE"


class Interval(StrEnum):
    """How far two points lie apart."""

    HOUR = "HOUR"
    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"


def instants_between(
    since: datetime, until: datetime, interval: Interval, zone: tzinfo
) -> list[datetime]:
    """`since`, and one interval after another up to `until`. Days and longer are steps
    of the calendar."""
    if until < since:
        raise InvalidInput("until lies before since.", ("until",))
    found: list[datetime] = []
    at = since
    while at <= until:
        found.append(at)
        if len(found) > MAX_POINTS:
            raise TooLarge(
                f"There are more than {MAX_POINTS:,} points: take a longer interval, "
                "or a shorter time.",
                ("interval",),
            )
        at = moved(since, Span(len(found), Unit(interval.value)), 1, zone)
    return found
