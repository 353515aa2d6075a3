"""Health, metrics, headers, request ids and faults."""

import asyncio
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import cast

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from structlog.testing import capture_logs

from resolvers.db import Database
from server.app import _keep_indexes, create_app
from server.importing import watch_imports
from server.integrations import watch_calls
from server.running import Running
from server.settings import Settings
from tests.server.conftest import client_of
from tests.server.tiny import schema

pytestmark = pytest.mark.anyio

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


async def test_health(client: httpx.AsyncClient) -> None:
    live = await client.get("/health/live")
    ready = await client.get("/health/ready")

    assert (live.status_code, live.json()) == (200, {"status": "ok"})
    assert (ready.status_code, ready.json()) == (200, {"status": "ok"})


async def test_not_ready_without_the_database(settings: Settings) -> None:
    nowhere = SecretStr("mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=100")
    app = create_app(settings.model_copy(update={"mongodb_uri": nowhere}), schema)
    async with app.router.lifespan_context(app), client_of(app) as client:
        live = await client.get("/health/live")
        ready = await client.get("/health/ready")

    assert live.status_code == 200
    assert ready.status_code == 503
    assert ready.json() == {
        "status": "unavailable",
        "reason": "The database does not answer.",
    }


async def test_the_root_leads_to_the_editor(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")

    assert (answer.status_code, answer.headers["location"]) == (307, "/graphql")


async def test_metrics_are_for_this_machine(app: Starlette) -> None:
    async with client_of(app) as near, client_of(app, "192.0.2.7") as far:
        await near.post("/graphql", json={"query": "{ who }"})
        allowed = await near.get("/metrics")
        refused = await far.get("/metrics")

    counted = 'audience_requests_total{method="POST",route="/graphql",status="200"}'
    assert counted in allowed.text
    assert refused.status_code == 403


async def test_metrics_can_be_opened_or_left_out(settings: Settings) -> None:
    answers = {}
    for metrics in ("open", "off"):
        app = create_app(settings.model_copy(update={"metrics": metrics}), schema)
        async with app.router.lifespan_context(app), client_of(app, "192.0.2.7") as far:
            answers[metrics] = (await far.get("/metrics")).status_code

    assert answers == {"open": 200, "off": 404}


PATHS = [
    *("/confirm", "/unsubscribe", "/preferences", "/preferences/link"),
    *("/preferences/history.json", "/preferences/history.csv", "/preferences/erasure"),
    *("/erase", "/f/abcdefg", "/f/abcdefg/form", "/f/abcdefg/view", "/embed.js"),
    *("/in/abcdefg", "/health/live", "/health/ready", "/metrics", "/"),
    *("/lists/lst_1/members.csv", "/segments/seg_1/members.csv"),
    *("/imports/imp_1/rejected.csv", "/graphiql/x.js"),
]
ALLOWED = {
    **dict.fromkeys(("/confirm", "/unsubscribe", "/preferences"), "GET, HEAD, POST"),
    **dict.fromkeys(("/erase", "/f/abcdefg"), "GET, HEAD, POST"),
    **dict.fromkeys(("/preferences/link", "/preferences/erasure"), "POST"),
    **dict.fromkeys(("/f/abcdefg/view", "/in/abcdefg"), "POST"),
}


def test_every_route_is_asked_below(app: Starlette) -> None:
    routes = [route for route in app.routes if isinstance(route, Route)]

    asked = {
        route.path
        for route in routes
        for path in PATHS
        if route.path_regex.fullmatch(path)
    }
    assert asked == {route.path for route in routes} - {"/graphql"}


@pytest.mark.parametrize("path", PATHS)
async def test_another_method_is_refused_to_programs_and_to_browsers(
    client: httpx.AsyncClient, path: str
) -> None:
    allowed = ALLOWED.get(path, "GET, HEAD")
    named = allowed.replace(", HEAD", "").replace(", ", " or ")
    message = f"This address takes {named}, not DELETE."

    answer = await client.delete(path)
    shown = await client.delete(path, headers={"Accept": BROWSER})

    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert answer.json() == {
        "errors": [{"message": message, "extensions": {"code": "METHOD_NOT_ALLOWED"}}]
    }
    assert (shown.status_code, shown.headers["allow"]) == (405, allowed)
    assert "<h1>Nothing to see here</h1>" in shown.text
    assert message in shown.text


@pytest.mark.parametrize("path", ["/nowhere", "/graphiql/nowhere.js", "/in", "/f/"])
async def test_an_unknown_address_is_told_to_programs_and_to_browsers(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path)
    shown = await client.get(path, headers={"Accept": BROWSER})

    message = "There is nothing at this address."
    assert answer.status_code == 404
    assert answer.json() == {
        "errors": [{"message": message, "extensions": {"code": "NOT_FOUND"}}]
    }
    assert (shown.status_code, shown.headers["content-type"]) == (
        404,
        "text/html; charset=utf-8",
    )
    assert message in shown.text


async def test_every_answer_has_security_headers(client: httpx.AsyncClient) -> None:
    answer = await client.post("/graphql", json={"query": "{ who }"})

    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["content-security-policy"] == (
        "default-src 'none'; frame-ancestors 'none'"
    )


async def test_a_request_keeps_its_id_where_that_is_usable(
    client: httpx.AsyncClient,
) -> None:
    given = await client.get("/health/live", headers={"X-Request-ID": "abc-12345"})
    bad = await client.get("/health/live", headers={"X-Request-ID": "a b\tc{}" * 9})

    assert given.headers["x-request-id"] == "abc-12345"
    assert len(bad.headers["x-request-id"]) == 32


async def test_a_fault_is_masked_and_logged_once_with_its_id(
    app: Starlette,
) -> None:
    async def fail(request: Request) -> Response:
        raise RuntimeError("the secret reason")

    app.router.routes.append(Route("/fail", fail))
    with capture_logs() as logs:
        async with client_of(app) as client:
            answer = await client.get("/fail", headers={"X-Request-ID": "fault-0001"})
            shown = await client.get(
                "/fail", headers={"X-Request-ID": "fault-0002", "Accept": BROWSER}
            )

    faults = [entry for entry in logs if entry["event"] == "fault"]
    assert [(each["path"], each["exc_info"]) for each in faults] == [
        ("/fail", True),
        ("/fail", True),
    ]
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] == "fault-0001"
    assert answer.json() == {
        "errors": [
            {
                "message": "Something went wrong on our side; the fault is logged as "
                "fault-0001.",
                "extensions": {"code": "INTERNAL", "requestId": "fault-0001"},
            }
        ]
    }
    assert shown.status_code == 500
    assert "the fault is logged as fault-0002." in shown.text
    assert "the secret reason" not in answer.text + shown.text


