"""People sign up to a list.

What a caller learns is the same for the known and the unknown, and the database does
about the same work for both.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bson import ObjectId

from audience.consent import NO_EVIDENCE, Channel, Evidence, Statement, Status
from audience.identity import Identity
from audience.lists import OptIn
from audience.signups import SignUp, by_address
from audience.tokens import ConfirmationClaim, Tokens, confirmation_token
from resolvers.consent import ConsentChange, Draft, say
from resolvers.db import Database, Document, Session, transaction
from resolvers.lists import check_still_there, live_list, membership, membership_in
from resolvers.signups.people import people_of
from resolvers.signups.writing import (
    membership_source,
    read_person,
    without,
    write_person,
)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A token to be delivered to the address that it proves; never to the caller."""

    token: str
    address: str
    channels: tuple[Channel, ...]


@dataclass(frozen=True, slots=True)
class SignedUp:
    """What the caller is told, the list's document, and what is to be delivered."""

    status: Status
    list: Document
    confirmations: tuple[Confirmation, ...] = ()


async def subscribe(
    db: Database,
    sign_up: SignUp,
    *,
    now: datetime,
    tokens: Tokens,
    evidence: Evidence = NO_EVIDENCE,
    is_trusted: bool = False,
) -> SignedUp:
    """Signs someone up. Doing it again changes nothing more.

    SINGLE opt-in: a member with consent at once. Whoever has said no, or has yet to
    confirm, is asked for a confirmation there too, unless the caller `is_trusted`: a
    stranger's word does not undo theirs. The answer is SUBSCRIBED all the same, since
    it must not tell. DOUBLE: the answer is always PENDING, and each address gets a
    token unless its owner is in and subscribed. A pending sign-up that is repeated
    gives a token for the same one.

    What is said about the person is filled in or brought up to date, but an address
    is never added to, or changed on, a profile that is known, unless the caller
    `is_trusted`: an e-mail address and a phone number of different profiles, or one
    known and one new, each sign up a profile of their own. A suppression stays.
    """
    found = await live_list(db, sign_up.list_id)
    proof = replace(evidence, consent_text=sign_up.consent_text)
    confirmations: list[Confirmation] = []
    for profile_id, channels in await people_of(db, sign_up, now, is_trusted):

        async def work(
            session: Session,
            profile_id: ObjectId = profile_id,
            channels: tuple[Channel, ...] = channels,
        ) -> list[Confirmation]:
            profile = await read_person(db, profile_id, session)
            if profile is None:  # erased this very moment
                return []
            draft = Draft(profile)
            own = _own(profile, sign_up.change.identity, channels)
            asked = _asked(draft, own, found, is_trusted)
            return await _sign_up(
                db, draft, sign_up, found, own, asked, proof, tokens, now, session
            )

        confirmations += await transaction(db, work)
        await check_still_there(db, found["_id"], [profile_id])
    return SignedUp(_status(found), found, tuple(confirmations))


async def subscribe_known(
    db: Database,
    sign_up: SignUp,
    profile_id: ObjectId,
    *,
    now: datetime,
    tokens: Tokens,
    is_retry: bool = False,
) -> SignedUp | None:
    """Signs up a profile that is known, on another tool's word. None where that
    changes nothing: who has unsubscribed stays so, whoever has yet to confirm is not
    asked again (but by a retry, for the message may not have gone out), a member
    stays one, and who has another address than the one that was given did not say
    so."""
    found = await live_list(db, sign_up.list_id)
    proof = Evidence(consent_text=sign_up.consent_text)

    async def work(session: Session) -> list[Confirmation] | None:
        profile = await read_person(db, profile_id, session)
        if profile is None:
            return None
        who, own = sign_up.change.identity, sign_up.channels
        if who != Identity():
            own = _own(profile, who, own)
        draft = Draft(profile)
        new = _unanswered(draft, found["_id"], own, is_retry)
        if not new:
            return None
        asked = _asked(draft, new, found, is_trusted=True)
        return await _sign_up(
            db, draft, sign_up, found, new, asked, proof, tokens, now, session
        )

    confirmations = await transaction(db, work)
    await check_still_there(db, found["_id"], [profile_id])
    if confirmations is None:
        return None
    return SignedUp(_status(found), found, tuple(confirmations))


async def _sign_up(
    db: Database,
    draft: Draft,
    sign_up: SignUp,
    found: Document,
    channels: Sequence[Channel],
    asked: Sequence[Channel],
    proof: Evidence,
    tokens: Tokens,
    now: datetime,
    session: Session,
) -> list[Confirmation]:
    """Writes the sign-up to the channels, of which some are asked to confirm."""
    profile = draft.profile
    agreed = tuple(each for each in channels if each not in asked)
    before: list[Document] = profile.get("pending", [])
    pending, waiting = _wait(draft, sign_up, found, asked, before, proof, now)
    changes: Document = {}
    if found["opt_in"] == OptIn.SINGLE and (agreed or not asked):
        changes = _join(draft, sign_up, found, agreed, proof, now)
        pending = without(pending, agreed, found["_id"])
    if pending != before:
        changes["$set"] = {"pending": pending}
    await write_person(db, draft, changes, now, session)
    return [_confirmation(profile, each, tokens, now) for each in waiting]


