"""Leaving in one click, the preference page and what it exports."""

import asyncio
import csv
import io
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from bson import ObjectId

from audience.consent import Channel, SuppressionReason
from audience.evidence import Evidence
from audience.lists import OptIn
from audience.preferences import preference_token
from audience.signups import sign_up
from audience.tokens import Tokens, leave_token
from resolvers.consent import suppress
from resolvers.db import Database, Document, find
from resolvers.lists import create_list
from resolvers.outbox import put_message
from resolvers.signups import subscribe
from server.app import create_app
from server.running import Running
from server.settings import Settings
from tests.server.tiny import schema

pytestmark = pytest.mark.anyio

TOKENS = Tokens("a secret that signs links in tests only")
ADA = "ada@example.org"
PHONE = "+14155550132"


@dataclass(frozen=True, slots=True)
class Person:
    """A subscriber to two lists, by e-mail and text message."""

    id: str
    news: ObjectId
    token: str


@pytest.fixture
async def ada(db: Database) -> Person:
    now = datetime.now(UTC)
    lists = [await create_list(db, name, OptIn.SINGLE, now=now) for name in "AB"]
    for each in lists:
        wanted = sign_up(
            str(each["_id"]),
            {"email": ADA, "phoneNumber": PHONE},
            source="=cmd()",
            consent_text="News, please.",
        )
        proof = Evidence("192.0.2.7", "Browser/1.0")
        await subscribe(db, wanted, now=now, tokens=TOKENS, evidence=proof)
    profile = await db.profiles.find_one({"email": ADA})
    assert profile is not None
    found = str(profile["_id"])
    return Person(found, lists[0]["_id"], preference_token(TOKENS, found, now))


async def state(db: Database) -> tuple[dict[str, str], int]:
    """Each channel's status, and how many lists the person is in."""
    profile = await db.profiles.find_one({"email": ADA})
    assert profile is not None
    statuses = {name: each["status"] for name, each in profile["consent"].items()}
    return statuses, len(profile["lists"])


BOTH = {"email": "SUBSCRIBED", "sms": "SUBSCRIBED"}
STOPPED = {"email": "UNSUBSCRIBED", "sms": "SUBSCRIBED"}


async def test_a_mail_program_unsubscribes_at_once(
    db: Database, client: httpx.AsyncClient, ada: Person
) -> None:
    token = leave_token(TOKENS, ada.id, channels=[Channel.EMAIL])

    answers = [
        await client.post(
            "/unsubscribe",
            params={"token": token},
            data={"List-Unsubscribe": "One-Click"},
        )
        for _ in range(2)
    ]

    assert [each.status_code for each in answers] == [200, 200]
    assert await state(db) == (STOPPED, 2)
    lines = await find(db.consent_changes, {"to": "UNSUBSCRIBED"})
    assert [
        tuple(each[name] for name in ("channel", "method", "source", "ip"))
        for each in lines
    ] == [("EMAIL", "ONE_CLICK_UNSUBSCRIBE", "Unsubscribe link", "127.0.0.1")]


@pytest.mark.parametrize("way", ["urlencoded", "multipart"])
async def test_one_request_is_enough_as_rfc_8058_says(
    db: Database, client: httpx.AsyncClient, ada: Person, way: str
) -> None:
    """No cookie, no redirect, either encoding, the token in the address alone."""
    token = leave_token(TOKENS, ada.id, channels=[Channel.EMAIL])
    sent: Any = (
        {"data": {"List-Unsubscribe": "One-Click"}}
        if way == "urlencoded"
        else {"files": {"List-Unsubscribe": (None, "One-Click")}}
    )

    answer = await client.post(f"/unsubscribe?token={token}", **sent)

    assert (answer.status_code, answer.has_redirect_location) == (200, False)
    assert "set-cookie" not in answer.headers
    assert "<button" not in answer.text
    assert await state(db) == (STOPPED, 2)


async def test_a_mail_program_s_servers_are_not_told_to_wait(
    db: Database, client: httpx.AsyncClient, ada: Person
) -> None:
    """All of its users come from a few addresses; only links not ours are counted."""
    token = leave_token(TOKENS, ada.id, channels=[Channel.EMAIL])
    one_click = {"List-Unsubscribe": "One-Click"}

    forged = 400
    while forged == 400:
        refused = await client.post("/unsubscribe?token=forged", data=one_click)
        forged = refused.status_code
    answer = await client.post(f"/unsubscribe?token={token}", data=one_click)

    assert (forged, answer.status_code) == (429, 200)
    assert await state(db) == (STOPPED, 2)


