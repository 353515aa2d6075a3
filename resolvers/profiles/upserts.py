"""Changes what is known about people, making those who are new."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from bson import ObjectId

from audience.errors import AudienceError, NotFound
from audience.profiles import ProfileChange
from resolvers.db import Database, Document
from resolvers.profiles.reads import profiles_by_id
from resolvers.profiles.resolution import Request, Resolved, settle_requests

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Upserted:
    """The profile after the change, and whether it is new."""

    profile: Document
    created: bool


async def upsert_profile(
    db: Database, change: ProfileChange, now: datetime
) -> Upserted:
    """Changes the profile of the identity, or makes it."""
    (outcome,) = await upsert_profiles(db, [change], now)
    if isinstance(outcome, AudienceError):
        raise outcome
    return outcome


async def upsert_profiles(
    db: Database, changes: Sequence[ProfileChange], now: datetime
) -> list[Upserted | AudienceError]:
    """Changes or makes many profiles in a few commands; several changes of one
    person apply in order.

    A profile is found by any of its identifiers. One that nobody has is added, or
    replaces a weaker one than that by which the profile was found (the id, then
    external id, e-mail, phone). Conflict when identifiers belong to different people.
    """
    outcomes = await settle_requests(
        db, [Request(change.identity, change, replaces=True) for change in changes], now
    )
    ids = [outcome.id for outcome in outcomes if isinstance(outcome, Resolved)]
    found = dict(zip(ids, await profiles_by_id(db, ids), strict=True))
    return [_upserted(outcome, found) for outcome in outcomes]


async def identify(
    db: Database, change: ProfileChange, now: datetime, *, is_trusted: bool = False
) -> None:
    """Tells who someone is, by default on a public caller's word: makes the profile
    or sets what is given. Clears nothing, changes no identifier that the profile has,
    and does not tell whether anything was found, refused or changed. Identifiers are
    added to a known person for the trusted only; where those given cannot be of one
    person, nothing changes."""
    cautious = replace(
        change,
        attributes=_present(change.attributes),
        location=_present(change.location or {}),
        unset_properties=(),
    )
    request = Request(change.identity, cautious, is_trusted=is_trusted)
    await settle_requests(db, [request], now)


def _present(given: Mapping[str, Value | None]) -> dict[str, Value | None]:
    return {name: value for name, value in given.items() if value is not None}


def _upserted(
    outcome: Resolved | AudienceError, found: dict[ObjectId, Document | None]
) -> Upserted | AudienceError:
    if isinstance(outcome, AudienceError):
        return outcome
    profile = found[outcome.id]
    if profile is None:
        return NotFound("The profile was erased in the meantime.", ("id",))
    return Upserted(profile, outcome.created)
