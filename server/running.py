"""What one server process holds while it runs; the requests find it on the app."""

from dataclasses import dataclass

from starlette.requests import HTTPConnection

from audience.tokens import Tokens
from gql.context import Deliver
from resolvers.db import Database
from server.auth import Keys, Limits
from server.settings import Settings


@dataclass(frozen=True, slots=True)
class Running:
    """The settings, the database, and what is shared by the requests."""

    settings: Settings
    db: Database
    keys: Keys
    limits: Limits
    tokens: Tokens
    deliver: Deliver


def running_of(connection: HTTPConnection) -> Running:
    """What the process that answers this request holds."""
    running: Running = connection.app.state.running
    return running
