"""API keys: the one in use, all of them, and making and revoking them."""

from collections.abc import Sequence
from datetime import datetime

import strawberry

from audience.keys import ADMIN, check_key
from gql.connection import After, Connection, Count, Edge, First, asked_page, connection
from gql.context import Context
from gql.enums import KeyKind
from gql.errors import Payload
from gql.execution import plain
from gql.ids import Kind, global_id, stored_id
from gql.mutations import accepted, given, mutation
from gql.node import Node
from gql.queries import query
from resolvers.db import Document
from resolvers.keys import count_keys, create_key, key_page, revoke_key

_ALL_SCOPES = "such as profiles:read, lists:* or * for everything"


@strawberry.type(description="The API key in use.")
class Viewer:
    id: strawberry.ID | None = plain(
        "id",
        read=global_id(Kind.API_KEY),
        description="The key's id; null for the key that the server's settings give.",
    )
    name: str = plain("name", description="The key's name.")
    kind: KeyKind = plain("kind", description="Public or secret.")
    scopes: list[str] = plain(
        "scopes", description=f"What the key may do, {_ALL_SCOPES}."
    )
    allowed_origins: list[str] = plain(
        "allowed_origins",
        description="The sites from which a public key may be used; empty: from any.",
    )


@strawberry.type(description="A key to this API. The key itself is never shown again.")
class ApiKey(Node):
    id: strawberry.ID = plain(
        "_id", read=global_id(Kind.API_KEY), description="Starts with key_."
    )
    name: str = plain("name", description="Who uses it.")
    kind: KeyKind = plain("kind", description="Public or secret.")
    hint: str = plain("hint", description="How the key begins and ends.")
    scopes: list[str] = plain("scopes", description=f"What it may do, {_ALL_SCOPES}.")
    allowed_origins: list[str] = plain(
        "allowed_origins",
        default=[],
        description="The sites from which a public key may be used; empty: from any.",
    )
    created_at: datetime = plain("created_at", description="When it was made.")
    revoked_at: datetime | None = plain(
        "revoked_at", description="Since when it no longer works; null while it does."
    )


@strawberry.type(description="A key on a page.")
class ApiKeyEdge(Edge):
    node: ApiKey = plain("node", description="The key.")


@strawberry.type(description="A page of keys, the newest first.")
class ApiKeyConnection(Connection):
    edges: list[ApiKeyEdge] = plain("edges", description="The page's keys.")


async def _count(context: Context, shared: None, ones: Sequence[None]) -> Sequence[int]:
    total = await count_keys(context.db)
    return [total for _ in ones]


@strawberry.type
class KeyQuery:
    @query(
        Viewer,
        description="The API key in use and its scopes. Needs a secret key.",
    )
    @staticmethod
    async def viewer(context: Context) -> Document:
        viewer = context.require_key()
        return {
            "id": viewer.id,
            "name": viewer.name,
            "kind": viewer.kind,
            "scopes": sorted(viewer.scopes),
            "allowed_origins": list(viewer.allowed_origins),
        }

    @query(
        ApiKeyConnection,
        ADMIN,
        description="Every API key, the newest first.",
    )
    @staticmethod
    async def api_keys(
        context: Context, first: First = None, after: After = None
    ) -> Document:
        page = await key_page(context.db, asked_page(first, after))
        answer: Document = connection(page, Count(_count, None, None))
        return answer


@strawberry.input(description="A key to make.")
class CreateApiKeyInput:
    name: str = strawberry.field(description="Who uses it: 1 to 100 characters.")
    kind: KeyKind = strawberry.field(description="Public or secret.")
    scopes: list[str] = strawberry.field(
        description=f"What it may do, {_ALL_SCOPES}. Empty for a public key, which "
        "only signs people up."
    )
    allowed_origins: strawberry.Maybe[list[str] | None] = strawberry.field(
        default=None,
        description="The sites from which a public key may be used, such as "
        "https://shop.example: at most 50; from any when absent.",
    )


@strawberry.input(description="Which key to revoke.")
class RevokeApiKeyInput:
    id: strawberry.ID = strawberry.field(description="Which key; starts with key_.")


@strawberry.type(description="The answer of `createApiKey`.")
class CreateApiKeyPayload(Payload):
    api_key: ApiKey | None = plain("api_key", description="The key; null when refused.")
    secret: str | None = plain(
        "secret",
        description="The key itself, to be sent as `Authorization: Bearer ...`. Shown "
        "this once.",
    )


@strawberry.type(description="The answer of `revokeApiKey`.")
class RevokeApiKeyPayload(Payload):
    api_key: ApiKey | None = plain("api_key", description="The key; null when refused.")


@strawberry.type
class KeyMutation:
    @mutation(
        CreateApiKeyPayload,
        ADMIN,
        description="Makes an API key. It is shown once, in the answer.",
    )
    @staticmethod
    async def create_api_key(context: Context, input: CreateApiKeyInput) -> Document:
        wanted = check_key(
            input.name, input.kind, input.scopes, given(input.allowed_origins) or ()
        )
        made = await create_key(context.db, wanted, now=context.now())
        return accepted(api_key=made.key, secret=made.secret)

    @mutation(
        RevokeApiKeyPayload,
        ADMIN,
        description="Ends the use of an API key: at once where this is answered, and "
        "within five seconds in every other process of the server. The same again "
        "changes nothing.",
    )
    @staticmethod
    async def revoke_api_key(context: Context, input: RevokeApiKeyInput) -> Document:
        revoked = await revoke_key(
            context.db, stored_id(input.id, Kind.API_KEY), now=context.now()
        )
        context.forget_keys()
        return accepted(api_key=revoked)
