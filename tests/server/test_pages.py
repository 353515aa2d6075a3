"""The page of a confirmation link: looking changes nothing, the button confirms."""

import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from audience.consent import Channel
from audience.evidence import MAX_USER_AGENT
from audience.signups import leaving, sign_up
from audience.tokens import Tokens
from resolvers.consent import state_of
from resolvers.db import Database, Document
from resolvers.lists import create_list
from resolvers.signups import subscribe, unsubscribe
from server.mail import written
from server.settings import Settings

pytestmark = pytest.mark.anyio

ADDRESS = "ada@example.org"


async def waiting_token(db: Database, settings: Settings, now: datetime) -> str:
    """The token that was sent to somebody who signed up to <News>."""
    assert settings.secret is not None
    created = await create_list(db, "<News>", now=now)
    signed_up = await subscribe(
        db,
        sign_up(str(created["_id"]), {"email": ADDRESS}),
        now=now,
        tokens=Tokens(settings.secret.get_secret_value()),
    )
    return signed_up.confirmations[0].token


async def status(db: Database) -> str:
    profile: Document | None = await db.profiles.find_one({"email": ADDRESS})
    assert profile is not None
    return state_of(profile, Channel.EMAIL).status


async def test_opening_the_link_shows_a_button_and_changes_nothing(
    client: httpx.AsyncClient, db: Database, settings: Settings
) -> None:
    token = await waiting_token(db, settings, datetime.now(UTC))

    for method in ("GET", "HEAD"):
        answer = await client.request(method, "/confirm", params={"token": token})
        assert answer.status_code == 200

    page = (await client.get("/confirm", params={"token": token})).text
    assert f'<input type="hidden" name="token" value="{token}">' in page
    assert "<button" in page
    assert await status(db) == "PENDING"


async def test_pressing_the_button_confirms(
    client: httpx.AsyncClient, db: Database, settings: Settings
) -> None:
    token = await waiting_token(db, settings, datetime.now(UTC))

    answer = await client.post(
        "/confirm",
        data={"token": token},
        headers={"User-Agent": "A browser " * 1_000},
    )
    again = await client.post("/confirm", data={"token": token})

    assert answer.status_code == again.status_code == 200
    assert "you are on the list &lt;News&gt;." in answer.text
    assert "It was confirmed before." in again.text
    assert await status(db) == "SUBSCRIBED"
    change = await db.consent_changes.find_one({"to": "SUBSCRIBED"})
    assert change is not None
    kept = ("A browser " * 1_000)[:MAX_USER_AGENT]
    assert (change["ip"], change["user_agent"]) == ("127.0.0.1", kept)


async def test_who_has_left_since_is_not_told_otherwise(
    client: httpx.AsyncClient, db: Database, settings: Settings
) -> None:
    now = datetime.now(UTC)
    token = await waiting_token(db, settings, now)
    assert settings.secret is not None
    tokens = Tokens(settings.secret.get_secret_value())
    await unsubscribe(db, leaving(email=ADDRESS), now=now, tokens=tokens)

    answer = await client.post("/confirm", data={"token": token})

    assert "You are not subscribed" in answer.text
    assert await status(db) == "UNSUBSCRIBED"


async def test_a_forged_or_old_link_is_refused_politely(
    client: httpx.AsyncClient, db: Database, settings: Settings
) -> None:
    old = await waiting_token(db, settings, datetime.now(UTC) - timedelta(days=30))

    for token in (old, "forged", '"><script>alert(1)</script>'):
        for answer in (
            await client.get("/confirm", params={"token": token}),
            await client.post("/confirm", data={"token": token}),
        ):
            assert answer.status_code == 400
            assert "This link does not work" in answer.text
            assert "<button" not in answer.text
    assert await status(db) == "PENDING"


async def test_the_page_runs_nothing_and_shows_what_it_is_given_as_text(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/confirm", params={"token": '"><script>alert(1)'})

    assert "<script" not in answer.text
    policy = answer.headers["content-security-policy"]
    nonce = re.findall(r'<style nonce="([^"]+)">', answer.text)[0]
    assert policy == (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    assert answer.headers["referrer-policy"] == "no-referrer"


async def test_a_link_without_its_end_says_so(client: httpx.AsyncClient) -> None:
    answer = await client.get("/confirm")

    assert answer.status_code == 400
    assert "This link is incomplete" in answer.text


def test_a_message_is_printed_with_its_link() -> None:
    message = {"to": ADDRESS, "token": "abc", "channels": ["EMAIL"], "list": "News"}

    assert written(message, "https://audience.example") == (
        "To ada@example.org, please confirm your sign-up: "
        "https://audience.example/confirm?token=abc\n"
    )
