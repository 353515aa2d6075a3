"""Questions that the events have to answer, made ready to be asked of the profiles."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from bson import ObjectId

from audience.conditions.tree import Measure
from audience.plan.tree import EVERYONE, EventFact, Fact
from resolvers.db import Database, Document, aggregate, read_ids
from resolvers.pipelines import Question, Strategy
from resolvers.pipelines.steps import (
    by_events,
    by_profiles,
    open_facts,
    reading,
    undecided,
)

FEW = 5_000  # profiles whose own events are read
MANY = 400_000  # ids that one filter may name: eight megabytes
_AT_ONCE = 4
_SAMPLE = 200

# With more of all events than this, reading all of them in their order is faster than
# one by one.
_DENSE = 0.25


async def settled(
    db: Database, asked: Question, way: Strategy | None = None
) -> Question:
    """The question with what the events tell read now, so that one filter on the
    profiles is left; as it was when that would name too many people. `way` forces
    PROFILES_FIRST or EVENTS_FIRST."""
    if asked.match is not None:
        return asked
    facts = open_facts(asked)
    if way is not Strategy.EVENTS_FIRST:
        stages: list[Document] = [{"$match": undecided(asked)}]
        if way is None:
            stages.append({"$limit": FEW + 1})
        candidates = await read_ids(db.profiles, stages)
        if way is not None or len(candidates) <= FEW:
            sets = await _read(db, facts, candidates)
            return by_profiles(asked, candidates, sets)
    sets = await _read(db, facts, None)
    if sum(map(len, sets.values())) > MANY:
        return asked
    people = await db.profiles.estimated_document_count()
    return by_events(asked, sets, people)


async def all_settled(db: Database, questions: Sequence[Question]) -> list[Question]:
    """The same for several that one command will ask: together they name no more than
    one may."""
    found = await asyncio.gather(*(settled(db, each) for each in questions))
    named = 0
    fitting = []
    for before, after in zip(questions, found, strict=True):
        fits = named + after.named <= MANY
        named += after.named if fits else 0
        fitting.append(after if fits else before)
    return fitting


async def _read(
    db: Database, facts: Sequence[Fact], among: Sequence[ObjectId] | None
) -> dict[Fact, list[ObjectId]]:
    turn = asyncio.Semaphore(_AT_ONCE)

    async def read(fact: Fact) -> list[ObjectId]:
        if among is not None and not among:
            return []
        stages = [*reading(fact, among), {"$limit": MANY + 1}]
        async with turn:
            hint = await _hint(db, fact) if among is None else None
            return await read_ids(db.events, stages, hint=hint)

    found = await asyncio.gather(*(read(fact) for fact in facts))
    return dict(zip(facts, found, strict=True))


async def _hint(db: Database, fact: Fact) -> Document | None:
    """Without an index where most events would be read whole anyway."""
    if not isinstance(fact, EventFact) or (fact.where == EVERYONE and fact.of is None):
        return None
    whole = replace(fact, where=EVERYONE, measure=Measure.COUNT, of=None)
    (asked,) = reading(whole)[:1]
    sample = [{"$sample": {"size": _SAMPLE}}, asked, {"$count": "n"}]
    rows = await aggregate(db.events, sample)
    share = rows[0]["n"] / _SAMPLE if rows else 0
    return {"$natural": 1} if share > _DENSE else None