def _status(found: Document) -> Status:
    is_single = found["opt_in"] == OptIn.SINGLE
    return Status.SUBSCRIBED if is_single else Status.PENDING


def _unanswered(
    draft: Draft, list_id: ObjectId, channels: Sequence[Channel], is_retry: bool
) -> tuple[Channel, ...]:
    """The channels of which nothing was said yet, or on which only the membership is
    missing."""
    pending = draft.profile.get("pending", ())
    waits = any(each["list_id"] == list_id for each in pending)
    is_member = membership_in(draft.profile, list_id) is not None
    states = {each: draft.state(each).status for each in channels}
    return tuple(
        each
        for each, status in states.items()
        if status is Status.NEVER_SUBSCRIBED
        or (status is Status.SUBSCRIBED and not is_member and not waits)
        or (status is not Status.UNSUBSCRIBED and waits and is_retry)
    )


def _own(
    profile: Document, who: Identity, channels: Sequence[Channel]
) -> tuple[Channel, ...]:
    """The channels whose address is this profile's and was given. Another may have
    got it since it was looked up."""
    return tuple(
        each
        for each in channels
        if (
            profile.get("email") == who.email is not None
            if each is Channel.EMAIL
            else profile.get("phone_number") == who.phone_number is not None
        )
    )


def _asked(
    draft: Draft, channels: Sequence[Channel], found: Document, is_trusted: bool
) -> tuple[Channel, ...]:
    """The channels whose owner has to confirm."""
    if found["opt_in"] == OptIn.DOUBLE:
        return tuple(channels)
    if is_trusted:
        return ()
    no = (Status.UNSUBSCRIBED, Status.PENDING)
    return tuple(each for each in channels if draft.state(each).status in no)


def _join(
    draft: Draft,
    sign_up: SignUp,
    found: Document,
    channels: Sequence[Channel],
    proof: Evidence,
    now: datetime,
) -> Document:
    """Subscribes the channels, and what to change to make a member."""
    is_new = membership_in(draft.profile, found["_id"]) is None
    for channel in channels:
        said = _statement(sign_up, found, channel, Status.SUBSCRIBED)
        change = ConsentChange(
            draft.profile["_id"], said, proof, found["_id"], is_event=is_new
        )
        say(draft, change, now)
    changes: Document = {}
    if is_new:
        source = membership_source(sign_up.method)
        changes["$push"] = {"lists": membership(found["_id"], now, source)}
    return changes


def _wait(
    draft: Draft,
    sign_up: SignUp,
    found: Document,
    channels: Sequence[Channel],
    pending: list[Document],
    proof: Evidence,
    now: datetime,
) -> tuple[list[Document], list[Document]]:
    """What is pending then, and what of it is to be confirmed to this list."""
    profile = draft.profile
    is_member = membership_in(profile, found["_id"]) is not None
    waiting: list[Document] = []
    for group in by_address(channels):
        states = {each: draft.state(each).status for each in group}
        if is_member and set(states.values()) == {Status.SUBSCRIBED}:
            continue
        address = profile["email" if group == (Channel.EMAIL,) else "phone_number"]
        known = [
            each
            for each in pending
            if each["list_id"] == found["_id"] and each["channels"] == list(group)
        ]
        same = [each for each in known if each["address"] == address]
        entry: Document = {
            "list_id": found["_id"],
            "channels": list(group),
            "requested_at": now,
            "nonce": same[0]["nonce"] if same else secrets.token_urlsafe(9),
            "address": address,
            "method": sign_up.method,
            "source": sign_up.source or found["name"],
        }
        if proof.consent_text is not None:
            entry["consent_text"] = proof.consent_text
        pending = [*(each for each in pending if each not in known), entry]
        waiting.append(entry)
        for channel, status in states.items():
            is_agreed = status is Status.SUBSCRIBED
            to = Status.SUBSCRIBED if is_agreed else Status.PENDING
            said = _statement(sign_up, found, channel, to)
            change = ConsentChange(
                profile["_id"], said, proof, found["_id"], is_event=not same
            )
            say(draft, change, now)
    return pending, waiting


def _statement(
    sign_up: SignUp, found: Document, channel: Channel, to: Status
) -> Statement:
    source = sign_up.source or found["name"]
    return Statement(channel, to, sign_up.method, source, sign_up.at)


def _confirmation(
    profile: Document, entry: Document, tokens: Tokens, now: datetime
) -> Confirmation:
    channels = tuple(Channel(name) for name in entry["channels"])
    claim = ConfirmationClaim(
        str(profile["_id"]), str(entry["list_id"]), entry["nonce"], channels
    )
    token = confirmation_token(tokens, claim, now)
    return Confirmation(token, entry["address"], channels)
