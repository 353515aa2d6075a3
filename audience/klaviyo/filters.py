"""Klaviyo's property filters as filters of ours."""

import re
from typing import Any

from audience.klaviyo.reading import Json, Refused, known
from audience.klaviyo.times import date_timeframe

_NUMBERS = {
    "equals": "equals",
    "not-equals": "notEquals",
    "greater-than": "greaterThan",
    "greater-than-or-equal": "atLeast",
    "less-than": "lessThan",
    "less-than-or-equal": "atMost",
}
_TEXTS = {
    "equals": "equals",
    "not-equals": "notEquals",
    "contains": "contains",
    "not-contains": "notContains",
    "starts-with": "startsWith",
    "not-starts-with": "notStartsWith",
    "ends-with": "endsWith",
    "not-ends-with": "notEndsWith",
    "regex": "matches",
    "nregex": "notMatches",
    "in": "in",
    "not-in": "notIn",
    "phone-country-code-in": "phoneCountryIn",
    "phone-country-code-not-in": "phoneCountryNotIn",
}
_ITEMS = {
    "contains": "contains",
    "not-contains": "notContains",
    "contains-any": "containsAny",
    "contains-all": "containsAll",
    "not-contains-any": "notContainsAny",
    "not-contains-all": "notContainsAll",
    "contains-substring": "containsText",
    "not-contains-substring": "notContainsText",
    "contains-starts-with": "containsPrefix",
    "not-contains-starts-with": "notContainsPrefix",
    "contains-ends-with": "containsSuffix",
    "not-contains-ends-with": "notContainsSuffix",
}
_OF_TEXTS = ("in", "not-in", "phone-country-code-in", "phone-country-code-not-in")
_FIELDS = {
    "email": "email",
    "phone_number": "phoneNumber",
    "external_id": "externalId",
    "first_name": "firstName",
    "last_name": "lastName",
    "organization": "organization",
    "title": "title",
    "image": "image",
    "locale": "locale",
    "created": "createdAt",
    "updated": "updatedAt",
    "last_event_date": "lastEventAt",
}
_PATH = re.compile(r"(\w+)((?:\[(?:'[^']*'|\"[^\"]*\")\])*)")
_NAME = re.compile(r"\['([^']*)'\]|\[\"([^\"]*)\"\]")


def profile_filter(said: Json) -> Json:
    """Of a condition on a profile's property."""
    text = said.get("property")
    first, *names = _parts(text)
    if first in _FIELDS and not names:
        path = _FIELDS[first]
    elif first in ("properties", "location") and names:
        path = ".".join((first, *names))
    else:
        raise Refused(f"{text!r:.80} has no equal here.", "property")
    return _filter(path, said.get("filter"))


def event_filter(said: Any) -> Json:
    """Of an event's property; `$value` is the event's value."""
    text = said.get("property") if isinstance(said, dict) else None
    if not isinstance(text, str) or not text:
        raise Refused("A property is expected.", "property")
    known(said, "property", "filter")
    if text == "$value":
        return _filter("value", said.get("filter"))
    parts = _parts(text) if "[" in text else [text]
    names = parts[1:] if parts[0] in ("properties", "event_properties") else parts
    if not names or any("." in name for name in names):
        raise Refused(f"{text!r:.80} has no equal here.", "property")
    return _filter(".".join(("properties", *names)), said.get("filter"))


def number(filter: Any, *path: str) -> Json:
    """How a number has to be."""
    operator = str(filter.get("operator")) if isinstance(filter, dict) else ""
    if operator == "between":
        known(filter, "operator", "start", "end", under=path)
        return {"between": {"from": filter.get("start"), "to": filter.get("end")}}
    if operator not in _NUMBERS:
        raise Refused(f"{operator!r:.40} has no equal here.", *path, "operator")
    known(filter, "operator", "value", under=path)
    return {_NUMBERS[operator]: filter.get("value")}


def _parts(text: Any) -> list[str]:
    found = _PATH.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise Refused(f"{text!r:.80} is no property's path.", "property")
    names = [one or other for one, other in _NAME.findall(found[2])]
    if any(not name or "." in name for name in names):
        raise Refused("Names are not empty and have no dots here.", "property")
    return [found[1], *names]


def _filter(path: str, filter: Any) -> Json:
    comparison = _comparison(filter)
    written: Json = {"path": path, "is": comparison}
    if any("not" in name.lower() for name in comparison.get("text", ())):
        # There, no comparison of texts holds of what is missing.
        written["whenMissing"] = False
    return written


def _comparison(filter: Any) -> Json:
    kind = filter.get("type") if isinstance(filter, dict) else None
    operator = "" if kind is None else str(filter.get("operator"))
    if operator in ("is-set", "not-set"):
        known(filter, "operator", under=("filter",))
        return {"exists": operator == "is-set"}
    if kind == "date":
        when = date_timeframe(filter, "filter")
        is_named = not {"inTheNext", "anniversary"}.isdisjoint(when)
        return {"date": when if is_named else {"during": when}}
    if kind == "numeric":
        return {"number": number(filter, "filter")}
    if kind == "list" and operator.startswith("length-"):
        compare = {**filter, "operator": operator.removeprefix("length-")}
        return {"items": {"count": number(compare, "filter")}}
    known(filter, "operator", "value", under=("filter",))
    if operator in _OF_TEXTS:
        return {"text": {_TEXTS[operator]: filter.get("value")}}
    match kind:
        case "string" if operator in _TEXTS:
            return _text(operator, filter.get("value"))
        case "boolean" if operator == "equals":
            return {"boolean": filter.get("value")}
        case "list" if operator in _ITEMS:
            return {"items": {_ITEMS[operator]: filter.get("value")}}
    raise Refused(f"{kind!r:.40} {operator!r:.40} has no equal here.", "filter")


def _text(operator: str, value: Any) -> Json:
    if value is None and operator in ("equals", "not-equals"):
        return {"exists": operator == "not-equals"}
    return {"text": {_TEXTS[operator]: value}}
