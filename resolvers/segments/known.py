"""What is known of someone that a condition asks about, and what it has to be."""

from collections.abc import Sequence
from datetime import datetime
from math import asin, cos, radians, sin, sqrt
from typing import Any, assert_never

from audience.conditions.comparisons import comparison_json, number_json
from audience.conditions.paths import profile_place
from audience.conditions.tree import (
    Condition,
    ConsentCondition,
    Coordinates,
    DistanceCondition,
    DistanceUnit,
    EventCondition,
    ListCondition,
    Measure,
    Nested,
    NumberComparison,
    PropertyCondition,
    RegionCondition,
    SampleCondition,
    SegmentCondition,
    SequenceCondition,
)
from audience.conditions.writing import condition_json
from audience.consent import Status
from audience.plan import References
from audience.plan.planning import MILE
from resolvers.db import Document
from resolvers.pipelines.places import RADIUS
from resolvers.pipelines.samples import PRIME, sample_number
from resolvers.segments.references import read_id

_MISSING = object()
# What of a condition says whom it is about, and not what has to be.
_ABOUT = ("channel", "listId", "segmentId", "of", "seed", "steps")


def actual(
    condition: Condition,
    profile: Document,
    measure: Any,
    *,
    matches: bool,
    references: References,
) -> Any:
    """What is known. `measure`: of the events that the condition looks at, None without
    any. `matches`: whether the condition holds of the profile."""
    match condition:
        case EventCondition():
            return _measure(condition.measure, measure)
        case PropertyCondition(filter=filter):
            value = _value(profile, profile_place(filter.path).parts)
            return None if value is _MISSING else _json(value)
        case ConsentCondition(channel=channel):
            return _consent(profile.get("consent", {}).get(channel.lower(), {}))
        case ListCondition(list_id=list_id):
            return _membership(profile, list_id)
        case SegmentCondition(is_member=is_member):
            return {"isMember": matches is is_member}
        case RegionCondition():
            return profile.get("location", {}).get("country")
        case DistanceCondition():
            return _distance(condition, profile.get("location", {}), references)
        case SampleCondition(seed=seed):
            number = sample_number(str(profile["_id"]), seed or "")
            return {"percent": round(100 * number / PRIME, 4)}
        case SequenceCondition(is_completed=is_completed):
            return {"isCompleted": matches is is_completed}
        case Nested(holds=holds):
            return {"holds": matches is holds}
    assert_never(condition)


def expected(condition: Condition) -> Any:
    """What it has to be: a number by itself, all else as it is written."""
    match condition:
        case EventCondition(compare=compare):
            return _number(compare)
        case PropertyCondition(filter=filter):
            if isinstance(filter.comparison, NumberComparison):
                return _number(filter.comparison)
            return comparison_json(filter.comparison)
        case Nested(holds=holds):
            return {"holds": holds}
    (written,) = condition_json(condition).values()
    return {name: value for name, value in written.items() if name not in _ABOUT}


def _measure(measure: Measure, value: Any) -> Any:
    if value is not None:
        return value
    of_nothing = (Measure.COUNT, Measure.SUM, Measure.COUNT_DISTINCT)
    return 0 if measure in of_nothing else None


def _consent(state: Document) -> Document:
    status = state.get("status", Status.NEVER_SUBSCRIBED.value)
    suppression = state.get("suppression", {})
    return {
        "canReceiveMarketing": status == Status.SUBSCRIBED and not suppression,
        "status": status,
        "method": state.get("method"),
        "source": state.get("source"),
        "isDoubleOptIn": state.get("double_opt_in", False),
        "changed": _json(state.get("updated_at")),
        "suppression": suppression.get("reason"),
        "suppressed": _json(suppression.get("at")),
    }


def _membership(profile: Document, list_id: str) -> Document:
    wanted = read_id(list_id, "lst_")
    for membership in profile.get("lists", []):
        if membership["list_id"] == wanted:
            return {"isMember": True, "joined": _json(membership["joined_at"])}
    return {"isMember": False, "joined": None}


def _distance(
    condition: DistanceCondition, location: Document, references: References
) -> Document | None:
    """How far away, to a thousandth of the unit."""
    of = condition.of
    here = of if isinstance(of, Coordinates) else references.places.get(of)
    latitude, longitude = location.get("latitude"), location.get("longitude")
    if here is None or latitude is None or longitude is None:
        return None
    across = sin(radians(latitude - here.latitude) / 2) ** 2
    along = sin(radians(longitude - here.longitude) / 2) ** 2
    along *= cos(radians(latitude)) * cos(radians(here.latitude))
    kilometres = 2 * RADIUS * asin(min(1, sqrt(across + along)))
    is_mile = condition.unit is DistanceUnit.MILE
    length = kilometres / MILE if is_mile else kilometres
    return {"distance": round(length, 3), "unit": condition.unit.value}


def _number(compare: NumberComparison) -> Any:
    return compare.value if compare.upper is None else number_json(compare)["between"]


def _value(document: Any, parts: Sequence[str]) -> Any:
    """What is on the path, or _MISSING; below a list what its objects have there."""
    for number, part in enumerate(parts):
        if isinstance(document, list):
            objects = [it for it in document if isinstance(it, dict)]
            inner = (_value(it, parts[number:]) for it in objects)
            return [value for value in inner if value is not _MISSING]
        if not isinstance(document, dict) or part not in document:
            return _MISSING
        document = document[part]
    return document


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value
