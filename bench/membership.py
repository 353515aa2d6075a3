"""How fast kept memberships follow: generated people and events, segments of all
kinds, a keeper in a process of its own, and events at a steady rate.

Each phase can be run by itself, after `build` has been run once.
"""

import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from bson import ObjectId
from rich.table import Table

from audience.events import NewEvent
from audience.identity import Identity
from bench.compare import show
from bench.generated import CITIES, LIST, METRICS, email_of, fill, generated
from bench.load import BenchFailed
from resolvers.db import Database, Document, aggregate, close, connect, find
from resolvers.events import track_events
from resolvers.memberships import freshness_of, kept_members, kept_sizes
from resolvers.metrics import ensure_metrics
from resolvers.pages import PageRequest
from resolvers.segments import create_segment, segment_questions

PROBE = "Probe me"
PHASES = ("build", "check", "reads", "ingest", "follow", "time")
ROUNDS = 5

Row = tuple[str, str]


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
            rows += await _follow(db, uri, people, rate, seconds)
        if "time" in phases:
            rows += await _time(db, uri, people, rate, seconds)
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
    for title, definition in _definitions()[:segments]:
        await create_segment(db, title, definition, now=now)
    await create_segment(db, PROBE, _did("Probe", {"atLeast": 1}, 1), now=now)
    used = _cpu(mongod)
    async with _keeping(db, uri, awaited=False) as pid:
        start = time.perf_counter()
        while await db.segments.count_documents({"kept": None}):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        built = time.perf_counter() - start
        keeper, peak = _cpu(pid), _peak_mb(pid)
    members = await db.segment_members.estimated_document_count()
    return [
        ("all memberships built from nothing, s", f"{built:.1f}"),
        ("memberships", f"{members:,}"),
        (
            "processor time of the keeper / of mongod, s",
            f"{keeper:.0f} / {_cpu(mongod) - used:.0f}",
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
        async with _keeping(db, uri):
            beside.append(await _written(db, people))
    one, other = statistics.median(alone), statistics.median(beside)
    return [
        ("ingestion without a keeper, events/s", f"{one:,.0f}"),
        ("ingestion beside it, events/s", f"{other:,.0f}"),
        ("ratio", f"{other / one:.2f}"),
    ]


async def _follow(
    db: Database, uri: str, people: int, rate: int, seconds: float
) -> list[Row]:
    """From an acknowledged event until its profile is seen to be in."""
    async with _keeping(db, uri) as pid, _steady(db, people, rate):
        waits = await _latencies(db, people, seconds)
        peak = _peak_mb(pid)
    return [
        (f"event to membership at {rate}/s, ms, median", f"{_at(waits, 0.5):.0f}"),
        ("the same, p99", f"{_at(waits, 0.99):.0f}"),
        ("the same, longest", f"{waits[-1]:.0f}"),
        ("probes", f"{len(waits)}"),
        ("keeper's largest memory, MB", f"{peak:.0f}"),
    ]


async def _time(
    db: Database, uri: str, people: int, rate: int, seconds: float
) -> list[Row]:
    """From the instant at which time alone puts somebody in or out until that is
    kept: out of a window, in by an event dated ahead, out by a date of the profile."""
    probe = await _segment_id(db, PROBE)
    dated = await db.segments.find_one({"name": "Kind 3"})
    random = Random(time.time_ns())
    chosen = random.sample(range(people // 2), 60)
    found: list[Row] = []
    async with _keeping(db, uri), _steady(db, people, rate):
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


@contextlib.asynccontextmanager
async def _keeping(
    db: Database, uri: str, *, awaited: bool = True
) -> AsyncIterator[int]:
    """A keeper's process; once it has caught up, unless it is not awaited."""
    environment = os.environ | {"MONGODB_URI": uri, "AUDIENCE_DATABASE": db.name}
    process = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-m", "server", "keep"],
        env=environment | {"AUDIENCE_LOG_LEVEL": "warning"},
        stdout=subprocess.DEVNULL,
    )
    try:
        if awaited:
            await _fresh(db)
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


async def _fresh(db: Database) -> None:
    began = datetime.now(UTC)
    rows = await find(db.segments, {})
    async with asyncio.timeout(300):
        while True:
            instants = [it.as_of for it in await freshness_of(db, rows)]
            if all(at is not None and at >= began for at in instants):
                return
            await asyncio.sleep(0.1)


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
            some = _events(random, people, rate // 10)
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


async def _written(db: Database, people: int) -> float:
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


def _cpu(pid: int) -> float:
    """Seconds of processor time that the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1_024
    return 0.0


def _at(waits: list[float], share: float) -> float:
    return waits[min(len(waits) - 1, int(len(waits) * share))] if waits else 0.0
