"""Who signs up: profiles found or made by the addresses that were given."""

from dataclasses import replace
from datetime import datetime

from bson import ObjectId

from audience.consent import Channel
from audience.errors import AudienceError, Conflict
from audience.identity import Identity
from audience.signups import PHONE_CHANNELS, SignUp
from resolvers.db import Database, Document, find
from resolvers.profiles import resolve_profiles, upsert_profile
from resolvers.profiles.reads import having

_ATTEMPTS = 5


async def people_of(
    db: Database, sign_up: SignUp, now: datetime, is_trusted: bool
) -> list[tuple[ObjectId, tuple[Channel, ...]]]:
    """Who signs up, each for which channels; made where they are new."""
    for _ in range(_ATTEMPTS):
        wanted = await _identities(db, sign_up, is_trusted)
        resolved = await resolve_profiles(
            db, [who for who, _ in wanted], now, is_trusted=is_trusted
        )
        refused = [each for each in resolved if isinstance(each, AudienceError)]
        if not refused:
            ids = [each.id for each in resolved if not isinstance(each, AudienceError)]
            people = [
                (profile_id, channels)
                for profile_id, (_, channels) in zip(ids, wanted, strict=True)
            ]
            await _tell(db, sign_up, people[0][0], now)
            return people
        if not isinstance(refused[0], Conflict):
            raise refused[0]
        # Someone took an address since it was looked up: look again.
    raise Conflict("Others sign up with the same address now: send it again.")


async def _identities(
    db: Database, sign_up: SignUp, is_trusted: bool
) -> list[tuple[Identity, tuple[Channel, ...]]]:
    """Each profile's identity, with the channels that it signs up for."""
    who, channels = sign_up.change.identity, sign_up.channels
    email, phone = who.email, who.phone_number
    if email is None or phone is None:
        return [(who, channels)]
    either = [having("email", [email]), having("phone_number", [phone])]
    fields = {"email": 1, "phone_number": 1}
    holders = await find(db.profiles, {"$or": either}, fields)
    if _are_one(holders, email, phone, is_trusted):
        return [(who, channels)]
    apart = [
        (
            replace(who, phone_number=None),
            tuple(each for each in channels if each not in PHONE_CHANNELS),
        ),
        (
            Identity(phone_number=phone),
            tuple(each for each in channels if each in PHONE_CHANNELS),
        ),
    ]
    return [(identity, some) for identity, some in apart if some]


def _are_one(holders: list[Document], email: str, phone: str, is_trusted: bool) -> bool:
    """Whether both addresses may stand for one profile."""
    if len(holders) != 1:
        return not holders
    has_email, has_phone = holders[0].get("email"), holders[0].get("phone_number")
    if (has_email, has_phone) == (email, phone):
        return True
    return is_trusted and None in (has_email, has_phone)


async def _tell(
    db: Database, sign_up: SignUp, profile_id: ObjectId, now: datetime
) -> None:
    """Fills in what the person says about themselves."""
    said = sign_up.change
    if said.attributes or said.location or said.properties:
        change = replace(said, identity=Identity(id=str(profile_id)))
        await upsert_profile(db, change, now)
