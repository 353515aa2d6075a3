"""The segments of which the membership bench keeps who is in: of all kinds."""

from bench.generated import CITIES, LIST, METRICS
from bench.questions import days as span
from bench.questions import has
from resolvers.db import Document


def definitions() -> list[tuple[str, Document]]:
    """Fifty, with their names."""
    found: list[tuple[str, Document]] = []
    for number in range(10):
        days = 7 * (number + 1)
        metric = METRICS[number % 4]
        found += [
            (f"Did {number}", did(metric, {"atLeast": 1 + number % 3}, days)),
            (f"Did not {number}", did(metric, {"equals": 0}, days)),
            (
                f"City {number}",
                _property("location.city", {"text": {"equals": CITIES[number]}}),
            ),
            (
                f"Big {number}",
                _both(
                    did("Placed Order", {"atLeast": 1}, 90),
                    did("Opened Email", {"equals": 0}, 10 + number),
                    {"groups": [{"anyOf": [{"list": {"listId": f"lst_{LIST}"}}]}]},
                ),
            ),
            (f"Kind {number}", _kind(number)),
        ]
    return found


def did(
    metric: str,
    compare: Document,
    days: int,
    *,
    measure: str = "COUNT",
    where: list[Document] | None = None,
) -> Document:
    """Who did something so often in the last days."""
    event: Document = {
        "metric": {"name": metric},
        "measure": measure,
        "compare": compare,
        "during": {"inTheLast": span(days)},
    }
    if where:
        event["where"] = where
    return {"groups": [{"anyOf": [{"event": event}]}]}


def _kind(number: int) -> Document:
    consent = {"consent": {"channel": "EMAIL", "canReceiveMarketing": True}}
    kinds: tuple[Document, ...] = (
        _property("properties.tier", {"text": {"equals": "gold"}}),
        {"groups": [{"anyOf": [consent]}]},
        _property("properties.birthday", {"date": {"anniversary": {"today": True}}}),
        _property("createdAt", {"date": {"during": {"inTheLast": span(30)}}}),
        did("Placed Order", {"atLeast": 500}, 30, measure="SUM"),
        did(
            "Placed Order",
            {"atLeast": 1},
            14,
            where=[{"path": "properties.sku", "is": {"text": {"equals": "sku7"}}}],
        ),
        _property("properties.points", {"number": {"atLeast": 900}}),
        {"groups": [{"anyOf": [{"sample": {"percent": 5}}]}]},
        _both(
            _property("properties.tier", {"text": {"equals": "silver"}}),
            did("Viewed Product", {"atLeast": 25}, 365),
        ),
        {
            "groups": [
                {"anyOf": [{"list": {"listId": f"lst_{LIST}", "isMember": False}}]}
            ]
        },
    )
    return kinds[number]


def _property(path: str, comparison: Document) -> Document:
    return {"groups": [{"anyOf": [has(path, comparison)]}]}


def _both(*definitions: Document) -> Document:
    return {"groups": [group for each in definitions for group in each["groups"]]}
