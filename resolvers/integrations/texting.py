"""People who text: they join lists by keywords, confirm, stop, and come back."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from audience.consent import Channel, Method, Status
from audience.errors import AudienceError
from audience.integrations.kinds import Keyword, TextMessages
from audience.integrations.messages import (
    CONFIRM,
    STARTED,
    STOPPED,
    Meaning,
    Message,
    meaning_of,
    message_of,
)
from audience.integrations.reading import read_body
from audience.signups import SignUp, leaving, sign_up
from audience.tokens import ConfirmationClaim, Tokens, confirmation_token
from resolvers.consent import set_consent, state_of
from resolvers.db import Database, Document, find
from resolvers.integrations.calls import Outcome, finish_call
from resolvers.profiles.reads import having
from resolvers.signups import confirm, subscribe, unsubscribe

CLOCKS = timedelta(seconds=5)  # by which those of two machines may differ


async def answer_message(
    db: Database,
    integration: Document,
    settings: TextMessages,
    message: Message,
    *,
    now: datetime,
    received_at: datetime,
    tokens: Tokens,
) -> str | None:
    """Does what the sender wants, and answers what they are told; None where nothing
    is said. A yes and a no are of the moment they came, so that none that had to wait
    undoes what is newer."""
    meaning, keyword = meaning_of(settings, message.body)
    reply: str | None
    match meaning:
        case Meaning.STOP:
            if not await _has_come_back(db, message, received_at):
                await unsubscribe(
                    db,
                    leaving(phone_number=message.sender, channels=[Channel.SMS]),
                    now=now,
                    tokens=tokens,
                    method=Method.INBOUND_MESSAGE,
                    source=integration["name"],
                )
            await _drop_older(db, integration, settings, message, now, received_at)
            reply = STOPPED
        case Meaning.HELP:
            reply = settings.help_text
        case Meaning.YES | Meaning.Y:
            reply = await _confirm(db, settings, message, now, received_at, tokens)
            if reply is None and meaning is Meaning.YES:
                reply = await _restart(db, integration, message, now, received_at)
        case Meaning.START:
            reply = await _restart(db, integration, message, now, received_at)
        case Meaning.KEYWORD:
            assert keyword is not None  # noqa: S101 - it comes with its meaning
            wanted = replace(_wanted(integration, keyword, message), at=received_at)
            done = await subscribe(db, wanted, now=now, tokens=tokens, is_trusted=True)
            reply = CONFIRM if done.confirmations else keyword.reply
        case Meaning.NOTHING:
            reply = None
        case _:
            assert_never(meaning)
    return None if message.is_answered else reply


def _wanted(integration: Document, keyword: Keyword, message: Message) -> SignUp:
    return sign_up(
        keyword.list_id,
        {"phoneNumber": message.sender},
        channels=[Channel.SMS],
        source=integration["name"],
        consent_text=keyword.consent_text,
        method=Method.INBOUND_MESSAGE,
    )


async def _confirm(
    db: Database,
    settings: TextMessages,
    message: Message,
    now: datetime,
    received_at: datetime,
    tokens: Tokens,
) -> str | None:
    """Confirms what waited of the sender when they wrote, to the lists of this number's
    keywords."""
    person = await _person(db, message.sender)
    waiting = person.get("pending", []) if person else []
    replies = {each.list_id: each.reply for each in settings.keywords}
    reply = None
    for each in waiting:
        list_id = str(each["list_id"])
        if (
            list_id in replies
            and each["address"] == message.sender
            and each["requested_at"] <= received_at + CLOCKS
        ):
            claim = ConfirmationClaim(
                str(person["_id"]) if person else "",
                list_id,
                each["nonce"],
                tuple(Channel(one) for one in each["channels"]),
            )
            # The message itself proves whose number it is.
            token = confirmation_token(tokens, claim, now)
            await confirm(db, token, now=now, tokens=tokens)
            reply = reply or replies[list_id]
    return reply


async def _restart(
    db: Database,
    integration: Document,
    message: Message,
    now: datetime,
    received_at: datetime,
) -> str | None:
    """Subscribes who had stopped; for everybody else the word has no meaning here."""
    person = await _person(db, message.sender)
    if (
        person is None
        or state_of(person, Channel.SMS).status is not Status.UNSUBSCRIBED
    ):
        return None
    try:
        await set_consent(
            db,
            person["_id"],
            Channel.SMS,
            Status.SUBSCRIBED,
            now=now,
            method=Method.INBOUND_MESSAGE,
            source=integration["name"],
            at=received_at,
        )
    except AudienceError:  # changed since
        return None
    return STARTED


async def _has_come_back(db: Database, message: Message, received_at: datetime) -> bool:
    """Whether the sender has agreed again since this message, which had to wait."""
    person = await _person(db, message.sender)
    if person is None:
        return False
    held = state_of(person, Channel.SMS)
    return (
        held.status in (Status.PENDING, Status.SUBSCRIBED)
        and held.updated_at is not None
        and held.updated_at > received_at + CLOCKS
    )


async def _drop_older(
    db: Database,
    integration: Document,
    settings: TextMessages,
    message: Message,
    now: datetime,
    received_at: datetime,
) -> None:
    """Forgets what else of the sender waits. Of who is not known yet, nothing but that
    would keep a keyword from being tried after its STOP."""
    waiting = {
        "integration_id": integration["_id"],
        "outcome": Outcome.WAITING,
        "next_at": {"$exists": True},  # by the index of the few that wait
        "received_at": {"$lt": received_at},
    }
    for call in await find(db.integration_calls, waiting):
        try:
            older = message_of(settings, read_body(settings, bytes(call["body"])))
        except AudienceError:  # refused once it is worked on
            continue
        if older.sender == message.sender:
            why = "The sender has stopped since."
            await finish_call(db, call, Outcome.IGNORED, now, message=why)


async def _person(db: Database, number: str) -> Document | None:
    return await db.profiles.find_one(
        having("phone_number", [number]), {"consent": 1, "pending": 1}
    )
