"""How fast kept memberships follow: generated people and events, segments of all
kinds, a keeper in a process of its own, and events at a steady rate.

Each phase can be run by itself, after `build` has been run once.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from rich.table import Table

from audience.events import NewEvent
from bench.compare import show
from bench.generated import METRICS, fill, generated
from bench.keeper_process import keeping
from bench.kept_segments import definitions, did
from bench.load import BenchFailed, cpu_seconds, peak_megabytes
from bench.membership_delays import (
    PROBE,
    Row,
    follow_delays,
    random_events,
    time_delays,
)
from resolvers.db import Database, aggregate, close, connect, find
from resolvers.events import track_events
from resolvers.memberships import freshness_of, kept_members, kept_sizes
from resolvers.metrics import ensure_metrics
from resolvers.pages import PageRequest
from resolvers.segments import create_segment, segment_questions

PHASES = ("build", "check", "reads", "ingest", "follow", "time")
ROUNDS = 5


async def measure(
    uri: str,
    mongod: int,
    folder: Path,
    people: int,
    events: int,
    segments: int,
    rate: int,
    seconds: float,
    phases: Sequence[str],
) -> None:
    """Fills a database for these numbers, unless it is there; then measures."""
    unknown = set(phases) - set(PHASES)
    if unknown:
        raise BenchFailed(f"There is no phase {', '.join(sorted(unknown))}.")
    name = f"kept_{people}_{events}"
    db = connect(uri, name)
    rows: list[Row] = []
    try:
        await fill(db, generated(folder, people, events), people)
        if "build" in phases:
            rows += await _build(db, uri, mongod, segments)
        if await db.segments.count_documents({"kept": {"$ne": None}}) != segments + 1:
            raise BenchFailed(
                "Memberships are not built for this: add the phase build."
            )
        if "check" in phases:
            rows += await _check(db)
        if "reads" in phases:
            rows += await _reads(db)
        if "ingest" in phases:
            rows += await _ingest(db, uri, people)
        if "follow" in phases:
            rows += await follow_delays(db, uri, people, rate, seconds)
        if "time" in phases:
            rows += await time_delays(db, uri, people, rate, seconds)
    finally:
        await close(db)
    table = Table(title=f"{people:,} profiles, {events:,} events, {segments} segments")
    table.add_column("What")
    table.add_column("Figure", justify="right")
    for row in rows:
        table.add_row(*row)
    show(table)


async def _build(db: Database, uri: str, mongod: int, segments: int) -> list[Row]:
    """All memberships from nothing, and what is kept is what is answered."""
    for each in (db.segments, db.segment_members, db.segment_changes):
        await each.delete_many({})
    await db.keeper_shares.delete_many({})
    now = datetime.now(UTC)
    await ensure_metrics(db, METRICS, now)
    for title, definition in definitions()[:segments]:
        await create_segment(db, title, definition, now=now)
    await create_segment(db, PROBE, did("Probe", {"atLeast": 1}, 1), now=now)
    used = cpu_seconds(mongod)
    async with keeping(db, uri, awaited=False) as pid:
        start = time.perf_counter()
        while await db.segments.count_documents({"kept": None}):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        built = time.perf_counter() - start
        keeper, peak = cpu_seconds(pid), peak_megabytes(pid)
    members = await db.segment_members.estimated_document_count()
    return [
        ("all memberships built from nothing, s", f"{built:.1f}"),
        ("memberships", f"{members:,}"),
        (
            "processor time of the keeper / of mongod, s",
            f"{keeper:.0f} / {cpu_seconds(mongod) - used:.0f}",
        ),
        ("keeper's largest memory, MB", f"{peak:.0f}"),
    ]


async def _check(db: Database) -> list[Row]:
    """What is kept is what is answered at the instant up to which it is kept."""
    rows = await find(db.segments, {})
    freshness = await freshness_of(db, rows)
    people = 0
    for segment, fresh in zip(rows, freshness, strict=True):
        if fresh.as_of is None:
            raise BenchFailed(f"{segment['name']} is not kept.")
        (asked,) = await segment_questions(db, [segment], fresh.as_of, UTC)
        true = {row["_id"] for row in await aggregate(db.profiles, asked.stages)}
        mine = {"segment_id": segment["_id"]}
        members = await find(db.segment_members, mine, {"profile_id": 1})
        if {row["profile_id"] for row in members} != true:
            raise BenchFailed(f"{segment['name']} is kept wrongly.")
        people += len(true)
    return [("equal to what is answered on demand", f"{people:,} memberships")]


async def _reads(db: Database) -> list[Row]:
    """What single reads take in the database, by its own count of microseconds."""
    rows = await find(db.segments, {})
    sizes = await kept_sizes(db, rows)
    ranked = sorted(zip(sizes, range(len(rows)), strict=True))
    found: list[Row] = []
    one = rows[ranked[-1][1]]
    for what, read in (
        ("sizes of all, in one read", lambda: kept_sizes(db, rows)),
        ("the size of one", lambda: kept_sizes(db, [one])),
    ):
        found.append((f"{what}, ms in the database", await _in_database(db, read)))
    for size, place in (ranked[0], ranked[len(ranked) // 2], ranked[-1]):
        segment = rows[place]
        first = PageRequest(size=50)
        (page,) = await kept_members(db, [segment], first)
        middle = await db.segment_members.find_one(
            {"segment_id": segment["_id"]}, sort=[("profile_id", 1)], skip=size // 2
        )
        found.append(
            (
                f"50 of {size:,} members with their profiles, ms in the database",
                await _in_database(db, lambda: kept_members(db, [segment], first)),  # noqa: B023
            )
        )
        if middle is not None and page.rows:
            after = page.cursor({"_id": middle["profile_id"]})
            deep = PageRequest(size=50, after=after)
            found.append(
                (
                    f"the same from the middle of {size:,} on",
                    await _in_database(db, lambda: kept_members(db, [segment], deep)),  # noqa: B023
                )
            )
    return found


async def _in_database(db: Database, read: Callable[[], Awaitable[Any]]) -> str:
    """The median of 40, of all commands of the read together; and with the driver."""
    inside: list[float] = []
    whole: list[float] = []
    for _ in range(40):
        before = await _latency(db)
        start = time.perf_counter()
        await read()
        whole.append((time.perf_counter() - start) * 1_000)
        inside.append((await _latency(db) - before) / 1_000)
    one, other = statistics.median(inside), statistics.median(whole)
    return f"{one:.2f} ({other:.1f} with the driver)"


async def _latency(db: Database) -> int:
    status = await db.client.admin.command(
        {"serverStatus": 1, "repl": 0, "metrics": 0, "wiredTiger": 0}
    )
    micros: int = status["opLatencies"]["reads"]["latency"]
    return micros


async def _ingest(db: Database, uri: str, people: int) -> list[Row]:
    """Events a second without a keeper and beside one, in turns."""
    await _written(db, people)
    alone: list[float] = []
    beside: list[float] = []
    for _ in range(ROUNDS):
        alone.append(await _written(db, people))
        async with keeping(db, uri):
            beside.append(await _written(db, people))
    one, other = statistics.median(alone), statistics.median(beside)
    return [
        ("ingestion without a keeper, events/s", f"{one:,.0f}"),
        ("ingestion beside it, events/s", f"{other:,.0f}"),
        ("ratio", f"{other / one:.2f}"),
    ]


async def _written(db: Database, people: int) -> float:
    """Events a second, in batches of 500 by two writers."""
    random = Random(time.time_ns())
    batches = [random_events(random, people, 500) for _ in range(12)]
    start = time.perf_counter()

    async def write(some: list[list[NewEvent]]) -> None:
        for each in some:
            await track_events(db, each, datetime.now(UTC))

    await asyncio.gather(write(batches[::2]), write(batches[1::2]))
    return 6_000 / (time.perf_counter() - start)
