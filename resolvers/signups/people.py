"""Who signs up: profiles found or made by the addresses that were given."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bson import ObjectId

from audience.consent import Channel
from audience.errors import AudienceError, Conflict, TooLarge
from audience.identity import Identity
from audience.signups import PHONE_CHANNELS, SignUp
from resolvers.db import Database, Document, find
from resolvers.profiles.reads import having
from resolvers.profiles.resolution import Request, settle_requests

_ATTEMPTS = 5

Channels = tuple[Channel, ...]
People = list[tuple[ObjectId, Channels]]


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Who signs up, when, and whether their word counts for more than a stranger's."""

    sign_up: SignUp
    now: datetime
    is_trusted: bool


async def people_of(
    db: Database, newcomers: Sequence[Newcomer]
) -> list[People | AudienceError]:
    """The profiles of each, and for which channels they sign up, in order; made where
    they are new, and told what the person says about themselves; by those whose word
    does not count for more than a stranger's, without their properties where there is
    no room for them, since that would tell who is known. An error among them stops no
    other."""
    outcomes: dict[int, People | AudienceError] = {}
    waiting = list(range(len(newcomers)))
    for _ in range(_ATTEMPTS):
        if not waiting:
            break
        some = [newcomers[index] for index in waiting]
        found = await _settle(db, some, min(each.now for each in some))
        outcomes |= zip(waiting, found, strict=True)
        # Someone took an address since it was looked up: look again.
        waiting = [each for each in waiting if isinstance(outcomes[each], Conflict)]
    for index in waiting:
        outcomes[index] = Conflict(
            "Others sign up with the same address now: send it again."
        )
    full = [
        index
        for index, outcome in outcomes.items()
        if isinstance(outcome, TooLarge) and not newcomers[index].is_trusted
    ]
    if full:
        plain = [_without_properties(newcomers[index]) for index in full]
        outcomes |= zip(full, await people_of(db, plain), strict=True)
    return [outcomes[index] for index in range(len(newcomers))]


def _without_properties(newcomer: Newcomer) -> Newcomer:
    sign_up = newcomer.sign_up
    change = replace(sign_up.change, properties={})
    return replace(newcomer, sign_up=replace(sign_up, change=change))


async def _settle(
    db: Database, newcomers: Sequence[Newcomer], now: datetime
) -> list[People | AudienceError]:
    wanted = await _identities(db, newcomers)
    requests = [
        Request(
            identity,
            newcomer.sign_up.change if nth == 0 else None,
            is_trusted=newcomer.is_trusted,
        )
        for newcomer, identities in zip(newcomers, wanted, strict=True)
        for nth, (identity, _) in enumerate(identities)
    ]
    settled = iter(await settle_requests(db, requests, now))
    outcomes: list[People | AudienceError] = []
    for identities in wanted:
        people: People = []
        refused: list[AudienceError] = []
        for _, channels in identities:
            each = next(settled)
            if isinstance(each, AudienceError):
                refused.append(each)
            else:
                people.append((each.id, channels))
        outcomes.append(refused[0] if refused else people)
    return outcomes


async def _identities(
    db: Database, newcomers: Sequence[Newcomer]
) -> list[list[tuple[Identity, Channels]]]:
    """Each profile's identity, with the channels that it signs up for, in order."""
    emails: list[str] = []
    phones: list[str] = []
    for newcomer in newcomers:
        who = newcomer.sign_up.change.identity
        if who.email is not None and who.phone_number is not None:
            emails.append(who.email)
            phones.append(who.phone_number)
    holders: list[Document] = []
    if emails:
        either = [having("email", emails), having("phone_number", phones)]
        fields = {"email": 1, "phone_number": 1}
        holders = await find(db.profiles, {"$or": either}, fields)
    return [_apart(newcomer, holders) for newcomer in newcomers]


def _apart(
    newcomer: Newcomer, holders: Sequence[Document]
) -> list[tuple[Identity, Channels]]:
    who, channels = newcomer.sign_up.change.identity, newcomer.sign_up.channels
    email, phone = who.email, who.phone_number
    if email is None or phone is None:
        return [(who, channels)]
    own = [
        each
        for each in holders
        if each.get("email") == email or each.get("phone_number") == phone
    ]
    if _are_one(own, email, phone, newcomer.is_trusted):
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
