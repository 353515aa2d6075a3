"""GraphQL over HTTP, server-sent events and WebSocket: what the specification asks of
the transport. What the operations mean is the schema's."""

import contextlib
import copy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from cross_web import AsyncHTTPRequestAdapter, HTTPException, StarletteRequestAdapter
from pymongo.errors import PyMongoError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError, MissingQueryError
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.http.base import BaseRequestProtocol
from strawberry.schema.base import BaseSchema
from strawberry.schema.exceptions import (
    CannotGetOperationTypeError,
    InvalidOperationTypeError,
)
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL, GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
)
from strawberry.subscriptions.protocols.graphql_transport_ws.types import (
    SubscribeMessage,
)
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType
from strawberry.types.unset import UNSET, UnsetType

from audience.keys import Viewer
from audience.rows.limits import FILE_BYTES
from gql.context import Context, fixed_clock
from gql.errors import AccessRefused
from server.auth import Refused, admit, bearer, secret_of
from server.graphiql import page
from server.middleware import request_id
from server.refusals import CHARSET, not_taken, refusal_of, refusal_response
from server.requests import (
    RESPONSE,
    QuickRequest,
    client_address,
    is_usual,
    media_type,
    operation_in,
)
from server.running import event_counter, running_of, sign_up_counter
from server.settings import Settings

# What a WebSocket's closing may say at most, in bytes of ASCII.
_REASON = 123


@dataclass(kw_only=True)
class RequestContext(Context):
    """The context, with what a WebSocket's first message carried: the key among it."""

    connection: WebSocket | None = None
    connection_params: dict[str, object] | None = None
    secret: str | None = None


class OperationHandler(BaseGraphQLTransportWSHandler[RequestContext, None]):
    """Lets each operation on a WebSocket in as a request of its own, which a key may
    not outlive, and gives it its own context: its time, its loaders."""

    async def run_operation(self, operation: Any) -> None:
        viewer = self.context.viewer
        if self.context.connection is not None:
            try:
                viewer = await _admitted(self.context.connection, self.context.secret)
            except Refused as refusal:
                self.operations.pop(operation.id, None)
                code = 4429 if refusal.status == 429 else 4403
                await self.websocket.close(code=code, reason=str(refusal)[:_REASON])
                return
        alone = copy.copy(self)
        alone.context = replace(
            self.context, viewer=viewer, now=fixed_clock(), loaders={}
        )
        await super(OperationHandler, alone).run_operation(operation)

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        payload: Any = message["payload"]
        if not isinstance(payload, dict) or not isinstance(payload.get("query"), str):
            await self.handle_invalid_message("A subscribe message needs a query")
            return
        await super().handle_subscribe(message)


