"""Facts about events by an index on a property that they look at.

Such an index leads to the events of a metric by the property's value, then by time. It
is asked for by one more condition, which follows from those that are there already: so
the events that count, and the members, stay the same.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bson import Regex

from audience.conditions.tree import Measure
from audience.plan.tree import (
    EVERYONE,
    BooleanTest,
    EventFact,
    Every,
    Fact,
    Field,
    FieldFact,
    ItemsTest,
    Leaf,
    Node,
    NumberTest,
    Test,
    TextTest,
)
from resolvers.db import Document
from resolvers.pipelines.events import distinct_stages, event_stages
from resolvers.pipelines.fields import range_operators
from resolvers.pipelines.spellings import beginnings, spellings

_MOST = 2_000  # bounds of an index, for all texts together
_LEAST = 16

_THERE: Document = {"$ne": None}


@dataclass(frozen=True, slots=True)
class Narrowing:
    """The property whose index is of use, and what its values have to pass."""

    field: Field
    operators: Document

    @property
    def path(self) -> str:
        return ".".join(self.field)

    def tells(self, fact: Fact) -> bool:
        """Whether the index tells all that the fact looks at."""
        return (
            isinstance(fact, EventFact)
            and fact.where == EVERYONE
            and fact.of == self.field
        )

    def passes(self, value: Any) -> bool:
        """Whether about such a value the index leads to the event: an estimate."""
        values = value if isinstance(value, list) else [value]
        return any(
            each is not None
            and all(_holds(name, each, of) for name, of in self.operators.items())
            for each in values
        )


def narrowings(fact: Fact, indexed: Collection[Field]) -> list[Narrowing]:
    """What the indexes on these properties can be asked for, each by itself."""
    if not isinstance(fact, EventFact):
        return []
    found = [
        Narrowing(inner.field, operators)
        for inner in _conjuncts(fact.where)
        if inner.custom and inner.field in indexed
        if (operators := _operators(inner.test)) is not None
    ]
    if fact.of is not None and fact.of in indexed:
        found.append(Narrowing(fact.of, _THERE))
    return found


def narrowed_stages(fact: EventFact, by: Narrowing) -> list[Document]:
    """Stages on the events: the profiles of which the fact holds, as `_id`."""
    is_distinct = fact.measure is Measure.COUNT_DISTINCT and by.tells(fact)
    first, *rest = distinct_stages(fact) if is_distinct else event_stages(fact)
    return [{"$match": first["$match"] | {by.path: by.operators}}, *rest]


def _conjuncts(node: Node) -> Iterator[FieldFact]:
    for part in node.parts if isinstance(node, Every) else (node,):
        if isinstance(part, Leaf) and part.holds and isinstance(part.fact, FieldFact):
            yield part.fact


def _operators(test: Test) -> Document | None:
    """What follows from the test for the property, or for an item of the list that it
    is; of use for an index, which tells case apart."""
    match test:
        case TextTest(kind="equals" | "startsWith", texts=texts):
            return {"$in": _bounds(texts, is_whole=test.kind == "equals")}
        case NumberTest(ranges=(each,)):
            return range_operators(each)
        case BooleanTest(wanted=wanted):
            return {"$eq": wanted}
        case ItemsTest(items=items, every=every, part="whole" | "start"):
            chosen = items[:1] if every else items
            names = [str(it.value) for it in chosen if it.kind == "text"]
            others = [it.value for it in chosen if it.kind != "text"]
            return {"$in": _bounds(names, is_whole=test.part == "whole") + others}
    return None


def _bounds(texts: Sequence[str], *, is_whole: bool) -> list[Any]:
    """Spellings of the texts, or of as much of their beginnings as has not too many."""
    most = max(_LEAST, _MOST // max(len(texts), 1))
    found: list[Any] = []
    for text in texts:
        whole = spellings(text, most) if is_whole else None
        if whole is not None:
            found += whole
        else:
            parts = beginnings(text, most)
            found += [Regex(rf"\A{re.escape(each)}") for each in parts]
    return found


def _holds(operator: str, value: Any, of: Any) -> bool:
    match operator:
        case "$ne":
            return True
        case "$eq":
            return value is of
        case "$in":
            return any(
                isinstance(value, str) and re.match(each.pattern, value) is not None
                if isinstance(each, Regex)
                else value == each
                for each in of
            )
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    match operator:
        case "$gt":
            return bool(value > of)
        case "$gte":
            return bool(value >= of)
        case "$lt":
            return bool(value < of)
        case "$lte":
            return bool(value <= of)
    return True
