"""Text messages that people send: who wrote what, and what it means."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import uuid4
from xml.sax.saxutils import escape

from audience.errors import InvalidInput
from audience.identity import normalise_phone
from audience.integrations.calls import mapping, text
from audience.integrations.kinds import Keyword, MessageProvider, TextMessages
from audience.integrations.paths import value_at
from audience.integrations.words import HELP, START, STOP, YES, Y, folded_word

STOPPED = "You are unsubscribed and get no more messages. Reply START to come back."
STARTED = "You are subscribed again. Reply HELP for help, STOP to unsubscribe."
CONFIRM = "Reply Y to confirm that you want our messages, or STOP to end this."

_POLITE = frozenset({"PLEASE", "PLS", "THANKS"})
_MEANINGLESS = str.maketrans("", "", " -")


class Meaning(StrEnum):
    """What somebody wants who writes."""

    STOP = "STOP"
    START = "START"
    HELP = "HELP"
    YES = "YES"
    Y = "Y"
    KEYWORD = "KEYWORD"
    NOTHING = "NOTHING"


@dataclass(frozen=True, slots=True)
class Message:
    """A message as its provider brings it. `is_answered`: the provider itself has
    told the sender what the word does."""

    id: str
    sender: str
    body: str
    is_answered: bool = False


def message_of(settings: TextMessages, body: Any) -> Message:
    """The message in a call. InvalidInput when it has no sender."""
    if settings.provider is MessageProvider.TWILIO:
        fields = mapping(body)
        sender, words = text(fields.get("From")), text(fields.get("Body"))
        identifier = text(fields.get("MessageSid")) or text(fields.get("SmsSid"))
        opted = text(fields.get("OptOutType"))
        if opted:
            words = opted  # Twilio has understood the word, in whichever language.
        is_answered = opted is not None
    else:
        paths = settings.paths
        assert paths is not None  # noqa: S101 - checked when it was set up
        sender = text(value_at(paths.sender, body))
        words = text(value_at(paths.body, body))
        identifier = None if paths.id is None else text(value_at(paths.id, body))
        is_answered = False
    if sender is None:
        raise InvalidInput("The call does not say who sent the message.")
    try:
        number = normalise_phone(sender)
    except InvalidInput:
        raise InvalidInput(
            "The sender is not a phone number with its country code."
        ) from None
    return Message(identifier or uuid4().hex, number, words or "", is_answered)


def meaning_of(settings: TextMessages, words: str) -> tuple[Meaning, Keyword | None]:
    """What the message means: a whole message of one of the words that carriers ask
    for, politely or not, before a keyword, which may have more after it."""
    every = [word for each in words.split() if (word := folded_word(each))]
    plain = "".join(word for word in every if word not in _POLITE)
    said = plain.translate(_MEANINGLESS)
    for meaning, some in (
        (Meaning.STOP, STOP),
        (Meaning.HELP, HELP),
        (Meaning.START, START),
        (Meaning.YES, YES),
        (Meaning.Y, Y),
    ):
        if said in some:
            return meaning, None
    keywords = {folded_word(each.word): each for each in settings.keywords}
    found = keywords.get(every[0]) if every else None
    return (Meaning.NOTHING, None) if found is None else (Meaning.KEYWORD, found)


def twiml(reply: str | None) -> str:
    """The answer that has Twilio send the reply; without one, nothing."""
    inner = "" if reply is None else f"<Message>{escape(reply)}</Message>"
    return f'<?xml version="1.0" encoding="UTF-8"?><Response>{inner}</Response>'
