"""Events: recorded once whatever is retried, with the profiles' summaries kept exact.

The steps of a batch: a journal entry; the events themselves, where the unique index
tells which are new; one addition to the summary of each profile, for the new ones
alone; the journal entry's end. A writer that stops half-way leaves the entry, and
`recover_batches` rebuilds the summaries that it names.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo.errors import BulkWriteError, PyMongoError, WriteError

from audience.errors import (
    AudienceError,
    InvalidInput,
    LimitReached,
    NotFound,
    TooLarge,
)
from audience.events import (
    MAX_BATCH,
    PROFILE_METRICS,
    STANDARD_METRICS,
    SUMMARY_TIMES,
    NewEvent,
)
from audience.identity import Identity
from audience.summaries import Summary, summarise
from resolvers.db import Database, Document, aggregate, at_once, find
from resolvers.ids import object_id
from resolvers.metrics import key_number, make_metrics, metrics_by_name
from resolvers.profiles import Resolved, resolve_profiles
from resolvers.summaries import STALE_AFTER, is_rebuilding, settle

# A batch that takes longer to insert its events fails: after STALE_AFTER its journal
# entry may be gone.
INSERT_SECONDS = STALE_AFTER.total_seconds() / 2

_DUPLICATE = 11000
_SETTLED_AT_ONCE = 8
_READ_AT_ONCE = 500
_UPDATES_AT_ONCE = 250


@dataclass(frozen=True, slots=True)
class Tracked:
    """What became of one event: stored now, stored before, or refused."""

    event: Document | None = None
    is_duplicate: bool = False
    error: AudienceError | None = None


class UnknownMetric(NotFound):
    """The metric has to be made first, by somebody who may."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """Events ready to be stored, with the metric's key and the epoch of each
    profile's summary."""

    events: list[Document]
    keys: list[str]
    epochs: dict[ObjectId, str | None]


async def track_events(
    db: Database,
    events: Sequence[NewEvent | AudienceError],
    now: datetime,
    *,
    limit: int = MAX_BATCH,
    is_trusted: bool = True,
) -> list[Tracked]:
    """Records events; one outcome each, in order, and one that is refused stops no
    other. An error among `events` is handed on as its outcome.

    An event is the same as another when profile, metric and unique id are; the first
    one stays. Profiles and metrics come into being as needed; for a caller who is
    not trusted only profiles do, and known ones get no identifier.
    """
    if len(events) > limit:
        raise TooLarge(
            f"There are {len(events):,} events; one call takes {limit:,}.", ("events",)
        )
    if not is_trusted:
        events = await _with_metrics(db, events)
    given = [event for event in events if isinstance(event, NewEvent)]
    metrics, profiles = await asyncio.gather(
        make_metrics(db, [event.metric for event in given], now),
        _profiles(db, [event.identity for event in given], now, is_trusted),
    )
    outcomes: list[Tracked | None] = [None] * len(events)
    batch = _Batch([], [], {})
    places: list[int] = []
    for place, event in enumerate(events):
        if isinstance(event, AudienceError):
            outcomes[place] = Tracked(error=event)
            continue
        profile = profiles[event.identity]
        metric = metrics[event.metric]
        if isinstance(profile, AudienceError):
            outcomes[place] = Tracked(error=profile.under("profile"))
        elif isinstance(metric, AudienceError):
            outcomes[place] = Tracked(error=metric)
        else:
            places.append(place)
            batch.events.append(_document(event, profile.id, metric["_id"]))
            batch.keys.append(metric["key"])
            batch.epochs[profile.id] = profile.epoch
    crowded = await _crowded(db, batch)
    if crowded:
        for index in crowded:
            outcomes[places[index]] = Tracked(error=_too_many_metrics())
        kept = [n for n in range(len(places)) if n not in crowded]
        places = [places[n] for n in kept]
        batch = _Batch(
            [batch.events[n] for n in kept], [batch.keys[n] for n in kept], batch.epochs
        )
    if batch.events:
        for place, outcome in zip(places, await _store(db, batch, now), strict=True):
            outcomes[place] = outcome
    return [outcome for outcome in outcomes if outcome is not None]


async def _with_metrics(
    db: Database, events: Sequence[NewEvent | AudienceError]
) -> list[NewEvent | AudienceError]:
    """The events, those of metrics that do not exist as errors, but for the standard
    ones: metrics last for ever, so whoever may make them could use them all up."""
    named = [event.metric for event in events if isinstance(event, NewEvent)]
    there = {
        name: metric is not None
        for name, metric in zip(named, await metrics_by_name(db, named), strict=True)
    }
    return [
        UnknownMetric(
            "There is no metric with this name. Its first event must be sent with a "
            "secret key that has the scope events:write.",
            ("metric",),
        )
        if isinstance(event, NewEvent)
        and not there[event.metric]
        and event.metric not in STANDARD_METRICS
        else event
        for event in events
    ]


