"""What a request to /graphql says of itself, read the short way."""

from functools import cached_property, lru_cache
from typing import Any

import orjson
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.types import Scope
from strawberry.http import GraphQLRequestData

from server.refusals import JSON

RESPONSE = "application/graphql-response+json"


class _Headers(Headers):
    """Those of a request, which are looked up often."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope=scope)
        self._first = dict(reversed(self.items()))

    def get(self, key: str, default: Any = None) -> Any:
        return self._first.get(key.lower(), default)


class QuickRequest(Request):
    """A request whose headers and body cost little to look at."""

    @cached_property
    def headers(self) -> Headers:
        return _Headers(self.scope)

    async def body(self) -> bytes:
        if hasattr(self, "_body") or self._stream_consumed:
            return await super().body()
        chunks = []
        while not self._stream_consumed:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunks.append(message.get("body", b""))
            self._stream_consumed = not message.get("more_body", False)
        self._body = b"".join(chunks)
        return self._body


def client_address(connection: HTTPConnection) -> str:
    """The caller's address; trusted proxies have been looked through already."""
    client = connection.scope.get("client")
    return str(client[0]) if client else "unknown"


def is_usual(headers: Headers) -> bool:
    """Whether JSON is sent, and nothing that goes on is wanted in return."""
    accepted = headers.get("accept", "")
    return headers.get("content-type", "").startswith(JSON) and not (
        "text/event-stream" in accepted or "multipart/" in accepted
    )


def operation_in(body: bytes) -> GraphQLRequestData | None:
    """A single operation, and nothing unusual about it."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(data, dict) or data.get("extensions"):
        return None
    query, variables = data.get("query"), data.get("variables")
    name = data.get("operationName")
    if not (
        isinstance(query, str)
        and isinstance(variables, dict | None)
        and isinstance(name, str | None)
    ):
        return None
    return GraphQLRequestData(query, variables, name, None)


def media_type(headers: Headers) -> str:
    """What the caller prefers; plain JSON unless the response type is asked for."""
    return _preferred(headers.get("accept", "*/*"))


@lru_cache(maxsize=256)
def _preferred(accepted: str) -> str:
    best = {RESPONSE: 0.0, JSON: 0.0}
    for part in accepted.split(","):
        name, *parameters = (word.strip().lower() for word in part.split(";"))
        quality = next((_quality(each) for each in parameters if each[:2] == "q="), 1.0)
        if name in best:
            best[name] = max(best[name], quality)
        elif name in ("*/*", "application/*"):
            best[JSON] = max(best[JSON], quality)
    return RESPONSE if best[RESPONSE] >= best[JSON] and best[RESPONSE] > 0 else JSON


def _quality(parameter: str) -> float:
    try:
        return float(parameter[2:])
    except ValueError:
        return 0.0
