"""What a request carries to every resolver: the database, the key in use, the time."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any, TypeAlias

import strawberry

from audience.keys import Viewer
from gql.errors import AccessRefused
from resolvers.db import Database, Document

Deliver = Callable[[Document], Awaitable[None]]


def fixed_clock() -> Callable[[], datetime]:
    """A clock that stands still from its first reading, to the millisecond."""
    instant: datetime | None = None

    def now() -> datetime:
        nonlocal instant
        if instant is None:
            read = datetime.now(UTC)
            instant = read.replace(microsecond=read.microsecond // 1000 * 1000)
        return instant

    return now


async def deliver_nothing(message: Document) -> None:
    """Where no delivery of confirmation messages is set up."""


@dataclass(kw_only=True)
class Context:
    """One operation's context. `now()` answers the same instant throughout."""

    db: Database
    viewer: Viewer | None = None
    now: Callable[[], datetime] = field(default_factory=fixed_clock)
    zone: tzinfo = UTC
    ip: str | None = None
    user_agent: str | None = None
    origin: str | None = None
    request_id: str = ""
    tokens: Any = None
    deliver: Deliver = deliver_nothing
    loaders: dict[Any, Any] = field(default_factory=dict)

    def require(self, scope: str) -> Viewer:
        """The viewer when its key has `scope`; AccessRefused otherwise."""
        viewer = self.require_key()
        if not viewer.may(scope):
            raise AccessRefused(
                "FORBIDDEN",
                f"This needs the scope {scope}, which the key "
                f"{viewer.name!r} does not have.",
            )
        return viewer

    def require_sign_up(self, scope: str) -> Viewer:
        """The viewer when its key is public, or has `scope`."""
        viewer = self.require_key()
        return viewer if self.is_public else self.require(scope)

    def require_key(self) -> Viewer:
        """The viewer; AccessRefused without a key."""
        if self.viewer is None:
            raise AccessRefused(
                "UNAUTHENTICATED",
                "This needs an API key: send it as Authorization: Bearer sk_...",
            )
        return self.viewer

    @property
    def is_public(self) -> bool:
        """Whether the key in use is one that anyone can read in a web page."""
        return self.viewer is not None and self.viewer.kind == "PUBLIC"


Info: TypeAlias = strawberry.Info[Context, Any]
