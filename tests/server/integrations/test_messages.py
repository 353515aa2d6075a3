from datetime import UTC, datetime, timedelta

import orjson
import pytest

from audience.consent import Channel, Status
from audience.integrations.kinds import (
    Keyword,
    MessagePaths,
    MessageProvider,
    TextMessages,
)
from audience.lists import OptIn
from audience.signups import leaving
from audience.tokens import Tokens
from resolvers.consent import set_consent
from resolvers.db import Database
from resolvers.integrations import store_call, work_on_call
from resolvers.integrations.calls import Arrived
from resolvers.signups import unsubscribe
from tests import integration_calls as calls
from tests.server.integrations.tool import (
    BEARER,
    SERVER_SECRET,
    Connect,
    Tool,
    new_list,
    work_later,
)

pytestmark = pytest.mark.anyio


WORDS = "Text TEA to 500 to get our offers. STOP ends it."


async def texts(connect: Connect, db: Database, opt_in: OptIn) -> Tool:
    list_id = await new_list(db, opt_in)
    keyword = Keyword("Tea", list_id, WORDS, "Welcome <friend> & co.")
    tool: Tool = await connect(
        TextMessages(MessageProvider.TWILIO, (keyword,), "Tea shop: help@example.org")
    )
    return tool


async def text(tool: Tool, words: str, sid: str, **more: str) -> str:
    """What Twilio is answered."""
    made = calls.twilio(f"http://testserver{tool.path}", words, sid, **more)
    answer = await tool.call(made)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/xml")
    start = '<?xml version="1.0" encoding="UTF-8"?><Response>'
    assert answer.text.startswith(start)
    found = answer.text.removeprefix(start).removesuffix("</Response>")
    return found.removeprefix("<Message>").removesuffix("</Message>")


async def text_waits(
    tool: Tool, db: Database, words: str, sid: str, received_at: datetime
) -> Arrived:
    """The text as it waits to be worked on."""
    raw, _ = calls.twilio(f"http://testserver{tool.path}", words, sid)
    return await store_call(db, tool.integration["_id"], sid, "", raw, received_at)


STOPPED = "You are unsubscribed and get no more messages. Reply START to come back."
STARTED = "You are subscribed again. Reply HELP for help, STOP to unsubscribe."
CONFIRM = "Reply Y to confirm that you want our messages, or STOP to end this."
WELCOME = "Welcome &lt;friend&gt; &amp; co."
NUMBER = "+14155550132"


async def test_a_keyword_joins_a_list_and_stop_leaves_at_once(
    connect: Connect, db: Database
) -> None:
    tool = await texts(connect, db, OptIn.SINGLE)

    assert await text(tool, " tea!  please", "SM1") == WELCOME
    kept = await tool.consent("sms", phone_number=NUMBER)
    assert kept is not None
    assert (kept["status"], kept["method"], kept["source"]) == (
        "SUBSCRIBED",
        "INBOUND_MESSAGE",
        "Tea shop",
    )
    person = await tool.profile(phone_number=NUMBER)
    assert [each["source"] for each in person["lists"]] == ["INTEGRATION"]

    assert await text(tool, "Stop", "SM2") == STOPPED
    kept = await tool.consent("sms", phone_number=NUMBER)
    assert kept is not None
    assert (kept["status"], kept["method"]) == ("UNSUBSCRIBED", "INBOUND_MESSAGE")

    assert await text(tool, "start", "SM3") == STARTED
    kept = await tool.consent("sms", phone_number=NUMBER)
    assert kept is not None
    assert kept["status"] == "SUBSCRIBED"
    trail = db.consent_changes.find({}, sort=[("_id", 1)])
    assert [(each["to"], each.get("consent_text")) async for each in trail] == [
        ("SUBSCRIBED", WORDS),
        ("UNSUBSCRIBED", None),
        ("SUBSCRIBED", None),
    ]


