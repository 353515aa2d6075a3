"""The sets of profiles that the events tell, each read in the cheapest way."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import chain, islice
from typing import Any, TypeVar

from bson import ObjectId
from pymongo.errors import OperationFailure

from audience.conditions.tree import Measure
from audience.plan.numbers import accepts
from audience.plan.tree import EventFact, Fact
from resolvers.collections import HISTORIES
from resolvers.db import Database, Document, aggregate
from resolvers.events.indexes import forget_indexes, property_index
from resolvers.id_reads import is_multikey, read_distinct, read_ids
from resolvers.pipelines.events import event_filter, is_any_number
from resolvers.pipelines.narrowing import Narrowing, narrowed_stages
from resolvers.pipelines.steps import reading
from resolvers.segments.estimates import Way

Answer = TypeVar("Answer")
Key = TypeVar("Key")

_AT_ONCE = 4
_FEW_VALUES = 64  # of a property: each is a command of its own
_NO_SUCH_HINT = 2


async def read_sets(
    db: Database, ways: Mapping[Fact, Way], limit: int
) -> dict[Fact, list[ObjectId]]:
    """For each fact the profiles of whom it holds, of everybody, read in its way; one
    more than `limit` at most."""

    async def read(fact: Fact) -> list[ObjectId]:
        return await by_way(db, ways[fact], lambda way: read_set(db, fact, way, limit))

    return await _side_by_side(ways, read)


async def read_sets_of(
    db: Database, facts: Sequence[Fact], among: Sequence[ObjectId], limit: int
) -> dict[Fact, list[ObjectId]]:
    """The same of some profiles, from the events of those alone."""

    async def read(fact: Fact) -> list[ObjectId]:
        stages = [*reading(fact, among), {"$limit": limit + 1}]
        return await read_ids(db.events, stages, hint=HISTORIES) if among else []

    return await _side_by_side(facts, read)


async def _side_by_side(
    asked: Iterable[Key], read: Callable[[Key], Awaitable[Answer]]
) -> dict[Key, Answer]:
    """What is read for each, a few at once."""
    turn = asyncio.Semaphore(_AT_ONCE)

    async def in_turn(each: Key) -> Answer:
        async with turn:
            return await read(each)

    every = list(asked)
    found = await asyncio.gather(*map(in_turn, every))
    return dict(zip(every, found, strict=True))


async def by_way(
    db: Database, way: Way, ask: Callable[[Way], Awaitable[Answer]]
) -> Answer:
    """What is answered that way, or without its index when that has just gone."""
    try:
        return await ask(way)
    except OperationFailure as error:
        if way.by is None or error.code != _NO_SUCH_HINT:
            raise
        forget_indexes(db)
        return await ask(Way(0))


def stages_and_hint(
    fact: Fact, way: Way
) -> tuple[list[Document], Mapping[str, Any] | None]:
    """What is sent to the events."""
    if way.by is not None and isinstance(fact, EventFact):
        return narrowed_stages(fact, way.by), property_index(way.by.field)
    return reading(fact), {"$natural": 1} if way.in_order else None


async def read_set(db: Database, fact: Fact, way: Way, limit: int) -> list[ObjectId]:
    """Everybody of whom the fact holds."""
    if way.by is not None and isinstance(fact, EventFact) and way.by.tells(fact):
        counted = await _counted(db, fact, way.by, limit)
        if counted is not None:
            return counted
    stages, hint = stages_and_hint(fact, way)
    if isinstance(fact, EventFact) and is_any_number(fact):
        # Whoever has an event is meant: sorted out here, for $group takes longer.
        match: Document = stages[0]["$match"]
        ids = await read_distinct(db.events, match, "profile_id", limit, hint=hint)
        return _ids(ids, limit)
    return await read_ids(db.events, [*stages, {"$limit": limit + 1}], hint=hint)


async def _counted(
    db: Database, fact: EventFact, by: Narrowing, limit: int
) -> list[ObjectId] | None:
    """The same for a distinct count by an index that has a few values: for each of
    them everybody who has it. None where that is not how to read it."""
    if fact.measure is not Measure.COUNT_DISTINCT:
        return None
    hint = property_index(by.field)
    match = event_filter(fact)
    of_metric = {"metric_id": match["metric_id"], by.path: by.operators}
    if await is_multikey(db.events, of_metric, hint):
        return None
    values = await _values(db, of_metric, by.path, hint)
    if len(values) > _FEW_VALUES:
        return None

    # By their places: 1 and true are different values, but not to Python.
    async def having(place: int) -> set[bytes]:
        one = match | {by.path: values[place]}
        return await read_distinct(db.events, one, "profile_id", limit, hint=hint)

    found = (await _side_by_side(range(len(values)), having)).values()
    if any(len(each) > limit for each in found):
        return None
    if await is_multikey(db.events, of_metric, hint):
        return None  # since a moment ago
    counts = Counter(chain.from_iterable(found))
    return _ids([it for it, n in counts.items() if accepts(fact.ranges, n)], limit)


async def _values(
    db: Database, match: Document, path: str, hint: Mapping[str, Any]
) -> list[Any]:
    """The different values, one more than a few at most, objects left aside. The index
    is skipped through."""
    stages: list[Document] = [
        {"$match": match},
        {"$sort": {"metric_id": 1, path: 1}},
        {"$group": {"_id": f"${path}"}},
        {"$limit": _FEW_VALUES + 1},
    ]
    rows = await aggregate(db.events, stages, hint=hint)
    return [row["_id"] for row in rows if not isinstance(row["_id"], dict)]


def _ids(found: Iterable[bytes], limit: int) -> list[ObjectId]:
    return [ObjectId(each) for each in islice(found, limit + 1)]
