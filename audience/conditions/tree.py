"""What a segment's author can say, as data. Nothing here knows how it is answered."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Literal

Scalar = str | float | bool


class Measure(StrEnum):
    """What is computed of the events that a condition looks at."""

    COUNT = "COUNT"
    SUM = "SUM"
    AVERAGE = "AVERAGE"
    MIN = "MIN"
    MAX = "MAX"
    COUNT_DISTINCT = "COUNT_DISTINCT"


class Unit(StrEnum):
    """Minutes and hours are lengths; the others are steps in the calendar."""

    MINUTE = "MINUTE"
    HOUR = "HOUR"
    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"
    YEAR = "YEAR"


class Region(StrEnum):
    """A part of the world."""

    EUROPEAN_UNION = "EUROPEAN_UNION"
    UNITED_STATES = "UNITED_STATES"


class DistanceUnit(StrEnum):
    """A unit of length."""

    KILOMETRE = "KILOMETRE"
    MILE = "MILE"


@dataclass(frozen=True, slots=True)
class MetricRef:
    """A metric, by id or by name."""

    id: str | None = None
    name: str | None = None


NumberOperator = Literal[
    "equals", "notEquals", "greaterThan", "atLeast", "lessThan", "atMost", "between"
]


@dataclass(frozen=True, slots=True)
class NumberComparison:
    """`upper` is given for `between` alone; both of its ends belong to it."""

    operator: NumberOperator
    value: float
    upper: float | None = None


TextOperator = Literal[
    "equals",
    "notEquals",
    "in",
    "notIn",
    "contains",
    "notContains",
    "startsWith",
    "notStartsWith",
    "endsWith",
    "notEndsWith",
    "matches",
    "notMatches",
    "phoneCountryIn",
    "phoneCountryNotIn",
]


@dataclass(frozen=True, slots=True)
class TextComparison:
    """One value, or the choices of an operator that takes several."""

    operator: TextOperator
    values: tuple[str, ...]


ItemsOperator = Literal[
    "contains",
    "notContains",
    "containsAny",
    "notContainsAny",
    "containsAll",
    "notContainsAll",
    "containsText",
    "notContainsText",
    "containsPrefix",
    "notContainsPrefix",
    "containsSuffix",
    "notContainsSuffix",
]


@dataclass(frozen=True, slots=True)
class ItemsComparison:
    """What a list has to contain."""

    operator: ItemsOperator
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class ItemCount:
    """How many items a list has to have."""

    compare: NumberComparison


@dataclass(frozen=True, slots=True)
class Exists:
    """Whether there has to be a value."""

    wanted: bool


@dataclass(frozen=True, slots=True)
class IsBoolean:
    """Which of true and false the value has to be."""

    wanted: bool


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time."""

    amount: int
    unit: Unit


@dataclass(frozen=True, slots=True)
class InTheLast:
    """From a span ago until now, both ends included."""

    span: Span


@dataclass(frozen=True, slots=True)
class NotInTheLast:
    """More than a span ago."""

    span: Span


@dataclass(frozen=True, slots=True)
class InTheLastBetween:
    """Between `nearest` and `farthest` ago, both ends included."""

    nearest: Span
    farthest: Span


@dataclass(frozen=True, slots=True)
class Before:
    """Earlier than an instant."""

    at: datetime


@dataclass(frozen=True, slots=True)
class After:
    """Later than an instant."""

    at: datetime


@dataclass(frozen=True, slots=True)
class On:
    """On a day in the account's time zone."""

    day: date


@dataclass(frozen=True, slots=True)
class Between:
    """Between two instants, both included."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class InTheNext:
    """From now until a span ahead, both ends included."""

    span: Span


@dataclass(frozen=True, slots=True)
class Anniversary:
    """The day and month in any year: today, in a span of days, or in a month."""

    kind: Literal["today", "inTheNext", "inTheLast", "month", "thisMonth"]
    span: Span | None = None
    month: int | None = None


Stretch = (
    InTheLast
    | NotInTheLast
    | InTheLastBetween
    | InTheNext
    | Before
    | After
    | On
    | Between
)
Timeframe = Stretch | Anniversary
DateComparison = Timeframe
Comparison = (
    Exists
    | TextComparison
    | NumberComparison
    | IsBoolean
    | DateComparison
    | ItemsComparison
    | ItemCount
)


@dataclass(frozen=True, slots=True)
class PropertyFilter:
    """A comparison of the value at `path`."""

    path: str
    comparison: Comparison
    when_missing: bool | None = None


@dataclass(frozen=True, slots=True)
class EventCondition:
    """A measure of someone's events of one metric, compared with a number."""

    metric: MetricRef
    compare: NumberComparison
    measure: Measure = Measure.COUNT
    of: str | None = None
    during: Timeframe | None = None
    where: tuple[PropertyFilter, ...] = ()


@dataclass(frozen=True, slots=True)
class PropertyCondition:
    """A profile field or custom property."""

    filter: PropertyFilter


@dataclass(frozen=True, slots=True)
class ConsentCondition:
    """The state of one channel; everything that is given has to hold."""

    channel: str
    can_receive: bool | None = None
    statuses: tuple[str, ...] = ()
    changed: Timeframe | None = None
    methods: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    is_double_opt_in: bool | None = None
    suppressions: tuple[str, ...] = ()
    suppressed: Timeframe | None = None


@dataclass(frozen=True, slots=True)
class ListCondition:
    """Membership in a list, optionally by when it began."""

    list_id: str
    is_member: bool = True
    joined: Timeframe | None = None


@dataclass(frozen=True, slots=True)
class SegmentCondition:
    """Membership in another segment."""

    segment_id: str
    is_member: bool = True


@dataclass(frozen=True, slots=True)
class RegionCondition:
    """Whether the country of the profile's location lies in a region."""

    region: Region
    is_within: bool = True


@dataclass(frozen=True, slots=True)
class Coordinates:
    """A point on the Earth, in degrees."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class PostalCode:
    """A postal code, and the country that it belongs to."""

    country: str
    code: str


@dataclass(frozen=True, slots=True)
class DistanceCondition:
    """Whether the coordinates of the profile's location are near a place."""

    of: Coordinates | PostalCode
    within: float
    unit: DistanceUnit = DistanceUnit.KILOMETRE
    is_within: bool = True


@dataclass(frozen=True, slots=True)
class SampleCondition:
    """A stable random share of all profiles."""

    percent: float
    seed: str | None = None


@dataclass(frozen=True, slots=True)
class SequenceStep:
    """An event that follows the step before, or one that must not follow it."""

    metric: MetricRef
    happened: bool = True
    where: tuple[PropertyFilter, ...] = ()


@dataclass(frozen=True, slots=True)
class SequenceCondition:
    """Events in an order; `within` reaches from the first step to the last."""

    steps: tuple[SequenceStep, ...]
    within: Span | None = None
    during: Timeframe | None = None
    is_completed: bool = True


@dataclass(frozen=True, slots=True)
class Nested:
    """A whole definition as one condition; `holds` is False for `not`."""

    definition: "Definition"
    holds: bool = True


Condition = (
    EventCondition
    | PropertyCondition
    | ConsentCondition
    | ListCondition
    | SegmentCondition
    | RegionCondition
    | DistanceCondition
    | SampleCondition
    | SequenceCondition
    | Nested
)


@dataclass(frozen=True, slots=True)
class Group:
    """One of the conditions is enough."""

    any_of: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Definition:
    """Every group has to hold."""

    groups: tuple[Group, ...]
