"""How comparisons, filters and timeframes are given."""

from datetime import date, datetime

import strawberry
from strawberry import Maybe

from audience.conditions import limits, patterns
from gql.scalars import JSON
from gql.segments.enums import Unit

_TEXT = f"At most {limits.TEXT} characters; case is ignored."
_TEXTS = f"1 to {limits.CHOICES} texts; case is ignored."
_ITEM = "A text (case ignored), a number, true or false."
_ITEMS = f"1 to {limits.CHOICES} texts (case ignored), numbers, true or false."
_COUNTRIES = "Countries by their two letters, such as DE."


@strawberry.input(description="A range of numbers; both ends belong to it.")
class NumberRange:
    from_: float = strawberry.field(name="from", description="The smallest.")
    to: float = strawberry.field(description="The largest.")


@strawberry.input(
    one_of=True,
    description=f"How a number has to be. Numbers lie within ±{limits.NUMBER:,}, "
    "beyond which double precision takes whole numbers for others.",
)
class NumberComparison:
    equals: Maybe[float] = strawberry.field(description="The same number.")
    not_equals: Maybe[float] = strawberry.field(description="Any other number.")
    greater_than: Maybe[float] = strawberry.field(description="More than this.")
    at_least: Maybe[float] = strawberry.field(description="This or more.")
    less_than: Maybe[float] = strawberry.field(description="Less than this.")
    at_most: Maybe[float] = strawberry.field(description="This or less.")
    between: Maybe[NumberRange] = strawberry.field(
        description="In the range, ends included."
    )


@strawberry.input(description=f"A length of time, at most {limits.SPAN_YEARS} years.")
class Span:
    amount: int = strawberry.field(description="How many; 1 or more.")
    unit: Unit = strawberry.field(description="Of what.")


@strawberry.input(description="A stretch of the past, by how long ago it was.")
class SpanRange:
    from_: Span = strawberry.field(
        name="from", description="The nearer end; its amount may be 0."
    )
    to: Span = strawberry.field(description="The farther end.")


@strawberry.input(description="From one instant to another, both included.")
class DateTimeRange:
    from_: datetime = strawberry.field(name="from", description="The earlier one.")
    to: datetime = strawberry.field(description="The later one.")


@strawberry.input(
    one_of=True,
    description="A day and month in any year. 29 February is kept on 28 February in "
    "years without it.",
)
class AnniversaryInput:
    today: Maybe[bool] = strawberry.field(description="It is today; only true.")
    in_the_next: Maybe[Span] = strawberry.field(
        description="It comes within so many days, weeks, months or years; today and "
        "the last day belong to them."
    )
    in_the_last: Maybe[Span] = strawberry.field(
        description="It was within so many days, weeks, months or years; today and "
        "the last day belong to them."
    )
    month: Maybe[int] = strawberry.field(description="It is in this month, 1 to 12.")
    this_month: Maybe[bool] = strawberry.field(
        description="It is in the current month; only true."
    )


@strawberry.input(
    one_of=True,
    description="When something has to have been. Days are those of the account's "
    f"time zone; years are {limits.EARLIEST_YEAR} to {limits.LATEST_YEAR}.",
)
class Timeframe:
    in_the_last: Maybe[Span] = strawberry.field(
        description="From so long ago until now, both included; not in the future."
    )
    not_in_the_last: Maybe[Span] = strawberry.field(description="Longer ago than this.")
    in_the_last_between: Maybe[SpanRange] = strawberry.field(
        description="Between 7 and 30 days ago, for example, both ends included."
    )
    in_the_next: Maybe[Span] = strawberry.field(
        description="From now until so far ahead, both included."
    )
    before: Maybe[datetime] = strawberry.field(description="Earlier than this.")
    after: Maybe[datetime] = strawberry.field(
        description="Later than this, the future included."
    )
    on: Maybe[date] = strawberry.field(description="On this day.")
    between: Maybe[DateTimeRange] = strawberry.field(
        description="Between two instants, both included."
    )
    anniversary: Maybe[AnniversaryInput] = strawberry.field(
        description="By its day and month, whatever the year."
    )


@strawberry.input(
    one_of=True,
    description="How a date has to be. In custom properties dates are texts such as "
    "2026-05-01 or 2026-05-01T12:00:00Z; a day counts as its midnight.",
)
class DateComparison:
    during: Maybe[Timeframe] = strawberry.field(description="In this timeframe.")
    in_the_next: Maybe[Span] = strawberry.field(
        description="From now until so far ahead, both included."
    )
    anniversary: Maybe[AnniversaryInput] = strawberry.field(
        description="By its day and month, whatever the year."
    )


