"""Keys are told apart, kept to their origins, forgotten, and counted."""

from collections.abc import Sequence
from datetime import UTC, datetime

import httpx
import pytest
from limits import parse_many
from starlette.applications import Starlette

from audience.keys import KeyKind, check_key, new_key
from resolvers.db import Database
from resolvers.keys import CreatedKey, create_key, revoke_key
from server.app import create_app
from server.auth import CACHE_SECONDS, Keys, Limits, Refused
from server.settings import Settings
from tests.server.conftest import ADMIN_KEY, client_of
from tests.server.tiny import schema

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 1, tzinfo=UTC)


async def made_key(
    db: Database, kind: KeyKind = KeyKind.SECRET, origins: Sequence[str] = ()
) -> CreatedKey:
    scopes = ["profiles:read"] if kind is KeyKind.SECRET else []
    return await create_key(db, check_key("A shop", kind, scopes, origins), now=NOW)


async def who(
    client: httpx.AsyncClient, authorization: str, **headers: str
) -> httpx.Response:
    return await client.post(
        "/graphql",
        json={"query": "{ who }"},
        headers={"Authorization": authorization, **headers},
    )


async def test_a_key_names_the_viewer(client: httpx.AsyncClient, db: Database) -> None:
    created = await made_key(db)

    own = await who(client, f"Bearer {created.secret}")
    admin = await who(client, f"bearer {ADMIN_KEY}")

    assert own.json() == {"data": {"who": "A shop"}}
    assert admin.json() == {"data": {"who": "AUDIENCE_ADMIN_KEY"}}


@pytest.mark.parametrize("accept", ["application/json", "*/*"])
async def test_a_wrong_key_is_refused(client: httpx.AsyncClient, accept: str) -> None:
    for authorization, message in (
        (
            f"Bearer {new_key(KeyKind.SECRET)}",
            "This API key is unknown or revoked.",
        ),
        ("Bearer nonsense", "This API key is unknown or revoked."),
        ("Bearer ", "The Authorization header should look like: Bearer sk_..."),
        (
            "Basic YTpi",
            "The Authorization header should look like: Bearer sk_...",
        ),
    ):
        answer = await who(client, authorization, Accept=accept)

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json() == {
            "errors": [{"message": message, "extensions": {"code": "UNAUTHENTICATED"}}]
        }


async def test_a_public_key_works_from_its_origins(
    client: httpx.AsyncClient, db: Database
) -> None:
    created = await made_key(db, KeyKind.PUBLIC, ["https://shop.example"])
    authorization = f"Bearer {created.secret}"

    allowed = await who(client, authorization, Origin="https://shop.example")
    refused = await who(client, authorization, Origin="https://elsewhere.example")

    assert allowed.json() == {"data": {"who": "A shop"}}
    assert refused.status_code == 403
    assert refused.json()["errors"][0]["message"] == (
        "This API key may not be used from https://elsewhere.example."
    )


async def test_a_revoked_key_is_forgotten_within_seconds(db: Database) -> None:
    time = 100.0
    keys = Keys(db, None, clock=lambda: time)
    created = await made_key(db)
    assert await keys.viewer(created.secret) is not None
    await revoke_key(db, str(created.key["_id"]), now=NOW)

    remembered = await keys.viewer(created.secret)
    time += CACHE_SECONDS
    forgotten = await keys.viewer(created.secret)

    assert (remembered is not None, forgotten) == (True, None)


async def test_a_revoked_key_is_forgotten_at_once_when_told(db: Database) -> None:
    keys = Keys(db, None)
    created = await made_key(db)
    assert await keys.viewer(created.secret) is not None
    await revoke_key(db, str(created.key["_id"]), now=NOW)

    keys.forget()

    assert await keys.viewer(created.secret) is None


async def test_too_many_requests_are_refused_with_the_time_to_wait(
    settings: Settings,
) -> None:
    update = {"rate_limit_address": "2/day", "rate_limit_secret": "3/day"}
    app = create_app(settings.model_copy(update=update), schema)
    async with app.router.lifespan_context(app):
        nobody = await _statuses(app, 3, "192.0.2.1")
        elsewhere = await _statuses(app, 1, "192.0.2.2")
        admin = await _statuses(app, 4, "192.0.2.1", ADMIN_KEY)
        async with client_of(app, "192.0.2.1") as client:
            refused = await client.post("/graphql", json={"query": "{ who }"})

    assert nobody == [200, 200, 429]
    assert elsewhere == [200]
    assert admin == [200, 200, 200, 429]
    wait = int(refused.headers["retry-after"])
    assert 1 <= wait <= 86_400
    assert refused.json()["errors"][0]["extensions"] == {"code": "RATE_LIMITED"}


def test_a_new_window_begins_anew() -> None:
    time = 30.0
    limits = Limits([], [], parse_many("1/minute"), clock=lambda: time)
    limits.count(None, "192.0.2.1")
    with pytest.raises(Refused) as refused:
        limits.count(None, "192.0.2.1")
    assert refused.value.headers == {"Retry-After": "30"}

    time = 60.0

    limits.count(None, "192.0.2.1")


async def _statuses(
    app: Starlette, times: int, address: str, key: str | None = None
) -> list[int]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with client_of(app, address) as client:
        return [
            (
                await client.post(
                    "/graphql", json={"query": "{ who }"}, headers=headers
                )
            ).status_code
            for _ in range(times)
        ]
