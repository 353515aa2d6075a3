"""Outbound webhooks, from a change about somebody to a receiver that listens."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from standardwebhooks import Webhook
from starlette.responses import RedirectResponse, Response

from audience.identity import Identity
from audience.integrations.kinds import Integration, IntegrationStatus, OutboundWebhook
from audience.memberships import Movement
from audience.profiles import ProfileChange
from gql.scalars import date_time_text
from resolvers.collections import prepare
from resolvers.db import Database, Document, close, connect, find
from resolvers.deliveries import put_test, retry_deliveries
from resolvers.integrations import create_integration, update_integration
from resolvers.profiles import upsert_profile
from resolvers.segments import create_segment
from server.webhooks import WIDTH, deliver
from tests.membership_histories import catch_up, keeping
from tests.server.conftest import ROOT, free_port
from tests.server.receiving import Receiver, receiving

pytestmark = pytest.mark.anyio

SECRET = "a secret that opens secrets in tests"  # noqa: S105 - of tests alone
NOW = datetime(2026, 11, 23, 18, tzinfo=UTC)
MANY = tuple(f"p{number}" for number in range(2 * WIDTH + 8))
REFUSED = "The address leads to a machine that is not on the public Internet."


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as one:
        yield one


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails is tried again at once."""
    monkeypatch.setattr("audience.webhooks.RETRIES", (0.01,) * 9)
    monkeypatch.setattr("server.webhooks.LOOK_SECONDS", 0.02)


async def test_who_enters_and_leaves_is_told_signed(
    db: Database, receiver: Receiver
) -> None:
    segment = await _segment(db, "Gold")
    hook, secret = await _hook(db, receiver.address, segment)
    async with keeping(db, lambda: NOW, ZoneInfo("UTC")) as keeper:
        await catch_up(keeper)
        ada = await _named(db, "ada", "Gold")
        await catch_up(keeper)
        await _named(db, "ada", "Silver")
        await catch_up(keeper)
    async with _delivering(db):
        await receiver.until(lambda: len(receiver.calls) == 2)
        await _until_done(db)

    said = [Webhook(secret).verify(each.body, each.headers) for each in receiver.calls]
    data = {
        "segment": {"id": f"seg_{segment['_id']}", "name": "Gold"},
        "profile": {
            "id": f"prf_{ada}",
            "externalId": None,
            "email": "ada@shop.example",
            "phoneNumber": None,
        },
        "cause": "CHANGE",
        "version": 1,
    }
    at = date_time_text(NOW)
    assert said == [
        {"type": "segment.entered", "timestamp": at, "data": data},
        {"type": "segment.left", "timestamp": at, "data": {**data, "enteredAt": at}},
    ]
    rows = await find(db.deliveries, {}, sort={"order": 1})
    assert [f"msg_{row['_id']}" for row in rows] == [
        each.headers["webhook-id"] for each in receiver.calls
    ]
    assert [(row["state"], row["status"], row["attempts"]) for row in rows] == [
        ("DELIVERED", 200, 1)
    ] * 2
    assert receiver.calls[0].headers["content-type"] == "application/json"
    assert hook["settings"]["url"] == receiver.address


async def test_what_fails_is_sent_again_with_the_same_id_and_in_order(
    db: Database, receiver: Receiver
) -> None:
    segment = await _segment(db, "Gold")
    _, secret = await _hook(db, receiver.address, segment)
    receiver.answers = [Response(status_code=500), Response(status_code=301)]
    async with keeping(db, lambda: NOW, ZoneInfo("UTC")) as keeper:
        for name in ("Gold", "Silver", "Gold"):
            await _named(db, "ada", name)
            await catch_up(keeper)
    async with _delivering(db):
        await _until_done(db)

    ids = [each.headers["webhook-id"] for each in receiver.calls]
    types = [json.loads(each.body)["type"] for each in receiver.calls]
    assert ids[0] == ids[1] == ids[2]
    assert len(set(ids)) == 3
    assert types == [*["segment.entered"] * 3, "segment.left", "segment.entered"]
    for each in receiver.calls:
        Webhook(secret).verify(each.body, each.headers)
    rows = await find(db.deliveries, {}, sort={"order": 1})
    assert [(row["state"], row["attempts"]) for row in rows] == [
        *(("DELIVERED", 3), ("DELIVERED", 1), ("DELIVERED", 1)),
    ]


