"""What a call says, written down: the person, their consent and lists, their events.

Every step can be done again without doing more, so a call that was interrupted is
simply worked on again.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId

from audience.consent import Channel, Method, Statement, Status
from audience.errors import AudienceError, Conflict, InvalidInput, NotFound, TooLarge
from audience.events import NewEvent, new_event
from audience.evidence import Evidence
from audience.identity import Identity
from audience.integrations.calls import (
    Heard,
    HeardConsent,
    HeardEvent,
    checked_person,
    known_identity,
    reference,
)
from audience.integrations.kinds import KINDS, IntegrationKind, Settings, lists_of
from audience.lists import MembershipSource
from audience.profiles import ProfileChange
from audience.signups import SignUp
from audience.tokens import Tokens
from resolvers.consent import ConsentChange, change_consents
from resolvers.db import Database, Document
from resolvers.events import track_events
from resolvers.integrations.ordering import Moments, moments_of
from resolvers.lists import join_unless_left
from resolvers.metrics import make_metrics
from resolvers.profiles import resolve_profiles, upsert_profile
from resolvers.signups import Confirmation, subscribe_known

REMEMBERED = timedelta(days=400)

Deliver = Callable[[Confirmation, Document], Awaitable[None]]


class NotYetKnown(NotFound):
    """The call is about somebody whom only another call names, which has not come."""


@dataclass(frozen=True, slots=True)
class Applying:
    """What applying a call takes beside the call."""

    integration: Document
    settings: Settings
    now: datetime
    tokens: Tokens
    deliver: Deliver
    received_at: datetime
    is_retry: bool

    def stated(self, at: datetime, *, is_dated: bool = True) -> datetime | None:
        """The moment that the call states; None for that of its arrival, since it may
        be an old one that comes again."""
        return at if is_dated and at < self.received_at else None


async def apply(db: Database, heard: Heard, applying: Applying) -> tuple[str, ...]:
    """Writes down what was heard; answers the names of values that could not be kept.

    NotYetKnown when it has to wait for another call; another AudienceError when it
    can never be used.
    """
    change, left_out = checked_person(heard.person)
    who = known_identity(change)
    is_vouched = KINDS[IntegrationKind(applying.integration["kind"])].is_vouched
    if who is None:
        profile_id = await _remembered(db, heard, applying)
        change = ProfileChange(Identity())
    else:
        profile_id, who = await _resolved(db, who, applying.now, is_vouched)
    assert change is not None  # noqa: S101 - one of the two
    change = replace(change, identity=who or Identity())
    async with moments_of(db, profile_id) as moments:
        described = change
        if not (is_vouched and heard.is_account):
            described = replace(change, identity=Identity())
        left_out += await _describe(
            db, described, profile_id, heard.as_of, moments, applying.now
        )
        await _remember(db, heard, profile_id, applying)
        await _hear_consents(db, heard, change, profile_id, moments, applying)
    await _record(db, heard, profile_id, applying)
    return left_out


async def _resolved(
    db: Database, who: Identity, now: datetime, is_vouched: bool
) -> tuple[ObjectId, Identity]:
    """The person, and the identifiers that are theirs: where those that were given
    belong to several people, the strongest counts alone. On the word of a tool that
    is not vouched for, nobody who is known gets an identifier."""
    (found,) = await resolve_profiles(db, [who], now, is_trusted=is_vouched)
    if isinstance(found, Conflict):
        who = _strongest(who)
        (found,) = await resolve_profiles(db, [who], now, is_trusted=is_vouched)
    if isinstance(found, AudienceError):
        raise found
    return found.id, who


def _strongest(who: Identity) -> Identity:
    for name, value in who.known():
        return Identity(**{name: value})
    return who


async def _remembered(db: Database, heard: Heard, applying: Applying) -> ObjectId:
    if heard.known_as is None:
        raise InvalidInput(
            "The call names nobody: it has no usable e-mail address, phone number or "
            "other identifier."
        )
    found = await db.integration_people.find_one(
        {"_id": reference(applying.integration["_id"], heard.known_as)}
    )
    if found is None:
        raise NotYetKnown("No earlier call has told whom this one is about.")
    (living,) = await resolve_profiles(
        db, [Identity(id=str(found["profile_id"]))], applying.now
    )
    if isinstance(living, AudienceError):
        raise InvalidInput("The profile of this person is no more.")
    return living.id


async def _remember(
    db: Database, heard: Heard, profile_id: ObjectId, applying: Applying
) -> None:
    """Whom the source knows by these: as the account's own call says, or else as the
    first that named somebody; anybody can type another address into an order."""
    always: Document = {"expires_at": applying.now + REMEMBERED}
    once: Document = {"integration_id": applying.integration["_id"]}
    (always if heard.is_account else once)["profile_id"] = profile_id
    for each in heard.remember:
        await db.integration_people.update_one(
            {"_id": reference(applying.integration["_id"], each)},
            {"$set": always, "$setOnInsert": once},
            upsert=True,
        )


async def _describe(
    db: Database,
    change: ProfileChange,
    profile_id: ObjectId,
    at: datetime,
    moments: Moments,
    now: datetime,
) -> tuple[str, ...]:
    """Fills in what the call says of the person, as far as nothing newer is known;
    answers what there was no room for."""

    def newer(prefix: str, given: Any) -> dict[str, Any]:
        return {
            name: value
            for name, value in (given or {}).items()
            if moments.admits(prefix + name, at)
        }

    given = dict(change.identity.known())
    identifiers = newer("", given)
    attributes = newer("", change.attributes)
    location = newer("location.", change.location)
    properties = newer("properties.", change.properties)
    if not identifiers and not attributes and not location and not properties:
        return ()
    # The strongest identifier finds the person, the others are theirs from now on.
    who = dict(list(given.items())[:1]) | identifiers
    fresh = ProfileChange(
        Identity(**who) if who else Identity(id=str(profile_id)),
        attributes,
        location or None,
        properties,
    )
    left_out: tuple[str, ...] = ()
    try:
        await _upsert(db, fresh, profile_id, now)
    except TooLarge:
        # The profile is full; the rest is true all the same.
        await _upsert(db, replace(fresh, properties={}), profile_id, now)
        properties, left_out = {}, ("properties",)
    for name in (*identifiers, *attributes):
        moments.note(name, at)
    for name in location:
        moments.note(f"location.{name}", at)
    for name in properties:
        moments.note(f"properties.{name}", at)
    return left_out


async def _upsert(
    db: Database, change: ProfileChange, profile_id: ObjectId, now: datetime
) -> None:
    try:
        await upsert_profile(db, change, now)
    except Conflict:
        # An identifier has become somebody else's; the rest is true all the same.
        unnamed = replace(change, identity=Identity(id=str(profile_id)))
        await upsert_profile(db, unnamed, now)


async def _hear_consents(
    db: Database,
    heard: Heard,
    change: ProfileChange,
    profile_id: ObjectId,
    moments: Moments,
    applying: Applying,
) -> None:
    """Records what the person said of the channels, and has them join the list.

    The same statement told again, as every later order tells it, is not a new one.
    A yes that does not say of when it is makes no dated one old.
    """
    lists = lists_of(applying.settings)
    list_id = lists[0] if lists else None
    news = [
        each
        for each in heard.consents
        if moments.is_news(f"consent.{each.channel}", each.at)
    ]
    for each in news:
        at = min(each.at, applying.now)
        if each.status is Status.SUBSCRIBED and list_id is not None:
            await _sign_up(db, each, at, change, profile_id, list_id, applying)
        elif await _is_theirs(db, each, change.identity, profile_id):
            said = Statement(
                each.channel,
                each.status,
                Method.INTEGRATION,
                applying.integration["name"],
                at,
            )
            proof = Evidence(consent_text=each.text)
            # What is refused is older than what is known, or against the person's no.
            await change_consents(
                db, [ConsentChange(profile_id, said, proof)], applying.now
            )
        is_yes = each.status is Status.SUBSCRIBED
        if not is_yes or applying.stated(each.at, is_dated=each.is_dated) is not None:
            moments.note(f"consent.{each.channel}", each.at)
    joined_at = heard.joined_at
    if list_id is None or joined_at is None:
        return
    field = f"list.{list_id}"
    if moments.is_news(field, joined_at):
        await join_unless_left(
            db,
            list_id,
            profile_id,
            min(joined_at, applying.now),
            MembershipSource.INTEGRATION,
            said_at=applying.stated(joined_at),
            now=applying.now,
        )
        if applying.stated(joined_at) is not None:
            moments.note(field, joined_at)


async def _is_theirs(
    db: Database, said: HeardConsent, given: Identity, profile_id: ObjectId
) -> bool:
    """Whether what was agreed to is about the address that the person has: another
    one that came with it is not theirs, and its yes is none for theirs."""
    name = {Channel.EMAIL: "email", Channel.PUSH: ""}.get(said.channel, "phone_number")
    address = getattr(given, name, None)
    if said.status is not Status.SUBSCRIBED or address is None:
        return True
    profile = await db.profiles.find_one({"_id": profile_id}, {name: 1})
    return profile is not None and profile.get(name) == address


async def _sign_up(
    db: Database,
    consent: HeardConsent,
    at: datetime,
    change: ProfileChange,
    profile_id: ObjectId,
    list_id: str,
    applying: Applying,
) -> None:
    sign_up = SignUp(
        list_id,
        ProfileChange(change.identity),
        (consent.channel,),
        Method.INTEGRATION,
        applying.integration["name"],
        consent.text,
        at,
    )
    done = await subscribe_known(
        db,
        sign_up,
        profile_id,
        now=applying.now,
        tokens=applying.tokens,
        said_at=applying.stated(consent.at, is_dated=consent.is_dated),
        is_retry=applying.is_retry,
    )
    for confirmation in done.confirmations if done else ():
        await applying.deliver(confirmation, done.list if done else {})


async def _record(
    db: Database, heard: Heard, profile_id: ObjectId, applying: Applying
) -> None:
    if not heard.events:
        return
    kind = IntegrationKind(applying.integration["kind"])
    await make_metrics(
        db, [each.metric for each in heard.events], applying.now, KINDS[kind].title
    )
    who = Identity(id=str(profile_id))
    events = [_checked(each, who, applying.now) for each in heard.events]
    for tracked in await track_events(db, events, applying.now):
        if tracked.error is not None:
            raise tracked.error


def _checked(
    event: HeardEvent, who: Identity, now: datetime
) -> NewEvent | AudienceError:
    try:
        return new_event(
            who,
            event.metric,
            now=now,
            timestamp=event.timestamp,
            value=event.value,
            currency=event.currency,
            properties=event.properties,
            unique_id=event.unique_id,
        )
    except AudienceError as error:
        return error
