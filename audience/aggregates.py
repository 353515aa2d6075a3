"""What can be asked of a metric's events as figures: over which time, in which steps,
apart by what."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from audience.conditions import limits
from audience.conditions.paths import Kind, UnknownPath, event_place
from audience.conditions.reading import read_filters, read_metric
from audience.conditions.scanning import At
from audience.conditions.tree import MetricRef, PropertyFilter
from audience.errors import AudienceError, Code, Problem
from audience.memberships import MAX_POINTS, Interval
from audience.plan.windows import Window, midnight

VALUE = ("value",)
MAX_GROUPS = 100

# How an instant's bucket is named, in MongoDB and in Python. A name and not an instant,
# since a local day is named alike whatever the clocks do on it.
LABELS = {
    Interval.HOUR: "%Y-%m-%dT%H",
    Interval.DAY: "%Y-%m-%d",
    Interval.WEEK: "%G-W%V",
    Interval.MONTH: "%Y-%m",
}


@dataclass(frozen=True, slots=True)
class Bucket:
    """A step of time: its name, and when it begins."""

    label: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Figures of a metric's events in `window`, of the number at `of`; for each value
    at `by` alone where that is given."""

    metric: MetricRef
    window: Window
    of: tuple[str, ...]
    by: tuple[str, ...] | None
    where: tuple[PropertyFilter, ...]


def parse_aggregate(source: dict[str, Any], window: Window, *path: str) -> Aggregate:
    """`source`: metric, of, by and where as in the API's input. AudienceError with
    everything that is wrong, the paths led by `path`."""
    problems: list[Problem] = []
    at = At(source, path, problems)
    metric = read_metric(at.at("metric"))
    of = _place(at.at("of"), numbers=True) or VALUE
    by = _place(at.at("by"), numbers=False)
    where = read_filters(at.at("where"))
    if window.start and window.end and window.start >= window.end:
        at.at("until").wrong("until has to lie after since.")
    if problems or metric is None:
        raise AudienceError.of(problems)
    return Aggregate(metric, window, of, by, where)


def buckets(window: Window, interval: Interval, zone: tzinfo) -> list[Bucket]:
    """The steps that the window touches, in order. Hours are those of UTC; days, weeks
    from Monday on, and months those of `zone`. AudienceError when there are more than
    MAX_POINTS."""
    if window.start is None or window.end is None:
        raise ValueError("Only a window with both ends has steps.")
    found: list[Bucket] = []
    at = _first(window.start, interval, zone)
    while (begins := _begins(at, zone)) < window.end:
        if len(found) == MAX_POINTS:
            message = (
                f"There are more than {MAX_POINTS:,} points: take a longer interval, "
                "or a shorter time."
            )
            problem = Problem(Code.TOO_LARGE, message, ("input", "interval"))
            raise AudienceError.of([problem])
        found.append(Bucket(at.strftime(LABELS[interval]), begins))
        at = _next(at, interval)
    return found


def _place(at: At, *, numbers: bool) -> tuple[str, ...] | None:
    if not at.given:
        return None
    path = at.text(limits.PATH)
    if path is None:
        return None
    try:
        place = event_place(path)
    except UnknownPath as error:
        at.wrong(str(error))
        return None
    if numbers and place.kind not in (Kind.NUMBER, Kind.ANY):
        at.wrong("Only of numbers: give value, or properties. and a property's path.")
    return place.parts


def _first(start: datetime, interval: Interval, zone: tzinfo) -> date:
    if interval is Interval.HOUR:
        return start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    day = start.astimezone(zone).date()
    match interval:
        case Interval.WEEK:
            return day - timedelta(days=day.weekday())
        case Interval.MONTH:
            return day.replace(day=1)
    return day


def _begins(at: date, zone: tzinfo) -> datetime:
    return at if isinstance(at, datetime) else midnight(at, zone)


def _next(at: date, interval: Interval) -> date:
    match interval:
        case Interval.HOUR:
            return at + timedelta(hours=1)
        case Interval.DAY:
            return at + timedelta(days=1)
        case Interval.WEEK:
            return at + timedelta(weeks=1)
        case Interval.MONTH:
            return (at.replace(day=28) + timedelta(days=4)).replace(day=1)
