"""What a request carries to every resolver: the database, the key in use, the time."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any, TypeAlias

import strawberry

from audience.addresses import RefusedAddress
from audience.keys import KeyKind, Viewer
from audience.tokens import Tokens
from gql.errors import AccessRefused
from gql.execution.reads import Reads
from resolvers.db import Database, Document
from resolvers.following import Check, Hub, check_nothing

Deliver = Callable[[Document], Awaitable[None]]
Counting = Callable[[], Awaitable[None]]
ForgetKeys = Callable[[], None]


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


async def count_nothing() -> None:
    """Where what public keys do is not limited."""


def forget_nothing() -> None:
    """Where no keys are remembered."""


@dataclass(kw_only=True)
class Context:
    """One operation's context. `now()` answers the same instant throughout; an
    operation that goes on calls `check_key` now and then, which raises AccessRefused
    when the key was revoked meanwhile. The executor says in `reads` what the operation
    reads of which documents."""

    db: Database
    viewer: Viewer | None = None
    now: Callable[[], datetime] = field(default_factory=fixed_clock)
    zone: tzinfo = UTC
    ip: str | None = None
    user_agent: str | None = None
    origin: str | None = None
    request_id: str = ""
    tokens: Tokens | None = None
    deliver: Deliver = deliver_nothing
    sends_mail: bool = True
    address: str = "http://127.0.0.1:8000"
    count_sign_up: Counting = count_nothing
    count_event: Counting = count_nothing
    refused_addresses: tuple[RefusedAddress, ...] = ()
    forget_keys: ForgetKeys = forget_nothing
    check_key: Check = check_nothing
    hub: Hub | None = None
    loaders: dict[Any, Any] = field(default_factory=dict)
    reads: Reads | None = None
    compiled: bool = True

    def projection(self, type_name: str, *always: str) -> Document | None:
        """What to ask the database for of the documents behind a type: what the
        operation reads of them, and `always`. None: all."""
        if self.reads is None:
            return None
        paths = self.reads.get(type_name, frozenset())
        return None if paths is None else dict.fromkeys(("_id", *paths, *always), 1)

    def require(self, *scopes: str) -> Viewer:
        """The viewer when its key has one of `scopes`; AccessRefused otherwise."""
        viewer = self.require_key()
        if not any(viewer.may(scope) for scope in scopes):
            raise AccessRefused(
                "FORBIDDEN",
                f"This needs the scope {' or '.join(scopes)}, which the key "
                f"{viewer.name!r} does not have.",
            )
        return viewer

    def require_key(self) -> Viewer:
        """The viewer; AccessRefused without a key."""
        if self.viewer is None:
            raise AccessRefused(
                "UNAUTHENTICATED",
                "This needs an API key: send it as Authorization: Bearer sk_...",
            )
        return self.viewer

    def require_secret(self) -> Viewer:
        """The viewer when its key is secret; AccessRefused otherwise."""
        viewer = self.require_key()
        if viewer.kind is KeyKind.PUBLIC:
            raise AccessRefused(
                "FORBIDDEN", "A public key reads nothing; use a secret key."
            )
        return viewer

    def require_tokens(self) -> Tokens:
        """What signs links."""
        if self.tokens is None:
            raise RuntimeError("Nothing is set up to sign links with.")
        return self.tokens


Info: TypeAlias = strawberry.Info[Context, Any]
