"""Reading and writing comparisons and the filters that use them."""

from typing import Any, get_args

from audience.conditions import limits
from audience.conditions.paths import Kind, UnknownPath, event_place, profile_place
from audience.conditions.patterns import UnsafePattern, check_pattern
from audience.conditions.phones import is_country
from audience.conditions.scanning import At
from audience.conditions.times import date_comparison_json, read_date_comparison
from audience.conditions.tree import (
    Comparison,
    Exists,
    IsBoolean,
    ItemCount,
    ItemsComparison,
    ItemsOperator,
    NumberComparison,
    NumberOperator,
    PropertyFilter,
    Scalar,
    TextComparison,
    TextOperator,
)

_NUMBER_OPERATORS: tuple[str, ...] = get_args(NumberOperator)
_TEXT_OPERATORS: tuple[str, ...] = get_args(TextOperator)
_ITEMS_OPERATORS: tuple[str, ...] = get_args(ItemsOperator)
_SEVERAL = ("in", "notIn", "phoneCountryIn", "phoneCountryNotIn")


def read_filter(at: At, *, of_event: bool) -> PropertyFilter | None:
    """A filter on a profile, or on an event."""
    if not at.object("path", "is", "whenMissing"):
        return None
    path = at.at("path").text(limits.PATH)
    kind = None
    if path is not None:
        try:
            kind = (event_place if of_event else profile_place)(path).kind
        except UnknownPath as error:
            at.at("path").wrong(str(error))
    comparison = read_comparison(at.at("is"), kind)
    missing = at.at("whenMissing")
    when_missing = missing.boolean() if missing.given else None
    if isinstance(comparison, Exists) and missing.given:
        missing.wrong("exists says already what is to be of a missing value.")
    if path is None or comparison is None:
        return None
    return PropertyFilter(path, comparison, when_missing)


def read_comparison(at: At, kind: Kind | None) -> Comparison | None:
    """A comparison that suits values of `kind`."""
    one = at.one_of("exists", "text", "number", "boolean", "date", "items")
    if one is None:
        return None
    name = one.path[-1]
    if kind not in (None, Kind.ANY) and name not in ("exists", kind):
        at.wrong(
            f"The values of this field are {kind}s: compare with {kind} or exists."
        )
        return None
    match name:
        case "exists" | "boolean":
            wanted = one.boolean()
            made = Exists if name == "exists" else IsBoolean
            return None if wanted is None else made(wanted)
        case "number":
            return read_number_comparison(one)
        case "date":
            return read_date_comparison(one)
        case "items":
            return _items(one)
    return _text(one)


def read_number_comparison(at: At) -> NumberComparison | None:
    one = at.one_of(*_NUMBER_OPERATORS)
    if one is None:
        return None
    operator: Any = one.path[-1]
    if operator != "between":
        number = one.number()
        return None if number is None else NumberComparison(operator, number)
    if not one.object("from", "to"):
        return None
    low, high = one.at("from").number(), one.at("to").number()
    if low is None or high is None:
        return None
    if low > high:
        one.wrong("from must not be more than to.")
        return None
    return NumberComparison("between", low, high)


def filter_json(filter: PropertyFilter) -> dict[str, Any]:
    written: dict[str, Any] = {
        "path": filter.path,
        "is": comparison_json(filter.comparison),
    }
    if filter.when_missing is not None:
        written["whenMissing"] = filter.when_missing
    return written


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    match comparison:
        case Exists():
            return {"exists": comparison.wanted}
        case IsBoolean():
            return {"boolean": comparison.wanted}
        case NumberComparison():
            return {"number": number_json(comparison)}
        case ItemCount():
            return {"items": {"count": number_json(comparison.compare)}}
        case TextComparison(operator=operator, values=values):
            several = operator in _SEVERAL
            return {"text": {operator: list(values) if several else values[0]}}
        case ItemsComparison(operator=name, values=scalars):
            several = name.endswith(("Any", "All"))
            return {"items": {name: list(scalars) if several else scalars[0]}}
    return {"date": date_comparison_json(comparison)}


def number_json(comparison: NumberComparison) -> dict[str, Any]:
    if comparison.operator == "between":
        return {"between": {"from": comparison.value, "to": comparison.upper}}
    return {comparison.operator: comparison.value}


def _text(at: At) -> TextComparison | None:
    one = at.one_of(*_TEXT_OPERATORS)
    if one is None:
        return None
    operator: Any = one.path[-1]
    if operator in _SEVERAL:
        values = one.texts(what="texts")
        if operator.startswith("phone"):
            for item in one.items(limits.CHOICES, what="countries"):
                if isinstance(item.value, str) and not is_country(item.value):
                    item.wrong("A country's two letters are expected, such as DE.")
        return TextComparison(operator, values) if values else None
    value = one.text(empty=operator in ("equals", "notEquals"))
    if value is None:
        return None
    if operator in ("matches", "notMatches"):
        try:
            check_pattern(value)
        except UnsafePattern as error:
            one.wrong(f"The regular expression is not accepted: {error}.")
            return None
    return TextComparison(operator, (value,))


def _items(at: At) -> ItemsComparison | ItemCount | None:
    one = at.one_of(*_ITEMS_OPERATORS, "count")
    if one is None:
        return None
    operator: Any = one.path[-1]
    match operator:
        case "count":
            compare = read_number_comparison(one)
            return None if compare is None else ItemCount(compare)
        case _ if operator.endswith(("Text", "Prefix", "Suffix")):
            text = one.text()
            return None if text is None else ItemsComparison(operator, (text,))
        case "contains" | "notContains":
            value = _scalar(one)
            return None if value is None else ItemsComparison(operator, (value,))
    read = [_scalar(item) for item in one.items(limits.CHOICES, what="items")]
    values = tuple(value for value in read if value is not None)
    return ItemsComparison(operator, values) if values else None


def _scalar(at: At) -> Scalar | None:
    match at.value:
        case bool():
            return at.value
        case int() | float():
            return at.number()
        case str():
            return at.text(empty=True)
    at.wrong("A text, a number, true or false is expected.")
    return None
