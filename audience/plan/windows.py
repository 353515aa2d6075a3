"""Absolute times: what spans, timeframes and anniversaries mean at an instant in the
account's time zone.

Minutes and hours are lengths. Days and longer are steps of the local calendar at the
same time of day; a day that a month does not have becomes its last one. A local time
that does not exist is as much later as the clock was put forward; of one that exists
twice the first is meant.
"""

from calendar import isleap, monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from audience.conditions.tree import (
    After,
    Anniversary,
    Before,
    Between,
    InTheLast,
    InTheLastBetween,
    InTheNext,
    NotInTheLast,
    On,
    Span,
    Stretch,
    Timeframe,
    Unit,
)

_TICK = timedelta(milliseconds=1)  # as exact as times are kept


@dataclass(frozen=True, slots=True)
class Window:
    """Times from `start` on and before `end`; None is without end."""

    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Days:
    """The days whose beginnings lie in a window: from `first` on, before `end`."""

    first: date | None = None
    end: date | None = None


DayRange = tuple[str, str]  # "02-20" to "03-05", both included, never over new year


def window_of(timeframe: Stretch, now: datetime, zone: tzinfo) -> Window:
    """When the timeframe is, as of `now`."""
    match timeframe:
        case InTheLast(span=span):
            return Window(moved(now, span, -1, zone), now + _TICK)
        case NotInTheLast(span=span):
            return Window(end=moved(now, span, -1, zone))
        case InTheLastBetween(nearest=nearest, farthest=farthest):
            start = moved(now, farthest, -1, zone)
            return Window(start, moved(now, nearest, -1, zone) + _TICK)
        case InTheNext(span=span):
            return Window(now, moved(now, span, 1, zone) + _TICK)
        case Before(at=at):
            return Window(end=at)
        case After(at=at):
            return Window(start=at + _TICK)
        case On(day=day):
            return Window(midnight(day, zone), midnight(day + timedelta(1), zone))
        case Between(start=start, end=end):
            return Window(start, end + _TICK)


def is_relative(timeframe: Timeframe) -> bool:
    """Whether it moves with the clock."""
    if isinstance(timeframe, Anniversary):
        return timeframe.kind != "month"
    return isinstance(
        timeframe, InTheLast | NotInTheLast | InTheLastBetween | InTheNext
    )


def moved(moment: datetime, span: Span, direction: int, zone: tzinfo) -> datetime:
    """`moment` one span later, or with -1 earlier."""
    amount = span.amount * direction
    if amount == 0:
        return moment
    match span.unit:
        case Unit.MINUTE:
            return moment + timedelta(minutes=amount)
        case Unit.HOUR:
            return moment + timedelta(hours=amount)
    local = moment.astimezone(zone)
    day = moved_day(local.date(), span, direction)
    wall = datetime.combine(day, local.time())
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)


def moved_day(day: date, span: Span, direction: int) -> date:
    """`day` one span of days, weeks, months or years later or earlier."""
    amount = span.amount * direction
    match span.unit:
        case Unit.DAY:
            return day + timedelta(days=amount)
        case Unit.WEEK:
            return day + timedelta(weeks=amount)
        case Unit.YEAR:
            amount *= 12
    months = day.year * 12 + day.month - 1 + amount
    year, month = divmod(months, 12)
    last = monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last))


def midnight(day: date, zone: tzinfo) -> datetime:
    """When the day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def days_of(window: Window, zone: tzinfo) -> Days:
    """The days that count as lying in the window."""
    return Days(_first_day(window.start, zone), _first_day(window.end, zone))


def anniversary_days(
    anniversary: Anniversary, now: datetime, zone: tzinfo
) -> tuple[DayRange, ...]:
    """The days of the year whose anniversary is meant; 29 February is kept on the
    28th in years that do not have it."""
    today = now.astimezone(zone).date()
    if anniversary.kind in ("month", "thisMonth"):
        month = f"{anniversary.month or today.month:02}"
        return ((f"{month}-01", f"{month}-31"),)
    first = last = today
    if anniversary.span is not None:
        if anniversary.kind == "inTheNext":
            last = moved_day(today, anniversary.span, 1)
        else:
            first = moved_day(today, anniversary.span, -1)
    if (last - first).days >= 366:
        return (("01-01", "12-31"),)
    found = set()
    for offset in range((last - first).days + 1):
        day = first + timedelta(offset)
        found.add((day.month, day.day))
        if (day.month, day.day) == (2, 28) and not isleap(day.year):
            found.add((2, 29))
    return _runs(found)


def _first_day(moment: datetime | None, zone: tzinfo) -> date | None:
    """The first day that begins at or after `moment`."""
    if moment is None:
        return None
    day = moment.astimezone(zone).date()
    while midnight(day, zone) < moment:
        day += timedelta(1)
    while midnight(day - timedelta(1), zone) >= moment:
        day -= timedelta(1)
    return day


def _runs(days: set[tuple[int, int]]) -> tuple[DayRange, ...]:
    runs: list[DayRange] = []
    leap_year = [date(2024, 1, 1) + timedelta(number) for number in range(366)]
    previous = None
    for day in leap_year:
        if (day.month, day.day) not in days:
            previous = None
            continue
        text = f"{day.month:02}-{day.day:02}"
        start = runs.pop()[0] if previous else text
        runs.append((start, text))
        previous = text
    return tuple(runs)
