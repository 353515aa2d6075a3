"""A database whose primary steps down, and whose log no longer goes back to where its
readers stopped: in a mongod of its own, to which that happens in earnest."""

import asyncio
import os
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bson import ObjectId
from pymongo.errors import PyMongoError

from audience.errors import LimitReached
from resolvers.collections import prepare
from resolvers.db import Database, Document, close, connect, find
from resolvers.following import Hub, follow
from resolvers.keeper.stream import (
    HistoryLost,
    Stream,
    next_changes,
    next_entries,
    open_stream,
)
from server.keeping import keep
from server.mongod import running_mongod
from tests.membership_histories import assert_true, catch_up, keeping
from tests.resolvers.kept import ZONE, Clock, make_people, make_segment, named, rename

pytestmark = pytest.mark.anyio

STEPS_DOWN = {"replSetStepDown": 1, "secondaryCatchUpPeriodSecs": 0, "force": True}
NAMES = "abcdefgh"


@pytest.fixture
async def own(anyio_backend: str) -> AsyncIterator[Database]:
    """A database whose log of writes is a megabyte."""
    with (
        tempfile.TemporaryDirectory(prefix="audience-test-") as folder,
        running_mongod(Path(folder), cache_gb=0.25, oplog_mb=1) as mongod,
    ):
        db = connect(mongod.uri, "failing")
        await prepare(db)
        yield db
        await close(db)


@pytest.mark.timeout(300)
async def test_nothing_is_lost_or_repeated_when_the_primary_steps_down(
    own: Database,
) -> None:
    """Three times, while people are renamed, a keeper works and a client follows."""
    await make_people(own, *NAMES)
    segment = await make_segment(own, "some", named("in"))
    ended = asyncio.Event()
    told: list[Document] = []
    began = datetime.now(UTC)
    keeper = asyncio.create_task(keep(own, ZONE, ended))
    follower = asyncio.create_task(_listen(own, segment, began, told))
    for turn in range(3):
        for name in NAMES:
            await _surely(lambda: rename(own, name, "in"))  # noqa: B023
            if name == NAMES[turn]:
                with suppress(PyMongoError):
                    await own.client.admin.command(STEPS_DOWN)
        await _until_named(own, segment, len(NAMES))
        for name in NAMES:
            await _surely(lambda: rename(own, name, "out"))  # noqa: B023
        await _until_named(own, segment, 0)
    ended.set()
    await keeper

    await assert_true(own, datetime.now(UTC), ZONE)
    lines = await find(own.segment_changes, {}, sort={"_id": 1})
    assert len(lines) == 2 * 3 * len(NAMES)
    async with asyncio.timeout(20):
        while len(told) < len(lines):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    follower.cancel()
    with suppress(asyncio.CancelledError):
        await follower
    assert sorted(told, key=_id) == sorted(lines, key=_id)


@pytest.mark.timeout(300)
async def test_a_keeper_that_was_off_for_longer_than_the_log_goes_back_looks_again(
    own: Database,
) -> None:
    await make_people(own, *NAMES)
    await make_segment(own, "some", named("a", "b"))
    clock = Clock()
    async with keeping(own, clock, ZONE) as keeper:
        await catch_up(keeper)
        token = keeper.token
    await rename(own, "a", "z")
    await rename(own, "c", "b")
    await own.profiles.delete_one({"first_name": "d"})
    await _roll_over(own)
    with pytest.raises(HistoryLost):
        await open_stream(own, token)

    async with keeping(own, clock, ZONE) as keeper:
        await catch_up(keeper)
        await assert_true(own, clock.now, ZONE)
        await rename(own, "e", "a")
        await catch_up(keeper)
    await assert_true(own, clock.now, ZONE)
    assert await _kinds(own) == {"ENTERED": 4, "LEFT": 1}


