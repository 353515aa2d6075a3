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
from resolvers.segments.holding import new_page
from resolvers.segments.sets import read_sets_of

LOOKED_AT = 500
"""Profiles that are looked at first."""

MOST = 4_000
"""Profiles that are looked at after them, where the first have shown that as many will
do."""


async def first_page(
    db: Database, name: str, order: Order, page: PageRequest, asked: Question
) -> Page | None:
    """The page in an order by ids, from the first members; None when these are too
    rare."""
    beyond, direction = keyset_filter(order, page), sort_of(order, page)["_id"]
    first = await first_members(db, asked, beyond, direction, page.size + 1)
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
    looked_at: int = LOOKED_AT,
) -> tuple[list[ObjectId], bool] | None:
    """At least so many members that pass `beyond`, in the order of their ids, and
    whether they are all; None when they are too rare."""
    found: list[ObjectId] = []
    size = looked_at
    for again in (True, False):
        ids = await _next(db, beyond, direction, size)
        if ids:
            found += await _members(db, asked, ids, direction)
        is_all = len(ids) < size
        if is_all or len(found) >= wanted:
            return found, is_all
        if again:
            # Half as many again, for chance.
            size = looked_at * 3 * (wanted - len(found)) // (2 * max(len(found), 1))
            if size > MOST:
                return None
            ahead = {"_id": {"$gt" if direction > 0 else "$lt": ids[-1]}}
            beyond = both(beyond, ahead)
    return None


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
