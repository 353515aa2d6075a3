from datetime import UTC, datetime, timedelta

import pytest

from audience.consent import Channel
from audience.integrations.kinds import (
    Shopify,
)
from audience.integrations.shopify import ASKED
from audience.lists import OptIn
from resolvers.consent import suppress
from resolvers.db import Database, Document, find
from resolvers.lists.members import remove_from_list
from tests import integration_calls as calls
from tests.integration_calls import changed
from tests.server.integrations.tool import NOW, Connect, new_list, work_later

pytestmark = pytest.mark.anyio

PLACED = [
    ("Placed Order", "2026-02-20T15:00:00Z", "ada@example.org", 59.9, "USD"),
    ("Ordered Product", "2026-02-20T15:00:00Z", "ada@example.org", 39.9, "USD"),
    ("Ordered Product", "2026-02-20T15:00:00Z", "ada@example.org", 15.0, "USD"),
]


async def test_an_order_makes_a_person_their_consent_and_events(
    connect: Connect, db: Database
) -> None:
    list_id = await new_list(db)
    tool = await connect(Shopify(list_id))

    await tool.accepted(calls.shopify("orders/create", calls.SHOPIFY_ORDER, "w1"))

    ada = await tool.profile(email="ada@example.org")
    assert {
        name: ada.get(name)
        for name in ("first_name", "last_name", "phone_number", "locale", "location")
    } == {
        "first_name": "Ada",
        "last_name": "Byron",
        "phone_number": "+14155550132",
        "locale": "en-US",
        "location": {
            "address1": "12 Harbour Street",
            "city": "San Francisco",
            "region": "California",
            "country": "US",
            "zip": "94107",
        },
    }
    assert ada["consent"] == {
        "email": {
            "status": "SUBSCRIBED",
            "consented_at": datetime(2026, 2, 1, 14, tzinfo=UTC),
            "updated_at": datetime(2026, 2, 1, 14, tzinfo=UTC),
            "method": "INTEGRATION",
            "source": "Tea shop",
            "double_opt_in": False,
        }
    }
    assert [(str(each["list_id"]), each["source"]) for each in ada["lists"]] == [
        (list_id, "INTEGRATION")
    ]
    assert await tool.events() == PLACED
    assert await tool.properties("Placed Order") == [
        {
            "OrderId": "820982911946154508",
            "OrderNumber": "#1001",
            "Items": ["Green tea", "Cup"],
            "Item Count": 3,
            "Discount Codes": ["SPRING"],
            "Total Discounts": 5.0,
            "Source Name": "web",
        }
    ]
    metric = await db.metrics.find_one({"name": "Placed Order"})
    assert metric is not None
    assert metric["integration"] == "Shopify"


async def test_the_same_call_and_the_same_order_again_change_nothing(
    connect: Connect, db: Database
) -> None:
    tool = await connect(Shopify(await new_list(db)))
    made = calls.shopify("orders/create", calls.SHOPIFY_ORDER, "w1")
    await tool.accepted(made)
    before = await tool.profile(email="ada@example.org")

    again = await tool.call(made)
    await tool.accepted(calls.shopify("orders/create", calls.SHOPIFY_ORDER, "w2"))

    assert (again.status_code, again.json()) == (200, {"status": "DUPLICATE"})
    assert await tool.events() == PLACED
    after = await tool.profile(email="ada@example.org")
    assert {**after, "updated_at": None} == {**before, "updated_at": None}
    assert await db.consent_changes.count_documents({}) == 1
    assert await tool.counts() == {"ACCEPTED": 2, "DUPLICATE": 1}


@pytest.mark.parametrize(
    ("topic", "changes", "event"),
    [
        (
            "orders/paid",
            {"updated_at": "2026-02-20T10:05:00-05:00"},
            ("Paid Order", "2026-02-20T15:05:00Z"),
        ),
        (
            "orders/fulfilled",
            {"fulfillments": [{"id": 1, "created_at": "2026-02-22T10:00:00-05:00"}]},
            ("Fulfilled Order", "2026-02-22T15:00:00Z"),
        ),
        (
            "orders/cancelled",
            {"cancelled_at": "2026-02-23T10:00:00-05:00", "cancel_reason": "customer"},
            ("Cancelled Order", "2026-02-23T15:00:00Z"),
        ),
    ],
)
async def test_what_comes_of_an_order_may_come_before_it(
    connect: Connect, topic: str, changes: Document, event: tuple[str, str]
) -> None:
    tool = await connect(Shopify())

    later = changed(calls.SHOPIFY_ORDER, **changes)
    await tool.accepted(calls.shopify(topic, later, "w2"))
    await tool.accepted(calls.shopify("orders/create", calls.SHOPIFY_ORDER, "w1"))

    assert await tool.events() == [*PLACED, (*event, "ada@example.org", 59.9, "USD")]