@pytest.mark.timeout(300)
async def test_a_keeper_that_reads_too_slowly_for_the_log_looks_again(
    own: Database,
) -> None:
    await make_people(own, *NAMES)
    await make_segment(own, "some", named("a", "b"))
    clock = Clock()
    async with keeping(own, clock, ZONE) as keeper:
        await catch_up(keeper)
        assert keeper.stream is not None
        await rename(own, "a", "z")
        await rename(own, "c", "b")
        await _roll_over(own)
        with pytest.raises(HistoryLost):
            await next_changes(keeper.stream, 5)

        await catch_up(keeper)
        await assert_true(own, clock.now, ZONE)
    assert await _kinds(own) == {"ENTERED": 3, "LEFT": 1}


@pytest.mark.timeout(300)
async def test_who_follows_is_told_that_the_log_is_lost_and_can_make_up_for_it(
    own: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, stopped = asyncio.Event(), asyncio.Event()
    free.set()

    async def held(stream: Stream, wait_ms: int) -> list[Document]:
        if not free.is_set():
            stopped.set()
            await free.wait()
        return await next_entries(stream, wait_ms)

    monkeypatch.setattr("resolvers.following.next_entries", held)
    await make_people(own, *NAMES)
    segment = await make_segment(own, "some", named("a"))
    hub, since = Hub(own), datetime.now(UTC)
    async with (
        keeping(own, Clock(), ZONE) as keeper,
        aclosing(follow(hub, "segment_changes", segment["_id"])) as follower,
    ):
        first = asyncio.ensure_future(anext(follower))
        async with asyncio.timeout(20):
            while segment["_id"] not in _followed(hub):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await catch_up(keeper)
        (entered,) = await find(own.segment_changes, {})
        assert await first == entered

        free.clear()
        await stopped.wait()
        await rename(own, "a", "z")
        await catch_up(keeper)
        await _roll_over(own)
        free.set()
        with pytest.raises(LimitReached) as refused:
            await anext(follower)
        message = "Some may have been missed. Ask again, with `since`."
        assert str(refused.value) == message

    again = follow(hub, "segment_changes", segment["_id"], since)
    async with asyncio.timeout(20), aclosing(again) as follower:
        told = [await anext(follower), await anext(follower)]
    assert told == await find(own.segment_changes, {}, sort={"_id": 1})


def _followed(hub: Hub) -> frozenset[ObjectId]:
    log = hub.logs.get("segment_changes")
    return log.keys if log else frozenset()


async def _listen(
    db: Database, segment: Document, since: datetime, told: list[Document]
) -> None:
    changes = follow(Hub(db), "segment_changes", segment["_id"], since)
    async with aclosing(changes) as following:
        async for change in following:
            told.append(change)


async def _surely(write: Callable[[], Awaitable[None]]) -> None:
    """Until the database has taken it."""
    async with asyncio.timeout(30):
        while True:
            with suppress(PyMongoError):
                await write()
                return
            await asyncio.sleep(0.05)


async def _until_named(db: Database, segment: Document, count: int) -> None:
    mine = {"segment_id": segment["_id"]}
    async with asyncio.timeout(30):
        while await db.segment_members.count_documents(mine) != count:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def _kinds(db: Database) -> dict[str, int]:
    return dict(Counter(row["kind"] for row in await find(db.segment_changes, {})))


async def _roll_over(db: Database) -> None:
    """Writes until the log begins after what it holds now; MongoDB cuts it off once a
    minute."""
    last = (await db.client.admin.command("ping"))["operationTime"]
    log = db.client["local"]["oplog.rs"]
    async with asyncio.timeout(150):
        while (first := await log.find_one({}, {"ts": 1})) is None or (
            first["ts"] <= last
        ):
            some = [{"ballast": os.urandom(100_000)} for _ in range(10)]
            await db.client["scratch"]["ballast"].insert_many(some)
            await asyncio.sleep(0.05)


def _id(row: Document) -> ObjectId:
    found: ObjectId = row["_id"]
    return found