async def test_a_double_opt_in_list_is_joined_by_the_reply(
    connect: Connect, db: Database
) -> None:
    tool = await texts(connect, db, OptIn.DOUBLE)

    assert await text(tool, "TEA", "SM1") == CONFIRM
    person = await tool.profile(phone_number=NUMBER)
    assert person["consent"]["sms"]["status"] == "PENDING"
    assert await text(tool, "y", "SM2") == WELCOME

    person = await tool.profile(phone_number=NUMBER)
    assert (person["pending"], len(person["lists"])) == ([], 1)
    assert person["consent"]["sms"]["double_opt_in"] is True
    assert await text(tool, "TEA", "SM3") == WELCOME
    assert await text(tool, "yes", "SM4") == ""


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        ("HELP", "Tea shop: help@example.org"),
        ("info", "Tea shop: help@example.org"),
        ("What do you sell?", ""),
        ("", ""),
        ("START", ""),
        ("Y", ""),
        ("please stop", STOPPED),
        ("STOP ALL", STOPPED),
        ("opt-out", STOPPED),
        ("\uff33\uff54\uff4f\uff50", STOPPED),
        ("Stop by tomorrow?", ""),
    ],
)
async def test_what_strangers_write(
    connect: Connect, db: Database, words: str, reply: str
) -> None:
    tool = await texts(connect, db, OptIn.SINGLE)

    assert await text(tool, words, "SM1") == reply
    assert await db.profiles.count_documents({}) == 0


async def test_a_message_that_is_sent_again_gets_the_same_reply_and_does_nothing(
    connect: Connect, db: Database
) -> None:
    tool = await texts(connect, db, OptIn.SINGLE)
    await text(tool, "TEA", "SM1")
    assert await text(tool, "STOP", "SM2") == STOPPED
    await text(tool, "START", "SM3")

    assert await text(tool, "STOP", "SM2") == STOPPED

    kept = await tool.consent("sms", phone_number=NUMBER)
    assert kept is not None
    assert kept["status"] == "SUBSCRIBED"


async def test_what_twilio_has_answered_itself_is_not_answered_twice(
    connect: Connect, db: Database
) -> None:
    tool = await texts(connect, db, OptIn.SINGLE)
    await text(tool, "TEA", "SM1")

    assert await text(tool, "arret", "SM2", OptOutType="STOP") == ""

    kept = await tool.consent("sms", phone_number=NUMBER)
    assert kept is not None
    assert kept["status"] == "UNSUBSCRIBED"


async def test_whoever_had_stopped_comes_back_by_a_keyword(
    connect: Connect, db: Database
) -> None:
    tool = await texts(connect, db, OptIn.SINGLE)
    await text(tool, "TEA", "SM1")
    person = await tool.profile(phone_number=NUMBER)
    await set_consent(
        db, person["_id"], Channel.SMS, Status.UNSUBSCRIBED, now=datetime.now(UTC)
    )

    assert await text(tool, "TEA", "SM2") == WELCOME

    kept = await tool.consent("sms", phone_number=NUMBER)
    assert kept is not None
    assert kept["status"] == "SUBSCRIBED"


def a_minute_ago() -> datetime:
    return datetime.now(UTC) - timedelta(minutes=1)


async def nothing_to_deliver(*_: object) -> None:
    raise AssertionError("Nothing is to be delivered.")


@pytest.mark.parametrize("words", ["TEA", "START", "YES"])
@pytest.mark.parametrize("opt_in", list(OptIn))
async def test_a_message_whose_work_takes_long_undoes_no_newer_stop(
    connect: Connect, db: Database, opt_in: OptIn, words: str
) -> None:
    tool = await texts(connect, db, opt_in)
    await text(tool, "TEA", "SM1")
    await text(tool, "YES", "SM2")
    await text(tool, "STOP", "SM3")
    call = await text_waits(tool, db, words, "SM4", datetime.now(UTC))
    await text(tool, "START", "SM5")
    await text(tool, "STOP", "SM6")
    before = await tool.profile(phone_number=NUMBER)

    await work_on_call(
        db,
        tool.integration,
        call.document,
        now=datetime.now(UTC),
        tokens=Tokens(SERVER_SECRET),
        deliver=nothing_to_deliver,
    )

    assert await tool.profile(phone_number=NUMBER) == before
    assert before["consent"]["sms"]["status"] == "UNSUBSCRIBED"
    assert (await tool.log())["waiting"] == 0


async def test_a_keyword_that_waits_is_dropped_when_its_sender_stops(
    connect: Connect, db: Database
) -> None:
    tool = await texts(connect, db, OptIn.SINGLE)
    await text_waits(tool, db, "TEA", "SM1", datetime.now(UTC))

    assert await text(tool, "STOP", "SM2") == STOPPED

    assert await work_later(db) == 0
    assert await db.profiles.count_documents({}) == 0
    assert await tool.problems() == [("IGNORED", "", "The sender has stopped since.")]


