"""The first members of a question that the events have to answer, without asking about
everybody: profiles are looked through in their order until there are enough members.
Where members are rare that takes longer than to find them all, so it is given up soon.
"""

from bson import ObjectId

from resolvers.db import Database, Document
from resolvers.id_reads import read_ids
from resolvers.pages import Order, Page, PageRequest, both, keyset_filter, sort_of
from resolvers.pipelines import Question
from resolvers.pipelines.steps import by_profiles, open_facts, undecided
from resolvers.segments.estimates import best_way, cost_of_one, sample_events
from resolvers.segments.holding import new_page
from resolvers.segments.sets import read_sets_of

AT_FIRST = 3
"""Profiles that are looked at first, for each member that is wanted."""

SHARE = 2.0
"""What may be spent, as it is expected, of what it costs to find all members: to look
at some profiles takes a third to all of what is expected."""


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
    first, then as many as will do by those, `most` in all."""
    found: list[ObjectId] = []
    left = most
    while 0 < size <= left:
        ids = await _next(db, beyond, direction, size)
        if ids:
            found += await _members(db, asked, ids, direction)
        is_all = len(ids) < size
        if is_all or len(found) >= wanted:
            return found, is_all
        left -= size
        # Half as many again, for chance; of few little is to be learnt.
        looked_at, lacking = most - left, wanted - len(found)
        needed = looked_at * 3 * lacking // (2 * max(len(found), 1))
        if needed > 2 * left:
            break
        size = min(needed, 4 * looked_at, left)
        ahead = {"_id": {"$gt" if direction > 0 else "$lt": ids[-1]}}
        beyond = both(beyond, ahead)
    return None


async def _worth_looking_at(db: Database, asked: Question) -> int:
    """How many profiles may be looked at before it is better to find all members."""
    facts = open_facts(asked)
    sample = await sample_events(db)
    people = await db.profiles.estimated_document_count()
    cost = sum(best_way(sample, fact).cost for fact in facts)
    return int(SHARE * cost / cost_of_one(sample, facts, people))


async def _next(
    db: Database, beyond: Document, direction: int, size: int
) -> list[ObjectId]:
    match = [{"$match": beyond}] if beyond else []
    stages: list[Document] = [*match, {"$sort": {"_id": direction}}, {"$limit": size}]
    return await read_ids(db.profiles, stages)


async def _members(
    db: Database, asked: Question, ids: list[ObjectId], direction: int
) -> list[ObjectId]:
    span = {"_id": {"$gte": min(ids[0], ids[-1]), "$lte": max(ids[0], ids[-1])}}
    mine = [{"$match": both(span, undecided(asked))}]
    candidates = await read_ids(db.profiles, mine)
    sets = await read_sets_of(db, open_facts(asked), candidates, len(candidates))
    answer = by_profiles(asked, candidates, sets)
    return await read_ids(
        db.profiles,
        [{"$match": both(span, answer.match or {})}, {"$sort": {"_id": direction}}],
    )
