"""Operations on the schema with a real database, without a server in between."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from graphql import GraphQLError

from audience.addresses import RefusedAddress
from audience.errors import LimitReached
from audience.keys import EVERYTHING, KeyKind, Viewer
from audience.tokens import Tokens
from gql.context import Context, Counting
from gql.schema import schema
from resolvers.db import Database, Document
from resolvers.shielding import finish_work

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = Viewer(None, "Tests", KeyKind.SECRET, frozenset({EVERYTHING}))
PUBLIC = Viewer(None, "Shop", KeyKind.PUBLIC, frozenset())

GraphQL = Callable[..., Awaitable[Any]]


@dataclass
class Api:
    """A caller of the API: whose key, from where, and what was delivered."""

    db: Database
    viewer: Viewer | None = SECRET
    now: datetime = NOW
    sent: list[Document] = field(default_factory=list)
    counted: list[str] = field(default_factory=list)
    limit: int = 1_000
    refused: tuple[RefusedAddress, ...] = ()
    sends_mail: bool = True

    async def execute(
        self, operation: str, variables: dict[str, Any] | None = None
    ) -> tuple[Any, list[GraphQLError]]:
        """The data and the errors, once everything that was begun is done."""
        result = await schema.execute(operation, variables, self.context())
        await finish_work()
        return result.data, list(result.errors or [])

    async def ask(self, operation: str, **variables: Any) -> Any:
        """The data of an operation that must succeed."""
        data, errors = await self.execute(operation, variables)
        assert errors == []
        return data

    async def refusals(self, operation: str, **variables: Any) -> list[Document]:
        """Message and extensions of the errors of an operation that must fail."""
        _, errors = await self.execute(operation, variables)
        return [
            {"message": error.message, **(error.extensions or {})} for error in errors
        ]

    def context(self) -> Context:
        return Context(
            db=self.db,
            viewer=self.viewer,
            now=lambda: self.now,
            ip="192.0.2.7",
            user_agent="Browser/1.0",
            request_id="request-1",
            tokens=Tokens("secret"),
            deliver=self._deliver,
            sends_mail=self.sends_mail,
            count_sign_up=self._counting("sign-up"),
            count_event=self._counting("event"),
            refused_addresses=self.refused,
        )

    def _counting(self, what: str) -> Counting:
        async def count() -> None:
            if len(self.counted) == self.limit:
                raise LimitReached("Too many.")
            self.counted.append(what)

        return count

    async def _deliver(self, message: Document) -> None:
        self.sent.append(message)


@pytest.fixture
def api(db: Database) -> Api:
    return Api(db)


@pytest.fixture
def graphql(api: Api) -> GraphQL:
    """Asks with a key that may do everything; errors fail the test."""
    return api.ask
