"""Forms on the web: each one's own page at a short address, and what a script on any
other site needs to show the form there and send the answer."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import orjson
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from audience.consent import Channel, Status
from audience.errors import (
    AudienceError,
    Code,
    Conflict,
    InvalidInput,
    NotAllowed,
    NotFound,
)
from audience.evidence import evidence
from audience.forms.rendering import FILL_TIME, render_token
from audience.forms.stored import form_of
from audience.forms.submissions import VALUES
from gql.form_changes import deliver_confirmations
from gql.ids import Kind, global_id, read_id
from resolvers.db import Document
from resolvers.forms import Answer, Submitted, count_view, live_form, submit_form
from resolvers.shielding import to_its_end
from server.auth import Refused
from server.html import page
from server.requests import client_address
from server.running import Running, running_of, sign_up_counter

MAX_BODY = 100_000
SCRIPT = Path(__file__).with_name("embed") / "embed.js"
SCRIPT_SECONDS = 3_600

# What a browser fills in by itself.
FILLS = {
    "email": "email",
    "phoneNumber": "tel",
    "firstName": "given-name",
    "lastName": "family-name",
    "organization": "organization",
    "title": "organization-title",
    "location.address1": "address-line1",
    "location.address2": "address-line2",
    "location.city": "address-level2",
    "location.region": "address-level1",
    "location.country": "country-name",
    "location.zip": "postal-code",
}
TYPES = {"TEXT": "text", "EMAIL": "email", "PHONE": "tel", "DATE": "date"}

_STATUSES = {Code.NOT_FOUND: 404, Code.NOT_ALLOWED: 404, Code.LIMIT_REACHED: 429}
_NO_FORM = "There is no form at this address, or it takes no sign-ups at the moment."


async def show_form(request: Request) -> Response:
    """The form's own page."""
    running = running_of(request)
    try:
        running.limits.count(None, client_address(request))
        form = await live_form(running.db, _key(request))
    except Refused as refusal:
        return _wait(refusal)
    except AudienceError:
        return page("layout.html", 404, title="No form here", text=_NO_FORM)
    if request.method == "GET" and "prefetch" not in _purpose(request):
        await count_view(running.db, form["_id"], datetime.now(UTC), _zone(running))
    return _form_page(running, form)


async def take_answer(request: Request) -> Response:
    """An answer: JSON from the script, or a form's fields from the page itself."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json = kind == "application/json"
    try:
        running_of(request).limits.count(None, client_address(request))
    except Refused as refusal:
        return _refusal(refusal) if is_json else _wait(refusal)
    return await (_take_json if is_json else _take_page)(request)


async def form_for_script(request: Request) -> Response:
    """The form as the script shows it, with the token of this showing."""
    running = running_of(request)
    try:
        running.limits.count(None, client_address(request))
        form = await live_form(running.db, _key(request))
    except Refused as refusal:
        return _refusal(refusal)
    except AudienceError as error:
        return _problems(error)
    return JSONResponse(_shown(running, form), headers={"Cache-Control": "no-store"})


async def take_view(request: Request) -> Response:
    """The script has shown the form."""
    running = running_of(request)
    try:
        running.limits.count(None, client_address(request))
        form = await live_form(running.db, _key(request))
    except Refused as refusal:
        return _refusal(refusal)
    except AudienceError as error:
        return _problems(error)
    await count_view(running.db, form["_id"], datetime.now(UTC), _zone(running))
    return Response(status_code=204)


async def script(request: Request) -> Response:
    """The script that shows forms on any site."""
    content = SCRIPT.read_bytes()
    return Response(
        content,
        media_type="text/javascript",
        headers={
            "Cache-Control": f"public, max-age={SCRIPT_SECONDS}",
            "Access-Control-Allow-Origin": "*",
            "Cross-Origin-Resource-Policy": "cross-origin",
        },
    )


async def _take_json(request: Request) -> Response:
    try:
        given = _answer(await _body(request))
        done = await to_its_end(_submit(request, given))
    except AudienceError as error:
        return _problems(error)
    return JSONResponse(
        {
            "status": done.status,
            "message": _message(done),
            "redirectUrl": done.form.get("redirect_url"),
        }
    )


async def _take_page(request: Request) -> Response:
    running = running_of(request)
    try:
        body = await _body(request)
        fields = await _fields(request, body)
        values = {
            name.partition(":")[2]: str(value)
            for name, value in fields.items()
            if name.startswith("value:")
        }
        chosen = [str(each) for each in fields.getlist("channel")]
        form = await live_form(running.db, _key(request))
    except AudienceError as error:
        missing = isinstance(error, NotFound | NotAllowed)
        return page(
            "layout.html",
            404 if missing else 400,
            title="No form here" if missing else "This could not be read",
            text=_NO_FORM if missing else str(error),
        )
    try:
        answer = Answer(
            values,
            _channels(chosen),
            str(fields.get("token", "")),
            str(fields.get("trap", "")),
        )
        done = await to_its_end(_submit(request, answer))
    except AudienceError as error:
        status = _STATUSES.get(error.problems[0].code, 422)
        errors = _by_target(error)
        if isinstance(error, Conflict):  # may be about other agreements: ask anew
            chosen = []
        return _form_page(running, form, status, values, chosen, errors)
    if done.form.get("redirect_url"):
        return RedirectResponse(done.form["redirect_url"], 303)
    return page(
        "layout.html",
        is_done=True,
        title=done.form["headline"] if done.form.get("headline") else done.form["name"],
        text=_message(done),
    )


async def _submit(request: Request, answer: Answer) -> Submitted:
    running = running_of(request)
    address = client_address(request)
    done = await submit_form(
        running.db,
        _key(request),
        answer,
        now=datetime.now(UTC),
        zone=_zone(running),
        tokens=running.tokens,
        evidence=evidence(address, request.headers.get("user-agent")),
        count=sign_up_counter(running, address),
        refused=running.settings.refused_addresses,
    )
    deliver_confirmations(running.deliver, done.confirmations, done.list)
    return done


def _answer(body: bytes) -> Answer:
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        given = None
    if not isinstance(given, dict):
        raise InvalidInput("The answer is given as a JSON object.")
    texts: dict[str, str | None] = {}
    for name in ("token", "trap", "anonymousId"):
        text = given.get(name)
        if text is not None and not isinstance(text, str):
            raise InvalidInput(f"{name} is given as a text.", (name,))
        texts[name] = text or None
    channels = given.get("channels")
    if channels is not None and not isinstance(channels, list):
        raise InvalidInput("channels is given as a list.", ("channels",))
    return Answer(
        given.get("values"),
        None if channels is None else _channels(channels),
        texts["token"] or "",
        texts["trap"],
        texts["anonymousId"],
    )


def _channels(names: list[Any]) -> list[Channel]:
    found: list[Channel] = []
    for place, name in enumerate(names):
        if name not in list(Channel):
            raise InvalidInput(
                f"{name!r:.40} is not a channel: {', '.join(Channel)} are.",
                ("channels", str(place)),
            )
        found.append(Channel(name))
    return found


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise InvalidInput(
                f"The answer is larger than {MAX_BODY:,} bytes; it cannot be one."
            )
    return body


async def _fields(request: Request, body: bytes) -> FormData:
    """The fields of a form that was sent without the script."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return await Request(request.scope, receive).form(max_files=0, max_fields=100)


