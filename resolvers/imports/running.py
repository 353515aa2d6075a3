"""Runs imports: one process works on an import at a time, a block of rows after the
other, and writes down after each how far it has come. When the process dies, the next
one begins with the block that was under way; nothing in it happens twice."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

from bson import ObjectId
from pymongo import ReturnDocument

from audience.consent import Channel
from audience.errors import NotFound
from audience.rows import Column, Person, Reader, Rejection, ValueType
from audience.rows.files import Block
from audience.rows.reading import Agreed
from resolvers.db import Database, Document
from resolvers.imports.jobs import job_of
from resolvers.imports.starting import UNFINISHED, keep_rows
from resolvers.imports.writing import write_block

LEASE = timedelta(seconds=15)
MAX_ATTEMPTS = 5
FEW = 0.02  # so few known people cost less when the database refuses to make them

Clock = Callable[[], datetime]
Going = Callable[[], bool]
Parsed = tuple[list[Person], list[list[Rejection]]]


class Overtaken(Exception):
    """Another process has taken the import over."""


def utc_now() -> datetime:
    """The time to the millisecond, as MongoDB keeps it."""
    read = datetime.now(UTC)
    return read.replace(microsecond=read.microsecond // 1000 * 1000)


async def has_waiting_imports(db: Database, now: datetime) -> bool:
    """Whether an import waits for a process that works on it."""
    return await db.imports.find_one(_waiting(now), {"_id": 1}) is not None


async def take_import(
    db: Database, holder: str, now: datetime, *, lease: timedelta = LEASE
) -> Document | None:
    """The longest waiting import, now held by `holder`; None when none waits."""
    return await db.imports.find_one_and_update(
        _waiting(now),
        _taking(holder, now, lease),
        sort=[("_id", 1)],
        return_document=ReturnDocument.AFTER,
    )


async def run_waiting_imports(
    db: Database,
    holder: str,
    *,
    going: Going = lambda: True,
    clock: Clock = utc_now,
    lease: timedelta = LEASE,
) -> int:
    """Runs imports until none waits, or until `going` is no more; how many ended."""
    ended = 0
    while going():
        taken = await take_import(db, holder, clock(), lease=lease)
        if taken is None:
            break
        with contextlib.suppress(Overtaken):
            done = await run_import(
                db, taken, holder, going=going, clock=clock, lease=lease
            )
            ended += done["status"] not in UNFINISHED
    return ended


async def run_import(
    db: Database,
    taken: Document,
    holder: str,
    *,
    going: Going = lambda: True,
    clock: Clock = utc_now,
    lease: timedelta = LEASE,
) -> Document:
    """The import after it has ended, or after its present block when `going` is no
    more: then another process may take it. Overtaken when one has already."""
    if taken["status"] == "QUEUED":
        held = {"_id": taken["_id"], "holder": holder, "status": "QUEUED"}
        found = await db.imports.find_one_and_update(
            held,
            _taking(holder, clock(), lease),
            return_document=ReturnDocument.AFTER,
        )
        if found is None:
            raise Overtaken
        taken = found
    await keep_rows(db, taken)  # by whoever was killed before
    async with _kept_alive(db, taken["_id"], holder, clock, lease):
        try:
            return await _run(db, taken, holder, going, clock, lease)
        except NotFound:
            return await _end(
                db,
                taken["_id"],
                holder,
                "FAILED",
                clock(),
                "The list was deleted while the import was under way.",
            )


async def _run(
    db: Database,
    document: Document,
    holder: str,
    going: Going,
    clock: Clock,
    lease: timedelta,
) -> Document:
    import_id: ObjectId = document["_id"]
    if document["attempts"] > MAX_ATTEMPTS:
        reason = (
            f"The import was cut short {MAX_ATTEMPTS} times at the same place, in "
            f"the rows after the first {document['counts'].get('read', 0):,}."
        )
        return await _end(db, import_id, holder, "FAILED", clock(), reason)
    job = job_of(document)
    reader = _reader(document)
    number, count = document["next_block"], document["blocks"]
    is_replay = looks_up = True
    reading = asyncio.create_task(_read(db, import_id, number, reader))
    try:
        while number < count:
            parsed = await reading
            if parsed is None:
                reason = "The rows of the file are no longer kept."
                return await _end(db, import_id, holder, "FAILED", clock(), reason)
            if number + 1 < count:
                reading = asyncio.create_task(_read(db, import_id, number + 1, reader))
            people, rejected = parsed
            counts = await write_block(
                db,
                job,
                number,
                people,
                rejected,
                document["clock"],
                is_replay=is_replay,
                looks_up=looks_up,
            )
            is_replay = False
            known = counts.get("updated", 0) + counts.get("repeated", 0)
            looks_up = known > FEW * counts["read"]
            document = await _checkpoint(
                db, document, holder, counts, clock(), lease, number
            )
            number += 1
            if document["status"] == "CANCELLING":
                return await _end(db, import_id, holder, "CANCELLED", clock())
            if not going():
                return await _release(db, document, holder, clock())
    finally:
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await reading
    return await _end(db, import_id, holder, "COMPLETED", clock())


async def _read(
    db: Database, import_id: ObjectId, number: int, reader: Reader
) -> Parsed | None:
    kept = await db.import_blocks.find_one({"_id": f"{import_id}/ROWS/{number}"})
    if kept is None:
        return None
    block = Block(
        number, kept["first_line"], kept["first_row"], kept["rows"], kept["content"]
    )
    return await asyncio.to_thread(reader.people, block)


async def _checkpoint(
    db: Database,
    document: Document,
    holder: str,
    counts: Document,
    now: datetime,
    lease: timedelta,
    number: int,
) -> Document:
    """The block is done: counted once, whoever tries to count it again. Waits for the
    majority, and so for all that the block has written."""
    found = await db.imports.find_one_and_update(
        {
            "_id": document["_id"],
            "holder": holder,
            "next_block": number,
            "status": {"$in": ["RUNNING", "CANCELLING"]},
        },
        {
            "$inc": {f"counts.{name}": value for name, value in counts.items()},
            "$set": {
                "next_block": number + 1,
                # The next block's time, the same when it has to be done again.
                "clock": max(now, document["clock"]),
                "until": now + lease,
                "attempts": 1,
            },
        },
        return_document=ReturnDocument.AFTER,
    )
    if found is None:
        raise Overtaken
    return found


async def _release(
    db: Database, document: Document, holder: str, now: datetime
) -> Document:
    match = {"_id": document["_id"], "holder": holder}
    change = {"$set": {"until": now, "attempts": 0}, "$unset": {"holder": ""}}
    await db.imports.update_one(match, change)
    return document


async def _end(
    db: Database,
    import_id: ObjectId,
    holder: str,
    status: str,
    now: datetime,
    failure: str | None = None,
) -> Document:
    sets: Document = {"status": status, "finished_at": now}
    if failure is not None:
        sets["failure"] = failure
    found = await db.imports.find_one_and_update(
        {"_id": import_id, "holder": holder, "status": {"$in": UNFINISHED}},
        {"$set": sets, "$unset": {"holder": "", "clock": ""}},
        return_document=ReturnDocument.AFTER,
    )
    if found is None:
        raise Overtaken
    await db.import_blocks.delete_many({"import_id": import_id, "kind": "ROWS"})
    return found


@contextlib.asynccontextmanager
async def _kept_alive(
    db: Database, import_id: ObjectId, holder: str, clock: Clock, lease: timedelta
) -> AsyncIterator[None]:
    """Renews the lease for as long as the block runs."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(lease.total_seconds() / 3)
            await db.imports.update_one(
                {"_id": import_id, "holder": holder},
                {"$max": {"until": clock() + lease}},
            )

    renewing = asyncio.create_task(renew())
    try:
        yield
    finally:
        renewing.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await renewing


def _waiting(now: datetime) -> Document:
    return {"status": {"$in": UNFINISHED}, "until": {"$lte": now}}


def _taking(holder: str, now: datetime, lease: timedelta) -> list[Document]:
    status = {"$cond": [{"$eq": ["$status", "QUEUED"]}, "RUNNING", "$status"]}
    sets: Document = {
        "status": status,
        "holder": {"$literal": holder},
        "until": now + lease,
        "started_at": {"$ifNull": ["$started_at", now]},
        "clock": {"$ifNull": ["$clock", now]},
        "attempts": {"$add": ["$attempts", 1]},
    }
    return [{"$set": sets}]


def columns_of(document: Document) -> list[Column]:
    """The columns of a stored import."""
    return [
        Column(
            each["header"],
            each.get("target"),
            ValueType(each["type"]),
            each["is_declared"],
        )
        for each in document["columns"]
    ]


def _reader(document: Document) -> Reader:
    agreed = [
        Agreed(Channel(each["channel"]), each.get("when"), each.get("only_if"))
        for each in document["consent"]
    ]
    return Reader(
        columns_of(document),
        document["delimiter"],
        agreed,
        document.get("phone_region"),
    )
