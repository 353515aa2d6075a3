"""The addresses that other tools call.

A call is verified, stored, worked on and answered, in that order. Whatever is stored
is done even if this process dies, so the answer does not wait for work that takes
unusually long.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from pymongo.errors import PyMongoError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from audience.errors import AudienceError, Code, InvalidInput, TooLarge
from audience.integrations.kinds import (
    InboundWebhook,
    IntegrationStatus,
    MessageProvider,
    Settings,
    TextMessages,
    WooCommerce,
)
from audience.integrations.messages import twiml
from audience.integrations.reading import MAX_CALL, call_of, form_fields, read_body
from audience.integrations.signatures import problem_with
from audience.integrations.stored import settings_of
from audience.integrations.woocommerce import is_ping
from gql.form_changes import confirmation_message
from resolvers.db import Document
from resolvers.integrations import (
    Outcome,
    Worked,
    called_integration,
    log_call,
    store_call,
    work_on_call,
    work_on_waiting_calls,
)
from resolvers.sealing import CannotOpen, unseal
from resolvers.shielding import to_its_end
from resolvers.signups import Confirmation
from server.auth import Refused
from server.requests import client_address
from server.running import Running, running_of

WATCH_SECONDS = 5.0
ANSWER_SECONDS = 4.0  # Shopify hangs up after five
PAUSE_SECONDS = 600

_log = structlog.get_logger("audience")


async def take_call(request: Request) -> Response:
    """Takes one call of a tool."""
    running = running_of(request)
    integration = await called_integration(running.db, request.path_params["key"])
    try:
        if integration is None:
            _count_stranger(request, running)
            raise Refused(404, "NOT_FOUND", "There is no integration at this address.")
        return await _take(request, running, integration)
    except Refused as refusal:
        return _problem(refusal.status, refusal.code, str(refusal), refusal.headers)


async def watch_calls(running: Running) -> None:
    """Takes up calls that a process left, or that had to wait, now and then."""

    async def deliver(confirmation: Confirmation, found: Document) -> None:
        await running.deliver(confirmation_message(confirmation, found))

    while True:
        try:
            await work_on_waiting_calls(
                running.db,
                now=lambda: datetime.now(UTC),
                tokens=running.tokens,
                deliver=deliver,
            )
        except PyMongoError as error:
            _log.warning("calls postponed", reason=str(error)[:200])
        except Exception:  # noqa: BLE001 - the next round is not to be lost
            _log.exception("work on calls failed")
        await asyncio.sleep(WATCH_SECONDS)


async def _take(request: Request, running: Running, integration: Document) -> Response:
    settings = settings_of(integration["settings"])
    try:
        raw = await _body(request)
    except AudienceError as error:
        _count_stranger(request, running)
        raise await _refused(running, integration, 413, error) from None
    if isinstance(settings, WooCommerce) and is_ping(raw):
        _count_stranger(request, running)
        return JSONResponse({"status": "IGNORED"})
    try:
        fields = form_fields(settings, raw)
    except AudienceError as error:
        _count_stranger(request, running)
        raise await _refused(running, integration, 400, error) from None
    await _verify(request, running, integration, settings, raw, fields)
    if integration["status"] != IntegrationStatus.ACTIVE:
        raise Refused(
            503,
            "PAUSED",
            "This integration is paused.",
            {"Retry-After": str(PAUSE_SECONDS)},
        )
    try:
        # Strangers do not use up what the tool may send.
        running.calls.count(None, str(integration["_id"]))
        _refuse_encodings(request)
        body = read_body(settings, raw)
        call_id, topic = call_of(settings, request.headers, body, raw)
    except AudienceError as error:
        raise await _refused(running, integration, 400, error) from None
    now = datetime.now(UTC)
    arrived = await store_call(running.db, integration["_id"], call_id, topic, raw, now)
    if arrived.is_duplicate:
        await log_call(running.db, integration["_id"], Outcome.DUPLICATE, now)
        reply = arrived.document.get("reply")
        return _answer(settings, Worked(Outcome.DUPLICATE, reply=reply))
    return _answer(settings, await _work(running, integration, arrived.document, now))


async def _work(
    running: Running, integration: Document, call: Document, now: datetime
) -> Worked:
    """What became of the call; WAITING when that takes too long to be waited for."""

    async def deliver(confirmation: Confirmation, found: Document) -> None:
        await running.deliver(confirmation_message(confirmation, found))

    work = work_on_call(
        running.db,
        integration,
        call,
        now=now,
        tokens=running.tokens,
        deliver=deliver,
    )
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await to_its_end(work)
    except TimeoutError:
        return Worked(Outcome.WAITING)


async def _verify(
    request: Request,
    running: Running,
    integration: Document,
    settings: Settings,
    raw: bytes,
    fields: Sequence[tuple[str, str]],
) -> None:
    """Refused unless the call is genuine."""
    if "secret" not in integration:
        raise await _unverified(
            request,
            running,
            integration,
            "This integration has no secret yet: give it the one that the tool shows.",
        )
    try:
        secret = unseal(running.tokens.secret, bytes(integration["secret"]))
    except CannotOpen:
        raise await _unverified(
            request,
            running,
            integration,
            "The server's own secret has changed: give the integration its secret "
            "again.",
        ) from None
    query = f"?{request.url.query}" if request.url.query else ""
    path = f"/in/{integration['key']}"
    problem = problem_with(
        settings,
        secret,
        headers=request.headers,
        body=raw,
        token=request.query_params.get("token"),
        # The address as it was given, and as it has reached us.
        urls=[f"{running.settings.address}{path}{query}", str(request.url)],
        fields=fields,
        now=datetime.now(UTC),
    )
    if problem is not None:
        raise await _unverified(request, running, integration, problem)


def _count_stranger(request: Request, running: Running) -> None:
    """Refused when what nobody has proved to be the tool's has come too often."""
    running.limits.count(None, client_address(request))


