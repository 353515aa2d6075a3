"""Keepers that share the upkeep, die, lose a share or fail: nothing is lost, nothing
repeated."""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from inspect import isawaitable
from typing import Any

import pytest
from bson import ObjectId
from pymongo.errors import AutoReconnect, OperationFailure

from audience.errors import AudienceError
from resolvers.db import Database, find, session_id, started_session, transaction
from resolvers.keeper import Keeper, LeaseLost, keep_once, stop
from resolvers.keeper.kept import POSTPONED
from resolvers.keeper.stream import (
    Stream,
    close_stream,
)
from tests.membership_histories import (
    Course,
    assert_true,
    begin,
    catch_up,
    keeper_of,
    keeping,
    redefine,
    shown,
    step,
)
from tests.resolvers.histories import killed_after
from tests.resolvers.kept import (
    NOW,
    ZONE,
    Clock,
    end_leases,
    make_people,
    make_segment,
    named,
    rename,
)

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("seed", range(3))
async def test_a_keeper_killed_at_any_await_loses_and_repeats_nothing(
    db: Database, seed: int
) -> None:
    """Each time a few awaits later, after other writes."""
    course = await begin(db, seed)
    async with keeping(db, course.clock, course.zone) as keeper:
        await catch_up(keeper)
    for steps in range(seed, 80, 5):
        await step(course)
        await step(course)
        killed = keeper_of(db, course.clock, course.zone)
        await killed_after(steps, catch_up(killed))
        await _vanish(db, killed)

        async with keeping(db, course.clock, course.zone) as keeper:
            await catch_up(keeper)
        await assert_true(db, course.now, course.zone)


async def test_what_a_killed_keeper_was_about_to_write_is_in_nobodys_way(
    db: Database,
) -> None:
    clock = Clock()
    await make_people(db, "ada")
    await make_segment(db, "some", named("ada"))
    killed = keeper_of(db, clock, ZONE)
    await keep_once(killed, 5, at_leisure=False)
    await end_leases(db)
    session = killed.sessions[0]
    begun: Any = session.start_transaction()
    if isawaitable(begun):  # by PyMongo's own API
        await begun
    await db.keeper_shares.update_many({}, {"$inc": {"commits": 1}}, session=session)

    async with asyncio.timeout(10), keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
        await assert_true(db, clock.now, ZONE)
        with pytest.raises(OperationFailure):
            await session.commit_transaction()
    await stop(killed, gives_back=False)


async def test_keepers_share_the_profiles_between_them(db: Database) -> None:
    course = await begin(db, 5)
    one = keeper_of(db, course.clock, course.zone)
    other = keeper_of(db, course.clock, course.zone)
    try:
        for _ in range(10):
            await step(course)
            for _ in range(12):
                await _pass(one)
                await _pass(other)
            await assert_true(db, course.now, course.zone)
        assert sorted((*one.shares, *other.shares)) == [0, 1, 2, 3]
        assert len(one.shares) == len(other.shares) == 2
    finally:
        await stop(one)
        await stop(other)


@pytest.mark.parametrize("seed", range(3))
async def test_keepers_at_work_at_the_same_time_keep_definitions_that_change(
    db: Database, seed: int
) -> None:
    course = await begin(db, seed)
    keepers = [keeper_of(db, course.clock, course.zone) for _ in range(2)]
    try:
        for _ in range(6):
            for _ in range(4):
                changed = step if course.random.random() < 0.5 else _redefine
                await asyncio.gather(changed(course), *map(_pass, keepers))
            async with asyncio.timeout(60):
                while any(await asyncio.gather(*map(_pass, keepers))):
                    pass
            await assert_true(db, course.now, course.zone)
        assert [len(keeper.shares) for keeper in keepers] == [2, 2]
    finally:
        for keeper in keepers:
            await stop(keeper)


async def _redefine(course: Course) -> None:
    with suppress(AudienceError):  # of one that would refer to itself
        await redefine(course)


async def test_who_has_lost_a_share_writes_nothing(db: Database) -> None:
    clock = Clock()
    await make_people(db, "ada")
    segment = await make_segment(db, "some", named("ada"))
    late = keeper_of(db, clock, ZONE)
    await keep_once(late, at_leisure=False)
    await end_leases(db)
    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
        before = await find(db.segment_changes, {})
        await rename(db, "ada", "bob")

        late.renewed = late.read = time.monotonic()
        with pytest.raises(LeaseLost):
            for _ in range(20):
                await keep_once(late, 5)

        assert await find(db.segment_changes, {}) == before
        assert len((await shown(db))[segment["_id"]]) == 1
        await stop(late)
        await catch_up(keeper)
    await assert_true(db, clock.now, ZONE)