async def _profiles(
    db: Database, identities: Sequence[Identity], now: datetime, is_trusted: bool
) -> dict[Identity, Resolved | AudienceError]:
    """The profiles of the identities. Those who are named by their id alone, as in
    imports, need no matching."""
    distinct = dict.fromkeys(identities)
    found: dict[Identity, Resolved | AudienceError] = {}
    plain: dict[ObjectId, Identity] = {}
    for identity in distinct:
        if identity.id is not None and identity == Identity(id=identity.id):
            try:
                plain[object_id(identity.id)] = identity
            except InvalidInput as error:
                found[identity] = error
    if plain:
        rows = await aggregate(
            db.profiles,
            [{"$match": {"_id": {"$in": list(plain)}}}, {"$project": {"epoch": 1}}],
            batch_size=len(plain) + 1,
        )
        for row in rows:
            resolved = Resolved(row["_id"], row.get("epoch"), created=False)
            found[plain[row["_id"]]] = resolved
    rest = [identity for identity in distinct if identity not in found]
    if rest:
        outcomes = await resolve_profiles(db, rest, now, is_trusted=is_trusted)
        found.update(zip(rest, outcomes, strict=True))
    return found


def _document(event: NewEvent, profile_id: ObjectId, metric_id: ObjectId) -> Document:
    identifier = ObjectId()
    document: Document = {
        "_id": identifier,
        "profile_id": profile_id,
        "metric_id": metric_id,
        "timestamp": event.timestamp,
        "unique_id": event.unique_id or str(identifier),
        "properties": event.properties,
    }
    if event.value is not None:
        document["value"] = event.value
    if event.currency is not None:
        document["currency"] = event.currency
    return document


async def _crowded(db: Database, batch: _Batch) -> set[int]:
    """The events that would give their profile too many metrics.

    Only metrics made after the first PROFILE_METRICS are looked at, so nearly every
    account never pays for this; a profile has at most twice as many at worst.
    """
    late = [n for n, key in enumerate(batch.keys) if key_number(key) >= PROFILE_METRICS]
    if not late:
        return set()
    profile_ids = list({batch.events[n]["profile_id"] for n in late})
    keys = {"$map": {"input": {"$objectToArray": "$summary"}, "in": "$$this.k"}}
    rows = await aggregate(
        db.profiles,
        [{"$match": {"_id": {"$in": profile_ids}}}, {"$project": {"keys": keys}}],
    )
    has = {row["_id"]: set(row["keys"] or ()) for row in rows}
    for event, key in zip(batch.events, batch.keys, strict=True):
        if key_number(key) < PROFILE_METRICS and event["profile_id"] in has:
            has[event["profile_id"]].add(key)
    crowded = set()
    for n in late:
        metrics = has.setdefault(batch.events[n]["profile_id"], set())
        if batch.keys[n] in metrics or len(metrics) < PROFILE_METRICS:
            metrics.add(batch.keys[n])
        else:
            crowded.add(n)
    return crowded


def _too_many_metrics() -> LimitReached:
    return LimitReached(
        f"The profile has events of {PROFILE_METRICS:,} metrics, and no more are "
        "allowed.",
        ("metric",),
    )


async def _store(db: Database, batch: _Batch, now: datetime) -> list[Tracked]:
    journal = at_once(db.event_batches)
    entry = await journal.insert_one({"profile_ids": list(batch.epochs), "at": now})
    duplicates = await _insert(db, batch.events)
    moved: dict[ObjectId, ObjectId | None] = {}
    if len(duplicates) < len(batch.events):
        moved = await _add_to_summaries(db, batch, duplicates)
    # Nothing after it waits for the majority: then this does.
    await (
        journal if len(duplicates) < len(batch.events) else db.event_batches
    ).delete_one({"_id": entry.inserted_id})
    stored = await _stored(db, [batch.events[n] for n in duplicates])
    outcomes = []
    for n, event in enumerate(batch.events):
        if n in duplicates:
            first = stored.get(_sameness(event))
            outcomes.append(Tracked(first, is_duplicate=True))
            continue
        if moved and event["profile_id"] in moved:
            destination = moved[event["profile_id"]]
            if destination is None:
                gone = NotFound("The profile was erased in the meantime.", ("profile",))
                outcomes.append(Tracked(error=gone))
                continue
            event["profile_id"] = destination
        outcomes.append(Tracked(event))
    return outcomes


async def _insert(db: Database, events: list[Document]) -> set[int]:
    """Stores the events; answers which were there before."""
    try:
        async with asyncio.timeout(INSERT_SECONDS):
            await at_once(db.events).insert_many(events, ordered=False)
    except BulkWriteError as error:
        failures = error.details["writeErrors"]
        if any(failure["code"] != _DUPLICATE for failure in failures):
            raise
        return {failure["index"] for failure in failures}
    return set()


