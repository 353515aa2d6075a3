"""Keeps the summaries on the profiles equal to the events, whatever went wrong:
rebuilds them, and finishes the batches of writers that did not.

A summary carries an epoch. Writers add to it only where the epoch is the one they
read before they inserted their events; a rebuild first changes the epoch, then
reads the events. So no event is counted twice or left out: who finds the epoch
changed rebuilds instead of adding.
"""

import asyncio
import random
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId
from pymongo import UpdateOne

from audience.events import SUMMARY_TIMES
from audience.summaries import Summary, same
from resolvers.db import Database, Document, aggregate, at_once, find
from resolvers.histories import merged_into, move_history

STALE_AFTER = timedelta(minutes=2)
CHUNK = 500

_ATTEMPTS = 50
_LOOKED_AT = 10_000  # profiles in one read, of which few may be of interest
_EVENTS = 200_000  # read at once to rebuild several summaries


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How many profiles were compared with their events, and how many differed."""

    checked: int
    mended: int


def is_rebuilding(epoch: str | None) -> bool:
    """Whether the epoch says that a summary is being rebuilt."""
    return epoch is not None and epoch.startswith("r")


def rebuilding_epoch() -> str:
    """A new epoch that keeps writers from adding to the summary."""
    return f"r{secrets.token_hex(8)}"


async def rebuild(db: Database, profile_id: ObjectId) -> bool:
    """Computes the summary anew from the events; False when there is no such
    profile. Safe at any time, beside writers and other rebuilds."""
    for attempt in range(_ATTEMPTS):
        fence = rebuilding_epoch()
        fenced = await at_once(db.profiles).update_one(
            {"_id": profile_id}, {"$set": {"epoch": fence}}
        )
        if not fenced.matched_count:
            return False
        summaries = await _summaries_of(db, [profile_id])
        written = await db.profiles.update_one(
            {"_id": profile_id, "epoch": fence}, _replacement(summaries[profile_id])
        )
        if written.matched_count:
            return True
        # Another rebuild has begun since, so it reads all that this one must count.
        await asyncio.sleep(random.uniform(0.001, 0.02) * min(attempt + 1, 10))  # noqa: S311
        other = await db.profiles.find_one({"_id": profile_id}, {"epoch": 1})
        if other is None:
            return False
        if not is_rebuilding(other.get("epoch")):
            return True
    raise RuntimeError(f"The summary of {profile_id} keeps being rebuilt by others.")


async def settle(db: Database, profile_id: ObjectId) -> ObjectId | None:
    """Makes the summary right after an interrupted or overtaken write, and answers
    the profile that has the events now: another one after a merge, None when the
    profile is gone with its events."""
    while not await rebuild(db, profile_id):
        destination = await merged_into(db, profile_id)
        if destination is None:
            await db.events.delete_many({"profile_id": profile_id})
            return None
        await move_history(db, profile_id, destination)
        profile_id = destination
    return profile_id


async def recover_batches(
    db: Database, now: datetime, older_than: timedelta = STALE_AFTER
) -> int:
    """Finishes the batches and merges whose writer stopped half-way; answers how
    many. `older_than` must be longer than a batch takes to insert its events."""
    stale = await find(db.event_batches, {"at": {"$lt": now - older_than}})
    for batch in stale:
        for profile_id in batch["profile_ids"]:
            await settle(db, profile_id)
        await db.event_batches.delete_one({"_id": batch["_id"]})
    return len(stale)


async def rebuild_all(db: Database) -> Rebuilt:
    """Compares every profile's summary with its events and rebuilds those that
    differ."""
    checked = mended = 0
    last: ObjectId | None = None
    while True:
        profiles = await find(
            db.profiles,
            {"_id": {"$gt": last}} if last else {},
            {"summary": 1, "last_event_at": 1},
            sort={"_id": 1},
            limit=CHUNK,
        )
        if not profiles:
            return Rebuilt(checked, mended)
        for profile_id in await _differing(db, profiles):
            # Writers at work differ for a moment, too: only what stays is mended.
            again = await find(
                db.profiles, {"_id": profile_id}, {"summary": 1, "last_event_at": 1}
            )
            mended += len(await _differing(db, again))
            await rebuild(db, profile_id)
        checked += len(profiles)
        last = profiles[-1]["_id"]


async def complete_times(db: Database) -> None:
    """Rebuilds the summaries that have fewer of a metric's newest times than they may
    have: where the events are more than the times that were kept once. Safe at any
    time, as `rebuild` is; what is done is not done again. That some times are missing
    between others is not seen: only `rebuild_all` finds that."""
    last: ObjectId | None = None
    while rows := await aggregate(db.profiles, _incomplete(last)):
        for some in _portions([row for row in rows if "n" in row]):
            await _rebuild_together(db, some)
        last = rows[-1]["_id"]


def _incomplete(last: ObjectId | None) -> list[Document]:
    """Stages: the profiles after `last`, those to be completed with the number of their
    events `n`."""
    metrics = {"$objectToArray": {"$ifNull": ["$summary", {}]}}
    kept = {"$size": {"$ifNull": ["$$this.v.t", []]}}
    is_short = {"$lt": [kept, {"$min": ["$$this.v.n", SUMMARY_TIMES]}]}
    any_short = {"$anyElementTrue": [{"$map": {"input": metrics, "in": is_short}}]}
    events = {"$sum": {"$map": {"input": metrics, "in": "$$this.v.n"}}}
    return [
        {"$match": {"_id": {"$gt": last}} if last else {}},
        {"$sort": {"_id": 1}},
        {"$limit": _LOOKED_AT},
        {"$project": {"n": {"$cond": [any_short, events, "$$REMOVE"]}}},
    ]


def _portions(rows: Sequence[Document]) -> Iterator[list[ObjectId]]:
    """The profiles' ids, so many together that their events are not too many."""
    portion: list[ObjectId] = []
    events = 0
    for row in rows:
        if portion and (len(portion) == CHUNK or events + row["n"] > _EVENTS):
            yield portion
            portion, events = [], 0
        portion.append(row["_id"])
        events += row["n"]
    if portion:
        yield portion


