"""Profiles by id, by identifier, and in pages."""

import re
from collections.abc import Sequence

from bson import ObjectId

from audience.identity import Identity
from audience.profiles import search_terms
from resolvers.db import Database, Document, aggregate, find, find_by, zoneless
from resolvers.ids import object_id
from resolvers.pages import (
    Order,
    Page,
    PageRequest,
    both,
    keyset_filter,
    page_of,
    read_page,
    sort_of,
)

NEWEST_FIRST = Order("_id", -1)
IDENTIFIERS = ("external_id", "email", "phone_number", "anonymous_ids")


async def profiles_by_id(
    db: Database,
    ids: Sequence[str | ObjectId],
    *,
    projection: Document | None = None,
) -> list[Document | None]:
    """One slot per id, in order. The id of a merged profile finds the one into which
    it was merged."""
    wanted = [object_id(one) for one in ids]
    found = await find_by(db, db.profiles, "_id", wanted, projection)
    missing = {one for one in wanted if one not in found}
    if missing:
        found = dict(found)
        followed = projection and {**projection, "merged_ids": 1}
        rows = await find(db.profiles, having("merged_ids", list(missing)), followed)
        for row in rows:
            found |= {former: row for former in row["merged_ids"] if former in missing}
    return [found.get(one) for one in wanted]


async def profile_by(
    db: Database, identity: Identity, *, projection: Document | None = None
) -> Document | None:
    """The profile that has every identifier given, or None."""
    if projection is not None:
        projection = projection | dict.fromkeys(IDENTIFIERS, 1)
    if identity.id is not None:
        (profile,) = await profiles_by_id(db, [identity.id], projection=projection)
    else:
        field, value = next(
            identity.known(), ("anonymous_ids", identity.anonymous_id or "")
        )
        if field == "anonymous_ids":
            profile = await db.profiles.find_one({field: value}, projection)
        else:
            found = await find_by(db, db.profiles, field, [value], projection)
            profile = found.get(value)
    if profile is None:
        return None
    is_theirs = all(profile.get(field) == value for field, value in identity.known())
    anonymous = identity.anonymous_id
    is_theirs &= anonymous is None or anonymous in profile.get("anonymous_ids", ())
    return profile if is_theirs else None


async def profile_page(
    db: Database,
    page: PageRequest,
    *,
    match: Document | None = None,
    stages: Sequence[Document] = (),
    search: str | None = None,
    order: Order = NEWEST_FIRST,
    projection: Document | None = None,
) -> Page:
    """Profiles that `match`, come out of `stages` (aggregation stages put first), and
    have words beginning with each of the words of `search`. The page's scope counts
    them through `count_profiles(db, **scope)`. With a `projection` times are in UTC and
    do not say so."""
    scope = {"match": match, "stages": stages, "search": search}
    wanted = both(match or {}, search_filter(search))
    people = db.profiles if projection is None else zoneless(db.profiles)
    if not stages:
        return await read_page(
            people, wanted, order, page, projection=projection, scope=scope
        )
    pipeline: list[Document] = list(stages)
    narrowed = both(wanted, keyset_filter(order, page))
    if narrowed:
        pipeline.append({"$match": narrowed})
    pipeline += [{"$sort": sort_of(order, page)}, {"$limit": page.size + 1}]
    if projection is not None:
        pipeline.append({"$project": projection})
    return page_of(await aggregate(people, pipeline), order, page, scope)


async def count_profiles(
    db: Database,
    *,
    match: Document | None = None,
    stages: Sequence[Document] = (),
    search: str | None = None,
) -> int:
    """How many profiles `profile_page` would go through."""
    wanted = both(match or {}, search_filter(search))
    if not stages:
        if not wanted:
            return await db.profiles.count_documents({}, hint="_id_")
        return await db.profiles.count_documents(wanted)
    pipeline = [*stages, {"$match": wanted}, {"$count": "count"}]
    rows = await aggregate(db.profiles, pipeline)
    return int(rows[0]["count"]) if rows else 0


def search_filter(search: str | None) -> Document:
    """Profiles with words beginning with each of the words searched for."""
    terms = search_terms(search or "")
    # Anchored and escaped, so that each is a range of the index.
    return both(*({"search": {"$regex": f"^{re.escape(term)}"}} for term in terms))


def having(field: str, values: Sequence[str | ObjectId]) -> Document:
    """Profiles whose `field` is one of the values."""
    return {field: {"$in": list(values)}}
