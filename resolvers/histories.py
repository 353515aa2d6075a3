"""What hangs on a profile by its id, its events, its consent trail and of which moment
other tools' words are, and how it follows the profile into another one."""

from bson import ObjectId
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from resolvers.db import Database, find

CHUNK = 1_000

_DUPLICATE = 11000


async def merged_into(db: Database, profile_id: ObjectId) -> ObjectId | None:
    """The profile into which a former one was merged."""
    row = await db.profiles.find_one(
        {"merged_ids": {"$eq": profile_id, "$type": "objectId"}}, {"_id": 1}
    )
    return row["_id"] if row else None


async def move_history(
    db: Database, source_id: ObjectId, destination_id: ObjectId
) -> None:
    """Gives what hangs on one profile to another. An event that the destination has
    already is dropped. May be repeated, and run beside
    writers; the summary is for the caller to rebuild."""
    await db.consent_changes.update_many(
        {"profile_id": source_id}, {"$set": {"profile_id": destination_id}}
    )
    await _move_moments(db, source_id, destination_id)
    while True:
        rows = await find(db.events, {"profile_id": source_id}, {"_id": 1}, limit=CHUNK)
        if not rows:
            return
        moves = [
            UpdateOne(
                {"_id": row["_id"], "profile_id": source_id},
                {"$set": {"profile_id": destination_id}},
            )
            for row in rows
        ]
        try:
            await db.events.bulk_write(moves, ordered=False)
        except BulkWriteError as error:
            failures = error.details["writeErrors"]
            if any(failure["code"] != _DUPLICATE for failure in failures):
                raise
            doubles = [rows[failure["index"]]["_id"] for failure in failures]
            await db.events.delete_many(
                {"_id": {"$in": doubles}, "profile_id": source_id}
            )


async def _move_moments(
    db: Database, source_id: ObjectId, destination_id: ObjectId
) -> None:
    """Of each field both stand there then; whoever reads them goes by the later."""
    known = await db.integration_moments.find_one({"_id": source_id}, {"times": 1})
    if known is None:
        return
    if times := known.get("times"):
        await db.integration_moments.update_one(
            {"_id": destination_id},
            {"$addToSet": {"times": {"$each": times}}},
            upsert=True,
        )
    await db.integration_moments.delete_one({"_id": source_id})