async def test_pages_of_other_origins_may_ask(client: httpx.AsyncClient) -> None:
    answer = await client.options(
        "/graphql",
        headers={
            "Origin": "https://shop.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type,baggage",
        },
    )

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    allowed = answer.headers["access-control-allow-headers"]
    assert allowed == "authorization,content-type,baggage"
    assert "access-control-allow-credentials" not in answer.headers


async def test_what_is_posted_is_answered_alike_from_pages_and_from_servers(
    settings: Settings,
) -> None:
    update = {"origins": ("https://shop.example",)}
    app = create_app(settings.model_copy(update=update), schema)
    answers = {}
    async with app.router.lifespan_context(app), client_of(app) as client:
        for origin in (None, "https://shop.example", "https://elsewhere.example"):
            given = {
                "X-Request-ID": "the-same-id",
                **({"Origin": origin} if origin else {}),
            }
            answer = await client.post(
                "/graphql", json={"query": "{ who }"}, headers=given
            )
            headers = dict(answer.headers)
            shared = headers.pop("access-control-allow-origin", None)
            exposed = headers.pop("access-control-expose-headers", None)
            vary = headers.pop("vary", None)
            answers[origin] = (answer.status_code, answer.text, headers)
            told = (shared, exposed, vary)
            assert (
                told
                == {
                    None: (None, None, None),
                    "https://shop.example": (
                        "https://shop.example",
                        "X-Request-ID, Retry-After",
                        "Origin",
                    ),
                    "https://elsewhere.example": (
                        None,
                        "X-Request-ID, Retry-After",
                        "Origin",
                    ),
                }[origin]
            )

    assert answers[None][0] == 200
    assert answers["https://shop.example"] == answers[None]
    assert answers["https://elsewhere.example"] == answers[None]


async def test_origins_can_be_limited(settings: Settings) -> None:
    update = {"origins": ("https://shop.example",)}
    app = create_app(settings.model_copy(update=update), schema)
    found = {}
    async with app.router.lifespan_context(app), client_of(app) as client:
        for origin in ("https://shop.example", "https://elsewhere.example"):
            answer = await client.get("/health/live", headers={"Origin": origin})
            found[origin] = answer.headers.get("access-control-allow-origin")

    assert found == {
        "https://shop.example": "https://shop.example",
        "https://elsewhere.example": None,
    }


@pytest.mark.parametrize(
    ("watch", "work"),
    [
        (watch_calls, "server.integrations.work_on_waiting_calls"),
        (watch_imports, "server.importing.has_waiting_imports"),
        (_keep_indexes, "server.app.keep_indexes"),
    ],
)
async def test_what_nobody_foresaw_ends_no_work_in_the_background(
    db: Database,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    watch: Callable[[Running], Coroutine[None, None, None]],
    work: str,
) -> None:
    rounds: list[int] = []

    async def fails_once(*_: object, **__: object) -> dict[str, Exception]:
        rounds.append(len(rounds))
        if len(rounds) == 1:
            raise RuntimeError("Nobody foresaw this.")
        return {}

    monkeypatch.setattr(work, fails_once)
    for name in ("integrations.WATCH", "importing.WATCH", "app.INDEX"):
        monkeypatch.setattr(f"server.{name}_SECONDS", 0.01)
    what = {"db": db, "settings": settings, "tokens": None, "deliver": None}
    watching = asyncio.create_task(watch(cast("Running", SimpleNamespace(**what))))
    try:
        async with asyncio.timeout(20):
            while len(rounds) < 2 and not watching.done():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    assert rounds[:2] == [0, 1]
    assert "Nobody foresaw this." in capsys.readouterr().out
