"""Definitions as they are shown: the output twins of the inputs, read from the stored
form."""

from datetime import date, datetime
from typing import Annotated, Any

import strawberry

from gql.enums import Channel, Status, SuppressionReason
from gql.execution import FromDocument, plain
from gql.scalars import JSON
from gql.segments.enums import DistanceUnit, Measure, Region, Unit
from resolvers.db import Document


@strawberry.type(
    name="NumberRangeOutput", description="A range; both ends belong to it."
)
class NumberRange:
    from_: float = plain("from", name="from", description="The smallest.")
    to: float = plain("to", description="The largest.")


@strawberry.type(
    name="NumberComparisonOutput", description="How a number has to be: one is given."
)
class NumberComparison:
    equals: float | None = plain("equals", description="The same number.")
    not_equals: float | None = plain("notEquals", description="Any other number.")
    greater_than: float | None = plain("greaterThan", description="More than this.")
    at_least: float | None = plain("atLeast", description="This or more.")
    less_than: float | None = plain("lessThan", description="Less than this.")
    at_most: float | None = plain("atMost", description="This or less.")
    between: NumberRange | None = plain(
        "between", description="In the range, ends included."
    )


@strawberry.type(name="SpanOutput", description="A length of time.")
class Span:
    amount: int = plain("amount", description="How many.")
    unit: Unit = plain("unit", description="Of what.")


@strawberry.type(
    name="SpanRangeOutput", description="A stretch of the past, by how long ago it was."
)
class SpanRange:
    from_: Span = plain("from", name="from", description="The nearer end.")
    to: Span = plain("to", description="The farther end.")


@strawberry.type(
    name="DateTimeRangeOutput",
    description="From one instant to another, both included.",
)
class DateTimeRange:
    from_: datetime = plain(
        "from", name="from", read=datetime.fromisoformat, description="The earlier one."
    )
    to: datetime = plain(
        "to", read=datetime.fromisoformat, description="The later one."
    )


@strawberry.type(description="A day and month in any year: one is given.")
class Anniversary:
    today: bool | None = plain("today", description="It is today.")
    in_the_next: Span | None = plain("inTheNext", description="It comes within this.")
    in_the_last: Span | None = plain("inTheLast", description="It was within this.")
    month: int | None = plain("month", description="It is in this month, 1 to 12.")
    this_month: bool | None = plain(
        "thisMonth", description="It is in the current month."
    )


@strawberry.type(name="TimeframeOutput", description="When: one is given.")
class Timeframe:
    in_the_last: Span | None = plain(
        "inTheLast", description="From so long ago until now."
    )
    not_in_the_last: Span | None = plain(
        "notInTheLast", description="Longer ago than this."
    )
    in_the_last_between: SpanRange | None = plain(
        "inTheLastBetween", description="Between so long and so long ago."
    )
    in_the_next: Span | None = plain(
        "inTheNext", description="From now until so far ahead."
    )
    before: datetime | None = plain(
        "before", read=datetime.fromisoformat, description="Earlier than this."
    )
    after: datetime | None = plain(
        "after", read=datetime.fromisoformat, description="Later than this."
    )
    on: date | None = plain("on", read=date.fromisoformat, description="On this day.")
    between: DateTimeRange | None = plain(
        "between", description="Between two instants, both included."
    )
    anniversary: Anniversary | None = plain(
        "anniversary", description="By its day and month, whatever the year."
    )


@strawberry.type(
    name="DateComparisonOutput", description="How a date has to be: one is given."
)
class DateComparison:
    during: Timeframe | None = plain("during", description="In this timeframe.")
    in_the_next: Span | None = plain(
        "inTheNext", description="From now until so far ahead."
    )
    anniversary: Anniversary | None = plain(
        "anniversary", description="By its day and month, whatever the year."
    )


@strawberry.type(
    name="TextComparisonOutput", description="How a text has to be: one is given."
)
class TextComparison:
    equals: str | None = plain("equals", description="This text.")
    not_equals: str | None = plain("notEquals", description="Not this text.")
    in_: list[str] | None = plain("in", name="in", description="One of these.")
    not_in: list[str] | None = plain("notIn", description="None of these.")
    contains: str | None = plain("contains", description="With this part.")
    not_contains: str | None = plain("notContains", description="Without this part.")
    starts_with: str | None = plain("startsWith", description="Beginning like this.")
    not_starts_with: str | None = plain(
        "notStartsWith", description="Not beginning like this."
    )
    ends_with: str | None = plain("endsWith", description="Ending like this.")
    not_ends_with: str | None = plain(
        "notEndsWith", description="Not ending like this."
    )
    matches: str | None = plain(
        "matches", description="A regular expression that is found in it."
    )
    not_matches: str | None = plain(
        "notMatches", description="A regular expression that is not found in it."
    )
    phone_country_in: list[str] | None = plain(
        "phoneCountryIn", description="A phone number of one of these countries."
    )
    phone_country_not_in: list[str] | None = plain(
        "phoneCountryNotIn", description="No phone number of any of these countries."
    )


