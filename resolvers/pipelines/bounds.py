"""What a profile's summary says about facts that only the events decide: for whom they
certainly hold, and for whom they possibly do. In between the events have to be read.

The newest times stand in the summary newest first, at most K of them: so at least n
events are not before an instant when the n-th newest is not, and all are known when
there are not more than K.

What counts times is an expression, for MongoDB looks at expressions last: most
profiles have failed a simple comparison by then.
"""

from math import inf

from audience.conditions.tree import Measure
from audience.events import SUMMARY_TIMES
from audience.plan.numbers import Range
from audience.plan.tree import EVERYONE, EventFact, SequenceFact
from resolvers.db import Document
from resolvers.pages import both
from resolvers.pipelines.fields import either, range_operators
from resolvers.pipelines.filters import NOBODY

_COUNTS = (Measure.COUNT, Measure.COUNT_DISTINCT)


def possible(fact: EventFact | SequenceFact) -> Document:
    """A filter that everyone passes of whom the fact holds."""
    if isinstance(fact, SequenceFact):
        return _begun(fact)
    span = _Span(fact)
    if _is_plain_count(fact):
        return either([span.possible_range(each) for each in fact.ranges])
    least = 1
    if fact.measure in _COUNTS:
        least = int(min(each.low for each in fact.ranges))
    needed = span.needed(least)
    if _is_plain_sum(fact):
        return both(needed, {"$or": [{"$nor": [span.whole()]}, span.sum_in(fact)]})
    return needed


def certain(fact: EventFact | SequenceFact) -> Document:
    """A filter that nobody passes of whom the fact does not hold."""
    if isinstance(fact, SequenceFact):
        return NOBODY
    span = _Span(fact)
    if _is_plain_count(fact):
        return either([span.certain_range(each) for each in fact.ranges])
    if _is_plain_sum(fact):
        return both(span.whole(), span.sum_in(fact))
    return NOBODY


class _Span:
    """The summary of the fact's metric, and the window that matters."""

    def __init__(self, fact: EventFact) -> None:
        self.path = f"summary.{fact.metric.key}"
        self.start, self.end = fact.window.start, fact.window.end
        latest = fact.metric.latest
        if self.end is not None and (latest is None or latest < self.end):
            self.end = None

    def possible_range(self, each: Range) -> Document:
        low = self.possibly(int(each.low))
        if each.high == inf:
            return low
        return both(low, {"$nor": [self.certainly(int(each.high) + 1)]})

    def certain_range(self, each: Range) -> Document:
        low = self.certainly(int(each.low))
        if each.high == inf:
            return low
        return both(low, {"$nor": [self.possibly(int(each.high) + 1)]})

    def needed(self, least: int) -> Document:
        """What so many events in the window need."""
        found: Document = {f"{self.path}.n": {"$gte": least}}
        if self.start is not None:
            newest = min(least, SUMMARY_TIMES)
            found[self._time(newest)] = {"$gte": self.start}
        if self.end is not None:
            found[f"{self.path}.f"] = {"$lt": self.end}
        return found

    def possibly(self, least: int) -> Document:
        """Perhaps at least so many events are in the window."""
        needed = self.needed(least)
        if self.end is None:
            return needed
        if self.start is None:
            return both(needed, self._older(least))
        # More events than the summary has times of, and they may reach into it.
        more = {
            "$and": [
                {"$gt": [f"${self.path}.n", SUMMARY_TIMES]},
                {"$gte": [{"$arrayElemAt": [self._times, -1]}, self.start]},
            ]
        }
        inside = {"$gte": [self._inside(), least]}
        return both(needed, {"$expr": {"$or": [inside, more]}})

    def certainly(self, least: int) -> Document:
        """The summary tells at least so many events in the window."""
        if self.end is None:
            if self.start is None or least > SUMMARY_TIMES:
                return both({f"{self.path}.n": {"$gte": least}}, self.whole())
            return {self._time(least): {"$gte": self.start}}
        needed = self.needed(least)
        if self.start is None:
            known = {self._time(SUMMARY_TIMES): {"$not": {"$gte": self.end}}}
            return both(needed, known, self._older(least))
        whole = {
            "$and": [
                {"$gte": [f"${self.path}.f", self.start]},
                {"$lt": [f"${self.path}.l", self.end]},
            ]
        }
        inside = {"$gte": [self._inside(), least]}
        return both(needed, {"$expr": {"$or": [inside, whole]}})

    def whole(self) -> Document:
        """There are events, all in the window."""
        found: Document = {f"{self.path}.n": {"$gte": 1}}
        if self.start is not None:
            found[f"{self.path}.f"] = {"$gte": self.start}
        if self.end is not None:
            found[f"{self.path}.l"] = {"$lt": self.end}
        return found

    def sum_in(self, fact: EventFact) -> Document:
        path = f"{self.path}.s"
        return either([{path: range_operators(each)} for each in fact.ranges])

    @property
    def _times(self) -> Document:
        return {"$ifNull": [f"${self.path}.t", []]}

    def _inside(self) -> Document:
        """An expression: how many of the newest times are in the window."""
        ends = {"$gte": self.start, "$lt": self.end}
        tests = [{name: ["$$this", at]} for name, at in ends.items() if at is not None]
        return {"$size": {"$filter": {"input": self._times, "cond": {"$and": tests}}}}

    def _older(self, least: int) -> Document:
        """So many are left without those of the newest that are not before the end."""
        newer = {"$gte": ["$$this", self.end]}
        count = {"$size": {"$filter": {"input": self._times, "cond": newer}}}
        left = {"$subtract": [f"${self.path}.n", count]}
        return {"$expr": {"$gte": [left, least]}}

    def _time(self, newest: int) -> str:
        return f"{self.path}.t.{newest - 1}"


def _begun(fact: SequenceFact) -> Document:
    """Every step that has to happen did, at some time in the window."""
    found: Document = {}
    for step in fact.steps:
        if not step.happened:
            continue
        path = f"summary.{step.metric.key}"
        found[f"{path}.n"] = {"$gte": 1}
        if fact.window.start is not None:
            found[f"{path}.l"] = {"$gte": fact.window.start}
        if fact.window.end is not None:
            found[f"{path}.f"] = {"$lt": fact.window.end}
    return found


def _is_plain_count(fact: EventFact) -> bool:
    return fact.measure is Measure.COUNT and fact.where == EVERYONE


def _is_plain_sum(fact: EventFact) -> bool:
    return fact.measure is Measure.SUM and fact.where == EVERYONE and fact.of is None
