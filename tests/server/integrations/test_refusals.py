from typing import Any

import pytest

from audience.integrations.kinds import (
    IntegrationStatus,
    MessageProvider,
    Settings,
    Shopify,
    Stripe,
    TextMessages,
    Typeform,
    WooCommerce,
)
from audience.integrations.reading import MAX_CALL
from resolvers.db import Database
from resolvers.integrations import (
    update_integration,
)
from tests import integration_calls as calls
from tests.integration_calls import SECRET
from tests.server.integrations.tool import NOW, SERVER_SECRET, Connect, stripe

pytestmark = pytest.mark.anyio


def unsigned(made: tuple[bytes, dict[str, str]], header: str) -> list[Any]:
    """The call with a wrong signature, with none, and with another body."""
    raw, headers = made
    without = {name: value for name, value in headers.items() if name != header}
    return [(raw, headers | {header: "AAAA"}), (raw, without), (raw + b" ", headers)]


async def test_nothing_comes_of_a_call_with_a_bad_signature(
    connect: Connect, db: Database
) -> None:
    shop = await connect(Shopify(), name="a")
    woo = await connect(WooCommerce(), name="b")
    payments = await connect(Stripe(), name="c")
    form = await connect(Typeform(), name="d")
    phone = await connect(TextMessages(MessageProvider.TWILIO, (), "Help."), name="e")
    body = calls.stripe_event("charge.succeeded", calls.STRIPE_CHARGE)
    texted = calls.twilio(f"http://testserver{phone.path}", "STOP", "SM1")
    ordered = calls.shopify("orders/create", calls.SHOPIFY_ORDER, "1")
    bought = calls.woocommerce("order.created", calls.WOO_ORDER, "1")
    tried = [
        (shop, ordered, "X-Shopify-Hmac-Sha256"),
        (woo, bought, "X-WC-Webhook-Signature"),
        (payments, stripe(body), "Stripe-Signature"),
        (form, calls.typeform(calls.TYPEFORM), "Typeform-Signature"),
        (phone, texted, "X-Twilio-Signature"),
    ]

    for tool, made, header in tried:
        for wrong in unsigned(made, header):
            answer = await tool.call(wrong)
            assert answer.status_code == 401
            assert header in answer.json()["errors"][0]["message"]
        assert await tool.counts() == {"REFUSED": 3}

    assert await db.integration_calls.count_documents({}) == 0
    assert await db.profiles.count_documents({}) == 0
    assert await db.events.count_documents({}) == 0


async def test_an_integration_without_a_secret_or_paused_takes_nothing(
    connect: Connect, db: Database
) -> None:
    tool = await connect(Shopify(), None)
    made = calls.shopify("orders/create", calls.SHOPIFY_ORDER, "1")

    early = await tool.call(made)
    assert (early.status_code, early.json()["errors"][0]["message"]) == (
        401,
        "This integration has no secret yet: give it the one that the tool shows.",
    )

    async def change(**changes: Any) -> None:
        await update_integration(
            db,
            tool.integration["_id"],
            {"status": changes["status"]},
            secret=SECRET,
            server_secret=SERVER_SECRET,
            now=NOW,
        )

    await change(status=IntegrationStatus.PAUSED)
    paused = await tool.call(made)
    assert (paused.status_code, paused.headers["retry-after"]) == (503, "600")
    await change(status=IntegrationStatus.ACTIVE)
    await tool.accepted(made)


async def test_an_address_that_is_none(connect: Connect) -> None:
    tool = await connect(Shopify())

    answer = await tool.client.post("/in/nothing", content=b"{}")

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (
        404,
        "NOT_FOUND",
    )


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("rates", [{"rate_limit_address": "2/hour"}])
@pytest.mark.parametrize(
    ("settings", "made", "status"),
    [
        (Shopify(), (b"{}", {}), 401),
        (Shopify(), (b"x" * (MAX_CALL + 1), {}), 413),
        (WooCommerce(), (b"webhook_id=3", FORM), 200),
        (TextMessages(MessageProvider.TWILIO, (), "Help."), (b"\xff", FORM), 400),
    ],
)
async def test_what_is_not_verified_comes_from_an_address_so_often(
    connect: Connect, settings: Settings, made: tuple[bytes, Any], status: int
) -> None:
    tool = await connect(settings)

    answers = [await tool.call(made) for _ in range(3)]

    assert [each.status_code for each in answers] == [status, status, 429]
    assert int(answers[2].headers["retry-after"]) > 0
    assert answers[2].json()["errors"][0]["code"] == "RATE_LIMITED"


@pytest.mark.parametrize("rates", [{"rate_limit_address": "2/hour"}])
async def test_what_a_tool_sends_while_it_is_paused_is_not_counted(
    connect: Connect,
) -> None:
    tool = await connect(Shopify())
    await update_integration(
        tool.db,
        tool.integration["_id"],
        {"status": IntegrationStatus.PAUSED},
        server_secret=SERVER_SECRET,
        now=NOW,
    )

    made = calls.shopify("orders/create", calls.SHOPIFY_ORDER, "1")
    paused = [await tool.call(made) for _ in range(3)]
    strange = await tool.call((b"{}", {}))
    unknown = [await tool.client.post("/in/nothing") for _ in range(2)]

    assert [(each.status_code, each.headers["retry-after"]) for each in paused] == [
        (503, "600")
    ] * 3
    assert [each.status_code for each in (strange, *unknown)] == [401, 404, 429]


@pytest.mark.parametrize(
    "rates", [{"rate_limit_integration": "2/hour", "rate_limit_address": "1/hour"}]
)
async def test_a_tool_may_call_so_often_whatever_strangers_do(connect: Connect) -> None:
    tool = await connect(Shopify())
    other = await connect(Shopify(), name="Other")
    strange = [await tool.call((b"{}", {})) for _ in range(3)]

    made = [
        await each.call(calls.shopify("orders/create", calls.SHOPIFY_ORDER, str(n)))
        for each, n in ((tool, 1), (tool, 2), (tool, 3), (other, 4))
    ]

    assert [each.status_code for each in strange] == [401, 429, 429]
    assert [each.status_code for each in made] == [200, 200, 429, 200]
    assert await tool.db.integration_calls.count_documents({}) == 3
