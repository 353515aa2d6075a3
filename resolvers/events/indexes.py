"""Indexes on properties of events: of those that most stored segments ask for.

A document in `event_indexes` says that an index can be used; it is written when the
index is made and goes before the index does. Who used it in between is told by
MongoDB, and asks without. Several processes may look after them at the same time.
"""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import OperationFailure

from audience.conditions import parse
from audience.conditions.walking import event_properties_of
from audience.errors import AudienceError
from audience.plan.tree import Field
from resolvers.db import (
    Database,
    Document,
    aggregate,
    find,
    kill_sessions,
    session_id,
    started_session,
)

UNWANTED_FOR = timedelta(hours=1)
"""How long an index stays that no segment wants: to make it again takes long."""

_NAME = "property:"
_KNOWN_FOR = 10  # seconds
_RECENT = "event indexes"


async def indexed_properties(db: Database) -> frozenset[Field]:
    """The properties of events whose indexes can be used."""

    async def read() -> frozenset[Field]:
        rows = await find(db.event_indexes, {}, {"_id": 1})
        return frozenset(_field(row["_id"]) for row in rows)

    return await db.recent.read(_RECENT, _KNOWN_FOR, read)


def forget_indexes(db: Database) -> None:
    """Has the next question see which there are."""
    db.recent.forget(_RECENT)


def property_index(field: Field) -> Document:
    """The keys of the index on a property."""
    return {
        "metric_id": ASCENDING,
        ".".join(field): ASCENDING,
        "timestamp": DESCENDING,
        "profile_id": ASCENDING,
    }


@dataclass(frozen=True, slots=True)
class PropertyIndex:
    """A property that stored segments look at, so many of them. `is_ready`: it has an
    index that can be used."""

    path: str
    segments: int
    is_ready: bool


async def property_indexes(db: Database) -> list[PropertyIndex]:
    """Every property that has an index or would be given one, the most wanted first."""
    wanted = await _wanted(db)
    ready = {".".join(each) for each in await indexed_properties(db)}
    paths = [*wanted, *sorted(ready - wanted.keys())]
    return [PropertyIndex(it, wanted.get(it, 0), it in ready) for it in paths]


async def keep_indexes(
    db: Database, now: datetime, most: int
) -> dict[str, OperationFailure]:
    """Makes the indexes that stored segments want, `most` of them, and drops what none
    has wanted for an hour. One that is there gives way to one that is wanted twice as
    much, and an unwanted one to any. Answers what could not be made."""
    wanted = await _wanted(db)
    there = await _existing(db)
    resting = await _resting(db, now, wanted)

    def worth(path: str) -> int:
        return wanted.get(path, 0) * (2 if path in there else 1)

    # Of those that are worth the same, the more wanted stays in front.
    chosen = sorted([*wanted, *resting], key=worth, reverse=True)[:most]
    await drop_indexes(db, there.difference(chosen))
    return await make_indexes(db, chosen, now)


async def make_indexes(
    db: Database, paths: Sequence[str], now: datetime
) -> dict[str, OperationFailure]:
    """Makes those that are not there, and says of each that it can be used; answers
    why some could not be made. It is made while events are read and written; that takes
    as long as it takes, or until the task is cancelled."""
    known = {row["_id"] for row in await find(db.event_indexes, {}, {"_id": 1})}
    failed: dict[str, OperationFailure] = {}
    for path in paths:
        if path in known:
            continue
        model = IndexModel(
            list(property_index(_field(path)).items()),
            name=_NAME + path,
            partialFilterExpression={path: {"$exists": True}},
        )
        try:
            await _create(db, model)
        except OperationFailure as error:
            failed[path] = error
            continue
        made = {"$setOnInsert": {"at": now}}
        await db.event_indexes.update_one({"_id": path}, made, upsert=True)
    forget_indexes(db)
    return failed


async def drop_indexes(db: Database, paths: Collection[str]) -> None:
    """Nobody is told to use them any more, and then they go."""
    for path in paths:
        await db.event_indexes.delete_one({"_id": path})
        with suppress(OperationFailure):  # somebody else was faster
            await db.events.drop_index(_NAME + path)
    forget_indexes(db)


async def note_properties(db: Database) -> None:
    """Writes down for each stored segment by which properties it would find events."""
    for row in await find(db.segments, {}, {"definition": 1}):
        try:
            found = sorted(event_properties_of(parse(row["definition"])))
        except AudienceError:
            found = []  # no rule of today's allows it; whoever asks for it is told
        await db.segments.update_one(
            {"_id": row["_id"]}, {"$set": {"event_properties": found}}
        )


async def _create(db: Database, model: IndexModel) -> None:
    async with await started_session(db) as session:
        try:
            await db.events.create_indexes([model], session=session)
        except asyncio.CancelledError:
            # Else the driver's thread, and with it the process, waits for its end.
            await kill_sessions(db, [session_id(session)])
            raise


async def _resting(db: Database, now: datetime, wanted: Collection[str]) -> list[str]:
    """The properties that have an index which none has wanted for less than an hour."""
    unwanted = {"_id": {"$nin": list(wanted)}, "unwanted_since": None}
    await db.event_indexes.update_many(unwanted, {"$set": {"unwanted_since": now}})
    again = {"_id": {"$in": list(wanted)}, "unwanted_since": {"$ne": None}}
    await db.event_indexes.update_many(again, {"$unset": {"unwanted_since": ""}})
    lately = {"unwanted_since": {"$gt": now - UNWANTED_FOR}}
    rows = await find(db.event_indexes, lately, {"_id": 1}, {"_id": 1})
    return [row["_id"] for row in rows]


async def _wanted(db: Database) -> dict[str, int]:
    """The properties by which stored segments would find events, and how many do, the
    most wanted first."""
    stages: list[Document] = [
        {"$project": {"event_properties": 1}},
        {"$unwind": "$event_properties"},
        {"$group": {"_id": "$event_properties", "n": {"$sum": 1}}},
        {"$sort": {"n": -1, "_id": 1}},
    ]
    return {
        row["_id"]: row["n"]
        for row in await aggregate(db.segments, stages)
        if _can_be_indexed(row["_id"])
    }


async def _existing(db: Database) -> set[str]:
    names = await db.events.index_information()
    there = {it.removeprefix(_NAME) for it in names if it.startswith(_NAME)}
    # What somebody has dropped by hand is not there, whatever is written.
    await db.event_indexes.delete_many({"_id": {"$nin": sorted(there)}})
    return there


def _field(path: str) -> Field:
    return tuple(path.split("."))


def _can_be_indexed(path: str) -> bool:
    """A name of digits could be meant as a place in a list, too: MongoDB would refuse
    such events."""
    return not any(each.isdigit() for each in _field(path))