async def test_a_stop_that_had_to_wait_undoes_no_newer_start(
    connect: Connect, db: Database
) -> None:
    tool = await texts(connect, db, OptIn.SINGLE)
    await text(tool, "TEA", "SM1")
    await text_waits(tool, db, "STOP", "SM2", a_minute_ago())
    await unsubscribe(
        db,
        leaving(phone_number=NUMBER, channels=[Channel.SMS]),
        now=datetime.now(UTC),
        tokens=Tokens(SERVER_SECRET),
    )
    await text(tool, "START", "SM3")
    before = await tool.profile(phone_number=NUMBER)

    assert await work_later(db) == 1

    assert await tool.profile(phone_number=NUMBER) == before
    assert before["consent"]["sms"]["status"] == "SUBSCRIBED"


async def test_a_stop_looks_through_nothing_but_what_waits(
    connect: Connect, db: Database
) -> None:
    tool = await texts(connect, db, OptIn.SINGLE)
    for number in range(20):
        await text(tool, "HELP", f"SM{number}")
    own = db.client[db.name]
    await own.command({"profile": 2})

    await text(tool, "STOP", "SM20")

    await own.command({"profile": 0})
    found = own["system.profile"].find(
        {"ns": f"{db.name}.integration_calls", "op": "query"}
    )
    assert [each["docsExamined"] async for each in found] == [1]


async def test_a_reply_is_a_reply_though_its_machines_clock_is_behind(
    connect: Connect, db: Database
) -> None:
    tool = await texts(connect, db, OptIn.DOUBLE)
    await text(tool, "TEA", "SM1")
    behind = datetime.now(UTC) - timedelta(seconds=3)
    await text_waits(tool, db, "YES", "SM2", behind)

    assert await work_later(db) == 1

    person = await tool.profile(phone_number=NUMBER)
    assert (person["pending"], len(person["lists"])) == ([], 1)


async def test_a_yes_that_had_to_wait_confirms_nothing_newer(
    connect: Connect, db: Database
) -> None:
    tool = await texts(connect, db, OptIn.DOUBLE)
    await text_waits(tool, db, "YES", "SM1", a_minute_ago())
    await text(tool, "TEA", "SM2")
    before = await tool.profile(phone_number=NUMBER)

    assert await work_later(db) == 1

    assert await tool.profile(phone_number=NUMBER) == before
    assert before["consent"]["sms"]["status"] == "PENDING"


async def test_a_keyword_that_had_to_wait_puts_back_nobody_who_has_left_since(
    connect: Connect, db: Database
) -> None:
    tool = await texts(connect, db, OptIn.SINGLE)
    await text(tool, "TEA", "SM1")
    await text_waits(tool, db, "TEA", "SM2", datetime.now(UTC))
    person = await tool.profile(phone_number=NUMBER)
    await unsubscribe(
        db,
        leaving(list_id=str(person["lists"][0]["list_id"]), phone_number=NUMBER),
        now=datetime.now(UTC),
        tokens=Tokens(SERVER_SECRET),
    )
    before = await tool.profile(phone_number=NUMBER)

    assert await work_later(db) == 1

    assert await tool.profile(phone_number=NUMBER) == before
    assert before["lists"] == []


async def test_y_alone_brings_nobody_back(connect: Connect, db: Database) -> None:
    tool = await texts(connect, db, OptIn.SINGLE)
    await text(tool, "TEA", "SM1")
    await text(tool, "STOP", "SM2")
    statuses = []

    for sid, word, reply in (("SM3", "y", ""), ("SM4", "yes", STARTED)):
        assert await text(tool, word, sid) == reply
        person = await tool.profile(phone_number=NUMBER)
        statuses.append(person["consent"]["sms"]["status"])

    assert statuses == ["UNSUBSCRIBED", "SUBSCRIBED"]


async def test_another_providers_messages_are_mapped(
    connect: Connect, db: Database
) -> None:
    list_id = await new_list(db)
    tool = await connect(
        TextMessages(
            MessageProvider.OTHER,
            (Keyword("TEA", list_id, WORDS, "Welcome."),),
            "Help.",
            MessagePaths("$.msisdn", "$.text", "$.messageId"),
        )
    )
    body = {"msisdn": NUMBER, "text": "tea", "messageId": "0A1"}

    answer = await tool.call((orjson.dumps(body), BEARER))
    nobody = await tool.call((orjson.dumps(body | {"msisdn": "555"}), BEARER))

    assert answer.json() == {"status": "ACCEPTED", "reply": "Welcome."}
    assert (nobody.status_code, nobody.json()["errors"][0]["message"]) == (
        400,
        "The sender is not a phone number with its country code.",
    )
    assert len((await tool.profile(phone_number=NUMBER))["lists"]) == 1
