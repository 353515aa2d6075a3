"""Every condition of a definition, with the path that leads to it."""

from collections.abc import Iterator

from audience.conditions.tree import (
    Condition,
    ConsentCondition,
    Definition,
    DistanceCondition,
    EventCondition,
    IsBoolean,
    ItemsComparison,
    ListCondition,
    MetricRef,
    Nested,
    NumberComparison,
    PropertyCondition,
    PropertyFilter,
    RegionCondition,
    SampleCondition,
    SegmentCondition,
    SequenceCondition,
    TextComparison,
)

Path = tuple[str, ...]

_LEADING = ("contains", "containsAny", "containsAll", "containsPrefix")

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


def event_properties_of(definition: Definition) -> set[str]:
    """The paths of custom properties by which an index would lead to the events that
    the definition counts, or tell what it measures of them."""
    found: set[str] = set()
    for _, condition in conditions_of(definition):
        if isinstance(condition, EventCondition):
            found |= {each.path for each in condition.where if _leads(each)}
            if condition.of is not None:
                found.add(condition.of)
    return {path for path in found if path.startswith("properties.")}


def _leads(filter: PropertyFilter) -> bool:
    if filter.when_missing:
        return False  # no index leads to what is not there
    match filter.comparison:
        case TextComparison(operator=operator):
            return operator in ("equals", "in", "startsWith")
        case ItemsComparison(operator=operator):
            return operator in _LEADING
        case NumberComparison(operator=operator):
            return operator != "notEquals"
    return isinstance(filter.comparison, IsBoolean)


def _key(metric: MetricRef) -> str:
    return "name" if metric.id is None else "id"
