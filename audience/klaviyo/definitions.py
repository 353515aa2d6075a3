"""From a Klaviyo segment-definition document to the stored form of a definition. What
has no equal here is refused, each with its path into the document."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from audience.errors import AudienceError, InvalidInput, Problem
from audience.klaviyo.consents import marketing_consent, permission
from audience.klaviyo.filters import event_filter, number, profile_filter
from audience.klaviyo.reading import Json, Refused, items, known, named
from audience.klaviyo.times import timeframe

_UNITS = {"kilometers": "KILOMETRE", "miles": "MILE"}
_WINDOWS = {
    "HOURS_1": "1 HOUR",
    "WEEKS_1": "1 WEEK",
    "YEARS_1": "1 YEAR",
    **{f"DAYS_{days}": f"{days} DAY" for days in (1, 3, 5, 30, 90, 180)},
}
_REGIONS = {"european_union": "EUROPEAN_UNION", "united_states": "UNITED_STATES"}


@dataclass(frozen=True, slots=True)
class Names:
    """What ids in the document are here: the names of metrics, and our ids of lists
    and segments."""

    metrics: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)


def imported(document: Any, names: Names) -> tuple[str | None, Json]:
    """The segment's name, where the document gives it, and its definition. Takes the
    answer of Klaviyo's API, or the definition alone."""
    path: tuple[str, ...] = ()
    inside = document
    for name in ("data", "attributes"):
        if isinstance(inside, dict) and name in inside:
            inside, path = inside[name], (*path, name)
    called = inside.get("name") if isinstance(inside, dict) else None
    if isinstance(inside, dict) and "definition" in inside:
        inside, path = inside["definition"], (*path, "definition")
    groups = inside.get("condition_groups") if isinstance(inside, dict) else None
    if not isinstance(groups, list) or not groups:
        raise InvalidInput(
            "A Klaviyo segment definition has a list condition_groups.",
            (*path, "condition_groups"),
        )
    problems: list[Problem] = []
    written = []
    for number_, group in enumerate(groups):
        here = (*path, "condition_groups", str(number_))
        try:
            conditions = _conditions(group)
        except Refused as refused:
            problems += InvalidInput(str(refused), (*here, *refused.path)).problems
            continue
        any_of: list[Json] = []
        for place, condition in enumerate(conditions):
            try:
                any_of += _condition(condition, names)
            except Refused as refused:
                where = (*here, "conditions", str(place), *refused.path)
                problems += InvalidInput(str(refused), where).problems
        written.append({"anyOf": any_of})
    if problems:
        raise AudienceError.of(problems)
    return called if isinstance(called, str) else None, {"groups": written}


def _conditions(group: Any) -> list[Any]:
    known(group, "conditions")
    conditions = group.get("conditions")
    if not isinstance(conditions, list):
        raise Refused("A list of conditions is expected.", "conditions")
    return conditions


def _condition(said: Any, names: Names) -> list[Json]:
    """One condition; several, of which one is enough, for several lists."""
    kind = said.get("type") if isinstance(said, dict) else None
    match kind:
        case "profile-metric":
            return [{"event": _event(said, names)}]
        case "profile-metric-funnel":
            return [{"sequence": _sequence(said, names)}]
        case "profile-property":
            known(said, "property", "filter")
            return [{"property": {"filter": profile_filter(said)}}]
        case "profile-group-membership":
            return _membership(said, names)
        case "profile-marketing-consent":
            return _all([{"consent": one} for one in marketing_consent(said)])
        case "profile-permissions":
            return [{"consent": permission(said)}]
        case "profile-region":
            known(said, "in_region", "region")
            region = named(said, "region", _REGIONS)
            return [{"region": {"region": region, "isWithin": said.get("in_region")}}]
        case "profile-postal-code-distance":
            return [{"distance": _distance(said)}]
    raise Refused(f"Conditions of the type {kind!r:.60} have no equal here.", "type")


