"""The pages on which people have themselves erased: asked for on the preference page,
confirmed by the button behind a link that is mailed to them, and then done."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from audience.consent import Method
from audience.errors import InvalidInput
from audience.preferences import (
    erasure_token,
    is_address_of,
    read_erasure_token,
    read_preference_token,
)
from resolvers.erasures import erase_profile
from resolvers.preferences import preferences_of
from server.html import page
from server.messages import ERASURE
from server.preferences import form_of, guarded
from server.running import Running, running_of


@guarded
async def ask_for_erasure(request: Request) -> Response:
    """Mails the link to the address that we have."""
    running, now = running_of(request), datetime.now(UTC)
    token = str((await form_of(request)).get("token", ""))
    profile_id = read_preference_token(running.tokens, token, now)
    email = (await preferences_of(running.db, profile_id)).email
    if email is None:
        raise InvalidInput(
            "We have no e-mail address of you to which we could send the link: write "
            "to us instead."
        )
    link = erasure_token(running.tokens, profile_id, email, now)
    await running.deliver({"to": email, "token": link, "kind": ERASURE})
    return page(
        "layout.html",
        title="Look into your mail",
        text=f"We have sent a link to {email}. Nothing is erased until you open it and "
        "press the button there.",
    )


@guarded
async def show_erasure(request: Request) -> Response:
    """Asks the person to press the button."""
    running = running_of(request)
    token = request.query_params.get("token", "")
    _, email = await _holder(running, token)
    return page(
        "erase.html", title="Erase everything about you?", who=email, token=token
    )


@guarded
async def take_erasure(request: Request) -> Response:
    """Erases the person."""
    running = running_of(request)
    token = str((await form_of(request)).get("token", ""))
    profile_id, email = await _holder(running, token)
    await erase_profile(
        running.db,
        profile_id,
        datetime.now(UTC),
        method=Method.PREFERENCE_PAGE,
        email=email,
    )
    return page(
        "layout.html",
        title="Everything is erased",
        text="Your profile and what you did with us are gone. That somebody agreed to "
        "messages, and when, stays recorded without anything that leads to you. If you "
        "sign up again, we meet for the first time.",
    )


async def _holder(running: Running, token: str) -> tuple[str, str]:
    """Who holds the link, and their address."""
    now = datetime.now(UTC)
    profile_id, digest = read_erasure_token(running.tokens, token, now)
    email = (await preferences_of(running.db, profile_id)).email
    if email is None or not is_address_of(running.tokens, digest, email):
        raise InvalidInput(
            "The address has changed since: ask for a new link.", ("token",)
        )
    return profile_id, email
