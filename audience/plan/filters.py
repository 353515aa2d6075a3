"""What filters ask of the fields of a profile or an event, a missing value included."""

from datetime import datetime, tzinfo

from audience.conditions.paths import Place, event_place, profile_place
from audience.conditions.tree import (
    Anniversary,
    Exists,
    IsBoolean,
    ItemCount,
    ItemsComparison,
    NumberComparison,
    PropertyFilter,
    Scalar,
    TextComparison,
    TextOperator,
    Timeframe,
)
from audience.plan.numbers import ranges_of
from audience.plan.tree import (
    AnniversaryTest,
    BooleanTest,
    DateTest,
    FieldFact,
    Item,
    ItemCountTest,
    ItemPart,
    ItemsTest,
    Leaf,
    Node,
    NumberTest,
    Present,
    Test,
    TextKind,
    TextTest,
    every,
    some,
)
from audience.plan.windows import anniversary_days, days_of, window_of

# Which kind of test answers an operator, and whether the operator is its opposite.
_TEXT: dict[TextOperator, tuple[TextKind, bool]] = {
    "equals": ("equals", False),
    "notEquals": ("equals", True),
    "in": ("equals", False),
    "notIn": ("equals", True),
    "contains": ("contains", False),
    "notContains": ("contains", True),
    "startsWith": ("startsWith", False),
    "notStartsWith": ("startsWith", True),
    "endsWith": ("endsWith", False),
    "notEndsWith": ("endsWith", True),
    "matches": ("matches", False),
    "notMatches": ("matches", True),
    "phoneCountryIn": ("phone", False),
    "phoneCountryNotIn": ("phone", True),
}


# What an operator on lists asks of its items.
_PARTS: tuple[tuple[str, ItemPart], ...] = (
    ("Text", "inside"),
    ("Prefix", "start"),
    ("Suffix", "end"),
)


def profile_filter(filter: PropertyFilter, now: datetime, zone: tzinfo) -> Node:
    """What the filter asks of a profile."""
    return _filter(filter, profile_place(filter.path), now, zone)


def event_filter(filter: PropertyFilter, now: datetime, zone: tzinfo) -> Node:
    """What the filter asks of an event."""
    return _filter(filter, event_place(filter.path), now, zone)


def date_test(
    timeframe: Timeframe, now: datetime, zone: tzinfo
) -> DateTest | AnniversaryTest:
    """A time in the timeframe."""
    if isinstance(timeframe, Anniversary):
        return anniversary_test(timeframe, now, zone)
    window = window_of(timeframe, now, zone)
    return DateTest(window, days_of(window, zone))


def anniversary_test(
    anniversary: Anniversary, now: datetime, zone: tzinfo
) -> AnniversaryTest:
    """A time whose day and month are meant."""
    return AnniversaryTest(anniversary_days(anniversary, now, zone), str(zone))


def _filter(filter: PropertyFilter, place: Place, now: datetime, zone: tzinfo) -> Node:
    test, opposite = _test(filter, now, zone)
    answer: Node = Leaf(FieldFact(place.parts, test, place.is_custom), not opposite)
    if filter.when_missing in (None, opposite):
        return answer
    present = FieldFact(place.parts, Present(), place.is_custom)
    if filter.when_missing:
        return some((answer, Leaf(present, holds=False)))
    return every((answer, Leaf(present)))


def _test(filter: PropertyFilter, now: datetime, zone: tzinfo) -> tuple[Test, bool]:
    """The test, and whether the comparison is its opposite."""
    match filter.comparison:
        case Exists(wanted=wanted):
            return Present(), not wanted
        case IsBoolean(wanted=wanted):
            return BooleanTest(wanted), False
        case NumberComparison(operator="notEquals", value=value):
            same = NumberComparison("equals", value)
            return NumberTest(ranges_of(same)), True
        case NumberComparison() as compare:
            return NumberTest(ranges_of(compare)), False
        case ItemCount(compare=compare):
            return ItemCountTest(ranges_of(compare)), False
        case TextComparison(operator=operator, values=values):
            kind, opposite = _TEXT[operator]
            return TextTest(kind, values), opposite
        case ItemsComparison() as comparison:
            return _items(comparison)
        case timeframe:
            return date_test(timeframe, now, zone), False


def _items(comparison: ItemsComparison) -> tuple[Test, bool]:
    operator = comparison.operator
    test = ItemsTest(
        items=tuple(_item(value) for value in comparison.values),
        every=operator.endswith("All"),
        part=next((part for end, part in _PARTS if operator.endswith(end)), "whole"),
    )
    return test, operator.startswith("not")


def _item(value: Scalar) -> Item:
    match value:
        case bool():
            return Item("boolean", value)
        case str():
            return Item("text", value)
    return Item("number", value)
