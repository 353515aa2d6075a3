"""What happens around every request: its id, log line, metrics and headers."""

import random
import re
import time
from functools import lru_cache

import structlog
from prometheus_client import Counter, Histogram
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.auth import Refused
from server.refusals import refusal_or_page

REQUESTS = Counter(
    "audience_requests_total", "Requests answered.", ("route", "method", "status")
)
SECONDS = Histogram(
    "audience_request_seconds",
    "Time to answer a request.",
    ("route",),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}

_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
_ID = b"x-request-id"
_GIVEN_ID = re.compile(rb"[A-Za-z0-9_-]{8,64}")
_QUIET = ("/health/", "/metrics", "/graphiql/")
_ROUTES = (
    "/graphql",
    "/graphiql/",
    "/health/",
    "/metrics",
    "/confirm",
    "/preferences",
    "/unsubscribe",
    "/embed.js",
    "/f/",
    "/in/",
)
_log = structlog.get_logger("audience")


def request_id(scope: Scope) -> str:
    """The id under which a request's faults and log lines are found."""
    found: str = scope["state"]["request_id"]
    return found


def around_requests(app: ASGIApp) -> ASGIApp:
    """Gives each request an id, or keeps its own `X-Request-ID` where that is usable;
    adds the security headers that the answer does not set itself; writes the log line
    and counts. A fault that nothing caught becomes a 500."""

    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await app(scope, receive, send)
        given = next((it for name, it in scope["headers"] if name == _ID), b"")
        identifier = given.decode() if _GIVEN_ID.fullmatch(given) else _new_id()
        scope.setdefault("state", {})["request_id"] = identifier
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=identifier)
        if scope["type"] == "websocket":
            return await app(scope, receive, send)
        return await _answer(app, scope, receive, send, identifier)

    return run


def posted(app: ASGIApp, path: str, endpoint: ASGIApp) -> ASGIApp:
    """Hands what is posted to `path`, and not by a page of another origin, straight to
    its endpoint: routes and the headers for other origins take a tenth of a small
    request's time."""

    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        is_straight = (
            scope["type"] == "http"
            and scope["path"] == path
            and scope["method"] == "POST"
            and all(name != b"origin" for name, _ in scope["headers"])
        )
        await (endpoint if is_straight else app)(scope, receive, send)

    return run


def _new_id() -> str:
    return f"{random.getrandbits(128):032x}"


async def _answer(
    app: ASGIApp, scope: Scope, receive: Receive, send: Send, identifier: str
) -> None:
    started = time.perf_counter()
    status = 0

    async def sending(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = [it for it in message["headers"] if it[0] != _ID]
            names = {name for name, _ in headers}
            headers += [it for it in _HEADERS if it[0] not in names]
            headers.append((_ID, identifier.encode()))
            message = {**message, "headers": headers}
        await send(message)

    try:
        await app(scope, receive, sending)
    except Exception:
        _log.exception("fault", path=scope["path"])
        if status:
            raise
        await _fault(Request(scope), identifier)(scope, receive, sending)
    finally:
        _record(scope, status, time.perf_counter() - started)


def _fault(request: Request, identifier: str) -> Response:
    message = f"Something went wrong on our side; the fault is logged as {identifier}."
    refusal = Refused(500, "INTERNAL", message)
    return refusal_or_page(request, refusal, requestId=identifier)


def _record(scope: Scope, status: int, seconds: float) -> None:
    path = scope["path"]
    route = next((route for route in _ROUTES if path.startswith(route)), "other")
    _counter(route, scope["method"], status).inc()
    _histogram(route).observe(seconds)
    if not path.startswith(_QUIET):
        client = scope.get("client")
        _log.info(
            "request",
            method=scope["method"],
            path=path,
            status=status,
            ms=round(seconds * 1000, 1),
            client=client[0] if client else None,
            **scope["state"].get("log", {}),
        )


@lru_cache(maxsize=1_000)
def _counter(route: str, method: str, status: int) -> Counter:
    return REQUESTS.labels(route, method, status)


@lru_cache
def _histogram(route: str) -> Histogram:
    return SECONDS.labels(route)