async def test_a_refund_waits_for_the_order_that_tells_whose_it_is(
    connect: Connect, db: Database
) -> None:
    tool = await connect(Shopify())

    early = await tool.call(calls.shopify("refunds/create", calls.SHOPIFY_REFUND, "w9"))
    assert (early.status_code, early.json()["status"]) == (202, "WAITING")
    assert (await tool.log())["waiting"] == 1
    await tool.accepted(calls.shopify("orders/create", calls.SHOPIFY_ORDER, "w1"))
    await work_later(db)

    refund = ("Refunded Order", "2026-02-25T13:00:00Z", "ada@example.org", 15.0, "USD")
    assert await tool.events() == [*PLACED, refund]
    assert await tool.properties("Refunded Order") == [
        {
            "OrderId": "820982911946154508",
            "RefundId": "890088186047892319",
            "Reason": "Cup was broken",
            "Items": ["Cup"],
        }
    ]
    assert (await tool.log())["waiting"] == 0
    await tool.accepted(calls.shopify("refunds/create", calls.SHOPIFY_REFUND, "w10"))
    assert await tool.events() == [*PLACED, refund]


async def test_a_refund_of_an_unknown_order_is_given_up_and_told(
    connect: Connect, db: Database
) -> None:
    tool = await connect(Shopify())
    await tool.call(calls.shopify("refunds/create", calls.SHOPIFY_REFUND, "w9"))

    assert await work_later(db, timedelta(days=2)) == 1

    assert await tool.counts() == {"REFUSED": 1}
    assert await tool.problems() == [
        (
            "REFUSED",
            "refunds/create",
            "No earlier call has told whom this one is about.",
        )
    ]
    kept = await db.integration_calls.find_one({})
    assert kept is not None
    assert "body" not in kept


async def test_an_older_update_overrides_no_newer_one(connect: Connect) -> None:
    tool = await connect(Shopify())
    newer = changed(
        calls.SHOPIFY_CUSTOMER,
        updated_at="2026-02-24T10:00:00-05:00",
        last_name="Lovelace",
        tags="vip",
    )
    older = changed(
        calls.SHOPIFY_CUSTOMER,
        updated_at="2026-02-23T10:00:00-05:00",
        last_name="King",
        phone="+442079460000",
    )

    await tool.accepted(calls.shopify("customers/update", newer, "w2"))
    await tool.accepted(calls.shopify("customers/update", older, "w1"))

    ada = await tool.profile(email="ada@example.org")
    assert (ada["last_name"], ada["properties"], ada["phone_number"]) == (
        "Lovelace",
        {"Shopify Tags": ["vip"]},
        "+14155550132",
    )
    newest = changed(newer, updated_at="2026-02-25T10:00:00-05:00", first_name="A.")
    await tool.accepted(calls.shopify("customers/update", newest, "w3"))
    assert (await tool.profile(email="ada@example.org"))["first_name"] == "A."


async def test_consent_follows_the_shop_but_never_against_the_persons_no(
    connect: Connect, db: Database
) -> None:
    list_id = await new_list(db)
    tool = await connect(Shopify(list_id))
    no = {
        "state": "unsubscribed",
        "opt_in_level": "single_opt_in",
        "consent_updated_at": "2026-02-10T09:00:00-05:00",
    }
    again = no | {
        "state": "subscribed",
        "consent_updated_at": "2026-02-12T09:00:00-05:00",
    }
    person = calls.SHOPIFY_CUSTOMER
    await tool.accepted(calls.shopify("customers/create", person, "w1"))

    left = changed(person, email_marketing_consent=no)
    await tool.accepted(calls.shopify("customers/update", left, "w2"))
    back = changed(person, email_marketing_consent=again)
    await tool.accepted(calls.shopify("customers/update", back, "w3"))

    kept = await tool.consent(email="ada@example.org")
    assert kept is not None
    assert (kept["status"], kept["updated_at"], kept["method"]) == (
        "UNSUBSCRIBED",
        datetime(2026, 2, 10, 14, tzinfo=UTC),
        "INTEGRATION",
    )


async def test_a_suppressed_person_stays_suppressed(
    connect: Connect, db: Database
) -> None:
    tool = await connect(Shopify(await new_list(db)))
    plain = changed(calls.SHOPIFY_CUSTOMER, email_marketing_consent=None)
    await tool.accepted(calls.shopify("customers/create", plain, "w1"))
    ada = await tool.profile(email="ada@example.org")
    assert ada["consent"] == {}
    await suppress(db, ada["_id"], Channel.EMAIL, now=NOW)

    await tool.accepted(calls.shopify("customers/update", calls.SHOPIFY_CUSTOMER, "w2"))

    kept = await tool.consent(email="ada@example.org")
    assert kept is not None
    assert (kept["status"], kept["suppression"]["reason"]) == (
        "SUBSCRIBED",
        "USER_SUPPRESSED",
    )


