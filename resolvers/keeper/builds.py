"""Building a membership beside upkeep, a piece at a time, and showing it at once.

Each share looks through its profiles in the order of their ids. When all shares are
done with a generation, it is shown: one write, and every reader sees the new members
and none of the old. Then what differs is logged.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo

from bson import ObjectId

from resolvers.db import Database, Document, Session, find
from resolvers.keeper.commits import Finding, commit, gone_among, portions, writes_of
from resolvers.keeper.evaluation import members_among
from resolvers.keeper.kept import Kept, as_shown
from resolvers.keeper.shares import SHARES, in_shares, share_of, share_rows
from resolvers.keeper.sides import Cause, Writes, finish

PIECE = 8_000
SETTLED_AT_ONCE = 1_000
FORGOTTEN_AT_ONCE = 5_000
START = ObjectId("0" * 24)


async def build_piece(
    db: Database,
    shares: Mapping[int, Document],
    kept: Kept,
    now: datetime,
    zone: tzinfo,
    sessions: Sequence[Session],
) -> None:
    """Finds the members among the next profiles of the held shares. Each share is
    written by itself, side by side with the others."""
    key = str(kept.id)
    entries = {
        number: share["segments"][key]
        for number, share in shares.items()
        if share["segments"].get(key, {}).get("scan") is not None
        and share["segments"][key]["g"] == kept.generation
    }
    start: ObjectId = min(entry["scan"] for entry in entries.values())
    ids = {"_id": {"$gt": start}}
    row = await db.profiles.find_one(ids, {"_id": 1}, sort=[("_id", 1)], skip=PIECE - 1)
    end: ObjectId | None = row["_id"] if row else None
    span: Document = {"$gt": start} if end is None else {"$gt": start, "$lte": end}
    match = {"_id": span} | in_shares(entries)
    members = (await members_among(db, [(kept, match)], now, zone))[kept.id]
    rows = [
        row
        for row in await find(
            db.segment_members, {"segment_id": kept.id, "profile_id": span}
        )
        if share_of(row["profile_id"]) in entries
    ]
    known = {row["profile_id"] for row in rows}
    asked = members | known
    gone = await gone_among(db, known - members)
    cause = _cause(entries)
    (kept,) = await as_shown(db, [kept])

    async def write(number: int) -> None:
        own = frozenset(it for it in asked if share_of(it) == number)
        finding = Finding(kept, own, own & members, cause, gone)
        moved = _moved(entries[number], end)
        sets = {number: {f"segments.{key}.{name}": it for name, it in moved.items()}}
        held, session = {number: shares[number]}, sessions[number]
        *parts, last = list(portions([finding])) or [[]]
        for part in parts:
            await commit(db, held, writes_of(part, rows, now), {}, session)
        await commit(db, held, writes_of(last, rows, now), sets, session)
        entries[number] |= moved

    for outcome in await asyncio.gather(*map(write, entries), return_exceptions=True):
        if outcome is not None:
            raise outcome


def is_built(entry: Document | None, generation: int) -> bool:
    """Whether a share has looked everybody through once for this generation."""
    return (
        entry is not None
        and entry["g"] == generation
        and (entry.get("b") == generation or entry.get("scan") is None)
    )


def _moved(entry: Document, end: ObjectId | None) -> Document:
    """What a share's record becomes when it has been looked through up to `end`."""
    if end is not None:
        return {"scan": end, "seen": entry.get("seen", 0) + PIECE}
    again: Document | None = entry.get("again")
    built: Document = {"b": entry["g"], "seen": 0, "again": None}
    if again is None:
        return built | {"scan": None, "from": None, "why": None}
    return built | {"scan": START} | again


def _cause(entries: Mapping[int, Document]) -> Cause:
    """Why those who are found are found now."""
    causes: set[Cause] = {
        (entry.get("why") or "CHANGE") if entry.get("b") == entry["g"] else "DEFINITION"
        for entry in entries.values()
    }
    return causes.pop() if len(causes) == 1 else "CHANGE"


async def show_complete(
    db: Database, waiting: Sequence[Kept], now: datetime
) -> list[ObjectId]:
    """Shows the generations that all shares have built; answers whose."""
    shown: list[ObjectId] = []
    rows = await share_rows(db, [kept.id for kept in waiting])
    for kept in waiting:
        entries = [row.get("segments", {}).get(str(kept.id)) for row in rows]
        is_complete = all(is_built(entry, kept.generation) for entry in entries)
        if len(entries) < SHARES or not is_complete:
            continue
        replaced = await db.segments.update_one(
            {"_id": kept.id, "target.generation": kept.generation},
            {
                "$set": {
                    "kept": {
                        "generation": kept.generation,
                        "version": kept.version,
                        "moves": kept.moves,
                        "since": kept.since,
                        "at": now,
                    }
                }
            },
        )
        if replaced.matched_count:
            shown.append(kept.id)
    return shown


async def settle_piece(
    db: Database,
    shares: Mapping[int, Document],
    kept: Kept,
    session: Session,
) -> None:
    """Logs some of what the generation that is shown now has changed, among the
    profiles of these shares; notes when that was all."""
    staged = {
        "segment_id": kept.id,
        "staged": {"$in": ["IN", "OUT"]},
        "generation": {"$lte": kept.shown},
    } | in_shares(shares, "profile_id")
    rows = await find(db.segment_members, staged, limit=SETTLED_AT_ONCE)
    writes = Writes()
    for row in rows:
        finish(writes, kept, row)
    sets: dict[int, Document] = {}
    if len(rows) < SETTLED_AT_ONCE:
        sets = {number: {f"segments.{kept.id}.s": kept.shown} for number in shares}
    await commit(db, shares, writes, sets, session)
    if sets:
        for share in shares.values():
            share["segments"][str(kept.id)]["s"] = kept.shown


async def forget_piece(
    db: Database, shares: Mapping[int, Document], segment_id: ObjectId
) -> bool:
    """Removes some of what is kept of a segment that is no more; whether that was
    all."""
    mine = {"segment_id": segment_id}
    for collection in (db.segment_members, db.segment_changes):
        rows = await find(collection, mine, {"_id": 1}, limit=FORGOTTEN_AT_ONCE)
        if rows:
            await collection.delete_many({"_id": {"$in": [row["_id"] for row in rows]}})
        if len(rows) == FORGOTTEN_AT_ONCE:
            return False
    for number, share in shares.items():
        share["segments"].pop(str(segment_id), None)
        await db.keeper_shares.update_one(
            {"_id": number}, {"$unset": {f"segments.{segment_id}": ""}}
        )
    return True