@strawberry.type(
    name="ItemsComparisonOutput",
    description="What a list has to contain: one is given.",
)
class ItemsComparison:
    contains: JSON | None = plain("contains", description="This item.")
    not_contains: JSON | None = plain("notContains", description="Not this.")
    contains_any: list[JSON] | None = plain(
        "containsAny", description="At least one of these."
    )
    not_contains_any: list[JSON] | None = plain(
        "notContainsAny", description="None of these."
    )
    contains_all: list[JSON] | None = plain("containsAll", description="All of these.")
    not_contains_all: list[JSON] | None = plain(
        "notContainsAll", description="Not all of these."
    )
    contains_text: str | None = plain(
        "containsText", description="A text with this part."
    )
    not_contains_text: str | None = plain(
        "notContainsText", description="No text with this part."
    )
    contains_prefix: str | None = plain(
        "containsPrefix", description="A text that begins like this."
    )
    not_contains_prefix: str | None = plain(
        "notContainsPrefix", description="No text that begins like this."
    )
    contains_suffix: str | None = plain(
        "containsSuffix", description="A text that ends like this."
    )
    not_contains_suffix: str | None = plain(
        "notContainsSuffix", description="No text that ends like this."
    )
    count: NumberComparison | None = plain("count", description="So many items.")


@strawberry.type(
    name="ValueComparisonOutput", description="How a value has to be: one is given."
)
class ValueComparison:
    exists: bool | None = plain(
        "exists", description="Whether there has to be a value."
    )
    text: TextComparison | None = plain("text", description="A text.")
    number: NumberComparison | None = plain("number", description="A number.")
    boolean: bool | None = plain("boolean", description="True, or false.")
    date: DateComparison | None = plain("date", description="A date.")
    items: ItemsComparison | None = plain("items", description="A list.")


@strawberry.type(description="A value that has to be as described.")
class PropertyFilter:
    path: str = plain("path", description="Which value.")
    is_: ValueComparison = plain("is", name="is", description="How it has to be.")
    when_missing: bool | None = plain(
        "whenMissing", description="What is answered where it is missing."
    )


@strawberry.type(name="MetricRefOutput", description="A metric: one is given.")
class MetricRef:
    id: strawberry.ID | None = plain("id", description="By its id.")
    name: str | None = plain("name", description="By its name.")


@strawberry.type(description="What someone has done, or not done.")
class EventCondition(FromDocument):
    metric: MetricRef = plain("metric", description="Which events.")
    measure: Measure = plain("measure", description="What is computed of them.")
    of: str | None = plain("of", description="Of which value.")
    compare: NumberComparison = plain(
        "compare", description="How the measure has to be."
    )
    during: Timeframe | None = plain("during", description="When; null: over all time.")
    where: list[PropertyFilter] | None = plain(
        "where", description="Every filter holds for the event."
    )


@strawberry.type(description="A profile field or custom property.")
class PropertyCondition(FromDocument):
    filter: PropertyFilter = plain("filter", description="How it has to be.")


@strawberry.type(description="The state of one channel; all that is given has to hold.")
class ConsentCondition(FromDocument):
    channel: Channel = plain("channel", description="Which channel.")
    can_receive_marketing: bool | None = plain(
        "canReceiveMarketing", description="Whether they agreed and are not suppressed."
    )
    status: list[Status] | None = plain("status", description="One of these.")
    changed: Timeframe | None = plain(
        "changed", description="When the consent last changed."
    )
    method: list[str] | None = plain("method", description="How it last changed.")
    source: list[str] | None = plain(
        "source", description="Where it was last given or refused."
    )
    is_double_opt_in: bool | None = plain(
        "isDoubleOptIn", description="Whether it was confirmed by a link."
    )
    suppression: list[SuppressionReason] | None = plain(
        "suppression", description="Suppressed for one of these reasons."
    )
    suppressed: Timeframe | None = plain(
        "suppressed", description="When the suppression in force began."
    )


