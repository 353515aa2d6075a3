"""How much the ways to answer a question would have to read, from a sample of events.

Costs are microseconds on one core, measured with five million events; only their ratios
matter.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bson import ObjectId

from audience.conditions.tree import Measure
from audience.plan.tree import EVERYONE, EventFact, Fact, Field, SequenceFact
from audience.plan.windows import Window
from resolvers.db import Database, Document, aggregate
from resolvers.events.indexes import indexed_properties
from resolvers.pipelines.narrowing import Narrowing, narrowings

SAMPLE = 1_000

_GOOD_FOR = 60  # seconds, and as long as the number of events is about the same
_ABOUT = 0.1
_MANY = 20 * SAMPLE

_KEY = 0.35  # to step to the next key of an index
_EVENT = 1.2  # to read an event that an index leads to
_IN_ORDER = 0.27  # to read an event in the order of the collection
_GROUPED = 0.5
_PROFILE = 20  # to find a profile's events
_OWN_KEY = 0.8  # to step to the next of them, whatever its metric


@dataclass(frozen=True, slots=True)
class SampledEvent:
    """What is known of an event of the sample; `values` of properties with an index."""

    metric: ObjectId
    at: datetime
    values: Mapping[Field, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EventSample:
    """Some of so many events, and the properties that have an index."""

    rows: Sequence[SampledEvent]
    total: int
    indexed: frozenset[Field] = frozenset()

    def of(
        self, fact: Fact, by: Narrowing | None = None, *, any_metric: bool = False
    ) -> float:
        """About how many events the fact looks at, or an index leads to; with
        `any_metric`, how many there are in its window."""
        if not self.rows:
            return 0
        metrics = {ObjectId(each) for each in _metrics(fact)}
        window = _window(fact)
        found = sum(
            (any_metric or row.metric in metrics)
            and _is_in(window, row.at)
            and (by is None or by.passes(row.values.get(by.field)))
            for row in self.rows
        )
        return self.total * found / len(self.rows)


@dataclass(frozen=True, slots=True)
class Way:
    """How to read the events that a fact looks at: in their order, by an index on a
    property, or else by metric and time."""

    cost: float
    by: Narrowing | None = None
    in_order: bool = False


async def sample_events(db: Database) -> EventSample:
    """A sample of the events, the same size however many there are; of many events
    the one that was drawn a while ago."""
    total, indexed = await asyncio.gather(
        db.events.estimated_document_count(), indexed_properties(db)
    )

    async def draw() -> EventSample:
        paths = dict(enumerate(sorted(indexed)))
        shown: Document = {"_id": 0, "metric_id": 1, "timestamp": 1}
        shown |= {f"v{it}": f"${'.'.join(path)}" for it, path in paths.items()}
        stages = [{"$sample": {"size": SAMPLE}}, {"$project": shown}]
        found = []
        for row in await aggregate(db.events, stages, batch_size=SAMPLE + 1):
            values = {path: row.get(f"v{it}") for it, path in paths.items()}
            found.append(SampledEvent(row["metric_id"], row["timestamp"], values))
        return EventSample(found, total, indexed)

    def is_good(drawn: EventSample) -> bool:
        is_alike = abs(drawn.total - total) <= _ABOUT * total
        return total > _MANY and is_alike and drawn.indexed == indexed

    return await db.recent.read("events", _GOOD_FOR, draw, is_good)


def best_way(sample: EventSample, fact: Fact) -> Way:
    """The cheapest way to read the set from everybody's events."""
    ways = [Way(_by_index(sample, fact))]
    if _reads_events(fact):
        ways.append(Way(_in_order(sample, fact), in_order=True))
    ways += [
        Way(_narrowed(sample, fact, by), by) for by in narrowings(fact, sample.indexed)
    ]
    return min(ways, key=lambda way: way.cost)


def cost_of_some(
    sample: EventSample, facts: Sequence[Fact], profiles: int, events: float
) -> float:
    """To read the sets from the events of so many profiles, which have so many."""
    cost = 0.0
    share = events / sample.total if sample.total else 0
    for fact in facts:
        cost += profiles * _PROFILE
        cost += share * sample.of(fact, any_metric=True) * _OWN_KEY
        each = _grouped(fact) + (_EVENT if _reads_events(fact) else 0)
        cost += share * sample.of(fact) * each
    return cost


def cost_of_one(sample: EventSample, facts: Sequence[Fact], people: int) -> float:
    """The same of one of so many profiles, who has as many events as others."""
    return cost_of_some(sample, facts, 1, sample.total / max(people, 1))


def _by_index(sample: EventSample, fact: Fact) -> float:
    each = _KEY + _grouped(fact) + (_EVENT if _reads_events(fact) else 0)
    return sample.of(fact) * each


def _in_order(sample: EventSample, fact: Fact) -> float:
    return sample.total * _IN_ORDER + sample.of(fact) * _grouped(fact)


def _narrowed(sample: EventSample, fact: Fact, by: Narrowing) -> float:
    each = _KEY + _grouped(fact) + (0 if by.tells(fact) else _EVENT)
    return sample.of(fact, by) * each


def _grouped(fact: Fact) -> float:
    is_distinct = isinstance(fact, EventFact) and (
        fact.measure is Measure.COUNT_DISTINCT
    )
    return 3 * _GROUPED if is_distinct else _GROUPED


def _reads_events(fact: Fact) -> bool:
    match fact:
        case EventFact(where=where, of=of):
            return where != EVERYONE or of is not None
        case SequenceFact(steps=steps):
            return any(step.where != EVERYONE for step in steps)
    return False


def _metrics(fact: Fact) -> list[str]:
    match fact:
        case EventFact(metric=metric):
            return [metric.id]
        case SequenceFact(steps=steps):
            return [step.metric.id for step in steps]
    return []


def _window(fact: Fact) -> Window:
    return fact.window if isinstance(fact, EventFact | SequenceFact) else Window()


def _is_in(window: Window, at: datetime) -> bool:
    return (window.start is None or at >= window.start) and (
        window.end is None or at < window.end
    )
