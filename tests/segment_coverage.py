"""What generated definitions say: every field of the language's inputs, with the kind
of condition in which it stands."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

Feature = tuple[str, str]  # where it stands, and what it is


def features_of(definition: dict[str, Any]) -> Iterator[Feature]:
    """Every operator, timeframe, measure and unit of the definition, with its place:
    a condition's kind, or that and the field it belongs to."""
    for group in definition["groups"]:
        for condition in group["anyOf"]:
            ((kind, said),) = condition.items()
            yield "condition", kind
            if kind in ("all", "not"):
                yield from features_of(said)
            else:
                yield from _fields(kind, said)


def _fields(place: str, said: Any) -> Iterator[Feature]:
    for name, value in said.items():
        match name:
            case "during" | "changed" | "suppressed" | "joined":
                yield place, name
                yield from _timeframe(f"{place} {name}", value)
            case "where":
                yield place, name
                for filter in value:
                    yield from _filter(f"{place} filter", filter)
            case "filter":
                yield from _filter(place, value)
            case "steps":
                yield place, f"{len(value)} steps"
                for step in value:
                    yield from _fields(f"{place} step", step)
            case "compare":
                (operator,) = value
                yield f"{place} {said['measure']}", operator
            case "within" if isinstance(value, dict):
                yield place, f"within {value['unit']}"
            case "metric" | "of" if isinstance(value, dict):
                (which,) = value
                yield place, f"{name} {which}"
            case "of":
                yield place, f"of {value}"
            case "measure" | "channel" | "unit" | "region":
                yield place, str(value)
            case _ if isinstance(value, bool):
                yield place, f"{name} {value}"
            case _:
                yield place, name


def _filter(place: str, filter: Any) -> Iterator[Feature]:
    if "whenMissing" in filter:
        yield place, f"whenMissing {filter['whenMissing']}"
    ((kind, said),) = filter["is"].items()
    yield place, kind
    match kind:
        case "text" | "number":
            (operator,) = said
            yield f"{place} {kind}", operator
        case "items":
            ((operator, value),) = said.items()
            yield f"{place} items", operator
            if operator == "count":
                (compare,) = value
                yield f"{place} count", compare
        case "date":
            yield from _timeframe(f"{place} date", said.get("during", said))
        case _:
            yield f"{place} {kind}", str(said)


def _timeframe(place: str, said: Any) -> Iterator[Feature]:
    ((kind, value),) = said.items()
    yield place, kind
    if kind == "anniversary":
        (which,) = value
        yield f"{place} anniversary", which
    if kind in ("inTheLast", "notInTheLast", "inTheNext"):
        yield f"{place} {kind}", value["unit"]


def report(features: Counter[Feature]) -> str:
    """A line for each place, with how often each feature stood there."""
    places: dict[str, list[str]] = {}
    for (place, name), count in sorted(features.items()):
        places.setdefault(place, []).append(f"{name} {count:,}")
    return "\n".join(f"{place}: {', '.join(names)}" for place, names in places.items())
