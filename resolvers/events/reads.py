"""Events in pages: of everyone, or of many profiles at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import bson
from bson import ObjectId

from resolvers.db import Database, Document, aggregate, find, zoneless
from resolvers.ids import object_id
from resolvers.metrics import metrics_by_name
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

NEWEST_FIRST = Order("timestamp", -1, always_there=True)


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events: of one of the metrics, from `since` on, before `until`, with a
    value between the two, both included. What is None does not matter."""

    metric_ids: Sequence[str | ObjectId] | None = None
    metric_names: Sequence[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    min_value: float | None = None
    max_value: float | None = None


EVERY_EVENT = EventFilter()


async def events_by_id(
    db: Database, ids: Sequence[str | ObjectId]
) -> list[Document | None]:
    """One slot per id, in order."""
    wanted = [object_id(one) for one in ids]
    found = {row["_id"]: row for row in await find(db.events, {"_id": {"$in": wanted}})}
    return [found.get(one) for one in wanted]


async def event_page(
    db: Database,
    page: PageRequest,
    filter: EventFilter = EVERY_EVENT,
    *,
    projection: Document | None = None,
) -> Page:
    """Events of everyone, newest first. The page's scope counts them through
    `count_events`. A `projection` has the timestamp."""
    match = await _match(db, filter)
    return await read_page(
        db.events, match, NEWEST_FIRST, page, projection=projection, scope=filter
    )


async def count_events(db: Database, filter: EventFilter = EVERY_EVENT) -> int:
    """How many events the filter lets through."""
    match = await _match(db, filter)
    if not match:
        return await db.events.count_documents({}, hint="_id_")
    return await db.events.count_documents(match)


async def events_of_profiles(
    db: Database,
    profile_ids: Sequence[str | ObjectId],
    page: PageRequest,
    filter: EventFilter = EVERY_EVENT,
    *,
    projection: Document | None = None,
) -> list[Page]:
    """A page of each profile's events, newest first, in order: one command for all of
    them, which reads no more of a long history than of a short one. A `projection`
    has the timestamp; without the properties, times are in UTC and do not say so."""
    wanted = [object_id(one) for one in profile_ids]
    narrowed = both(await _match(db, filter), keyset_filter(NEWEST_FIRST, page))
    stages: list[Document] = [
        {"$match": narrowed},
        {"$sort": sort_of(NEWEST_FIRST, page)},
        {"$limit": page.size + 1},
    ]
    is_small = projection is not None and not any(
        path.partition(".")[0] == "properties" for path in projection
    )
    if projection is not None:
        owned = {} if is_small else {"profile_id": 1}
        stages.append({"$project": projection | owned})
    look_up: Document = {
        "$lookup": {
            "from": db.events.name,
            "localField": "_id",
            "foreignField": "profile_id",
            "pipeline": stages,
            "as": "events",
        }
    }

    async def read(ids: list[ObjectId]) -> dict[ObjectId, list[Document]]:
        found: dict[ObjectId, list[Document]] = {one: [] for one in ids}
        pipeline: list[Document] = [
            {"$match": {"_id": {"$in": ids}}},
            {"$project": {"_id": 1}},
            look_up,
        ]
        if is_small:
            people, most = zoneless(db.profiles), len(ids) + 1
            for row in await aggregate(people, pipeline, batch_size=most):
                found[row["_id"]] = row["events"]
            return found
        # Unwound at once, so that no document ever holds all events of a page.
        pipeline += [
            {"$unwind": "$events"},
            {"$replaceRoot": {"newRoot": "$events"}},
        ]
        places = {one.binary: events for one, events in found.items()}
        most = len(ids) * (page.size + 1) + 1
        for event in await aggregate(db.profiles, pipeline, batch_size=most):
            places[event["profile_id"].binary].append(event)
        return found

    found = await db.gathering.read(bson.encode(look_up), wanted, read)
    return [page_of(found[one], NEWEST_FIRST, page, (one, filter)) for one in wanted]


async def event_counts_of_profiles(
    db: Database,
    profile_ids: Sequence[str | ObjectId],
    filter: EventFilter = EVERY_EVENT,
) -> list[int]:
    """How many events of each profile the filter lets through, in order."""
    wanted = [object_id(one) for one in profile_ids]
    if filter == EVERY_EVENT:
        rows = await find(db.profiles, {"_id": {"$in": wanted}}, {"summary": 1})
        counts = {
            row["_id"]: sum(metric["n"] for metric in row.get("summary", {}).values())
            for row in rows
        }
    else:
        match = {"profile_id": {"$in": wanted}, **await _match(db, filter)}
        group = {"_id": "$profile_id", "count": {"$sum": 1}}
        rows = await aggregate(db.events, [{"$match": match}, {"$group": group}])
        counts = {row["_id"]: row["count"] for row in rows}
    return [counts.get(one, 0) for one in wanted]


async def _match(db: Database, filter: EventFilter) -> Document:
    match: Document = {}
    metrics: set[ObjectId] | None = None
    if filter.metric_ids is not None:
        metrics = {
            object_id(one, ("filter", "metricIds", str(n)))
            for n, one in enumerate(filter.metric_ids)
        }
    if filter.metric_names is not None:
        rows = await metrics_by_name(db, filter.metric_names)
        named = {row["_id"] for row in rows if row is not None}
        metrics = named if metrics is None else metrics & named
    if metrics is not None:
        match["metric_id"] = {"$in": list(metrics)}
    times = {"$gte": filter.since, "$lt": filter.until}
    values = {"$gte": filter.min_value, "$lte": filter.max_value}
    for path, bounds in (("timestamp", times), ("value", values)):
        given = {name: bound for name, bound in bounds.items() if bound is not None}
        if given:
            match[path] = given
    return match