async def test_after_all_attempts_a_message_is_dead_until_it_is_asked_for(
    db: Database, receiver: Receiver
) -> None:
    hook = await _told(db, receiver.address)
    receiver.answers = [Response(status_code=503) for _ in range(10)]
    async with _delivering(db):
        await _until_done(db)
        (dead,) = await find(db.deliveries, {})
        assert (dead["state"], dead["attempts"], dead["status"], dead["problem"]) == (
            *("DEAD", 10, 503),
            "The receiver answered 503.",
        )
        assert len(receiver.calls) == 10

        assert await retry_deliveries(db, hook["_id"], None, datetime.now(UTC)) == 1
        await _until_done(db)
    (row,) = await find(db.deliveries, {})
    assert (row["state"], row["attempts"]) == ("DELIVERED", 1)
    assert {each.headers["webhook-id"] for each in receiver.calls} == {
        f"msg_{row['_id']}"
    }


async def test_a_fault_of_ours_is_an_attempt_that_failed_and_says_no_more(
    db: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> dict[str, str]:
        raise ZeroDivisionError(SECRET)

    await _told(db, receiver.address)
    monkeypatch.setattr("server.webhooks.signed_headers", failing)
    async with _delivering(db):
        await _until_done(db)

    (row,) = await find(db.deliveries, {})
    assert (row["state"], row["attempts"], row["status"], row["problem"]) == (
        *("DEAD", 10, None),
        "A fault on our side.",
    )
    assert receiver.calls == []


async def test_who_is_gone_is_called_no_more(db: Database, receiver: Receiver) -> None:
    """But for what was under way, until it is wanted again."""
    hook = await _told(db, receiver.address, *MANY)
    receiver.answers = [Response(status_code=410) for _ in MANY]
    async with _delivering(db):
        await _until(lambda: _number(db, "DEAD"), WIDTH)
        assert await _status(db) == "PAUSED"
        receiver.answers.clear()
        await _changed(db, hook, {"status": IntegrationStatus.ACTIVE})
        await _until_done(db)

    assert len(receiver.calls) == len(MANY)
    assert await _number(db, "DEAD") == WIDTH
    assert await _number(db, "DELIVERED") == len(MANY) - WIDTH


async def test_what_waits_goes_where_and_as_its_webhook_says_by_then(
    db: Database, receiver: Receiver
) -> None:
    """Paused, and led elsewhere under another secret, while messages are under way."""
    hook = await _told(db, receiver.address, *MANY)
    receiver.let.clear()
    async with receiving() as other, _delivering(db):
        await receiver.until(lambda: len(receiver.calls) == WIDTH)
        await _changed(db, hook, {"status": IntegrationStatus.PAUSED})
        receiver.let.set()
        await _until(lambda: _number(db, "DELIVERED"), WIDTH)
        settings = OutboundWebhook(other.address, hook["segment_ids"], tuple(Movement))
        changed = await update_integration(
            db,
            hook["_id"],
            {"settings": settings, "status": IntegrationStatus.ACTIVE},
            renews_secret=True,
            server_secret=SECRET,
            now=datetime.now(UTC),
        )
        await _until_done(db)
        assert changed.secret is not None
        opened = Webhook(changed.secret)
        said = [opened.verify(each.body, each.headers) for each in other.calls]

    assert len(receiver.calls) == WIDTH
    assert [each["type"] for each in said] == ["segment.entered"] * (len(MANY) - WIDTH)


async def test_messages_under_way_are_followed_by_those_under_another_secret(
    db: Database, receiver: Receiver
) -> None:
    hook = await _told(db, receiver.address, *MANY)
    receiver.let.clear()
    async with _delivering(db):
        await receiver.until(lambda: len(receiver.calls) == WIDTH)
        await update_integration(
            db,
            hook["_id"],
            {},
            renews_secret=True,
            server_secret=SECRET,
            now=datetime.now(UTC),
        )
        receiver.let.set()
        await _until_done(db)

    signed = [each.headers["webhook-signature"] for each in receiver.calls]
    assert [len(each.split()) for each in signed] == [
        *[1] * WIDTH,
        *[2] * (len(MANY) - WIDTH),
    ]


async def test_what_is_due_is_told_by_the_clock_of_the_database(
    db: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when this machine's own is an hour behind."""
    hook = await _told(db, receiver.address)
    later = datetime.now(UTC) + timedelta(hours=1)
    test = await put_test(db, hook["_id"], later)

    async def ahead(db: Database) -> datetime:
        return datetime.now(UTC) + timedelta(hours=1)

    monkeypatch.setattr("server.clocks.server_time", ahead)
    async with _delivering(db):
        await _until_done(db)

    rows = await find(db.deliveries, {}, sort={"_id": 1})
    assert [(row["state"], row["attempted_at"] >= later) for row in rows] == [
        ("DELIVERED", True)
    ] * 2
    assert rows[1]["_id"] == test["_id"]


async def test_a_redirect_is_not_followed(db: Database, receiver: Receiver) -> None:
    await _told(db, receiver.address)
    elsewhere = receiver.address.replace("/hook", "/elsewhere")
    receiver.answers = [RedirectResponse(elsewhere, status_code=307)]
    async with _delivering(db):
        await _until_done(db)
    assert len(receiver.calls) == 2
    (row,) = await find(db.deliveries, {})
    assert (row["state"], row["attempts"]) == ("DELIVERED", 2)


@pytest.mark.parametrize(
    ("host", "problem"),
    [
        ("127.0.0.1", REFUSED),
        ("localhost", REFUSED),
        ("[::1]", REFUSED),
        ("[::ffff:127.0.0.1]", REFUSED),
        ("0x7f.1", REFUSED),
        ("0.0.0.0", REFUSED),  # noqa: S104 - refused
        ("2130706433", "The address cannot be called."),
        ("127.1", "The address cannot be called."),
    ],
)
async def test_private_addresses_are_never_called(
    db: Database, receiver: Receiver, host: str, problem: str
) -> None:
    hook = await _told(db, receiver.address)
    port = receiver.address.rpartition(":")[2]
    # As if the name had been checked before it led here.
    url = {"settings.url": f"http://{host}:{port}"}
    await db.integrations.update_one({"_id": hook["_id"]}, {"$set": url})

    async with _delivering(db, to_loopback=False):
        await _until_done(db)
    (row,) = await find(db.deliveries, {})
    assert (row["state"], row["status"], row["problem"]) == ("DEAD", None, problem)
    assert receiver.calls == []


async def test_a_name_that_leads_to_a_private_address_is_not_called(
    db: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = await _told(db, receiver.address)
    url = {"settings.url": "https://rebound.example.org/"}
    await db.integrations.update_one({"_id": hook["_id"]}, {"$set": url})
    loop = asyncio.get_running_loop()
    asked = []

    async def resolved(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        kind = socket.SOCK_STREAM
        return [
            (socket.AF_INET, kind, 6, "", ("10.0.0.1", port)),
            (socket.AF_INET, kind, 6, "", ("169.254.169.254", port)),
            (socket.AF_INET6, kind, 6, "", ("fd00:ec2::254", port, 0, 0)),
        ]

    monkeypatch.setattr(loop, "getaddrinfo", resolved)
    async with _delivering(db):
        await _until_done(db)
    (row,) = await find(db.deliveries, {})
    assert (row["state"], row["problem"]) == ("DEAD", REFUSED)
    assert set(asked) == {"rebound.example.org"}


async def test_long_answers_are_not_read_to_their_end(
    db: Database, receiver: Receiver
) -> None:
    await _told(db, receiver.address)
    receiver.answers = [Response(b"x" * 50_000_000)]
    async with _delivering(db):
        await _until_done(db)
    (row,) = await find(db.deliveries, {})
    assert (row["state"], row["attempts"]) == ("DELIVERED", 1)


async def test_who_takes_too_long_is_tried_again_and_holds_nobody_up(
    db: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.webhooks.TIMEOUT", _timeout(0.5))
    await _told(db, receiver.address)
    async with receiving() as other:
        slow, *_ = await find(db.integrations, {})
        segment = await db.segments.find_one({})
        assert segment is not None
        quick, _ = await _hook(db, other.address, segment)
        receiver.delay = 5
        async with _delivering(db):
            await receiver.until(lambda: bool(receiver.calls))
            await put_test(db, quick["_id"], datetime.now(UTC))
            await other.until(lambda: bool(other.calls))
            assert len(receiver.calls) == 1
            receiver.delay = 0
            await _until_done(db)
    row = await db.deliveries.find_one({"integration_id": slow["_id"]})
    assert row is not None
    assert (row["state"], row["attempts"]) == ("DELIVERED", 2)


async def test_after_another_secret_both_sign_for_a_day(
    db: Database, receiver: Receiver
) -> None:
    segment = await _segment(db, "Gold")
    hook, former = await _hook(db, receiver.address, segment)
    changed = await update_integration(
        db,
        hook["_id"],
        {},
        renews_secret=True,
        server_secret=SECRET,
        now=datetime.now(UTC),
    )
    assert changed.secret is not None
    assert changed.secret != former
    await put_test(db, hook["_id"], datetime.now(UTC))
    async with _delivering(db):
        await _until_done(db)
        ago = {"previous_until": datetime.now(UTC) - timedelta(seconds=1)}
        await db.integrations.update_one({"_id": hook["_id"]}, {"$set": ago})
        await put_test(db, hook["_id"], datetime.now(UTC))
        await _until_done(db)

    first, second = receiver.calls
    for secret in (former, changed.secret):
        assert Webhook(secret).verify(first.body, first.headers)["type"] == "test"
    assert len(first.headers["webhook-signature"].split()) == 2
    assert len(second.headers["webhook-signature"].split()) == 1
    assert Webhook(changed.secret).verify(second.body, second.headers)


async def test_what_happens_while_a_webhook_is_paused_is_told_later(
    db: Database, receiver: Receiver
) -> None:
    segment = await _segment(db, "Gold")
    hook, _ = await _hook(db, receiver.address, segment)
    status = {"status": IntegrationStatus.PAUSED}
    await _changed(db, hook, status)
    async with keeping(db, lambda: NOW, ZoneInfo("UTC")) as keeper:
        await _named(db, "ada", "Gold")
        await catch_up(keeper)
    async with _delivering(db):
        await asyncio.sleep(0.2)
        assert receiver.calls == []
        await _changed(db, hook, {"status": IntegrationStatus.ACTIVE})
        await receiver.until(lambda: len(receiver.calls) == 1)


async def test_the_receiver_of_the_documentation(db: Database) -> None:
    text = (ROOT / "docs" / "webhooks.md").read_text()
    code = text.partition("```python\n")[2].partition("```")[0]
    port = free_port()
    segment = await _segment(db, "Gold")
    hook, secret = await _hook(db, f"http://127.0.0.1:{port}", segment)
    async with keeping(db, lambda: NOW, ZoneInfo("UTC")) as keeper:
        await catch_up(keeper)
        await _named(db, "ada", "Gold")
        await catch_up(keeper)
    receiver = subprocess.Popen(  # noqa: ASYNC220, S603 - code of our own
        [sys.executable, "-c", code],
        env=os.environ | {"WEBHOOK_SECRET": secret, "PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        await _until(lambda: _listens(port), True)
        async with _delivering(db):
            await _until_done(db)
            # It comes again: with the same id, so it is done once.
            await db.deliveries.update_many(
                {}, {"$set": {"state": "DEAD"}, "$unset": {"status": ""}}
            )
            await retry_deliveries(db, hook["_id"], None, datetime.now(UTC))
            await _until_done(db)
            (row,) = await find(db.deliveries, {})
            assert (row["state"], row["status"]) == ("DELIVERED", 204)
            # What is signed with another secret is refused.
            await update_integration(
                db,
                hook["_id"],
                {},
                renews_secret=True,
                server_secret=SECRET,
                now=datetime.now(UTC) - timedelta(days=2),
            )
            test = await put_test(db, hook["_id"], datetime.now(UTC))
            await _until_done(db)
            row = await db.deliveries.find_one({"_id": test["_id"]}) or {}
            assert (row["state"], row["status"]) == ("DEAD", 401)
    finally:
        receiver.kill()
        written, _ = receiver.communicate()
    (line,) = written.splitlines()
    assert line.startswith("segment.entered {'segment': {'id': 'seg_")


@pytest.mark.timeout(180)
async def test_killed_processes_lose_nothing(
    mongodb_uri: str, receiver: Receiver
) -> None:
    """Each of them is killed while messages are under way; claims end at once."""
    db = connect(mongodb_uri, f"test_{uuid4().hex[:12]}")
    try:
        await prepare(db)
        segment = await _segment(db, "Gold")
        await _hook(db, receiver.address, segment)
        receiver.delay = 0.02
        for turn in range(3):
            for number in range(20):
                name = "Gold" if turn % 2 == 0 else "Silver"
                await _named(db, f"p{number}", name)
            seen = len(receiver.calls)
            process = _process(mongodb_uri, db.name)
            await receiver.until(lambda: len(receiver.calls) >= seen + 3, 60)  # noqa: B023
            process.send_signal(signal.SIGKILL)
            process.wait()
            await _claims_end(db)
        process = _process(mongodb_uri, db.name)
        try:
            await _until(lambda: _left_over(db), (20, 0), 100)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0

        history: dict[str, list[str]] = {}
        for line in await find(db.segment_changes, {}, sort={"_id": 1}):
            lane = history.setdefault(f"prf_{line['profile_id']}", [])
            lane.append(f"segment.{line['kind'].lower()}")
        lanes: dict[str, dict[str, str]] = {}
        for call in receiver.calls:
            said = json.loads(call.body)
            told = lanes.setdefault(said["data"]["profile"]["id"], {})
            told.setdefault(call.headers["webhook-id"], said["type"])
        assert {key: list(told.values()) for key, told in lanes.items()} == history
        assert len(history) == 20
    finally:
        await db.client.drop_database(db.name)
        await close(db)


def _process(uri: str, name: str) -> subprocess.Popen[bytes]:
    environment = os.environ | {
        "MONGODB_URI": uri,
        "AUDIENCE_DATABASE": name,
        "AUDIENCE_SECRET": SECRET,
        "AUDIENCE_WEBHOOKS_TO_LOOPBACK": "true",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "server", "keep"],
        env=environment,
        stdout=subprocess.DEVNULL,
    )


async def _claims_end(db: Database) -> None:
    past = {"$set": {"until": datetime(2000, 1, 1, tzinfo=UTC)}}
    await db.keeper_shares.update_many({"until": {"$ne": None}}, past)
    await db.leases.update_many({"_id": {"$regex": "^keeper/"}}, past)
    await db.deliveries.update_many(
        {"claim": {"$exists": True}}, {"$set": {"next_at": datetime.now(UTC)}}
    )


@asynccontextmanager
async def _delivering(db: Database, *, to_loopback: bool = True) -> AsyncIterator[None]:
    ended = asyncio.Event()
    task = asyncio.create_task(deliver(db, SECRET, ended, to_loopback=to_loopback))
    try:
        yield
    finally:
        ended.set()
        await task


async def _until_done(db: Database) -> None:
    async def pending() -> int:
        return await db.deliveries.count_documents({"state": "PENDING"})

    await _until(pending, 0)


async def _until(read: Any, wanted: Any, seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while await read() != wanted:  # noqa: ASYNC110 - of other tasks
            await asyncio.sleep(0.02)


async def _status(db: Database) -> str:
    (row,) = await find(db.integrations, {})
    status: str = row["status"]
    return status


async def _number(db: Database, state: str) -> int:
    return await db.deliveries.count_documents({"state": state})


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _left_over(db: Database) -> tuple[int, int]:
    """How many are in the segment, and how many messages wait."""
    return (
        await db.segment_members.count_documents({}),
        await db.deliveries.count_documents({"state": "PENDING"}),
    )


async def _told(db: Database, url: str, *people: str) -> Document:
    """A webhook for which a message waits about each of these."""
    segment = await _segment(db, "Gold")
    hook, _ = await _hook(db, url, segment)
    async with keeping(db, lambda: NOW, ZoneInfo("UTC")) as keeper:
        for each in people or ("ada",):
            await _named(db, each, "Gold")
        await catch_up(keeper)
    return hook


async def _hook(db: Database, url: str, segment: Document) -> tuple[Document, str]:
    settings = OutboundWebhook(url, (str(segment["_id"]),), tuple(Movement))
    name = f"Hook {await db.integrations.count_documents({})}"
    made = await create_integration(
        db, Integration(name, settings), secret=None, server_secret=SECRET, now=NOW
    )
    assert made.secret is not None
    return made.document, made.secret


async def _changed(db: Database, hook: Document, changes: Document) -> None:
    await update_integration(
        db, hook["_id"], changes, server_secret=SECRET, now=datetime.now(UTC)
    )


async def _segment(db: Database, name: str) -> Document:
    filter = {"path": "firstName", "is": {"text": {"equals": name}}}
    definition = {"groups": [{"anyOf": [{"property": {"filter": filter}}]}]}
    return await create_segment(db, name, definition, now=NOW)


async def _named(db: Database, who: str, name: str) -> str:
    identity = Identity(email=f"{who}@shop.example")
    change = ProfileChange(identity, {"first_name": name})
    return str((await upsert_profile(db, change, NOW)).profile["_id"])


def _timeout(seconds: float) -> Any:
    import aiohttp

    return aiohttp.ClientTimeout(total=seconds)
