"""The profile of someone who signs up or leaves: read and written in one transaction
with the consent trail."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId

from audience.consent import Channel, Method
from audience.lists import MembershipSource
from resolvers.consent import Draft, changed_fields, known_by
from resolvers.db import Database, Document, Session

READ: Document = dict.fromkeys(
    ("email", "phone_number", "consent", "lists", "pending"), 1
)

_SOURCES: dict[str, MembershipSource] = {
    Method.FORM: MembershipSource.FORM,
    Method.INTEGRATION: MembershipSource.INTEGRATION,
    Method.INBOUND_MESSAGE: MembershipSource.INTEGRATION,
}


async def read_person(
    db: Database, profile_id: ObjectId, session: Session
) -> Document | None:
    return await db.profiles.find_one(known_by([profile_id]), READ, session=session)


async def write_person(
    db: Database, draft: Draft, changes: Document, now: datetime, session: Session
) -> None:
    """Writes the draft and further changes of the same profile, if there are any."""
    fields = changed_fields(draft) | changes.get("$set", {})
    if not fields and not changes:
        return
    update: dict[str, Any] = {**changes, "$max": {"updated_at": now}}
    if fields:
        update["$set"] = fields
    await db.profiles.update_one({"_id": draft.profile["_id"]}, update, session=session)
    if draft.lines:
        await db.consent_changes.insert_many(draft.lines, session=session)


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
