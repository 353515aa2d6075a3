"""The plan: what has to be found out about a profile, and how the answers combine.

References are resolved, times absolute, negation sits on the facts. Nothing here knows
how a database is asked.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from audience.conditions.tree import Measure, Scalar, Span
from audience.plan.numbers import Ranges
from audience.plan.windows import DayRange, Days, Window

Field = tuple[str, ...]
TextKind = Literal["equals", "contains", "startsWith", "endsWith", "matches", "phone"]


@dataclass(frozen=True, slots=True)
class Present:
    """There is a value, and it is not null."""


@dataclass(frozen=True, slots=True)
class TextTest:
    """A text that agrees with one of `texts`, whatever the case of its letters."""

    kind: TextKind
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CodeTest:
    """A text of our own that is exactly one of `codes`."""

    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NumberTest:
    ranges: Ranges


@dataclass(frozen=True, slots=True)
class BooleanTest:
    wanted: bool


@dataclass(frozen=True, slots=True)
class DateTest:
    """A time in the window, or a text that says a day in `days`."""

    window: Window
    days: Days


@dataclass(frozen=True, slots=True)
class AnniversaryTest:
    """A date whose day and month, in `zone`, are in one of the ranges."""

    ranges: tuple[DayRange, ...]
    zone: str


@dataclass(frozen=True, slots=True)
class Item:
    """A value with its type, for true and 1 are not the same."""

    kind: Literal["text", "number", "boolean"]
    value: Scalar


ItemPart = Literal["whole", "inside", "start", "end"]


@dataclass(frozen=True, slots=True)
class ItemsTest:
    """A list that contains one of `items`, or with `every` all of them. Texts are
    whole items, or parts of them."""

    items: tuple[Item, ...]
    every: bool = False
    part: ItemPart = "whole"


@dataclass(frozen=True, slots=True)
class ItemCountTest:
    ranges: Ranges


Test = (
    Present
    | TextTest
    | CodeTest
    | NumberTest
    | BooleanTest
    | DateTest
    | AnniversaryTest
    | ItemsTest
    | ItemCountTest
)


@dataclass(frozen=True, slots=True)
class FieldFact:
    """A value of the document passes a test. `custom`: its type is its own, and its
    path may lead through lists."""

    field: Field
    test: Test
    custom: bool = False


@dataclass(frozen=True, slots=True)
class ListFact:
    """A member of a list, having joined in the window, and on an anniversary."""

    list_id: str
    joined: Window
    anniversary: AnniversaryTest | None = None


@dataclass(frozen=True, slots=True)
class SampleFact:
    """Among a stable share of all profiles."""

    share: float
    seed: str


@dataclass(frozen=True, slots=True)
class NearFact:
    """The location's coordinates are at most so many kilometres away from a point."""

    latitude: float
    longitude: float
    kilometres: float


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric, its key in the summaries, and the time of its latest event, of anyone:
    a window that ends after it has no end that matters."""

    id: str
    key: str
    latest: datetime | None = None


@dataclass(frozen=True, slots=True)
class EventFact:
    """A measure of the events in the window that pass `where` is in one of the ranges.

    Someone without such events never passes: a comparison that zero passes stands in
    the plan as the negation of its complement. `of` is None for the event's value.
    """

    metric: Metric
    window: Window
    where: "Node"
    measure: Measure
    of: Field | None
    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a sequence: events of a metric that pass `where`."""

    metric: Metric
    where: "Node"
    happened: bool = True


@dataclass(frozen=True, slots=True)
class SequenceFact:
    """Events of the steps in their order, all in the window, the last at most `within`
    after the first."""

    steps: tuple[Step, ...]
    window: Window
    within: Span | None


Fact = FieldFact | ListFact | NearFact | SampleFact | EventFact | SequenceFact


@dataclass(frozen=True, slots=True)
class Always:
    """Everyone, or no one."""

    holds: bool


@dataclass(frozen=True, slots=True)
class Leaf:
    """A fact, or its opposite."""

    fact: Fact
    holds: bool = True


@dataclass(frozen=True, slots=True)
class Every:
    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Some:
    parts: "tuple[Node, ...]"


Node = Always | Leaf | Every | Some

EVERYONE = Always(True)
NO_ONE = Always(False)


def every(parts: Iterable[Node]) -> Node:
    """All of them hold."""
    found = _joined(parts, Every, neutral=EVERYONE)
    if NO_ONE in found:
        return NO_ONE
    return found[0] if len(found) == 1 else Every(found) if found else EVERYONE


def some(parts: Iterable[Node]) -> Node:
    """At least one of them holds."""
    found = _joined(parts, Some, neutral=NO_ONE)
    if EVERYONE in found:
        return EVERYONE
    return found[0] if len(found) == 1 else Some(found) if found else NO_ONE


def negation(node: Node) -> Node:
    """The opposite, with the negation on the facts."""
    match node:
        case Always(holds=holds):
            return Always(not holds)
        case Leaf(fact=fact, holds=holds):
            return Leaf(fact, not holds)
        case Every(parts=parts):
            return some(negation(part) for part in parts)
        case Some(parts=parts):
            return every(negation(part) for part in parts)


def facts_of(node: Node) -> Iterator[Fact]:
    """Every fact once, in the order of its first place."""
    seen: set[Fact] = set()
    waiting = [node]
    while waiting:
        match waiting.pop():
            case Leaf(fact=fact):
                if fact not in seen:
                    seen.add(fact)
                    yield fact
            case Every(parts=parts) | Some(parts=parts):
                waiting.extend(reversed(parts))
            case Always():
                pass


def _joined(
    parts: Iterable[Node], kind: type[Every] | type[Some], neutral: Always
) -> tuple[Node, ...]:
    found: dict[Node, None] = {}
    for part in parts:
        inner = part.parts if isinstance(part, Every | Some) else ()
        for each in inner if isinstance(part, kind) else (part,):
            if each != neutral:
                found[each] = None
    return tuple(found)
