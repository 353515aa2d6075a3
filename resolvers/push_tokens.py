"""Push tokens: kept in the profile of whoever uses the device. A token is in one
profile at a time."""

from collections.abc import Sequence
from datetime import datetime

from bson import ObjectId
from pymongo.errors import DuplicateKeyError

from audience.consent import Channel, Method, Statement
from audience.errors import AudienceError, NotFound
from audience.evidence import NO_EVIDENCE, Evidence
from audience.identity import Identity
from audience.push import Device, registered, said_of
from resolvers.consent import ConsentChange, Draft, known_by, say
from resolvers.db import Database, Document, Session, transaction
from resolvers.profiles import resolve_profiles
from resolvers.profiles.matching import KNOWN
from resolvers.signups.writing import write_person

ATTEMPTS = 10

_READ: Document = dict.fromkeys((*KNOWN, "consent", "push_tokens"), 1)


async def register_push_token(
    db: Database,
    who: Identity,
    device: Device,
    *,
    now: datetime,
    evidence: Evidence = NO_EVIDENCE,
    is_trusted: bool = True,
) -> ObjectId:
    """The profile that has the device's token now, made when it is new; the profile
    that had it before has it no more.

    On the word of a caller who is not trusted, the token counts as verified only if
    the person had it verified before: a stranger may name somebody who has yet to come.
    """
    (found,) = await resolve_profiles(db, [who], now, is_trusted=is_trusted)
    if isinstance(found, AudienceError):
        raise found.under("profile")
    profile_id, is_new = found.id, found.created

    async def work(session: Session) -> ObjectId:
        profile = await db.profiles.find_one(
            known_by([profile_id]), _READ, session=session
        )
        if profile is None:
            raise NotFound("The profile was erased in the meantime.", ("profile",))
        others = {"push_tokens.token": device.token, "_id": {"$ne": profile["_id"]}}
        await db.profiles.update_one(
            others,
            {
                "$pull": {"push_tokens": {"token": device.token}},
                "$max": {"updated_at": now},
            },
            session=session,
        )
        is_known = any(name in profile for name in KNOWN)
        may_return = is_trusted or is_new or not is_known
        before: list[Document] = profile.get("push_tokens", [])
        tokens = registered(before, device, now, is_verified=is_trusted)
        draft = Draft(profile)
        _say(draft, before, tokens, device, evidence, now, may_return)
        await write_person(db, draft, {"$set": {"push_tokens": tokens}}, now, session)
        identifier: ObjectId = profile["_id"]
        return identifier

    for _ in range(ATTEMPTS):
        try:
            return await transaction(db, work)
        except DuplicateKeyError:
            # The token came to another profile since it was looked for.
            continue
    raise RuntimeError("A push token kept moving between profiles.")


async def unregister_push_tokens(
    db: Database, tokens: Sequence[str], now: datetime
) -> int:
    """How many tokens were taken out of their profiles. Consent stays as it is: a
    device that is gone has refused nothing."""
    removed = 0
    for token in dict.fromkeys(tokens):
        done = await db.profiles.update_one(
            {"push_tokens.token": token},
            {"$pull": {"push_tokens": {"token": token}}, "$max": {"updated_at": now}},
        )
        removed += done.modified_count
    return removed


def _say(
    draft: Draft,
    before: Sequence[Document],
    tokens: Sequence[Document],
    device: Device,
    evidence: Evidence,
    now: datetime,
    may_return: bool,
) -> None:
    """Adds to the draft what the registration says of consent."""
    kept = next((each for each in tokens if each["token"] == device.token), None)
    status = said_of(
        next((each for each in before if each["token"] == device.token), None),
        device,
        [each for each in before if each["token"] != device.token],
        draft.state(Channel.PUSH),
        is_verified=may_return or (kept is not None and kept["is_verified"]),
    )
    if status is not None:
        source = device.source or "Push token"
        said = Statement(Channel.PUSH, status, Method.DEVICE, source)
        change = ConsentChange(draft.profile["_id"], said, evidence)
        say(draft, change, now)
