"""The database's log as the keeper reads it: a log that is too short, a position that
means nothing, a reader that is forgotten."""

from dataclasses import replace
from typing import Any

import pytest

from resolvers.collections import prepare
from resolvers.db import Database, Document, started_session
from resolvers.keeper.stream import (
    HistoryLost,
    close_stream,
    open_stream,
)
from tests.membership_histories import (
    assert_true,
    catch_up,
    keeping,
)
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
