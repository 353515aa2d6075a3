import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from audience.consent import Channel
from audience.integrations.kinds import (
    Agreement,
    InboundWebhook,
    Mapping,
    Proof,
)
from audience.lists import MembershipSource
from audience.profiles import profile_change
from audience.signups import leaving
from audience.tokens import Tokens
from resolvers.db import Database, Document
from resolvers.lists import join_list_many, remove_from_list
from resolvers.profiles import upsert_profile
from resolvers.signups import unsubscribe
from tests import integration_calls as calls
from tests.integration_calls import SECRET
from tests.server.integrations.tool import BEARER, Connect, new_list

pytestmark = pytest.mark.anyio


BOOKING = InboundWebhook(
    mappings=(
        Mapping("email", "$.guest.mail"),
        Mapping("firstName", "$.guest.name"),
        Mapping("properties.table", '$.answers[?@.q=="Which table?"].a'),
    ),
    metric="Booked Table",
    value="$.total",
    currency="$.currency",
    timestamp="$.at",
    unique_id="$.id",
    properties=(Mapping("guests", "$.guests"),),
    agreements=(Agreement(Channel.EMAIL, "$.guest.news", "News about our tables."),),
)
BOOKED: calls.Body = {
    "id": 17,
    "at": "2026-02-20T18:00:00+01:00",
    "guest": {"mail": "ada@example.org", "name": "Ada", "news": "Yes"},
    "total": "80.50",
    "currency": "eur",
    "guests": 4,
    "answers": [{"q": "Noise?", "a": "no"}, {"q": "Which table?", "a": "window"}],
}


async def test_any_tools_json_is_mapped(connect: Connect, db: Database) -> None:
    tool = await connect(BOOKING)

    await tool.accepted((orjson.dumps(BOOKED), BEARER))
    again = await tool.call((orjson.dumps(BOOKED | {"total": 1}), BEARER))

    assert again.json() == {"status": "DUPLICATE"}
    assert await tool.events() == [
        ("Booked Table", "2026-02-20T17:00:00Z", "ada@example.org", 80.5, "EUR")
    ]
    assert await tool.properties("Booked Table") == [{"guests": 4}]
    ada = await tool.profile(email="ada@example.org")
    assert (ada["first_name"], ada["properties"]) == ("Ada", {"table": "window"})
    assert ada["consent"]["email"]["status"] == "SUBSCRIBED"


async def test_a_full_profile_loses_no_event_and_no_yes(
    connect: Connect, db: Database
) -> None:
    tool = await connect(BOOKING)
    full = {f"old {number}": number for number in range(500)}
    change = profile_change({"email": "ada@example.org", "properties": full})
    await upsert_profile(db, change, datetime.now(UTC))

    answer = await tool.call((orjson.dumps(BOOKED), BEARER))

    message = "Could not be kept: properties."
    assert answer.json() == {"status": "ACCEPTED", "message": message}
    assert [each[0] for each in await tool.events()] == ["Booked Table"]
    ada = await tool.profile(email="ada@example.org")
    assert (ada["first_name"], ada["properties"]) == ("Ada", full)
    assert ada["consent"]["email"]["status"] == "SUBSCRIBED"
    assert await tool.problems() == [("ACCEPTED", "", "Could not be kept: properties.")]


async def test_without_an_id_of_its_own_the_same_body_is_one_call(
    connect: Connect,
) -> None:
    settings = InboundWebhook((Mapping("email", "mail"),), metric="Opened Door")
    tool = await connect(settings)

    for body in (
        {"mail": "a@example.org"},
        {"mail": "a@example.org"},
        {"mail": "a@example.org", "n": 2},
    ):
        await tool.call((orjson.dumps(body), BEARER))

    assert len(await tool.events()) == 2
    assert await tool.counts() == {"ACCEPTED": 2, "DUPLICATE": 1}


async def test_a_token_may_stand_in_the_address(connect: Connect) -> None:
    tool = await connect(BOOKING)
    raw = orjson.dumps(BOOKED)

    right = await tool.call((raw, {}), f"?token={SECRET}")
    wrong = await tool.call((raw, {}), "?token=other")
    missing = await tool.call((raw, {}))

    assert [each.status_code for each in (right, wrong, missing)] == [200, 401, 401]


@pytest.mark.parametrize("form", ["hex", "base64", "prefixed"])
async def test_a_signature_over_the_body(connect: Connect, form: str) -> None:
    settings = InboundWebhook(
        (Mapping("email", "$.guest.mail"),),
        proof=Proof.HMAC_SHA256,
        signature_header="X-Signature",
    )
    tool = await connect(settings)
    raw = orjson.dumps(BOOKED)
    digest = hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest()
    signature = {
        "hex": digest,
        "base64": calls.base64_of(raw),
        "prefixed": f"sha256={digest}",
    }[form]

    await tool.accepted((raw, {"X-Signature": signature}))
    other = await tool.call((raw + b" ", {"X-Signature": signature}))

    assert other.status_code == 401


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"at": "yesterday"}, "The value at $.at is not a time in RFC 3339."),
        ({"total": "a lot"}, "The value at $.total is not a number."),
        (
            {"currency": "euro"},
            "The value at $.currency is not a code of ISO 4217 such as EUR.",
        ),
        (
            {"guest": {"mail": "ada at example"}},
            "The call names nobody: it has no usable e-mail address, phone number or "
            "other identifier.",
        ),
    ],
)
async def test_what_cannot_be_used_is_told_to_the_tool_and_in_the_log(
    connect: Connect, db: Database, changes: Document, message: str
) -> None:
    tool = await connect(BOOKING)

    answer = await tool.call((orjson.dumps(BOOKED | changes), BEARER))

    assert answer.status_code == 422
    assert answer.json() == {"errors": [{"code": "INVALID", "message": message}]}
    assert await tool.problems() == [("REFUSED", "", message)]
    assert await db.profiles.count_documents({}) == 0


