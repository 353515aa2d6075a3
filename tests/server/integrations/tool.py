"""A tool that calls an integration, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from audience.lists import OptIn
from audience.tokens import Tokens
from resolvers.db import Database, Document
from resolvers.integrations import (
    logs_of_integrations,
    work_on_waiting_calls,
)
from resolvers.lists import create_list
from tests import integration_calls as calls
from tests.integration_calls import SECRET

SERVER_SECRET = "a secret that signs links in tests only"  # noqa: S105
NOW = datetime.now(UTC)


@dataclass
class Tool:
    """Another tool that calls an integration's address."""

    db: Database
    client: httpx.AsyncClient
    integration: Document

    @property
    def path(self) -> str:
        return f"/in/{self.integration['key']}"

    async def call(
        self, made: tuple[bytes, dict[str, str]], suffix: str = ""
    ) -> httpx.Response:
        raw, headers = made
        return await self.client.post(self.path + suffix, content=raw, headers=headers)

    async def accepted(self, made: tuple[bytes, dict[str, str]]) -> None:
        answer = await self.call(made)
        assert (answer.status_code, answer.json()) == (200, {"status": "ACCEPTED"})

    async def log(self) -> Document:
        (log,) = await logs_of_integrations(self.db, [self.integration["_id"]])
        return log

    async def counts(self) -> Document:
        found: Document = (await self.log())["counts"]
        return found

    async def problems(self) -> list[tuple[str, str, str]]:
        return [
            (each["outcome"], each["topic"], each["message"])
            for each in (await self.log())["problems"]
        ]

    async def events(self) -> list[tuple[str, str, str, float | None, str | None]]:
        """Metric, time, e-mail address, value and currency, the oldest first."""
        metrics = {each["_id"]: each["name"] async for each in self.db.metrics.find()}
        people = {each["_id"]: each async for each in self.db.profiles.find()}
        rows = self.db.events.find(sort=[("timestamp", 1), ("_id", 1)])
        return [
            (
                metrics[each["metric_id"]],
                each["timestamp"].isoformat().replace("+00:00", "Z"),
                people[each["profile_id"]].get("email", "?"),
                each.get("value"),
                each.get("currency"),
            )
            async for each in rows
        ]

    async def properties(self, metric: str) -> list[Document]:
        found = await self.db.metrics.find_one({"name": metric})
        assert found is not None
        rows = self.db.events.find({"metric_id": found["_id"]}, sort=[("_id", 1)])
        return [each["properties"] async for each in rows]

    async def profile(self, **by: Any) -> Document:
        found = await self.db.profiles.find_one(by)
        assert found is not None
        return found

    async def consent(self, channel: str = "email", **by: Any) -> Document | None:
        kept: Document | None = (
            (await self.profile(**by)).get("consent", {}).get(channel)
        )
        return kept


BEARER = {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/json"}
Connect = Callable[..., Any]


async def new_list(db: Database, opt_in: OptIn = OptIn.SINGLE) -> str:
    made = await create_list(db, "News", opt_in, now=NOW)
    return str(made["_id"])


def stripe(body: calls.Body, age: int = 0) -> tuple[bytes, dict[str, str]]:
    """A call of Stripe's, signed so many seconds ago."""
    return calls.stripe(body, int(datetime.now(UTC).timestamp()) - age)


async def work_later(db: Database, after: timedelta = timedelta(hours=6)) -> int:
    async def deliver(*_: object) -> None:
        raise AssertionError("Nothing is to be delivered.")

    return await work_on_waiting_calls(
        db,
        now=lambda: datetime.now(UTC) + after,
        tokens=Tokens(SERVER_SECRET),
        deliver=deliver,
    )
