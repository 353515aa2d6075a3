"""Conditions in the words that a marketer would use."""

from collections.abc import Mapping
from typing import assert_never

from audience.conditions.tree import (
    After,
    Anniversary,
    Before,
    Between,
    Comparison,
    Condition,
    ConsentCondition,
    Coordinates,
    DistanceCondition,
    EventCondition,
    Exists,
    InTheLast,
    InTheLastBetween,
    InTheNext,
    IsBoolean,
    ItemCount,
    ItemsComparison,
    ListCondition,
    Measure,
    MetricRef,
    Nested,
    NotInTheLast,
    NumberComparison,
    On,
    PropertyCondition,
    PropertyFilter,
    RegionCondition,
    SampleCondition,
    Scalar,
    SegmentCondition,
    SequenceCondition,
    Span,
    TextComparison,
    Timeframe,
)

_MEASURES = {
    Measure.SUM: "the sum",
    Measure.AVERAGE: "the average",
    Measure.MIN: "the smallest",
    Measure.MAX: "the largest",
    Measure.COUNT_DISTINCT: "the number of different values",
}
_NUMBERS = {
    "equals": "exactly {}",
    "notEquals": "not {}",
    "greaterThan": "more than {}",
    "atLeast": "at least {}",
    "lessThan": "less than {}",
    "atMost": "at most {}",
}
_TEXTS = {
    "equals": "is",
    "notEquals": "is not",
    "in": "is one of",
    "notIn": "is none of",
    "contains": "contains",
    "notContains": "does not contain",
    "startsWith": "starts with",
    "notStartsWith": "does not start with",
    "endsWith": "ends with",
    "notEndsWith": "does not end with",
    "matches": "matches",
    "notMatches": "does not match",
    "phoneCountryIn": "is a number of",
    "phoneCountryNotIn": "is no number of",
}
_ITEMS = {
    "contains": "contains the item",
    "notContains": "does not contain the item",
    "containsAny": "contains one of",
    "notContainsAny": "contains none of",
    "containsAll": "contains all of",
    "notContainsAll": "does not contain all of",
    "containsText": "has an item with",
    "notContainsText": "has no item with",
    "containsPrefix": "has an item that starts with",
    "notContainsPrefix": "has no item that starts with",
    "containsSuffix": "has an item that ends with",
    "notContainsSuffix": "has no item that ends with",
}
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August"),
    *("September", "October", "November", "December"),
)


def words_of(condition: Condition, names: Mapping[str, str] | None = None) -> str:
    """One sentence without a full stop. `names` are those of the ids in it."""
    known = names or {}
    match condition:
        case EventCondition():
            return _event(condition, known)
        case PropertyCondition(filter=filter):
            return _filter(filter)
        case ConsentCondition():
            return _consent(condition)
        case ListCondition(list_id=list_id, is_member=is_member, joined=joined):
            when = "" if joined is None else f", joined {_timeframe(joined)}"
            verb = "In" if is_member else "Not in"
            return f"{verb} the list {_quoted(known.get(list_id, list_id))}{when}"
        case SegmentCondition(segment_id=segment_id, is_member=is_member):
            verb = "In" if is_member else "Not in"
            return f"{verb} the segment {_quoted(known.get(segment_id, segment_id))}"
        case RegionCondition(region=region, is_within=is_within):
            place = region.replace("_", " ").title()
            return f"{'In' if is_within else 'Not in'} the {place}"
        case DistanceCondition():
            return _distance(condition)
        case SampleCondition(percent=percent, seed=seed):
            drawn = "" if seed is None else f" drawn with {_quoted(seed)}"
            return f"Among {_number(percent)} % of all profiles{drawn}"
        case SequenceCondition():
            return _sequence(condition, known)
        case Nested(definition=definition, holds=holds):
            groups = [
                " or ".join(words_of(one, known) for one in group.any_of)
                for group in definition.groups
            ]
            inside = groups[0] if len(groups) == 1 else ") and (".join(groups)
            return f"({inside})" if holds else f"Not ({inside})"
    assert_never(condition)


def _event(condition: EventCondition, names: Mapping[str, str]) -> str:
    metric = _metric(condition.metric, names)
    compare = _compare(condition.compare)
    if condition.measure is Measure.COUNT:
        once = condition.compare.value == 1 and condition.compare.upper is None
        said = f"{metric} {compare} {'time' if once else 'times'}"
    else:
        of = condition.of or "value"
        said = f"{metric}: {_MEASURES[condition.measure]} of {of} is {compare}"
    if condition.during is not None:
        said += f" {_timeframe(condition.during)}"
    return said + _where(condition.where)


def _sequence(condition: SequenceCondition, names: Mapping[str, str]) -> str:
    steps = [
        f"{'' if step.happened else 'not '}{_metric(step.metric, names)}"
        f"{_where(step.where)}"
        for step in condition.steps
    ]
    said = (
        f"{'Did' if condition.is_completed else 'Did not do'} {', then '.join(steps)}"
    )
    if condition.within is not None:
        said += f" within {_span(condition.within)}"
    if condition.during is not None:
        said += f" {_timeframe(condition.during)}"
    return said


