"""Sequences of events: one pass over each profile's events in the order of time.

Each event of a step becomes one number, its time and its step, so that the numbers'
order is that of time. At one time the later steps come first, for a step comes
strictly after the one before. The pass remembers, for each step that has to happen, the
latest beginning of a chain that has come so far and still waits for what follows. When
the last step must not happen, the earliest finished chain waits to outlive it.

Two steps without a span between them need no pass: the first and last times decide.
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

_STEPS = 8  # a time's place for its step
_PAST = 2**46  # milliseconds that make every time of four-digit years positive
_DONE = -1


def sequence_stages(fact: SequenceFact) -> list[Document]:
    """Stages on the events: the profiles that completed the sequence, as `_id`."""
    if _is_simple(fact):
        return _by_ends(fact)
    return [*_numbered(fact), {"$match": {"$expr": _completed(fact)}}]


def sequence_summary_filter(fact: SequenceFact) -> Document | None:
    """The sequence as a filter on the profile's summary; None where that would not be
    exact."""
    whole = not window_operators(fact.window)
    if not (
        _is_simple(fact) and whole and all(it.where == EVERYONE for it in fact.steps)
    ):
        return None
    first, second = (f"summary.{step.metric.key}" for step in fact.steps)
    if fact.steps[1].happened:
        follows = {"$lt": [f"${first}.f", f"${second}.l"]}
    else:
        follows = {"$gte": [f"${first}.l", f"${second}.l"]}
    return {f"{first}.n": {"$gte": 1}, "$expr": follows}


def length_of(span: Span) -> timedelta:
    """How long a span between two events is: a month has 30 days, a year 365."""
    return LENGTHS[span.unit] * span.amount


def _is_simple(fact: SequenceFact) -> bool:
    return len(fact.steps) == 2 and fact.within is None


def _by_ends(fact: SequenceFact) -> list[Document]:
    """The second step comes when its last event is later than the first step's first;
    and never again when it is not later than the first step's last."""
    happens = fact.steps[1].happened
    ends = ({"$min" if happens else "$max": "$timestamp"}, {"$max": "$timestamp"})
    branches = [
        [
            {"$match": step_filter(fact, step)},
            {"$group": {"_id": "$profile_id", name: end}},
        ]
        for name, step, end in zip("ab", fact.steps, ends, strict=True)
    ]
    both = {"_id": "$_id", "a": {"$max": "$a"}, "b": {"$max": "$b"}}
    follows = {"$lt" if happens else "$gte": ["$a", "$b"]}
    return [
        *united("events", branches),
        {"$group": both},
        {"$match": {"a": {"$ne": None}, "$expr": follows}},
    ]


def _numbered(fact: SequenceFact) -> list[Document]:
    """Stages on the events: the numbers `x` of each profile `_id`. One pass over the
    events where the metric tells the step, otherwise one for each step."""
    group: Document = {"_id": "$profile_id", "x": {"$push": "$x"}}
    metrics = [ObjectId(step.metric.id) for step in fact.steps]
    if len(set(metrics)) == len(metrics):
        group["x"] = {"$push": _number({"$indexOfArray": [metrics, "$metric_id"]})}
        return [{"$match": _any_step_filter(fact, metrics)}, {"$group": group}]
    branches = [
        [
            {"$match": step_filter(fact, step)},
            {"$project": {"_id": 0, "profile_id": 1, "x": _number(place)}},
        ]
        for place, step in enumerate(fact.steps)
    ]
    return [*united("events", branches), {"$group": group}]


def _any_step_filter(fact: SequenceFact, metrics: list[ObjectId]) -> Document:
    if any(step.where != EVERYONE for step in fact.steps):
        return {"$or": [step_filter(fact, step) for step in fact.steps]}
    found: Document = {"metric_id": {"$in": metrics}}
    if during := window_operators(fact.window):
        found["timestamp"] = during
    return found


def step_filter(fact: SequenceFact, step: Step) -> Document:
    """The events that the step looks at."""
    found: Document = {"metric_id": ObjectId(step.metric.id)}
    if during := window_operators(fact.window):
        found["timestamp"] = during
    if step.where != EVERYONE:
        found["$and"] = [filter_of(step.where)]
    return found


