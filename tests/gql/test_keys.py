from dataclasses import replace
from typing import Any

import pytest

from audience.keys import KeyKind, Viewer
from resolvers.keys import viewer_by_secret
from tests.gql.conftest import Api, GraphQL

pytestmark = pytest.mark.anyio

CREATE = """
mutation ($input: CreateApiKeyInput!) {
  createApiKey(input: $input) {
    apiKey { id name kind hint scopes allowedOrigins createdAt revokedAt }
    secret
    userErrors { code path }
  }
}
"""

REVOKE = """
mutation ($input: RevokeApiKeyInput!) {
  revokeApiKey(input: $input) { apiKey { revokedAt } userErrors { code path } }
}
"""


async def create(graphql: GraphQL, **input: Any) -> Any:
    return (await graphql(CREATE, input=input))["createApiKey"]


async def test_a_key_is_shown_once_and_works(api: Api, graphql: GraphQL) -> None:
    made = await create(
        graphql, name="Importer", kind="SECRET", scopes=["profiles:read", "lists:*"]
    )
    viewer = await viewer_by_secret(api.db, made["secret"])
    seen = await replace(api, viewer=viewer).ask(
        "{ viewer { id name kind scopes allowedOrigins } }"
    )

    key = made["apiKey"]
    assert made["secret"].startswith("sk_")
    assert key == {
        "id": key["id"],
        "name": "Importer",
        "kind": "SECRET",
        "hint": f"sk_…{made['secret'][-4:]}",
        "scopes": ["profiles:read", "lists:*"],
        "allowedOrigins": [],
        "createdAt": "2026-03-01T12:00:00.000Z",
        "revokedAt": None,
    }
    assert seen["viewer"] == {
        "id": key["id"],
        "name": "Importer",
        "kind": "SECRET",
        "scopes": ["lists:*", "profiles:read"],
        "allowedOrigins": [],
    }


async def test_a_public_key_has_origins(graphql: GraphQL) -> None:
    made = await create(
        graphql,
        name="Shop",
        kind="PUBLIC",
        scopes=[],
        allowedOrigins=["https://Shop.example/"],
    )

    assert made["secret"].startswith("pk_")
    assert made["apiKey"]["scopes"] == ["signup"]
    assert made["apiKey"]["allowedOrigins"] == ["https://shop.example"]


async def test_every_wrong_value_of_a_key_is_named(graphql: GraphQL) -> None:
    made = await create(
        graphql,
        name=" ",
        kind="PUBLIC",
        scopes=["profiles:read"],
        allowedOrigins=["shop"],
    )

    assert made == {
        "apiKey": None,
        "secret": None,
        "userErrors": [
            {"code": "INVALID", "path": ["name"]},
            {"code": "INVALID", "path": ["scopes", "0"]},
            {"code": "INVALID", "path": ["allowedOrigins", "0"]},
        ],
    }


async def test_a_revoked_key_is_of_no_use(api: Api, graphql: GraphQL) -> None:
    made = await create(graphql, name="Old", kind="SECRET", scopes=["*"])

    revoked = await graphql(REVOKE, input={"id": made["apiKey"]["id"]})

    assert revoked["revokeApiKey"] == {
        "apiKey": {"revokedAt": "2026-03-01T12:00:00.000Z"},
        "userErrors": [],
    }
    assert await viewer_by_secret(api.db, made["secret"]) is None


async def test_revoking_nothing_is_refused(graphql: GraphQL) -> None:
    data = await graphql(REVOKE, input={"id": "key_0123456789abcdef01234567"})

    assert data["revokeApiKey"] == {
        "apiKey": None,
        "userErrors": [{"code": "NOT_FOUND", "path": ["id"]}],
    }


async def test_keys_are_listed_without_their_secrets(graphql: GraphQL) -> None:
    for name in ("One", "Two"):
        await create(graphql, name=name, kind="SECRET", scopes=["events:write"])

    data = await graphql("{ apiKeys(first: 1) { totalCount edges { node { name } } } }")

    assert data["apiKeys"] == {"totalCount": 2, "edges": [{"node": {"name": "Two"}}]}


async def test_the_key_of_the_settings_has_no_id(api: Api) -> None:
    admin = Viewer(None, "AUDIENCE_ADMIN_KEY", KeyKind.SECRET, frozenset({"*"}))

    data = await replace(api, viewer=admin).ask("{ viewer { id name scopes } }")

    assert data["viewer"] == {"id": None, "name": "AUDIENCE_ADMIN_KEY", "scopes": ["*"]}
