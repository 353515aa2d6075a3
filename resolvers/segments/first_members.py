"""The first members of a question that the events have to answer, without asking about
everybody: profiles are looked through in their order until there are enough members.
Where members are rare that takes longer than to find them all, so it is given up soon.
"""

from collections.abc import Sequence

from bson import ObjectId

from resolvers.db import Database, Document
from resolvers.id_reads import read_ids
from resolvers.pages import Order, Page, PageRequest, both, keyset_filter, sort_of
from resolvers.pipelines import Question
from resolvers.pipelines.steps import (
    by_profiles,
    open_facts,
    possible_members,
    undecided,
)
from resolvers.segments.estimates import best_way, cost_of_one, sample_events
from resolvers.segments.holding import new_page
from resolvers.segments.sets import read_sets_of

AT_FIRST = 3
"""Profiles that are looked at first, for each member that is wanted."""

AT_ONCE = 100_000
"""Profiles that are looked at together at most: filters name who is left of them."""

SHARE = 0.7
"""What may be spent, as it is expected, of what it costs to find all members."""

LEAST = 0.2
"""Microseconds, for each profile there is, that to find all members costs at least: a
sample of events may have none that are looked at."""

TELLING = 1.0
"""Microseconds to bring together all members, for each that there may be."""

GLANCE = 0.1
"""What it takes to look at a profile, of what it takes to read somebody's events."""


async def first_page(
    db: Database, name: str, order: Order, page: PageRequest, asked: Question
) -> Page | None:
    """The page in an order by ids, from the first members; None when these are too
    rare."""
    beyond, direction = keyset_filter(order, page), sort_of(order, page)["_id"]
    wanted = page.size + 1
    first = await first_members(
        db,
        asked,
        beyond,
        direction,
        wanted,
        size=AT_FIRST * wanted,
        most=await _worth_looking_at(db, asked),
    )
    if first is None:
        return None
    ids, are_all = first
    return await new_page(db, name, order, page, ids, asked, are_all=are_all)


async def first_members(
    db: Database,
    asked: Question,
    beyond: Document,
    direction: int,
    wanted: int,
    *,
    size: int,
    most: int,
) -> tuple[list[ObjectId], bool] | None:
    """At least so many members that pass `beyond`, in the order of their ids, and
    whether they are all; None when they are too rare. `size` profiles are looked at
    first, then as many as will do by those, and no fewer than so far. `most` is what
    may be spent: to read the events of one is 1, to look at a profile `GLANCE`."""
    found: list[ObjectId] = []
    looked_at = histories = rounds = 0
    while size > 0 and (looked_at + size) * GLANCE <= most:
        ids = await _next(db, beyond, direction, size)
        possible, unsure = await _possible(db, asked, ids)
        looked_at += len(ids)
        histories += len(unsure)
        rounds += 1
        left = most - looked_at * GLANCE - histories
        if left < 0:
            break
        found += await _members(db, asked, possible, unsure, direction)
        is_all = len(ids) < size
        if is_all or len(found) >= wanted:
            return found, is_all
        if rounds > 1 and not found and not histories:
            break  # rather the few who may be are looked for
        # Half as many again, for chance; of few little is to be learnt.
        needed = looked_at * 3 * (wanted - len(found)) // (2 * max(len(found), 1))
        needed = max(needed, looked_at)
        each = GLANCE + histories / looked_at
        if needed * each > 2 * left:
            break
        size = min(needed, 4 * looked_at, int(left / each), AT_ONCE)
        ahead = {"_id": {"$gt" if direction > 0 else "$lt": ids[-1]}}
        beyond = both(beyond, ahead)
    return None


async def _worth_looking_at(db: Database, asked: Question) -> int:
    """Of how many the events may be read before it is better to find all members."""
    facts = open_facts(asked)
    sample = await sample_events(db)
    people = await db.profiles.estimated_document_count()
    cost = 0.0
    for fact in facts:
        way = best_way(sample, fact)
        cost += way.cost + TELLING * min(people, sample.of(fact, way.by))
    cost = max(cost, LEAST * people)
    return int(SHARE * cost / cost_of_one(sample, facts, people))


async def _next(
    db: Database, beyond: Document, direction: int, size: int
) -> list[ObjectId]:
    match = [{"$match": beyond}] if beyond else []
    stages: list[Document] = [*match, {"$sort": {"_id": direction}}, {"$limit": size}]
    return await read_ids(db.profiles, stages)


async def _possible(
    db: Database, asked: Question, ids: Sequence[ObjectId]
) -> tuple[list[ObjectId], list[ObjectId]]:
    """Those of the profiles, which follow each other, who may be members, and those of
    whom only the events tell."""
    if not ids:
        return [], []
    span = {"_id": {"$gte": min(ids[0], ids[-1]), "$lte": max(ids[0], ids[-1])}}
    match = {"$match": both(span, possible_members(asked))}
    possible = await read_ids(db.profiles, [match])
    if not possible:
        return [], []
    match = {"$match": both({"_id": {"$in": possible}}, undecided(asked))}
    return possible, await read_ids(db.profiles, [match])


async def _members(
    db: Database,
    asked: Question,
    possible: Sequence[ObjectId],
    unsure: Sequence[ObjectId],
    direction: int,
) -> list[ObjectId]:
    if not possible:
        return []
    sets = await read_sets_of(db, open_facts(asked), unsure, len(unsure))
    answer = by_profiles(asked, unsure, sets)
    match = {"$match": both({"_id": {"$in": possible}}, answer.match or {})}
    return await read_ids(db.profiles, [match, {"$sort": {"_id": direction}}])
