"""What summaries cost: events through the function behind `trackEvents`, beside a plain
`insert_many` of the same documents into a collection with the same indexes."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import median

from bson import ObjectId
from rich.table import Table

from audience.events import MAX_BATCH, NewEvent
from audience.identity import Identity
from bench.compare import show
from bench.generated import METRICS
from bench.load import BenchFailed
from resolvers.collections import INDEXES, VALIDATORS, prepare
from resolvers.db import Database, Document, close, connect, find
from resolvers.events import track_events
from resolvers.events.indexes import make_indexes
from resolvers.summaries import rebuild_all

_BATCHES = 12


async def measure_ingestion(
    uri: str, people: int, rounds: int, indexed: Sequence[str]
) -> None:
    """Batches of events spread over so many profiles, and of one profile's history;
    `indexed`: the paths of properties with an index, which the plain collection has
    not. BenchFailed when the summaries are not those of the events."""
    db = connect(uri, f"ingestion_{ObjectId()}")
    database = db.client.get_database(db.name)
    try:
        await prepare(db)
        await make_indexes(db, indexed, datetime.now(UTC))
        ids = await _people(db, people)
        table = Table(
            title=f"{people:,} profiles, batches of {MAX_BATCH:,} events, one writer",
            caption=f"Medians of {rounds} interleaved rounds, events a second.",
        )
        for title in ("a batch is", "plain insert_many", "trackEvents", "ratio"):
            table.add_column(title, justify="left" if "batch is" in title else "right")
        for title, spread in (
            ("events of many profiles", True),
            ("one profile's history", False),
        ):
            plain, tracked = [], []
            for number in range(rounds):
                batches = _batches(Random(f"{title}{number}"), ids, number, spread)
                ours = await _track(db, batches)
                documents = await _stored(db, batches)
                tracked.append(ours)
                plain.append(await _insert(db, documents))
            middle, ours = median(plain), median(tracked)
            table.add_row(
                title, f"{middle:,.0f}", f"{ours:,.0f}", f"{ours / middle:.2f}"
            )
        checked = await rebuild_all(db)
        if checked.mended:
            raise BenchFailed(f"{checked.mended:,} summaries were wrong.")
    finally:
        await database.client.drop_database(db.name)
        await close(db)
    show(table)


async def _people(db: Database, count: int) -> list[ObjectId]:
    now = datetime.now(UTC)
    ids = [ObjectId() for _ in range(count)]
    for start in range(0, count, 5_000):
        await db.profiles.insert_many(
            [
                {
                    "_id": _id,
                    "email": f"{_id}@shop.example",
                    "properties": {"tier": "gold"},
                    "created_at": now,
                    "updated_at": now,
                    "summary": {},
                }
                for _id in ids[start : start + 5_000]
            ]
        )
    return ids


def _batches(
    random: Random, ids: Sequence[ObjectId], round_number: int, spread: bool
) -> list[list[NewEvent]]:
    now = datetime.now(UTC).replace(microsecond=0)
    batches = []
    for number in range(_BATCHES):
        one = random.choice(ids)
        batches.append(
            [
                NewEvent(
                    Identity(id=str(random.choice(ids) if spread else one)),
                    random.choices(METRICS[:4], (46, 40, 8, 6))[0],
                    now - timedelta(seconds=random.randrange(30_000_000)),
                    float(random.randrange(5, 200)),
                    "EUR",
                    {"sku": f"sku{random.randrange(200)}", "category": "shoes"},
                    f"{spread}-{round_number}-{number}-{place}",
                )
                for place in range(MAX_BATCH)
            ]
        )
    return batches


async def _track(db: Database, batches: Sequence[Sequence[NewEvent]]) -> float:
    """Events a second."""
    started = time.perf_counter()
    for batch in batches:
        outcomes = await track_events(db, batch, datetime.now(UTC))
        if any(each.event is None or each.is_duplicate for each in outcomes):
            raise BenchFailed("An event was refused.")
    return _rate(batches, started)


async def _stored(
    db: Database, batches: Sequence[Sequence[NewEvent]]
) -> list[list[Document]]:
    """The documents that the batches have become."""
    found = []
    for batch in batches:
        names = [each.unique_id for each in batch]
        profiles = [ObjectId(each.identity.id) for each in batch]
        match = {"profile_id": {"$in": profiles}, "unique_id": {"$in": names}}
        rows = {row["unique_id"]: row for row in await find(db.events, match)}
        found.append([rows[name] for name in names if name is not None])
    return found


async def _insert(db: Database, batches: Sequence[Sequence[Document]]) -> float:
    """Events a second, the same documents beside all that are there already."""
    database = db.client.get_database(db.name)
    plain = database["plain"]
    if not await plain.index_information():
        await database.create_collection("plain", validator=VALIDATORS["events"])
        await plain.create_indexes(INDEXES["events"])
    started = time.perf_counter()
    for batch in batches:
        await plain.insert_many(batch, ordered=False)
    return _rate(batches, started)


def _rate(batches: Sequence[Sequence[object]], started: float) -> float:
    return sum(map(len, batches)) / (time.perf_counter() - started)
