"""How long it takes until kept memberships show what happened: an event, or time that
passed, while events come at a steady rate."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random

from bson import ObjectId

from audience.events import NewEvent
from audience.identity import Identity
from bench.generated import METRICS, email_of
from bench.keeper_process import keeping
from bench.load import BenchFailed, peak_megabytes
from resolvers.db import Database, find
from resolvers.events import track_events
from resolvers.metrics import ensure_metrics

Row = tuple[str, str]
PROBE = "Probe me"


async def follow_delays(
    db: Database, uri: str, people: int, rate: int, seconds: float
) -> list[Row]:
    """From an acknowledged event until its profile is seen to be in."""
    async with keeping(db, uri) as pid, _steady(db, people, rate):
        waits = await _latencies(db, people, seconds)
        peak = peak_megabytes(pid)
    return [
        (f"event to membership at {rate}/s, ms, median", f"{_at(waits, 0.5):.0f}"),
        ("the same, p99", f"{_at(waits, 0.99):.0f}"),
        ("the same, longest", f"{waits[-1]:.0f}"),
        ("probes", f"{len(waits)}"),
        ("keeper's largest memory, MB", f"{peak:.0f}"),
    ]


async def time_delays(
    db: Database, uri: str, people: int, rate: int, seconds: float
) -> list[Row]:
    """From the instant at which time alone puts somebody in or out until that is
    kept: out of a window, in by an event dated ahead, out by a date of the profile."""
    probe = await _segment_id(db, PROBE)
    dated = await db.segments.find_one({"name": "Kind 3"})
    random = Random(time.time_ns())
    chosen = random.sample(range(people // 2), 60)
    found: list[Row] = []
    async with keeping(db, uri), _steady(db, people, rate):
        now = datetime.now(UTC)
        ahead = [now + timedelta(seconds=5 + each) for each in range(20)]
        leaving, coming, ageing = chosen[:20], chosen[20:40], chosen[40:]
        day = timedelta(days=1)
        await _probe(db, leaving, [at - day for at in ahead])
        await _probe(db, coming, ahead)
        watched = [
            ("a window moves on", probe, await _ids(db, leaving), False),
            ("the time of an event comes", probe, await _ids(db, coming), True),
        ]
        if dated is not None:
            ids = await _ids(db, ageing)
            for one, at in zip(ids, ahead, strict=True):
                created = {"$set": {"created_at": at - 30 * day}}
                await db.profiles.update_one({"_id": one}, created)
            watched.append(("a date of a profile", dated["_id"], ids, False))
        measured = await asyncio.gather(
            *(_lags(db, it, ids, ahead, comes) for _, it, ids, comes in watched)
        )
    for (what, *_), lags in zip(watched, measured, strict=True):
        figure = f"{_at(lags, 0.5):.1f} / {lags[-1]:.1f}"
        found.append((f"{what}: s until it is kept, median / longest", figure))
    return found


async def _probe(
    db: Database, numbers: Sequence[int], times: Sequence[datetime]
) -> None:
    await db.events.delete_many(
        {"metric_id": (await ensure_metrics(db, ["Probe"], times[0]))["Probe"]["_id"]}
        | {"profile_id": {"$in": await _ids(db, numbers)}}
    )
    await track_events(
        db,
        [
            NewEvent(Identity(email=email_of(number)), "Probe", at)
            for number, at in zip(numbers, times, strict=True)
        ],
        datetime.now(UTC),
    )


async def _ids(db: Database, numbers: Sequence[int]) -> list[ObjectId]:
    emails = [email_of(number) for number in numbers]
    rows = await find(db.profiles, {"email": {"$in": emails}}, {"email": 1})
    ids = {row["email"]: row["_id"] for row in rows}
    return [ids[email] for email in emails]


async def _lags(
    db: Database,
    segment: ObjectId,
    ids: Sequence[ObjectId],
    times: Sequence[datetime],
    comes: bool,
) -> list[float]:
    due = dict(zip(ids, times, strict=True))
    lags: list[float] = []
    while due:
        rows = await find(
            db.segment_members,
            {"segment_id": segment, "profile_id": {"$in": list(due)}},
            {"profile_id": 1},
        )
        members = {row["profile_id"] for row in rows}
        now = datetime.now(UTC)
        for one, at in list(due.items()):
            if (one in members) is comes and now >= at:
                lags.append((now - at).total_seconds())
                del due[one]
        if due and now > max(due.values()) + timedelta(seconds=90):
            raise BenchFailed(f"{len(due)} changes by time were not kept in 90 s.")
        await asyncio.sleep(0.02)
    return sorted(lags)


async def _segment_id(db: Database, name: str) -> ObjectId:
    row = await db.segments.find_one({"name": name})
    if row is None:
        raise BenchFailed(f"There is no segment {name!r}.")
    found: ObjectId = row["_id"]
    return found


async def _latencies(db: Database, people: int, seconds: float) -> list[float]:
    """Milliseconds of each probe, ascending."""
    probe = await _segment_id(db, PROBE)
    waits: list[float] = []
    random = Random(time.time_ns())
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        await asyncio.sleep(0.1)
        number = random.randrange(people // 2, people)
        event = NewEvent(Identity(email=email_of(number)), "Probe", datetime.now(UTC))
        (one,) = await _ids(db, [number])
        mine = {"segment_id": probe, "profile_id": one}
        if await db.segment_members.find_one(mine, {"_id": 1}) is not None:
            continue
        (tracked,) = await track_events(db, [event], datetime.now(UTC))
        start = time.perf_counter()
        if tracked.event is None:
            raise BenchFailed(f"An event was refused: {tracked.error}")
        while await db.segment_members.find_one(mine, {"_id": 1}) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        waits.append((time.perf_counter() - start) * 1_000)
    return sorted(waits)


@contextlib.asynccontextmanager
async def _steady(db: Database, people: int, rate: int) -> AsyncIterator[None]:
    """So many events a second, in batches ten times a second."""
    ended = asyncio.Event()
    random = Random(2)

    async def write() -> None:
        due = time.perf_counter()
        while not ended.is_set():
            some = random_events(random, people, rate // 10)
            await track_events(db, some, datetime.now(UTC))
            due += 0.1
            with suppress(TimeoutError):
                rest = max(0.001, due - time.perf_counter())
                await asyncio.wait_for(ended.wait(), rest)

    load = asyncio.create_task(write())
    try:
        yield
    finally:
        ended.set()
        await load


def _at(waits: list[float], share: float) -> float:
    return waits[min(len(waits) - 1, int(len(waits) * share))] if waits else 0.0


def random_events(random: Random, people: int, count: int) -> list[NewEvent]:
    now = datetime.now(UTC)
    return [
        NewEvent(
            Identity(email=email_of(random.randrange(people))),
            random.choice(METRICS[:4]),
            now,
            float(random.randrange(5, 200)),
        )
        for _ in range(count)
    ]
