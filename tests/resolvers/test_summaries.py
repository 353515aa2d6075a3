import asyncio
from datetime import timedelta

import pytest
from bson import ObjectId

from audience.events import SUMMARY_TIMES
from audience.identity import Identity
from resolvers.db import Database, find
from resolvers.events import track_events
from resolvers.summaries import Rebuilt, rebuild, rebuild_all, recover_batches, settle
from tests.resolvers.histories import NOW, assert_exact, event

pytestmark = pytest.mark.anyio

PEOPLE = [Identity(email=f"p{n}@example.org") for n in range(4)]


async def ids(db: Database) -> list[ObjectId]:
    rows = await find(db.profiles, {}, {"_id": 1}, sort={"email": 1})
    return [row["_id"] for row in rows]


async def test_rebuild_all_mends_what_differs_and_only_that(db: Database) -> None:
    events = [event(PEOPLE[n % 4], n, f"Metric {n % 3}") for n in range(100)]
    await track_events(db, events, NOW)
    assert await rebuild_all(db) == Rebuilt(checked=4, mended=0)

    first, second, third, _ = await ids(db)
    await db.profiles.update_one({"_id": first}, {"$inc": {"summary.0.n": 1}})
    await db.profiles.update_one({"_id": second}, {"$unset": {"summary": ""}})
    await db.profiles.update_one({"_id": third}, {"$unset": {"last_event_at": ""}})

    assert await rebuild_all(db) == Rebuilt(checked=4, mended=3)
    await assert_exact(db)


async def test_rebuild_of_a_profile_without_events(db: Database) -> None:
    await track_events(db, [event(PEOPLE[0], 1)], NOW)
    await db.events.delete_many({})
    (profile_id,) = await ids(db)

    assert await rebuild(db, profile_id)

    await assert_exact(db)
    assert not await rebuild(db, ObjectId())


async def test_rebuilds_side_by_side_end(db: Database) -> None:
    await track_events(
        db, [event(PEOPLE[0], n) for n in range(SUMMARY_TIMES + 10)], NOW
    )
    (profile_id,) = await ids(db)

    done = await asyncio.gather(*(rebuild(db, profile_id) for _ in range(12)))

    assert done == [True] * 12
    await assert_exact(db)


async def test_an_abandoned_rebuild_does_not_hold_up_writers(db: Database) -> None:
    await track_events(db, [event(PEOPLE[0], 1)], NOW)
    await db.profiles.update_one({}, {"$set": {"epoch": "r-abandoned"}})

    await track_events(db, [event(PEOPLE[0], 2)], NOW)

    await assert_exact(db)


async def test_only_stale_batches_are_recovered(db: Database) -> None:
    await track_events(db, [event(PEOPLE[0], 1)], NOW)
    (profile_id,) = await ids(db)
    await db.profiles.update_one({}, {"$set": {"summary": {}}})
    await db.event_batches.insert_one({"profile_ids": [profile_id], "at": NOW})

    assert await recover_batches(db, NOW + timedelta(seconds=30)) == 0
    assert await recover_batches(db, NOW + timedelta(minutes=5)) == 1

    await assert_exact(db)
    assert await db.event_batches.count_documents({}) == 0


async def test_events_of_a_profile_that_is_gone_go_too(db: Database) -> None:
    await track_events(db, [event(PEOPLE[0], 1), event(PEOPLE[1], 1)], NOW)
    first, second = await ids(db)
    await db.profiles.delete_one({"_id": first})

    assert await settle(db, first) is None
    assert await settle(db, second) == second

    await assert_exact(db)
