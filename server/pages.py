"""The pages that people get to from a message: confirming a sign-up. Opening the link
changes nothing, since mail scanners open links too; the button does."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from audience.consent import Evidence
from audience.errors import AudienceError
from resolvers.signups import confirm
from server.auth import Refused
from server.graphql import client_address
from server.running import running_of

MAX_FORM = 4_096

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=select_autoescape(),
    trim_blocks=True,
    lstrip_blocks=True,
)


async def show_confirmation(request: Request) -> Response:
    """Asks the person to press the button."""
    token = request.query_params.get("token", "")
    if not token:
        return _page(
            "This link is incomplete", "Please use the whole link of the message.", 400
        )
    return _page(
        "Confirm your subscription",
        "Press the button to confirm that you want to hear from us.",
        token=token,
        button="Yes, subscribe me",
    )


async def take_confirmation(request: Request) -> Response:
    """Confirms what the token of the pressed button stands for."""
    async with request.form(max_files=0, max_fields=2, max_part_size=MAX_FORM) as form:
        token = str(form.get("token", ""))
    running = running_of(request)
    evidence = Evidence(
        ip=client_address(request), user_agent=request.headers.get("user-agent")
    )
    try:
        running.limits.count(None, client_address(request))
        confirmed = await confirm(
            running.db,
            token,
            now=datetime.now(UTC),
            tokens=running.tokens,
            evidence=evidence,
        )
    except Refused as refusal:
        return _page("Please wait", str(refusal), refusal.status, refusal.headers)
    except AudienceError as error:
        return _page("This link does not work", str(error), status=400)
    again = " It was confirmed before." if confirmed.is_repeated else ""
    return _page(
        "You are subscribed",
        f"Thank you: you are on the list {confirmed.list['name']}.{again}",
    )


def _page(
    title: str,
    text: str,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **more: str,
) -> Response:
    nonce = secrets.token_urlsafe(16)
    template = _TEMPLATES.get_template("page.html")
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    return HTMLResponse(
        template.render(title=title, text=text, nonce=nonce, **more),
        status,
        {
            "Content-Security-Policy": policy,
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            **(headers or {}),
        },
    )
