"""The stored segments: their names and definitions."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import bson
from bson import ObjectId
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from audience.conditions import Definition, limits, parse, to_json
from audience.conditions.walking import event_properties_of
from audience.errors import LimitReached, NotAllowed, NotFound, Taken, TooLarge
from audience.lists import check_name, name_key
from resolvers.db import Database, Document, Session, find, find_by, transaction
from resolvers.ids import object_id
from resolvers.pages import Order, Page, PageRequest, read_page
from resolvers.segments.checks import check_dependants, check_references
from resolvers.segments.references import (
    read_id,
    referred_segments,
    segment_ids_of,
)

MAX_SEGMENTS = 1_000
KEPT_VERSIONS = 10
BY_NAME = Order("name_key", always_there=True)

_WITHOUT_VERSIONS: Document = {"versions": 0}


async def segments_by_id(
    db: Database, ids: Sequence[str | ObjectId]
) -> list[Document | None]:
    """One slot per id, in order."""
    wanted = [object_id(one) for one in ids]
    found = await find_by(db, db.segments, "_id", wanted, _WITHOUT_VERSIONS)
    return [found.get(one) for one in wanted]


async def segment_page(
    db: Database, page: PageRequest, *, search: str | None = None
) -> Page:
    """Segments by name; with `search`, those whose name contains it."""
    match = _matching(search)
    return await read_page(
        db.segments,
        match,
        BY_NAME,
        page,
        projection=_WITHOUT_VERSIONS,
        scope=match,
    )


async def count_segments(db: Database, *, search: str | None = None) -> int:
    """How many segments `segment_page` leads through."""
    return await db.segments.count_documents(_matching(search))


async def create_segment(
    db: Database,
    name: str,
    definition: Mapping[str, Any],
    *,
    now: datetime,
    is_starred: bool = False,
    by: str | None = None,
) -> Document:
    """A new segment, made `by` whoever. Taken when the name is, whatever its case;
    otherwise an error with everything that is wrong with the definition."""
    shown = check_name(name)
    parsed = parse(definition, ("definition",))
    made: Document = {
        "_id": ObjectId(),
        "name": shown,
        "name_key": name_key(shown),
        "definition": _stored(parsed),
        "refers_to": [],
        "event_properties": sorted(event_properties_of(parsed)),
        "is_starred": is_starred,
        "version": 1,
        "created_at": now,
        "updated_at": now,
    }
    kept = [_version(made["definition"], now, by)]
    if await db.segments.count_documents({}) >= MAX_SEGMENTS:
        raise LimitReached(
            f"An account has at most {MAX_SEGMENTS:,} segments; delete one first."
        )

    async def insert(session: Session | None) -> None:
        await check_references(db, parsed, ("definition",), session=session)
        made["refers_to"] = await _hold_referred(db, parsed, now, session)
        try:
            await db.segments.insert_one({**made, "versions": kept}, session=session)
        except DuplicateKeyError:
            raise _taken(shown) from None

    if segment_ids_of(parsed):
        await transaction(db, insert)
    else:
        await insert(None)
    return made


async def update_segment(
    db: Database,
    segment_id: str | ObjectId,
    *,
    now: datetime,
    name: str | None = None,
    definition: Mapping[str, Any] | None = None,
    is_starred: bool | None = None,
    by: str | None = None,
) -> Document:
    """The segment after the change; what is None stays as it is. The definition that
    is in force makes no new version. `by`: who changes the definition."""
    wanted = object_id(segment_id)
    changes: Document = {"updated_at": now}
    if name is not None:
        shown = check_name(name)
        changes |= {"name": shown, "name_key": name_key(shown)}
    if is_starred is not None:
        changes["is_starred"] = is_starred
    parsed = None
    if definition is not None:
        parsed = parse(definition, ("definition",))
        changes["definition"] = _stored(parsed)
        changes["event_properties"] = sorted(event_properties_of(parsed))

    async def is_in_force(session: Session | None) -> bool:
        wanted_row = {"_id": wanted, "definition": changes["definition"]}
        found = await db.segments.find_one(wanted_row, {"_id": 1}, session=session)
        return found is not None

    async def change(session: Session | None) -> Document:
        update: Document = {"$set": changes}
        if parsed is not None:
            await check_references(
                db, parsed, ("definition",), segment_id=wanted, session=session
            )
            changes["refers_to"] = await _hold_referred(db, parsed, now, session)
        if parsed is not None and not await is_in_force(session):
            update["$inc"] = {"version": 1}
            newest = [_version(changes["definition"], now, by)]
            update["$push"] = {
                "versions": {"$each": newest, "$position": 0, "$slice": KEPT_VERSIONS}
            }
        try:
            changed = await db.segments.find_one_and_update(
                {"_id": wanted},
                update,
                _WITHOUT_VERSIONS,
                return_document=ReturnDocument.AFTER,
                session=session,
            )
        except DuplicateKeyError:
            raise _taken(changes["name"]) from None
        if changed is None:
            raise _no_such()
        if parsed is not None:
            await check_dependants(db, wanted, session)
        return changed

    if parsed is not None:
        return await transaction(db, change)
    return await change(None)


async def delete_segment(db: Database, segment_id: str | ObjectId) -> ObjectId:
    """The id of the segment that is no more. NotAllowed while others refer to it."""
    wanted = object_id(segment_id)

    async def delete(session: Session) -> ObjectId:
        rows = await find(
            db.segments, {"refers_to": wanted}, {"name": 1}, limit=5, session=session
        )
        if rows:
            names = ", ".join(repr(row["name"]) for row in rows)
            raise NotAllowed(
                f"Other segments refer to this one: {names}. Change them first.",
                ("id",),
            )
        deleted = await db.segments.delete_one({"_id": wanted}, session=session)
        if not deleted.deleted_count:
            raise _no_such()
        return wanted

    return await transaction(db, delete)


async def versions_of(
    db: Database, ids: Sequence[ObjectId]
) -> dict[ObjectId, list[Document]]:
    """For each segment its newest definitions, at most 10, the one in force first:
    `version`, `definition`, `at` and, where it is known, `by`."""
    wanted = {"version": 1, "versions": 1}
    rows = await find(db.segments, {"_id": {"$in": list(ids)}}, wanted)
    found: dict[ObjectId, list[Document]] = {it: [] for it in ids}
    for row in rows:
        found[row["_id"]] = [
            {**each, "version": row["version"] - ago}
            for ago, each in enumerate(row.get("versions", []))
        ]
    return found


async def dependants(
    db: Database, ids: Sequence[ObjectId]
) -> dict[ObjectId, list[Document]]:
    """For each segment those whose definitions name it, by name."""
    rows = await find(
        db.segments,
        {"refers_to": {"$in": list(ids)}},
        _WITHOUT_VERSIONS,
        sort={"name_key": 1},
    )
    return {it: [row for row in rows if it in row["refers_to"]] for it in ids}


async def _hold_referred(
    db: Database, definition: Definition, now: datetime, session: Session | None
) -> list[ObjectId]:
    """The segments that the definition names. They and all that they refer to are
    written to, so that nobody deletes or changes them at the same time."""
    if session is None:
        return []
    reached = await referred_segments(db, [definition], session)
    ids = {read_id(name, "seg_") for name in reached}
    await db.segments.update_many(
        {"_id": {"$in": list(ids)}}, {"$set": {"referred_at": now}}, session=session
    )
    named = {read_id(name, "seg_") for name in segment_ids_of(definition)}
    return [it for it in named if it is not None]


def _stored(definition: Definition) -> Document:
    written = to_json(definition)
    if len(bson.encode(written)) > limits.BYTES:
        raise TooLarge(
            f"A definition that is kept has at most {limits.BYTES:,} bytes.",
            ("definition",),
        )
    return written


def _version(definition: Document, now: datetime, by: str | None) -> Document:
    version: Document = {"definition": definition, "at": now}
    return version if by is None else {**version, "by": by}


def _matching(search: str | None) -> Document:
    if not search:
        return {}
    return {"name_key": {"$regex": re.escape(name_key(search))}}


def _taken(name: str) -> Taken:
    return Taken(f"Another segment is called {name!r}.", ("name",))


def _no_such() -> NotFound:
    return NotFound("There is no such segment.", ("id",))
