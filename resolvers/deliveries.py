"""Messages to outbound webhooks: put there by the keeper together with the change that
they tell of, taken by whoever sends them, and kept for a while as a record.

A message is claimed for so long that its attempt has ended when the claim does; a
process that dies with one leaves it to the others. Messages about one profile are
taken one after another: a later one waits until the earlier has been delivered or has
died.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from bson import Int64, ObjectId
from pymongo import UpdateOne

from audience.errors import NotAllowed, NotFound
from audience.integrations.kinds import IntegrationKind, IntegrationStatus
from audience.webhooks import DeliveryState
from resolvers.db import Database, Document, Session, aggregate, find
from resolvers.ids import object_id
from resolvers.pages import Order, Page, PageRequest, read_page

CLAIM = timedelta(minutes=2)  # to read what it says takes a minute at most
OCCUPIED = timedelta(seconds=1)
DELIVERED_KEPT = timedelta(days=7)
KEPT = timedelta(days=30)  # of everything else, from when it was made
NEWEST_FIRST = Order("_id", -1)

_LANE = ("integration_id", "profile_id")


async def put_deliveries(
    db: Database,
    lines: Sequence[Document],
    orders: Sequence[int],
    session: Session,
) -> None:
    """A message for each of these changes and each webhook that is to be told of it,
    in the same transaction."""
    segments = list({line["segment_id"] for line in lines})
    hooks = await find(
        db.integrations,
        {"kind": IntegrationKind.OUTBOUND_WEBHOOK, "segment_ids": {"$in": segments}},
        {"segment_ids": 1, "settings.movements": 1},
        session=session,
    )
    rows = [
        _message(hook["_id"], line["kind"], order, line["at"])
        | {name: line[name] for name in _TOLD if name in line}
        for hook in hooks
        for line, order in zip(lines, orders, strict=True)
        if line["segment_id"] in hook["segment_ids"]
        and line["kind"] in hook["settings"]["movements"]
    ]
    if rows:
        await db.deliveries.insert_many(rows, ordered=False, session=session)


async def put_test(
    db: Database, integration_id: str | ObjectId, now: datetime
) -> Document:
    """A message by which to try a webhook; it waits for none and none for it."""
    webhook = await webhook_named(db, integration_id, "id")
    if webhook["status"] != IntegrationStatus.ACTIVE:
        raise NotAllowed("The integration is paused: set it ACTIVE first.", ("id",))
    message = _message(webhook["_id"], "TEST", 0, now)
    await db.deliveries.insert_one(message)
    return message


async def webhook_named(
    db: Database, integration_id: str | ObjectId, name: str
) -> Document:
    """The webhook with this id; NotFound, which blames the input of this name, when
    there is none."""
    found = await db.integrations.find_one(
        {"_id": object_id(integration_id), "kind": IntegrationKind.OUTBOUND_WEBHOOK},
        {"status": 1},
    )
    if found is None:
        raise NotFound("There is no such outbound webhook.", (name,))
    return found


async def active_webhooks(db: Database) -> list[ObjectId]:
    """The ids of the webhooks that are called."""
    rows = await find(db.integrations, _CALLED, {"_id": 1})
    return [row["_id"] for row in rows]


async def active_webhook(db: Database, integration_id: ObjectId) -> Document | None:
    """The webhook with its sealed secrets; None when it is called no more."""
    return await db.integrations.find_one({"_id": integration_id, **_CALLED})


async def take_deliveries(
    db: Database, integration_id: ObjectId, now: datetime, limit: int
) -> list[Document]:
    """Messages whose time has come, claimed: at most one about each profile, the
    oldest that is not done with."""
    pending = {"integration_id": integration_id, "state": DeliveryState.PENDING}
    due = await find(
        db.deliveries,
        {**pending, "next_at": {"$lte": now}},
        {"profile_id": 1, "kind": 1},
        sort={"next_at": 1},
        limit=limit,
    )
    tests = [row["_id"] for row in due if row["kind"] == "TEST"]
    profiles = list({row["profile_id"] for row in due if row["kind"] != "TEST"})
    heads = await _heads(db, pending, profiles) if profiles else []
    waiting = {row["_id"] for row in due} - set(tests)
    waiting -= {head["_id"] for head in heads}
    lanes = {head["profile_id"]: head for head in heads}
    behind = [
        UpdateOne(
            {"_id": row["_id"], "state": DeliveryState.PENDING},
            {"$set": {"next_at": _turn(lanes[row["profile_id"]], now), "waits": True}},
        )
        for row in due
        if row["_id"] in waiting and row["profile_id"] in lanes
    ]
    if behind:
        await db.deliveries.bulk_write(behind, ordered=False)
    ready = [*tests, *(head["_id"] for head in heads if head["next_at"] <= now)]
    if not ready:
        return []
    claim = ObjectId()
    await db.deliveries.update_many(
        {"_id": {"$in": ready}, **pending, "next_at": {"$lte": now}},
        {"$set": {"next_at": now + CLAIM, "claim": claim}, "$inc": {"attempts": 1}},
    )
    return await find(db.deliveries, {"_id": {"$in": ready}, "claim": claim})


async def note_delivered(
    db: Database, message: Document, result: Mapping[str, Any], now: datetime
) -> None:
    """The receiver has it."""
    await _finish(db, message, DeliveryState.DELIVERED, result, now)


async def note_dead(
    db: Database, message: Document, result: Mapping[str, Any], now: datetime
) -> None:
    """It is not tried again unless somebody asks for it."""
    await _finish(db, message, DeliveryState.DEAD, result, now)


async def note_failed(
    db: Database, message: Document, result: Mapping[str, Any], next_at: datetime
) -> None:
    """It is to be tried again."""
    await db.deliveries.update_one(
        _claimed(message),
        {"$set": {**result, "next_at": next_at}, "$unset": {"claim": ""}},
    )


async def pause_webhook(db: Database, integration_id: ObjectId, now: datetime) -> None:
    """The receiver wants no more."""
    await db.integrations.update_one(
        {"_id": integration_id, "status": IntegrationStatus.ACTIVE},
        {
            "$set": {"status": IntegrationStatus.PAUSED, "updated_at": now},
            "$inc": {"version": 1},
        },
    )


async def retry_deliveries(
    db: Database,
    integration_id: str | ObjectId,
    ids: Sequence[str] | None,
    now: datetime,
) -> int:
    """How many dead messages wait again, from the first attempt on: these, or all."""
    match: Document = {
        "integration_id": object_id(integration_id),
        "state": DeliveryState.DEAD,
    }
    if ids is not None:
        match["_id"] = {"$in": [object_id(each, ("ids",)) for each in ids]}
    revived = {"state": DeliveryState.PENDING, "next_at": now, "attempts": 0}
    # Those that died under an earlier release have a time at which they go.
    gone = dict.fromkeys(("claim", "waits", "expires_at"), "")
    changed = await db.deliveries.update_many(match, {"$set": revived, "$unset": gone})
    return changed.modified_count


async def forget_old(db: Database, now: datetime) -> None:
    """Messages that were made thirty days ago go, whatever has become of them, and so
    do those of a webhook that was deleted."""
    # In this order: a webhook and its first message may be made meanwhile.
    told = await db.deliveries.distinct("integration_id")
    known = await db.integrations.distinct("_id", {"_id": {"$in": told}})
    gone = list({*told} - {*known})
    await db.deliveries.delete_many({"integration_id": {"$in": gone}})
    old = {"_id": {"$lt": ObjectId.from_datetime(now - KEPT)}}
    await db.deliveries.delete_many(old)


async def deliveries_by_id(
    db: Database, ids: Sequence[str | ObjectId]
) -> list[Document | None]:
    """One slot per id, in order."""
    wanted = [object_id(each) for each in ids]
    rows = await find(db.deliveries, {"_id": {"$in": wanted}})
    found = {row["_id"]: row for row in rows}
    return [found.get(each) for each in wanted]


async def delivery_page(
    db: Database, match: Mapping[str, Any], page: PageRequest
) -> Page:
    """Messages, newest first."""
    return await read_page(
        db.deliveries, dict(match), NEWEST_FIRST, page, scope=dict(match)
    )


async def count_deliveries(db: Database, match: Mapping[str, Any]) -> int:
    """How many messages `delivery_page` leads through."""
    return await db.deliveries.count_documents(match)


def deliveries_of(integration_id: str, state: DeliveryState | None) -> Document:
    """A webhook's messages, all or those in one state."""
    match: Document = {"integration_id": object_id(integration_id)}
    return match if state is None else {**match, "state": state}


