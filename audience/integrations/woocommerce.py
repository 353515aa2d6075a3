"""What WooCommerce's calls say: orders, which tell all that has happened to them by
their status, and customers."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from audience.consent import Status
from audience.integrations.calls import (
    Heard,
    HeardConsent,
    HeardEvent,
    Ignored,
    agrees,
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
from audience.integrations.kinds import WooCommerce

ORDERS = frozenset({"order.created", "order.updated", "order.restored"})
CUSTOMERS = frozenset({"customer.created", "customer.updated"})
UNPLACED = frozenset({"pending", "failed", "checkout-draft", "auto-draft", "trash"})

_PING = re.compile(rb"webhook_id=\d{1,20}")


def is_ping(body: bytes) -> bool:
    """Whether this is the unsigned call by which WooCommerce tries an address when a
    webhook is saved. It says nothing."""
    return _PING.fullmatch(body) is not None


def heard_from_woocommerce(
    topic: str,
    body: Mapping[str, Any],
    settings: WooCommerce,
    received_at: datetime,
) -> Heard | Ignored:
    """What the call says."""
    if topic in ORDERS:
        return _order(body, settings, received_at)
    if topic in CUSTOMERS:
        as_of = _time(body, "date_modified") or received_at
        return Heard(
            person=_person(mapping(body.get("billing")), body),
            as_of=as_of,
            # Of a customer it says when anything of theirs was changed.
            consents=_consents(body, settings, as_of, is_dated=False),
            joined_at=_joined(settings, _time(body, "date_created") or received_at),
            is_account=True,
        )
    return Ignored("Nothing is kept of this topic.")


def _order(
    order: Mapping[str, Any], settings: WooCommerce, received_at: datetime
) -> Heard | Ignored:
    number_of = wanted(text(order.get("id")), "order's id")
    status = (text(order.get("status")) or "").removeprefix("wc-")
    modified_at = _time(order, "date_modified") or received_at
    placed_at = _time(order, "date_created") or modified_at
    currency, value = currency_of(order.get("currency")), number(order.get("total"))
    lines = list(objects(order.get("line_items")))
    about = told(
        OrderId=number_of,
        OrderNumber=text(order.get("number")),
        Items=[name for each in lines if (name := text(each.get("name")))],
        Item_Count=sum(int(number(each.get("quantity")) or 0) for each in lines),
        Discount_Codes=[
            code
            for each in objects(order.get("coupon_lines"))
            if (code := text(each.get("code")))
        ],
        Total_Discounts=number(order.get("discount_total")),
        Payment=text(order.get("payment_method_title")),
    )
    events: list[HeardEvent] = []
    was_paid = _time(order, "date_paid") is not None
    if status not in UNPLACED and (status != "cancelled" or was_paid):
        events.append(
            HeardEvent("Placed Order", placed_at, number_of, value, currency, about)
        )
        events += [_product(each, number_of, placed_at, currency) for each in lines]
    if status == "completed":
        at = _time(order, "date_completed") or modified_at
        events.append(
            HeardEvent("Fulfilled Order", at, number_of, value, currency, about)
        )
    if status == "cancelled":
        events.append(
            HeardEvent(
                "Cancelled Order", modified_at, number_of, value, currency, about
            )
        )
    refunds = list(objects(order.get("refunds")))
    for each in refunds:
        amount = number(each.get("total"))
        refund = told(OrderId=number_of, Reason=text(each.get("reason")))
        events.append(
            HeardEvent(
                "Refunded Order",
                modified_at,
                unique_id(number_of, text(each.get("id")) or ""),
                None if amount is None else abs(amount),
                currency,
                refund,
            )
        )
    if status == "refunded" and not refunds:
        events.append(
            HeardEvent("Refunded Order", modified_at, number_of, value, currency, about)
        )
    return Heard(
        person=_person(mapping(order.get("billing")), {}),
        as_of=modified_at,
        events=events,
        # What was agreed to was agreed to in the checkout, however often it is told.
        consents=_consents(order, settings, placed_at),
        joined_at=_joined(settings, placed_at) if events else None,
    )


def _product(
    line: Mapping[str, Any], order: str, at: datetime, currency: str | None
) -> HeardEvent:
    return HeardEvent(
        "Ordered Product",
        at,
        unique_id(order, text(line.get("id")) or text(line.get("name")) or ""),
        number(line.get("total")),
        currency,
        told(
            OrderId=order,
            ProductID=text(line.get("product_id")),
            Name=text(line.get("name")),
            SKU=text(line.get("sku")),
            Quantity=number(line.get("quantity")),
        ),
    )


def _person(billing: Mapping[str, Any], customer: Mapping[str, Any]) -> dict[str, Any]:
    place = {
        "address1": text(billing.get("address_1")),
        "address2": text(billing.get("address_2")),
        "city": text(billing.get("city")),
        "region": text(billing.get("state")),
        "country": text(billing.get("country")),
        "zip": text(billing.get("postcode")),
    }
    person: dict[str, Any] = {
        "email": text(customer.get("email")) or text(billing.get("email")),
        "phoneNumber": text(billing.get("phone")),
        "firstName": text(customer.get("first_name"))
        or text(billing.get("first_name")),
        "lastName": text(customer.get("last_name")) or text(billing.get("last_name")),
        "organization": text(billing.get("company")),
        "location": {name: value for name, value in place.items() if value},
    }
    return {name: value for name, value in person.items() if value}


def _consents(
    body: Mapping[str, Any],
    settings: WooCommerce,
    at: datetime,
    *,
    is_dated: bool = True,
) -> list[HeardConsent]:
    kept = {
        text(each.get("key")): each.get("value")
        for each in objects(body.get("meta_data"))
    }
    return [
        HeardConsent(each.channel, Status.SUBSCRIBED, at, each.text, is_dated)
        for each in settings.agreements
        if agrees(kept.get(each.path))
    ]


def _joined(settings: WooCommerce, at: datetime) -> datetime | None:
    return None if settings.agreements else at


def _time(body: Mapping[str, Any], name: str) -> datetime | None:
    """Times with `_gmt` are in UTC, without saying so."""
    return instant(body.get(f"{name}_gmt"))
