"""People leave a list, or stop all messages on a channel."""

from datetime import datetime

from audience.consent import Channel, Method, Statement, Status
from audience.errors import InvalidInput
from audience.evidence import NO_EVIDENCE, Evidence
from audience.signups import PHONE_CHANNELS, Leaving
from audience.tokens import Tokens, read_leave
from resolvers.consent import ConsentChange, Draft, known_by, say
from resolvers.db import Database, Document, Session, transaction
from resolvers.ids import object_id
from resolvers.lists import live_list, membership_in
from resolvers.profiles.reads import having
from resolvers.signups.writing import READ, without, write_person


async def unsubscribe(
    db: Database,
    leaving: Leaving,
    *,
    now: datetime,
    tokens: Tokens,
    evidence: Evidence = NO_EVIDENCE,
    method: Method = Method.API,
    source: str | None = None,
) -> None:
    """Lets someone leave one list, which ends the membership and leaves consent as it
    is, or else unsubscribes the channels, which leaves memberships as they are.

    Says nothing about whether the person was known. Sign-ups that wait for
    confirmation, to the list or on the channels, are withdrawn.
    """
    list_id, people = _scope(tokens, leaving)
    found = None if list_id is None else (await live_list(db, list_id))["_id"]
    for who, channels in people:

        async def work(
            session: Session,
            who: Document = who,
            channels: tuple[Channel, ...] = channels,
        ) -> None:
            profile = await db.profiles.find_one(who, READ, session=session)
            if profile is None:
                return
            draft = Draft(profile)
            pending = profile.get("pending", [])
            if found is not None:
                left = [each for each in pending if each["list_id"] != found]
            else:
                left = without(pending, channels)
            for channel in channels:
                said = Statement(channel, Status.UNSUBSCRIBED, method, source)
                say(draft, ConsentChange(profile["_id"], said, evidence), now)
            changes: Document = {}
            if left != pending:
                changes["$set"] = {"pending": left}
            is_member = found is not None and membership_in(profile, found) is not None
            if is_member:
                changes["$pull"] = {"lists": {"list_id": found}}
            if found is not None and (is_member or left != pending):
                changes["$max"] = {f"left.{found}": now}
            await write_person(db, draft, changes, now, session)

        await transaction(db, work)


def _scope(
    tokens: Tokens, leaving: Leaving
) -> tuple[str | None, list[tuple[Document, tuple[Channel, ...]]]]:
    """Which list is left, or else who stops which channels."""
    if leaving.token is not None:
        claim = read_leave(tokens, leaving.token)
        who = known_by([object_id(claim.profile_id, ("token",))])
        # What the caller names counts; without it, what the link was made for.
        if leaving.channels:
            return None, [(who, leaving.channels)]
        if leaving.list_id is not None:
            return leaving.list_id, [(who, ())]
        if claim.list_id is not None:
            return claim.list_id, [(who, ())]
        if not claim.channels:
            raise InvalidInput("Name a list or at least one channel.", ("channels",))
        return None, [(who, claim.channels)]
    people: list[tuple[Document, tuple[Channel, ...]]] = []
    both = leaving.email is not None and leaving.phone_number is not None
    for field, value in (
        ("email", leaving.email),
        ("phone_number", leaving.phone_number),
    ):
        if value is None:
            continue
        channels = leaving.channels
        if both:
            skipped = PHONE_CHANNELS if field == "email" else (Channel.EMAIL,)
            channels = tuple(each for each in channels if each not in skipped)
        if channels or leaving.list_id is not None:
            people.append((having(field, [value]), channels))
    return leaving.list_id, people
