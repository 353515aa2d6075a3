"""What a sign-up changes about one profile: decided on a draft, written by others."""

import secrets
from collections.abc import Sequence
from datetime import datetime

from bson import ObjectId

from audience.consent import Channel, Statement, Status
from audience.evidence import Evidence
from audience.identity import Identity
from audience.lists import OptIn
from audience.signups import SignUp, by_address
from resolvers.consent import ConsentChange, Draft, say
from resolvers.db import Document
from resolvers.lists import membership, membership_in
from resolvers.signups.writing import membership_source, without


def draft_sign_up(
    draft: Draft,
    sign_up: SignUp,
    found: Document,
    channels: Sequence[Channel],
    asked: Sequence[Channel],
    proof: Evidence,
    now: datetime,
) -> tuple[Document, list[Document]]:
    """Signs the draft up to the list `found` for the channels, of which some are asked
    to confirm. What else changes in the profile, and what is to be confirmed."""
    agreed = tuple(each for each in channels if each not in asked)
    before: list[Document] = draft.profile.get("pending", [])
    pending, waiting = _wait(draft, sign_up, found, asked, before, proof, now)
    changes: Document = {}
    if found["opt_in"] == OptIn.SINGLE and (agreed or not asked):
        changes = _join(draft, sign_up, found, agreed, proof, now)
        pending = without(pending, agreed, found["_id"])
    if pending != before:
        changes["$set"] = {"pending": pending}
    return changes, waiting


def unanswered(
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


def own_channels(
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


def channels_to_confirm(
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
