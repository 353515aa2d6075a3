"""Generated people and what they did, skewed as in a real shop: made by DuckDB, kept in
a file of its own, and loaded into MongoDB from there. So both know the same."""

import math
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import duckdb
from bson import ObjectId

from audience.events import SUMMARY_TIMES
from bench.database import FOLDER
from bench.questions import Data
from resolvers.collections import prepare
from resolvers.db import Database, Document, at_once, close, connect
from resolvers.metrics import ensure_metrics

METRICS = (
    "Opened Email",
    "Viewed Product",
    "Started Checkout",
    "Placed Order",
    "Probe",
)
CITIES = tuple(f"City {number}" for number in range(200))
TIERS = ("bronze", "silver", "gold")
CATEGORIES = ("shoes", "shirts", "trousers", "coats", "hats", "bags", "belts", "socks")
LIST = ObjectId("5f0000000000000000000001")

_BLOCK = 5_000
_COUNTRIES = ("Germany", "France", "United States", "Peru")

# A number from 0 below 1 for a row, the same in every run; and a normal one.
_CHANCE = """
CREATE MACRO chance(number, salt) AS
  (hash(number * 64 + salt) >> 11)::DOUBLE / 9007199254740992.0;
CREATE MACRO bell(number, salt) AS
  sqrt(-2 * ln(1 - chance(number, salt))) * cos(2 * pi() * chance(number, salt + 1));
"""

# People joined over two years, ever more of them, and half have stopped coming. One in
# seven has done nothing; among the others a few have done hundreds of times as much as
# most.
_PEOPLE = """
CREATE TABLE people AS
WITH joined AS (
  SELECT range::INTEGER AS number,
    date_trunc('second', $now - to_seconds((
      63072000 * chance(range, 1) ** 1.5)::BIGINT)) AS created
  FROM range($people)
)
SELECT number, created,
  CASE WHEN chance(number, 2) < 0.5 THEN $now
    ELSE least($now, created + to_seconds(
      (86400 * 90 * exp(bell(number, 3)))::BIGINT)) END AS until,
  CASE WHEN chance(number, 5) < 0.15 THEN 0 ELSE exp(1.4 * bell(number, 6)) END
    AS weight,
  (200 * chance(number, 8) ** 2)::INTEGER % 200 AS city,
  (chance(number, 9) * 4)::INTEGER % 4 AS country,
  least(2, (chance(number, 10) ** 2 * 3)::INTEGER) AS tier,
  (chance(number, 11) * 1000)::INTEGER AS points,
  DATE '1960-01-01' + (chance(number, 12) * 16000)::INTEGER AS birthday,
  CASE WHEN chance(number, 13) < 0.6 THEN 'SUBSCRIBED'
    WHEN chance(number, 13) < 0.8 THEN 'UNSUBSCRIBED' END AS consent,
  chance(number, 14) < 0.03 AS suppressed,
  number % 4 = 0 AS listed
FROM joined;
"""

_EVENTS = """
CREATE TABLE events AS
WITH shares AS (
  SELECT number, created, until, epoch(until) - epoch(created) AS span,
    sum(weight) OVER (ORDER BY number) - weight AS start
  FROM people WHERE weight > 0
), whole AS (SELECT sum(weight) AS weight FROM people), placed AS (
  SELECT range AS place, (range + 0.5) / $events * whole.weight AS at
  FROM range($events), whole
), made AS (
  SELECT place, number AS person,
    created + to_milliseconds((1000 * span * chance(place, 20))::BIGINT) AS time,
    chance(place, 21) AS kind,
    round(20 + 40 * exp(0.8 * bell(place, 22)), 2) AS price,
    (200 * chance(place, 24) ** 3)::INTEGER AS sku
  FROM placed ASOF JOIN shares ON placed.at >= shares.start
)
SELECT row_number() OVER (ORDER BY time, place)::INTEGER AS number, person,
  CASE WHEN kind < 0.46 THEN 0 WHEN kind < 0.86 THEN 1 WHEN kind < 0.94 THEN 2
    ELSE 3 END::TINYINT AS metric,
  time, CASE WHEN kind >= 0.86 THEN price END AS value, sku, sku % 8 AS category
FROM made ORDER BY number;
"""


@dataclass(frozen=True, slots=True)
class Generated:
    """The data as tables `people` and `events`, and the instant they end at."""

    tables: duckdb.DuckDBPyConnection
    now: datetime


def profile_id(number: int, created: datetime) -> ObjectId:
    """The id of a person, in the order of their creation."""
    return ObjectId(f"{int(created.timestamp()):08x}{number:016x}")


def number_of(profile_id: ObjectId) -> int:
    """The person's number."""
    return int.from_bytes(profile_id.binary[4:])


def email_of(number: int) -> str:
    return f"p{number}@shop.example"


