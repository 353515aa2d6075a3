"""Lists by their ids."""

from collections.abc import Sequence

from bson import ObjectId

from audience.errors import NotAllowed, NotFound
from resolvers.db import Database, Document, find_by
from resolvers.ids import object_id

LIVE: Document = {"deleted_at": None}


async def lists_by_id(
    db: Database, ids: Sequence[str | ObjectId]
) -> list[Document | None]:
    """The list behind each id, in order; None where there is none (any more)."""
    wanted = [object_id(each) for each in ids]
    found = await find_by(db, db.lists, "_id", wanted, match=LIVE)
    return [found.get(each) for each in wanted]


async def live_list(
    db: Database, list_id: str | ObjectId, path: tuple[str, ...] = ("listId",)
) -> Document:
    """The list; NotFound without one, and a reason when the id is a segment's."""
    wanted = object_id(list_id, path)
    found = await db.lists.find_one({"_id": wanted, **LIVE})
    if found is not None:
        return found
    if await db.segments.find_one({"_id": wanted}, {"_id": 1}) is not None:
        raise NotAllowed(
            "This is a segment: people are in it because they meet its conditions."
            " Only a list can be joined.",
            path,
        )
    raise NotFound("There is no such list.", path)
