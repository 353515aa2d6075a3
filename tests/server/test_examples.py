"""The examples that GraphiQL opens with, run against the schema and some data."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from audience.lists import OptIn
from gql.schema import schema
from resolvers.db import Database
from resolvers.lists import create_list
from server.app import create_app
from server.graphiql import examples
from server.settings import Settings
from tests.server.conftest import ADMIN_KEY, client_of

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings, schema)
    async with app.router.lifespan_context(app), client_of(app) as client:
        client.headers["Authorization"] = f"Bearer {ADMIN_KEY}"
        yield client


async def test_every_example_works(client: httpx.AsyncClient, db: Database) -> None:
    created = await create_list(db, "News", OptIn.SINGLE, now=datetime.now(UTC))
    first_list = f"lst_{created['_id']}"

    answers: dict[str, Any] = {}
    # The metric has to be there before a segment can ask for it.
    *others, record = examples()
    for example in (record, *others):
        variables = example["variables"].replace("FIRST_LIST", first_list) or "{}"
        answer = await client.post(
            "/graphql",
            json={"query": example["query"], "variables": json.loads(variables)},
        )
        answers[example["name"]] = answer.json()

    assert [name for name, answer in answers.items() if "errors" in answer] == []
    assert answers["sign-up"]["data"]["subscribe"] == {
        "status": "SUBSCRIBED",
        "userErrors": [],
    }
    (list_edge,) = answers["lists"]["data"]["lists"]["edges"]
    (member,) = list_edge["node"]["members"]["edges"]
    assert member["node"] == {"email": "ada@example.org"}
    order = answers["record-an-order"]["data"]["trackEvent"]
    assert order["userErrors"] == []
    assert order["event"]["value"] == 42.5
