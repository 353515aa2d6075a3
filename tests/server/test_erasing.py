"""People have themselves erased: asked for, mailed, confirmed by a button, done."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from bson import ObjectId

from audience.preferences import erasure_token, preference_token
from audience.profiles import profile_change
from audience.tokens import Tokens
from resolvers.db import Database, find
from resolvers.profiles import upsert_profile

pytestmark = pytest.mark.anyio

TOKENS = Tokens("a secret that signs links in tests only")
ADA = "ada@example.org"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, with the token of their preference page."""

    id: str
    token: str


async def person(db: Database, **given: str) -> Person:
    now = datetime.now(UTC)
    made = await upsert_profile(db, profile_change(given), now)
    found = str(made.profile["_id"])
    return Person(found, preference_token(TOKENS, found, now))


def printed_token(capsys: pytest.CaptureFixture[str]) -> str:
    """The token of the link that was printed, for want of a mail server."""
    printed = capsys.readouterr().out
    found = re.search(
        rf"^To {ADA}, erase your data: http://127.0.0.1:8000/erase\?token=(\S+)$",
        printed,
        re.MULTILINE,
    )
    assert found is not None
    return found[1]


async def test_a_person_erases_themselves(
    db: Database, client: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    ada = await person(db, email=ADA, firstName="Ada")
    page = await client.get("/preferences", params={"token": ada.token})
    assert 'action="preferences/erasure"' in page.text

    asked = await client.post("/preferences/erasure", data={"token": ada.token})
    token = printed_token(capsys)
    shown = await client.get("/erase", params={"token": token})
    there = await find(db.profiles, {})
    done = await client.post("/erase", data={"token": token})
    again = await client.post("/erase", data={"token": token})

    assert f"We have sent a link to {ADA}." in asked.text
    assert "Yes, erase everything" in shown.text
    # Opening links changes nothing.
    assert len(there) == 1
    assert (done.status_code, "Everything is erased" in done.text) == (200, True)
    assert await find(db.profiles, {}) == []
    assert again.status_code == 400
    assert "This link&#39;s profile is no more." in again.text
    (entry,) = await find(db.erasures, {}, {"method": 1, "_id": 0})
    assert entry == {"method": "PREFERENCE_PAGE"}


async def test_without_an_address_there_is_no_link(
    db: Database, client: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    bob = await person(db, phoneNumber="+14155550132")

    page = await client.get("/preferences", params={"token": bob.token})
    asked = await client.post("/preferences/erasure", data={"token": bob.token})

    assert 'action="preferences/erasure"' not in page.text
    assert asked.status_code == 400
    assert "erase your data" not in capsys.readouterr().out
    assert len(await find(db.profiles, {})) == 1


async def test_a_link_that_is_old_forged_or_anothers_erases_nobody(
    db: Database, client: httpx.AsyncClient
) -> None:
    ada = await person(db, email=ADA)
    now = datetime.now(UTC)
    tokens = [
        "",
        "forged",
        # The link to the preferences can be passed on: it erases nobody.
        ada.token,
        erasure_token(TOKENS, ada.id, ADA, now - timedelta(days=1, seconds=2)),
        erasure_token(TOKENS, ada.id, "former@example.org", now),
        erasure_token(TOKENS, str(ObjectId()), ADA, now),
        erasure_token(Tokens("another secret"), ada.id, ADA, now),
    ]

    answers = [
        answer.status_code
        for token in tokens
        for answer in (
            await client.get("/erase", params={"token": token}),
            await client.post("/erase", data={"token": token}),
            await client.post("/preferences/erasure", data={"token": token})
            if token != ada.token
            else await client.post("/erase"),
        )
    ]

    assert set(answers) == {400}
    assert len(await find(db.profiles, {})) == 1
