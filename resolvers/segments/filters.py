"""Profiles that a definition means, in any order, some of them searched for."""

from datetime import datetime, tzinfo

from audience.conditions import Definition
from resolvers.db import MAX_NAMED, Database
from resolvers.id_reads import read_ids
from resolvers.pages import (
    Order,
    Page,
    PageRequest,
    read_page,
)
from resolvers.profiles import search_filter
from resolvers.segments.answers import settled
from resolvers.segments.checks import check_references
from resolvers.segments.first_members import first_page
from resolvers.segments.holding import found_page, held_page, name_of
from resolvers.segments.questions import looked_up, questions_of
from resolvers.segments.references import references_of


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
    many: int = MAX_NAMED,
) -> Page:
    """A page of the profiles; its scope is the question, for `count_members`.

    Where the events are asked, the ids come first, and whole profiles only for the
    page: those of the first profiles, where these are enough. Otherwise in between is
    what they are ordered by: up to `many` ids are read in that order, more are looked
    up.
    """
    name = name_of(definition, zone, order, search)
    metrics = await check_references(db, definition, path)
    references = await references_of(db, definition, metrics=metrics)
    (asked,) = questions_of([definition], now, zone, references, search_filter(search))
    if asked.match is not None:
        return await read_page(db.profiles, asked.match, order, page, scope=asked)
    held = await held_page(db, name, order, page, asked)
    if held is not None:
        return held
    if order.path == "_id":
        first = await first_page(db, name, order, page, asked)
        if first is not None:
            return first
    asked = await settled(db, asked)
    match, stages = asked.match, asked.stages
    if match is None and order.path != "_id":
        members = await read_ids(db.profiles, [*stages, {"$limit": many + 1}])
        if len(members) <= many:
            match = {"_id": {"$in": members}}
        else:
            stages = [*stages, *looked_up(order.path)]
    if match is not None:
        stages = [{"$match": match}]
    return await found_page(db, name, order, page, stages, asked)