async def _rebuild_together(db: Database, profile_ids: Sequence[ObjectId]) -> None:
    """As `rebuild`, of several, their events read at once."""
    these = {"_id": {"$in": list(profile_ids)}}
    fence = rebuilding_epoch()
    await at_once(db.profiles).update_many(these, {"$set": {"epoch": fence}})
    summaries = await _summaries_of(db, profile_ids)
    updates = [
        UpdateOne({"_id": one, "epoch": fence}, _replacement(summary))
        for one, summary in summaries.items()
    ]
    written = await db.profiles.bulk_write(updates, ordered=False)
    if written.matched_count == len(updates):
        return
    # Of some another rebuild has begun since: its writer may be no more.
    for row in await find(db.profiles, these, {"epoch": 1}):
        if is_rebuilding(row.get("epoch")):
            await rebuild(db, row["_id"])


async def _differing(db: Database, profiles: Sequence[Document]) -> list[ObjectId]:
    true = await _summaries_of(db, [profile["_id"] for profile in profiles])
    return [
        profile["_id"]
        for profile in profiles
        if not same(profile.get("summary", {}), true[profile["_id"]])
        or profile.get("last_event_at") != _last(true[profile["_id"]])
    ]


async def _summaries_of(
    db: Database, profile_ids: Sequence[ObjectId]
) -> dict[ObjectId, Summary]:
    """The true summaries, computed from the events."""
    found: dict[ObjectId, Summary] = {profile_id: {} for profile_id in profile_ids}
    groups = await aggregate(
        db.events,
        [
            {"$match": {"profile_id": {"$in": list(profile_ids)}}},
            {
                "$group": {
                    "_id": {"profile": "$profile_id", "metric": "$metric_id"},
                    "n": {"$sum": 1},
                    "f": {"$min": "$timestamp"},
                    "l": {"$max": "$timestamp"},
                    "s": {"$sum": "$value"},
                    "t": {"$maxN": {"n": SUMMARY_TIMES, "input": "$timestamp"}},
                }
            },
        ],
    )
    metrics = list({group["_id"]["metric"] for group in groups})
    keys = {
        metric["_id"]: metric["key"]
        for metric in await find(db.metrics, {"_id": {"$in": metrics}}, {"key": 1})
    }
    for group in groups:
        place = group.pop("_id")
        found[place["profile"]][keys[place["metric"]]] = {
            "n": group["n"],
            "f": group["f"],
            "l": group["l"],
            "s": float(group["s"]),
            "t": sorted(group["t"], reverse=True),
        }
    return found


def _replacement(summary: Summary) -> Document:
    change: Document = {"summary": summary, "epoch": f"s{secrets.token_hex(8)}"}
    last = _last(summary)
    if last is None:
        return {"$set": change, "$unset": {"last_event_at": ""}}
    return {"$set": change | {"last_event_at": last}}


def _last(summary: Mapping[str, Mapping[str, Any]]) -> datetime | None:
    return max((metric["l"] for metric in summary.values()), default=None)
