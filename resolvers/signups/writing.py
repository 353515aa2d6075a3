"""The profile of someone who signs up or leaves: read and written in one transaction
with the consent trail."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo import UpdateOne

from audience.consent import Channel, Method
from audience.lists import MembershipSource
from resolvers.consent import Draft, changed_fields, known_by
from resolvers.db import Database, Document, Session, find

READ: Document = dict.fromkeys(
    ("email", "phone_number", "consent", "lists", "pending", "left"), 1
)

_SOURCES: dict[str, MembershipSource] = {
    Method.FORM: MembershipSource.FORM,
    Method.INTEGRATION: MembershipSource.INTEGRATION,
    Method.INBOUND_MESSAGE: MembershipSource.INTEGRATION,
}


@dataclass(frozen=True, slots=True)
class Written:
    """A draft to be written, with further changes of the same profile."""

    draft: Draft
    changes: Document
    now: datetime


async def read_person(
    db: Database, profile_id: ObjectId, session: Session
) -> Document | None:
    return (await read_people(db, [profile_id], session)).get(profile_id)


async def read_people(
    db: Database, ids: Sequence[ObjectId], session: Session
) -> dict[ObjectId, Document]:
    """The profiles by their ids, and by those of profiles merged into them."""
    fields = {**READ, "merged_ids": 1}
    rows = await find(db.profiles, known_by(list(set(ids))), fields, session=session)
    return {
        each: row for row in rows for each in (*row.get("merged_ids", ()), row["_id"])
    }


async def write_person(
    db: Database, draft: Draft, changes: Document, now: datetime, session: Session
) -> None:
    """Writes the draft and further changes of the same profile, if there are any."""
    await write_people(db, [Written(draft, changes, now)], session)


async def write_people(
    db: Database, people: Sequence[Written], session: Session
) -> None:
    """Writes different people's drafts, in two commands."""
    updates: list[UpdateOne] = []
    lines: list[Document] = []
    for written in people:
        draft, changes = written.draft, written.changes
        fields = changed_fields(draft) | changes.get("$set", {})
        if not fields and not changes:
            continue
        latest = changes.get("$max", {}) | {"updated_at": written.now}
        update: dict[str, Any] = {**changes, "$max": latest}
        if fields:
            update["$set"] = fields
        updates.append(UpdateOne({"_id": draft.profile["_id"]}, update))
        lines += draft.lines
    if updates:
        await db.profiles.bulk_write(updates, ordered=False, session=session)
    if lines:
        await db.consent_changes.insert_many(lines, ordered=False, session=session)


def without(
    pending: Sequence[Document],
    channels: Sequence[Channel],
    list_id: ObjectId | None = None,
) -> list[Document]:
    """What still waits when `channels` (to `list_id`, or to every list) do not."""
    left: list[Document] = []
    for each in pending:
        concerned = list_id is None or each["list_id"] == list_id
        names = [
            name for name in each["channels"] if not concerned or name not in channels
        ]
        if names == each["channels"]:
            left.append(each)
        elif names:
            left.append({**each, "channels": names})
    return left


def membership_source(method: str) -> MembershipSource:
    return _SOURCES.get(method, MembershipSource.API)