async def _heads(
    db: Database, pending: Document, profiles: Sequence[ObjectId]
) -> list[Document]:
    """The oldest pending message about each profile."""
    return await aggregate(
        db.deliveries,
        [
            {"$match": {**pending, "profile_id": {"$in": profiles}}},
            {"$sort": {"profile_id": 1, "order": 1}},
            {"$group": {"_id": "$profile_id", "head": {"$first": "$$ROOT"}}},
            {"$replaceRoot": {"newRoot": "$head"}},
            {"$project": {"profile_id": 1, "next_at": 1, "claim": 1}},
        ],
    )


def _turn(head: Document, now: datetime) -> datetime:
    """When to look again at a message that has this one before it."""
    is_under_way = "claim" in head or head["next_at"] <= now
    return now + OCCUPIED if is_under_way else max(head["next_at"], now + OCCUPIED)


async def _finish(
    db: Database,
    message: Document,
    state: DeliveryState,
    result: Mapping[str, Any],
    now: datetime,
) -> None:
    kept: Document = {**result, "state": state}
    if state is DeliveryState.DELIVERED:
        kept["expires_at"] = now + DELIVERED_KEPT
    done = await db.deliveries.update_one(
        _claimed(message),
        {"$set": kept, "$unset": {"next_at": "", "claim": "", "waits": ""}},
    )
    if done.modified_count and "profile_id" in message:
        # Who has waited for this one is next.
        lane = {name: message[name] for name in _LANE}
        await db.deliveries.update_many(
            {**lane, "state": DeliveryState.PENDING, "waits": True},
            {"$set": {"next_at": now}, "$unset": {"waits": ""}},
        )


def _claimed(message: Document) -> Document:
    return {"_id": message["_id"], "claim": message["claim"]}


def _message(
    integration_id: ObjectId, kind: str, order: int, now: datetime
) -> Document:
    return {
        "_id": ObjectId(),
        "integration_id": integration_id,
        "state": DeliveryState.PENDING,
        "kind": kind,
        "order": Int64(order),
        "at": now,
        "attempts": 0,
        "next_at": now,
        "created_at": now,
    }


_CALLED = {
    "kind": IntegrationKind.OUTBOUND_WEBHOOK,
    "status": IntegrationStatus.ACTIVE,
}
_TOLD = ("segment_id", "profile_id", "cause", "version", "entered_at")
