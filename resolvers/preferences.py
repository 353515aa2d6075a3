"""What someone sees of themselves on their preference page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bson import ObjectId

from audience.consent import Channel, ConsentState
from audience.errors import NotFound
from resolvers.consent import known_by, state_of
from resolvers.db import Database, Document, find
from resolvers.ids import object_id
from resolvers.lists import lists_by_id
from resolvers.profiles.reads import having

MAX_HISTORY = 10_000


@dataclass(frozen=True, slots=True)
class Membership:
    """A list that the person is in, and since when."""

    list_id: str
    name: str
    joined_at: datetime


@dataclass(frozen=True, slots=True)
class Preferences:
    """The person's address, what they have said of each channel, and their lists."""

    profile_id: str
    email: str | None
    phone_number: str | None
    channels: tuple[tuple[Channel, ConsentState], ...]
    lists: tuple[Membership, ...]


async def preferences_of(db: Database, profile_id: str) -> Preferences:
    """The person's preferences; NotFound when there is no such person any more."""
    profile = await _person(db, profile_id)
    memberships = profile.get("lists", [])
    found = await lists_by_id(db, [each["list_id"] for each in memberships])
    states = [(channel, state_of(profile, channel)) for channel in Channel]
    return Preferences(
        str(profile["_id"]),
        profile.get("email"),
        profile.get("phone_number"),
        tuple(
            (channel, state)
            for channel, state in states
            if state.updated_at is not None
        ),
        tuple(
            Membership(str(known["_id"]), known["name"], each["joined_at"])
            for each, known in zip(memberships, found, strict=True)
            if known is not None
        ),
    )


async def consent_trail(db: Database, profile_id: str) -> Sequence[Document]:
    """Every line of the person's consent trail, the oldest first; the latest 10,000
    where there are more."""
    profile = await _person(db, profile_id)
    lines = await find(
        db.consent_changes,
        {"profile_id": {"$in": [profile["_id"], *profile.get("merged_ids", [])]}},
        sort={"at": -1, "_id": -1},
        limit=MAX_HISTORY,
    )
    return lines[::-1]


async def holder_of(db: Database, email: str) -> str | None:
    """The profile that has the address, which is in its normal form."""
    found = await db.profiles.find_one(having("email", [email]), {"_id": 1})
    return None if found is None else str(found["_id"])


async def _person(db: Database, profile_id: str) -> Document:
    wanted: ObjectId = object_id(profile_id, ("token",))
    profile = await db.profiles.find_one(
        known_by([wanted]),
        {"email": 1, "phone_number": 1, "consent": 1, "lists": 1, "merged_ids": 1},
    )
    if profile is None:
        raise NotFound("This link's profile is no more.", ("token",))
    return profile
