"""From the stored form, which is the API's input as JSON, to the tree: everything that
is wrong is reported at once, each with its path into the input."""

from typing import Any

from audience.conditions import limits
from audience.conditions.comparisons import read_filter, read_number_comparison
from audience.conditions.paths import Kind, UnknownPath, event_place
from audience.conditions.scanning import At
from audience.conditions.times import read_span, read_timeframe
from audience.conditions.tree import (
    Condition,
    ConsentCondition,
    Coordinates,
    Definition,
    DistanceCondition,
    DistanceUnit,
    EventCondition,
    Group,
    ListCondition,
    Measure,
    MetricRef,
    Nested,
    PostalCode,
    PropertyCondition,
    PropertyFilter,
    Region,
    RegionCondition,
    SampleCondition,
    SegmentCondition,
    SequenceCondition,
    SequenceStep,
)
from audience.consent import Channel, Status, SuppressionReason
from audience.errors import AudienceError, Code, Problem


def parse(source: Any, path: tuple[str, ...] = ()) -> Definition:
    """The definition that `source` says; AudienceError with every problem in it, their
    paths led by `path`."""
    problems: list[Problem] = []
    at = At(source, path, problems)
    definition = _definition(at, depth=1)
    count = 0 if definition is None else count_conditions(definition)
    if count > limits.CONDITIONS:
        at.wrong(
            f"There are {count} conditions; at most {limits.CONDITIONS} are allowed.",
            Code.TOO_LARGE,
        )
    if problems or definition is None:
        raise AudienceError.of(problems)
    return definition


def count_conditions(definition: Definition) -> int:
    """How many conditions there are, nested ones included."""
    return sum(
        1 + (count_conditions(one.definition) if isinstance(one, Nested) else 0)
        for group in definition.groups
        for one in group.any_of
    )


def _definition(at: At, depth: int) -> Definition | None:
    if depth > limits.DEPTH:
        at.wrong(
            f"Definitions can be nested {limits.DEPTH} deep, not deeper.",
            Code.TOO_LARGE,
        )
        return None
    if not at.object("groups"):
        return None
    groups = at.at("groups").items(limits.CONDITIONS, what="groups")
    read = [_group(group, depth) for group in groups]
    return Definition(tuple(group for group in read if group is not None))


def _group(at: At, depth: int) -> Group | None:
    if not at.object("anyOf"):
        return None
    conditions = at.at("anyOf").items(limits.CONDITIONS, what="conditions")
    read = [_condition(condition, depth) for condition in conditions]
    return Group(tuple(condition for condition in read if condition is not None))


def _condition(at: At, depth: int) -> Condition | None:
    one = at.one_of(
        "event",
        "property",
        "consent",
        "list",
        "segment",
        "region",
        "distance",
        "sample",
        "sequence",
        "all",
        "not",
    )
    if one is None:
        return None
    match one.path[-1]:
        case "event":
            return _event(one)
        case "property":
            return _property(one)
        case "consent":
            return _consent(one)
        case "list":
            return _list(one)
        case "segment":
            return _segment(one)
        case "region":
            return _region(one)
        case "distance":
            return _distance(one)
        case "sample":
            return _sample(one)
        case "sequence":
            return _sequence(one)
    inner = _definition(one, depth + 1)
    return None if inner is None else Nested(inner, holds=one.path[-1] == "all")


def _event(at: At) -> EventCondition | None:
    if not at.object("metric", "measure", "of", "compare", "during", "where"):
        return None
    metric = read_metric(at.at("metric"))
    measured = at.at("measure")
    measure = measured.choice(Measure) if measured.given else Measure.COUNT
    of = _measured_path(at.at("of"), measure)
    compare = read_number_comparison(at.at("compare"))
    during = at.at("during")
    timeframe = read_timeframe(during) if during.given else None
    where = read_filters(at.at("where"))
    if metric is None or measure is None or compare is None:
        return None
    return EventCondition(metric, compare, measure, of, timeframe, where)


def read_metric(at: At) -> MetricRef | None:
    """A metric by its id or its name."""
    one = at.one_of("id", "name")
    text = None if one is None else one.text()
    if one is None or text is None:
        return None
    return MetricRef(id=text) if one.path[-1] == "id" else MetricRef(name=text)


def _measured_path(at: At, measure: Measure | None) -> str | None:
    if not at.given:
        return None
    path = at.text(limits.PATH)
    if measure is Measure.COUNT:
        at.wrong(
            "COUNT counts events, not values: leave `of` out, or filter with `where`."
        )
        return None
    if path is None:
        return None
    try:
        kind = event_place(path).kind
    except UnknownPath as error:
        at.wrong(str(error))
        return None
    if measure is not Measure.COUNT_DISTINCT and kind in (Kind.TEXT, Kind.DATE):
        at.wrong(f"{path} is a {kind}: of it only COUNT_DISTINCT can be computed.")
        return None
    return path


def read_filters(at: At) -> tuple[PropertyFilter, ...]:
    """Filters on events; none where nothing is given."""
    if not at.given:
        return ()
    items = at.items(limits.FILTERS, least=0, what="filters")
    read = [read_filter(item, of_event=True) for item in items]
    return tuple(filter for filter in read if filter is not None)


def _property(at: At) -> PropertyCondition | None:
    if not at.object("filter"):
        return None
    filter = read_filter(at.at("filter"), of_event=False)
    return None if filter is None else PropertyCondition(filter)


