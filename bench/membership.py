"""How fast kept memberships follow: generated people and events, segments of all
kinds, a keeper in a process of its own, and events at a steady rate."""

import asyncio
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from rich.table import Table

from audience.events import NewEvent
from audience.identity import Identity
from bench.compare import show
from bench.database import FOLDER
from bench.generated import CITIES, LIST, METRICS, email_of, fill, generated
from resolvers.db import Database, Document, close, connect, find
from resolvers.events import track_events
from resolvers.memberships import kept_members, kept_sizes
from resolvers.pages import PageRequest
from resolvers.segments import create_segment

PROBE = "Probe me"


async def measure(
    uri: str, people: int, events: int, segments: int, rate: int, seconds: float
) -> None:
    """Fills a database for these numbers, unless it is there; then measures."""
    name = f"membership_{people}_{events}"
    db = connect(uri, name)
    try:
        await fill(db, generated(FOLDER, people, events), people)
        for each in (db.segments, db.segment_members, db.segment_changes):
            await each.delete_many({})
        await db.keeper_shares.delete_many({})
        alone = await _ingestion(db, people)
        now = datetime.now(UTC)
        for title, definition in _definitions()[:segments]:
            await create_segment(db, title, definition, now=now)
        await create_segment(db, PROBE, _did("Probe", {"atLeast": 1}, 1), now=now)
        keeper = _start(uri, name)
        try:
            built = await _built(db)
            peak = _peak_mb(keeper.pid)
            waits = await _latencies(db, people, rate, seconds)
            beside = await _ingestion(db, people)
            sizes, page = await _reads(db)
        finally:
            keeper.terminate()
            keeper.wait(30)
    finally:
        await close(db)
    waits.sort()
    table = Table(title=f"{people:,} profiles, {events:,} events, {segments} segments")
    table.add_column("What")
    table.add_column("Figure", justify="right")
    for what, figure in (
        ("all memberships built, s", f"{built:.1f}"),
        ("keeper's largest memory, MB", f"{peak:.0f}"),
        (f"event to membership at {rate}/s, ms, median", f"{_at(waits, 0.5):.0f}"),
        ("the same, p99", f"{_at(waits, 0.99):.0f}"),
        ("probes", f"{len(waits)}"),
        ("ingestion without a keeper, events/s", f"{alone:.0f}"),
        ("ingestion beside it, events/s", f"{beside:.0f}"),
        ("sizes of all, in one read, ms", f"{sizes:.1f}"),
        ("a page of members, ms", f"{page:.1f}"),
    ):
        table.add_row(what, figure)
    show(table)


def _definitions() -> list[tuple[str, Document]]:
    found: list[tuple[str, Document]] = []
    for number in range(10):
        days = 7 * (number + 1)
        metric = METRICS[number % 4]
        found += [
            (f"Did {number}", _did(metric, {"atLeast": 1 + number % 3}, days)),
            (f"Did not {number}", _did(metric, {"equals": 0}, days)),
            (
                f"City {number}",
                _property("location.city", {"text": {"equals": CITIES[number]}}),
            ),
            (
                f"Big {number}",
                _both(
                    _did("Placed Order", {"atLeast": 1}, 90),
                    _did("Opened Email", {"equals": 0}, 10 + number),
                    {"groups": [{"anyOf": [{"list": {"listId": f"lst_{LIST}"}}]}]},
                ),
            ),
            (f"Kind {number}", _kind(number)),
        ]
    return found


def _kind(number: int) -> Document:
    consent = {"consent": {"channel": "EMAIL", "canReceiveMarketing": True}}
    kinds: tuple[Document, ...] = (
        _property("properties.tier", {"text": {"equals": "gold"}}),
        {"groups": [{"anyOf": [consent]}]},
        _property("properties.birthday", {"date": {"anniversary": {"today": True}}}),
        _property("createdAt", {"date": {"during": {"inTheLast": _days(30)}}}),
        _did("Placed Order", {"atLeast": 500}, 30, measure="SUM"),
        _did(
            "Placed Order",
            {"atLeast": 1},
            14,
            where=[{"path": "properties.sku", "is": {"text": {"equals": "sku7"}}}],
        ),
        _property("properties.points", {"number": {"atLeast": 900}}),
        {"groups": [{"anyOf": [{"sample": {"percent": 5}}]}]},
        _both(
            _property("properties.tier", {"text": {"equals": "silver"}}),
            _did("Viewed Product", {"atLeast": 25}, 365),
        ),
        {
            "groups": [
                {"anyOf": [{"list": {"listId": f"lst_{LIST}", "isMember": False}}]}
            ]
        },
    )
    return kinds[number]


