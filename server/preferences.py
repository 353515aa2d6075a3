"""The pages on which people see what they get, and leave: by a link from a message, or
in one click from their mail program (RFC 8058). Opening a link changes nothing."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial, wraps
from urllib.parse import urlsplit

import orjson
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from audience.consent import Channel, ConsentState, Method, Status
from audience.errors import AudienceError, InvalidInput
from audience.evidence import evidence
from audience.identity import normalise_email
from audience.preferences import preference_token, read_preference_token
from audience.rows.sheets import csv_line
from audience.signups import Leaving, leaving
from audience.tokens import LeaveClaim, leave_token, read_leave
from resolvers.consent import set_consent
from resolvers.db import Document
from resolvers.lists import lists_by_id
from resolvers.preferences import consent_trail, holder_of, preferences_of
from resolvers.shielding import in_background
from resolvers.signups import unsubscribe
from server.auth import Refused
from server.html import page
from server.requests import client_address
from server.running import Running, running_of

SOURCE = "Preference page"
LINK = "Unsubscribe link"
AGAIN = "Send me e-mail again"
CHANNELS = {
    Channel.EMAIL: "E-mail",
    Channel.SMS: "Text messages",
    Channel.PUSH: "Push notifications",
    Channel.WHATSAPP: "WhatsApp",
}
MEANS = {
    Channel.EMAIL: "e-mail",
    Channel.SMS: "text message",
    Channel.PUSH: "push notification",
    Channel.WHATSAPP: "WhatsApp",
}
STATUSES = {
    Status.PENDING: "waits for your confirmation",
    Status.SUBSCRIBED: "yes",
    Status.UNSUBSCRIBED: "no",
    Status.NEVER_SUBSCRIBED: "never asked",
}
HISTORY = (
    "at",
    "channel",
    "from",
    "to",
    "method",
    "source",
    "list",
    "consentText",
    "ip",
    "userAgent",
)

MAX_FIELD = 2_048

Answer = Callable[[Request], Awaitable[Response]]


def guarded(answer: Answer) -> Answer:
    """Counts the request; what the person can mend becomes a page."""

    async def counted(request: Request) -> Response:
        _count(request)
        return await answer(request)

    return _told(counted)


def _told(answer: Answer) -> Answer:
    """Makes a page of what the person can mend."""

    @wraps(answer)
    async def run(request: Request) -> Response:
        try:
            return await answer(request)
        except Refused as refusal:
            return page(
                "layout.html",
                refusal.status,
                refusal.headers,
                title="Please wait",
                text=str(refusal),
            )
        except AudienceError as error:
            return page(
                "preferences_link.html",
                400,
                title="This does not work",
                text=str(error),
                link_action=path_of(request, "/preferences/link"),
            )

    return run


def _count(request: Request) -> None:
    running_of(request).limits.count(None, client_address(request))


@guarded
async def show_unsubscribe(request: Request) -> Response:
    """Asks the person to press the button."""
    running = running_of(request)
    token = request.query_params.get("token", "")
    what = await _what(running, read_leave(running.tokens, token))
    return page(
        "unsubscribe.html",
        title="Unsubscribe",
        text=f"Press the button to stop {what}.",
        token=token,
    )


@_told
async def take_unsubscribe(request: Request) -> Response:
    """The button, or a mail program's single request, which says so in its body.

    With a link of ours it is never one too many: the servers of a mail program send
    those of all of its users."""
    running = running_of(request)
    given = await form_of(request)
    token = str(given.get("token") or request.query_params.get("token", ""))
    try:
        claim = read_leave(running.tokens, token)
    except AudienceError:
        _count(request)
        raise
    is_one_click = given.get("List-Unsubscribe") == "One-Click"
    method = Method.ONE_CLICK_UNSUBSCRIBE if is_one_click else Method.PREFERENCE_PAGE
    what = await _what(running, claim)
    await _leave(request, leaving(token=token), method, LINK)
    return page(
        "unsubscribe.html",
        title="Done",
        text=f"We have stopped {what}.",
        link_action=path_of(request, "/preferences/link") if not is_one_click else None,
    )


@guarded
async def show_preferences(request: Request) -> Response:
    """What someone gets; without a token, a way to ask for the link."""
    token = request.query_params.get("token", "")
    if not token:
        return page(
            "preferences_link.html",
            title="Your preferences",
            text=None,
            link_action=path_of(request, "/preferences/link"),
        )
    return await _preferences_page(running_of(request), token)


@guarded
async def take_preferences(request: Request) -> Response:
    """Leaves one list, one channel, or every channel; or gets e-mail again."""
    running = running_of(request)
    given = await form_of(request)
    token = str(given.get("token", ""))
    profile_id = read_preference_token(running.tokens, token, datetime.now(UTC))
    list_id, channel = given.get("list"), given.get("channel")
    if given.get("again") is not None:
        await _start_again(request, profile_id)
        return await _preferences_page(running, token, "You get our e-mail again.")
    if list_id is not None:
        leave = leave_token(running.tokens, profile_id, list_id=str(list_id))
    elif channel == "ALL":
        held = (await preferences_of(running.db, profile_id)).channels
        named = [each for each, _ in held] or [Channel.EMAIL]
        leave = leave_token(running.tokens, profile_id, channels=named)
    elif channel in set(Channel):
        chosen = Channel(str(channel))
        leave = leave_token(running.tokens, profile_id, channels=[chosen])
    else:
        raise InvalidInput("Choose a list or a channel to leave.")
    await _leave(request, leaving(token=leave), Method.PREFERENCE_PAGE)
    return await _preferences_page(running, token, "Your change is saved.")


@guarded
async def send_link(request: Request) -> Response:
    """Sends the link to the address, if anyone has it. The page does not tell, nor
    does how long it takes."""
    running = running_of(request)
    running.sign_ups.count(None, client_address(request))
    email = normalise_email(str((await form_of(request)).get("email", "")))
    profile_id = await holder_of(running.db, email)
    if profile_id is not None:
        token = preference_token(running.tokens, profile_id, datetime.now(UTC))
        in_background(partial(running.deliver, {"to": email, "token": token}))
    return page(
        "layout.html",
        title="Look into your mail",
        text="If we know this address, we have sent the link to your preferences.",
    )


@guarded
async def export_history(request: Request) -> Response:
    """Everything that was recorded of someone's consent, as JSON or CSV."""
    running = running_of(request)
    token = request.query_params.get("token", "")
    profile_id = read_preference_token(running.tokens, token, datetime.now(UTC))
    lines = await consent_trail(running.db, profile_id)
    ids = list({each["list_id"] for each in lines if "list_id" in each})
    found = await lists_by_id(running.db, ids)
    names = {each["_id"]: each["name"] for each in found if each is not None}
    rows = [_exported(each, names) for each in lines]
    kind = request.url.path.rpartition(".")[2]
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="consent.{kind}"',
    }
    if kind == "json":
        body = orjson.dumps(rows, option=orjson.OPT_INDENT_2)
        return Response(body, media_type="application/json", headers=headers)
    return Response(_as_csv(rows), media_type="text/csv", headers=headers)


