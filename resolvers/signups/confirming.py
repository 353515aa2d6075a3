"""The holder of an address confirms a sign-up."""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime

from bson import ObjectId

from audience.consent import Channel, Method, Statement, Status
from audience.errors import InvalidInput, NotFound
from audience.evidence import NO_EVIDENCE, Evidence
from audience.tokens import Tokens, read_confirmation
from resolvers.consent import ConsentChange, Draft, say
from resolvers.db import Database, Document, Session, transaction
from resolvers.ids import object_id
from resolvers.lists import check_still_there, live_list, membership, membership_in
from resolvers.signups.writing import membership_source, read_person, write_person


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The status of the confirmed channels; `is_repeated` when there was nothing left
    to confirm, because it was done or withdrawn before."""

    status: Status
    list: Document
    is_repeated: bool


async def confirm(
    db: Database,
    token: str,
    *,
    now: datetime,
    tokens: Tokens,
    evidence: Evidence = NO_EVIDENCE,
) -> Confirmed:
    """The holder of the address confirms; works once, and says politely so later.

    InvalidInput when the token is forged or has expired, or the profile has another
    address now.
    """
    claim = read_confirmation(tokens, token, now)
    try:
        found = await live_list(db, claim.list_id, ("token",))
    except NotFound:
        raise NotFound("The list of this sign-up is no more.", ("token",)) from None
    profile_id = object_id(claim.profile_id, ("token",))

    async def work(session: Session) -> Confirmed:
        profile = await read_person(db, profile_id, session)
        if profile is None:
            raise NotFound("The profile of this sign-up is no more.", ("token",))
        draft = Draft(profile)
        entry = _waiting(profile, found["_id"], claim.nonce)
        if entry is not None:
            changes = _confirm(draft, entry, found["_id"], evidence, now)
            await write_person(db, draft, changes, now, session)
        states = [draft.state(channel).status for channel in claim.channels]
        other = [status for status in states if status is not Status.SUBSCRIBED]
        status = other[0] if other else Status.SUBSCRIBED
        return Confirmed(status, found, entry is None)

    confirmed = await transaction(db, work)
    await check_still_there(db, found["_id"], [profile_id])
    return confirmed


def _confirm(
    draft: Draft,
    entry: Document,
    list_id: ObjectId,
    evidence: Evidence,
    now: datetime,
) -> Document:
    profile = draft.profile
    address = profile.get("email" if "EMAIL" in entry["channels"] else "phone_number")
    if address != entry["address"]:
        raise InvalidInput(
            "The address has changed since; sign up again with the new one.", ("token",)
        )
    proof = replace(evidence, consent_text=entry.get("consent_text"))
    for name in entry["channels"]:
        said = Statement(
            Channel(name), Status.SUBSCRIBED, Method.CONFIRMATION, entry["source"]
        )
        say(
            draft,
            ConsentChange(profile["_id"], said, proof, list_id, is_event=True),
            now,
        )
    left = [each for each in profile["pending"] if each["nonce"] != entry["nonce"]]
    changes: Document = {"$set": {"pending": left}}
    if membership_in(profile, list_id) is None:
        source = membership_source(entry["method"])
        changes["$push"] = {"lists": membership(list_id, now, source)}
    return changes


def _waiting(profile: Document, list_id: ObjectId, nonce: str) -> Document | None:
    for each in profile.get("pending", ()):
        if each["list_id"] == list_id and secrets.compare_digest(each["nonce"], nonce):
            entry: Document = each
            return entry
    return None
