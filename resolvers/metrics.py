"""Metrics: the kinds of events. One comes into being with its first event."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from bson import ObjectId
from pymongo.errors import DuplicateKeyError

from audience.errors import AudienceError, LimitReached
from audience.events import MAX_METRICS
from resolvers.db import Database, Document, aggregate, find, find_by
from resolvers.ids import object_id
from resolvers.pages import Order, Page, PageRequest, read_page

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


async def metrics_by_id(
    db: Database, ids: Sequence[str | ObjectId]
) -> list[Document | None]:
    """One slot per id, in order. Each is read once: a metric is never changed or
    deleted."""
    wanted = [object_id(one) for one in ids]
    known = db.known_metrics
    unknown = [one for one in wanted if one not in known]
    if unknown:
        known |= await find_by(db, db.metrics, "_id", unknown)
    return [known.get(one) for one in wanted]


async def metrics_by_name(db: Database, names: Sequence[str]) -> list[Document | None]:
    """One slot per name, in order."""
    found = await find_by(db, db.metrics, "name", names)
    return [found.get(name) for name in names]


async def metrics_by_key(db: Database, keys: Sequence[str]) -> list[Document | None]:
    """One slot per key, as profiles' summaries use them, in order."""
    found = await find_by(db, db.metrics, "key", list(set(keys)))
    return [found.get(key) for key in keys]


async def ensure_metrics(
    db: Database, names: Iterable[str], now: datetime, integration: str | None = None
) -> dict[str, Document]:
    """The metrics with these names, made where they are new. LimitReached when the
    account would have too many; those before it are made."""
    outcome = await make_metrics(db, names, now, integration)
    for metric in outcome.values():
        if isinstance(metric, AudienceError):
            raise metric
    return {
        name: metric
        for name, metric in outcome.items()
        if not isinstance(metric, AudienceError)
    }


async def make_metrics(
    db: Database, names: Iterable[str], now: datetime, integration: str | None = None
) -> dict[str, Document | AudienceError]:
    """Like `ensure_metrics`, but a name that cannot be had gets its error."""
    wanted = list(dict.fromkeys(names))
    outcome: dict[str, Document | AudienceError] = {**await _by_name(db, wanted)}
    for name in wanted:
        if name not in outcome:
            outcome[name] = await _make(db, name, now, integration)
    return outcome


async def metric_page(db: Database, page: PageRequest) -> Page:
    """Metrics by name."""
    return await read_page(db.metrics, {}, Order("name", always_there=True), page)


async def count_metrics(db: Database) -> int:
    """How many metrics the account has."""
    return await db.metrics.count_documents({})


async def event_counts_by_metric(
    db: Database, ids: Sequence[str | ObjectId]
) -> list[int]:
    """How many events each metric has, one slot per id, in order."""
    wanted = [object_id(one) for one in ids]
    rows = await aggregate(
        db.events,
        [
            {"$match": {"metric_id": {"$in": wanted}}},
            {"$group": {"_id": "$metric_id", "count": {"$sum": 1}}},
        ],
    )
    counts = {row["_id"]: row["count"] for row in rows}
    return [counts.get(one, 0) for one in wanted]


def key_number(key: str) -> int:
    """The place of a metric's key in the order in which keys are given out."""
    return int(key, 36)


async def _by_name(db: Database, names: Sequence[str]) -> dict[str, Document]:
    rows = await find(db.metrics, {"name": {"$in": list(names)}})
    return {row["name"]: row for row in rows}


async def _make(
    db: Database, name: str, now: datetime, integration: str | None
) -> Document | AudienceError:
    # Metrics are never deleted, so their number is the next free key unless someone
    # else is taking it now; the unique indexes decide.
    number = await db.metrics.count_documents({})
    while number < MAX_METRICS:
        metric: Document = {
            "_id": ObjectId(),
            "name": name,
            "key": _key(number),
            "created_at": now,
        }
        if integration is not None:
            metric["integration"] = integration
        try:
            await db.metrics.insert_one(metric)
        except DuplicateKeyError:
            existing = await db.metrics.find_one({"name": name})
            if existing is not None:
                return existing
            number += 1
        else:
            return metric
    return LimitReached(
        f"The account has {MAX_METRICS:,} metrics, and no more are allowed: put what "
        "varies into the event's properties.",
        ("metric",),
    )


def _key(number: int) -> str:
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
        if not number:
            return digits
