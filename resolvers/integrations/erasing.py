"""Customers whom a shop wants to be erased: whoever has the customer's address here."""

from datetime import datetime

from audience.errors import NotFound
from audience.identity import Identity
from audience.integrations.calls import (
    AskedErasure,
    checked_person,
    known_identity,
    reference,
)
from resolvers.db import Database, Document
from resolvers.erasures import erase_profile
from resolvers.merges import living_profile
from resolvers.profiles import profile_by

METHOD = "INTEGRATION"


async def erase_customer(
    db: Database,
    integration: Document,
    asked: AskedErasure,
    now: datetime,
    *,
    received_at: datetime,
) -> bool:
    """Whether there was somebody to erase: who has the customer's e-mail address; or
    else their phone number, and no e-mail address, since anybody can give a shop any
    number; or else whom the shop's earlier calls have told to be this customer.

    Who is here only since after `received_at` is somebody new: a call that is worked
    on again, or late, erases nobody who has signed up since."""
    change, _ = checked_person(asked.person)
    who = known_identity(change) or Identity()
    found = _meant(await _by_address(db, who), received_at)
    if found is None and asked.known_as is not None:
        known = await db.integration_people.find_one(
            {"_id": reference(integration["_id"], asked.known_as)}
        )
        if known is not None:
            living = await living_profile(db, known["profile_id"], None)
            found = _meant(living, received_at)
    if found is None:
        return False
    try:
        await erase_profile(db, found["_id"], now, method=METHOD)
    except NotFound:  # erased in the meantime
        return False
    return True


def _meant(profile: Document | None, received_at: datetime) -> Document | None:
    is_new = profile is not None and profile["created_at"] > received_at
    return None if is_new else profile


async def _by_address(db: Database, who: Identity) -> Document | None:
    fields: Document = {"created_at": 1}
    profile: Document | None = None
    if who.email is not None:
        profile = await profile_by(db, Identity(email=who.email), projection=fields)
    if profile is None and who.phone_number is not None:
        number = Identity(phone_number=who.phone_number)
        profile = await profile_by(db, number, projection=fields)
        if profile is not None and "email" in profile:
            return None
    return profile
