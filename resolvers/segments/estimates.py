"""How much the ways to answer a question would have to read, from a sample of events.

Costs are microseconds on one core, measured with five million events; only their ratios
matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bson import ObjectId

from audience.plan.tree import EVERYONE, EventFact, Fact, SequenceFact
from audience.plan.windows import Window
from resolvers.db import Database, aggregate

SAMPLE = 1_000

_KEY = 0.35  # to step to the next key of an index
_EVENT = 1.2  # to read an event that an index leads to
_IN_ORDER = 0.27  # to read an event in the order of the collection
_GROUPED = 0.5
_PROFILE = 20  # to find a profile's events
_OWN_KEY = 0.8  # to step to the next of them, whatever its metric


@dataclass(frozen=True, slots=True)
class EventSample:
    """Metric and time of some of so many events."""

    rows: Sequence[tuple[ObjectId, datetime]]
    total: int

    def of(self, fact: Fact, *, any_metric: bool = False) -> float:
        """About how many events the fact looks at; with `any_metric`, how many
        there are in its window."""
        if not self.rows:
            return 0
        metrics = {ObjectId(each) for each in _metrics(fact)}
        window = _window(fact)
        found = sum(
            (any_metric or metric in metrics) and _is_in(window, at)
            for metric, at in self.rows
        )
        return self.total * found / len(self.rows)


async def sample_events(db: Database) -> EventSample:
    """A sample of the events, the same size however many there are."""
    total = await db.events.estimated_document_count()
    fields = {"_id": 0, "metric_id": 1, "timestamp": 1}
    stages = [{"$sample": {"size": SAMPLE}}, {"$project": fields}]
    rows = await aggregate(db.events, stages, batch_size=SAMPLE + 1)
    return EventSample([(row["metric_id"], row["timestamp"]) for row in rows], total)


def is_read_in_order(sample: EventSample, fact: Fact) -> bool:
    """Whether reading all events in their order beats an index that leads to them."""
    if not _reads_events(fact):
        return False
    return _in_order(sample, fact) < _by_index(sample, fact)


def cost_of_all(sample: EventSample, facts: Sequence[Fact]) -> float:
    """To read the sets from everybody's events."""
    return sum(
        min(_by_index(sample, fact), _in_order(sample, fact))
        if _reads_events(fact)
        else _by_index(sample, fact)
        for fact in facts
    )


def cost_of_some(
    sample: EventSample, facts: Sequence[Fact], profiles: int, events: int
) -> float:
    """To read the sets from the events of so many profiles, which have so many."""
    cost = 0.0
    share = events / sample.total if sample.total else 0
    for fact in facts:
        cost += profiles * _PROFILE
        cost += share * sample.of(fact, any_metric=True) * _OWN_KEY
        each = _GROUPED + (_EVENT if _reads_events(fact) else 0)
        cost += share * sample.of(fact) * each
    return cost


def _by_index(sample: EventSample, fact: Fact) -> float:
    each = _KEY + _GROUPED + (_EVENT if _reads_events(fact) else 0)
    return sample.of(fact) * each


def _in_order(sample: EventSample, fact: Fact) -> float:
    return sample.total * _IN_ORDER + sample.of(fact) * _GROUPED


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