async def _unverified(
    request: Request, running: Running, integration: Document, message: str
) -> Refused:
    _count_stranger(request, running)
    await log_call(
        running.db,
        integration["_id"],
        Outcome.REFUSED,
        datetime.now(UTC),
        message=message,
    )
    return Refused(401, "UNAUTHENTICATED", message)


async def _refused(
    running: Running, integration: Document, status: int, error: AudienceError
) -> Refused:
    await log_call(
        running.db,
        integration["_id"],
        Outcome.REFUSED,
        datetime.now(UTC),
        message=str(error),
    )
    return Refused(status, error.problems[0].code, str(error))


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_CALL:
            raise TooLarge(f"The body is larger than {MAX_CALL:,} bytes.")
    return bytes(body)


def _refuse_encodings(request: Request) -> None:
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise InvalidInput("The body is compressed: send it as it is.")


def _answer(settings: Settings, worked: Worked) -> Response:
    """What the tool is told. Shops switch a webhook off when calls fail, so what was
    verified is a success for them, even if nothing could be kept of it."""
    if isinstance(settings, TextMessages):
        if settings.provider is MessageProvider.TWILIO:
            return Response(twiml(worked.reply), media_type="text/xml")
        return JSONResponse({"status": worked.outcome, "reply": worked.reply})
    if worked.outcome is Outcome.REFUSED and isinstance(settings, InboundWebhook):
        return _problem(422, Code.INVALID, worked.message or "", {})
    content: dict[str, Any] = {"status": worked.outcome}
    if worked.message is not None:
        content["message"] = worked.message
    return JSONResponse(content, 202 if worked.outcome is Outcome.WAITING else 200)


def _problem(status: int, code: str, message: str, headers: dict[str, str]) -> Response:
    error = {"code": code, "message": message}
    return JSONResponse({"errors": [error]}, status, headers)
