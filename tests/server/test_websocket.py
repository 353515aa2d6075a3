"""Subscriptions over WebSocket, on a server that listens for real."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin, Subprotocol

from audience.keys import KeyKind, check_key
from gql import schema as whole
from resolvers.db import Database
from resolvers.keys import create_key, revoke_key
from server.app import create_app
from server.protocol import JoiningProtocol
from server.settings import Settings
from tests.server.conftest import ADMIN_KEY, client_of, free_port
from tests.server.tiny import schema

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 1, tzinfo=UTC)
PROTOCOL = Subprotocol("graphql-transport-ws")


@pytest.fixture
async def address(app: Starlette) -> AsyncIterator[str]:
    async with listening(app) as address:
        yield address


@asynccontextmanager
async def listening(app: Starlette) -> AsyncIterator[str]:
    """Where the application is reached by WebSocket."""
    port = free_port()
    config = uvicorn.Config(
        app,
        port=port,
        lifespan="off",
        log_config=None,
        http=JoiningProtocol,
        ws="websockets-sansio",
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - it has no event for it
        await asyncio.sleep(0.01)
    yield f"ws://127.0.0.1:{port}/graphql"
    server.should_exit = True
    await serving


async def test_a_subscription_with_the_key_in_the_first_message(address: str) -> None:
    async with connect(address, subprotocols=[PROTOCOL]) as socket:
        await _send(socket, "connection_init", {"Authorization": f"Bearer {ADMIN_KEY}"})
        assert await _received(socket) == {"type": "connection_ack"}
        query = {"query": "subscription { count(to: 2) }"}
        await _send(socket, "subscribe", query, "1")

        received = [await _received(socket) for _ in range(3)]

    assert received == [
        _next("1", {"count": "0 for AUDIENCE_ADMIN_KEY"}),
        _next("1", {"count": "1 for AUDIENCE_ADMIN_KEY"}),
        {"id": "1", "type": "complete"},
    ]


async def test_queries_go_over_the_socket_too(address: str) -> None:
    async with connect(address, subprotocols=[PROTOCOL]) as socket:
        await _send(socket, "connection_init", {})
        await _received(socket)
        await _send(socket, "subscribe", {"query": "{ who }"}, "1")

        assert await _received(socket) == _next("1", {"who": "nobody"})


async def test_a_wrong_key_closes_the_socket(address: str) -> None:
    async with connect(address, subprotocols=[PROTOCOL]) as socket:
        await _send(socket, "connection_init", {"Authorization": "Bearer sk_wrong"})
        with pytest.raises(ConnectionClosed) as closed:
            await _received(socket)

    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4403, "Forbidden")


async def test_messages_out_of_form_close_the_socket(address: str) -> None:
    for message, code in (
        ("nonsense", 4400),
        ('{"type": "unknown"}', 4400),
        ('{"type": "connection_init", "payload": 1}', 4400),
        ('{"type": "subscribe", "id": "1", "payload": {"query": "{who}"}}', 4401),
        ('{"type": "subscribe", "id": "1", "payload": 5}', 4400),
    ):
        async with connect(address, subprotocols=[PROTOCOL]) as socket:
            await socket.send(message)
            with pytest.raises(ConnectionClosed) as closed:
                await _received(socket)

        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == code


async def test_a_page_of_an_origin_that_is_not_allowed_is_refused(
    settings: Settings,
) -> None:
    app = create_app(settings.model_copy(update={"origins": ()}), schema)
    async with app.router.lifespan_context(app), listening(app) as address:
        opening = connect(
            address,
            subprotocols=[PROTOCOL],
            origin=Origin("https://elsewhere.example"),
        )
        with pytest.raises(InvalidStatus):
            await opening


async def test_a_socket_does_not_outlive_its_key(
    app: Starlette, address: str, db: Database
) -> None:
    wanted = check_key("A shop", KeyKind.SECRET, ["profiles:read"])
    made = await create_key(db, wanted, now=NOW)
    async with connect(address, subprotocols=[PROTOCOL]) as socket:
        await _send(
            socket, "connection_init", {"Authorization": f"Bearer {made.secret}"}
        )
        await _received(socket)
        await _send(socket, "subscribe", {"query": "{ who }"}, "1")
        answers = [await _received(socket) for _ in range(2)]
        await revoke_key(db, str(made.key["_id"]), now=NOW)
        app.state.running.keys.forget()

        await _send(socket, "subscribe", {"query": "{ who }"}, "2")
        with pytest.raises(ConnectionClosed) as closed:
            await _received(socket)

    assert answers == [_next("1", {"who": "A shop"}), {"id": "1", "type": "complete"}]
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (
        4403,
        "This API key is unknown or revoked.",
    )


async def test_each_operation_on_a_socket_counts_as_a_request(
    settings: Settings,
) -> None:
    update = {"rate_limit_secret": "2/day"}
    app = create_app(settings.model_copy(update=update), schema)
    async with (
        app.router.lifespan_context(app),
        listening(app) as address,
        connect(address, subprotocols=[PROTOCOL]) as socket,
    ):
        await _send(socket, "connection_init", {"Authorization": f"Bearer {ADMIN_KEY}"})
        await _received(socket)
        await _send(socket, "subscribe", {"query": "{ who }"}, "1")
        answers = [await _received(socket) for _ in range(2)]
        await _send(socket, "subscribe", {"query": "{ who }"}, "2")
        with pytest.raises(ConnectionClosed) as closed:
            await _received(socket)

    assert answers[0] == _next("1", {"who": "AUDIENCE_ADMIN_KEY"})
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4429
    assert closed.value.rcvd.reason.startswith("Too many requests from this key")


async def test_a_key_that_is_revoked_on_a_socket_is_forgotten_at_once(
    settings: Settings, db: Database
) -> None:
    wanted = check_key("A shop", KeyKind.SECRET, ["profiles:read"])
    made = await create_key(db, wanted, now=NOW)
    app = create_app(settings, whole.schema)
    revoke = (
        f'mutation {{ revokeApiKey(input: {{id: "key_{made.key["_id"]}"}}) '
        "{ userErrors { code } } }"
    )
    async with app.router.lifespan_context(app), client_of(app) as client:

        async def status() -> int:
            answer = await client.post(
                "/graphql",
                json={"query": "{ viewer { name } }"},
                headers={"Authorization": f"Bearer {made.secret}"},
            )
            return answer.status_code

        before = await status()
        async with (
            listening(app) as address,
            connect(address, subprotocols=[PROTOCOL]) as socket,
        ):
            await _send(
                socket, "connection_init", {"Authorization": f"Bearer {ADMIN_KEY}"}
            )
            await _received(socket)
            await _send(socket, "subscribe", {"query": revoke}, "1")
            answer = await _received(socket)
        after = await status()

    assert answer == _next("1", {"revokeApiKey": {"userErrors": []}})
    assert (before, after) == (200, 401)


async def _send(
    socket: ClientConnection, kind: str, payload: Any, identifier: str | None = None
) -> None:
    message = {"type": kind, "payload": payload}
    if identifier is not None:
        message["id"] = identifier
    await socket.send(json.dumps(message))


async def _received(socket: ClientConnection) -> Any:
    async with asyncio.timeout(10):
        return json.loads(await socket.recv())


def _next(identifier: str, data: Any) -> Any:
    return {"id": identifier, "type": "next", "payload": {"data": data}}
