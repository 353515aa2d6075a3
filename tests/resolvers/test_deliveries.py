"""Messages that wait for webhooks: one after another for each profile, claimed by one
process at a time, and kept as long as is said."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import Int64, ObjectId

from audience.errors import NotAllowed, NotFound
from resolvers.db import Database, Document, find
from resolvers.deliveries import (
    CLAIM,
    DELIVERED_KEPT,
    KEPT,
    forget_old,
    note_dead,
    note_delivered,
    note_failed,
    put_test,
    retry_deliveries,
    take_deliveries,
)

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 23, 18, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOOK = ObjectId()
ADA, BOB = ObjectId(), ObjectId()
TAKEN: Document = {"status": 200, "problem": None}


async def test_messages_about_one_profile_come_one_after_another(db: Database) -> None:
    first, second, third = await _put(db, ADA, ADA, ADA)
    (other,) = await _put(db, BOB)

    taken = await _take(db, NOW)
    assert _ids(taken) == {first, other}
    assert await _take(db, NOW) == []
    await note_delivered(db, taken[0], TAKEN, NOW)
    await note_delivered(db, taken[1], TAKEN, NOW)
    (taken_second,) = await _take(db, NOW)
    assert taken_second["_id"] == second

    # It fails: the one after it waits as long, and is not looked at meanwhile.
    await note_failed(db, taken_second, {"status": 500}, NOW + 60 * SECOND)
    assert await _take(db, NOW + SECOND) == []
    assert await _take(db, NOW + 59 * SECOND) == []
    row = await db.deliveries.find_one({"_id": third})
    assert row is not None
    assert row["next_at"] == NOW + 60 * SECOND
    (again,) = await _take(db, NOW + 60 * SECOND)
    assert (again["_id"], again["attempts"]) == (second, 2)

    # It is given up: the next one is free.
    await note_dead(db, again, {"status": 500}, NOW + 61 * SECOND)
    (last,) = await _take(db, NOW + 61 * SECOND)
    assert last["_id"] == third


async def test_a_claim_ends_with_its_time(db: Database) -> None:
    (first,) = await _put(db, ADA)
    (taken,) = await _take(db, NOW)

    assert await _take(db, NOW + CLAIM - SECOND) == []
    (again,) = await _take(db, NOW + CLAIM)
    assert (again["_id"], again["attempts"]) == (first, 2)

    # Who had it before has nothing to say of it any more.
    await note_delivered(db, taken, TAKEN, NOW)
    await note_failed(db, taken, TAKEN, NOW)
    assert await db.deliveries.find_one({"_id": first}) == again
    await note_delivered(db, again, TAKEN, NOW)
    assert await db.deliveries.find_one({"_id": first}) == {
        **{name: again[name] for name in again if name not in ("claim", "next_at")},
        **TAKEN,
        "state": "DELIVERED",
        "expires_at": NOW + DELIVERED_KEPT,
    }


async def test_two_processes_never_have_one_message(db: Database) -> None:
    await _put(db, *(ObjectId() for _ in range(40)))

    taken = [await _take(db, NOW, limit=7) for _ in range(8)]

    ids = [row["_id"] for some in taken for row in some]
    assert len(ids) == len(set(ids)) == 40


async def test_what_is_dead_is_sent_again_when_it_is_asked_for(db: Database) -> None:
    ids = await _put(db, ADA, BOB, ObjectId())
    for message in await _take(db, NOW):
        await note_dead(db, message, {"status": 410}, NOW)
    # As it was written once.
    await db.deliveries.update_one({"_id": ids[0]}, {"$set": {"expires_at": NOW}})

    assert await retry_deliveries(db, HOOK, [str(ids[0])], NOW) == 1
    assert await retry_deliveries(db, ObjectId(), None, NOW) == 0
    assert await retry_deliveries(db, HOOK, None, NOW) == 2
    assert await retry_deliveries(db, HOOK, None, NOW) == 0
    taken = await _take(db, NOW)
    assert {row["_id"]: row["attempts"] for row in taken} == dict.fromkeys(ids, 1)
    assert all("expires_at" not in row for row in taken)


async def test_what_is_thirty_days_old_goes_whatever_has_become_of_it(
    db: Database,
) -> None:
    await db.integrations.insert_one(_hook())
    (kept,) = await _put(db, ADA)
    for seconds, state in ((1, "PENDING"), (2, "DEAD")):
        old = ObjectId.from_datetime(NOW - KEPT - seconds * SECOND)
        await db.deliveries.insert_one(_message(BOB, 1) | {"_id": old, "state": state})
    await db.deliveries.insert_one(_message(BOB, 1) | {"integration_id": ObjectId()})

    await forget_old(db, NOW)

    assert [row["_id"] for row in await find(db.deliveries, {})] == [kept]


async def test_a_webhook_made_while_old_messages_are_forgotten_keeps_its_own(
    db: Database,
) -> None:
    made: list[ObjectId] = []

    class Meanwhile:
        """The integrations, of which one is made when they have just been read."""

        async def distinct(self, *given: Any) -> list[Any]:
            found: list[Any] = await db.integrations.distinct(*given)
            await db.integrations.insert_one(_hook())
            made.extend(await _put(db, ADA))
            return found

    await db.deliveries.insert_one(_message(BOB, 1) | {"integration_id": ObjectId()})
    interrupted: Any = Meanwhile()

    await forget_old(replace(db, integrations=interrupted), NOW)

    assert [row["_id"] for row in await find(db.deliveries, {})] == made


async def test_a_test_waits_for_nobody(db: Database) -> None:
    await db.integrations.insert_one(_hook())
    await _put(db, ADA)
    await _take(db, NOW)
    one, other = [await put_test(db, HOOK, NOW) for _ in range(2)]

    assert _ids(await _take(db, NOW)) == {one["_id"], other["_id"]}
    with pytest.raises(NotFound):
        await put_test(db, ObjectId(), NOW)
    await db.integrations.update_one({"_id": HOOK}, {"$set": {"status": "PAUSED"}})
    with pytest.raises(NotAllowed):
        await put_test(db, HOOK, NOW)


async def _put(db: Database, *profiles: ObjectId) -> list[ObjectId]:
    rows = [_message(each, place) for place, each in enumerate(profiles)]
    await db.deliveries.insert_many(rows)
    return [row["_id"] for row in rows]


async def _take(db: Database, now: datetime, limit: int = 10) -> list[Document]:
    return await take_deliveries(db, HOOK, now, limit)


def _ids(rows: list[Document]) -> set[Any]:
    return {row["_id"] for row in rows}


def _message(profile_id: ObjectId, order: int) -> Document:
    return {
        "_id": ObjectId(),
        "integration_id": HOOK,
        "profile_id": profile_id,
        "state": "PENDING",
        "kind": "ENTERED",
        "order": Int64(order),
        "attempts": 0,
        "at": NOW,
        "next_at": NOW,
        "created_at": NOW,
    }


def _hook() -> Document:
    return {
        "_id": HOOK,
        "name": "Hook",
        "name_key": "hook",
        "kind": "OUTBOUND_WEBHOOK",
        "status": "ACTIVE",
        "settings": {"movements": ["ENTERED"]},
        "list_ids": [],
        "segment_ids": [],
        "created_at": NOW,
        "updated_at": NOW,
        "version": 1,
    }
