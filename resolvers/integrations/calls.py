"""Calls as they came in: each stored before it is answered, worked on once, and then
forgotten but for what became of it.

A call that was stored is never lost: whoever dies while working on it leaves it
waiting, and it is taken up again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bson import ObjectId
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from resolvers.db import Database, Document, aggregate, find

KEPT = timedelta(days=7)  # so long the same call is known again
GIVEN_UP_AFTER = timedelta(days=2)
LEASE = timedelta(seconds=60)
DELAYS = (10, 30, 120, 600, 3_600, 14_400)  # seconds until it is tried again
PROBLEMS = 20


class Outcome(StrEnum):
    """What became of a call."""

    ACCEPTED = "ACCEPTED"
    IGNORED = "IGNORED"
    DUPLICATE = "DUPLICATE"
    REFUSED = "REFUSED"
    WAITING = "WAITING"


@dataclass(frozen=True, slots=True)
class Arrived:
    """A call that was stored; where it had come before, `is_duplicate`."""

    document: Document
    is_duplicate: bool


async def store_call(
    db: Database,
    integration_id: ObjectId,
    call_id: str,
    topic: str,
    body: bytes,
    now: datetime,
) -> Arrived:
    """The call, stored for good, and held for whoever stored it for a minute."""
    document: Document = {
        "_id": ObjectId(),
        "integration_id": integration_id,
        "call_id": call_id,
        "topic": topic,
        "body": body,
        "outcome": Outcome.WAITING,
        "attempts": 1,
        "received_at": now,
        "next_at": now + LEASE,
        "expires_at": now + KEPT,
    }
    try:
        await db.integration_calls.insert_one(document)
    except DuplicateKeyError:
        before = await db.integration_calls.find_one(
            {"integration_id": integration_id, "call_id": call_id}
        )
        return Arrived(before or document, is_duplicate=True)
    return Arrived(document, is_duplicate=False)


async def take_waiting_call(db: Database, now: datetime) -> Document | None:
    """The call that has waited longest; nobody else gets it for a minute."""
    return await db.integration_calls.find_one_and_update(
        {"outcome": Outcome.WAITING, "next_at": {"$lte": now}},
        {"$set": {"next_at": now + LEASE}, "$inc": {"attempts": 1}},
        sort=[("next_at", 1)],
        return_document=ReturnDocument.AFTER,
    )


async def postpone_call(db: Database, call: Document, now: datetime) -> None:
    """It is to be tried again, later each time."""
    delay = DELAYS[min(call["attempts"], len(DELAYS)) - 1]
    await db.integration_calls.update_one(
        {"_id": call["_id"], "outcome": Outcome.WAITING},
        {"$set": {"next_at": now + timedelta(seconds=delay)}},
    )


async def finish_call(
    db: Database,
    call: Document,
    outcome: Outcome,
    now: datetime,
    *,
    message: str | None = None,
    reply: str | None = None,
) -> None:
    """What became of it; its body is forgotten."""
    done = await db.integration_calls.update_one(
        {"_id": call["_id"], "outcome": Outcome.WAITING},
        {
            "$set": {"outcome": outcome, "reply": reply, "expires_at": now + KEPT},
            "$unset": {"body": "", "next_at": ""},
        },
    )
    if done.modified_count:
        found, topic = call["integration_id"], call["topic"]
        await log_call(db, found, outcome, now, topic=topic, message=message)


async def log_call(
    db: Database,
    integration_id: ObjectId,
    outcome: Outcome,
    now: datetime,
    *,
    topic: str = "",
    message: str | None = None,
) -> None:
    """Counts a call. The message says what was wrong, and nothing of anybody."""
    latest = {"last_received_at": now}
    if outcome is Outcome.ACCEPTED:
        latest["last_accepted_at"] = now
    change: Document = {"$inc": {f"counts.{outcome}": 1}, "$max": latest}
    if message is not None:
        problem = {"at": now, "outcome": outcome, "topic": topic, "message": message}
        change["$push"] = {
            "problems": {"$each": [problem], "$position": 0, "$slice": PROBLEMS}
        }
    await db.integration_logs.update_one({"_id": integration_id}, change, upsert=True)


async def logs_of_integrations(db: Database, ids: list[ObjectId]) -> list[Document]:
    """The log of each integration, in order: counts by outcome, the last times, and
    the last problems, newest first."""
    rows = await find(db.integration_logs, {"_id": {"$in": ids}})
    logs = {row["_id"]: row for row in rows}
    waiting = await aggregate(
        db.integration_calls,
        [
            {"$match": {"integration_id": {"$in": ids}, "outcome": Outcome.WAITING}},
            {"$group": {"_id": "$integration_id", "count": {"$sum": 1}}},
        ],
    )
    waits = {row["_id"]: row["count"] for row in waiting}
    return [
        {
            "counts": {},
            "problems": [],
            **logs.get(each, {}),
            "waiting": waits.get(each, 0),
        }
        for each in ids
    ]


async def forget_calls(db: Database, integration_id: ObjectId) -> None:
    """Forgets what an integration has received, when it is no more."""
    await db.integration_calls.delete_many({"integration_id": integration_id})
    await db.integration_people.delete_many({"integration_id": integration_id})
    await db.integration_logs.delete_one({"_id": integration_id})
