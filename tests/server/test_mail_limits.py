"""What mail may be sent: with which headers, to whom, and how often."""

import asyncio
import email
import re
from datetime import UTC, datetime, timedelta
from email.policy import default

import pytest

from resolvers.counters import count_within
from resolvers.db import Database, find
from server.messages import CONFIRMATION, envelope_of, mail_of
from tests.server.test_mail import ADA, NOW, SENDER, deliver, signed_up

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "name",
    [
        "News\r\nBcc: all@example.org",
        "News\n\nBody",
        "Ne\x00ws\x1b",
        "N\u2028ews\u2029",
        "=?utf-8?q?x=0D=0AReply-To:_eve=40example.org?=",
        "=?utf-8?b?DQoNClRoZSBib2R5?=",
        "==?utf-8?q?=0D=0AReply-To:_eve=40example.org?==?utf-8?q?x?=",
        "=\x00?utf-8?q?x=0D=0AReply-To:_eve=40example.org?=",
        "<script>alert(1)</script>",
        "Ünïcödé 新闻 " * 20,
    ],
)
async def test_no_name_gets_into_the_headers(db: Database, name: str) -> None:
    message = await signed_up(db)

    mail = mail_of(
        CONFIRMATION, ADA, {**message, "list": name}, SENDER, datetime.now(UTC)
    )
    _, _, raw = envelope_of(mail)

    assert re.findall(rb"\r(?!\n)|(?<!\r)\n", raw) == []
    read = email.message_from_bytes(raw, policy=default)
    assert read["Subject"].startswith("Please confirm your sign-up to ")
    assert read.keys() == [
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "MIME-Version",
        "Content-Type",
        "List-Unsubscribe",
        "List-Unsubscribe-Post",
    ]
    html = read.get_body(("html",))
    assert html and "<script>" not in html.get_content()


@pytest.mark.parametrize(
    "to", ["a@example.org\r\nBcc: b@example.org", "a@b, c@example.org", "<a@x.org>", ""]
)
async def test_only_one_address_is_written_to(db: Database, to: str) -> None:
    message = await signed_up(db)

    with pytest.raises(ValueError, match=r"."):
        mail_of(CONFIRMATION, to, message, SENDER, datetime.now(UTC))


async def test_the_same_address_is_not_written_to_again_and_again(
    db: Database,
) -> None:
    message = await signed_up(db)
    woken: list[None] = []
    send = deliver(db, lambda: woken.append(None))

    for _ in range(5):
        await send(message)
    assert (await db.outbox.count_documents({}), len(woken)) == (3, 3)

    for number in range(30):
        await send({**message, "list": f"List {number}"})
    assert await db.outbox.count_documents({}) == 20
    assert not await db.rate_counts.find_one({"_id": {"$regex": ADA}})


async def test_limits_begin_anew(db: Database) -> None:
    hour = timedelta(hours=1)

    allowed = [await count_within(db, "key", 2, hour, NOW) for _ in range(3)]
    others = await count_within(db, "other", 2, hour, NOW)
    later = await count_within(db, "key", 2, hour, NOW + hour)

    assert (allowed, others, later) == ([True, True, False], True, True)


async def test_limits_hold_for_requests_at_the_same_time(db: Database) -> None:
    allowed = await asyncio.gather(
        *(count_within(db, "key", 3, timedelta(hours=1), NOW) for _ in range(10))
    )

    assert sum(allowed) == 3


async def test_a_phone_gets_no_mail(
    db: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    await deliver(db)({"to": "+14155550132", "token": "t", "list": "News"})

    assert await find(db.outbox, {}) == []
    printed = capsys.readouterr().out
    assert "message left out: no way to send text messages is set up" in printed
    assert "+14155550132" not in printed and "token=" not in printed
