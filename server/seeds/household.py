"""What one household of the Complete Journey becomes: a person, what the person did,
the lists the person is in, and what the person agreed to."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from audience.consent import Status
from audience.events import NewEvent, new_event
from audience.identity import Identity
from audience.profiles import ProfileChange, profile_change
from server.seeds.people import person, share
from server.seeds.source import Campaign

PLACED_ORDER = "Placed Order"
ORDERED_PRODUCT = "Ordered Product"
REDEEMED_COUPON = "Redeemed Coupon"
RECEIVED_CAMPAIGN = "Received Campaign"
METRICS = (PLACED_ORDER, ORDERED_PRODUCT, REDEEMED_COUPON, RECEIVED_CAMPAIGN)

CURRENCY = "USD"
DAY = 86_400

# Of 100 households so many agreed to e-mail, and so many of these took it back.
AGREED = 65
TOOK_BACK = 5

_PROPERTIES = {
    "age": "age",
    "income": "income",
    "home_ownership": "homeOwnership",
    "marital_status": "maritalStatus",
    "household_size": "householdSize",
    "household_comp": "householdComposition",
    "kids_count": "kidsCount",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """What holds for all households: the shift of their times and the names of
    products and campaigns."""

    shift_days: int
    now: datetime
    products: Mapping[str, list[str | None]]
    campaigns: Mapping[int, Campaign]

    def time(self, seconds: int) -> datetime:
        """The shifted time."""
        return datetime.fromtimestamp(seconds + self.shift_days * DAY, UTC)


def change_of(row: Mapping[str, Any]) -> ProfileChange:
    """The household as a profile: a made-up person, the real demographics."""
    number = row["household"]
    who = person(number)
    demographics = row["demographics"]
    return profile_change(
        {
            "externalId": external_id(number),
            "email": who.email,
            "firstName": who.first_name,
            "lastName": who.last_name,
            "location": who.location,
            "properties": {
                "household": number,
                **{
                    shown: demographics[name]
                    for name, shown in _PROPERTIES.items()
                    if name in demographics
                },
            },
        }
    )


def external_id(number: int) -> str:
    """How the household is known outside."""
    return f"household-{number}"


def answers_of(
    row: Mapping[str, Any], setting: Setting
) -> list[tuple[Status, datetime]]:
    """What the household has said about e-mail, and when: with the first basket and,
    for a few, with the last one."""
    part = share(row["household"])
    if part >= AGREED:
        return []
    first, last = row["baskets"][0][1], row["baskets"][-1][1]
    answers = [(Status.SUBSCRIBED, setting.time(first))]
    if part < TOOK_BACK:
        answers.append((Status.UNSUBSCRIBED, setting.time(last)))
    return answers


def events_of(
    row: Mapping[str, Any], who: Identity, setting: Setting
) -> list[NewEvent]:
    """Everything that the household did, in order of time."""
    events = [
        *_received(row, who, setting),
        *_redeemed(row, who, setting),
        *_ordered(row, who, setting),
    ]
    events.sort(key=lambda event: event.timestamp)
    return events


def _ordered(
    row: Mapping[str, Any], who: Identity, setting: Setting
) -> Iterator[NewEvent]:
    products, now = setting.products, setting.now
    for basket, seconds, store, lines in row["baskets"]:
        time = setting.time(seconds)
        number = str(basket)
        yield new_event(
            who,
            PLACED_ORDER,
            now=now,
            timestamp=time,
            value=round(sum(line[2] for line in lines), 2),
            currency=CURRENCY,
            properties={
                "basketId": number,
                "storeId": store,
                "items": len(lines),
                "discount": round(sum(line[3] for line in lines), 2),
                "couponDiscount": round(sum(line[4] for line in lines), 2),
            },
            unique_id=number,
        )
        for product, quantity, paid, _, _ in lines:
            known = products.get(str(product))
            department, brand, category, kind = known[:4] if known else (None,) * 4
            properties: dict[str, Any] = {
                "basketId": number,
                "productId": product,
                "product": kind or category or f"Product {product}",
                "quantity": quantity,
            }
            if department is not None:
                properties["department"] = department
                properties["brand"] = brand
            yield new_event(
                who,
                ORDERED_PRODUCT,
                now=now,
                timestamp=time,
                value=paid,
                currency=CURRENCY,
                properties=properties,
                unique_id=f"{number}/{product}",
            )


def _redeemed(
    row: Mapping[str, Any], who: Identity, setting: Setting
) -> Iterator[NewEvent]:
    for coupon, campaign, seconds in row["coupons"]:
        time = setting.time(seconds)
        yield new_event(
            who,
            REDEEMED_COUPON,
            now=setting.now,
            timestamp=time,
            properties={
                "couponId": str(coupon),
                "campaign": setting.campaigns[campaign].name,
            },
            # The day as the source names it, whatever the shift.
            unique_id=f"{coupon}/{campaign}/{seconds // DAY}",
        )


def _received(
    row: Mapping[str, Any], who: Identity, setting: Setting
) -> Iterator[NewEvent]:
    for number in row["campaigns"]:
        campaign = setting.campaigns[number]
        yield new_event(
            who,
            RECEIVED_CAMPAIGN,
            now=setting.now,
            timestamp=setting.time(campaign.start),
            properties={
                "campaign": campaign.name,
                "type": campaign.kind,
                "endsAt": setting.time(campaign.end).date().isoformat(),
            },
            unique_id=str(number),
        )
