"""Sequences of events: one pass over each profile's events in the order of time.

The pass remembers, for each step that has to happen, the latest beginning of a chain
that has come so far and still waits for what follows. Events at one time are taken
together, for a step comes strictly after the one before. When the last step must not
happen, the earliest finished chain waits to outlive it.
"""

from datetime import timedelta
from typing import Any

from bson import ObjectId

from audience.conditions.tree import Span, Unit
from audience.plan.tree import EVERYONE, SequenceFact, Step
from resolvers.branches import united
from resolvers.db import Document
from resolvers.pipelines.dates import window_operators
from resolvers.pipelines.filters import filter_of

LENGTHS = {
    Unit.MINUTE: timedelta(minutes=1),
    Unit.HOUR: timedelta(hours=1),
    Unit.DAY: timedelta(days=1),
    Unit.WEEK: timedelta(days=7),
    Unit.MONTH: timedelta(days=30),
    Unit.YEAR: timedelta(days=365),
}


def sequence_stages(fact: SequenceFact) -> list[Document]:
    """Stages on the events: the profiles that completed the sequence, as `_id`."""
    branches = [
        [
            {"$match": _step_filter(fact, step)},
            {
                "$project": {
                    "_id": {"p": "$profile_id", "t": "$timestamp"},
                    "s": {"$literal": number},
                }
            },
        ]
        for number, step in enumerate(fact.steps)
    ]
    at_once = {"_id": "$_id", "s": {"$addToSet": "$s"}}
    history = {"_id": "$_id.p", "e": {"$push": {"t": "$_id.t", "s": "$s"}}}
    return [
        *united("events", branches),
        {"$group": at_once},
        {"$group": history},
        {"$match": {"e.s": 0}},
        {"$match": {"$expr": _completed(fact)}},
    ]


def length_of(span: Span) -> timedelta:
    """How long a span between two events is: a month has 30 days, a year 365."""
    return LENGTHS[span.unit] * span.amount


def _step_filter(fact: SequenceFact, step: Step) -> Document:
    found: Document = {"metric_id": ObjectId(step.metric.id)}
    if during := window_operators(fact.window):
        found["timestamp"] = during
    if step.where != EVERYONE:
        found["$and"] = [filter_of(step.where)]
    return found


def _completed(fact: SequenceFact) -> Document:
    happening = [place for place, step in enumerate(fact.steps) if step.happened]
    last = happening[-1]
    outlives = last < len(fact.steps) - 1
    begin: Document = {"done": False, "open": None}
    after: Document = {}
    reached: dict[int, Any] = {}
    for number, place in enumerate(happening):
        before = None if number == 0 else happening[number - 1]
        reached[place] = _reached(fact, place, before)
        if place == last:
            continue
        name = f"d{place}"
        begin[name] = None
        kept: Any = f"$$value.{name}"
        if not fact.steps[place + 1].happened:
            kept = {"$cond": [_has(place + 1), None, kept]}
        after[name] = {"$max": [kept, reached[place]]}
    arrived = {"$gt": [reached[last], None]}
    if not outlives:
        after |= {"done": {"$or": ["$$value.done", arrived]}, "open": None}
    else:
        after |= _outliving(fact, last, arrived)
    ordered = {"$sortArray": {"input": "$e", "sortBy": {"t": 1}}}
    outcome = {"$reduce": {"input": ordered, "initialValue": begin, "in": after}}
    holds = {"$or": ["$$end.done", {"$gt": ["$$end.open", None]}]}
    return {"$let": {"vars": {"end": outcome}, "in": holds}}


def _reached(fact: SequenceFact, place: int, before: int | None) -> Document:
    """The beginning of a chain that comes to the step at this time, or null."""
    if before is None:
        return {"$cond": [_has(place), "$$this.t", None]}
    start = f"$$value.d{before}"
    tests = [_has(place), {"$gt": [start, None]}]
    if fact.within is not None:
        tests.append({"$lte": [_since(start), _milliseconds(fact.within)]})
    return {"$cond": [{"$and": tests}, start, None]}


def _outliving(fact: SequenceFact, last: int, arrived: Document) -> Document:
    """The finished chain that has waited longest for what must not happen."""
    ended = _has(last + 1)
    done: Any = "$$value.done"
    if fact.within is not None:
        late = {"$gt": [_since("$$value.open"), _milliseconds(fact.within)]}
        waited = {"$and": [ended, {"$gt": ["$$value.open", None]}, late]}
        done = {"$or": [done, waited]}
    kept = {"$cond": [ended, None, "$$value.open"]}
    new = {"$cond": [arrived, "$$this.t", None]}
    return {"done": done, "open": {"$min": [kept, new]}}


def _has(place: int) -> Document:
    return {"$in": [place, "$$this.s"]}


def _since(start: str) -> Document:
    return {"$subtract": ["$$this.t", start]}


def _milliseconds(span: Span) -> int:
    return length_of(span) // timedelta(milliseconds=1)
