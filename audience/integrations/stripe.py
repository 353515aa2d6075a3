"""What Stripe's calls say: checkouts, payments, invoices, subscriptions, customers.

Each is an event of Stripe's with an id of its own. A subscription names its customer
alone, whom earlier calls have told of.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from audience.consent import Channel, Status
from audience.integrations.calls import (
    Heard,
    HeardConsent,
    HeardEvent,
    Ignored,
    currency_of,
    instant,
    mapping,
    money,
    objects,
    text,
    told,
    unique_id,
    wanted,
)

Read = Callable[[Mapping[str, Any], datetime], Heard | Ignored]


def heard_from_stripe(
    topic: str, body: Mapping[str, Any], received_at: datetime
) -> Heard | Ignored:
    """What the call says."""
    read = _READERS.get(topic)
    if read is None:
        return Ignored("Nothing is kept of this topic.")
    data = mapping(body.get("data"))
    thing = mapping(data.get("object"))
    if topic == "charge.refunded":
        before = mapping(data.get("previous_attributes")).get("amount_refunded")
        thing = {**thing, "_refunded_before": before}
    return read(thing, instant(body.get("created")) or received_at)


def _checkout(session: Mapping[str, Any], at: datetime) -> Heard | Ignored:
    if session.get("payment_status") == "unpaid":
        return Ignored("The checkout is not paid yet; another call tells when it is.")
    promotions = mapping(session.get("consent")).get("promotions")
    consents = (
        [HeardConsent(Channel.EMAIL, Status.SUBSCRIBED, at)]
        if promotions == "opt_in"
        else []
    )
    event = _paid("Placed Order", session, at, "amount_total")
    person = _checkout_person(session)
    return Heard(person, at, [event], consents, **_customer_of(session, person))


def _abandoned(session: Mapping[str, Any], at: datetime) -> Heard | Ignored:
    person = _checkout_person(session)
    if not person.get("email") and not person.get("phoneNumber"):
        return Ignored("Nobody is named in this checkout.")
    started_at = instant(session.get("created")) or at
    event = _paid("Started Checkout", session, started_at, "amount_total")
    return Heard(person, at, [event])


def _charge(metric: str) -> Read:
    def read(charge: Mapping[str, Any], at: datetime) -> Heard:
        person = _billing_person(charge)
        event = _paid(metric, charge, at, "amount")
        return Heard(person, at, [event], **_customer_of(charge, person))

    return read


def _refund(charge: Mapping[str, Any], at: datetime) -> Heard:
    """One charge can be refunded bit by bit; the amount is the sum of all so far."""
    refunded = charge.get("amount_refunded")
    before = charge.get("_refunded_before")
    amount = refunded
    if isinstance(refunded, int) and isinstance(before, int):
        amount = refunded - before
    identifier = wanted(text(charge.get("id")), "charge's id")
    event = HeardEvent(
        "Refunded Payment",
        at,
        unique_id(identifier, text(refunded) or ""),
        money(amount, charge.get("currency")),
        currency_of(charge.get("currency")),
        told(PaymentId=identifier, Description=text(charge.get("description"))),
    )
    person = _billing_person(charge)
    return Heard(person, at, [event], **_customer_of(charge, person))


def _customer(customer: Mapping[str, Any], at: datetime) -> Heard:
    person = _named(customer) | {
        "email": text(customer.get("email")),
        "phoneNumber": text(customer.get("phone")),
        "location": _place(customer.get("address")),
    }
    languages = customer.get("preferred_locales")
    if isinstance(languages, list) and languages:
        person["locale"] = text(languages[0])
    known = text(customer.get("id"))
    return Heard(
        _kept(person),
        at,
        remember=[unique_id("customer", known)] if known else (),
        is_account=True,
    )


def _invoice(metric: str, amount: str) -> Read:
    def read(invoice: Mapping[str, Any], at: datetime) -> Heard:
        person = _kept(
            {
                "email": text(invoice.get("customer_email")),
                "phoneNumber": text(invoice.get("customer_phone")),
                "location": _place(invoice.get("customer_address")),
                **_named({"name": invoice.get("customer_name")}),
            }
        )
        lines = mapping(invoice.get("lines")).get("data")
        items = [
            name for each in objects(lines) if (name := text(each.get("description")))
        ]
        event = _paid(metric, invoice, at, amount, Items=items)
        return Heard(person, at, [event], **_customer_of(invoice, person))

    return read


def _subscription(metric: str) -> Read:
    def read(subscription: Mapping[str, Any], at: datetime) -> Heard:
        identifier = wanted(text(subscription.get("id")), "subscription's id")
        items = list(objects(mapping(subscription.get("items")).get("data")))
        prices = [mapping(each.get("price") or each.get("plan")) for each in items]
        event = HeardEvent(
            metric,
            at,
            unique_id(identifier, int(at.timestamp())),
            properties=told(
                SubscriptionId=identifier,
                Status=text(subscription.get("status")),
                Plans=[
                    name
                    for each in prices
                    if (name := text(each.get("nickname")) or text(each.get("id")))
                ],
            ),
        )
        return Heard({}, at, [event], **_customer_of(subscription, {}))

    return read


_READERS: dict[str, Read] = {
    "checkout.session.completed": _checkout,
    "checkout.session.async_payment_succeeded": _checkout,
    "checkout.session.expired": _abandoned,
    "charge.succeeded": _charge("Successful Payment"),
    "charge.failed": _charge("Failed Payment"),
    "charge.refunded": _refund,
    "customer.created": _customer,
    "customer.updated": _customer,
    "invoice.paid": _invoice("Paid Invoice", "amount_paid"),
    "invoice.payment_failed": _invoice("Failed Invoice", "amount_due"),
    "customer.subscription.created": _subscription("Started Subscription"),
    "customer.subscription.updated": _subscription("Updated Subscription"),
    "customer.subscription.deleted": _subscription("Cancelled Subscription"),
}


def _paid(
    metric: str, thing: Mapping[str, Any], at: datetime, amount: str, **more: Any
) -> HeardEvent:
    identifier = wanted(text(thing.get("id")), "object's id")
    currency = thing.get("currency")
    return HeardEvent(
        metric,
        at,
        unique_id(identifier),
        money(thing.get(amount), currency),
        currency_of(currency),
        told(
            PaymentId=identifier,
            Mode=text(thing.get("mode")),
            Description=text(thing.get("description")),
            Failure=text(thing.get("failure_message")),
            **more,
        ),
    )


def _customer_of(thing: Mapping[str, Any], person: Mapping[str, Any]) -> dict[str, Any]:
    """Whom this is about where nobody is named; and whom it tells of where one is."""
    customer = thing.get("customer")
    known = text(mapping(customer).get("id") or customer)
    if known is None:
        return {}
    reference = unique_id("customer", known)
    is_named = bool(person.get("email") or person.get("phoneNumber"))
    return {"remember": [reference]} if is_named else {"known_as": reference}


def _checkout_person(session: Mapping[str, Any]) -> dict[str, Any]:
    details = mapping(session.get("customer_details"))
    return _kept(
        {
            **_named(details),
            "email": text(details.get("email")) or text(session.get("customer_email")),
            "phoneNumber": text(details.get("phone")),
            "location": _place(details.get("address")),
        }
    )


def _billing_person(charge: Mapping[str, Any]) -> dict[str, Any]:
    details = mapping(charge.get("billing_details"))
    return _kept(
        {
            **_named(details),
            "email": text(details.get("email")) or text(charge.get("receipt_email")),
            "phoneNumber": text(details.get("phone")),
            "location": _place(details.get("address")),
        }
    )


def _named(thing: Mapping[str, Any]) -> dict[str, Any]:
    """Stripe has a name as one text: its last word is taken for the family's."""
    words = (text(thing.get("name")) or "").split()
    if not words:
        return {}
    if len(words) == 1:
        return {"firstName": words[0]}
    return {"firstName": " ".join(words[:-1]), "lastName": words[-1]}


def _place(address: Any) -> dict[str, str]:
    place = mapping(address)
    found = {
        "address1": text(place.get("line1")),
        "address2": text(place.get("line2")),
        "city": text(place.get("city")),
        "region": text(place.get("state")),
        "country": text(place.get("country")),
        "zip": text(place.get("postal_code")),
    }
    return {name: value for name, value in found.items() if value is not None}


def _kept(person: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in person.items() if value}
