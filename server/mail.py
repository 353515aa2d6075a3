"""How messages reach people. Without a mail server set up, they are printed, so that
their links can be followed."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from gql.context import Deliver
from resolvers.counters import count_within, hashed
from resolvers.db import Database, Document
from resolvers.outbox import put_message
from server.messages import (
    CONFIRMATION,
    ERASURE,
    PREFERENCES,
    erasure_link,
    preferences_link,
)

# How often one address is written to, whoever asks for it.
PER_LIST_AND_HOUR = 3
PER_DAY = 20

_log = structlog.get_logger("audience")


def deliver_to_console(address: str) -> Deliver:
    """Prints what would be sent; links begin with `address`."""

    async def deliver(message: Document) -> None:
        sys.stdout.write(written(message, address))
        sys.stdout.flush()

    return deliver


def deliver_by_mail(db: Database, secret: str, wake: Callable[[], None]) -> Deliver:
    """Puts messages into the outbox and wakes who sends them. Left out is what goes to
    a phone, for nothing is set up to send it, and what is asked for too often."""

    async def deliver(message: Document) -> None:
        to = message["to"]
        if "@" not in to:
            _log.warning("message left out: no way to send text messages is set up")
            return
        now = datetime.now(UTC)
        kind = _kind(message)
        about = message["list"] if kind == CONFIRMATION else kind
        limits = (
            (hashed(secret, f"{to}\n{about}"), PER_LIST_AND_HOUR, timedelta(hours=1)),
            (hashed(secret, to), PER_DAY, timedelta(days=1)),
        )
        for key, amount, window in limits:
            if not await count_within(db, key, amount, window, now):
                _log.info("message left out: too many to this address")
                return
        content = {name: each for name, each in message.items() if name != "to"}
        await put_message(db, kind, to, content, now)
        wake()

    return deliver


def confirmation_link(address: str, token: str) -> str:
    """Where the person confirms a sign-up."""
    return f"{address}/confirm?token={token}"


def written(message: Document, address: str) -> str:
    """A message as it stands on the console."""
    to, token = message["to"], message["token"]
    kind = _kind(message)
    if kind == ERASURE:
        return f"To {to}, erase your data: {erasure_link(address, token)}\n"
    if kind == PREFERENCES:
        return f"To {to}, your preferences: {preferences_link(address, token)}\n"
    link = confirmation_link(address, token)
    return f"To {to}, please confirm your sign-up: {link}\n"


def _kind(message: Document) -> str:
    """What it is about. One without a kind is a confirmation if it names a list."""
    usual = CONFIRMATION if "list" in message else PREFERENCES
    kind: str = message.get("kind", usual)
    return kind
