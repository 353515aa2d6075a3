"""The imports that there are and were, and the rows that they rejected."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from bson import ObjectId
from pymongo import ReturnDocument

from audience.errors import NotAllowed, NotFound
from audience.rows import csv_line
from resolvers.db import Database, Document, find
from resolvers.ids import object_id
from resolvers.pages import Order, Page, PageRequest, read_page

NEWEST_FIRST = Order("_id", -1)
REJECTED_HEADER = ("Line", "Column", "Value", "Reason")


async def imports_by_id(
    db: Database, ids: Sequence[str | ObjectId]
) -> list[Document | None]:
    """One slot per id, in order."""
    wanted = [object_id(each) for each in ids]
    found = {
        row["_id"]: row for row in await find(db.imports, {"_id": {"$in": wanted}})
    }
    return [found.get(each) for each in wanted]


async def import_page(db: Database, page: PageRequest) -> Page:
    """Imports, the newest first."""
    return await read_page(db.imports, {}, NEWEST_FIRST, page)


async def count_imports(db: Database) -> int:
    """How many imports there are."""
    return await db.imports.count_documents({}, hint="_id_")


async def cancel_import(
    db: Database, import_id: str | ObjectId, *, now: datetime
) -> Document:
    """The import, which ends when the rows under way are written. What it has written
    stays. NotAllowed when it has ended already."""
    wanted = object_id(import_id)
    waiting = {"_id": wanted, "status": "QUEUED"}
    ended = {"$set": {"status": "CANCELLED", "finished_at": now}}
    after = ReturnDocument.AFTER
    found = await db.imports.find_one_and_update(waiting, ended, return_document=after)
    if found is not None:
        await db.import_blocks.delete_many({"import_id": wanted, "kind": "ROWS"})
        return found
    running = {"_id": wanted, "status": {"$in": ["RUNNING", "CANCELLING"]}}
    ending = {"$set": {"status": "CANCELLING"}}
    found = await db.imports.find_one_and_update(running, ending, return_document=after)
    if found is not None:
        return found
    found = await db.imports.find_one({"_id": wanted}, {"status": 1})
    if found is None:
        raise NotFound("There is no such import.", ("id",))
    raise NotAllowed(f"The import is {found['status']} already.", ("id",))


async def rejected_rows(
    db: Database, import_id: str | ObjectId
) -> AsyncIterator[bytes]:
    """A CSV file of the rows that were not taken, in pieces: the line in the
    uploaded file, the column and value to blame, and the reason."""
    yield csv_line(REJECTED_HEADER).encode()
    match = {"import_id": object_id(import_id), "kind": "REJECTED"}
    number = -1
    while True:
        following = await find(
            db.import_blocks,
            {**match, "number": {"$gt": number}},
            {"content": 1, "number": 1},
            sort={"number": 1},
            limit=1,
        )
        if not following:
            return
        number = following[0]["number"]
        yield bytes(following[0]["content"])