def generated(folder: Path, people: int, events: int) -> Generated:
    """The data, made unless they are there from an earlier run."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"generated-{people}-{events}.duckdb"
    if not path.exists():
        making = path.with_suffix(".making")
        making.unlink(missing_ok=True)
        with duckdb.connect(str(making)) as tables:
            now = datetime.now(UTC).replace(microsecond=0, tzinfo=None)
            tables.execute(_CHANCE)
            tables.execute(_PEOPLE, {"now": now, "people": people})
            tables.execute(_EVENTS, {"events": events})
            tables.execute("CREATE TABLE made AS SELECT $now AS now", {"now": now})
        making.rename(path)
    tables = duckdb.connect(str(path), read_only=True)
    tables.execute("SET threads = 2")
    row = tables.execute("SELECT now FROM made").fetchone()
    if row is None:
        raise RuntimeError(f"{path} is damaged: delete it.")
    return Generated(tables, row[0].replace(tzinfo=UTC))


@asynccontextmanager
async def loaded(uri: str, people: int, events: int) -> AsyncIterator[Data]:
    """The data in both databases, loaded unless they are there from an earlier run."""
    data = generated(FOLDER, people, events)
    db = connect(uri, f"generated_{people}_{events}")
    try:
        await fill(db, data, people)
        yield Data(db, data.tables, data.now, number_of)
    finally:
        await close(db)


async def fill(db: Database, data: Generated, people: int) -> None:
    """Loads the data, unless they are there: events in the order of their times, each
    index built once at the end, each profile with its finished summary."""
    await prepare(db)
    if await db.profiles.estimated_document_count() >= people:
        return
    for each in (db.profiles, db.events, db.metrics, db.lists):
        await each.delete_many({})
    await db.events.drop_indexes()
    metrics = await ensure_metrics(db, METRICS, data.now)
    ids: dict[int, ObjectId] = {}
    await db.lists.insert_one(
        {"_id": LIST, "name": "News", "name_key": "news", "opt_in": "SINGLE"}
        | {"created_at": data.now, "updated_at": data.now}
    )
    for block in _blocks(data, "SELECT number, created FROM people"):
        ids |= {number: profile_id(number, _utc(at)) for number, at in block}
    keys = [metrics[name]["_id"] for name in METRICS]
    for block in _blocks(data, "SELECT * FROM events ORDER BY number"):
        rows = [_event(row, ids, keys) for row in block]
        await at_once(db.events).insert_many(
            rows, ordered=False, bypass_document_validation=True
        )
    await prepare(db)
    summaries = _summaries(data, [metrics[name]["key"] for name in METRICS])
    waiting = next(summaries, None)
    for block in _blocks(data, "SELECT * FROM people ORDER BY number"):
        profiles = []
        for row in block:
            summary: Document = {}
            if waiting is not None and waiting[0] == row[0]:
                summary, waiting = waiting[1], next(summaries, None)
            profiles.append(_profile(row, ids[row[0]], summary))
        await db.profiles.insert_many(profiles, ordered=False)


def _blocks(data: Generated, sql: str) -> Iterator[list[tuple[Any, ...]]]:
    rows = data.tables.cursor().execute(sql)
    while block := rows.fetchmany(_BLOCK):
        yield block


def _event(
    row: tuple[Any, ...], ids: dict[int, ObjectId], metrics: Sequence[ObjectId]
) -> Document:
    number, person, metric, time, value, sku, category = row
    at = _utc(time)
    event: Document = {
        "_id": ObjectId(f"{int(at.timestamp()):08x}{number:016x}"),
        "profile_id": ids[person],
        "metric_id": metrics[metric],
        "timestamp": at,
        "unique_id": str(number),
        "properties": {"sku": f"sku{sku}", "category": CATEGORIES[category]},
    }
    if value is not None:
        event["value"] = value
        event["currency"] = "EUR"
    return event


def _profile(row: tuple[Any, ...], _id: ObjectId, summary: Document) -> Document:
    number, created, _, _, city, country, tier, points, birthday = row[:9]
    consent, suppressed, listed = row[9:]
    born: date = birthday
    at = _utc(created)
    email: Document = {}
    if consent is not None:
        email = {"status": consent, "method": "API", "updated_at": at}
        if suppressed:
            email["suppression"] = {"reason": "HARD_BOUNCE", "at": at}
    member = {"list_id": LIST, "joined_at": at, "source": "API"}
    profile: Document = {
        "_id": _id,
        "email": email_of(number),
        "first_name": f"Person {number}",
        "location": {"city": CITIES[city], "country": _COUNTRIES[country]},
        "properties": {
            "tier": TIERS[tier],
            "points": points,
            "birthday": born.isoformat(),
        },
        "created_at": at,
        "updated_at": at,
        "search": [email_of(number)],
        "consent": {"email": email} if email else {},
        "lists": [member] if listed else [],
        "summary": summary,
    }
    with suppress(ValueError):
        profile["last_event_at"] = max(each["l"] for each in summary.values())
    return profile


def _summaries(
    data: Generated, keys: Sequence[str]
) -> Iterator[tuple[int, dict[str, Document]]]:
    """The summary of each person who has done something, in their order."""
    rows = data.tables.cursor().execute(
        f"""
        SELECT person, metric, count(*), min(time), fsum(coalesce(value, 0)),
          max(time, {SUMMARY_TIMES})
        FROM events GROUP BY person, metric ORDER BY person, metric
        """  # noqa: S608 - a number of ours
    )
    each = (row for block in iter(lambda: rows.fetchmany(_BLOCK), []) for row in block)
    for person, mine in groupby(each, itemgetter(0)):
        summary = {}
        for _, metric, count, first, total, newest in mine:
            times = sorted(map(_utc, newest), reverse=True)
            summary[keys[metric]] = {
                "n": count,
                "f": _utc(first),
                "l": times[0],
                "s": math.fsum((total,)),
                "t": times,
            }
        yield person, summary


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC)