async def test_opening_the_link_changes_nothing(
    db: Database, client: httpx.AsyncClient, ada: Person
) -> None:
    token = leave_token(TOKENS, ada.id, channels=[Channel.EMAIL])

    page = await client.get("/unsubscribe", params={"token": token})

    assert page.status_code == 200
    assert "Press the button to stop all messages by e-mail." in page.text
    assert await state(db) == (BOTH, 2)


async def test_the_button_leaves_a_list(
    db: Database, client: httpx.AsyncClient, ada: Person
) -> None:
    token = leave_token(TOKENS, ada.id, list_id=str(ada.news))

    page = await client.post("/unsubscribe", data={"token": token})

    assert "We have stopped messages to the list A." in page.text
    assert "preferences?token=" not in page.text
    assert 'action="/preferences/link"' in page.text
    assert await state(db) == (BOTH, 1)


@pytest.mark.parametrize("token", ["", "forged", "x" * 5_000, "\0"])
async def test_forged_links_change_nothing(
    db: Database, client: httpx.AsyncClient, ada: Person, token: str
) -> None:
    asked = {"token": token}
    answers = [
        await client.get("/unsubscribe", params=asked),
        await client.post("/unsubscribe", params=asked),
        await client.post("/unsubscribe", data=asked),
        await client.post("/preferences", data={**asked, "channel": "ALL"}),
        await client.get("/preferences/history.json", params=asked),
        await client.get("/preferences/history.csv", params=asked),
    ]

    assert {each.status_code for each in answers} == {400}
    assert await state(db) == (BOTH, 2)


async def test_one_kind_of_link_is_not_another(
    client: httpx.AsyncClient, ada: Person
) -> None:
    leave = leave_token(TOKENS, ada.id, channels=[Channel.EMAIL])
    old = preference_token(TOKENS, ada.id, datetime.now(UTC) - timedelta(days=91))
    gone = preference_token(TOKENS, str(ObjectId()), datetime.now(UTC))
    for token in (leave, old, gone):
        page = await client.get("/preferences", params={"token": token})
        assert page.status_code == 400
        assert 'action="/preferences/link"' in page.text


async def test_the_page_shows_what_someone_gets(
    client: httpx.AsyncClient, ada: Person
) -> None:
    page = await client.get("/preferences", params={"token": ada.token})

    assert page.status_code == 200
    assert ADA in page.text
    assert "E-mail: <strong>yes</strong>" in page.text
    assert "Text messages: <strong>yes</strong>" in page.text
    assert 'aria-label="Leave A"' in page.text
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("choice", "after"),
    [
        ({"list": "A"}, (BOTH, 1)),
        ({"channel": "EMAIL"}, (STOPPED, 2)),
        (
            {"channel": "ALL"},
            ({"email": "UNSUBSCRIBED", "sms": "UNSUBSCRIBED"}, 2),
        ),
    ],
)
async def test_leaving_on_the_page(
    db: Database, client: httpx.AsyncClient, ada: Person, choice: Any, after: Any
) -> None:
    given = {**choice, "token": ada.token}
    if "list" in choice:
        given["list"] = str(ada.news)

    page = await client.post("/preferences", data=given)

    assert "Your change is saved." in page.text
    assert await state(db) == after
    lines = await find(db.consent_changes, {"to": "UNSUBSCRIBED"})
    assert {(each["method"], each["source"]) for each in lines} <= {
        ("PREFERENCE_PAGE", "Preference page")
    }


async def test_a_no_to_e_mail_can_be_taken_back(
    db: Database, client: httpx.AsyncClient, ada: Person
) -> None:
    token = {"token": ada.token}
    stopped = await client.post("/preferences", data={**token, "channel": "ALL"})

    started = await client.post("/preferences", data={**token, "again": "1"})

    # The link comes by mail: it is no proof of a phone.
    assert stopped.text.count("Send me e-mail again") == 1
    assert "You get our e-mail again." in started.text
    assert await state(db) == ({"email": "SUBSCRIBED", "sms": "UNSUBSCRIBED"}, 2)
    line = await db.consent_changes.find_one({"from": "UNSUBSCRIBED"})
    assert line is not None
    kept = {name: line[name] for name in ("to", "method", "source", "consent_text")}
    assert kept == {
        "to": "SUBSCRIBED",
        "method": "PREFERENCE_PAGE",
        "source": "Preference page",
        "consent_text": "Send me e-mail again",
    }