@pytest.mark.parametrize(
    ("raw", "status", "message"),
    [
        (b"", 400, "The body is not JSON in UTF-8"),
        (b"{", 400, "The body is not JSON in UTF-8"),
        ('{"id": "é"}'.encode("latin-1"), 400, "The body is not JSON in UTF-8"),
        (b'{"id": NaN}', 400, "The body is not JSON in UTF-8"),
        (b"[" * 40 + b"]" * 40, 400, "The body nests more than 32 levels deep."),
        (b"[" * 9_000 + b"]" * 9_000, 400, "The body is not JSON in UTF-8"),
        (b" " * 2_000_001, 413, "The body is larger than 2,000,000 bytes."),
        (b"{}", 400, "The value at $.id is not a text or a number."),
        (b'"text"', 400, "The value at $.id is not a text or a number."),
    ],
)
async def test_bodies_that_cannot_be_read(
    connect: Connect, db: Database, raw: bytes, status: int, message: str
) -> None:
    tool = await connect(BOOKING)

    answer = await tool.call((raw, BEARER))

    assert answer.status_code == status
    assert answer.json()["errors"][0]["message"].startswith(message)
    assert (await tool.problems())[0][2].startswith(message)
    assert await db.integration_calls.count_documents({}) == 0


async def test_a_compressed_body_is_not_taken(connect: Connect) -> None:
    tool = await connect(BOOKING)

    answer = await tool.call(
        (orjson.dumps(BOOKED), BEARER | {"Content-Encoding": "gzip"})
    )

    assert answer.status_code == 400


@pytest.mark.parametrize("identifier", ["externalId", "anonymousId"])
async def test_what_a_visitor_types_gives_nobody_who_is_known_an_address(
    connect: Connect, db: Database, identifier: str
) -> None:
    known = profile_change(
        {"externalId": "ada-1", "anonymousId": "a-1", "phoneNumber": "+15550100001"}
    )
    await upsert_profile(db, known, datetime.now(UTC))
    mapped = (Mapping(identifier, "$.id"), Mapping("email", "$.mail"))
    agreements = (Agreement(Channel.EMAIL, "$.yes", "News."),)
    tool = await connect(InboundWebhook(mappings=mapped, agreements=agreements))
    said = {"externalId": "ada-1", "anonymousId": "a-1"}[identifier]
    body = {"id": said, "mail": "eve@example.org", "yes": "Yes"}

    await tool.accepted((orjson.dumps(body), BEARER))

    ada = await db.profiles.find_one({"external_id": "ada-1"})
    assert ada is not None
    assert "email" not in ada
    assert ada["phone_number"] == "+15550100001"
    assert ada.get("consent", {}) == {}


@pytest.mark.parametrize("agreements", [(), (Agreement(Channel.EMAIL, "ok", "News."),)])
@pytest.mark.parametrize("timestamp", ["at", None])
async def test_who_left_is_put_back_only_by_what_was_said_after_that(
    connect: Connect,
    db: Database,
    agreements: tuple[Agreement, ...],
    timestamp: str | None,
) -> None:
    list_id = await new_list(db)
    tool = await connect(
        InboundWebhook(
            (Mapping("email", "mail"),),
            timestamp=timestamp,
            list_id=list_id,
            agreements=agreements,
        )
    )
    now = datetime.now(UTC)

    async def lists_after(hours: int) -> list[str]:
        at = (now + timedelta(hours=hours)).isoformat()
        body = {"mail": "ada@example.org", "ok": True, "at": at}
        await tool.accepted((orjson.dumps(body), BEARER))
        ada = await tool.profile(email="ada@example.org")
        return [str(each["list_id"]) for each in ada["lists"]]

    assert await lists_after(-9) == [list_id]
    ada = await tool.profile(email="ada@example.org")
    left_at = now - timedelta(hours=5)
    await remove_from_list(db, list_id, [ada["_id"]], now=left_at)

    assert await lists_after(-8) == []
    assert await lists_after(-4) == ([] if timestamp is None else [list_id])


async def test_who_left_is_not_put_back_by_another_tools_first_word(
    connect: Connect, db: Database
) -> None:
    list_id = await new_list(db)
    ada = (
        await upsert_profile(
            db, profile_change({"email": "ada@example.org"}), datetime.now(UTC)
        )
    ).profile
    now = datetime.now(UTC)
    source = MembershipSource.FORM
    await join_list_many(db, list_id, [(ada["_id"], now)], source, now=now)
    who = leaving(list_id=list_id, email="ada@example.org")
    await unsubscribe(db, who, now=now, tokens=Tokens("secret"))
    tool = await connect(InboundWebhook((Mapping("email", "mail"),), list_id=list_id))

    await tool.accepted((b'{"mail": "ada@example.org"}', BEARER))

    assert (await tool.profile(email="ada@example.org"))["lists"] == []