def _consent(condition: ConsentCondition) -> str:
    parts = []
    if condition.can_receive is not None:
        verb = "can" if condition.can_receive else "cannot"
        parts.append(f"{verb} receive marketing")
    if condition.statuses:
        statuses = (it.lower().replace("_", " ") for it in condition.statuses)
        parts.append(f"is {' or '.join(statuses)}")
    if condition.methods:
        parts.append(f"by {' or '.join(condition.methods)}")
    if condition.sources:
        parts.append(f"from {' or '.join(map(_quoted, condition.sources))}")
    if condition.is_double_opt_in is not None:
        parts.append(f"{'' if condition.is_double_opt_in else 'not '}confirmed")
    if condition.changed is not None:
        parts.append(f"changed {_timeframe(condition.changed)}")
    if condition.suppressions:
        reasons = (it.lower().replace("_", " ") for it in condition.suppressions)
        parts.append(f"suppressed for {' or '.join(reasons)}")
    if condition.suppressed is not None:
        parts.append(f"suppressed {_timeframe(condition.suppressed)}")
    return f"{condition.channel}: {', '.join(parts)}"


def _distance(condition: DistanceCondition) -> str:
    of = condition.of
    if isinstance(of, Coordinates):
        place = f"{_number(of.latitude)}, {_number(of.longitude)}"
    else:
        place = f"{of.code}, {of.country}"
    unit = f"{condition.unit.lower()}{'' if condition.within == 1 else 's'}"
    verb = "Within" if condition.is_within else "Not within"
    return f"{verb} {_number(condition.within)} {unit} of {place}"


def _filter(filter: PropertyFilter) -> str:
    said = f"{filter.path} {_comparison(filter.comparison)}"
    if filter.when_missing is None:
        return said
    return said + (", or missing" if filter.when_missing else ", and not missing")


def _where(filters: tuple[PropertyFilter, ...]) -> str:
    return f" where {' and '.join(map(_filter, filters))}" if filters else ""


def _comparison(comparison: Comparison) -> str:
    match comparison:
        case Exists(wanted=wanted):
            return "has a value" if wanted else "is missing"
        case IsBoolean(wanted=wanted):
            return f"is {'true' if wanted else 'false'}"
        case NumberComparison():
            return f"is {_compare(comparison)}"
        case ItemCount(compare=compare):
            return f"has {_compare(compare)} items"
        case TextComparison(operator=operator, values=values):
            return f"{_TEXTS[operator]} {_list(values)}"
        case ItemsComparison(operator=name, values=items):
            return f"{_ITEMS[name]} {_list(items)}"
        case Anniversary(month=None):
            return f"has its anniversary {_anniversary(comparison)}"
        case timeframe:
            return f"is {_timeframe(timeframe)}"


def _anniversary(anniversary: Anniversary) -> str:
    if anniversary.month is not None:
        return f"in {_MONTHS[anniversary.month - 1]}, in any year"
    if anniversary.span is None:
        return "today" if anniversary.kind == "today" else "this month"
    when = "next" if anniversary.kind == "inTheNext" else "last"
    return f"in the {when} {_span(anniversary.span)}"


def _timeframe(timeframe: Timeframe) -> str:
    match timeframe:
        case InTheLast(span=span):
            return f"in the last {_span(span)}"
        case NotInTheLast(span=span):
            return f"more than {_span(span)} ago"
        case InTheLastBetween(nearest=nearest, farthest=farthest):
            return f"between {_span(nearest)} and {_span(farthest)} ago"
        case InTheNext(span=span):
            return f"in the next {_span(span)}"
        case Anniversary(month=None):
            return f"with its anniversary {_anniversary(timeframe)}"
        case Anniversary():
            return _anniversary(timeframe)
        case Before(at=at):
            return f"before {at:%Y-%m-%d %H:%M} UTC"
        case After(at=at):
            return f"after {at:%Y-%m-%d %H:%M} UTC"
        case On(day=day):
            return f"on {day}"
        case Between(start=start, end=end):
            return f"from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
    assert_never(timeframe)


def _compare(compare: NumberComparison) -> str:
    if compare.upper is not None:
        return f"between {_number(compare.value)} and {_number(compare.upper)}"
    return _NUMBERS[compare.operator].format(_number(compare.value))


def _metric(metric: MetricRef, names: Mapping[str, str]) -> str:
    return metric.name or names.get(metric.id or "", metric.id or "")


def _span(span: Span) -> str:
    unit = span.unit.lower()
    return f"{span.amount} {unit if span.amount == 1 else f'{unit}s'}"


def _list(values: tuple[Scalar, ...]) -> str:
    return ", ".join(map(_scalar, values))


def _scalar(value: Scalar) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _quoted(value)
    return _number(value)


def _quoted(text: str) -> str:
    return f"“{text}”"


def _number(number: float) -> str:
    return f"{number:.15g}"
