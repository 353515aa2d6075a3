"""What one server process holds while it runs; the requests find it on the app."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from audience.errors import LimitReached
from audience.tokens import Tokens
from gql.context import Deliver
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
    tokens: Tokens
    deliver: Deliver
    hub: Hub


def running_of(connection: HTTPConnection) -> Running:
    """What the process that answers this request holds."""
    running: Running = connection.app.state.running
    return running


def sign_up_counter(running: Running, address: str) -> Callable[[], None]:
    """Counts one sign-up, or what else a public key does; LimitReached when it is one
    too many for the address it comes from."""

    def count() -> None:
        try:
            running.sign_ups.count(None, address)
        except Refused as refusal:
            raise LimitReached(str(refusal)) from None

    return count
