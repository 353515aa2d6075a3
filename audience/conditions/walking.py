"""Every condition of a definition, with the path that leads to it."""

from collections.abc import Iterator

from audience.conditions.tree import (
    Condition,
    ConsentCondition,
    Definition,
    DistanceCondition,
    EventCondition,
    ListCondition,
    MetricRef,
    Nested,
    PropertyCondition,
    RegionCondition,
    SampleCondition,
    SegmentCondition,
    SequenceCondition,
)

Path = tuple[str, ...]

_NAMES: dict[type[Condition], str] = {
    EventCondition: "event",
    PropertyCondition: "property",
    ConsentCondition: "consent",
    ListCondition: "list",
    SegmentCondition: "segment",
    RegionCondition: "region",
    DistanceCondition: "distance",
    SampleCondition: "sample",
    SequenceCondition: "sequence",
}


def conditions_of(
    definition: Definition, path: Path = ()
) -> Iterator[tuple[Path, Condition]]:
    """Every condition in the order of the definition; of nested definitions their
    conditions. Paths are into the stored form and end with the condition's kind."""
    for number, group in enumerate(definition.groups):
        for place, condition in enumerate(group.any_of):
            here = (*path, "groups", str(number), "anyOf", str(place))
            if isinstance(condition, Nested):
                name = "all" if condition.holds else "not"
                yield from conditions_of(condition.definition, (*here, name))
            else:
                yield (*here, _NAMES[type(condition)]), condition


def metrics_of(
    definition: Definition, path: Path = ()
) -> Iterator[tuple[Path, MetricRef]]:
    """Every reference to a metric, with the path of its id or name."""
    for here, condition in conditions_of(definition, path):
        match condition:
            case EventCondition(metric=metric):
                yield (*here, "metric", _key(metric)), metric
            case SequenceCondition(steps=steps):
                for number, step in enumerate(steps):
                    inside = (*here, "steps", str(number), "metric", _key(step.metric))
                    yield inside, step.metric


def _key(metric: MetricRef) -> str:
    return "name" if metric.id is None else "id"
