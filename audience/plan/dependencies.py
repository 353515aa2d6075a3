"""What a definition depends on: whose change can change its members."""

from dataclasses import dataclass

from audience.conditions.tree import (
    Condition,
    ConsentCondition,
    Definition,
    DistanceCondition,
    EventCondition,
    ListCondition,
    MetricRef,
    PropertyCondition,
    PropertyFilter,
    RegionCondition,
    SegmentCondition,
    SequenceCondition,
    Timeframe,
)
from audience.conditions.walking import conditions_of
from audience.plan.windows import is_relative


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Metrics, lists and segments as the definition names them; fields by their paths
    in the API; `time`: whether the members change with the clock alone."""

    metrics: frozenset[MetricRef]
    fields: frozenset[str]
    lists: frozenset[str]
    channels: frozenset[str]
    segments: frozenset[str]
    time: bool


def dependencies_of(definition: Definition) -> Dependencies:
    """What the definition itself names; not what the segments in it depend on."""
    metrics: set[MetricRef] = set()
    fields: set[str] = set()
    lists: set[str] = set()
    channels: set[str] = set()
    segments: set[str] = set()
    time = False
    for _, condition in conditions_of(definition):
        time |= _moves(condition)
        match condition:
            case EventCondition(metric=metric):
                metrics.add(metric)
            case SequenceCondition(steps=steps):
                metrics.update(step.metric for step in steps)
            case PropertyCondition(filter=filter):
                fields.add(filter.path)
            case RegionCondition():
                fields.add("location.country")
            case DistanceCondition():
                fields |= {"location.latitude", "location.longitude"}
            case ConsentCondition(channel=channel):
                channels.add(channel)
            case ListCondition(list_id=list_id):
                lists.add(list_id)
            case SegmentCondition(segment_id=segment_id):
                segments.add(segment_id)
    return Dependencies(
        frozenset(metrics),
        frozenset(fields),
        frozenset(lists),
        frozenset(channels),
        frozenset(segments),
        time,
    )


def _moves(condition: Condition) -> bool:
    match condition:
        case EventCondition(during=during, where=where):
            return _relative(during) or any(map(_filter_moves, where))
        case SequenceCondition(during=during, steps=steps):
            filters = (filter for step in steps for filter in step.where)
            return _relative(during) or any(map(_filter_moves, filters))
        case PropertyCondition(filter=filter):
            return _filter_moves(filter)
        case ConsentCondition(changed=changed, suppressed=suppressed):
            return _relative(changed) or _relative(suppressed)
        case ListCondition(joined=timeframe):
            return _relative(timeframe)
    return False


def _filter_moves(filter: PropertyFilter) -> bool:
    comparison = filter.comparison
    return isinstance(comparison, Timeframe) and is_relative(comparison)


def _relative(timeframe: Timeframe | None) -> bool:
    return timeframe is not None and is_relative(timeframe)
