from datetime import UTC, datetime
from typing import Any

import pytest

from audience.consent import Channel
from audience.integrations.kinds import (
    Agreement,
    WooCommerce,
)
from resolvers.db import Database
from resolvers.lists.members import remove_from_list
from tests import integration_calls as calls
from tests.integration_calls import changed
from tests.server.integrations.tool import NOW, Connect, new_list

pytestmark = pytest.mark.anyio


async def test_a_woocommerce_order_by_its_status(
    connect: Connect, db: Database
) -> None:
    list_id = await new_list(db)
    words = "Yes, send me the newsletter."
    tool = await connect(
        WooCommerce(list_id, (Agreement(Channel.EMAIL, "_newsletter", words),))
    )

    def order(call_id: str, **changes: Any) -> tuple[bytes, dict[str, str]]:
        body = changed(calls.WOO_ORDER, **changes)
        return calls.woocommerce("order.updated", body, call_id)

    await tool.accepted(
        calls.woocommerce(
            "order.created", changed(calls.WOO_ORDER, status="pending"), "1"
        )
    )
    assert await tool.events() == []
    await tool.accepted(order("2"))
    await tool.accepted(
        order(
            "3",
            status="completed",
            date_completed_gmt="2026-02-22T10:00:00",
            date_modified_gmt="2026-02-22T10:00:00",
        )
    )
    await tool.accepted(
        order(
            "4",
            status="completed",
            date_completed_gmt="2026-02-22T10:00:00",
            date_modified_gmt="2026-02-23T10:00:00",
            refunds=[{"id": 9, "reason": "late", "total": "-10.00"}],
        )
    )

    who = "zoe@example.org"
    assert await tool.events() == [
        ("Placed Order", "2026-02-20T15:28:02Z", who, 29.35, "EUR"),
        ("Ordered Product", "2026-02-20T15:28:02Z", who, 22.0, "EUR"),
        ("Fulfilled Order", "2026-02-22T10:00:00Z", who, 29.35, "EUR"),
        ("Refunded Order", "2026-02-23T10:00:00Z", who, 10.0, "EUR"),
    ]
    zoe = await tool.profile(email=who)
    assert (zoe["phone_number"], zoe["first_name"]) == ("+33240419000", "Zoé")
    assert [str(each["list_id"]) for each in zoe["lists"]] == [list_id]
    line = await db.consent_changes.find_one({})
    assert line is not None
    assert (line["to"], line["method"], line["source"], line["consent_text"]) == (
        "SUBSCRIBED",
        "INTEGRATION",
        "Tea shop",
        words,
    )


async def test_a_woocommerce_order_is_cancelled(connect: Connect) -> None:
    tool = await connect(WooCommerce())
    gone = changed(
        calls.WOO_ORDER, status="cancelled", date_modified_gmt="2026-02-21T10:00:00"
    )

    await tool.accepted(calls.woocommerce("order.updated", gone, "1"))

    assert await tool.events() == [
        ("Cancelled Order", "2026-02-21T10:00:00Z", "zoe@example.org", 29.35, "EUR")
    ]


async def test_woocommerces_trial_call_says_nothing(
    connect: Connect, db: Database
) -> None:
    tool = await connect(WooCommerce())
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    ping = await tool.call((b"webhook_id=3", form))
    other = await tool.call((b"webhook_id=3&x=1", form))

    assert (ping.status_code, ping.json()) == (200, {"status": "IGNORED"})
    assert other.status_code == 401
    assert await db.integration_calls.count_documents({}) == 0


async def test_a_woocommerce_customer_without_agreements_joins_unasked_once(
    connect: Connect, db: Database
) -> None:
    list_id = await new_list(db)
    tool = await connect(WooCommerce(list_id))

    await tool.accepted(calls.woocommerce("customer.updated", calls.WOO_CUSTOMER, "1"))

    zoe = await tool.profile(email="zoe@example.org")
    assert zoe["last_name"] == "Martin-Roy"
    assert zoe["consent"] == {}
    assert [each["source"] for each in zoe["lists"]] == ["INTEGRATION"]
    await remove_from_list(db, list_id, [zoe["_id"]], now=NOW)
    await tool.accepted(calls.woocommerce("customer.updated", calls.WOO_CUSTOMER, "2"))
    assert (await tool.profile(email="zoe@example.org"))["lists"] == []


async def test_a_changed_account_says_no_new_yes_and_another_order_does(
    connect: Connect, db: Database
) -> None:
    list_id = await new_list(db)
    agreements = (Agreement(Channel.EMAIL, "_newsletter", "News."),)
    tool = await connect(WooCommerce(list_id, agreements))
    agreed = [{"key": "_newsletter", "value": "yes"}]

    async def lists_after(topic: str, body: calls.Body, **changes: Any) -> int:
        made = changed(body, meta_data=agreed, **changes)
        await tool.accepted(calls.woocommerce(topic, made, f"{topic} {changes}"))
        return len((await tool.profile(email="zoe@example.org"))["lists"])

    assert await lists_after("customer.created", calls.WOO_CUSTOMER) == 1
    zoe = await tool.profile(email="zoe@example.org")
    left_at = datetime(2026, 3, 1, tzinfo=UTC)
    await remove_from_list(db, list_id, [zoe["_id"]], now=left_at)

    later = "2026-03-05T09:00:00"
    changes = {"date_modified_gmt": later}
    assert await lists_after("customer.updated", calls.WOO_CUSTOMER, **changes) == 0
    assert await lists_after("order.updated", calls.WOO_ORDER, **changes) == 0
    changes = {"id": "728", "date_created_gmt": "2026-03-03T09:00:00"}
    assert await lists_after("order.created", calls.WOO_ORDER, **changes) == 1
