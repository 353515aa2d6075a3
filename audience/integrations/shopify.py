"""What Shopify's calls say: orders, refunds, customers and checkouts.

Whatever is told of an order tells that it was placed, too, so that the order of calls
does not matter: events are recorded once, by the order's own id and time.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from audience.consent import Channel, Status
from audience.integrations.calls import (
    AskedErasure,
    Heard,
    HeardConsent,
    HeardEvent,
    Ignored,
    currency_of,
    instant,
    mapping,
    number,
    objects,
    text,
    told,
    unique_id,
    wanted,
)
from audience.integrations.kinds import Shopify

ORDERS = frozenset(
    {"create", "updated", "paid", "fulfilled", "partially_fulfilled", "cancelled"}
)
CUSTOMERS = frozenset({"create", "update", "enable", "disable"})
CHECKOUTS = frozenset({"create", "update"})

# What an app must answer for a shop's customers, and whoever runs this server has to.
ASKED = {
    "customers/redact": "The shop asks for a customer to be erased: erase the person "
    "here, or set erasesCustomers, and it is done with the next one.",
    "customers/data_request": "A customer asks for what is kept of them: answer within "
    "30 days. Profile has all that is known here.",
    "shop/redact": "The shop has removed its app and asks for its data to be erased: "
    "delete this integration, and erase the people whom you know from it alone.",
}

_SAID = {"subscribed": Status.SUBSCRIBED, "unsubscribed": Status.UNSUBSCRIBED}


def heard_from_shopify(
    topic: str, body: Mapping[str, Any], settings: Shopify, received_at: datetime
) -> Heard | AskedErasure | Ignored:
    """What the call says."""
    noun, _, verb = topic.partition("/")
    if noun == "orders" and verb in ORDERS:
        return _order(verb, body, received_at)
    if topic == "refunds/create":
        return _refund(body, received_at)
    if noun == "customers" and verb in CUSTOMERS:
        return _customer(body, received_at)
    if topic == "customers_marketing_consent/update":
        return _consent_alone(body, received_at)
    if noun == "checkouts" and verb in CHECKOUTS:
        return _checkout(body, received_at)
    if topic == "customers/redact" and settings.erases_customers:
        return _erasure(body)
    if topic in ASKED:
        return Ignored(ASKED[topic])
    return Ignored("Nothing is kept of this topic.")


def _order(verb: str, order: Mapping[str, Any], received_at: datetime) -> Heard:
    number_of = wanted(text(order.get("id")), "order's id")
    updated_at = instant(order.get("updated_at")) or received_at
    placed_at = (
        instant(order.get("processed_at"))
        or instant(order.get("created_at"))
        or updated_at
    )
    currency = currency_of(order.get("currency"))
    value = number(order.get("total_price"))
    lines = list(objects(order.get("line_items")))
    about = told(
        OrderId=number_of,
        OrderNumber=text(order.get("name")) or text(order.get("order_number")),
        Items=[name for each in lines if (name := text(each.get("title")))],
        Item_Count=sum(int(number(each.get("quantity")) or 0) for each in lines),
        Discount_Codes=[
            code
            for each in objects(order.get("discount_codes"))
            if (code := text(each.get("code")))
        ],
        Total_Discounts=number(order.get("total_discounts")),
        Source_Name=text(order.get("source_name")),
    )
    events = [
        HeardEvent("Placed Order", placed_at, number_of, value, currency, about),
        *(_product(each, number_of, placed_at, currency) for each in lines),
    ]
    if verb == "paid":
        events.append(
            HeardEvent("Paid Order", updated_at, number_of, value, currency, about)
        )
    if verb == "fulfilled":
        times = [
            at
            for each in objects(order.get("fulfillments"))
            if (at := instant(each.get("created_at")))
        ]
        at = max(times, default=updated_at)
        events.append(
            HeardEvent("Fulfilled Order", at, number_of, value, currency, about)
        )
    if verb == "cancelled":
        at = instant(order.get("cancelled_at")) or updated_at
        reason = told(Reason=text(order.get("cancel_reason")))
        events.append(
            HeardEvent(
                "Cancelled Order", at, number_of, value, currency, about | reason
            )
        )
    customer = mapping(order.get("customer"))
    as_of = instant(customer.get("updated_at")) or updated_at
    return Heard(
        person=_person(customer, order),
        as_of=as_of,
        events=events,
        consents=_consents(customer, order, as_of, placed_at),
        remember=[unique_id("order", number_of)],
    )


def _product(
    line: Mapping[str, Any], order: str, at: datetime, currency: str | None
) -> HeardEvent:
    quantity, price = number(line.get("quantity")), number(line.get("price"))
    value = None if price is None else round(price * (quantity or 1), 2)
    return HeardEvent(
        "Ordered Product",
        at,
        unique_id(order, text(line.get("id")) or text(line.get("title")) or ""),
        value,
        currency,
        told(
            OrderId=order,
            ProductID=text(line.get("product_id")),
            Name=text(line.get("title")),
            Variant_Name=text(line.get("variant_title")),
            SKU=text(line.get("sku")),
            Vendor=text(line.get("vendor")),
            Quantity=quantity,
        ),
    )


def _refund(refund: Mapping[str, Any], received_at: datetime) -> Heard:
    """A refund names the order alone; who placed it was told with the order."""
    order = wanted(text(refund.get("order_id")), "order's id")
    identifier = wanted(text(refund.get("id")), "refund's id")
    at = instant(refund.get("created_at")) or received_at
    paid = [
        each
        for each in objects(refund.get("transactions"))
        if each.get("kind") == "refund" and each.get("status") == "success"
    ]
    amounts = [amount for each in paid if (amount := number(each.get("amount")))]
    currencies = [code for each in paid if (code := currency_of(each.get("currency")))]
    lines = [mapping(each) for each in objects(refund.get("refund_line_items"))]
    event = HeardEvent(
        "Refunded Order",
        at,
        unique_id(order, identifier),
        round(sum(amounts), 2) if amounts else None,
        next(iter(currencies), None),
        told(
            OrderId=order,
            RefundId=identifier,
            Reason=text(refund.get("note")),
            Items=[
                name
                for each in lines
                if (name := text(mapping(each.get("line_item")).get("title")))
            ],
        ),
    )
    return Heard({}, at, [event], known_as=unique_id("order", order))


def _customer(customer: Mapping[str, Any], received_at: datetime) -> Heard:
    as_of = instant(customer.get("updated_at")) or received_at
    tags = [each.strip() for each in str(customer.get("tags") or "").split(",")]
    person = _person(customer, {})
    if "tags" in customer:
        person["properties"] = {"Shopify Tags": [tag for tag in tags if tag][:100]}
    remember = text(customer.get("id"))
    return Heard(
        person=person,
        as_of=as_of,
        consents=_consents(customer, {}, as_of, as_of),
        remember=[unique_id("customer", remember)] if remember else (),
        is_account=True,
    )


def _consent_alone(body: Mapping[str, Any], received_at: datetime) -> Heard:
    known = wanted(text(body.get("customer_id")), "customer's id")
    customer = {
        "email_marketing_consent": body.get("email_marketing_consent"),
        "sms_marketing_consent": body.get("sms_marketing_consent"),
    }
    consents = _consents(customer, {}, received_at, received_at)
    return Heard(
        {}, received_at, consents=consents, known_as=unique_id("customer", known)
    )


def _erasure(body: Mapping[str, Any]) -> AskedErasure:
    customer = mapping(body.get("customer"))
    person = {
        "email": text(customer.get("email")),
        "phoneNumber": text(customer.get("phone")),
    }
    known = text(customer.get("id"))
    return AskedErasure(person, unique_id("customer", known) if known else None)


def _checkout(checkout: Mapping[str, Any], received_at: datetime) -> Heard | Ignored:
    customer = mapping(checkout.get("customer"))
    person = _person(customer, checkout)
    if not person.get("email") and not person.get("phoneNumber"):
        return Ignored("Nobody is named yet in this checkout.")
    token = wanted(
        text(checkout.get("token")) or text(checkout.get("id")), "checkout's token"
    )
    updated_at = instant(checkout.get("updated_at")) or received_at
    started_at = instant(checkout.get("created_at")) or updated_at
    lines = list(objects(checkout.get("line_items")))
    event = HeardEvent(
        "Started Checkout",
        started_at,
        token,
        number(checkout.get("total_price")),
        currency_of(checkout.get("currency")),
        told(
            CheckoutURL=text(checkout.get("abandoned_checkout_url")),
            Items=[name for each in lines if (name := text(each.get("title")))],
            Item_Count=sum(int(number(each.get("quantity")) or 0) for each in lines),
        ),
    )
    as_of = instant(customer.get("updated_at")) or updated_at
    consents = _consents(customer, checkout, as_of, updated_at)
    return Heard(person, as_of, [event], consents)


def _person(customer: Mapping[str, Any], order: Mapping[str, Any]) -> dict[str, Any]:
    place = next(
        (
            found
            for found in (
                customer.get("default_address"),
                order.get("billing_address"),
                order.get("shipping_address"),
            )
            if isinstance(found, dict)
        ),
        {},
    )
    person: dict[str, Any] = {
        "email": text(customer.get("email"))
        or text(order.get("email"))
        or text(order.get("contact_email")),
        "phoneNumber": text(customer.get("phone"))
        or text(order.get("phone"))
        or text(place.get("phone")),
        "firstName": text(customer.get("first_name")) or text(place.get("first_name")),
        "lastName": text(customer.get("last_name")) or text(place.get("last_name")),
        "organization": text(place.get("company")),
        "locale": text(order.get("customer_locale")),
        "location": {
            name: value
            for name, value in {
                "address1": text(place.get("address1")),
                "address2": text(place.get("address2")),
                "city": text(place.get("city")),
                "region": text(place.get("province")),
                "country": text(place.get("country_code"))
                or text(place.get("country")),
                "zip": text(place.get("zip")),
            }.items()
            if value is not None
        },
    }
    return {name: value for name, value in person.items() if value}


def _consents(
    customer: Mapping[str, Any],
    order: Mapping[str, Any],
    as_of: datetime,
    ordered_at: datetime,
) -> list[HeardConsent]:
    found = []
    for channel, name in (
        (Channel.EMAIL, "email_marketing_consent"),
        (Channel.SMS, "sms_marketing_consent"),
    ):
        stated = mapping(customer.get(name))
        status = _SAID.get(str(stated.get("state")).lower())
        if status is not None:
            at = instant(stated.get("consent_updated_at"))
            found.append(
                HeardConsent(channel, status, at or as_of, is_dated=at is not None)
            )
        elif (
            channel is Channel.EMAIL
            and not stated
            and order.get("buyer_accepts_marketing") is True
        ):
            found.append(HeardConsent(channel, Status.SUBSCRIBED, ordered_at))
    return found