def _number(place: int | Document) -> Document:
    """The time and the step as one number, the later steps smaller."""
    time = {"$multiply": [{"$toLong": "$timestamp"}, _STEPS]}
    return {"$subtract": [{"$add": [time, _PAST * _STEPS + _STEPS - 1]}, place]}


def _completed(fact: SequenceFact) -> Document:
    happening = [place for place, step in enumerate(fact.steps) if step.happened]
    last = happening[-1]
    outlives = last < len(fact.steps) - 1
    waiting = _Waiting([*happening[:-1], *([last] if outlives else [])])
    before = dict(zip(happening[1:], happening, strict=False))
    turns: list[Any] = []
    for place, step in enumerate(fact.steps):
        if not step.happened:
            turn = _unwanted(fact, waiting, place, is_last=place > last)
        elif place == 0:
            turn = waiting.with_(0, "$$this")
            if place == last:
                turn = waiting.with_(0, _earliest(waiting.at(0)))
        else:
            start = waiting.at(before[place])
            reached: Document = {"$and": [{"$gt": [start, 0]}]}
            if fact.within is not None:
                reached["$and"].append({"$lte": _since(start, 0, place, fact.within)})
            if place < last:
                then = waiting.with_(place, {"$max": [waiting.at(place), start]})
            elif outlives:
                then = waiting.with_(place, _earliest(waiting.at(place)))
            else:
                then = waiting.done
            turn = {"$cond": [reached, then, "$$value"]}
        turns.append(turn)
    step_of = {"$subtract": [_STEPS - 1, {"$mod": ["$$this", _STEPS]}]}
    branches = [
        {"case": {"$eq": ["$$step", place]}, "then": turn}
        for place, turn in enumerate(turns)
    ]
    one = {
        "$let": {
            "vars": {"step": {"$toInt": step_of}},
            "in": {"$switch": {"branches": branches, "default": "$$value"}},
        }
    }
    ordered = {"$sortArray": {"input": "$x", "sortBy": 1}}
    over = {"$cond": [waiting.is_done("$$value"), "$$value", one]}
    outcome = {"$reduce": {"input": ordered, "initialValue": waiting.begin, "in": over}}
    holds: Document = waiting.is_done("$$end")
    if outlives:
        holds = {"$or": [holds, {"$gt": [waiting.at(last, "$$end"), 0]}]}
    return {"$let": {"vars": {"end": outcome}, "in": holds}}


def _unwanted(
    fact: SequenceFact, waiting: "_Waiting", place: int, *, is_last: bool
) -> Any:
    """What must not happen ends the chains that wait for the step after it; the last
    one comes too late for a chain that has waited long enough."""
    ended = waiting.with_(place - 1, 0)
    if not is_last or fact.within is None:
        return ended
    open_ = waiting.at(place - 1)
    late = {"$gt": _since(open_, place - 1, place, fact.within)}
    outlived = {"$and": [{"$gt": [open_, 0]}, late]}
    return {"$cond": [outlived, waiting.done, ended]}


class _Waiting:
    """What the pass carries along: a number for each step that chains wait at, 0 for
    none; by itself when there is one only."""

    def __init__(self, places: list[int]) -> None:
        self._places = places
        self._single = len(places) == 1
        self.begin: Any = 0 if self._single else {f"d{it}": 0 for it in places}
        self.done: Any = _DONE if self._single else {"d0": _DONE}

    def at(self, place: int, of: str = "$$value") -> str:
        return of if self._single else f"{of}.d{place}"

    def with_(self, place: int, number: Any) -> Any:
        if self._single:
            return number
        kept: Document = {f"d{it}": self.at(it) for it in self._places}
        kept[f"d{place}"] = number
        return kept

    def is_done(self, of: str) -> Document:
        return {"$eq": [self.at(0, of), _DONE]}


def _earliest(waits: str) -> Document:
    return {"$cond": [{"$gt": [waits, 0]}, waits, "$$this"]}


def _since(start: str, begun: int, place: int, span: Span) -> list[Any]:
    """The two sides of a comparison: how long ago `start` was, a number of the step
    `begun`, and the span."""
    length = length_of(span) // timedelta(milliseconds=1)
    return [{"$subtract": ["$$this", start]}, length * _STEPS - (place - begun)]