@pytest.mark.parametrize("reason", [None, "SPAM_COMPLAINT"])
async def test_what_was_not_refused_here_is_not_started_here(
    db: Database, client: httpx.AsyncClient, ada: Person, reason: str | None
) -> None:
    before = BOTH
    if reason is not None:
        now = datetime.now(UTC)
        await suppress(db, ada.id, Channel.EMAIL, SuppressionReason(reason), now=now)
        given = {"token": ada.token, "channel": "EMAIL"}
        page = await client.post("/preferences", data=given)
        assert "Send me e-mail again" not in page.text
        before = STOPPED

    page = await client.post("/preferences", data={"token": ada.token, "again": "1"})

    assert page.status_code == 400
    assert await state(db) == (before, 2)


@pytest.mark.parametrize("choice", [{}, {"channel": "FAX"}, {"list": "nonsense"}])
async def test_what_cannot_be_left(
    db: Database, client: httpx.AsyncClient, ada: Person, choice: dict[str, str]
) -> None:
    page = await client.post("/preferences", data={**choice, "token": ada.token})

    assert page.status_code == 400
    assert await state(db) == (BOTH, 2)


async def test_the_history_as_data(client: httpx.AsyncClient, ada: Person) -> None:
    answer = await client.get("/preferences/history.json", params={"token": ada.token})

    rows = answer.json()
    assert len(rows) == 4
    assert rows[0].pop("at").endswith("Z")
    assert rows[0] == {
        "channel": "EMAIL",
        "from": "NEVER_SUBSCRIBED",
        "to": "SUBSCRIBED",
        "method": "API",
        "source": "=cmd()",
        "list": "A",
        "consentText": "News, please.",
        "ip": "192.0.2.7",
        "userAgent": "Browser/1.0",
    }
    assert answer.headers["content-disposition"] == (
        'attachment; filename="consent.json"'
    )


async def test_the_history_as_a_table_has_no_formulas(
    client: httpx.AsyncClient, ada: Person
) -> None:
    answer = await client.get("/preferences/history.csv", params={"token": ada.token})

    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [each["source"] for each in rows] == ["'=cmd()"] * 4
    assert list(rows[0]) == [
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
    ]


async def test_the_link_is_sent_to_the_address_alone(
    client: httpx.AsyncClient, ada: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    known = await client.post("/preferences/link", data={"email": ADA.upper()})
    unknown = await client.post("/preferences/link", data={"email": "x@example.org"})
    wrong = await client.post("/preferences/link", data={"email": "nobody"})

    printed = capsys.readouterr().out
    assert f"To {ADA}, your preferences: http://127.0.0.1:8000/preferences" in printed
    assert "x@example.org" not in printed
    bodies = {_without_nonce(each.text) for each in (known, unknown)}
    assert (len(bodies), wrong.status_code) == (1, 400)


async def test_a_link_is_neither_waited_for_nor_lost_when_the_server_ends(
    db: Database, settings: Settings, ada: Person
) -> None:
    app = create_app(settings.model_copy(update={"keeper": False}), schema)
    goes = asyncio.Event()
    async with app.router.lifespan_context(app):
        running: Running = app.state.running

        async def deliver(message: Document) -> None:
            await goes.wait()
            await asyncio.sleep(0.5)  # longer than all else that the server ends
            await put_message(running.db, "link", message["to"], {}, datetime.now(UTC))

        app.state.running = replace(running, deliver=deliver)
        transport = httpx.ASGITransport(app)
        async with (
            asyncio.timeout(20),
            httpx.AsyncClient(transport=transport, base_url="http://a") as client,
        ):
            answer = await client.post("/preferences/link", data={"email": ADA})
        waiting = await find(db.outbox, {})
        goes.set()

    assert (answer.status_code, waiting) == (200, [])
    assert [each["to"] for each in await find(db.outbox, {})] == [ADA]


async def test_asking_for_the_link(client: httpx.AsyncClient) -> None:
    page = await client.get("/preferences")

    assert (page.status_code, 'name="email"' in page.text) == (200, True)


def _without_nonce(text: str) -> str:
    before, _, rest = text.partition('nonce="')
    return before + rest.partition('"')[2]
