"""What calls of other tools say, read without a server: values, people, which call it
is, and what each kind hears."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from audience.consent import Channel, Status
from audience.errors import AudienceError, InvalidInput
from audience.identity import Identity
from audience.integrations.calls import (
    AskedErasure,
    Heard,
    HeardConsent,
    HeardEvent,
    Ignored,
    agrees,
    checked_person,
    currency_of,
    instant,
    money,
    number,
    property_name,
    unique_id,
)
from audience.integrations.kinds import (
    Agreement,
    InboundWebhook,
    Keyword,
    Mapping,
    MessagePaths,
    MessageProvider,
    Settings,
    Shopify,
    Stripe,
    TextMessages,
    Typeform,
    WooCommerce,
)
from audience.integrations.messages import (
    Meaning,
    Message,
    meaning_of,
    message_of,
    twiml,
)
from audience.integrations.reading import call_of, heard_from, named_in
from tests import integration_calls as calls
from tests.integration_calls import changed

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ORDERED_AT = datetime(2026, 2, 20, 15, tzinfo=UTC)
KEYWORD = Keyword("TEA", "1", "News by text message.", "Welcome.")
TWILIO = TextMessages(MessageProvider.TWILIO, (KEYWORD,), "Help.")


def heard(settings: Settings, body: Any, topic: str = "") -> Heard:
    found = heard_from(settings, topic, body, orjson.dumps(body), NOW)
    assert isinstance(found, Heard)
    return found


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2026-02-20T10:00:00-05:00", ORDERED_AT),
        (" 2026-02-20T15:00:00Z ", ORDERED_AT),
        ("2026-02-20 15:00:00 UTC", ORDERED_AT),
        ("2026-02-20T15:00:00", ORDERED_AT),
        (1_771_599_600, ORDERED_AT),
        (1_771_599_600_000, ORDERED_AT),
        ("1771599600", ORDERED_AT),
        ("yesterday", None),
        ("", None),
        (True, None),
        (None, None),
        ("1989-12-31T23:59:59Z", None),
        (1e30, None),
        (float("nan"), None),
    ],
)
def test_a_time_in_any_of_its_forms(given: Any, expected: datetime | None) -> None:
    assert instant(given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("19.95", 19.95),
        (3, 3.0),
        ("-1", -1.0),
        ("a", None),
        (True, None),
        ("inf", None),
    ],
)
def test_a_number_or_none(given: Any, expected: float | None) -> None:
    assert number(given) == expected


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        (1999, "eur", 19.99),
        (5000, "JPY", 5000.0),
        ("1234", "kwd", 1.234),
        (1999, None, 19.99),
        ("x", "EUR", None),
    ],
)
def test_money_in_the_main_unit_of_its_currency(
    amount: Any, currency: Any, expected: float | None
) -> None:
    assert money(amount, currency) == expected


def test_codes_of_currencies_answers_and_names_of_properties() -> None:
    codes = [currency_of(each) for each in (" eur", "EURO", None, 978)]
    answers = [agrees(each) for each in (True, "Yes", 1, "on", False, "no", None, [1])]
    names = [property_name(each) for each in ("Which tea. Really?", "{{x}} $", "")]

    assert codes == ["EUR", None, None, None]
    assert answers == [True] * 4 + [False] * 4
    assert names == ["Which tea Really?", "Answer", "Answer"]


def test_one_odd_value_of_a_person_loses_no_other() -> None:
    change, left_out = checked_person(
        {
            "email": "Ada@example.org",
            "phoneNumber": "(415) 555-0132",
            "firstName": "Ada",
            "locale": "?",
            "location": {"country": "US", "city": "x" * 300},
        }
    )

    assert change is not None
    assert change.identity == Identity(
        email="ada@example.org", phone_number="+14155550132"
    )
    assert (change.attributes, change.location) == (
        {"first_name": "Ada"},
        {"country": "US"},
    )
    assert left_out == ("locale", "location.city")
    assert checked_person({"email": "no", "phoneNumber": "1"}) == (
        None,
        ("phoneNumber", "email"),
    )


@pytest.mark.parametrize(
    ("settings", "headers", "body", "expected"),
    [
        (
            Shopify(),
            {"x-shopify-webhook-id": "w", "x-shopify-topic": "orders/paid "},
            {},
            ("w", "orders/paid"),
        ),
        (
            WooCommerce(),
            {"x-wc-webhook-delivery-id": "d", "x-wc-webhook-topic": "order.created"},
            {},
            ("d", "order.created"),
        ),
        (
            Stripe(),
            {},
            {"id": "evt_1", "type": "invoice.paid"},
            ("evt_1", "invoice.paid"),
        ),
        (Typeform(), {}, {"event_id": 7, "event_type": "x"}, ("7", "x")),
        (InboundWebhook((), unique_id="$.id"), {}, {"id": 17}, ("17", "")),
        (TWILIO, {}, {"From": "+14155550132", "MessageSid": "SM1"}, ("SM1", "")),
    ],
)
def test_which_call_it_is(
    settings: Settings, headers: dict[str, str], body: Any, expected: tuple[str, str]
) -> None:
    assert call_of(settings, headers, body, b"") == expected


@pytest.mark.parametrize("settings", [Shopify(), WooCommerce(), Stripe(), Typeform()])
def test_a_call_without_an_id_is_refused(settings: Settings) -> None:
    with pytest.raises(InvalidInput, match="no id of its own"):
        call_of(settings, {}, {}, b"{}")


def test_what_an_order_in_a_shopify_shop_says() -> None:
    found = heard(Shopify(), calls.SHOPIFY_ORDER, "orders/create")

    assert found.person["email"] == "Ada@example.org"
    assert [(each.metric, each.unique_id, each.value) for each in found.events] == [
        ("Placed Order", "820982911946154508", 59.9),
        ("Ordered Product", "820982911946154508:866550311766439020", 39.9),
        ("Ordered Product", "820982911946154508:141249953214522974", 15.0),
    ]
    assert {each.timestamp for each in found.events} == {ORDERED_AT}
    assert found.consents == [
        HeardConsent(
            Channel.EMAIL, Status.SUBSCRIBED, datetime(2026, 2, 1, 14, tzinfo=UTC)
        )
    ]
    assert (found.as_of, found.remember) == (
        ORDERED_AT,
        ["order:820982911946154508"],
    )
    assert (found.is_account, found.joined_at) == (False, None)


def test_consent_in_a_shopify_shop_is_dated_where_the_shop_says_when() -> None:
    undated = changed(
        calls.SHOPIFY_CUSTOMER, email_marketing_consent={"state": "subscribed"}
    )

    found = heard(Shopify(), undated, "customers/update")

    assert found.is_account
    assert found.consents == [
        HeardConsent(Channel.EMAIL, Status.SUBSCRIBED, ORDERED_AT, is_dated=False)
    ]


def test_what_a_shopify_shop_wants_erased() -> None:
    body = {"customer": {"id": 7, "email": "ada@example.org", "phone": None}}
    raw = orjson.dumps(body)

    may = heard_from(Shopify(erases_customers=True), "customers/redact", body, raw, NOW)
    may_not = heard_from(Shopify(), "customers/redact", body, raw, NOW)

    assert may == AskedErasure(
        {"email": "ada@example.org", "phoneNumber": None}, "customer:7"
    )
    assert isinstance(may_not, Ignored)


@pytest.mark.parametrize(
    ("status", "metrics"),
    [
        ("pending", []),
        ("processing", ["Placed Order", "Ordered Product"]),
        ("wc-completed", ["Placed Order", "Ordered Product", "Fulfilled Order"]),
        ("cancelled", ["Cancelled Order"]),
        ("refunded", ["Placed Order", "Ordered Product", "Refunded Order"]),
    ],
)
def test_what_a_woocommerce_order_says_by_its_status(
    status: str, metrics: list[str]
) -> None:
    body = changed(calls.WOO_ORDER, status=status)

    found = heard(WooCommerce("1"), body, "order.updated")

    assert [each.metric for each in found.events] == metrics
    placed_at = datetime(2026, 2, 20, 15, 28, 2, tzinfo=UTC)
    assert found.joined_at == (placed_at if metrics else None)


def test_a_woocommerce_account_does_not_date_its_consent() -> None:
    settings = WooCommerce("1", (Agreement(Channel.EMAIL, "_newsletter", "News."),))
    agreed = [{"key": "_newsletter", "value": "yes"}]
    at = datetime(2026, 2, 22, 9, tzinfo=UTC)
    placed_at = datetime(2026, 2, 20, 15, 28, 2, tzinfo=UTC)
    said = HeardConsent(Channel.EMAIL, Status.SUBSCRIBED, at, "News.", is_dated=False)

    account = heard(
        settings, changed(calls.WOO_CUSTOMER, meta_data=agreed), "customer.updated"
    )
    order = heard(settings, calls.WOO_ORDER, "order.created")

    assert (account.consents, account.joined_at, account.is_account) == (
        [said],
        None,
        True,
    )
    assert order.consents == [replace(said, at=placed_at, is_dated=True)]


def test_what_a_stripe_checkout_says() -> None:
    body = calls.stripe_event("checkout.session.completed", calls.STRIPE_SESSION)

    found = heard(Stripe(), body, "checkout.session.completed")

    at = instant(body["created"])
    assert found.person == {
        "firstName": "Grace Brewster",
        "lastName": "Hopper",
        "email": "grace@example.org",
        "phoneNumber": "+4930901820",
        "location": {
            "address1": "Uferweg 4",
            "city": "Berlin",
            "country": "DE",
            "zip": "10117",
        },
    }
    assert found.events == [
        HeardEvent(
            "Placed Order",
            at or NOW,
            "cs_test_a1Test",
            21.98,
            "EUR",
            {"PaymentId": "cs_test_a1Test", "Mode": "payment"},
        )
    ]
    assert found.consents == [HeardConsent(Channel.EMAIL, Status.SUBSCRIBED, at or NOW)]
    assert found.remember == ["customer:cus_Test1"]


def test_a_stripe_subscription_names_its_customer_alone() -> None:
    topic = "customer.subscription.created"
    body = calls.stripe_event(topic, calls.STRIPE_SUBSCRIPTION)

    found = heard(Stripe(), body, topic)

    assert (found.person, found.known_as) == ({}, "customer:cus_Test1")
    assert [each.metric for each in found.events] == ["Started Subscription"]


def test_what_an_answer_in_typeform_says() -> None:
    settings = Typeform(
        "1",
        (Mapping("location.city", "town"),),
        (Agreement(Channel.EMAIL, "news", "News."),),
    )
    at = datetime(2026, 2, 20, 18, 17, 2, tzinfo=UTC)

    found = heard(settings, calls.TYPEFORM)

    assert found.person == {
        "lastName": "Lovelace",
        "email": "ada@example.org",
        "firstName": "Ada",
        "phoneNumber": "+14155550132",
        "location": {"city": "London"},
    }
    assert found.consents == [
        HeardConsent(Channel.EMAIL, Status.SUBSCRIBED, at, "News.")
    ]
    (event,) = found.events
    assert (event.metric, event.timestamp, event.value) == ("Filled Out Form", at, 9.0)
    assert event.properties["Which tea Really?"] == ["Green", "White"]
    assert found.joined_at is None


def test_what_a_mapped_call_says_with_a_time_of_its_own_and_without() -> None:
    settings = InboundWebhook((Mapping("email", "mail"),), timestamp="at", list_id="1")
    body = {"mail": "ada@example.org", "at": "2026-02-20T15:00:00Z"}

    dated = heard(settings, body)
    undated = heard(settings, {"mail": "ada@example.org"})

    assert dated == Heard(
        {"email": "ada@example.org"}, ORDERED_AT, [], [], joined_at=ORDERED_AT
    )
    assert undated == replace(dated, as_of=NOW, joined_at=NOW)
    with pytest.raises(InvalidInput) as caught:
        heard(settings, body | {"at": "soon"})
    assert caught.value.problems[0].path == ("timestamp",)


def test_who_is_named_in_a_call() -> None:
    settings = InboundWebhook((Mapping("email", "mail"), Mapping("externalId", "id")))
    found = [
        named_in(settings, "", b'{"mail": "ADA@Example.org", "id": 7}', NOW),
        named_in(TWILIO, "", b"From=%2B1+(415)+555-0132&Body=TEA", NOW),
        named_in(Shopify(), "refunds/create", orjson.dumps(calls.SHOPIFY_REFUND), NOW),
        named_in(Shopify(), "shop/redact", b"{}", NOW),
    ]

    assert found == [
        (Identity(email="ada@example.org", external_id="7"), None),
        (Identity(phone_number="+14155550132"), None),
        (Identity(), "order:820982911946154508"),
        (Identity(), None),
    ]
    with pytest.raises(AudienceError):
        named_in(settings, "", b"{", NOW)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("tea", (Meaning.KEYWORD, KEYWORD)),
        ("Tea, please!", (Meaning.KEYWORD, KEYWORD)),
        ("STOP", (Meaning.STOP, None)),
        ("please stop.", (Meaning.STOP, None)),
        ("Opt-out", (Meaning.STOP, None)),
        ("start", (Meaning.START, None)),
        ("Y", (Meaning.Y, None)),
        ("Yes!", (Meaning.YES, None)),
        ("help?", (Meaning.HELP, None)),
        ("stop sending me tea", (Meaning.NOTHING, None)),
        ("", (Meaning.NOTHING, None)),
    ],
)
def test_what_a_message_means(
    words: str, expected: tuple[Meaning, Keyword | None]
) -> None:
    assert meaning_of(TWILIO, words) == expected


def test_a_message_of_twilio_and_of_another() -> None:
    paths = MessagePaths("$.from", "$.text", "$.id")
    other = TextMessages(MessageProvider.OTHER, (), "Help.", paths)
    fields = {"From": "+14155550132", "Body": "ARRET", "SmsSid": "SM1"}

    assert [
        message_of(TWILIO, fields),
        message_of(TWILIO, fields | {"OptOutType": "STOP"}),
        message_of(other, {"from": "+1 415 555 0132", "text": "tea", "id": 9}),
    ] == [
        Message("SM1", "+14155550132", "ARRET"),
        Message("SM1", "+14155550132", "STOP", is_answered=True),
        Message("9", "+14155550132", "tea"),
    ]
    for wrong in ({}, {"from": "a shop"}):
        with pytest.raises(InvalidInput):
            message_of(other, wrong)


def test_a_reply_in_twilios_words() -> None:
    assert twiml("<Tea> & cake") == (
        '<?xml version="1.0" encoding="UTF-8"?>'
        "<Response><Message>&lt;Tea&gt; &amp; cake</Message></Response>"
    )
    assert twiml(None) == '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'


def test_long_ids_that_begin_alike_stay_apart() -> None:
    start = "a" * 255
    ids = [unique_id(start), unique_id(start, 1), unique_id(start, 2)]

    assert ids[0] == start
    assert len(set(ids)) == 3
    assert [len(each) for each in ids] == [255, 255, 255]
    assert unique_id(start, 1) == ids[1]