async def test_who_left_the_list_is_not_put_back_by_what_was_said_before(
    connect: Connect, db: Database
) -> None:
    list_id = await new_list(db)
    tool = await connect(Shopify(list_id))
    await tool.accepted(calls.shopify("orders/create", calls.SHOPIFY_ORDER, "w1"))
    ada = await tool.profile(email="ada@example.org")
    await remove_from_list(db, list_id, [ada["_id"]], now=NOW)

    await tool.accepted(calls.shopify("customers/update", calls.SHOPIFY_CUSTOMER, "w2"))

    assert (await tool.profile(email="ada@example.org"))["lists"] == []


async def test_a_double_opt_in_list_is_joined_by_confirming(
    connect: Connect, db: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    list_id = await new_list(db, OptIn.DOUBLE)
    tool = await connect(Shopify(list_id))

    await tool.accepted(calls.shopify("orders/create", calls.SHOPIFY_ORDER, "w1"))
    await tool.accepted(calls.shopify("customers/update", calls.SHOPIFY_CUSTOMER, "w2"))

    ada = await tool.profile(email="ada@example.org")
    assert ada["consent"]["email"]["status"] == "PENDING"
    assert [str(each["list_id"]) for each in ada["pending"]] == [list_id]
    assert ada["lists"] == []
    # One message, not one with every call.
    assert capsys.readouterr().out.count("/confirm?token=") == 1


async def test_an_old_order_without_consent_objects_says_it_with_a_flag(
    connect: Connect,
) -> None:
    tool = await connect(Shopify())
    customer = changed(calls.SHOPIFY_CUSTOMER)
    del customer["email_marketing_consent"], customer["sms_marketing_consent"]
    order = changed(calls.SHOPIFY_ORDER, customer=customer)

    await tool.accepted(calls.shopify("orders/create", order, "w1"))

    kept = await tool.consent(email="ada@example.org")
    assert kept is not None
    assert (kept["status"], kept["consented_at"]) == (
        "SUBSCRIBED",
        datetime(2026, 2, 20, 15, tzinfo=UTC),
    )


async def test_sms_consent_is_of_its_own(connect: Connect) -> None:
    tool = await connect(Shopify())
    person = changed(
        calls.SHOPIFY_CUSTOMER,
        phone="+14155550132",
        email_marketing_consent={"state": "not_subscribed", "opt_in_level": None},
        sms_marketing_consent={
            "state": "subscribed",
            "opt_in_level": "single_opt_in",
            "consent_updated_at": "2026-02-02T09:00:00-05:00",
            "consent_collected_from": "SHOPIFY",
        },
    )

    await tool.accepted(calls.shopify("customers/create", person, "w1"))

    ada = await tool.profile(email="ada@example.org")
    assert {name: kept["status"] for name, kept in ada["consent"].items()} == {
        "sms": "SUBSCRIBED"
    }


async def test_a_checkout_is_started_once_somebody_is_named(connect: Connect) -> None:
    tool = await connect(Shopify())

    nobody = changed(calls.SHOPIFY_CHECKOUT, email=None)
    unnamed = await tool.call(calls.shopify("checkouts/create", nobody, "w1"))
    await tool.accepted(calls.shopify("checkouts/update", calls.SHOPIFY_CHECKOUT, "w2"))
    await tool.accepted(calls.shopify("checkouts/update", calls.SHOPIFY_CHECKOUT, "w3"))

    assert unnamed.json() == {
        "status": "IGNORED",
        "message": "Nobody is named yet in this checkout.",
    }
    assert await tool.events() == [
        ("Started Checkout", "2026-02-21T17:00:00Z", "bob@example.org", 19.95, "USD")
    ]
    assert (await tool.profile(email="bob@example.org"))["consent"] == {}


async def test_an_odd_value_loses_nothing_else(connect: Connect) -> None:
    tool = await connect(Shopify())
    place = calls.ADDRESS | {"phone": "none", "city": "x" * 300}
    customer = changed(calls.SHOPIFY_CUSTOMER, default_address=place)
    order = changed(calls.SHOPIFY_ORDER, customer=customer, customer_locale="?")

    answer = await tool.call(calls.shopify("orders/create", order, "w1"))

    assert answer.json() == {
        "status": "ACCEPTED",
        "message": "Could not be kept: phoneNumber, locale, location.city.",
    }
    assert await tool.events() == PLACED
    ada = await tool.profile(email="ada@example.org")
    assert (ada["first_name"], ada["location"]["zip"]) == ("Ada", "94107")


async def test_a_phone_number_of_somebody_else_loses_nothing_else(
    connect: Connect, db: Database
) -> None:
    tool = await connect(Shopify())
    bob = {"email": "bob@example.org", "phone": "+14155550132"}
    other = changed(calls.SHOPIFY_CUSTOMER, id=1, **bob)
    await tool.accepted(calls.shopify("customers/create", other, "w1"))

    await tool.accepted(calls.shopify("orders/create", calls.SHOPIFY_ORDER, "w2"))
    # Both are known now, and the number stays where it is.
    await tool.accepted(calls.shopify("orders/paid", calls.SHOPIFY_ORDER, "w3"))

    assert (await tool.events())[:3] == PLACED
    ada = await tool.profile(email="ada@example.org")
    assert ("phone_number" in ada, ada["first_name"]) == (False, "Ada")
    assert (await tool.profile(email="bob@example.org"))["phone_number"] == bob["phone"]


async def test_an_order_replaces_no_phone_number_and_an_account_does(
    connect: Connect,
) -> None:
    tool = await connect(Shopify())
    await tool.accepted(calls.shopify("customers/create", calls.SHOPIFY_CUSTOMER, "w1"))
    other = {"phone": "+442079460000", "updated_at": "2026-02-24T10:00:00-05:00"}
    customer = changed(calls.SHOPIFY_CUSTOMER, **other)
    order = changed(calls.SHOPIFY_ORDER, customer=customer, phone=other["phone"])

    await tool.accepted(calls.shopify("orders/create", order, "w2"))
    ordered = await tool.profile(email="ada@example.org")
    await tool.accepted(calls.shopify("customers/update", customer, "w3"))
    told = await tool.profile(email="ada@example.org")

    assert (ordered["phone_number"], told["phone_number"]) == (
        "+14155550132",
        "+442079460000",
    )


REDACT: calls.Body = {
    "shop_id": 954889,
    "shop_domain": "tea.myshopify.com",
    "customer": {
        "id": calls.SHOPIFY_CUSTOMER["id"],
        "email": "ADA@example.org",
        "phone": "+1 (415) 555-0132",
    },
    "orders_to_redact": [calls.SHOPIFY_ORDER["id"]],
}


async def test_a_customer_is_erased_when_the_shop_asks_and_may(
    connect: Connect, db: Database
) -> None:
    tool = await connect(Shopify(erases_customers=True))
    bob = {"id": 1, "email": "bob@example.org", "default_address": None}
    await tool.accepted(calls.shopify("orders/create", calls.SHOPIFY_ORDER, "w1"))
    other = changed(calls.SHOPIFY_CUSTOMER, **bob)
    await tool.accepted(calls.shopify("customers/create", other, "w2"))

    await tool.accepted(calls.shopify("customers/redact", REDACT, "w3"))
    again = await tool.call(calls.shopify("customers/redact", REDACT, "w4"))

    assert [row["email"] for row in await find(db.profiles, {})] == ["bob@example.org"]
    assert await db.events.count_documents({}) == 0
    (entry,) = await find(db.erasures, {})
    assert entry["method"] == "INTEGRATION"
    assert again.json() == {
        "status": "IGNORED",
        "message": "Nobody here is this customer.",
    }
    assert await tool.counts() == {"ACCEPTED": 3, "IGNORED": 1}


@pytest.mark.parametrize(
    ("customer", "left"),
    [
        # Whom the account's calls have told of, whatever their address is now.
        ({"id": calls.SHOPIFY_CUSTOMER["id"], "email": None, "phone": None}, []),
        # The number is of somebody who has an address.
        ({"id": 2, "email": None, "phone": "+14155550132"}, ["ada@example.org"]),
        (
            {"id": 2, "email": "eve@example.org", "phone": "+14155550132"},
            ["ada@example.org"],
        ),
        ({"id": 2, "email": None, "phone": None}, ["ada@example.org"]),
    ],
)
async def test_whom_a_shop_means(
    connect: Connect, db: Database, customer: calls.Body, left: list[str]
) -> None:
    tool = await connect(Shopify(erases_customers=True))
    await tool.accepted(calls.shopify("customers/create", calls.SHOPIFY_CUSTOMER, "w1"))

    asked = changed(REDACT, customer=customer)
    await tool.call(calls.shopify("customers/redact", asked, "w2"))

    assert [row["email"] for row in await find(db.profiles, {})] == left


@pytest.mark.parametrize("topic", list(ASKED))
async def test_what_a_shop_asks_for_is_told_in_the_log(
    connect: Connect, db: Database, topic: str
) -> None:
    tool = await connect(Shopify())
    await tool.accepted(calls.shopify("orders/create", calls.SHOPIFY_ORDER, "w1"))

    answer = await tool.call(calls.shopify(topic, REDACT, "w2"))

    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "IGNORED", "message": ASKED[topic]},
    )
    assert await tool.problems() == [("IGNORED", topic, ASKED[topic])]
    assert await db.profiles.count_documents({}) == 1