def _event(said: Json, names: Names) -> Json:
    known(
        said,
        *("metric_id", "measurement", "measurement_filter"),
        *("timeframe_filter", "metric_filters"),
    )
    measures = {"count": "COUNT", "sum": "SUM"}
    written: Json = {
        "metric": _metric(said, names),
        "measure": named(said, "measurement", measures),
        "compare": number(said.get("measurement_filter"), "measurement_filter"),
    }
    return written | _during(said) | _where(said)


def _sequence(said: Json, names: Names) -> Json:
    known(said, "steps", "timeframe_filter", "completion_window_seconds")
    steps = []
    for place, step in enumerate(items(said, "steps")):
        try:
            known(step, "metric_id", "metric_exists", "metric_filters")
            happened = step.get("metric_exists", True)
            one = {"metric": _metric(step, names), "happened": happened}
            steps.append(one | _where(step))
        except Refused as refused:
            raise refused.under("steps", str(place)) from None
    written: Json = {"steps": steps}
    if said.get("completion_window_seconds") is not None:
        window = named(said, "completion_window_seconds", _WINDOWS)
        amount, unit = window.split(" ")
        written["within"] = {"amount": int(amount), "unit": unit}
    return written | _during(said)


def _membership(said: Json, names: Names) -> list[Json]:
    known(said, "is_member", "group_ids", "timeframe_filter")
    is_member = said.get("is_member") is not False
    conditions = []
    for place, group in enumerate(items(said, "group_ids")):
        ours = names.groups.get(group, "") if isinstance(group, str) else ""
        joined = _during(said)
        if ours.startswith("lst_"):
            one: Json = {"listId": ours, "isMember": is_member}
            if joined:
                one["joined"] = joined["during"]
            conditions.append({"list": one})
        elif ours.startswith("seg_") and not joined:
            conditions.append({"segment": {"segmentId": ours, "isMember": is_member}})
        elif ours.startswith("seg_"):
            raise Refused("When someone came into a segment is not kept.", *_TIMEFRAME)
        else:
            raise Refused(
                f"It is not said which list or segment here is {group!r:.40}: name it "
                "in `groups`.",
                *("group_ids", str(place)),
            )
    return conditions if is_member else _all(conditions)


def _all(conditions: list[Json]) -> list[Json]:
    """One condition that holds when all of them do."""
    if len(conditions) < 2:
        return conditions
    return [{"all": {"groups": [{"anyOf": [one]} for one in conditions]}}]


def _distance(said: Json) -> Json:
    known(said, "country_code", "postal_code", "unit", "filter")
    compare = number(said.get("filter"), "filter")
    ((operator, value),) = compare.items()
    if operator not in ("lessThan", "greaterThan"):
        raise Refused("less-than or greater-than is expected.", "filter", "operator")
    place = {"country": said.get("country_code"), "code": said.get("postal_code")}
    return {
        "of": {"postalCode": place},
        "within": value,
        "unit": named(said, "unit", _UNITS),
        "isWithin": operator == "lessThan",
    }


def _metric(said: Json, names: Names) -> Json:
    metric = said.get("metric_id")
    if not isinstance(metric, str) or metric not in names.metrics:
        raise Refused(
            f"It is not said which metric here is {metric!r:.40}: name it in "
            "`metrics`.",
            "metric_id",
        )
    return {"name": names.metrics[metric]}


_TIMEFRAME = ("timeframe_filter",)


def _during(said: Json) -> Json:
    given = said.get("timeframe_filter")
    found = None if given is None else timeframe(given, "timeframe_filter")
    return {} if found is None else {"during": found}


def _where(said: Json) -> Json:
    filters = []
    for place, one in enumerate(items(said, "metric_filters")):
        try:
            filters.append(event_filter(one))
        except Refused as refused:
            raise refused.under("metric_filters", str(place)) from None
    return {"where": filters} if filters else {}
