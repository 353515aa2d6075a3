"""People sign up to a list.

What a caller learns is the same for the known and the unknown, and the database does
about the same work for both. Sign-ups that come at the same time are written together.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from bson import ObjectId

from audience.consent import Channel, Status
from audience.errors import AudienceError
from audience.evidence import NO_EVIDENCE, Evidence
from audience.identity import Identity
from audience.lists import OptIn
from audience.signups import SignUp
from audience.tokens import ConfirmationClaim, Tokens, confirmation_token
from resolvers.consent import Draft
from resolvers.db import Database, Document, Session, transaction
from resolvers.lists import check_still_there, live_list
from resolvers.signups.drafting import (
    channels_to_confirm,
    draft_sign_up,
    own_channels,
    unanswered,
)
from resolvers.signups.people import Newcomer, people_of
from resolvers.signups.writing import (
    Written,
    read_people,
    read_person,
    write_people,
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


@dataclass(frozen=True, slots=True, eq=False)
class _Request:
    """A sign-up that waits to be written with others."""

    newcomer: Newcomer
    proof: Evidence
    tokens: Tokens


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """One profile of a request's, which signs up for these channels."""

    request: _Request
    found: Document
    profile_id: ObjectId
    channels: tuple[Channel, ...]


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
    proof = replace(evidence, consent_text=sign_up.consent_text)
    request = _Request(Newcomer(sign_up, now, is_trusted), proof, tokens)
    done = await db.gathering.write("sign-ups", request, partial(_subscribe_all, db))
    if isinstance(done, AudienceError):
        raise done
    return done


async def subscribe_known(
    db: Database,
    sign_up: SignUp,
    profile_id: ObjectId,
    *,
    now: datetime,
    tokens: Tokens,
    said_at: datetime | None,
    is_retry: bool = False,
) -> SignedUp | None:
    """Signs up a profile that is known, on another tool's word. None where that
    changes nothing: who has unsubscribed stays so, whoever has yet to confirm is not
    asked again (but by a retry, for the message may not have gone out), a member
    stays one, who left the list stays out unless they are known to have agreed after
    that, at `said_at`, and who has another address than the one that was given did
    not say so."""
    found = await live_list(db, sign_up.list_id)
    proof = Evidence(consent_text=sign_up.consent_text)

    async def work(session: Session) -> list[Confirmation] | None:
        profile = await read_person(db, profile_id, session)
        if profile is None or _left_since(profile, found["_id"], said_at):
            return None
        who, own = sign_up.change.identity, sign_up.channels
        if who != Identity():
            own = own_channels(profile, who, own)
        draft = Draft(profile)
        new = unanswered(draft, found["_id"], own, is_retry)
        if not new:
            return None
        asked = channels_to_confirm(draft, new, found, is_trusted=True)
        changes, waiting = draft_sign_up(draft, sign_up, found, new, asked, proof, now)
        await write_person(db, draft, changes, now, session)
        return [_confirmation(profile, each, tokens, now) for each in waiting]

    confirmations = await transaction(db, work)
    await check_still_there(db, found["_id"], [profile_id])
    if confirmations is None:
        return None
    return SignedUp(_status(found), found, tuple(confirmations))


async def _subscribe_all(
    db: Database, requests: Sequence[_Request]
) -> dict[_Request, SignedUp | AudienceError]:
    """Signs everybody up in the commands of one; what is wrong with one of them stops
    no other. To do it again changes nothing more."""
    outcomes: dict[_Request, SignedUp | AudienceError] = {}
    lists = await _each_list(db, {each.newcomer.sign_up.list_id for each in requests})
    asked: dict[_Request, Document] = {}
    for request in requests:
        found = lists[request.newcomer.sign_up.list_id]
        if isinstance(found, AudienceError):
            outcomes[request] = found
        else:
            asked[request] = found
    people = await people_of(db, [request.newcomer for request in asked])
    steps: list[_Step] = []
    for (request, found), who in zip(asked.items(), people, strict=True):
        if isinstance(who, AudienceError):
            outcomes[request] = who
        else:
            steps += [_Step(request, found, *each) for each in who]
    told: dict[_Request, list[Confirmation]] = {step.request: [] for step in steps}
    waiting = steps
    while waiting:
        done = await transaction(db, partial(_take_steps, db, waiting))
        for step, outcome in done.items():
            if isinstance(outcome, AudienceError):
                outcomes.setdefault(step.request, outcome)
            else:
                told[step.request] += outcome
        waiting = [step for step in waiting if step not in done]
    for list_id in {step.found["_id"] for step in steps}:
        to_it = [step for step in steps if step.found["_id"] == list_id]
        try:
            await check_still_there(db, list_id, [step.profile_id for step in to_it])
        except AudienceError as error:
            outcomes |= {step.request: error for step in to_it}
    for request, confirmations in told.items():
        found = asked[request]
        signed_up = SignedUp(_status(found), found, tuple(confirmations))
        outcomes.setdefault(request, signed_up)
    return outcomes


async def _each_list(
    db: Database, ids: Iterable[str]
) -> dict[str, Document | AudienceError]:
    async def one(list_id: str) -> Document | AudienceError:
        try:
            return await live_list(db, list_id)
        except AudienceError as error:
            return error

    distinct = list(ids)
    return dict(zip(distinct, await asyncio.gather(*map(one, distinct)), strict=True))


async def _take_steps(
    db: Database, steps: Sequence[_Step], session: Session
) -> dict[_Step, list[Confirmation] | AudienceError]:
    """What came of the steps, but of those that have to see what another one has done
    to the same profile."""
    profiles = await read_people(db, [step.profile_id for step in steps], session)
    done: dict[_Step, list[Confirmation] | AudienceError] = {}
    drafts: dict[ObjectId, Written] = {}
    for step in steps:
        profile = profiles.get(step.profile_id)
        if profile is None:  # erased this very moment
            done[step] = []
            continue
        if profile["_id"] in drafts:
            continue
        request, newcomer = step.request, step.request.newcomer
        sign_up, now = newcomer.sign_up, newcomer.now
        said_at = sign_up.at
        if said_at is not None and _left_since(profile, step.found["_id"], said_at):
            done[step] = []
            continue
        draft = Draft(profile)
        own = own_channels(profile, sign_up.change.identity, step.channels)
        asked = channels_to_confirm(draft, own, step.found, newcomer.is_trusted)
        try:
            changes, waiting = draft_sign_up(
                draft, sign_up, step.found, own, asked, request.proof, now
            )
        except AudienceError as error:
            done[step] = error
            continue
        drafts[profile["_id"]] = Written(draft, changes, now)
        done[step] = [
            _confirmation(profile, each, request.tokens, now) for each in waiting
        ]
    await write_people(db, list(drafts.values()), session)
    return done


def _status(found: Document) -> Status:
    is_single = found["opt_in"] == OptIn.SINGLE
    return Status.SUBSCRIBED if is_single else Status.PENDING


def _left_since(profile: Document, list_id: ObjectId, said_at: datetime | None) -> bool:
    left_at = profile.get("left", {}).get(str(list_id))
    return left_at is not None and (said_at is None or said_at <= left_at)


def _confirmation(
    profile: Document, entry: Document, tokens: Tokens, now: datetime
) -> Confirmation:
    channels = tuple(Channel(name) for name in entry["channels"])
    claim = ConfirmationClaim(
        str(profile["_id"]), str(entry["list_id"]), entry["nonce"], channels
    )
    token = confirmation_token(tokens, claim, now)
    return Confirmation(token, entry["address"], channels)