class Endpoint(GraphQL[RequestContext, None]):
    """/graphql: reads requests, lets callers in, and answers in the media type that
    the request prefers."""

    graphql_transport_ws_handler_class = OperationHandler

    def __init__(self, schema: BaseSchema, settings: Settings) -> None:
        super().__init__(
            schema,
            graphql_ide="graphiql" if settings.graphiql else None,
            subscription_protocols=(
                GRAPHQL_TRANSPORT_WS_PROTOCOL,
                GRAPHQL_SSE_PROTOCOL,
            ),
            multipart_uploads_enabled=True,
            allowed_origins=settings.origins,
        )
        self.settings = settings
        self.zone = ZoneInfo(settings.timezone)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            return await super().__call__(scope, receive, send)
        request = QuickRequest(scope, self._bounded(scope, receive))
        try:
            if scope["method"] not in ("GET", "POST"):
                raise Refused(
                    405,
                    "METHOD_NOT_ALLOWED",
                    "GraphQL is asked with GET or POST.",
                    {"Allow": "GET, POST"},
                )
            is_posted = scope["method"] == "POST"
            if is_posted or not self.should_render_graphql_ide(
                StarletteRequestAdapter(request)
            ):
                await self._let_in(request)
            is_short = is_posted and is_usual(request.headers)
            response = await (self._answer if is_short else self.run)(request)
        except Refused as refusal:
            response = refusal_response(refusal, media_type(request.headers))
        except HTTPException as error:
            response = refusal_response(refusal_of(error), media_type(request.headers))
        except InvalidOperationTypeError as error:
            response = refusal_response(
                not_taken(error.operation_type), media_type(request.headers)
            )
        finally:
            await request.close()
        return await response(scope, receive, send)

    async def _answer(self, request: Request) -> ASGIApp:
        """What `run` answers to a single operation in JSON, without its detours."""
        asked = operation_in(await request.body())
        if asked is None:
            answer: ASGIApp = await self.run(request)
            return answer
        result = await self.execute_single(
            request=request,
            request_adapter=StarletteRequestAdapter(request),
            sub_response=_NO_RESPONSE,
            context=await self.get_context(request, _NO_RESPONSE),
            root_value=None,
            request_data=asked,
        )
        if result.errors or result.extensions:
            return self.create_response(
                await self.process_result(request, result),
                await self.get_sub_response(request),
            )
        return _Answer(orjson.dumps({"data": result.data}), media_type(request.headers))

    async def execute_single(
        self,
        request: Request,
        request_adapter: AsyncHTTPRequestAdapter,
        sub_response: Response,
        context: RequestContext,
        root_value: None,
        request_data: GraphQLRequestData,
    ) -> ExecutionResult:
        try:
            return await self.schema.execute(
                request_data.query,
                variable_values=request_data.variables,
                context_value=context,
                root_value=root_value,
                operation_name=request_data.operation_name,
                allowed_operation_types=_ALLOWED[request_adapter.method],
                operation_extensions=request_data.extensions,
            )
        except CannotGetOperationTypeError as error:
            raise HTTPException(400, error.as_http_error_reason()) from error
        except MissingQueryError as error:
            reason = "No GraphQL query found in the request"
            raise HTTPException(400, reason) from error

    async def get_context(
        self, request: Request | WebSocket, response: Response | WebSocket
    ) -> RequestContext:
        running = running_of(request)
        address = client_address(request)
        return RequestContext(
            db=running.db,
            viewer=request.scope["state"].get("viewer"),
            zone=self.zone,
            ip=address,
            user_agent=request.headers.get("user-agent"),
            origin=request.headers.get("origin"),
            request_id=request_id(request.scope),
            tokens=running.tokens,
            deliver=running.deliver,
            sends_mail=running.settings.smtp_host is not None,
            hub=running.hub,
            address=running.settings.address,
            count_sign_up=sign_up_counter(running, address),
            count_event=event_counter(running, address),
            refused_addresses=running.settings.refused_addresses,
            forget_keys=running.keys.forget,
            check_key=partial(_check_key, request),
            compiled=running.settings.executor == "compiled",
            connection=request if isinstance(request, WebSocket) else None,
        )

    async def get_sub_response(self, request: Request | WebSocket) -> Response:
        response = await super().get_sub_response(request)
        response.headers["Content-Type"] = media_type(request.headers) + CHARSET
        return response

    def create_response(
        self,
        response_data: GraphQLHTTPResponse | list[GraphQLHTTPResponse],
        sub_response: Response,
    ) -> Response:
        kind = sub_response.headers["content-type"]
        status = sub_response.status_code or 200
        if isinstance(response_data, dict) and _is_request_error(response_data):
            del response_data["data"]
            if kind.startswith(RESPONSE):
                status = 400
        response = Response(orjson.dumps(response_data), status, media_type=kind)
        for name, value in sub_response.headers.items():
            if name != "content-type":
                response.headers.append(name, value)
        return response

    async def create_streaming_response(
        self, request: Any, stream: Any, sub_response: Response, headers: Any
    ) -> Response:
        del sub_response.headers["content-type"]
        return await super().create_streaming_response(
            request, stream, sub_response, headers
        )

    async def parse_http_body(
        self, request: Any
    ) -> GraphQLRequestData | list[GraphQLRequestData]:
        parsed = await super().parse_http_body(request)
        if isinstance(parsed, GraphQLRequestData) and not isinstance(
            parsed.operation_name, str | None
        ):
            raise HTTPException(400, "`operationName` must be a string or null.")
        return parsed

    async def parse_multipart(self, request: AsyncHTTPRequestAdapter) -> dict[str, str]:
        try:
            return await super().parse_multipart(request)
        except (StarletteHTTPException, LookupError, TypeError, AttributeError):
            raise HTTPException(
                400,
                "The request is not what the GraphQL multipart request specification "
                "asks for: operations, map, then the files.",
            ) from None
        except HTTPException as error:
            if not isinstance(error.__cause__, KeyError):
                raise
            raise HTTPException(
                400,
                f"The map leads to {error.__cause__.args[0]!r:.140}, which is neither "
                "a file of the request nor in its operations: give each file's name "
                'with the path to its variable, as in {"0": ["variables.input.file"]}.',
            ) from None

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        """The same messages; an HTTPException once the body is over the allowed
        bytes."""
        received = 0

        async def receiving() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.settings.body_limit:
                limit = self._body_limit(Request(scope))
                if received > limit:
                    raise HTTPException(
                        413,
                        f"The request is larger than {limit:,} bytes; send less at a "
                        "time.",
                    )
            return message

        return receiving

    def _body_limit(self, request: Request) -> int:
        """Files are taken only from those who may import them."""
        viewer: Viewer | None = request.scope["state"].get("viewer")
        kind = request.headers.get("content-type", "")
        if viewer and viewer.may("imports:write") and kind.startswith("multipart/"):
            return FILE_BYTES + self.settings.body_limit
        return self.settings.body_limit

    def parse_json(self, data: str | bytes) -> Any:
        parsed = super().parse_json(data)
        if not isinstance(parsed, dict | list):
            raise HTTPException(400, "The request must be a JSON object.")
        return parsed

    def decode_json(self, data: str | bytes) -> object:
        return orjson.loads(data)

    def encode_json(self, data: object) -> str:
        return orjson.dumps(data).decode()

    def should_render_graphql_ide(self, request: BaseRequestProtocol) -> bool:
        return (
            request.method == "GET"
            and request.query_params.get("query") is None
            and "text/html" in request.headers.get("accept", "")
        )

    async def render_graphql_ide(self, request: Request) -> Response:
        return page()

    async def on_ws_connect(self, context: RequestContext) -> UnsetType:
        """The key comes in the first message, as `{"Authorization": "Bearer sk_..."}`,
        or with the handshake where the client can set headers."""
        unset: UnsetType = UNSET
        if context.connection is None:
            return unset
        given = context.connection_params or {}
        value = given.get("Authorization", given.get("authorization"))
        try:
            secret = bearer(context.connection.headers)
            if value is not None:
                secret = secret_of(str(value))
            context.viewer = await _admitted(context.connection, secret)
            context.secret = secret
            context.check_key = partial(_check_key, context.connection, secret)
        except Refused as refusal:
            raise ConnectionRejectionError({"message": str(refusal)}) from refusal
        return unset

    async def _let_in(self, request: Request) -> None:
        viewer = await _admitted(request, bearer(request.headers))
        state = request.scope["state"]
        state["viewer"] = viewer
        if viewer:
            state["log"] = {"key": viewer.name}