def _form_page(
    running: Running,
    form: Document,
    status: int = 200,
    values: Mapping[str, str] | None = None,
    chosen: list[str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> Response:
    told = dict(errors or {})
    return page(
        "form.html",
        status,
        leads_to=_origin(form.get("redirect_url")),
        title=form.get("headline") or form["name"],
        form=form,
        id=global_id(Kind.FORM)(form["_id"]),
        action=form["short"],
        script="../embed.js",
        token=_token(running, form),
        values=values or {},
        chosen=chosen or [],
        general=told.pop("", None),
        errors=told,
        types=TYPES,
        fills=FILLS,
    )


def _shown(running: Running, form: Document) -> Document:
    fields = [each for each in form["fields"] if each["kind"] != "HIDDEN"]
    targeting = form["targeting"]
    return {
        "id": global_id(Kind.FORM)(form["_id"]),
        "kind": form["kind"],
        "headline": form.get("headline"),
        "title": form.get("headline") or form["name"],
        "body": form.get("body"),
        "buttonLabel": form["button_label"],
        "fields": [
            {
                "kind": each["kind"],
                "label": each["label"],
                "target": each["target"],
                "isRequired": each["is_required"],
                "options": each["options"],
                "type": TYPES.get(each["kind"]),
                "fill": FILLS.get(each["target"], "on"),
            }
            for each in fields
        ],
        "consents": form["consents"],
        "targeting": {
            "delaySeconds": targeting["delay_seconds"],
            "scrollPercent": targeting["scroll_percent"],
            "onExitIntent": targeting["on_exit_intent"],
            "urlContains": targeting["url_contains"],
            "urlExcludes": targeting["url_excludes"],
            "frequencyDays": targeting["frequency_days"],
        },
        "token": _token(running, form),
        "fillSeconds": FILL_TIME.total_seconds(),
    }


def _token(running: Running, form: Document) -> str:
    consents = form_of(form).consents
    return render_token(running.tokens, str(form["_id"]), consents, datetime.now(UTC))


def _message(done: Submitted) -> str:
    message: str = done.form["success_message"]
    if done.status is Status.PENDING:
        return f"{message}\nNow open the link that we have sent you, and confirm."
    return message


def _by_target(error: AudienceError) -> dict[str, str]:
    """The first problem of each field; "" for the form as a whole."""
    found: dict[str, str] = {}
    for problem in error.problems:
        path = problem.path
        target = ""
        if path[:1] == (VALUES,) and len(path) > 1:
            target = path[1]
        elif path[:1] == ("channels",):
            target = "channels"
        found.setdefault(target, problem.message)
    return found


def _problems(error: AudienceError) -> Response:
    status = _STATUSES.get(error.problems[0].code, 422)
    errors = [
        {"code": each.code, "message": each.message, "path": list(each.path)}
        for each in error.problems
    ]
    return JSONResponse({"errors": errors}, status)


def _wait(refusal: Refused) -> Response:
    return page(
        "layout.html",
        refusal.status,
        refusal.headers,
        title="Please wait",
        text=str(refusal),
    )


def _refusal(refusal: Refused) -> Response:
    error = {"code": refusal.code, "message": str(refusal), "path": []}
    return JSONResponse({"errors": [error]}, refusal.status, refusal.headers)


def _key(request: Request) -> str:
    """The short name, or the stored id of a form's global id."""
    key: str = request.path_params["form"]
    found = read_id(key)
    return found[1] if found and found[0] is Kind.FORM else key


def _zone(running: Running) -> ZoneInfo:
    return ZoneInfo(running.settings.timezone)


def _origin(url: str | None) -> str:
    if url is None:
        return ""
    parts = urlsplit(url)
    return f"https://{parts.netloc}"


def _purpose(request: Request) -> str:
    named = (request.headers.get(each, "") for each in ("sec-purpose", "purpose"))
    return " ".join(named)
