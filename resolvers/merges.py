"""Makes one profile of two.

The profiles themselves become one in a transaction; the history follows after it.
A journal entry written in the same transaction makes sure that it does, even when
this process ends in between.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId

from audience.errors import InvalidInput, NotFound
from audience.identity import MAX_ANONYMOUS_IDS
from audience.profiles import search_words
from audience.push import bounded
from resolvers.db import Database, Document, Session, transaction
from resolvers.histories import move_history
from resolvers.ids import object_id
from resolvers.places.points import point_of
from resolvers.summaries import rebuild, rebuilding_epoch, settle

_IDENTIFIERS = ("external_id", "email", "phone_number")
_ATTRIBUTES = ("first_name", "last_name", "organization", "title", "image", "locale")
# A consent is given for an address; push tokens belong to no identifier.
_ADDRESSES = {"email": "email", "sms": "phone_number", "whatsapp": "phone_number"}
_AGREED = ("SUBSCRIBED", "PENDING")
_STRICTNESS = ("SUBSCRIBED", "PENDING", "NEVER_SUBSCRIBED", "UNSUBSCRIBED")


async def merge_profiles(
    db: Database,
    source_id: str | ObjectId,
    destination_id: str | ObjectId,
    now: datetime,
    *,
    only_anonymous: bool = False,
) -> Document:
    """The destination, with everything of the source, which is no more; its id finds
    the destination from then on. Merging again what is merged changes nothing.

    With `only_anonymous` a source with an e-mail address, phone number or external
    id is as good as not found. Nothing proves whose it was, so it takes back no answer
    of the person, and its push tokens count as not verified.
    """
    source = object_id(source_id, ("sourceId",))
    destination = object_id(destination_id, ("destinationId",))
    if source == destination:
        raise InvalidInput(
            "A profile cannot be merged into itself: give two ids.", ("destinationId",)
        )
    journal = ObjectId()

    async def work(session: Session) -> tuple[ObjectId, ObjectId] | None:
        return await _unite(
            db,
            source,
            destination,
            now,
            journal,
            session,
            only_anonymous=only_anonymous,
        )

    united = await transaction(db, work)
    if united is not None:
        gone, survivor = united
        await move_history(db, gone, survivor)
        if not await rebuild(db, survivor):
            await settle(db, survivor)
        await db.event_batches.delete_one({"_id": journal})
    profile = await living_profile(db, destination, None)
    if profile is None:
        raise NotFound("The profile was erased in the meantime.", ("destinationId",))
    return profile


async def _unite(
    db: Database,
    source_id: ObjectId,
    destination_id: ObjectId,
    now: datetime,
    journal: ObjectId,
    session: Session,
    *,
    only_anonymous: bool,
) -> tuple[ObjectId, ObjectId] | None:
    """The ids of the profile that ended, which need not be the one given, and of the
    united one; None when they were united before."""
    source = await living_profile(db, source_id, session)
    destination = await living_profile(db, destination_id, session)
    if source is None or (
        only_anonymous and any(name in source for name in _IDENTIFIERS)
    ):
        raise NotFound("There is no profile with this id.", ("sourceId",))
    if destination is None:
        raise NotFound("There is no profile with this id.", ("destinationId",))
    if source["_id"] == destination["_id"]:
        return None
    if only_anonymous:
        source = _as_visitor(source, destination)
    united = unite(source, destination, now)
    # Writers that have read the destination's epoch rebuild instead of adding.
    united["epoch"] = rebuilding_epoch()
    await db.profiles.delete_one({"_id": source["_id"]}, session=session)
    await db.profiles.replace_one({"_id": destination["_id"]}, united, session=session)
    changes = _consent_changes(source, destination, united, now)
    if changes:
        await db.consent_changes.insert_many(changes, session=session)
    await db.event_batches.insert_one(
        {
            "_id": journal,
            "profile_ids": [source["_id"], destination["_id"]],
            "at": now,
        },
        session=session,
    )
    return source["_id"], destination["_id"]


async def living_profile(
    db: Database, profile_id: ObjectId, session: Session | None
) -> Document | None:
    """The profile with this id, or the one into which that was merged."""
    profile = await db.profiles.find_one({"_id": profile_id}, session=session)
    if profile is None:
        former = {"merged_ids": {"$eq": profile_id, "$type": "objectId"}}
        profile = await db.profiles.find_one(former, session=session)
    return profile


def unite(source: Document, destination: Document, now: datetime) -> Document:
    """The destination, completed by the source.

    What the destination has stays: identifiers, attributes, parts of the location,
    custom properties. Lists are united, joined at the earlier time and left at
    the later, and so are push tokens, as many as may be. For consent see `_consent`.
    The summary is left to a rebuild.
    """
    united = {**destination, "updated_at": now}
    united["created_at"] = min(source["created_at"], destination["created_at"])
    for name in (*_IDENTIFIERS, *_ATTRIBUTES):
        if name in source:
            united.setdefault(name, source[name])
    for name in ("location", "properties"):
        if name in source:
            united[name] = {**source[name], **destination.get(name, {})}
    point = point_of(united.get("location", {}))
    if point is not None:
        united["point"] = point
    anonymous = [
        *source.get("anonymous_ids", ()),
        *destination.get("anonymous_ids", ()),
    ]
    if anonymous:
        united["anonymous_ids"] = anonymous[-MAX_ANONYMOUS_IDS:]
    united["merged_ids"] = [
        *destination.get("merged_ids", ()),
        *source.get("merged_ids", ()),
        source["_id"],
    ]
    united["lists"] = _lists(source.get("lists", ()), destination.get("lists", ()))
    left = _left(source.get("left", {}), destination.get("left", {}))
    if left:
        united["left"] = left
    joined = {membership["list_id"] for membership in united["lists"]}
    pending = _pending(source, destination, joined)
    if pending or "pending" in destination:
        united["pending"] = pending
    if "push_tokens" in source:
        every = (*source["push_tokens"], *destination.get("push_tokens", ()))
        united["push_tokens"] = bounded(every)
    united["consent"] = _consents(source, destination, united)
    united["search"] = search_words(united)
    return united


def _as_visitor(source: Document, destination: Document) -> Document:
    """What of an anonymous profile a person takes over."""
    taken = {**source}
    answered = destination.get("consent", {})
    taken["consent"] = {
        channel: state
        for channel, state in source.get("consent", {}).items()
        if channel not in answered or state["status"] not in _AGREED
    }
    if "push_tokens" in source:
        tokens = source["push_tokens"]
        taken["push_tokens"] = [{**each, "is_verified": False} for each in tokens]
    return taken


def _lists(
    source: Sequence[Document], destination: Sequence[Document]
) -> list[Document]:
    memberships: dict[ObjectId, Document] = {}
    for membership in (*destination, *source):
        known = memberships.get(membership["list_id"])
        if known is None or membership["joined_at"] < known["joined_at"]:
            memberships[membership["list_id"]] = membership
    return list(memberships.values())


def _left(source: Document, destination: Document) -> Document:
    """When they left lists, the later time of each."""
    return {
        each: max(one[each] for one in (source, destination) if each in one)
        for each in {*source, *destination}
    }


def _pending(
    source: Document, destination: Document, joined: set[ObjectId]
) -> list[Document]:
    waiting: dict[ObjectId, Document] = {}
    for request in (*source.get("pending", ()), *destination.get("pending", ())):
        if request["list_id"] not in joined:
            waiting[request["list_id"]] = request
    return list(waiting.values())


def _consents(source: Document, destination: Document, united: Document) -> Document:
    theirs: Mapping[str, Any] = source.get("consent", {})
    ours: Mapping[str, Any] = destination.get("consent", {})
    consents: Document = {}
    for channel in sorted(theirs.keys() | ours.keys()):
        address = _ADDRESSES.get(channel)
        keeps_address = address is None or source.get(address) == united.get(address)
        consents[channel] = _consent(
            theirs.get(channel), ours.get(channel), keeps_address=keeps_address
        )
    return {channel: state for channel, state in consents.items() if state}


def _consent(
    theirs: Document | None, ours: Document | None, *, keeps_address: bool
) -> Document | None:
    """The state said last, at the same time the stricter one; any suppression stays.

    An agreement was given for one address: where the source's address gives way to
    the destination's, only its refusal and suppression come along.
    """
    if theirs is None:
        return ours
    agrees = theirs["status"] in _AGREED
    if agrees and not keeps_address:
        said = ours or {"status": "NEVER_SUBSCRIBED", "double_opt_in": False}
    else:
        said = theirs if ours is None else max(ours, theirs, key=_precedence)
    suppression = said.get("suppression") or next(
        (
            state["suppression"]
            for state in (ours, theirs)
            if state and state.get("suppression")
        ),
        None,
    )
    if suppression:
        return {**said, "suppression": suppression}
    return (
        None if said == {"status": "NEVER_SUBSCRIBED", "double_opt_in": False} else said
    )


def _precedence(state: Document) -> tuple[float, int]:
    updated = state.get("updated_at")
    return (
        updated.timestamp() if updated else float("-inf"),
        _STRICTNESS.index(state["status"]),
    )


def _consent_changes(
    source: Document, destination: Document, united: Document, now: datetime
) -> list[Document]:
    """Lines of the audit trail for the states that the merge changes."""
    before = destination.get("consent", {})
    lines = []
    for channel, state in united["consent"].items():
        old = before.get(channel, {}).get("status", "NEVER_SUBSCRIBED")
        if old != state["status"]:
            lines.append(
                {
                    "_id": ObjectId(),
                    "profile_id": destination["_id"],
                    "channel": channel.upper(),
                    "from": old,
                    "to": state["status"],
                    "at": now,
                    "recorded_at": now,
                    "method": "MERGE",
                    "source": f"prf_{source['_id']}",
                }
            )
    return lines
