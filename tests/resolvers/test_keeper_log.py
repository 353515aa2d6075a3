"""The database's log as the keeper reads it: a log that is too short, a position that
means nothing, a reader that is forgotten."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pymongo.errors import OperationFailure

from resolvers.collections import prepare
from resolvers.db import Database, Document, find, started_session
from resolvers.keeper import keep_once
from resolvers.keeper.stream import (
    HistoryLost,
    close_stream,
    open_stream,
)
from resolvers.memberships import Freshness, freshness_of
from tests.membership_histories import assert_true, catch_up, keeping, shown
from tests.resolvers.kept import (
    NOW,
    ZONE,
    Clock,
    make_people,
    make_segment,
    named,
    rename,
)

pytestmark = pytest.mark.anyio


async def test_when_the_log_is_too_short_everybody_is_looked_at_again(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    await make_people(db, "ada", "bob")
    await make_segment(db, "some", named("ada"))
    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
    await rename(db, "ada", "eve")
    await rename(db, "bob", "ada")
    await db.profiles.delete_one({"first_name": "eve"})

    async def forgetful(db: Database, token: Document | None) -> Any:
        if token is not None:
            raise HistoryLost
        return await open_stream(db, None)

    monkeypatch.setattr("resolvers.keeper.upkeep.open_stream", forgetful)
    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
    await assert_true(db, clock.now, ZONE)


@pytest.mark.parametrize("is_cut", [False, True])
async def test_who_was_erased_while_nobody_kept_is_logged_as_gone(
    db: Database, monkeypatch: pytest.MonkeyPatch, is_cut: bool
) -> None:
    """Whether an earlier change leads to them, or everybody is looked at again."""
    monkeypatch.setattr("resolvers.keeper.stream.AT_ONCE", 1)
    ada, bob = await make_people(db, "ada", "bob")
    segment = await make_segment(db, "some", named("ada", "bob", "eve"))
    async with keeping(db, Clock(), ZONE) as keeper:
        await catch_up(keeper)
    await rename(db, "ada", "eve")
    await rename(db, "bob", "rob")
    await db.profiles.delete_one({"_id": ada})
    if is_cut:
        await db.keeper_shares.update_many({}, {"$unset": {"cursor": ""}})
    async with keeping(db, Clock(), ZONE) as keeper:
        await catch_up(keeper)

    left = await find(db.segment_changes, {"kind": "LEFT"})
    assert {line["profile_id"]: line["cause"] for line in left} == {
        ada: "GONE",
        bob: "CHANGE",
    }
    assert await shown(db) == {segment["_id"]: set()}


async def test_what_cannot_be_asked_at_the_start_was_true_until_the_end_before(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    await make_people(db, "ada")
    await make_segment(db, "some", named("ada"))
    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
    await rename(db, "ada", "eve")
    clock.now = NOW + timedelta(hours=1)

    async def refused(*_: Any) -> Any:
        raise OperationFailure("It takes too long.", 50)

    async with keeping(db, clock, ZONE) as keeper:
        with monkeypatch.context() as patched:
            patched.setattr("resolvers.keeper.asking.members_among", refused)
            await keep_once(keeper, 100, at_leisure=False)
        (segment,) = await find(db.segments, {})
        assert await freshness_of(db, [segment]) == [Freshness(NOW, False, 1.0)]


async def test_a_position_that_means_nothing_is_a_log_that_is_too_short(
    db: Database,
) -> None:
    clock = Clock()
    await make_people(db, "ada", "bob")
    await make_segment(db, "some", named("ada"))
    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
    await rename(db, "bob", "ada")
    nonsense = {"$set": {"cursor": {"_data": "82000000"}}}
    await db.keeper_shares.update_many({}, nonsense)

    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
    await assert_true(db, clock.now, ZONE)
    causes = await db.segment_changes.distinct("cause", {"at": {"$gt": NOW}})
    assert causes == []
    assert await db.segment_changes.distinct("cause") == ["CHANGE", "DEFINITION"]


async def test_a_reader_that_the_server_has_forgotten_is_opened_again(
    db: Database,
) -> None:
    clock = Clock()
    await make_people(db, "ada", "bob")
    await make_segment(db, "some", named("ada"))
    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
        assert keeper.stream is not None
        await close_stream(replace(keeper.stream, session=await started_session(db)))
        await rename(db, "bob", "ada")
        await catch_up(keeper)
        await assert_true(db, clock.now, ZONE)


async def test_when_the_profiles_are_dropped_nobody_is_left(db: Database) -> None:
    clock = Clock()
    await make_people(db, "ada", "bob")
    await make_segment(db, "some", named("ada", "eve"))
    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
        await db.profiles.drop()
        try:
            await catch_up(keeper)
            await assert_true(db, clock.now, ZONE)
        finally:
            await prepare(db)  # the indexes, which others need

        await make_people(db, "eve")
        await catch_up(keeper)
        await assert_true(db, clock.now, ZONE)