def _did(
    metric: str,
    compare: Document,
    days: int,
    *,
    measure: str = "COUNT",
    where: list[Document] | None = None,
) -> Document:
    event: Document = {
        "metric": {"name": metric},
        "measure": measure,
        "compare": compare,
        "during": {"inTheLast": _days(days)},
    }
    if where:
        event["where"] = where
    return {"groups": [{"anyOf": [{"event": event}]}]}


def _days(amount: int) -> Document:
    return {"amount": amount, "unit": "DAY"}


def _property(path: str, comparison: Document) -> Document:
    filter = {"path": path, "is": comparison}
    return {"groups": [{"anyOf": [{"property": {"filter": filter}}]}]}


def _both(*definitions: Document) -> Document:
    return {"groups": [group for each in definitions for group in each["groups"]]}


def _start(uri: str, name: str) -> subprocess.Popen[bytes]:
    environment = os.environ | {"MONGODB_URI": uri, "AUDIENCE_DATABASE": name}
    return subprocess.Popen(
        [sys.executable, "-m", "server", "keep"],
        env=environment | {"AUDIENCE_LOG_LEVEL": "warning"},
        stdout=subprocess.DEVNULL,
    )


async def _built(db: Database) -> float:
    start = time.perf_counter()
    while await db.segments.count_documents({"kept": None}):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    return time.perf_counter() - start


async def _latencies(
    db: Database, people: int, rate: int, seconds: float
) -> list[float]:
    """Milliseconds from an acknowledged event until its profile is seen to be in."""
    ended = asyncio.Event()
    load = asyncio.create_task(_steady(db, people, rate, ended))
    probe = await db.segments.find_one({"name": PROBE})
    assert probe is not None  # noqa: S101 - made above
    waits: list[float] = []
    number = 0
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        await asyncio.sleep(0.1)
        (tracked,) = await track_events(
            db,
            [NewEvent(Identity(email=email_of(number)), "Probe", datetime.now(UTC))],
            datetime.now(UTC),
        )
        number += 1
        start = time.perf_counter()
        assert tracked.event is not None  # noqa: S101 - accepted
        mine = {
            "segment_id": probe["_id"],
            "profile_id": tracked.event["profile_id"],
        }
        while await db.segment_members.find_one(mine, {"_id": 1}) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        waits.append((time.perf_counter() - start) * 1_000)
    ended.set()
    await load
    return waits


async def _steady(db: Database, people: int, rate: int, ended: asyncio.Event) -> None:
    random = Random(2)
    while not ended.is_set():
        start = time.perf_counter()
        await track_events(db, _events(random, people, rate // 10), datetime.now(UTC))
        rest = 0.1 - (time.perf_counter() - start)
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), max(0.001, rest))


async def _ingestion(db: Database, people: int) -> float:
    """Events a second, in batches of 500 by two writers."""
    random = Random(time.time_ns())
    batches = [_events(random, people, 500) for _ in range(12)]
    start = time.perf_counter()

    async def write(some: list[list[NewEvent]]) -> None:
        for each in some:
            await track_events(db, each, datetime.now(UTC))

    await asyncio.gather(write(batches[::2]), write(batches[1::2]))
    return 6_000 / (time.perf_counter() - start)


def _events(random: Random, people: int, count: int) -> list[NewEvent]:
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


async def _reads(db: Database) -> tuple[float, float]:
    rows = await find(db.segments, {})
    large = max(zip(await kept_sizes(db, rows), range(len(rows)), strict=True))[1]

    async def timed(read: Callable[[], Any]) -> float:
        times = []
        for _ in range(20):
            start = time.perf_counter()
            await read()
            times.append((time.perf_counter() - start) * 1_000)
        return statistics.median(times)

    sizes = await timed(lambda: kept_sizes(db, rows))
    page = PageRequest(size=50)
    return sizes, await timed(lambda: kept_members(db, [rows[large]], page))


def _peak_mb(pid: int) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1_024
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1_024


def _at(waits: list[float], share: float) -> float:
    return waits[min(len(waits) - 1, int(len(waits) * share))] if waits else 0.0
