"""The pages that people get to from a message: confirming a sign-up. Opening the link
changes nothing, since mail scanners open links too; the button does."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from audience.consent import Status
from audience.errors import AudienceError
from audience.evidence import evidence
from audience.tokens import read_confirmation
from resolvers.lists import live_list
from resolvers.signups import confirm
from server.auth import Refused
from server.html import page
from server.requests import client_address
from server.running import running_of

MAX_FORM = 4_096


async def show_confirmation(request: Request) -> Response:
    """Asks the person to press the button."""
    token = request.query_params.get("token", "")
    if not token:
        return page(
            "page.html",
            400,
            title="This link is incomplete",
            text="Please use the whole link from the message.",
        )
    running = running_of(request)
    try:
        claim = read_confirmation(running.tokens, token, datetime.now(UTC))
        found = await live_list(running.db, claim.list_id, ("token",))
    except AudienceError as error:
        return _useless(error)
    return page(
        "page.html",
        title="Confirm your subscription",
        text="Press the button to confirm that you want to hear from us, on the list "
        f"{found['name']}.",
        token=token,
        button="Yes, subscribe me",
    )


async def take_confirmation(request: Request) -> Response:
    """Confirms what the token of the pressed button stands for."""
    async with request.form(max_files=0, max_fields=2, max_part_size=MAX_FORM) as form:
        token = str(form.get("token", ""))
    running = running_of(request)
    try:
        running.limits.count(None, client_address(request))
        confirmed = await confirm(
            running.db,
            token,
            now=datetime.now(UTC),
            tokens=running.tokens,
            evidence=evidence(
                client_address(request), request.headers.get("user-agent")
            ),
        )
    except Refused as refusal:
        return page(
            "page.html",
            refusal.status,
            refusal.headers,
            title="Please wait",
            text=str(refusal),
        )
    except AudienceError as error:
        return _useless(error)
    if confirmed.status is not Status.SUBSCRIBED:
        return page(
            "page.html",
            title="You are not subscribed",
            text="This sign-up was withdrawn, or you have unsubscribed since. To hear "
            "from us again, sign up anew.",
        )
    again = " It was confirmed before." if confirmed.is_repeated else ""
    return page(
        "page.html",
        is_done=True,
        title="You are subscribed",
        text=f"Thank you: you are on the list {confirmed.list['name']}.{again}",
    )


def _useless(error: AudienceError) -> Response:
    return page("page.html", 400, title="This link does not work", text=str(error))
