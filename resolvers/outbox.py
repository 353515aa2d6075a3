"""Messages that wait to be sent. They outlive the process that took them; one may be
sent twice when a process dies between sending and noting it."""

from datetime import datetime, timedelta

from bson import ObjectId
from pymongo import ReturnDocument

from resolvers.db import Database, Document

KEPT = timedelta(days=2)
LEASE = timedelta(minutes=5)


async def put_message(
    db: Database, kind: str, to: str, content: Document, now: datetime
) -> None:
    """The message waits to be sent, for two days at most."""
    await db.outbox.insert_one(
        {
            "_id": ObjectId(),
            "kind": kind,
            "to": to,
            "content": content,
            "attempts": 0,
            "next_at": now,
            "expires_at": now + KEPT,
        }
    )


async def take_message(db: Database, now: datetime) -> Document | None:
    """The message that has waited longest. Nobody else gets it for five minutes, in
    which it is to be dropped or postponed."""
    return await db.outbox.find_one_and_update(
        {"next_at": {"$lte": now}, "expires_at": {"$gt": now}},
        {"$set": {"next_at": now + LEASE}, "$inc": {"attempts": 1}},
        sort=[("next_at", 1)],
        return_document=ReturnDocument.AFTER,
    )


async def drop_message(db: Database, message_id: ObjectId) -> None:
    """It was sent, or never will be."""
    await db.outbox.delete_one({"_id": message_id})


async def postpone_message(
    db: Database, message_id: ObjectId, next_at: datetime
) -> None:
    """It is to be tried again."""
    await db.outbox.update_one({"_id": message_id}, {"$set": {"next_at": next_at}})
