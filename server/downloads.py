"""Files over HTTP: the members of lists and segments, and the rows that an import
rejected. The key travels in the Authorization header, as everywhere."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from audience.errors import AudienceError, InvalidInput, NotFound
from audience.keys import Viewer
from gql.errors import problems_of
from gql.ids import Kind, stored_id
from resolvers.exports import list_export, segment_export
from resolvers.imports import imports_by_id, rejected_rows
from server.auth import Refused, admit, bearer
from server.refusals import refusal_response
from server.requests import client_address
from server.running import running_of


async def list_members(request: Request) -> Response:
    """The members of a list, as CSV."""
    return await _answer(request, "lists:read", "profiles:read")


async def segment_members(request: Request) -> Response:
    """The members of a segment now, as CSV."""
    return await _answer(request, "segments:read", "profiles:read")


async def rejected(request: Request) -> Response:
    """The rejected rows of an import, as CSV."""
    return await _answer(request, "imports:read")


ROUTES: tuple[BaseRoute, ...] = (
    Route("/lists/{id}/members.csv", list_members),
    Route("/segments/{id}/members.csv", segment_members),
    Route("/imports/{id}/rejected.csv", rejected),
)


async def _answer(request: Request, *scopes: str) -> Response:
    given = request.path_params["id"]
    try:
        await _let_in(request, scopes)
        parts = await _parts(request, given)
    except Refused as refusal:
        return refusal_response(refusal)
    except AudienceError as error:
        problems = problems_of(error.problems)
        status = 404 if isinstance(error, NotFound | InvalidInput) else 400
        shown = [
            {"message": each["message"], "extensions": {"code": each["code"]}}
            for each in problems
        ]
        return JSONResponse({"errors": shown}, status)
    name = request.url.path.rpartition("/")[2]
    return StreamingResponse(
        parts,
        media_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{given}-{name}"',
            "Cache-Control": "no-store",
        },
    )


async def _parts(request: Request, given: str) -> AsyncIterator[bytes]:
    running = running_of(request)
    match request.url.path.split("/")[1]:
        case "lists":
            return await list_export(running.db, stored_id(given, Kind.LIST))
        case "segments":
            zone = ZoneInfo(running.settings.timezone)
            stored = stored_id(given, Kind.SEGMENT)
            return await segment_export(running.db, stored, datetime.now(UTC), zone)
        case _:
            stored = stored_id(given, Kind.IMPORT)
            (found,) = await imports_by_id(running.db, [stored])
            if found is None:
                raise NotFound("There is no such import.", ("id",))
            return rejected_rows(running.db, stored)


async def _let_in(request: Request, scopes: tuple[str, ...]) -> Viewer:
    running = running_of(request)
    viewer = await admit(
        running.keys,
        running.limits,
        bearer(request.headers),
        address=client_address(request),
        origin=request.headers.get("origin"),
    )
    if viewer is None:
        raise Refused(
            401,
            "UNAUTHENTICATED",
            "This needs an API key: send it as Authorization: Bearer sk_...",
            {"WWW-Authenticate": "Bearer"},
        )
    for scope in scopes:
        if not viewer.may(scope):
            raise Refused(
                403,
                "FORBIDDEN",
                f"This needs the scope {scope}, which the key {viewer.name!r} does not "
                "have.",
            )
    return viewer