async def test_what_fails_while_a_share_is_taken_over_loses_nothing(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    people = await make_people(db, *"abcdefgh")
    await make_segment(db, "some", named("z"))
    one, other = keeper_of(db, clock, ZONE), keeper_of(db, clock, ZONE)
    for _ in range(12):
        await _pass(one)
        await _pass(other)
    assert len(one.shares) == len(other.shares) == 2
    for name in "abcdefgh":
        await rename(db, name, "z")
    await keep_once(one, 5, at_leisure=False)
    await stop(other)
    failures = [AutoReconnect("gone"), AutoReconnect("gone")]

    async def failing(stream: Stream) -> None:
        if failures:
            raise failures.pop()
        await close_stream(stream)

    monkeypatch.setattr("resolvers.keeper.upkeep.close_stream", failing)
    with pytest.raises(AutoReconnect):
        await keep_once(one, 5, at_leisure=False)
    clock.now += timedelta(seconds=1)
    await catch_up(one)
    await stop(one)

    assert len(people) == 8
    await assert_true(db, clock.now, ZONE)


async def test_leases_are_renewed_while_a_step_takes_long(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_people(db, "ada")
    await make_segment(db, "some", named("ada"))
    keeper = keeper_of(db, Clock(), ZONE)
    await catch_up(keeper)
    under_way, going_on = asyncio.Event(), asyncio.Event()

    async def long(*_: Any, **__: Any) -> bool:
        under_way.set()
        await going_on.wait()
        return False

    async def ends() -> list[datetime]:
        leases = await find(db.leases, {"_id": f"keeper/{keeper.holder}"})
        shares = await find(db.keeper_shares, {"holder": keeper.holder})
        return [row["until"] for row in (*leases, *shares)]

    monkeypatch.setattr("resolvers.keeper.upkeep.tick", long)
    monkeypatch.setattr("resolvers.keeper.upkeep.RENEWAL_SECONDS", 0.01)
    async with asyncio.timeout(20):
        step = asyncio.create_task(keep_once(keeper, 5, at_leisure=False))
        await under_way.wait()
        before = max(await ends())
        while min(await ends()) <= before:  # noqa: ASYNC110 - of another task
            await asyncio.sleep(0.01)
        going_on.set()
        assert await step is False

    assert len(await ends()) == 5
    await stop(keeper)


async def test_a_clock_that_is_ahead_takes_nobodys_share(db: Database) -> None:
    await make_people(db, "ada")
    await make_segment(db, "some", named("ada"))
    one = keeper_of(db, Clock(), ZONE)
    ahead = keeper_of(db, Clock(NOW + timedelta(hours=1)), ZONE)
    await catch_up(one)
    held = await find(db.keeper_shares, {}, {"holder": 1, "fence": 1})

    await keep_once(ahead, 5)

    assert ahead.shares == {}
    assert await find(db.keeper_shares, {}, {"holder": 1, "fence": 1}) == held
    assert {row["holder"] for row in held} == {one.holder}
    await stop(ahead)
    await stop(one)


async def test_the_sessions_of_a_keeper_that_failed_become_nobody_elses(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who takes over from it ends what they do."""
    keeper = keeper_of(db, Clock(), ZONE)
    await keep_once(keeper, 5)

    async def failing(*_: Any, **__: Any) -> bool:
        raise AutoReconnect("gone")

    with monkeypatch.context() as patched, pytest.raises(AutoReconnect):
        patched.setattr("resolvers.keeper.upkeep.tick", failing)
        await keep_once(keeper, 5)
    lease = await db.leases.find_one({"_id": f"keeper/{keeper.holder}"})
    others = [await started_session(db) for _ in range(12)]

    assert lease is not None
    assert len(lease["sessions"]) == 4
    assert not {*lease["sessions"]} & {session_id(other) for other in others}
    for other in others:
        await other.end_session()
    await stop(keeper)


async def test_messages_stay_in_order_after_a_write_that_failed_and_was_done(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    (ada,) = await make_people(db, "ada")
    segment = await make_segment(db, "some", named("ada"))
    await db.integrations.insert_one(
        {
            "_id": ObjectId(),
            "kind": "OUTBOUND_WEBHOOK",
            "name": "Told",
            "name_key": "told",
            "status": "ACTIVE",
            "segment_ids": [segment["_id"]],
            "settings": {"movements": ["ENTERED", "LEFT"]},
            "list_ids": [],
            "created_at": NOW,
            "updated_at": NOW,
            "version": 1,
        }
    )
    done: list[None] = []

    async def failing(*given: Any) -> None:
        await transaction(*given)
        done.append(None)
        if len(done) == 1:
            raise OperationFailure("The time limit was exceeded.", 50)

    monkeypatch.setattr("resolvers.keeper.commits.transaction", failing)
    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
        assert len(done) == 1
        await rename(db, "ada", "bob")
        await catch_up(keeper)
        clock.now += POSTPONED
        await catch_up(keeper)

    rows = await find(db.deliveries, {"profile_id": ada}, sort={"order": 1})
    assert [row["kind"] for row in rows] == ["ENTERED", "LEFT"]
    assert rows[0]["order"] < rows[1]["order"]
    await assert_true(db, clock.now, ZONE)


async def _pass(keeper: Keeper) -> bool:
    """Whether there may be more to do."""
    try:
        return await keep_once(keeper, 5, at_leisure=False)
    except LeaseLost:
        await stop(keeper, gives_back=False)
        return True


async def _vanish(db: Database, keeper: Keeper) -> None:
    """Its lease ends, as when the process is no more."""
    stream = keeper.stream
    await db.leases.delete_one({"_id": f"keeper/{keeper.holder}"})
    await db.keeper_shares.update_many(
        {"holder": keeper.holder}, {"$set": {"until": datetime(2000, 1, 1, tzinfo=UTC)}}
    )
    if stream is not None:
        await stream.session.end_session()
