"""Tests of one value, as filters on the document.

MongoDB's filters look into lists by themselves; here a list is a value of its own. So
every filter on a custom property first says that there is no list on its path. What
is asked of lists is said with `$elemMatch`, or with an expression where the path may
lead through one: then the values of its items are gathered.
"""

from itertools import accumulate
from typing import Any

from bson import Regex

from audience.plan.numbers import Range, Ranges
from audience.plan.tree import (
    AnniversaryTest,
    BooleanTest,
    CodeTest,
    DateTest,
    FieldFact,
    Item,
    ItemCountTest,
    ItemPart,
    ItemsTest,
    NumberTest,
    Present,
    TextTest,
)
from resolvers.db import Document
from resolvers.pipelines.dates import (
    DAY_TEXT,
    anniversary,
    day_pattern,
    instant_in_window,
    window_operators,
)
from resolvers.pipelines.texts import patterns_of, whole_texts

_NO_LIST: Document = {"$not": {"$type": "array"}}


def field_filter(fact: FieldFact) -> Document:
    """The filter that a document passes when the fact holds of it."""
    path = ".".join(fact.field)
    match fact.test:
        case Present():
            return _present(fact, path)
        case TextTest() as test:
            return _scalar(fact, path, _texts(patterns_of(test)))
        case CodeTest(codes=codes):
            return _scalar(fact, path, {"$in": [str(code) for code in codes]})
        case NumberTest(ranges=ranges):
            return either(
                [_scalar(fact, path, range_operators(each)) for each in ranges]
            )
        case BooleanTest(wanted=wanted):
            return _scalar(fact, path, {"$eq": wanted})
        case DateTest() as test:
            return _date(fact, path, test)
        case AnniversaryTest() as test:
            return _anniversary(fact, path, test)
        case ItemsTest() as test:
            return _items(fact, path, test)
        case ItemCountTest(ranges=ranges):
            return {"$expr": _of_list(path, _in_ranges({"$size": "$$list"}, ranges))}


def either(options: list[Document]) -> Document:
    """One of the filters, of which there is at least one."""
    return options[0] if len(options) == 1 else {"$or": options}


def range_operators(each: Range) -> Document:
    """The range as operators; they match numbers alone."""
    operators: Document = {}
    if each.low > float("-inf"):
        operators["$gt" if each.low_open else "$gte"] = each.low
    if each.high < float("inf"):
        operators["$lt" if each.high_open else "$lte"] = each.high
    return operators or {"$type": "number"}


def scalar_filter(fact: FieldFact) -> Document:
    """There is a text, a number, a truth value or a time; no list or object."""
    kinds = {"$type": ["string", "number", "bool", "date"]}
    return _scalar(fact, ".".join(fact.field), kinds)


def _present(fact: FieldFact, path: str) -> Document:
    if not fact.custom:
        return {path: {"$ne": None}}
    return {"$nor": [_scalar(fact, path, {"$eq": None})]}


def _scalar(fact: FieldFact, path: str, operators: Document) -> Document:
    if not fact.custom:
        return {path: operators}
    *above, _ = accumulate(fact.field, lambda left, right: f"{left}.{right}")
    guards = dict.fromkeys(above[1:], _NO_LIST)
    return guards | {path: operators | _NO_LIST}


def _texts(patterns: list[str]) -> Document:
    if len(patterns) == 1:
        return {"$regex": patterns[0], "$options": "i"}
    return {"$in": [Regex(pattern, "i") for pattern in patterns]}


def _date(fact: FieldFact, path: str, test: DateTest) -> Document:
    if not fact.custom:
        return {path: window_operators(test.window)}
    day: Document = {"$regex": DAY_TEXT}
    if test.days.first is not None:
        day["$gte"] = test.days.first.isoformat()
    if test.days.end is not None:
        day["$lt"] = test.days.end.isoformat()
    instant = {"$expr": instant_in_window(path, test.window)}
    return {"$or": [_scalar(fact, path, day), _if_instant(fact, path, instant)]}


def _anniversary(fact: FieldFact, path: str, test: AnniversaryTest) -> Document:
    whole = {"$expr": anniversary(path, test, custom=fact.custom)}
    if not fact.custom:
        return whole
    day = {"$and": [{path: {"$regex": each}} for each in (day_pattern(test), DAY_TEXT)]}
    guarded = _scalar(fact, path, {"$type": "string"}) | day
    return {"$or": [guarded, _if_instant(fact, path, whole)]}


def _if_instant(fact: FieldFact, path: str, expression: Document) -> Document:
    """The expression where it can hold at all: it takes ten times as long as a look at
    the text."""
    return _scalar(fact, path, {"$regex": r"\A.{10}T"}) | expression


def _items(fact: FieldFact, path: str, test: ItemsTest) -> Document:
    choices = [(item,) for item in test.items] if test.every else [test.items]
    if len(fact.field) == 2:
        wanted = [
            {path: {"$elemMatch": {"$in": _item_values(items, test.part)}}}
            for items in choices
        ]
        return wanted[0] if len(wanted) == 1 else {"$and": wanted}
    expressions = [_has_item(items, test.part) for items in choices]
    return {"$expr": _of_list(path, {"$and": expressions})}


def _item_values(items: tuple[Item, ...], part: ItemPart) -> list[Any]:
    texts, others = _apart(items)
    return [Regex(each, "i") for each in _item_patterns(texts, part)] + others


def _has_item(items: tuple[Item, ...], part: ItemPart) -> Document:
    texts, others = _apart(items)
    is_text = {"$eq": [{"$type": "$$item"}, "string"]}
    tests: list[Any] = [{"$eq": ["$$item", {"$literal": each}]} for each in others]
    for pattern in _item_patterns(texts, part):
        matches = {"$regexMatch": {"input": "$$item", "regex": pattern, "options": "i"}}
        tests.append({"$cond": [is_text, matches, False]})
    each = {"input": "$$list", "as": "item", "in": {"$or": tests}}
    return {"$anyElementTrue": [{"$map": each}]}


def _apart(items: tuple[Item, ...]) -> tuple[list[str], list[Any]]:
    texts = [str(item.value) for item in items if item.kind == "text"]
    return texts, [item.value for item in items if item.kind != "text"]


def _item_patterns(texts: list[str], part: ItemPart) -> list[str]:
    match part:
        case "inside":
            return patterns_of(TextTest("contains", tuple(texts)))
        case "start":
            return patterns_of(TextTest("startsWith", tuple(texts)))
        case "end":
            return patterns_of(TextTest("endsWith", tuple(texts)))
    return list(whole_texts(texts))


def _of_list(path: str, test: Document) -> Document:
    """An expression: there is a list at `path`, and `test` holds of it."""
    inside = {"$cond": [{"$isArray": "$$list"}, test, False]}
    return {"$let": {"vars": {"list": f"${path}"}, "in": inside}}


def _in_ranges(number: Document, ranges: Ranges) -> Document:
    options = [
        {"$and": [{name: [number, end]} for name, end in range_operators(it).items()]}
        for it in ranges
    ]
    return {"$or": options}
