"""The segments that the demonstration begins with."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from audience.errors import Taken
from resolvers.db import Database
from resolvers.segments import create_segment
from server.seeds.household import ORDERED_PRODUCT, PLACED_ORDER, REDEEMED_COUPON


def ordered(compare: Mapping[str, float], days: int | None = None) -> dict[str, Any]:
    """A condition on the number of orders, ever or in the last so many days."""
    return did(PLACED_ORDER, compare, days)


def did(
    metric: str,
    compare: Mapping[str, float],
    days: int | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A condition on a metric in the form of the API's input."""
    condition: dict[str, Any] = {"metric": {"name": metric}, "compare": dict(compare)}
    if days is not None:
        condition["during"] = {"inTheLast": {"amount": days, "unit": "DAY"}}
    return {"event": condition | more}


def every(*conditions: Mapping[str, Any]) -> dict[str, Any]:
    """The definition in which each condition must hold."""
    return {"groups": [{"anyOf": [dict(condition)]} for condition in conditions]}


STARTERS: dict[str, dict[str, Any]] = {
    "Lapsed buyers": every(
        ordered({"atLeast": 1}, 365),
        ordered({"equals": 0}, 60),
    ),
    "Regulars who can be reached": every(
        ordered({"atLeast": 6}, 60),
        {"consent": {"channel": "EMAIL", "canReceiveMarketing": True}},
    ),
    "Coupon users with children": every(
        did(REDEEMED_COUPON, {"atLeast": 1}),
        {
            "property": {
                "filter": {
                    "path": "properties.kidsCount",
                    "is": {"text": {"in": ["1", "2", "3+"]}},
                }
            }
        },
    ),
    "Big baskets of produce": every(
        did(
            ORDERED_PRODUCT,
            {"atLeast": 100},
            90,
            measure="SUM",
            where=[
                {"path": "properties.department", "is": {"text": {"equals": "PRODUCE"}}}
            ],
        ),
    ),
}


async def make_starters(db: Database, now: datetime) -> None:
    """Makes the segments whose names are still free."""
    for name, definition in STARTERS.items():
        try:
            await create_segment(db, name, definition, now=now)
        except Taken:
            continue
