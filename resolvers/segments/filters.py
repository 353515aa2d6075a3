"""Profiles that a definition means, in any order, some of them searched for."""

from datetime import datetime, tzinfo

from audience.conditions import Definition
from resolvers.db import Database, aggregate
from resolvers.pages import (
    Order,
    Page,
    PageRequest,
    keyset_filter,
    page_of,
    read_page,
    sort_of,
)
from resolvers.profiles import search_filter
from resolvers.segments.answers import settled
from resolvers.segments.questions import looked_up, present, questions_of
from resolvers.segments.references import check_references, references_of

MANY = 100_000  # ids that one command may name: two megabytes


async def filtered_profiles(
    db: Database,
    definition: Definition,
    page: PageRequest,
    now: datetime,
    zone: tzinfo,
    *,
    order: Order,
    search: str | None = None,
    path: tuple[str, ...] = ("filter",),
    many: int = MANY,
) -> Page:
    """A page of the profiles; its scope is the question, for `count_members`.

    The ids come first, and whole profiles only for the page. In between is what they
    are ordered by: up to `many` ids are read in that order, more are looked up.
    """
    await check_references(db, definition, path)
    references = await references_of(db, definition)
    (asked,) = questions_of([definition], now, zone, references, search_filter(search))
    asked = await settled(db, asked)
    if asked.match is not None:
        return await read_page(db.profiles, asked.match, order, page, scope=asked)
    stages = asked.stages
    if order.path != "_id":
        rows = await aggregate(db.profiles, [*stages, {"$limit": many + 1}])
        if len(rows) <= many:
            among = {"_id": {"$in": [row["_id"] for row in rows]}}
            return await read_page(db.profiles, among, order, page, scope=asked)
        stages = [*stages, *looked_up(order.path)]
    beyond = keyset_filter(order, page)
    stages = [*stages, *([{"$match": beyond}] if beyond else [])]
    stages += [{"$sort": sort_of(order, page)}, {"$limit": page.size + 1}]
    rows = await aggregate(db.profiles, [*stages, *looked_up()])
    return present(page_of(rows, order, page, asked))
