"""GraphQL over HTTP, server-sent events and WebSocket, as the specification has it."""

import httpx
import pytest
from starlette.applications import Starlette

from server.app import create_app
from server.settings import Settings
from tests.server.conftest import ADMIN_KEY, client_of
from tests.server.tiny import schema

pytestmark = pytest.mark.anyio

RESPONSE = "application/graphql-response+json"


async def test_answers_a_post(client: httpx.AsyncClient) -> None:
    answer = await client.post("/graphql", json={"query": "{ who }"})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.json() == {"data": {"who": "nobody"}}


async def test_answers_a_get(client: httpx.AsyncClient) -> None:
    query = "query Q($text: String!) { echo(text: $text) }"
    answer = await client.get(
        "/graphql", params={"query": query, "variables": '{"text": "hi"}'}
    )

    assert answer.json() == {"data": {"echo": "hi"}}


async def test_answers_in_the_type_that_the_caller_prefers(
    client: httpx.AsyncClient,
) -> None:
    accepts = {
        RESPONSE: RESPONSE,
        f"{RESPONSE}, application/json;q=0.5": RESPONSE,
        f"application/json, {RESPONSE};q=0.9": "application/json",
        "application/json": "application/json",
        "*/*": "application/json",
        "text/plain": "application/json",
        f"{RESPONSE};q=nonsense": "application/json",
    }
    found = {}
    for accept in accepts:
        answer = await client.post(
            "/graphql", json={"query": "{ who }"}, headers={"Accept": accept}
        )
        found[accept] = answer.headers["content-type"].removesuffix("; charset=utf-8")

    assert found == accepts


async def test_a_request_error_is_400_without_data_in_the_response_type(
    client: httpx.AsyncClient,
) -> None:
    for query, variables in (
        ("{ who", {}),
        ("{ nothing }", {}),
        ("query Q($text: String!) { echo(text: $text) }", {"text": 1}),
    ):
        body = {"query": query, "variables": variables}
        strict = await client.post("/graphql", json=body, headers={"Accept": RESPONSE})
        plain = await client.post("/graphql", json=body)

        assert (strict.status_code, plain.status_code) == (400, 200)
        assert list(strict.json()) == list(plain.json()) == ["errors"]


async def test_a_field_that_fails_leaves_the_answer_200(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post(
        "/graphql", json={"query": "{ missing }"}, headers={"Accept": RESPONSE}
    )

    assert answer.status_code == 200
    assert answer.json()["data"] == {"missing": None}


async def test_what_is_no_request_is_refused_with_a_reason(
    client: httpx.AsyncClient,
) -> None:
    wrong = [
        (b"{", "Unable to parse request body as JSON"),
        (b"1", "The request must be a JSON object."),
        (b"{}", "No GraphQL query found in the request"),
        (b'{"query": 1}', "The GraphQL operation's `query` must be a string or null"),
        (b'{"query": "{who}", "variables": []}', "must be an object or null"),
        (b'{"query": "{who}", "operationName": 1}', "must be a string or null"),
        (b'[{"query": "{who}"}]', "Batching is not enabled"),
    ]
    for content, reason in wrong:
        answer = await client.post(
            "/graphql", content=content, headers={"Content-Type": "application/json"}
        )

        assert answer.status_code == 400
        error = answer.json()["errors"][0]
        assert reason in error["message"]
        assert error["extensions"] == {"code": "BAD_REQUEST"}


async def test_get_is_for_queries_only(client: httpx.AsyncClient) -> None:
    answer = await client.get("/graphql", params={"query": "mutation { change }"})

    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


async def test_other_methods_are_refused(client: httpx.AsyncClient) -> None:
    answer = await client.put("/graphql", json={"query": "{ who }"})

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"


async def test_forms_and_plain_text_are_refused(client: httpx.AsyncClient) -> None:
    for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/mixed"):
        answer = await client.post(
            "/graphql", content=b"query={who}", headers={"Content-Type": kind}
        )

        assert answer.status_code == 400


async def test_a_body_over_the_limit_is_refused(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"body_limit": 1_000}), schema)
    body = {"query": "query Q($text: String!) { echo(text: $text) }"}
    async with app.router.lifespan_context(app), client_of(app) as client:
        small = await client.post("/graphql", json={**body, "variables": {"text": "x"}})
        large = await client.post(
            "/graphql", json={**body, "variables": {"text": "x" * 1_000}}
        )

    assert small.status_code == 200
    assert large.status_code == 413
    assert large.json()["errors"][0]["message"] == (
        "The request is larger than 1,000 bytes; send less at a time."
    )


async def test_numbers_and_text_survive_the_way(client: httpx.AsyncClient) -> None:
    text = 'Grüße "an" \\ alle\n\u2028 <script> 🐘'
    query = "query Q($text: String!) { echo(text: $text) }"
    answer = await client.post(
        "/graphql", json={"query": query, "variables": {"text": text}}
    )

    assert answer.json() == {"data": {"echo": text}}


@pytest.mark.parametrize(
    "accepted",
    [
        "application/json",
        "application/graphql-response+json",
        "multipart/mixed;subscriptionSpec=1.0, application/json",
        "*/*",
    ],
)
async def test_who_cannot_take_what_goes_on_is_told_how_to_ask(
    client: httpx.AsyncClient, accepted: str
) -> None:
    for _ in range(2):
        answer = await client.post(
            "/graphql",
            json={"query": "subscription { count(to: 2) }"},
            headers={"Accept": accepted, "Authorization": f"Bearer {ADMIN_KEY}"},
        )

        assert answer.status_code == 406
        assert answer.json() == {
            "errors": [
                {
                    "message": "A subscription goes on: ask for it over WebSocket "
                    "(graphql-transport-ws), or with Accept: text/event-stream.",
                    "extensions": {"code": "NOT_ACCEPTABLE"},
                }
            ]
        }


async def test_subscriptions_come_as_server_sent_events(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post(
        "/graphql",
        json={"query": "subscription { count(to: 2) }"},
        headers={
            "Accept": "text/event-stream",
            "Authorization": f"Bearer {ADMIN_KEY}",
        },
    )

    assert answer.headers["content-type"].startswith("text/event-stream")
    sent = [line for line in answer.text.splitlines() if line.startswith("data: {")]
    assert sent == [
        'data: {"data":{"count":"0 for AUDIENCE_ADMIN_KEY"}}',
        'data: {"data":{"count":"1 for AUDIENCE_ADMIN_KEY"}}',
    ]


async def test_browsers_get_the_editor(app: Starlette) -> None:
    async with client_of(app) as client:
        answer = await client.get("/graphql", headers={"Accept": "text/html,*/*;q=0.8"})
        asked = await client.get(
            "/graphql", params={"query": "{ who }"}, headers={"Accept": "text/html"}
        )

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert asked.json() == {"data": {"who": "nobody"}}


async def test_the_editor_can_be_turned_off(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"graphiql": False}), schema)
    async with app.router.lifespan_context(app), client_of(app) as client:
        answer = await client.get("/graphql", headers={"Accept": "text/html"})

    assert answer.status_code == 404
