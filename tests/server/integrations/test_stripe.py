import pytest

from audience.integrations.kinds import (
    Stripe,
)
from resolvers.db import Database
from tests import integration_calls as calls
from tests.integration_calls import changed
from tests.server.integrations.tool import Connect, new_list, stripe

pytestmark = pytest.mark.anyio


async def test_stripe_tells_of_checkouts_payments_and_subscriptions(
    connect: Connect, db: Database
) -> None:
    list_id = await new_list(db)
    tool = await connect(Stripe(list_id))
    event = calls.stripe_event
    refunded = changed(calls.STRIPE_CHARGE, amount_refunded=2000)

    for body in (
        event("checkout.session.completed", calls.STRIPE_SESSION, 1),
        event("charge.succeeded", calls.STRIPE_CHARGE, 2),
        event("invoice.paid", calls.STRIPE_INVOICE, 3),
        event("customer.subscription.created", calls.STRIPE_SUBSCRIPTION, 4),
        event(
            "charge.refunded",
            refunded,
            5,
            previous_attributes={"amount_refunded": 500},
        ),
    ):
        await tool.accepted(stripe(body))

    who = "grace@example.org"
    assert await tool.events() == [
        ("Placed Order", "2026-02-20T15:06:41Z", who, 21.98, "EUR"),
        ("Successful Payment", "2026-02-20T15:06:42Z", who, 5000.0, "JPY"),
        ("Paid Invoice", "2026-02-20T15:06:43Z", who, 15.0, "EUR"),
        ("Started Subscription", "2026-02-20T15:06:44Z", who, None, None),
        ("Refunded Payment", "2026-02-20T15:06:45Z", who, 1500.0, "JPY"),
    ]
    grace = await tool.profile(email=who)
    assert (grace["first_name"], grace["last_name"], grace["phone_number"]) == (
        "Grace",
        "Hopper",
        "+4930901820",
    )
    assert grace["consent"]["email"]["status"] == "SUBSCRIBED"
    assert len(grace["lists"]) == 1
    assert await tool.properties("Started Subscription") == [
        {"SubscriptionId": "sub_Test1", "Status": "active", "Plans": ["Tea club"]}
    ]


async def test_an_order_for_another_address_takes_no_customer_over(
    connect: Connect, db: Database
) -> None:
    tool = await connect(Stripe())
    event = calls.stripe_event
    customer = {"id": "cus_Test1", "object": "customer"}
    grace = {**customer, "email": "grace@example.org"}
    theirs = {"email": "eve@example.org"}

    for body in (
        event("customer.created", grace, 1),
        event(
            "charge.succeeded", changed(calls.STRIPE_CHARGE, billing_details=theirs), 2
        ),
        event("customer.subscription.created", calls.STRIPE_SUBSCRIPTION, 3),
        event("customer.updated", {**customer, "email": "lin@example.org"}, 4),
        event("customer.subscription.deleted", calls.STRIPE_SUBSCRIPTION, 5),
    ):
        await tool.accepted(stripe(body))

    assert [(each[0], each[2]) for each in await tool.events()] == [
        ("Successful Payment", "eve@example.org"),
        ("Started Subscription", "grace@example.org"),
        ("Cancelled Subscription", "lin@example.org"),
    ]


async def test_a_checkout_that_is_not_paid_is_no_order_yet(connect: Connect) -> None:
    tool = await connect(Stripe())
    unpaid = changed(calls.STRIPE_SESSION, payment_status="unpaid", consent=None)
    paid = changed(calls.STRIPE_SESSION, consent={"promotions": "opt_out"})

    first = await tool.call(
        stripe(calls.stripe_event("checkout.session.completed", unpaid, 1))
    )
    assert first.json()["status"] == "IGNORED"
    await tool.accepted(
        stripe(calls.stripe_event("checkout.session.async_payment_succeeded", paid, 2))
    )

    assert [each[0] for each in await tool.events()] == ["Placed Order"]
    assert (await tool.profile(email="grace@example.org"))["consent"] == {}


@pytest.mark.parametrize("age", [400, -400])
async def test_an_old_call_of_stripe_is_not_let_in(
    connect: Connect, db: Database, age: int
) -> None:
    tool = await connect(Stripe())
    body = calls.stripe_event("charge.succeeded", calls.STRIPE_CHARGE)

    answer = await tool.call(stripe(body, age))

    assert answer.status_code == 401
    assert answer.json()["errors"][0]["message"] == (
        "The call was signed more than 5 minutes ago, or the clocks differ."
    )
    assert await db.profiles.count_documents({}) == 0
