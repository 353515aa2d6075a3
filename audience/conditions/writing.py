"""From the tree to the stored form: what `parse` reads, defaults written out."""

from typing import Any, assert_never

from audience.conditions.comparisons import filter_json, number_json
from audience.conditions.times import span_json, timeframe_json
from audience.conditions.tree import (
    Condition,
    ConsentCondition,
    Coordinates,
    Definition,
    DistanceCondition,
    EventCondition,
    ListCondition,
    MetricRef,
    Nested,
    PropertyCondition,
    PropertyFilter,
    RegionCondition,
    SampleCondition,
    SegmentCondition,
    SequenceCondition,
)

Json = dict[str, Any]


def to_json(definition: Definition) -> Json:
    """The definition as it is stored and shown: `parse(to_json(it)) == it`."""
    return {
        "groups": [
            {"anyOf": [condition_json(one) for one in group.any_of]}
            for group in definition.groups
        ]
    }


def condition_json(condition: Condition) -> Json:
    match condition:
        case EventCondition():
            return {"event": _event(condition)}
        case PropertyCondition():
            return {"property": {"filter": filter_json(condition.filter)}}
        case ConsentCondition():
            return {"consent": _consent(condition)}
        case ListCondition():
            written = {"listId": condition.list_id, "isMember": condition.is_member}
            if condition.joined is not None:
                written["joined"] = timeframe_json(condition.joined)
            return {"list": written}
        case SegmentCondition(segment_id=segment_id, is_member=is_member):
            return {"segment": {"segmentId": segment_id, "isMember": is_member}}
        case RegionCondition(region=region, is_within=is_within):
            return {"region": {"region": region.value, "isWithin": is_within}}
        case DistanceCondition():
            return {"distance": _distance(condition)}
        case SampleCondition(percent=percent, seed=seed):
            return {"sample": _given(percent=percent, seed=seed)}
        case SequenceCondition():
            return {"sequence": _sequence(condition)}
        case Nested(definition=definition, holds=holds):
            return {"all" if holds else "not": to_json(definition)}
    assert_never(condition)


def _event(condition: EventCondition) -> Json:
    written: Json = {
        "metric": _metric(condition.metric),
        "measure": condition.measure.value,
        "compare": number_json(condition.compare),
    }
    if condition.of is not None:
        written["of"] = condition.of
    if condition.during is not None:
        written["during"] = timeframe_json(condition.during)
    return written | _where(condition.where)


def _consent(condition: ConsentCondition) -> Json:
    changed, suppressed = condition.changed, condition.suppressed
    return _given(
        channel=str(condition.channel),
        canReceiveMarketing=condition.can_receive,
        status=[str(status) for status in condition.statuses] or None,
        changed=None if changed is None else timeframe_json(changed),
        method=list(condition.methods) or None,
        source=list(condition.sources) or None,
        isDoubleOptIn=condition.is_double_opt_in,
        suppression=[str(reason) for reason in condition.suppressions] or None,
        suppressed=None if suppressed is None else timeframe_json(suppressed),
    )


def _sequence(condition: SequenceCondition) -> Json:
    within, during = condition.within, condition.during
    return _given(
        steps=[
            {"metric": _metric(step.metric), "happened": step.happened}
            | _where(step.where)
            for step in condition.steps
        ],
        within=None if within is None else span_json(within),
        during=None if during is None else timeframe_json(during),
        isCompleted=condition.is_completed,
    )


def _metric(metric: MetricRef) -> Json:
    return _given(id=metric.id, name=metric.name)


def _where(filters: tuple[PropertyFilter, ...]) -> Json:
    return {"where": [filter_json(one) for one in filters]} if filters else {}


def _given(**values: Any) -> Json:
    return {name: value for name, value in values.items() if value is not None}


def _distance(condition: DistanceCondition) -> Json:
    of = condition.of
    if isinstance(of, Coordinates):
        place: Json = {
            "coordinates": {"latitude": of.latitude, "longitude": of.longitude}
        }
    else:
        place = {"postalCode": {"country": of.country, "code": of.code}}
    return {
        "of": place,
        "within": condition.within,
        "unit": condition.unit.value,
        "isWithin": condition.is_within,
    }
