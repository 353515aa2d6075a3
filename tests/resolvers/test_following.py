"""Followers whose reader of the log fails: what happens meanwhile is told, or that it
may be lost is."""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId
from pymongo.errors import AutoReconnect, OperationFailure

from audience.errors import LimitReached
from resolvers.db import Database, Document
from resolvers.following import Hub, follow
from resolvers.keeper.stream import HistoryLost, Stream, next_entries, open_log

pytestmark = pytest.mark.anyio

SEGMENT = ObjectId()


async def test_what_happens_while_the_first_read_fails_is_told(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = _line()
    failures = [AutoReconnect("gone")]

    async def failing(stream: Stream, wait_ms: int) -> list[Document]:
        if failures:
            await db.segment_changes.insert_one(dict(line))
            raise failures.pop()
        return await next_entries(stream, wait_ms)

    monkeypatch.setattr("resolvers.following.next_entries", failing)
    monkeypatch.setattr("resolvers.following.PAUSE_SECONDS", 0.01)
    changes = follow(Hub(db), "segment_changes", SEGMENT)
    async with asyncio.timeout(20), aclosing(changes) as told:
        assert await anext(told) == line


async def test_a_database_that_is_away_is_not_logged_again_and_again(
    db: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = _line()
    failures = [AutoReconnect("gone")] * 5

    async def failing(stream: Stream, wait_ms: int) -> list[Document]:
        if failures:
            raise failures.pop()
        return await next_entries(stream, wait_ms)

    monkeypatch.setattr("resolvers.following.next_entries", failing)
    monkeypatch.setattr("resolvers.following.PAUSE_SECONDS", 0.01)
    changes = follow(Hub(db), "segment_changes", SEGMENT)
    async with asyncio.timeout(20), aclosing(changes) as told:
        first = asyncio.ensure_future(anext(told))
        while failures:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await db.segment_changes.insert_one(dict(line))
        assert await first == line

    assert capsys.readouterr().out.count("followers wait") == 1


async def test_who_comes_after_a_loss_misses_nothing_until_the_log_is_read_again(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = _line(), _line()
    losing, reopening, came = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def read(stream: Stream, wait_ms: int) -> list[Document]:
        if losing.is_set() and not reopening.is_set():
            raise HistoryLost
        return await next_entries(stream, wait_ms)

    async def opened(*given: Any) -> Stream:
        if losing.is_set():
            reopening.set()
            await came.wait()
        return await open_log(*given)

    monkeypatch.setattr("resolvers.following.next_entries", read)
    monkeypatch.setattr("resolvers.following.open_log", opened)
    hub, since = Hub(db), datetime.now(UTC) - timedelta(minutes=1)
    before = follow(hub, "segment_changes", SEGMENT, since)
    after = follow(hub, "segment_changes", SEGMENT, since)
    await db.segment_changes.insert_one(dict(first))
    async with asyncio.timeout(20), aclosing(before), aclosing(after):
        assert await anext(before) == first
        losing.set()
        await reopening.wait()
        told = asyncio.ensure_future(anext(after))
        await asyncio.sleep(0.2)
        await db.segment_changes.insert_one(dict(second))
        came.set()

        assert [await told, await anext(after)] == [first, second]
        with pytest.raises(LimitReached, match="Some may have been missed"):
            await anext(before)


async def test_who_comes_while_the_log_is_refused_is_told_and_not_held(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = [OperationFailure("not authorized on audience", 13)]

    async def opened(*given: Any) -> Stream:
        if refusals:
            raise refusals.pop()
        return await open_log(*given)

    monkeypatch.setattr("resolvers.following.open_log", opened)
    hub, line = Hub(db), _line()
    async with asyncio.timeout(20):
        with pytest.raises(OperationFailure, match="not authorized"):
            await anext(follow(hub, "segment_changes", SEGMENT))

        async with aclosing(follow(hub, "segment_changes", SEGMENT)) as told:
            first = asyncio.ensure_future(anext(told))
            while SEGMENT not in hub.logs["segment_changes"].keys:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await db.segment_changes.insert_one(dict(line))
            assert await first == line


async def test_what_was_written_late_or_by_a_clock_that_is_behind_is_made_up_for(
    db: Database,
) -> None:
    since = datetime(2026, 11, 23, 18, tzinfo=UTC)

    def line(made: timedelta, at: timedelta) -> Document:
        """With the counter of its own id, so that each is another."""
        start = ObjectId.from_datetime(since + made).binary[:4]
        own = ObjectId(start + ObjectId().binary[4:])
        return _line() | {"_id": own, "at": since + at}

    minute = timedelta(minutes=1)
    tried_long = line(-2 * minute, -2 * minute)
    by_another_clock = line(-10 * minute, minute)
    settled = line(minute, -10 * minute)
    before = line(-3 * minute, -3 * minute)
    await db.segment_changes.insert_many(
        [tried_long, by_another_clock, settled, before]
    )
    changes = follow(Hub(db), "segment_changes", SEGMENT, since)
    async with asyncio.timeout(20), aclosing(changes) as told:
        found = [await anext(told) for _ in range(3)]

    assert found == [by_another_clock, tried_long, settled]


def _line() -> Document:
    return {
        "_id": ObjectId(),
        "segment_id": SEGMENT,
        "profile_id": ObjectId(),
        "kind": "ENTERED",
        "at": datetime(2026, 11, 23, 18, tzinfo=UTC),
        "cause": "CHANGE",
        "version": 1,
    }
