"""People who text: they join lists by keywords, confirm, stop, and come back."""

from datetime import datetime
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
)
from audience.signups import leaving, sign_up
from audience.tokens import ConfirmationClaim, Tokens, confirmation_token
from resolvers.consent import set_consent, state_of
from resolvers.db import Database, Document
from resolvers.profiles.reads import having
from resolvers.signups import confirm, subscribe, unsubscribe


async def answer_message(
    db: Database,
    integration: Document,
    settings: TextMessages,
    message: Message,
    *,
    now: datetime,
    tokens: Tokens,
) -> str | None:
    """Does what the sender wants, and answers what they are told; None where nothing
    is said."""
    meaning, keyword = meaning_of(settings, message.body)
    reply: str | None
    match meaning:
        case Meaning.STOP:
            await unsubscribe(
                db,
                leaving(phone_number=message.sender, channels=[Channel.SMS]),
                now=now,
                tokens=tokens,
                method=Method.INBOUND_MESSAGE,
                source=integration["name"],
            )
            reply = STOPPED
        case Meaning.HELP:
            reply = settings.help_text
        case Meaning.YES:
            reply = await _confirm(db, settings, message, now, tokens)
            if reply is None:
                reply = await _restart(db, integration, message, now)
        case Meaning.START:
            reply = await _restart(db, integration, message, now)
        case Meaning.KEYWORD:
            assert keyword is not None  # noqa: S101 - it comes with its meaning
            reply = await _join(db, integration, keyword, message, now, tokens)
        case Meaning.NOTHING:
            reply = None
        case _:
            assert_never(meaning)
    return None if message.is_answered else reply


async def _join(
    db: Database,
    integration: Document,
    keyword: Keyword,
    message: Message,
    now: datetime,
    tokens: Tokens,
) -> str:
    wanted = sign_up(
        keyword.list_id,
        {"phoneNumber": message.sender},
        channels=[Channel.SMS],
        source=integration["name"],
        consent_text=keyword.consent_text,
        method=Method.INBOUND_MESSAGE,
    )
    done = await subscribe(db, wanted, now=now, tokens=tokens, is_trusted=True)
    return CONFIRM if done.confirmations else keyword.reply


async def _confirm(
    db: Database,
    settings: TextMessages,
    message: Message,
    now: datetime,
    tokens: Tokens,
) -> str | None:
    """Confirms what waits of the sender, to the lists of this number's keywords."""
    person = await _person(db, message.sender)
    waiting = person.get("pending", []) if person else []
    replies = {each.list_id: each.reply for each in settings.keywords}
    reply = None
    for each in waiting:
        list_id = str(each["list_id"])
        if list_id in replies and each["address"] == message.sender:
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
    db: Database, integration: Document, message: Message, now: datetime
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
        )
    except AudienceError:  # changed this very moment
        return None
    return STARTED


async def _person(db: Database, number: str) -> Document | None:
    return await db.profiles.find_one(
        having("phone_number", [number]), {"consent": 1, "pending": 1}
    )
