"""What one server process holds while it runs; the requests find it on the app."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from starlette.requests import HTTPConnection

from audience.errors import LimitReached
from audience.tokens import Tokens
from gql.context import Counting, Deliver
from resolvers.counters import count_within, hashed
from resolvers.db import Database
from resolvers.following import Hub
from server.auth import Keys, Limits, Refused
from server.settings import Settings


@dataclass(frozen=True, slots=True)
class Running:
    """The settings, the database, and what is shared by the requests."""

    settings: Settings
    db: Database
    keys: Keys
    limits: Limits
    sign_ups: Limits
    events: Limits
    calls: Limits
    tokens: Tokens
    deliver: Deliver
    hub: Hub


def running_of(connection: HTTPConnection) -> Running:
    """What the process that answers this request holds."""
    running: Running = connection.app.state.running
    return running


def sign_up_counter(running: Running, address: str) -> Counting:
    """Counts one sign-up, or what else a public key does; LimitReached when it is one
    too many for the address it comes from, whichever process was asked before."""

    async def count() -> None:
        _count(running.sign_ups, address)
        key = hashed(running.tokens.secret, f"sign-up\n{address}")
        for limit in running.sign_ups.address:
            window = timedelta(seconds=limit.get_expiry())
            now = datetime.now(UTC)
            if not await count_within(running.db, key, limit.amount, window, now):
                raise LimitReached(
                    f"Too many sign-ups from this address: {limit} are allowed."
                )

    return count


def event_counter(running: Running, address: str) -> Counting:
    """Counts one event that a public key records, in the memory of this process."""

    async def count() -> None:
        _count(running.events, address)

    return count


def _count(limits: Limits, address: str) -> None:
    try:
        limits.count(None, address)
    except Refused as refusal:
        raise LimitReached(str(refusal)) from None
