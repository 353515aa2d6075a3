"""A document that is known goes a shorter way. Nothing that a caller can see differs,
and nobody is let through who would not be the whole way."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import product
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from audience.keys import KeyKind, check_key
from gql.execution import plans_of
from gql.execution.schema import CompiledSchema
from gql.schema import schema
from resolvers.db import Database
from resolvers.keys import create_key
from server.app import create_app
from server.running import Running
from server.settings import Settings
from tests.server.conftest import ADMIN_KEY, client_of

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SINCE = {"properties": {}, "created_at": NOW, "updated_at": NOW}
PROFILE = "query P($email: String!) { profile(by: {email: $email}) { id email } }"
PAGE = """query Page($first: Int) {
  profiles(first: $first) { edges { node { events(first: 100) {
    edges { node { id profile { lists(first: 100) { edges { node { joinedAt } } } } } }
  } } } }
}"""
TWO = "query One { viewer { name } } query Two { profiles(first: 1) { totalCount } }"
CREATE = """mutation Create($input: CreateListInput!) {
  createList(input: $input) { list { name } userErrors { code path } }
}"""
WRONG = {"name": "", "optIn": "SINGLE"}
GRAPHQL = "application/graphql-response+json"

# What is asked, by name: the body, and headers beside the key.
ASKED: dict[str, tuple[Any, dict[str, str]]] = {
    "found": ({"query": PROFILE, "variables": {"email": "ada@example.org"}}, {}),
    "not found": ({"query": PROFILE, "variables": {"email": "no@example.org"}}, {}),
    "invalid": ({"query": PROFILE, "variables": {"email": "nobody"}}, {}),
    "no variable": ({"query": PROFILE}, {}),
    "a wrong variable": ({"query": PROFILE, "variables": {"email": [1]}}, {}),
    "variables that are none": ({"query": PROFILE, "variables": [1]}, {}),
    "an unknown variable": (
        {"query": PROFILE, "variables": {"email": "ada@example.org", "other": 1}},
        {},
    ),
    "named": ({"query": TWO, "operationName": "Two"}, {}),
    "named otherwise": ({"query": TWO, "operationName": "Three"}, {}),
    "not named": ({"query": TWO}, {}),
    "named by a number": ({"query": TWO, "operationName": 2}, {}),
    "a small page": ({"query": PAGE, "variables": {"first": 1}}, {}),
    "a page too large": ({"query": PAGE, "variables": {"first": 100}}, {}),
    "refused input": ({"query": CREATE, "variables": {"input": WRONG}}, {}),
    "a subscription": (
        {"query": "subscription { segmentChanged(id: 1) { id } }"},
        {},
    ),
    "a field that is none": ({"query": "{ nothing }"}, {}),
    "no document": ({"query": ""}, {}),
    "nothing": ({}, {}),
    "several at once": ([{"query": PROFILE}], {}),
    "extensions": (
        {
            "query": PROFILE,
            "variables": {"email": "ada@example.org"},
            "extensions": {"a": 1},
        },
        {},
    ),
    "a type of its own": (
        {"query": PROFILE, "variables": {"email": "ada@example.org"}},
        {"Accept": f"{GRAPHQL}, application/json;q=0.5"},
    ),
    "an error in a type of its own": ({"query": PROFILE}, {"Accept": GRAPHQL}),
    "a character set": (
        {"query": PROFILE, "variables": {"email": "ada@example.org"}},
        {"Content-Type": "application/json; charset=utf-8"},
    ),
    "another origin": (
        {"query": PROFILE, "variables": {"email": "ada@example.org"}},
        {"Origin": "https://shop.example.com"},
    ),
    "an event stream": (
        {"query": PROFILE, "variables": {"email": "ada@example.org"}},
        {"Accept": "text/event-stream"},
    ),
}
CALLERS = ("all", "limited", "public", "none", "unknown")


@pytest.fixture
async def keys(db: Database) -> dict[str, str | None]:
    limited = check_key("Limited", KeyKind.SECRET, ("lists:read",), ())
    public = check_key("Shop", KeyKind.PUBLIC, (), ())
    await db.profiles.insert_one({"email": "ada@example.org", **SINCE})
    return {
        "all": ADMIN_KEY,
        "limited": (await create_key(db, limited, now=NOW)).secret,
        "public": (await create_key(db, public, now=NOW)).secret,
        "none": None,
        "unknown": f"sk_{'0' * 40}",
    }


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[Starlette]:
    schema._schema.extensions.pop("documents", None)
    app = create_app(settings, schema)
    async with app.router.lifespan_context(app):
        yield app


async def test_a_known_document_is_answered_as_the_first_time(
    app: Starlette,
    settings: Settings,
    keys: dict[str, str | None],
) -> None:
    """Every caller, twice: as by graphql-core, which knows no documents."""
    plain = create_app(
        settings.model_copy(update={"executor": "graphql-core", "shared_reads": False}),
        schema,
    )
    async with (
        plain.router.lifespan_context(plain),
        client_of(plain) as whole_way,
        client_of(app) as client,
    ):
        for name, caller in product(ASKED, (*CALLERS, *CALLERS)):
            body, headers = ASKED[name]
            expected = await _ask(whole_way, body, headers, keys[caller])
            found = await _ask(client, body, headers, keys[caller])
            assert found == expected, (name, caller)


async def test_it_is_the_shorter_way_that_is_taken(
    app: Starlette, keys: dict[str, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = _noted(monkeypatch)
    executed = plans_of(schema._schema).executed
    body, headers = ASKED["found"]

    async with client_of(app) as client:
        first = await _ask(client, body, headers, ADMIN_KEY)
        assert taken == []
        assert await _ask(client, body, headers, ADMIN_KEY) == first

    assert taken == [PROFILE]
    assert plans_of(schema._schema).executed == executed + 2


@pytest.mark.parametrize("caller", ["public", "none"])
async def test_a_document_is_known_only_for_those_who_may_write_as_much(
    app: Starlette,
    keys: dict[str, str | None],
    caller: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """400 fields are too many without a secret key, also once they are known."""
    taken = _noted(monkeypatch)
    fields = " ".join(["name"] * 400)
    body = {"query": f"{{ viewer {{ {fields} }} }}"}

    async with client_of(app) as client:
        await _ask(client, body, {}, ADMIN_KEY)
        good = await _ask(client, body, {}, ADMIN_KEY)
        refused = await _ask(client, body, {}, keys[caller])

    assert json.loads(good["body"]) == {
        "data": {"viewer": {"name": "AUDIENCE_ADMIN_KEY"}}
    }
    assert [it["extensions"] for it in json.loads(refused["body"])["errors"]] == [
        {"code": "TOO_LARGE"}
    ]
    assert taken == [body["query"]]


async def test_a_revoked_key_is_refused_for_a_known_document(
    app: Starlette, keys: dict[str, str | None]
) -> None:
    running: Running = app.state.running
    body = {"query": "{ lists(first: 1) { totalCount } }"}

    async with client_of(app) as client:
        await _ask(client, body, {}, keys["limited"])
        known = await _ask(client, body, {}, keys["limited"])
        await running.db.keys.delete_many({})
        running.keys.forget()
        after = await _ask(client, body, {}, keys["limited"])

    assert (known["status"], after["status"]) == (200, 401)


async def test_known_documents_count_against_the_rate(
    settings: Settings, keys: dict[str, str | None]
) -> None:
    app = create_app(
        settings.model_copy(update={"rate_limit_secret": "3/hour"}), schema
    )
    body, headers = ASKED["found"]

    async with app.router.lifespan_context(app), client_of(app) as client:
        statuses = [
            (await _ask(client, body, headers, ADMIN_KEY))["status"] for _ in range(5)
        ]

    assert statuses == [200, 200, 200, 429, 429]


async def test_a_get_changes_nothing_with_a_known_mutation(
    app: Starlette, keys: dict[str, str | None]
) -> None:
    variables = {"input": {"name": "Known", "optIn": "SINGLE"}}
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    asked = {"query": CREATE, "variables": json.dumps(variables)}

    async with client_of(app) as client:
        made = await _ask(
            client, {"query": CREATE, "variables": variables}, {}, ADMIN_KEY
        )
        refused = await client.get("/graphql", params=asked, headers=headers)

    assert json.loads(made["body"])["data"]["createList"]["list"] == {"name": "Known"}
    assert refused.status_code == 405
    assert await app.state.running.db.lists.count_documents({}) == 1


async def test_many_requests_at_once_each_get_their_own_answer(
    app: Starlette, db: Database, keys: dict[str, str | None]
) -> None:
    """What they read, they read together; what they may, each may by itself."""
    await db.profiles.insert_many(
        [{"email": f"p{number}@example.org", **SINCE} for number in range(40)]
    )
    callers = [("all", "limited", "none")[number % 3] for number in range(120)]

    async with client_of(app) as client:
        answers = await asyncio.gather(
            *(
                _ask(
                    client,
                    {
                        "query": PROFILE,
                        "variables": {"email": f"p{number % 50}@example.org"},
                    },
                    {"X-Request-ID": f"request-{number}"},
                    keys[caller],
                )
                for number, caller in enumerate(callers)
            )
        )

    for number, (caller, answer) in enumerate(zip(callers, answers, strict=True)):
        body = json.loads(answer["body"])
        assert answer["id"] == f"request-{number}"
        if caller == "all":
            found = body["data"]["profile"]
            email = f"p{number}@example.org" if number % 50 < 40 else None
            assert (found and found["email"]) == (
                email and f"p{number % 50}@example.org"
            )
        else:
            assert body["data"] == {"profile": None}
            assert len(body["errors"]) == 1


async def test_a_request_that_is_cancelled_takes_no_other_along(
    app: Starlette, keys: dict[str, str | None]
) -> None:
    body, headers = ASKED["found"]

    async with client_of(app) as client:
        first = await _ask(client, body, headers, ADMIN_KEY)
        for _ in range(20):
            asking = [
                asyncio.create_task(_ask(client, body, headers, ADMIN_KEY))
                for _ in range(4)
            ]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            asking[0].cancel()
            answers = await asyncio.gather(*asking, return_exceptions=True)
            assert isinstance(answers[0], asyncio.CancelledError)
            assert answers[1:] == [first, first, first]


async def _ask(
    client: httpx.AsyncClient, body: Any, headers: dict[str, str], key: str | None
) -> dict[str, Any]:
    """All that a caller sees of the answer."""
    given = {"Content-Type": "application/json", **headers}
    if key is not None:
        given["Authorization"] = f"Bearer {key}"
    answer = await client.post("/graphql", content=json.dumps(body), headers=given)
    seen = dict(answer.headers)
    identifier = seen.pop("x-request-id")
    return {
        "status": answer.status_code,
        "headers": seen,
        "body": answer.text.replace(identifier, "<id>"),
        "id": identifier if "X-Request-ID" in headers else None,
    }


def _noted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts of the operations that go the shorter way."""
    taken: list[str] = []
    usual = CompiledSchema._executed

    async def noting(self: Any, executor: Any, query: str, name: str | None) -> Any:
        taken.append(query)
        return await usual(self, executor, query, name)

    monkeypatch.setattr(CompiledSchema, "_executed", noting)
    return taken
