"""Which executor answers, whichever way an operation comes in."""

import json
from typing import Literal

import pytest
from websockets.asyncio.client import connect

from gql.execution import plans_of
from gql.schema import schema
from server.app import create_app
from server.settings import Settings
from tests.server.conftest import ADMIN_KEY, client_of
from tests.server.test_websocket import PROTOCOL, listening

pytestmark = pytest.mark.anyio

HEADERS = {"Authorization": f"Bearer {ADMIN_KEY}"}
QUERY = "{ viewer { name } profiles(first: 1) { totalCount } }"
ANSWER = {
    "data": {"viewer": {"name": "AUDIENCE_ADMIN_KEY"}, "profiles": {"totalCount": 0}}
}


@pytest.mark.parametrize(
    ("executor", "executed"), [("compiled", 3), ("graphql-core", 0)]
)
async def test_every_way_in_leads_to_the_executor_that_is_set(
    settings: Settings,
    executor: Literal["compiled", "graphql-core"],
    executed: int,
) -> None:
    plans = plans_of(schema._schema)
    before = plans.executed
    app = create_app(settings.model_copy(update={"executor": executor}), schema)

    async with app.router.lifespan_context(app):
        async with client_of(app) as client:
            posted = await client.post(
                "/graphql", json={"query": QUERY}, headers=HEADERS
            )
            got = await client.get("/graphql", params={"query": QUERY}, headers=HEADERS)
        async with (
            listening(app) as address,
            connect(address, subprotocols=[PROTOCOL]) as socket,
        ):
            for message in (
                {"type": "connection_init", "payload": HEADERS},
                {"type": "subscribe", "id": "1", "payload": {"query": QUERY}},
            ):
                await socket.send(json.dumps(message))
            received = [json.loads(await socket.recv()) for _ in range(2)]

    assert posted.json() == ANSWER
    assert got.json() == ANSWER
    assert received[1] == {"id": "1", "type": "next", "payload": ANSWER}
    assert plans.executed - before == executed