@strawberry.input(
    one_of=True,
    description="How a text has to be. Case is ignored. The opposites hold of values "
    "that are no texts, and of missing ones, too.",
)
class TextComparison:
    equals: Maybe[str] = strawberry.field(description=f"This text. {_TEXT}")
    not_equals: Maybe[str] = strawberry.field(description=f"Not this text. {_TEXT}")
    in_: Maybe[list[str]] = strawberry.field(
        name="in", description=f"One of these. {_TEXTS}"
    )
    not_in: Maybe[list[str]] = strawberry.field(description=f"None of these. {_TEXTS}")
    contains: Maybe[str] = strawberry.field(description=f"With this part. {_TEXT}")
    not_contains: Maybe[str] = strawberry.field(
        description=f"Without this part. {_TEXT}"
    )
    starts_with: Maybe[str] = strawberry.field(
        description=f"Beginning like this. {_TEXT}"
    )
    not_starts_with: Maybe[str] = strawberry.field(
        description=f"Not beginning like this. {_TEXT}"
    )
    ends_with: Maybe[str] = strawberry.field(description=f"Ending like this. {_TEXT}")
    not_ends_with: Maybe[str] = strawberry.field(
        description=f"Not ending like this. {_TEXT}"
    )
    matches: Maybe[str] = strawberry.field(
        description="A regular expression that is found in the text: at most "
        f"{limits.PATTERN} characters, {patterns.SIZE:,} with each group written as "
        f"often as it may be repeated, a range beyond ASCII as {patterns.RANGE} of "
        "them; without references back, looking around, or "
        f"repetitions of repetitions; at most {patterns.UNBOUNDED} of *, + and "
        f"{{n,}}, none of them after alternatives ([ab]* for (a|b)*); other "
        f"repetitions up to {patterns.LARGEST_REPEAT} times; at most {patterns.WAYS:,} "
        "ways to combine alternatives and optional parts."
    )
    not_matches: Maybe[str] = strawberry.field(
        description="A regular expression that is not found in the text, under the "
        "rules of `matches`."
    )
    phone_country_in: Maybe[list[str]] = strawberry.field(
        description=f"A phone number of one of these countries. {_COUNTRIES}"
    )
    phone_country_not_in: Maybe[list[str]] = strawberry.field(
        description=f"No phone number of any of these countries. {_COUNTRIES}"
    )


@strawberry.input(
    one_of=True,
    description="What a list has to contain. The opposites hold of values that are no "
    "lists, and of missing ones, too.",
)
class ItemsComparison:
    contains: Maybe[JSON] = strawberry.field(description=f"This item. {_ITEM}")
    not_contains: Maybe[JSON] = strawberry.field(description=f"Not this. {_ITEM}")
    contains_any: Maybe[list[JSON]] = strawberry.field(
        description=f"At least one of these. {_ITEMS}"
    )
    not_contains_any: Maybe[list[JSON]] = strawberry.field(
        description=f"None of these. {_ITEMS}"
    )
    contains_all: Maybe[list[JSON]] = strawberry.field(
        description=f"All of these. {_ITEMS}"
    )
    not_contains_all: Maybe[list[JSON]] = strawberry.field(
        description=f"Not all of these. {_ITEMS}"
    )
    contains_text: Maybe[str] = strawberry.field(
        description=f"A text with this part. {_TEXT}"
    )
    not_contains_text: Maybe[str] = strawberry.field(
        description=f"No text with this part. {_TEXT}"
    )
    contains_prefix: Maybe[str] = strawberry.field(
        description=f"A text that begins like this. {_TEXT}"
    )
    not_contains_prefix: Maybe[str] = strawberry.field(
        description=f"No text that begins like this. {_TEXT}"
    )
    contains_suffix: Maybe[str] = strawberry.field(
        description=f"A text that ends like this. {_TEXT}"
    )
    not_contains_suffix: Maybe[str] = strawberry.field(
        description=f"No text that ends like this. {_TEXT}"
    )
    count: Maybe[NumberComparison] = strawberry.field(
        description="So many items. It holds of lists alone, with notEquals, too."
    )


@strawberry.input(
    one_of=True,
    description="How a value has to be. Types are strict: a number never passes a "
    "comparison of texts.",
)
class ValueComparison:
    exists: Maybe[bool] = strawberry.field(
        description="Whether there has to be a value; null is none."
    )
    text: Maybe[TextComparison] = strawberry.field(description="A text.")
    number: Maybe[NumberComparison] = strawberry.field(description="A number.")
    boolean: Maybe[bool] = strawberry.field(description="True, or false.")
    date: Maybe[DateComparison] = strawberry.field(description="A date.")
    items: Maybe[ItemsComparison] = strawberry.field(description="A list.")


@strawberry.input(description="A value that has to be as described.")
class PropertyFilterInput:
    path: str = strawberry.field(
        description="Of a profile: email, phoneNumber, externalId, firstName, "
        "lastName, organization, title, image, locale, createdAt, updatedAt, "
        "lastEventAt, location.city and the like, or properties. and a custom "
        "property's path. Of an event: value, valueCurrency, timestamp, uniqueId, or "
        "properties. and a property's path. "
        f"At most {limits.PATH} characters and {limits.PATH_PARTS} names."
    )
    is_: ValueComparison = strawberry.field(
        name="is", description="How the value has to be."
    )
    when_missing: bool | None = strawberry.field(
        default=None,
        description="What is answered where the value is missing. When absent: false, "
        "and true for the opposites such as notEquals.",
    )
