"""What was answered is there, though the server is killed meanwhile."""

import asyncio
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from audience.integrations.kinds import Integration, Shopify
from resolvers.db import Database
from resolvers.integrations import create_integration
from tests import integration_calls as calls
from tests.integration_calls import SECRET, changed
from tests.server.conftest import Serve
from tests.server.integrations.tool import NOW, SERVER_SECRET

pytestmark = pytest.mark.anyio

CALLS = 150
KILLED_AFTER = 40


async def test_no_answered_call_is_lost_when_the_server_is_killed(
    db: Database, mongodb_uri: str, serve: Serve
) -> None:
    made = await create_integration(
        db,
        Integration("Tea shop", Shopify()),
        secret=SECRET,
        server_secret=SERVER_SECRET,
        now=NOW,
    )
    path = f"/in/{made.document['key']}"
    settings = {
        "MONGODB_URI": mongodb_uri,
        "AUDIENCE_DATABASE": db.name,
        "AUDIENCE_SECRET": SERVER_SECRET,
        "AUDIENCE_KEEPER": "false",
    }
    server = serve(**settings)

    answered = await asyncio.to_thread(
        lambda: list(_until_killed(server.address + path, server.process))
    )
    assert KILLED_AFTER <= len(answered) < CALLS
    serve(**settings)
    deadline = time.monotonic() + 60
    while await db.integration_calls.count_documents({"body": {"$exists": True}}):
        assert time.monotonic() < deadline
        # The minute for which a dead process holds a call is over.
        await db.integration_calls.update_many(
            {"next_at": {"$exists": True}}, {"$set": {"next_at": NOW}}
        )
        await asyncio.sleep(0.5)

    placed = await db.metrics.find_one({"name": "Placed Order"})
    assert placed is not None
    rows = db.events.find({"metric_id": placed["_id"]})
    ids = [int(row["unique_id"]) async for row in rows]
    assert len(ids) == len(set(ids))
    assert set(answered) <= set(ids)


def _until_killed(url: str, process: object) -> Iterator[int]:
    """The orders whose calls were answered, eight at a time, until the server is
    killed."""
    answered: list[int] = []

    def call(number: int) -> None:
        order = changed(calls.SHOPIFY_ORDER, id=number, email=f"p{number}@example.org")
        order["customer"] = {}
        raw, headers = calls.shopify("orders/create", order, f"w{number}")
        try:
            answer = httpx.post(url, content=raw, headers=headers, timeout=20)
        except httpx.HTTPError:
            return
        if answer.status_code in (200, 202):
            answered.append(number)
        if len(answered) == KILLED_AFTER:
            process.send_signal(signal.SIGKILL)  # type: ignore[attr-defined]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(call, range(1, CALLS + 1)))
    yield from answered
