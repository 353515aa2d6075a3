"""Questions that the events have to answer, made ready to be asked of the profiles."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from bson import ObjectId

from audience.plan.tree import Leaf
from resolvers.db import Database, Document, aggregate
from resolvers.pipelines import Question, Strategy
from resolvers.pipelines.steps import (
    by_events,
    by_profiles,
    open_facts,
    undecided,
)
from resolvers.segments.estimates import (
    best_way,
    cost_of_one,
    cost_of_some,
    sample_events,
)
from resolvers.segments.sets import read_sets, read_sets_of

FEW = 5_000  # profiles whose own events are read
MANY = 400_000  # ids that one filter may name: eight megabytes
_VERY_FEW = 100  # nothing else needs to be thought of
_LIGHT = 4  # times lighter than others may those be of whom it is open
_AT_ONCE = 4
_SAMPLE = 400
_FEWEST_SAMPLED = 20 * _SAMPLE  # people; of fewer it would be sorted as a whole
_SCAN = 0.5  # microseconds to look at a profile
_FEW_PEOPLE = 1_000  # any way is fast


async def settled(
    db: Database, asked: Question, way: Strategy | None = None
) -> Question:
    """The question with what the events tell read now, so that one filter on the
    profiles is left; as it was when that would name too many people, or save nothing.
    `way` forces PROFILES_FIRST or EVENTS_FIRST."""
    if asked.match is not None or (asked.is_settled and way is None):
        return asked
    found = await _settled(db, asked, way)
    return replace(found, is_settled=True)


async def _settled(db: Database, asked: Question, way: Strategy | None) -> Question:
    facts = open_facts(asked)
    people, sample = await asyncio.gather(
        db.profiles.estimated_document_count(), sample_events(db)
    )
    ways = {fact: best_way(sample, fact) for fact in facts}
    # One set and nothing else is counted where it is, unless an index is asked for.
    stays = (
        isinstance(asked.node, Leaf)
        and asked.strategy is Strategy.SETS
        and ways[asked.node.fact].by is None
    )
    cost = sum(each.cost for each in ways.values())
    is_cheap = people > _FEW_PEOPLE and cost < people * (2 if stays else 1) * _SCAN
    few = max(_VERY_FEW, int(_LIGHT * cost / cost_of_one(sample, facts, people)))
    few = min(few, FEW)
    if way is Strategy.PROFILES_FIRST or (
        way is None and not is_cheap and await _may_be_few(db, asked, people, few)
    ):
        limit = few if way is None else MANY
        candidates, events = await _candidates(db, asked, limit)
        is_few = len(candidates) <= _VERY_FEW or way is not None
        if not is_few and len(candidates) <= few:
            is_few = cost_of_some(sample, facts, len(candidates), events) < cost
        if is_few:
            sets = await read_sets_of(db, facts, candidates, MANY)
            answer = by_profiles(asked, candidates, sets)
            return answer if answer.named <= MANY else asked
    if way is None and stays:
        return asked
    sets = await read_sets(db, ways, MANY)
    if sum(map(len, sets.values())) > MANY:
        return asked
    answer = by_events(asked, sets, people)
    return answer if answer.named <= MANY else asked


async def all_settled(db: Database, questions: Sequence[Question]) -> list[Question]:
    """The same for several that one command will ask: together they name no more than
    one may."""
    turn = asyncio.Semaphore(_AT_ONCE // 2)

    async def settle(asked: Question) -> Question:
        async with turn:
            return await settled(db, asked)

    found = await asyncio.gather(*map(settle, questions))
    named = 0
    fitting = []
    for before, after in zip(questions, found, strict=True):
        fits = named + after.named <= MANY
        named += after.named if fits else 0
        fitting.append(after if fits else before)
    return fitting


async def _may_be_few(db: Database, asked: Question, people: int, few: int) -> bool:
    """Whether it may be open for no more than `few`, as far as a sample can tell."""
    # Of fewer people a sample takes as long as to look at all of them.
    if people <= max(2 * few, _FEWEST_SAMPLED) or _SAMPLE * few < people:
        return True
    stages: list[Document] = [
        {"$sample": {"size": _SAMPLE}},
        {"$match": undecided(asked)},
        {"$count": "n"},
    ]
    rows = await aggregate(db.profiles, stages)
    # Twice as many could be chance.
    return not rows or rows[0]["n"] * people <= 2 * few * _SAMPLE


async def _candidates(
    db: Database, asked: Question, limit: int
) -> tuple[list[ObjectId], int]:
    """Of whom the summary leaves it open, one more than `limit` of them at most, and
    how many events they have."""
    by_metric = {"input": {"$objectToArray": "$summary"}, "in": "$$this.v.n"}
    stages: list[Document] = [
        {"$match": undecided(asked)},
        {"$limit": limit + 1},
        {"$project": {"_id": 1, "n": {"$sum": {"$map": by_metric}}}},
    ]
    rows = await aggregate(db.profiles, stages, batch_size=limit + 2)
    return [row["_id"] for row in rows], sum(row["n"] for row in rows)