def _consent(at: At) -> ConsentCondition | None:
    names = (
        *("canReceiveMarketing", "status", "changed", "method", "source"),
        *("isDoubleOptIn", "suppression", "suppressed"),
    )
    if not at.object("channel", *names):
        return None
    channel = at.at("channel").choice(Channel)
    can_receive, status, changed, method, source, double, suppression, suppressed = (
        at.at(it) for it in names
    )
    condition = ConsentCondition(
        channel=channel or "",
        can_receive=can_receive.boolean() if can_receive.given else None,
        statuses=status.choices(Status, "statuses") if status.given else (),
        changed=read_timeframe(changed) if changed.given else None,
        methods=method.texts(limits.METHODS, what="methods") if method.given else (),
        sources=source.texts(limits.METHODS, what="sources") if source.given else (),
        is_double_opt_in=double.boolean() if double.given else None,
        suppressions=suppression.choices(SuppressionReason, "reasons")
        if suppression.given
        else (),
        suppressed=read_timeframe(suppressed) if suppressed.given else None,
    )
    if not any(at.at(name).given for name in names):
        at.wrong(f"At least one of {', '.join(names)} is expected.")
        return None
    return condition


def _list(at: At) -> ListCondition | None:
    if not at.object("listId", "isMember", "joined"):
        return None
    list_id = at.at("listId").text()
    joined = at.at("joined")
    timeframe = read_timeframe(joined) if joined.given else None
    is_member = _flag(at.at("isMember"))
    return None if list_id is None else ListCondition(list_id, is_member, timeframe)


def _segment(at: At) -> SegmentCondition | None:
    if not at.object("segmentId", "isMember"):
        return None
    segment_id = at.at("segmentId").text()
    is_member = _flag(at.at("isMember"))
    return None if segment_id is None else SegmentCondition(segment_id, is_member)


def _region(at: At) -> RegionCondition | None:
    if not at.object("region", "isWithin"):
        return None
    region = at.at("region").choice(Region)
    is_within = _flag(at.at("isWithin"))
    return None if region is None else RegionCondition(region, is_within)


def _distance(at: At) -> DistanceCondition | None:
    if not at.object("of", "within", "unit", "isWithin"):
        return None
    place = _place(at.at("of"))
    within = at.at("within").number()
    if within is not None and within < 0:
        at.at("within").wrong("A distance of 0 or more is expected.")
    unit = at.at("unit")
    named = unit.choice(DistanceUnit) if unit.given else DistanceUnit.KILOMETRE
    is_within = _flag(at.at("isWithin"))
    if place is None or within is None or named is None:
        return None
    return DistanceCondition(place, within, named, is_within)


def _place(at: At) -> Coordinates | PostalCode | None:
    one = at.one_of("postalCode", "coordinates")
    if one is None:
        return None
    if one.path[-1] == "postalCode":
        if not one.object("country", "code"):
            return None
        country, code = one.at("country").text(), one.at("code").text()
        if country is None or code is None:
            return None
        return PostalCode(country, code)
    if not one.object("latitude", "longitude"):
        return None
    latitude = _degrees(one.at("latitude"), 90)
    longitude = _degrees(one.at("longitude"), 180)
    if latitude is None or longitude is None:
        return None
    return Coordinates(latitude, longitude)


def _degrees(at: At, most: int) -> float | None:
    number = at.number()
    if number is not None and not -most <= number <= most:
        at.wrong(f"Degrees from -{most} to {most} are expected.")
        return None
    return number


def _sample(at: At) -> SampleCondition | None:
    if not at.object("percent", "seed"):
        return None
    percent = at.at("percent").number()
    if percent is not None and not 0 <= percent <= 100:
        at.at("percent").wrong("A percentage from 0 to 100 is expected.")
        return None
    seed = at.at("seed")
    text = seed.text() if seed.given else None
    return None if percent is None else SampleCondition(percent, text)


def _sequence(at: At) -> SequenceCondition | None:
    if not at.object("steps", "within", "during", "isCompleted"):
        return None
    most = limits.SEQUENCE_STEPS
    items = list(at.at("steps").items(most, least=2, what="steps"))
    read = [_step(item) for item in items]
    steps = tuple(step for step in read if step is not None)
    within, during = at.at("within"), at.at("during")
    span = read_span(within) if within.given else None
    timeframe = read_timeframe(during) if during.given else None
    is_completed = _flag(at.at("isCompleted"))
    if len(steps) < 2 or len(steps) < len(items):
        return None
    if not steps[0].happened:
        items[0].at("happened").wrong("The first step must have happened.")
        return None
    for item, step, following in zip(items[1:], steps[1:], steps[2:], strict=False):
        if not step.happened and not following.happened:
            item.at("happened").wrong(
                "After a step that must not happen, the next one must happen."
            )
    return SequenceCondition(steps, span, timeframe, is_completed)


def _step(at: At) -> SequenceStep | None:
    if not at.object("metric", "happened", "where"):
        return None
    metric = read_metric(at.at("metric"))
    happened = _flag(at.at("happened"))
    where = read_filters(at.at("where"))
    return None if metric is None else SequenceStep(metric, happened, where)


def _flag(at: At) -> bool:
    return at.boolean() is not False if at.given else True
