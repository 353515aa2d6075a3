"""Following what happens, over WebSocket and server-sent events, on a server that
listens for real and beside a keeper in a process of its own."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any
from uuid import uuid4

import httpx
import pytest
from websockets.asyncio.client import connect as connect_socket
from websockets.typing import Subprotocol

from audience.events import NewEvent
from audience.identity import Identity
from audience.keys import KeyKind, check_key
from audience.profiles import ProfileChange
from gql.schema import schema
from resolvers.collections import prepare
from resolvers.db import Database, close, connect
from resolvers.events import track_events
from resolvers.keys import create_key, revoke_key
from resolvers.profiles import upsert_profile
from resolvers.segments import create_segment
from server.app import create_app
from server.settings import Settings
from tests.server.conftest import ADMIN_KEY
from tests.server.test_websocket import listening

pytestmark = pytest.mark.anyio

CHANGES = """
subscription ($id: ID!, $since: DateTime) {
  segmentChanges(segmentId: $id, since: $since) { id kind profile { email } }
}
"""
ACTIVITY = """
subscription ($id: ID!) { profileActivity(profileId: $id) { id value properties } }
"""
NAMED = {"path": "firstName", "is": {"text": {"equals": "Gold"}}}

Messages = AsyncIterator[dict[str, Any]]
Follow = Callable[..., AbstractAsyncContextManager[Messages]]


@pytest.fixture
async def own(mongodb_uri: str, anyio_backend: str) -> AsyncIterator[Database]:
    """A database that other processes find by its name."""
    db = connect(mongodb_uri, f"test_{uuid4().hex[:12]}")
    await prepare(db)
    yield db
    await db.client.drop_database(db.name)
    await close(db)


@pytest.fixture
async def address(own: Database, settings: Settings) -> AsyncIterator[str]:
    """Of a server that keeps nothing itself."""
    update = {"database": own.name, "keeper": False}
    app = create_app(settings.model_copy(update=update), schema)
    async with app.router.lifespan_context(app), listening(app) as address:
        yield address


@asynccontextmanager
async def by_websocket(
    address: str, query: str, variables: dict[str, Any], secret: str = ADMIN_KEY
) -> AsyncIterator[Messages]:
    """The results, as they come; a client that does not ask for them reads nothing."""
    protocol = Subprotocol("graphql-transport-ws")
    async with connect_socket(
        address, subprotocols=[protocol], max_queue=1, max_size=None
    ) as socket:
        key = {"Authorization": f"Bearer {secret}"}
        await socket.send(json.dumps({"type": "connection_init", "payload": key}))
        await socket.recv()
        asked = {"query": query, "variables": variables}
        subscribe = {"type": "subscribe", "id": "1", "payload": asked}
        await socket.send(json.dumps(subscribe))

        async def messages() -> Messages:
            while True:
                told = json.loads(await socket.recv())
                if told["type"] == "next":
                    yield told["payload"]
                elif told["type"] == "error":
                    yield {"errors": told["payload"]}
                elif told["type"] == "complete":
                    return

        yield messages()


@asynccontextmanager
async def by_server_sent_events(
    address: str, query: str, variables: dict[str, Any], secret: str = ADMIN_KEY
) -> AsyncIterator[Messages]:
    """The same over HTTP."""
    url = address.replace("ws://", "http://")
    async with (
        httpx.AsyncClient(timeout=30) as client,
        client.stream(
            "POST",
            url,
            json={"query": query, "variables": variables},
            headers={
                "Authorization": f"Bearer {secret}",
                "Accept": "text/event-stream",
            },
        ) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")

        async def messages() -> Messages:
            event = ""
            async for line in answer.aiter_lines():
                name, _, value = line.partition(":")
                if name == "event":
                    event = value.strip()
                elif name == "data" and event == "next":
                    yield json.loads(value)
                elif event == "complete":
                    return

        yield messages()


WAYS = [by_websocket, by_server_sent_events]


@pytest.mark.parametrize("follow", WAYS)
async def test_what_another_process_keeps_is_told_and_what_was_missed_made_up_for(
    own: Database, mongodb_uri: str, address: str, follow: Follow
) -> None:
    now = datetime.now(UTC)
    definition = {"groups": [{"anyOf": [{"property": {"filter": NAMED}}]}]}
    segment = await create_segment(own, "Gold", definition, now=now)
    asked = {"id": f"seg_{segment['_id']}"}
    async with _keeper(mongodb_uri, own.name):
        await _until_kept(own)
        async with follow(address, CHANGES, asked) as told, aclosing(told):  # type: ignore[type-var]
            await _followed(own, told, "ada")
        since = datetime.now(UTC)
        await _named(own, "ada", "Silver")
        await _until_changes(own, 2)

        again = {**asked, "since": since.isoformat()}
        async with follow(address, CHANGES, again) as told, aclosing(told):  # type: ignore[type-var]
            seen: dict[str, str] = {}
            async with asyncio.timeout(20):
                while "LEFT" not in seen.values():
                    change = (await anext(told))["data"]["segmentChanges"]
                    assert change["profile"] == {"email": "ada@shop.example"}
                    seen[change["id"]] = change["kind"]
    assert sorted(seen.values()) in (["LEFT"], ["ENTERED", "LEFT"])


@pytest.mark.parametrize("follow", WAYS)
async def test_a_slow_client_is_told_so_and_let_go(
    own: Database, address: str, follow: Follow
) -> None:
    """It stops reading: what the server holds for it is bounded, and the end says
    why."""
    ada = await _named(own, "ada", "Gold")
    async with follow(address, ACTIVITY, {"id": f"prf_{ada}"}) as told, aclosing(told):  # type: ignore[type-var]
        first = asyncio.ensure_future(anext(told))
        while not first.done():
            await _happen(own, 1)
            await asyncio.sleep(0.1)
        assert "data" in await first
        for _ in range(12):
            await _happen(own, 500)
        count = 1
        last: dict[str, Any] = {}
        async with asyncio.timeout(60):
            async for message in told:
                count += 1
                last = message
                if "errors" in message:
                    break
    assert count < 6_000
    (error,) = last["errors"]
    assert error["extensions"]["code"] == "LIMIT_REACHED"
    assert error["message"].startswith("More than 500 were waiting to be taken.")


@pytest.mark.parametrize("follow", WAYS)
async def test_who_follows_is_let_go_when_the_key_is_revoked(
    own: Database, address: str, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.following.CHECK_SECONDS", 0.05)
    monkeypatch.setattr("server.auth.CACHE_SECONDS", 0.05)
    now = datetime.now(UTC)
    wanted = check_key("A shop", KeyKind.SECRET, ["events:read"])
    made = await create_key(own, wanted, now=now)
    asked = {"id": f"prf_{await _named(own, 'ada', 'Gold')}"}
    async with (
        asyncio.timeout(30),
        follow(address, ACTIVITY, asked, made.secret) as told,
        aclosing(told),  # type: ignore[type-var]
    ):
        first = asyncio.ensure_future(anext(told))
        while not first.done():
            await _happen(own, 1)
            await asyncio.sleep(0.1)
        assert "errors" not in await first
        await revoke_key(own, str(made.key["_id"]), now=now)
        last = [message async for message in told][-1]

    (error,) = last["errors"]
    assert error["message"] == "This API key is unknown or revoked."
    assert error["extensions"] == {"code": "UNAUTHENTICATED"}


@asynccontextmanager
async def _keeper(uri: str, name: str) -> AsyncIterator[None]:
    environment = os.environ | {"MONGODB_URI": uri, "AUDIENCE_DATABASE": name}
    process = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-m", "server", "keep"],
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


async def _followed(db: Database, told: Messages, who: str) -> None:
    """Enters and leaves until the first of it is told: then the client follows."""
    first = asyncio.ensure_future(anext(told))
    await asyncio.sleep(0.5)
    await _named(db, who, "Gold")
    async with asyncio.timeout(20):
        change = (await first)["data"]["segmentChanges"]
    assert change["kind"] == "ENTERED"
    assert change["profile"] == {"email": f"{who}@shop.example"}


async def _until_kept(db: Database) -> None:
    async with asyncio.timeout(30):
        while await db.segments.count_documents({"kept": None}):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def _until_changes(db: Database, count: int) -> None:
    async with asyncio.timeout(30):
        while await db.segment_changes.count_documents({}) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def _named(db: Database, who: str, name: str) -> str:
    change = ProfileChange(Identity(email=f"{who}@shop.example"), {"first_name": name})
    return str((await upsert_profile(db, change, datetime.now(UTC))).profile["_id"])


async def _happen(db: Database, count: int) -> None:
    """Events that are too large to be held by the connection alone."""
    now = datetime.now(UTC)
    identity = Identity(email="ada@shop.example")
    await track_events(
        db,
        [
            NewEvent(
                identity,
                "Ordered",
                now + timedelta(milliseconds=number),
                properties={"note": token_hex(2_500)},  # hard to compress
            )
            for number in range(count)
        ],
        now,
    )