@strawberry.type(description="Who is in a list.")
class ListCondition(FromDocument):
    list_id: strawberry.ID = plain("listId", description="Which list.")
    is_member: bool = plain("isMember", description="False: everyone else.")
    joined: Timeframe | None = plain("joined", description="Only who joined then.")


@strawberry.type(description="Who is in another segment.")
class SegmentCondition(FromDocument):
    segment_id: strawberry.ID = plain("segmentId", description="Which segment.")
    is_member: bool = plain("isMember", description="False: everyone else.")


@strawberry.type(description="Where someone is.")
class RegionCondition(FromDocument):
    region: Region = plain("region", description="Which region.")
    is_within: bool = plain("isWithin", description="False: everyone else.")


@strawberry.type(name="PostalCodeOutput", description="A postal code.")
class PostalCode:
    country: str = plain("country", description="Which country's.")
    code: str = plain("code", description="The code.")


@strawberry.type(name="CoordinatesOutput", description="A point on the Earth.")
class Coordinates:
    latitude: float = plain("latitude", description="In degrees, north above 0.")
    longitude: float = plain("longitude", description="In degrees, east above 0.")


@strawberry.type(name="PlaceOutput", description="A place: one is given.")
class Place:
    postal_code: PostalCode | None = plain("postalCode", description="By its code.")
    coordinates: Coordinates | None = plain("coordinates", description="A point.")


@strawberry.type(
    description="How far someone is from a place. Beside events and sequences, ask for "
    "`of` and `within` by other names, such as `place: of`."
)
class DistanceCondition(FromDocument):
    of: Place = plain("of", description="From where.")
    within: float = plain("within", description="At most so far.")
    unit: DistanceUnit = plain("unit", description="Of what.")
    is_within: bool = plain("isWithin", description="False: everyone else.")


@strawberry.type(description="A stable random share of all profiles.")
class SampleCondition(FromDocument):
    percent: float = plain("percent", description="How large, 0 to 100.")
    seed: str | None = plain("seed", description="Another text gives other people.")


@strawberry.type(description="One step of a sequence.")
class SequenceStep:
    metric: MetricRef = plain("metric", description="Which events.")
    happened: bool = plain("happened", description="False: it must not happen.")
    where: list[PropertyFilter] | None = plain(
        "where", description="Every filter holds for the event."
    )


@strawberry.type(description="Events in an order, each later than the one before.")
class SequenceCondition(FromDocument):
    steps: list[SequenceStep] = plain("steps", description="The steps.")
    within: Span | None = plain(
        "within", description="The most between the first step and the last."
    )
    during: Timeframe | None = plain("during", description="When all of it was.")
    is_completed: bool = plain("isCompleted", description="False: everyone else.")


@strawberry.type(
    description="A whole definition as one condition: the field `all` of the input."
)
class AllCondition(FromDocument):
    groups: list[
        Annotated["ConditionGroup", strawberry.lazy("gql.segments.definitions")]
    ] = plain("groups", description="Every group has to hold.")


@strawberry.type(
    description="Those whom a definition leaves out: the field `not` of the input."
)
class NotCondition(FromDocument):
    groups: list[
        Annotated["ConditionGroup", strawberry.lazy("gql.segments.definitions")]
    ] = plain("groups", description="Not every group may hold.")


Condition = Annotated[
    EventCondition
    | PropertyCondition
    | ConsentCondition
    | ListCondition
    | SegmentCondition
    | RegionCondition
    | DistanceCondition
    | SampleCondition
    | SequenceCondition
    | AllCondition
    | NotCondition,
    strawberry.union(
        "Condition",
        description="One condition. Its type's name tells the input's field: "
        "EventCondition is `event`.",
    ),
]


def _conditions(stored: list[Document]) -> list[Any]:
    return [
        {**inner, "__typename": f"{kind.capitalize()}Condition"}
        for condition in stored
        for kind, inner in condition.items()
    ]


@strawberry.type(description="Conditions of which one is enough.")
class ConditionGroup:
    any_of: list[Condition] = plain(
        "anyOf", read=_conditions, description="The conditions."
    )


@strawberry.type(
    description="Who is meant: every group has to hold. See docs/segments.md."
)
class SegmentDefinition:
    groups: list[ConditionGroup] = plain("groups", description="The groups.")
    json: JSON = plain(
        "",
        description="The definition as one JSON value: as it is, a "
        "SegmentDefinitionInput.",
    )