class _Answer:
    """An answer with nothing to be said but its data."""

    def __init__(self, body: bytes, media_type: str) -> None:
        self.body = body
        self.media_type = media_type

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [
            (b"content-length", str(len(self.body)).encode()),
            (b"content-type", f"{self.media_type}{CHARSET}".encode()),
        ]
        start = {"type": "http.response.start", "status": 200, "headers": headers}
        await send(start)
        await send({"type": "http.response.body", "body": self.body})


_ALLOWED = {
    "GET": {OperationType.QUERY},
    "POST": {OperationType.QUERY, OperationType.MUTATION},
}

_NO_RESPONSE = Response()
"""Where Strawberry's view wants one; nothing here writes to it."""


async def _admitted(connection: HTTPConnection, secret: str | None) -> Viewer | None:
    running = running_of(connection)
    return await admit(
        running.keys,
        running.limits,
        secret,
        address=client_address(connection),
        origin=connection.headers.get("origin"),
    )


async def _check_key(connection: HTTPConnection, secret: str | None = None) -> None:
    """AccessRefused when the key that a running operation came with, in a WebSocket's
    first message or a header, has been revoked. Counts as no request."""
    secret = secret or bearer(connection.headers)
    with contextlib.suppress(PyMongoError):  # asked again in a few seconds
        if secret and await running_of(connection).keys.viewer(secret) is None:
            raise AccessRefused(
                "UNAUTHENTICATED", "This API key is unknown or revoked."
            )


def _is_request_error(response: GraphQLHTTPResponse) -> bool:
    """Whether nothing was executed: no data, and no error has a place in it."""
    errors: list[Any] = response.get("errors") or []
    return (
        response.get("data") is None
        and bool(errors)
        and all("path" not in error for error in errors)
    )
