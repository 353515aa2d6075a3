"""Facts about events: from the profile's summary where it is exact, else as a set of
profiles from the events themselves."""

from math import inf
from typing import Any

from bson import ObjectId

from audience.conditions.tree import Measure
from audience.events import SUMMARY_TIMES
from audience.plan.numbers import Range
from audience.plan.tree import EVERYONE, EventFact, FieldFact, Present
from resolvers.db import Document
from resolvers.pipelines.dates import window_operators
from resolvers.pipelines.fields import either, range_operators, scalar_filter
from resolvers.pipelines.filters import filter_of

ANY_NUMBER = (Range(low=1),)


def summary_filter(fact: EventFact) -> Document | None:
    """The fact as a filter on the profile's summary; None where that would not be
    exact."""
    if fact.where != EVERYONE or fact.of is not None:
        return None
    start, end = fact.window.start, fact.window.end
    if end is not None and (fact.metric.latest is None or fact.metric.latest < end):
        end = None
    summary = f"summary.{fact.metric.key}"
    if fact.measure is Measure.SUM and start is None and end is None:
        return either([{f"{summary}.s": range_operators(it)} for it in fact.ranges])
    if fact.measure is not Measure.COUNT:
        return None
    if start is None and end is None:
        return either([{f"{summary}.n": range_operators(it)} for it in fact.ranges])
    if start is None:
        if fact.ranges != ANY_NUMBER:
            return None
        return {f"{summary}.f": {"$lt": end}}
    if end is not None or not all(map(_within_newest, fact.ranges)):
        return None
    options = []
    for each in fact.ranges:
        option: Document = {f"{summary}.t.{int(each.low) - 1}": {"$gte": start}}
        if each.high < inf:
            more = {f"{summary}.t.{int(each.high)}": {"$gte": start}}
            option["$nor"] = [more]
        options.append(option)
    return either(options)


def event_filter(fact: EventFact) -> Document:
    """The events that the fact looks at."""
    found: Document = {"metric_id": ObjectId(fact.metric.id)}
    if during := window_operators(fact.window):
        found["timestamp"] = during
    if fact.where != EVERYONE:
        found["$and"] = [filter_of(fact.where)]
    return found


def is_any_number(fact: EventFact) -> bool:
    """Whether it holds of whoever has such an event."""
    return fact.measure is Measure.COUNT and fact.ranges == ANY_NUMBER


def event_stages(fact: EventFact) -> list[Document]:
    """Stages on the events: the profiles of which the fact holds, as `_id`."""
    if is_any_number(fact):
        return [{"$match": event_filter(fact)}, {"$group": {"_id": "$profile_id"}}]
    return [*measure_stages(fact), {"$match": _having(fact)}]


def distinct_stages(fact: EventFact) -> list[Document]:
    """The same for a distinct count: what is no value is left aside last, so that an
    index which has the property tells everything."""
    _, first, second = measure_stages(fact)
    is_value = scalar_filter(FieldFact(("_id", "v"), Present(), custom=True))
    match = {"$match": event_filter(fact)}
    return [match, first, {"$match": is_value}, second, {"$match": _having(fact)}]


def measure_stages(fact: EventFact) -> list[Document]:
    """Stages on the events: the measure `m` of each profile `_id` that has such
    events."""
    match = event_filter(fact)
    if fact.measure is not Measure.COUNT_DISTINCT:
        grouped = {"_id": "$profile_id", "m": _measured(fact)}
        return [{"$match": match}, {"$group": grouped}]
    field = fact.of or ("value",)
    of = FieldFact(field, Present(), custom=field[0] == "properties")
    match.setdefault("$and", []).append(scalar_filter(of))
    value = {"p": "$profile_id", "v": f"${'.'.join(field)}"}
    return [
        {"$match": match},
        {"$group": {"_id": value}},
        {"$group": {"_id": "$_id.p", "m": {"$sum": 1}}},
    ]


def _having(fact: EventFact) -> Document:
    return either([{"m": range_operators(each)} for each in fact.ranges])


def _measured(fact: EventFact) -> Document:
    value = f"${'.'.join(fact.of or ('value',))}"
    number: Any = {"$cond": [{"$isNumber": value}, value, None]}
    match fact.measure:
        case Measure.COUNT:
            return {"$sum": 1}
        case Measure.SUM:
            return {"$sum": value}
        case Measure.AVERAGE:
            return {"$avg": value}
        case Measure.MIN:
            return {"$min": number if fact.of else value}
        case Measure.MAX:
            return {"$max": number if fact.of else value}
    return {}


def _within_newest(each: Range) -> bool:
    most = each.low if each.high == inf else each.high + 1
    return most <= SUMMARY_TIMES
