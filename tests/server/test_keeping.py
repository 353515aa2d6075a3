"""Keepers as real processes: killed in the middle, again and again, under writes."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from pydantic import SecretStr
from pymongo.errors import AutoReconnect, ExecutionTimeout

from audience.events import NewEvent
from audience.identity import Identity
from resolvers.collections import prepare
from resolvers.db import Database, close, connect, find, kill_sessions
from resolvers.erasures import erase_profile
from resolvers.events import track_events
from resolvers.keeper.kept import Reading, read_kept
from resolvers.keeper.shares import SHARES
from resolvers.memberships import freshness_of
from resolvers.merges import merge_profiles
from resolvers.metrics import ensure_metrics
from resolvers.secrets import signing_secret
from resolvers.segments import create_segment, update_segment
from server import keeping as keeping_module
from server.settings import Settings
from tests.membership_histories import assert_true, logged, shown, true_members
from tests.resolvers.kept import end_leases

pytestmark = pytest.mark.anyio

ZONE = ZoneInfo("UTC")
KILLS = 3


@pytest.fixture
async def own(mongodb_uri: str, anyio_backend: str) -> AsyncIterator[Database]:
    """A database that other processes find by its name."""
    db = connect(mongodb_uri, f"test_{uuid4().hex[:12]}")
    await prepare(db)
    yield db
    await db.client.drop_database(db.name)
    await close(db)


async def test_who_finds_no_database_at_the_start_tries_again(
    db: Database, mongodb_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = [AutoReconnect("not there"), ExecutionTimeout("too slow")]
    kept = asyncio.Event()

    async def secret(db: Database) -> str:
        if fails:
            raise fails.pop()
        return await signing_secret(db)

    async def keep(*_: Any) -> None:
        kept.set()

    monkeypatch.setattr(keeping_module, "signing_secret", secret)
    monkeypatch.setattr(keeping_module, "IDLE_SECONDS", 0)
    monkeypatch.setattr(keeping_module, "keep", keep)
    settings = Settings(
        mongodb_uri=SecretStr(mongodb_uri), database=db.name, driver=db.driver
    )

    async with keeping_module.keeping(db, settings), asyncio.timeout(10):
        await kept.wait()

    assert fails == []


@pytest.mark.timeout(180)
async def test_killed_keepers_lose_and_repeat_nothing(
    own: Database, mongodb_uri: str
) -> None:
    now = datetime.now(UTC)
    await ensure_metrics(own, ["Ordered"], now)
    for least in (1, 2, 3, 5):
        await create_segment(own, f"at least {least}", _ordered(least), now=now)
    ended = asyncio.Event()
    writing = asyncio.create_task(_write(own, ended))

    for _ in range(KILLS):
        async with _keeper(mongodb_uri, own.name) as process:
            await _until_held(own)
            await asyncio.sleep(random.uniform(0, 0.5))
            process.send_signal(signal.SIGKILL)
            process.wait()
        await logged(own)
        # A transaction that it has left open is in the way of this test's writes, too.
        for lease in await find(own.leases, {"sessions": {"$exists": True}}):
            await kill_sessions(own, lease["sessions"])
        await end_leases(own)
    ended.set()
    await writing
    async with _keeper(mongodb_uri, own.name) as process:
        await _until_held(own)
        await _until_true(own)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0

    await assert_true(own, datetime.now(UTC), ZONE)
    assert await read_kept(own, ZONE, datetime.now(UTC), Reading())


@asynccontextmanager
async def _keeper(uri: str, name: str) -> AsyncIterator[subprocess.Popen[bytes]]:
    environment = os.environ | {"MONGODB_URI": uri, "AUDIENCE_DATABASE": name}
    process = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-m", "server", "keep"],
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


async def _write(db: Database, ended: asyncio.Event) -> None:
    number = 0
    while not ended.is_set():
        now = datetime.now(UTC)
        people = [f"p{(number + each) % 60}@shop.example" for each in range(7)]
        events = [NewEvent(Identity(email=each), "Ordered", now) for each in people]
        await track_events(db, events, now)
        number += 7
        if number % 5 == 0:
            await _upset(db, now)
        await asyncio.sleep(0.02)


async def _upset(db: Database, now: datetime) -> None:
    """A definition changes, two people turn out to be one, and another is erased."""
    segment = random.choice(await find(db.segments, {}))
    definition = _ordered(random.randint(1, 6))
    await update_segment(db, segment["_id"], now=now, definition=definition)
    people = [row["_id"] for row in await find(db.profiles, {}, {"_id": 1})]
    if len(people) >= 3:
        one, other, erased = random.sample(people, 3)
        await merge_profiles(db, one, other, now)
        await erase_profile(db, erased, now, method="API")


async def _until_held(db: Database) -> None:
    async with asyncio.timeout(60):
        while await _held(db) < SHARES:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def _held(db: Database) -> int:
    now = datetime.now(UTC)
    return await db.keeper_shares.count_documents({"until": {"$gt": now}})


async def _until_true(db: Database) -> None:
    async with asyncio.timeout(60):
        while await _is_untrue(db):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def _is_untrue(db: Database) -> bool:
    """Whether there is more to be found, shown or logged."""
    staged = {"staged": {"$exists": True}}
    freshness = await freshness_of(db, await find(db.segments, {}))
    return (
        any(each.is_building for each in freshness)
        or await db.segment_members.count_documents(staged) > 0
        or await shown(db) != await true_members(db, datetime.now(UTC), ZONE)
    )


def _ordered(least: int) -> dict[str, object]:
    event = {
        "metric": {"name": "Ordered"},
        "measure": "COUNT",
        "compare": {"atLeast": least},
        "during": {"inTheLast": {"amount": 30, "unit": "DAY"}},
    }
    return {"groups": [{"anyOf": [{"event": event}]}]}