async def _add_to_summaries(
    db: Database, batch: _Batch, duplicates: set[int]
) -> dict[ObjectId, ObjectId | None]:
    """Adds the new events to their profiles' summaries. Answers where the events of
    profiles have gone that are no more."""
    groups: dict[ObjectId, list[tuple[str, datetime, float | None]]] = {}
    for n, (event, key) in enumerate(zip(batch.events, batch.keys, strict=True)):
        if n not in duplicates:
            groups.setdefault(event["profile_id"], []).append(
                (key, event["timestamp"], event.get("value"))
            )
    rebuilds = [one for one in groups if is_rebuilding(batch.epochs[one])]
    updates = [
        {
            "q": {"_id": one, "epoch": batch.epochs[one]},
            "u": _addition(summarise(group)),
        }
        for one, group in groups.items()
        if not is_rebuilding(batch.epochs[one])
    ]
    try:
        certain = await _all_matched(db, updates)
    except PyMongoError:
        rebuilds, certain = list(groups), True
    if not certain:
        rows = await find(db.profiles, {"_id": {"$in": list(groups)}}, {"epoch": 1})
        current = {row["_id"]: row.get("epoch") for row in rows}
        rebuilds = [
            one
            for one in groups
            if is_rebuilding(batch.epochs[one])
            or one not in current
            or current[one] != batch.epochs[one]
        ]
    moved: dict[ObjectId, ObjectId | None] = {}
    for start in range(0, len(rebuilds), _SETTLED_AT_ONCE):
        some = rebuilds[start : start + _SETTLED_AT_ONCE]
        settled = await asyncio.gather(*(settle(db, one) for one in some))
        moved |= {
            one: now_at
            for one, now_at in zip(some, settled, strict=True)
            if one != now_at
        }
    return moved


async def _all_matched(db: Database, updates: Sequence[Document]) -> bool:
    """Runs the updates, in parts side by side; whether each has found its profile, its
    epoch unchanged."""
    parts = [
        updates[start : start + _UPDATES_AT_ONCE]
        for start in range(0, len(updates), _UPDATES_AT_ONCE)
    ]
    matched = await asyncio.gather(*(_matched(db, part) for part in parts))
    return sum(matched) == len(updates)


async def _matched(db: Database, updates: Sequence[Document]) -> int:
    """Runs the updates; how many have found their profile.

    Sent as a plain command: the driver's own bulk write is made to be retried, which
    MongoDB pays for with a record per update, a third of their time. Here a failure
    is mended by rebuilding.
    """
    answer = await db.client.get_database(db.name).command(
        {
            "update": db.profiles.name,
            "updates": updates,
            "ordered": False,
            "writeConcern": {"w": "majority"},
        }
    )
    if "writeErrors" in answer or "writeConcernError" in answer:
        raise WriteError(f"Summaries could not be updated: {answer}")
    found: int = answer["n"]
    return found


def _addition(summary: Summary) -> Document:
    counts: dict[str, float] = {}
    firsts: dict[str, datetime] = {}
    lasts: dict[str, datetime] = {}
    times: dict[str, Document] = {}
    for key, metric in summary.items():
        path = f"summary.{key}."
        counts[path + "n"] = metric["n"]
        counts[path + "s"] = metric["s"]
        firsts[path + "f"] = metric["f"]
        lasts[path + "l"] = metric["l"]
        times[path + "t"] = {"$each": metric["t"], "$sort": -1, "$slice": SUMMARY_TIMES}
    lasts["last_event_at"] = max(lasts.values())
    return {"$inc": counts, "$min": firsts, "$max": lasts, "$push": times}


async def _stored(
    db: Database, events: Iterable[Document]
) -> dict[tuple[ObjectId, ObjectId, str], Document]:
    """The stored events that these are duplicates of."""
    unique_ids: dict[tuple[ObjectId, ObjectId], list[str]] = {}
    for event in events:
        place = (event["profile_id"], event["metric_id"])
        unique_ids.setdefault(place, []).append(event["unique_id"])
    branches = [
        {"profile_id": profile, "metric_id": metric, "unique_id": {"$in": some}}
        for (profile, metric), some in unique_ids.items()
    ]
    found: dict[tuple[ObjectId, ObjectId, str], Document] = {}
    for start in range(0, len(branches), _READ_AT_ONCE):
        match = {"$or": branches[start : start + _READ_AT_ONCE]}
        found |= {_sameness(row): row for row in await find(db.events, match)}
    return found


def _sameness(event: Mapping[str, Any]) -> tuple[ObjectId, ObjectId, str]:
    return event["profile_id"], event["metric_id"], event["unique_id"]
