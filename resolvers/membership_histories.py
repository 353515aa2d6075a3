"""Reads who entered segments and who left them, and how their sizes went."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bson import ObjectId

from resolvers.branches import united
from resolvers.db import Database, Document, aggregate
from resolvers.memberships import NOTHING, is_kept, kept_sizes
from resolvers.pages import (
    Order,
    Page,
    PageRequest,
    both,
    keyset_filter,
    page_of,
    sort_of,
)

NEWEST_FIRST = Order("at", -1)


@dataclass(frozen=True, slots=True)
class Point:
    """How many members there were at an instant."""

    at: datetime
    size: int


async def change_pages(
    db: Database, segments: Sequence[Document], page: PageRequest
) -> list[Page]:
    """For each segment who entered and who left, newest first."""
    beyond = keyset_filter(NEWEST_FIRST, page)
    branches: list[list[Document]] = [
        [
            {"$match": both({"segment_id": segment["_id"]}, beyond)},
            {"$sort": sort_of(NEWEST_FIRST, page)},
            {"$limit": page.size + 1},
        ]
        for segment in segments
    ]
    found: dict[ObjectId, list[Document]] = {it["_id"]: [] for it in segments}
    name = db.segment_changes.name
    for row in await aggregate(db.segment_changes, united(name, branches)):
        found[row["segment_id"]].append(row)
    return [page_of(found[it["_id"]], NEWEST_FIRST, page, it["_id"]) for it in segments]


async def change_counts(db: Database, ids: Sequence[ObjectId]) -> list[int]:
    """How many lines each segment's history has."""
    rows = await aggregate(
        db.segment_changes,
        [
            {"$match": {"segment_id": {"$in": list(ids)}}},
            {"$group": {"_id": "$segment_id", "n": {"$sum": 1}}},
        ],
    )
    counts = {row["_id"]: row["n"] for row in rows}
    return [counts.get(it, 0) for it in ids]


async def size_histories(
    db: Database, segments: Sequence[Document], instants: Sequence[datetime]
) -> list[list[Point]]:
    """How many members each segment had at each of the instants, which ascend."""
    sizes = await kept_sizes(db, segments)
    if not instants:
        return [[] for _ in segments]
    # A change counts from its instant on, so a bucket begins just after a point.
    tick = timedelta(milliseconds=1)
    bounds = [*(at + tick for at in instants), _NEVER]
    branches: list[list[Document]] = [
        [
            *_moves_since(db, segment, instants[0]),
            {
                "$bucket": {
                    "groupBy": "$at",
                    "boundaries": bounds,
                    "output": {"change": {"$sum": "$change"}},
                }
            },
            {"$addFields": {"segment": segment["_id"]}},
        ]
        for segment in segments
    ]
    name = db.segment_changes.name
    rows = await aggregate(db.segment_changes, united(name, branches))
    numbers = {bound: number for number, bound in enumerate(bounds)}
    changes = {(row["segment"], numbers[row["_id"]]): row["change"] for row in rows}
    answers: list[list[Point]] = []
    for segment, size in zip(segments, sizes, strict=True):
        points: list[Point] = []
        for number in reversed(range(len(instants))):
            size -= changes.get((segment["_id"], number), 0)
            points.append(Point(instants[number], size))
        answers.append(points[::-1])
    return answers


def _moves_since(db: Database, segment: Document, at: datetime) -> list[Document]:
    """Who entered and left later, as `at` and `change`: what is logged, and what is
    shown and not logged yet. Nobody of a segment that is built for the first time."""
    if not is_kept(segment):
        return [NOTHING]
    changes: list[Document] = [
        {"$match": {"segment_id": segment["_id"], "at": {"$gt": at}}},
        {"$project": {"at": 1, "change": _CHANGE}},
    ]
    unsettled: list[Document] = [
        {
            "$match": {
                "segment_id": segment["_id"],
                "staged": {"$in": ["IN", "OUT"]},
                "generation": {"$lte": segment["kept"]["generation"]},
            }
        },
        {
            "$project": {
                "at": {"$ifNull": ["$left_at", "$entered_at"]},
                "change": {"$cond": [{"$eq": ["$staged", "IN"]}, 1, -1]},
            }
        },
        {"$match": {"at": {"$gt": at}}},
    ]
    coll = db.segment_members.name
    return [*changes, {"$unionWith": {"coll": coll, "pipeline": unsettled}}]


_NEVER = datetime(9999, 1, 1, tzinfo=UTC)
_CHANGE: Document = {"$cond": [{"$eq": ["$kind", "ENTERED"]}, 1, -1]}
