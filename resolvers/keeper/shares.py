"""How processes share the upkeep: every profile belongs to one share, and one process
at a time holds a share, by a lease.

A share's document is also the record of how far its upkeep has come. It moves in the
same transaction as the memberships, and only for the holder: whoever has lost the
lease can write neither. When a lease ends is told by the database's clock alone.
"""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

from bson import ObjectId
from pymongo import ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError, PyMongoError

from resolvers.db import Database, Document, Session, find, kill_sessions, session_id

SHARES = 4
LEASE_SECONDS = 15
RENEWALS = 24  # at most, until a step has ended: one that hangs is left to others

_DIGITS = "0123456789abcdef"
_MS = 1_000
_KEEPERS: Document = {"_id": {"$regex": r"\Akeeper/"}}


def _from_now(seconds: int) -> Document:
    return {"$add": ["$$NOW", seconds * _MS]}


_ENDS: Document = {"until": _from_now(LEASE_SECONDS)}
_LASTS: Document = {"$expr": {"$gte": ["$until", "$$NOW"]}}
_IS_OVER: Document = {"$expr": {"$lt": ["$until", "$$NOW"]}}
# No lease lasts so long: the clock was ahead when it was given.
_NEVER_ENDS: Document = {"$expr": {"$gt": ["$until", _from_now(4 * LEASE_SECONDS)]}}
_LONG_OVER: Document = {"$expr": {"$lt": ["$until", _from_now(-3_600)]}}


class LeaseLost(Exception):
    """Another process has taken over a share."""


def share_of(profile_id: ObjectId) -> int:
    """The share that a profile belongs to."""
    return profile_id.binary[-1] % SHARES


def in_shares(shares: Iterable[int], path: str = "_id") -> Document:
    """A filter for the profiles of these shares."""
    held = set(shares)
    if len(held) == SHARES:
        return {}
    digits = [it for n, it in enumerate(_DIGITS) if n % SHARES in held]
    last = {"$substrBytes": [{"$toString": f"${path}"}, 23, 1]}
    return {"$expr": {"$in": [last, digits]}}


async def ensure_shares(db: Database) -> None:
    """Makes the documents that are not there yet, and forgets the processes that have
    been gone for an hour."""
    await db.leases.delete_many(_KEEPERS | _LONG_OVER)
    new = [
        UpdateOne(
            {"_id": number},
            {"$setOnInsert": {"fence": 0, "segments": {}}},
            upsert=True,
        )
        for number in range(SHARES)
    ]
    try:
        await db.keeper_shares.bulk_write(new, ordered=False)
    except BulkWriteError:
        # Another process makes them at the same moment.
        await ensure_shares(db)


async def hold_shares(
    db: Database,
    holder: str,
    held: Mapping[int, Document],
    sessions: Sequence[Session] = (),
) -> dict[int, Document]:
    """The shares that `holder` has from now until the lease ends: its fair part of
    them. Renews what it holds, takes what is free, gives back what is too much."""
    used = {"$literal": [session_id(session) for session in sessions]}
    mine = {"$set": {"holder": holder, "sessions": used} | _ENDS}
    await db.leases.update_one({"_id": f"keeper/{holder}"}, [mine], upsert=True)
    await _end_sessions(db)
    alive = await db.leases.count_documents(_KEEPERS | _LASTS)
    fair = math.ceil(SHARES / max(1, alive))
    kept: dict[int, Document] = {}
    for number in sorted(held):
        if len(kept) < fair and await _renewed(db, number, holder):
            kept[number] = held[number]
        else:
            await _release(db, number, holder)
    # What has no end is less than any time.
    free: Document = {"$or": [{"holder": holder}, _IS_OVER, _NEVER_ENDS]}
    taking: Document = {"holder": holder, "fence": {"$add": ["$fence", 1]}} | _ENDS
    while len(kept) < fair:
        taken = await db.keeper_shares.find_one_and_update(
            {"_id": {"$in": [n for n in range(SHARES) if n not in kept]}, **free},
            [{"$set": taking}],
            sort=[("_id", 1)],
            return_document=ReturnDocument.AFTER,
        )
        if taken is None:
            break
        kept[taken["_id"]] = taken
    return kept


@contextlib.asynccontextmanager
async def renewing(db: Database, holder: str, seconds: float) -> AsyncIterator[None]:
    """Renews what `holder` has every so many seconds of a block that may take longer
    than a lease."""
    task = asyncio.create_task(_renew(db, holder, seconds))
    try:
        yield
    finally:
        task.cancel()


async def release_shares(db: Database, holder: str) -> None:
    """Gives everything back."""
    for number in range(SHARES):
        await _release(db, number, holder)
    await db.leases.delete_one({"_id": f"keeper/{holder}"})


async def advance(
    db: Database,
    shares: Mapping[int, Document],
    changes: Mapping[int, Document],
    session: Session | None = None,
) -> None:
    """Writes updates to held shares' documents; LeaseLost, and in a transaction
    nothing written, when one of them is held no more."""
    updates = [
        UpdateOne({"_id": n, "fence": shares[n]["fence"]}, change)
        for n, change in changes.items()
    ]
    if not updates:
        return
    written = await db.keeper_shares.bulk_write(updates, session=session)
    if written.matched_count < len(updates):
        raise LeaseLost


async def share_rows(
    db: Database, segment_ids: Iterable[ObjectId] | None = None
) -> list[Document]:
    """All shares' records, of these segments alone when they are given."""
    projection: Document | None = None
    if segment_ids is not None:
        projection = {"at": 1} | {f"segments.{it}": 1 for it in segment_ids}
    return await find(db.keeper_shares, {}, projection, sort={"_id": 1})


async def _end_sessions(db: Database) -> None:
    """Ends what those whose leases have ended were about to write."""
    over = _KEEPERS | _IS_OVER
    for lease in await find(db.leases, over | {"sessions": {"$exists": True}}):
        await kill_sessions(db, lease["sessions"])
        await db.leases.update_one(
            over | {"_id": lease["_id"]}, {"$unset": {"sessions": ""}}
        )


async def _renew(db: Database, holder: str, seconds: float) -> None:
    for _ in range(RENEWALS):
        await asyncio.sleep(seconds)
        with contextlib.suppress(PyMongoError):
            await db.leases.update_one(
                {"_id": f"keeper/{holder}", **_LASTS}, [{"$set": _ENDS}]
            )
            await db.keeper_shares.update_many(
                {"holder": holder, **_LASTS}, [{"$set": _ENDS}]
            )


async def _renewed(db: Database, number: int, holder: str) -> bool:
    renewed = await db.keeper_shares.update_one(
        {"_id": number, "holder": holder}, [{"$set": _ENDS}]
    )
    return renewed.matched_count == 1


async def _release(db: Database, number: int, holder: str) -> None:
    await db.keeper_shares.update_one(
        {"_id": number, "holder": holder},
        {"$unset": {"holder": "", "until": ""}, "$inc": {"fence": 1}},
    )