async def _preferences_page(
    running: Running, token: str, done: str | None = None
) -> Response:
    profile_id = read_preference_token(running.tokens, token, datetime.now(UTC))
    found = await preferences_of(running.db, profile_id)
    return page(
        "preferences.html",
        title="What you get from us",
        who=found.email or found.phone_number or "you",
        email=found.email,
        token=token,
        done=done,
        again=AGAIN,
        lists=found.lists,
        channels=[
            {
                "name": channel.value,
                "title": CHANNELS[channel],
                "status": STATUSES[state.status],
                "at": state.updated_at,
                "source": state.source,
                "can_leave": state.status in (Status.PENDING, Status.SUBSCRIBED),
                "can_return": _can_return(channel, state),
            }
            for channel, state in found.channels
        ],
    )


def _can_return(channel: Channel, state: ConsentState) -> bool:
    """Whether a no can be taken back here. The link is sent by mail, so it is no proof
    of a phone; and who was never asked has nothing to take back."""
    said_no = state.status is Status.UNSUBSCRIBED
    return channel is Channel.EMAIL and said_no and state.suppression is None


async def _start_again(request: Request, profile_id: str) -> None:
    running = running_of(request)
    states = dict((await preferences_of(running.db, profile_id)).channels)
    state = states.get(Channel.EMAIL)
    if state is None or not _can_return(Channel.EMAIL, state):
        raise InvalidInput("There is no e-mail to start again.")
    await set_consent(
        running.db,
        profile_id,
        Channel.EMAIL,
        Status.SUBSCRIBED,
        now=datetime.now(UTC),
        method=Method.PREFERENCE_PAGE,
        source=SOURCE,
        evidence=evidence(
            client_address(request), request.headers.get("user-agent"), AGAIN
        ),
    )


async def _leave(
    request: Request, wanted: Leaving, method: Method, source: str = SOURCE
) -> None:
    running = running_of(request)
    await unsubscribe(
        running.db,
        wanted,
        now=datetime.now(UTC),
        tokens=running.tokens,
        evidence=evidence(client_address(request), request.headers.get("user-agent")),
        method=method,
        source=source,
    )


async def _what(running: Running, claim: LeaveClaim) -> str:
    """What the token's holder leaves, in a sentence."""
    if claim.list_id is not None:
        (found,) = await lists_by_id(running.db, [claim.list_id])
        return f"messages to the list {found['name']}" if found else "these messages"
    names = " and ".join(MEANS[each] for each in claim.channels)
    return f"all messages by {names}"


def path_of(request: Request, path: str) -> str:
    """The path as people reach it, below whatever `base_url` adds."""
    return urlsplit(running_of(request).settings.address).path + path


def _exported(line: Document, names: Document) -> Document:
    return {
        "at": line["at"].isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "channel": line["channel"],
        "from": line["from"],
        "to": line["to"],
        "method": line["method"],
        "source": line.get("source"),
        "list": names.get(line["list_id"]) if "list_id" in line else None,
        "consentText": line.get("consent_text"),
        "ip": line.get("ip"),
        "userAgent": line.get("user_agent"),
    }


def _as_csv(rows: list[Document]) -> str:
    """The rows as a spreadsheet takes them, in which no text becomes a formula."""
    lines = [csv_line(HISTORY)]
    for row in rows:
        texts = ["" if row[name] is None else str(row[name]) for name in HISTORY]
        lines.append(csv_line(texts))
    return "".join(lines)


async def form_of(request: Request) -> FormData:
    """What a page has sent: a few short fields."""
    return await request.form(max_files=0, max_fields=5, max_part_size=MAX_FIELD)
