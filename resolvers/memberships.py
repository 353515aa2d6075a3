"""Reads what the keeper keeps: who is in a segment and since when, who was, how many,
and up to which instant that is true."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId

from resolvers.branches import united
from resolvers.db import Database, Document, aggregate, find, find_by
from resolvers.keeper.builds import is_built
from resolvers.keeper.shares import SHARES, share_rows
from resolvers.keeper.sides import shown_rows
from resolvers.pages import (
    Order,
    Page,
    PageRequest,
    keyset_filter,
    page_of,
)

BY_ID = Order("_id")
NOTHING: Document = {"$match": {"_id": {"$in": []}}}


@dataclass(frozen=True, slots=True)
class Freshness:
    """Up to which instant the kept membership is true; None before it was first
    built. While a changed definition's members are found, the old ones are shown,
    and `progress` says how far that is, from 0 to 1."""

    as_of: datetime | None
    is_building: bool
    progress: float


def is_kept(segment: Document) -> bool:
    """Whether there is a membership to show."""
    return "kept" in segment


async def kept_sizes(db: Database, segments: Sequence[Document]) -> list[int]:
    """How many members each segment shows; read, not counted, but for the few that
    are staged while a definition changes."""
    rows = await share_rows(db, [segment["_id"] for segment in segments])
    sizes = {
        segment["_id"]: sum(_entry(row, segment["_id"]).get("n", 0) for row in rows)
        for segment in segments
    }
    changing = [it for it in segments if is_kept(it) and _is_staging(it)]
    if changing:
        branches: list[list[Document]] = [
            [
                {"$match": {"segment_id": it["_id"], "staged": {"$in": ["IN", "OUT"]}}},
                {"$match": {"generation": {"$gt": it["kept"]["generation"]}}},
                {"$group": {"_id": {"s": "$segment_id", "k": "$staged"}, "n": _ONE}},
            ]
            for it in changing
        ]
        name = db.segment_members.name
        for row in await aggregate(db.segment_members, united(name, branches)):
            change = row["n"] if row["_id"]["k"] == "OUT" else -row["n"]
            sizes[row["_id"]["s"]] += change
    return [sizes[segment["_id"]] if is_kept(segment) else 0 for segment in segments]


async def kept_members(
    db: Database,
    segments: Sequence[Document],
    page: PageRequest,
    *,
    projection: Document | None = None,
) -> list[Page]:
    """A page of each segment's members, with the profile and since when, the longest
    known first; all in one command."""
    members = [_members_now(segment) for segment in segments]
    return await _member_pages(db, segments, page, members, projection)


async def past_members(
    db: Database,
    segments: Sequence[Document],
    at: datetime,
    page: PageRequest,
    *,
    projection: Document | None = None,
) -> list[Page]:
    """The same of those who were members at an instant and are known still: by what
    readers could see then, or see now of it."""
    members = [_members_at(db, segment, at) for segment in segments]
    return await _member_pages(db, segments, page, members, projection)


async def past_sizes(
    db: Database, segments: Sequence[Document], at: datetime
) -> list[int]:
    """How many members each segment had at an instant."""
    branches = [
        [
            *_members_at(db, segment, at),
            {"$group": {"_id": {"$literal": segment["_id"]}, "n": _ONE}},
        ]
        for segment in segments
    ]
    rows = await aggregate(
        db.segment_members, united(db.segment_members.name, branches)
    )
    found = {row["_id"]: int(row["n"]) for row in rows}
    return [found.get(segment["_id"], 0) for segment in segments]


async def freshness_of(db: Database, segments: Sequence[Document]) -> list[Freshness]:
    """How true each kept membership is."""
    rows = await share_rows(db, [segment["_id"] for segment in segments])
    everyone = 0
    if any(not is_kept(it) or _is_staging(it) for it in segments):
        everyone = await db.profiles.estimated_document_count()
    return [_freshness(segment, rows, everyone) for segment in segments]


async def segments_of_profiles(
    db: Database, profile_ids: Sequence[ObjectId], page: PageRequest
) -> list[Page]:
    """For each profile the segments that it is in, with `segment` and `entered_at`."""
    segments = {row["_id"]: row for row in await find(db.segments, {})}
    rows = await find(db.segment_members, {"profile_id": {"$in": list(profile_ids)}})
    found: dict[ObjectId, list[Document]] = {it: [] for it in profile_ids}
    for row in sorted(rows, key=lambda row: row["segment_id"]):
        segment = segments.get(row["segment_id"])
        if segment is not None and is_kept(segment) and _is_shown(row, segment):
            entry = {"_id": segment["_id"], "segment": segment}
            found[row["profile_id"]].append(entry | {"entered_at": row["entered_at"]})
    return [_page_among(found[it], page) for it in profile_ids]


def _page_among(rows: list[Document], page: PageRequest) -> Page:
    count = len(rows)
    after, before = _bounds(page)
    rows = [
        row
        for row in rows
        if (after is None or row["_id"] > after)
        and (before is None or row["_id"] < before)
    ]
    if page.backwards:
        rows.reverse()
    return page_of(rows[: page.size + 1], BY_ID, page, count)


def _bounds(page: PageRequest) -> tuple[ObjectId | None, ObjectId | None]:
    after = before = None
    narrowed = keyset_filter(BY_ID, page)
    for part in narrowed.get("$and", [narrowed]):
        after = part.get("_id", {}).get("$gt", after)
        before = part.get("_id", {}).get("$lt", before)
    return after, before


def _is_shown(row: Document, segment: Document) -> bool:
    shown: int = segment["kept"]["generation"]
    match row.get("staged"):
        case "IN":
            return bool(row["generation"] <= shown)
        case "OUT":
            return bool(row["generation"] > shown)
    return True


def _is_staging(segment: Document) -> bool:
    target: int = segment["target"]["generation"]
    return bool(segment["kept"]["generation"] != target)


def _entry(row: Document, segment_id: ObjectId) -> Document:
    entry: Document = row.get("segments", {}).get(str(segment_id), {})
    return entry


def _members_now(segment: Document) -> list[Document]:
    if not is_kept(segment):
        return [NOTHING]
    match: Document = {"segment_id": segment["_id"]}
    return [{"$match": match | shown_rows(segment["kept"]["generation"])}]


def _members_at(db: Database, segment: Document, at: datetime) -> list[Document]:
    """Members since then or earlier; and those who left later and were in then, which
    may not be logged yet."""
    if not is_kept(segment):
        return [NOTHING]
    shown: int = segment["kept"]["generation"]
    unsettled = {
        "staged": "OUT",
        "generation": {"$lte": shown},
        "left_at": {"$gt": at},
    }
    match = {
        "segment_id": segment["_id"],
        "entered_at": {"$lte": at},
        "$or": [*shown_rows(shown)["$or"], unsettled],
    }
    left = {
        "segment_id": segment["_id"],
        "at": {"$gt": at},
        "kind": "LEFT",
        "entered_at": {"$lte": at},
    }
    return [
        {"$match": match},
        {
            "$unionWith": {
                "coll": db.segment_changes.name,
                "pipeline": [{"$match": left}],
            }
        },
    ]


async def _member_pages(
    db: Database,
    segments: Sequence[Document],
    page: PageRequest,
    members: Sequence[list[Document]],
    projection: Document | None,
) -> list[Page]:
    after, before = _bounds(page)
    beyond: Document = {}
    if after is not None:
        beyond["$gt"] = after
    if before is not None:
        beyond["$lt"] = before
    direction = -1 if page.backwards else 1
    branches: list[list[Document]] = [
        [
            *stages,
            *([{"$match": {"profile_id": beyond}}] if beyond else []),
            {"$sort": {"profile_id": direction}},
            {"$limit": page.size + 1},
            {
                "$project": {
                    "_id": "$profile_id",
                    "entered_at": 1,
                    "segment_id": {"$literal": segment["_id"]},
                }
            },
        ]
        for segment, stages in zip(segments, members, strict=True)
    ]
    name = db.segment_members.name
    rows = await aggregate(db.segment_members, united(name, branches))
    wanted = list({row["_id"] for row in rows})
    profiles = await find_by(db, db.profiles, "_id", wanted, projection)
    found: dict[ObjectId, list[Document]] = {it["_id"]: [] for it in segments}
    for row in rows:
        found[row["segment_id"]].append(row)
    pages = [page_of(found[it["_id"]], BY_ID, page, scope=it) for it in segments]
    for each in pages:
        _with_profiles(each, profiles)
    return pages


def _with_profiles(page: Page, profiles: Mapping[ObjectId, Document]) -> None:
    """Whoever is gone meanwhile is left out."""
    page.rows = [
        {**row, "profile": profiles[row["_id"]]}
        for row in page.rows
        if row["_id"] in profiles
    ]


def _freshness(segment: Document, rows: Sequence[Document], everyone: int) -> Freshness:
    target = segment.get("target")
    entries = [_entry(row, segment["_id"]) for row in rows]
    if target is None or target["version"] != segment["version"]:
        as_of = segment["updated_at"] if is_kept(segment) else None
        return Freshness(as_of, is_building=True, progress=0.0)
    if not is_kept(segment) or _is_staging(segment):
        # Upkeep works for the new definition: the old one was true until it came.
        as_of = target["at"] if is_kept(segment) else None
        parts = [_built(entry, target["generation"], everyone) for entry in entries]
        return Freshness(as_of, is_building=True, progress=sum(parts) / SHARES)
    instants: list[Any] = [row.get("at") for row in rows]
    if segment["kept"]["moves"]:
        instants += [entry.get("t") for entry in entries]
    # Where everybody is being looked through again, it was true until then.
    instants += [it.get("from") for it in entries if it.get("scan") is not None]
    as_of = None if None in instants or not instants else min(instants)
    return Freshness(as_of, is_building=False, progress=1.0)


def _built(entry: Document, generation: int, everyone: int) -> float:
    if entry.get("g") != generation:
        return 0.0
    if is_built(entry, generation):
        return 1.0
    seen: int = entry.get("seen", 0)
    return min(1.0, seen / max(1, everyone))


_ONE: Any = {"$sum": 1}
