"""Mail, received by a real mail server: what is sent, and again after trouble."""

import asyncio
import email
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP as Server
from aiosmtpd.smtp import Envelope, Session
from pydantic import SecretStr

from audience.consent import Channel
from audience.lists import OptIn
from audience.signups import sign_up
from audience.tokens import Tokens, read_leave
from resolvers.db import Database, Document, find
from resolvers.lists import create_list
from resolvers.outbox import put_message, take_message
from resolvers.signups import subscribe
from server.mail import deliver_by_mail
from server.messages import CONFIRMATION, PREFERENCES, Sender
from server.settings import BadSettings, Settings, read_settings
from server.smtp import Postman
from tests.server.conftest import free_port

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TOKENS = Tokens("a secret that signs links in tests only")
SENDER = Sender("Ada's Shop <news@shop.example>", "https://a.example", TOKENS)
ADA = "ada@example.org"


@dataclass(slots=True)
class Inbox:
    """A mail server on this machine, what it received, and what it answers."""

    port: int = field(default_factory=free_port)
    received: list[Envelope] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    async def handle_RCPT(
        self,
        server: Server,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(
        self, server: Server, session: Session, envelope: Envelope
    ) -> str:
        self.received.append(envelope)
        return "250 OK"

    def messages(self) -> list[EmailMessage]:
        """What was received, as mail programs read it."""
        return [
            email.message_from_bytes(cast("bytes", each.content), policy=default)
            for each in self.received
        ]


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    found = Inbox()
    controller = Controller(
        found, hostname="127.0.0.1", port=found.port, enable_SMTPUTF8=True
    )
    controller.start()
    try:
        yield found
    finally:
        controller.stop()


@pytest.fixture
def postman(db: Database, inbox: Inbox) -> Postman:
    return postman_to(db, inbox.port)


def postman_to(db: Database, port: int) -> Postman:
    settings = Settings(
        smtp_host="127.0.0.1",
        smtp_port=port,
        smtp_security="none",
        mail_from=SENDER.mail_from,
    )
    return Postman(db, settings, SENDER)


async def signed_up(db: Database, name: str = "News", address: str = ADA) -> Document:
    """The message that a sign-up with double opt-in asks to be delivered."""
    found = await create_list(db, name, OptIn.DOUBLE, now=NOW)
    wanted = sign_up(str(found["_id"]), {"email": address})
    now = datetime.now(UTC)
    done = await subscribe(db, wanted, now=now, tokens=TOKENS)
    (confirmation,) = done.confirmations
    return {
        "to": confirmation.address,
        "token": confirmation.token,
        "channels": ["EMAIL"],
        "list": name,
    }


def deliver(db: Database, wake: Any = lambda: None) -> Any:
    return deliver_by_mail(db, TOKENS.secret, wake)


async def test_a_confirmation_arrives(
    db: Database, inbox: Inbox, postman: Postman
) -> None:
    message = await signed_up(db)

    await deliver(db)(message)
    sent = await postman.send_waiting()

    assert sent == 1
    (envelope,), (mail,) = inbox.received, inbox.messages()
    assert (envelope.mail_from, envelope.rcpt_tos) == ("news@shop.example", [ADA])
    assert mail["From"] == "Ada's Shop <news@shop.example>"
    assert mail["To"] == ADA
    assert mail["Subject"] == "Please confirm your sign-up to News"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"].endswith("@shop.example>")
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text and html
    link = f"https://a.example/confirm?token={message['token']}"
    assert link in text.get_content()
    assert f'href="{link}"' in html.get_content()
    assert await find(db.outbox, {}) == []


async def test_mail_programs_can_unsubscribe_at_once(
    db: Database, inbox: Inbox, postman: Postman
) -> None:
    await deliver(db)(await signed_up(db))
    await postman.send_waiting()

    raw = cast("bytes", inbox.received[0].content).decode()
    found = re.search(
        r"^List-Unsubscribe: <https://a\.example/unsubscribe\?token=(\S+)>\r$",
        raw,
        re.MULTILINE,
    )
    assert found
    assert "\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in raw
    claim = read_leave(TOKENS, found[1])
    profile = await db.profiles.find_one({})
    assert profile is not None
    assert (claim.profile_id, claim.channels, claim.list_id) == (
        str(profile["_id"]),
        (Channel.EMAIL,),
        None,
    )


async def test_addresses_of_every_script(
    db: Database, inbox: Inbox, postman: Postman
) -> None:
    now = datetime.now(UTC)
    for to in ("ada@bücher.example.com", "дмитрий@example.com"):
        await put_message(db, PREFERENCES, to, {"token": "x"}, now)

    assert await postman.send_waiting() == 2
    assert [each.rcpt_tos for each in inbox.received] == [
        ["ada@xn--bcher-kva.example.com"],
        ["дмитрий@example.com"],
    ]


async def test_a_mail_server_that_is_away_is_tried_again(
    db: Database, inbox: Inbox
) -> None:
    await deliver(db)(await signed_up(db))

    with pytest.raises(OSError, match=r"."):
        await postman_to(db, free_port()).send_waiting()
    (waiting,) = await find(db.outbox, {})
    assert await postman_to(db, inbox.port).send_waiting() == 0  # not yet
    await db.outbox.update_one({}, {"$set": {"next_at": datetime.now(UTC)}})
    assert await postman_to(db, inbox.port).send_waiting() == 1

    assert waiting["attempts"] == 1
    assert waiting["next_at"] > datetime.now(UTC) + timedelta(seconds=20)
    assert len(inbox.received) == 1


async def test_greylisting_postpones_and_refusal_ends(
    db: Database, inbox: Inbox, postman: Postman
) -> None:
    await deliver(db)(await signed_up(db))
    inbox.answers.append("451 Try again later")

    assert await postman.send_waiting() == 0
    assert await db.outbox.count_documents({}) == 1

    await db.outbox.update_one({}, {"$set": {"next_at": datetime.now(UTC)}})
    inbox.answers.append("550 No such mailbox")
    assert await postman.send_waiting() == 0
    assert await db.outbox.count_documents({}) == 0
    assert inbox.received == []


async def test_one_refusal_does_not_stop_the_next(
    db: Database, inbox: Inbox, postman: Postman
) -> None:
    now = datetime.now(UTC)
    for number in range(4):
        to = f"{number}@example.org"
        await put_message(db, PREFERENCES, to, {"token": "x"}, now)
    await put_message(db, CONFIRMATION, ADA, {"token": "forged", "list": "x"}, now)
    inbox.answers += ["550 No", "250 OK", "550 No", "250 OK"]

    assert await postman.send_waiting() == 2
    assert [each.rcpt_tos for each in inbox.received] == [
        ["1@example.org"],
        ["3@example.org"],
    ]
    assert await find(db.outbox, {}) == []


async def test_two_senders_share_the_work(db: Database, inbox: Inbox) -> None:
    now = datetime.now(UTC)
    for number in range(20):
        to = f"{number}@example.org"
        await put_message(db, PREFERENCES, to, {"token": "x"}, now)

    sent = await asyncio.gather(
        *(postman_to(db, inbox.port).send_waiting() for _ in range(2))
    )

    assert sum(sent) == 20
    assert len({str(each.rcpt_tos) for each in inbox.received}) == 20


async def test_a_sender_that_died_is_followed_by_another(db: Database) -> None:
    await put_message(db, PREFERENCES, ADA, {"token": "x"}, NOW)

    taken = await take_message(db, NOW)
    nobody = await take_message(db, NOW + timedelta(minutes=4))
    another = await take_message(db, NOW + timedelta(minutes=6))
    too_late = await take_message(db, NOW + timedelta(days=3))

    assert taken is not None and another is not None
    assert (taken["_id"], another["attempts"]) == (another["_id"], 2)
    assert nobody is None and too_late is None


async def test_the_postman_wakes_and_outlives_trouble(
    db: Database, inbox: Inbox, postman: Postman
) -> None:
    running = asyncio.create_task(postman.run())
    try:
        await deliver(db, postman.wake.set)(await signed_up(db))
        async with asyncio.timeout(20):
            while not inbox.received:  # noqa: ASYNC110 - by another thread
                await asyncio.sleep(0.02)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    assert len(inbox.received) == 1


@pytest.mark.parametrize(
    "sender", ["news", "a@b\r\nBcc: c@d", "Shop", "Shop <>", "@", "a@b, c@d"]
)
def test_a_sender_is_one_address(sender: str) -> None:
    with pytest.raises(BadSettings, match="AUDIENCE_MAIL_FROM"):
        read_settings(mail_from=sender)


async def test_a_message_that_fails_stops_no_other(
    db: Database, inbox: Inbox, postman: Postman
) -> None:
    now = datetime.now(UTC)
    await put_message(db, "of no kind", ADA, {}, now - timedelta(seconds=1))
    await deliver(db)(await signed_up(db))

    assert await postman.send_waiting() == 1

    assert [each["To"] for each in inbox.messages()] == [ADA]
    (kept,) = await find(db.outbox, {})
    assert (kept["kind"], kept["attempts"]) == ("of no kind", 1)
    assert kept["next_at"] >= now.replace(microsecond=0) + timedelta(seconds=30)


async def test_the_postman_outlives_what_nobody_foresaw(
    db: Database,
    inbox: Inbox,
    postman: Postman,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    failed: list[datetime] = []

    async def fails_once(db: Database, now: datetime) -> Document | None:
        if not failed:
            failed.append(now)
            raise RuntimeError("Nobody foresaw this.")
        return await take_message(db, now)

    monkeypatch.setattr("server.smtp.take_message", fails_once)
    await deliver(db)(await signed_up(db))
    running = asyncio.create_task(postman.run())
    try:
        async with asyncio.timeout(20):
            while not inbox.received and not running.done():
                postman.wake.set()
                await asyncio.sleep(0.02)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    assert len(inbox.received) == 1
    printed = capsys.readouterr().out
    assert "sending mail failed" in printed and "Nobody foresaw this." in printed


def test_the_password_is_hidden() -> None:
    assert "secret-word" not in repr(Settings(smtp_password=SecretStr("secret-word")))
