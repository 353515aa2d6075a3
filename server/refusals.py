"""How a request is refused: with a page where one is asked for, as browsers do, and
with JSON otherwise. And what is answered where nothing else answers."""

from typing import Any

import orjson
from cross_web import HTTPException as UnreadableRequest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from strawberry.types.graphql import OperationType

from server.auth import Refused
from server.html import page

JSON = "application/json"
CHARSET = "; charset=utf-8"

_TITLES = {
    404: "Nothing here",
    405: "Nothing to see here",
    500: "Something went wrong",
}


def refusal_response(
    refusal: Refused, media_type: str = JSON, **extensions: Any
) -> Response:
    """The refusal as a GraphQL answer without data."""
    told = {"code": refusal.code, **extensions}
    return Response(
        orjson.dumps({"errors": [{"message": str(refusal), "extensions": told}]}),
        refusal.status,
        headers=refusal.headers,
        media_type=media_type + CHARSET,
    )


def refusal_or_page(request: Request, refusal: Refused, **extensions: Any) -> Response:
    """The refusal as the caller reads it."""
    if "text/html" not in request.headers.get("accept", ""):
        return refusal_response(refusal, **extensions)
    return page(
        "layout.html",
        refusal.status,
        refusal.headers,
        title=_TITLES.get(refusal.status, "This does not work"),
        text=str(refusal),
    )


def not_taken(kind: OperationType) -> Refused:
    """That operations of this kind are not taken in this way."""
    if kind is OperationType.SUBSCRIPTION:
        return Refused(
            406,
            "NOT_ACCEPTABLE",
            "A subscription goes on: ask for it over WebSocket (graphql-transport-ws), "
            "or with Accept: text/event-stream.",
        )
    return Refused(
        405,
        "METHOD_NOT_ALLOWED",
        "GET is for queries only: send mutations and subscriptions with POST.",
        {"Allow": "POST"},
    )


def refusal_of(error: UnreadableRequest) -> Refused:
    """What Strawberry could not read of a request."""
    codes = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "TOO_LARGE"}
    code = codes.get(error.status_code, "BAD_REQUEST")
    return Refused(error.status_code, code, error.reason)


async def refuse(request: Request, error: Exception) -> Response:
    """Answers for an address that is not there, or does not take what was sent."""
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for those
    match error.status_code:
        case 404:
            message = "There is nothing at this address."
            return refusal_or_page(request, Refused(404, "NOT_FOUND", message))
        case 405:
            return refusal_or_page(request, _wrong_method(request))
        case status:
            headers = dict(error.headers or {})
            refusal = Refused(status, "BAD_REQUEST", error.detail, headers)
            return refusal_or_page(request, refusal)


def _wrong_method(request: Request) -> Refused:
    taken = {
        method
        for route in request.app.routes
        if isinstance(route, Route)
        and route.matches(request.scope)[0] is not Match.NONE
        for method in route.methods or ()
    } or {"GET", "HEAD"}  # as the files of a folder
    named = " or ".join(sorted(taken - {"HEAD"}))
    return Refused(
        405,
        "METHOD_NOT_ALLOWED",
        f"This address takes {named}, not {request.method}.",
        {"Allow": ", ".join(sorted(taken))},
    )
