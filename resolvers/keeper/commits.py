"""Writes what upkeep has found: memberships, the log of changes, and the shares'
records, together or not at all."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bson import ObjectId

from resolvers.db import Database, Document, Session, find, transaction
from resolvers.deliveries import put_deliveries
from resolvers.keeper.kept import Kept
from resolvers.keeper.shares import advance, share_of
from resolvers.keeper.sides import Cause, Writes, settle

AT_ONCE = 2_000
_LINES = 1 << 16  # more than one commit has


@dataclass(frozen=True, slots=True)
class Finding:
    """Of the profiles that were looked at for a segment, those that are in it; and
    those that are no more."""

    kept: Kept
    asked: frozenset[ObjectId]
    members: frozenset[ObjectId]
    cause: Cause
    gone: frozenset[ObjectId] = frozenset()


def portions(findings: Iterable[Finding]) -> Iterator[list[Finding]]:
    """The findings in parts that are not too much for one transaction."""
    part: list[Finding] = []
    count = 0
    for each in findings:
        asked = sorted(each.asked)
        for start in range(0, len(asked), AT_ONCE):
            some = frozenset(asked[start : start + AT_ONCE])
            if part and count + len(some) > AT_ONCE:
                yield part
                part, count = [], 0
            part.append(replace(each, asked=some))
            count += len(some)
    if part:
        yield part


async def rows_of(db: Database, findings: Sequence[Finding]) -> list[Document]:
    """The memberships as they are kept of everybody who was looked at."""
    segments = [each.kept.id for each in findings]
    profiles = frozenset[ObjectId]().union(*(each.asked for each in findings))
    if not profiles:
        return []
    match = {
        "profile_id": {"$in": list(profiles)},
        "segment_id": {"$in": segments},
    }
    return await find(db.segment_members, match)


async def gone_among(
    db: Database, profile_ids: Iterable[ObjectId]
) -> frozenset[ObjectId]:
    """Those that are no more."""
    asked = frozenset(profile_ids)
    if not asked:
        return asked
    rows = await find(db.profiles, {"_id": {"$in": list(asked)}}, {"_id": 1})
    return asked - {row["_id"] for row in rows}


def writes_of(
    findings: Iterable[Finding], rows: Iterable[Document], at: datetime
) -> Writes:
    """What has to be written for the kept rows to agree with the findings."""
    known = {(row["segment_id"], row["profile_id"]): row for row in rows}
    writes = Writes()
    for each in findings:
        for profile_id in sorted(each.asked):
            change = settle(
                writes,
                each.kept,
                known.get((each.kept.id, profile_id)),
                profile_id,
                is_in=profile_id in each.members,
                at=at,
                cause="GONE" if profile_id in each.gone else each.cause,
            )
            if change:
                place = (share_of(profile_id), each.kept.id)
                writes.sizes[place] = writes.sizes.get(place, 0) + change
    return writes


async def commit(
    db: Database,
    shares: Mapping[int, Document],
    writes: Writes,
    sets: Mapping[int, Document],
    session: Session | None = None,
) -> None:
    """Writes memberships and log, and sets fields of the shares' documents, in one
    transaction. LeaseLost, and nothing written, when a share is held no more."""
    changes: dict[int, Document] = {
        n: {"$set": dict(fields)} for n, fields in sets.items() if fields
    }
    for (number, segment_id), change in writes.sizes.items():
        held = changes.setdefault(number, {}).setdefault("$inc", {})
        held[f"segments.{segment_id}.n"] = change
    if not (writes.new or writes.rows or writes.lines):
        await advance(db, shares, changes)
        return
    about = {share_of(row["profile_id"]) for row in (*writes.new, *writes.lines)}
    for number in about | changes.keys():
        # Each attempt has a number of its own: one that fails may have been written
        # nonetheless. A real write to every share concerned: it collides with whoever
        # takes it over.
        attempt = shares[number].get("commits", 0) + 1
        shares[number]["commits"] = attempt
        changes.setdefault(number, {}).setdefault("$set", {})["commits"] = attempt

    async def work(session: Session) -> None:
        await advance(db, shares, changes, session)
        if writes.new:
            await db.segment_members.insert_many(
                writes.new,
                ordered=False,
                session=session,
                bypass_document_validation=True,
            )
        if writes.rows:
            await db.segment_members.bulk_write(
                writes.rows, ordered=False, session=session
            )
        if writes.lines:
            await db.segment_changes.insert_many(
                writes.lines,
                ordered=False,
                session=session,
                bypass_document_validation=True,
            )
            await put_deliveries(db, writes.lines, _orders(shares, writes), session)

    await transaction(db, work, session)


def _orders(shares: Mapping[int, Document], writes: Writes) -> list[int]:
    """For each line a number that is greater than those of all lines before it about
    the same profile, whichever process wrote them."""
    return [
        shares[share_of(line["profile_id"])]["commits"] * _LINES + place
        for place, line in enumerate(writes.lines)
    ]
