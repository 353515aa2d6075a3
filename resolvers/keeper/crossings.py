"""Whom time alone may bring into a segment or out of it, between two instants.

Someone of whom nothing is written changes sides only when a moving window passes
over one of their events, or a moving test over one of their values. The index on
events tells whose events lie between where a window's edge was and where it is now,
the long absent among them: nobody else is looked at. Values of profiles are asked
for with both tests; who passes one and not the other may have changed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from bson import ObjectId

from audience.conditions.tree import (
    Anniversary,
    Condition,
    Definition,
    EventCondition,
    Group,
    InTheLast,
    MetricRef,
    PropertyCondition,
    PropertyFilter,
    SequenceCondition,
    Stretch,
    Timeframe,
)
from audience.conditions.walking import conditions_of
from audience.plan import References, dependencies_of, plan
from audience.plan.filters import event_filter
from audience.plan.tree import Node, every
from audience.plan.windows import is_relative, window_of
from resolvers.branches import united
from resolvers.db import Database, Document, aggregate
from resolvers.pipelines.filters import filter_of

LIMIT = 10_000

# How often the keeper looks: at events by their index, and at all profiles.
FINE = timedelta(seconds=2)
COARSE = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Crossed:
    """Someone who may have changed sides; `arrived`: by an event that has come to lie
    in the past at this instant, which is nothing new to who was asked after it."""

    profile_id: ObjectId
    arrived: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Span:
    """From one instant to a later one, in a time zone."""

    before: datetime
    after: datetime
    zone: tzinfo
    references: References


def is_costly(parts: Sequence[Definition]) -> bool:
    """Whether telling who crosses takes more than the index on events."""
    return any(
        not isinstance(condition, EventCondition | SequenceCondition)
        or any(map(_is_moving, _filters(condition)))
        for condition in _moving(parts)
    )


async def crossed(
    db: Database,
    parts: Sequence[Definition],
    before: datetime,
    after: datetime,
    zone: tzinfo,
    references: References,
) -> list[Crossed] | None:
    """Who may be on another side of these definitions than at `before`; None when
    they are too many to be named."""
    span = _Span(before, after, zone, references)
    events: list[list[Document]] = []
    profiles: list[list[Document]] = []
    for condition in _moving(parts):
        match condition:
            case EventCondition():
                events += _by_events(
                    span, [condition.metric], condition.during, condition.where
                )
            case SequenceCondition(steps=steps, during=during):
                filters = [one for step in steps for one in step.where]
                events += _by_events(
                    span, [step.metric for step in steps], during, filters
                )
            case _:
                profiles += _by_profiles(span, condition)
    found: dict[ObjectId, Crossed] = {}
    for collection, branches in ((db.events, events), (db.profiles, profiles)):
        if not branches:
            continue
        for row in await aggregate(collection, united(collection.name, branches)):
            one = Crossed(row["_id"], row.get("arrived"))
            found[one.profile_id] = _later(one, found.get(one.profile_id))
    return None if len(found) > LIMIT else list(found.values())


def _later(one: Crossed, other: Crossed | None) -> Crossed:
    if other is None or one.arrived is None:
        return one
    return other if other.arrived is None else max(one, other, key=_arrival)


def _arrival(one: Crossed) -> datetime:
    return one.arrived or datetime.max.replace(tzinfo=UTC)


def _moving(parts: Sequence[Definition]) -> Iterator[Condition]:
    for part in parts:
        for _, condition in conditions_of(part):
            if dependencies_of(_only(condition)).time:
                yield condition


def _only(condition: Condition) -> Definition:
    return Definition((Group((condition,)),))


def _filters(condition: Condition) -> tuple[PropertyFilter, ...]:
    match condition:
        case EventCondition(where=where):
            return where
        case SequenceCondition(steps=steps):
            return tuple(one for step in steps for one in step.where)
    return ()


def _is_moving(filter: PropertyFilter) -> bool:
    # An event's filter asks the same of a value as a profile's does.
    asked = PropertyFilter("properties.x", filter.comparison)
    return dependencies_of(_only(PropertyCondition(asked))).time


def _by_events(
    span: _Span,
    metrics: Sequence[MetricRef],
    during: Timeframe | None,
    filters: Sequence[PropertyFilter],
) -> list[list[Document]]:
    known = [span.references.metrics.get(ref) for ref in dict.fromkeys(metrics)]
    ids = [ObjectId(metric.id) for metric in known if metric is not None]
    found: list[list[Document]] = []
    if isinstance(during, Anniversary):
        filters, during = [*filters, PropertyFilter("timestamp", during)], None
    moving = [one for one in filters if _is_moving(one)]
    for metric_id in ids:
        if during is not None and is_relative(during):
            found += [
                _events_between(metric_id, *edge) for edge in _edges(span, during)
            ]
        for one in moving:
            then = event_filter(one, span.before, span.zone)
            now = event_filter(one, span.after, span.zone)
            if then != now:
                match = {"metric_id": metric_id} | _either(then, now)
                found.append(
                    [{"$match": match}, {"$group": {"_id": "$profile_id"}}, _BOUND]
                )
    return found


def _edges(span: _Span, during: Stretch) -> Iterator[tuple[datetime, datetime, bool]]:
    """Where the window's edges have passed: from, to before, and whether it is the
    present that did."""
    then = window_of(during, span.before, span.zone)
    now = window_of(during, span.after, span.zone)
    is_present = isinstance(during, InTheLast)
    for one, other, present in (
        (then.start, now.start, False),
        (then.end, now.end, is_present),
    ):
        if one is not None and other is not None and one != other:
            yield min(one, other), max(one, other), present


def _events_between(
    metric_id: ObjectId, start: datetime, end: datetime, is_present: bool
) -> list[Document]:
    times = {"$gte": start, "$lt": end}
    group: Document = {"_id": "$profile_id"}
    if is_present:
        group["arrived"] = {"$max": "$timestamp"}
    return [
        {"$match": {"metric_id": metric_id, "timestamp": times}},
        {"$group": group},
        _BOUND,
    ]


def _by_profiles(span: _Span, condition: Condition) -> list[list[Document]]:
    asked = _only(condition)
    then, now = (
        plan(asked, now=at, zone=span.zone, references=span.references)
        for at in (span.before, span.after)
    )
    if then == now:
        return []
    return [[{"$match": _either(then, now)}, {"$project": {"_id": 1}}, _BOUND]]


def _either(then: Node, now: Node) -> Document:
    """One of the two, not both."""
    one, other = filter_of(every([then])), filter_of(every([now]))
    return {
        "$or": [
            {"$and": [one, {"$nor": [other]}]},
            {"$and": [other, {"$nor": [one]}]},
        ]
    }


_BOUND: Document = {"$limit": LIMIT + 1}
