"""How definitions and their conditions are given."""

from typing import Annotated

import strawberry
from strawberry import Maybe

from audience.conditions import limits
from audience.postal import COUNTRIES
from gql.enums import Channel, Status, SuppressionReason
from gql.segments.comparison_inputs import (
    NumberComparison,
    PropertyFilterInput,
    Span,
    Timeframe,
)
from gql.segments.enums import DistanceUnit, Measure, Region


@strawberry.input(one_of=True, description="A metric, by its id or its name.")
class MetricRef:
    id: Maybe[strawberry.ID] = strawberry.field(description="Starts with met_.")
    name: Maybe[str] = strawberry.field(
        description="Exactly as it was tracked, case included."
    )


@strawberry.input(description="What someone has done, or not done: zero times.")
class EventConditionInput:
    metric: MetricRef = strawberry.field(description="Which events.")
    compare: NumberComparison = strawberry.field(
        description="How the measure has to be. Never done: COUNT equals 0."
    )
    measure: Measure = strawberry.field(
        default=Measure.COUNT, description="What is computed of the events."
    )
    of: str | None = strawberry.field(
        default=None,
        description="Of which value: value when absent, or another path of the event. "
        "Not with COUNT.",
    )
    during: Timeframe | None = strawberry.field(
        default=None, description="When; over all time when absent."
    )
    where: list[PropertyFilterInput] | None = strawberry.field(
        default=None,
        description=f"At most {limits.FILTERS} filters; every one holds for the event.",
    )


@strawberry.input(description="A profile field or custom property.")
class PropertyConditionInput:
    filter: PropertyFilterInput = strawberry.field(description="How it has to be.")


@strawberry.input(
    description="The state of one channel. At least one thing has to be said of it; "
    "all that is said has to hold."
)
class ConsentConditionInput:
    channel: Channel = strawberry.field(description="Which channel.")
    can_receive_marketing: bool | None = strawberry.field(
        default=None, description="Whether they agreed and are not suppressed."
    )
    status: list[Status] | None = strawberry.field(
        default=None, description="One of these."
    )
    changed: Timeframe | None = strawberry.field(
        default=None, description="When the consent last changed."
    )
    method: list[str] | None = strawberry.field(
        default=None,
        description="How it last changed: one of these, case ignored, at most "
        f"{limits.METHODS}.",
    )
    source: list[str] | None = strawberry.field(
        default=None,
        description="Where it was last given or refused: one of these, case ignored, "
        f"at most {limits.METHODS}.",
    )
    is_double_opt_in: bool | None = strawberry.field(
        default=None,
        description="Whether the agreement in force was confirmed by a link. False: "
        "all others, people who never agreed included.",
    )
    suppression: list[SuppressionReason] | None = strawberry.field(
        default=None, description="Suppressed for one of these reasons."
    )
    suppressed: Timeframe | None = strawberry.field(
        default=None, description="When the suppression in force began."
    )


@strawberry.input(description="Who is in a list.")
class ListConditionInput:
    list_id: strawberry.ID = strawberry.field(description="Which list.")
    is_member: bool = strawberry.field(
        default=True, description="False: everyone else."
    )
    joined: Timeframe | None = strawberry.field(
        default=None, description="Only who joined then."
    )


@strawberry.input(description="Who is in another segment, as it is defined now.")
class SegmentConditionInput:
    segment_id: strawberry.ID = strawberry.field(
        description="Which segment. Segments cannot refer to each other in a circle, "
        f"nor more than {limits.REFERENCES} deep; with all segments referred to, a "
        f"definition has at most {limits.ALL_CONDITIONS} conditions."
    )
    is_member: bool = strawberry.field(
        default=True, description="False: everyone else."
    )


@strawberry.input(
    description="Where someone is, by the country of their location: two letters, "
    "three letters or the English name."
)
class RegionConditionInput:
    region: Region = strawberry.field(description="Which region.")
    is_within: bool = strawberry.field(
        default=True,
        description="False: everyone else, people without a country included.",
    )


@strawberry.input(description="A postal code.")
class PostalCodeInput:
    country: str = strawberry.field(
        description="Which country's: two letters, three letters or the English name. "
        f"Known are {', '.join(COUNTRIES)}."
    )
    code: str = strawberry.field(
        description="Such as 10001, SW1A 1AA or 1012 AB; of British, Canadian, Dutch, "
        "Irish, Maltese and Portuguese codes the district's part is used, of Brazilian "
        "codes the first five digits, and of codes of the United States and Puerto "
        "Rico the five digits before the hyphen."
    )


@strawberry.input(description="A point on the Earth, in degrees.")
class CoordinatesInput:
    latitude: float = strawberry.field(description="-90 to 90, north above 0.")
    longitude: float = strawberry.field(description="-180 to 180, east above 0.")


@strawberry.input(one_of=True, description="A place.")
class PlaceInput:
    postal_code: Maybe[PostalCodeInput] = strawberry.field(
        description="Where a postal code is; it stands for one point."
    )
    coordinates: Maybe[CoordinatesInput] = strawberry.field(
        description="A point by its coordinates."
    )


@strawberry.input(
    description="How far someone is from a place, by the latitude and longitude of "
    "their location."
)
class DistanceConditionInput:
    of: PlaceInput = strawberry.field(description="From where.")
    within: float = strawberry.field(description="At most so far; 0 or more.")
    unit: DistanceUnit = strawberry.field(
        default=DistanceUnit.KILOMETRE, description="Of what."
    )
    is_within: bool = strawberry.field(
        default=True,
        description="False: everyone else, people without coordinates included.",
    )


@strawberry.input(description="A stable random share of all profiles.")
class SampleConditionInput:
    percent: float = strawberry.field(description="How large, 0 to 100.")
    seed: str | None = strawberry.field(
        default=None,
        description=f"Another text gives other people. At most {limits.TEXT} "
        "characters.",
    )


@strawberry.input(description="One step of a sequence.")
class SequenceStepInput:
    metric: MetricRef = strawberry.field(description="Which events.")
    happened: bool = strawberry.field(
        default=True,
        description="False: no such event between the steps before and after it; as "
        "the last step, none after the one before it.",
    )
    where: list[PropertyFilterInput] | None = strawberry.field(
        default=None,
        description=f"At most {limits.FILTERS} filters; every one holds for the event.",
    )


@strawberry.input(
    description="Events in an order, each later than the one before; others may lie "
    "between them."
)
class SequenceConditionInput:
    steps: list[SequenceStepInput] = strawberry.field(
        description=f"2 to {limits.SEQUENCE_STEPS} steps. The first must happen, and "
        "of two neighbours one must."
    )
    within: Span | None = strawberry.field(
        default=None,
        description="The most between the first step and the last that happened; and "
        "how long after it a last step must not happen. A day is 24 hours, a month 30 "
        "days, a year 365.",
    )
    during: Timeframe | None = strawberry.field(
        default=None, description="When all of it was; over all time when absent."
    )
    is_completed: bool = strawberry.field(
        default=True, description="False: everyone else."
    )


@strawberry.input(
    one_of=True, description="One condition, of the kind whose field is given."
)
class ConditionInput:
    event: Maybe[EventConditionInput] = strawberry.field(
        description="What someone has done, or not done."
    )
    property: Maybe[PropertyConditionInput] = strawberry.field(
        description="A profile field or custom property."
    )
    consent: Maybe[ConsentConditionInput] = strawberry.field(
        description="Can or cannot receive marketing, and how it came about."
    )
    list: Maybe[ListConditionInput] = strawberry.field(description="In a list.")
    segment: Maybe[SegmentConditionInput] = strawberry.field(
        description="In another segment."
    )
    region: Maybe[RegionConditionInput] = strawberry.field(
        description="In a part of the world."
    )
    distance: Maybe[DistanceConditionInput] = strawberry.field(
        description="Near a place, or not."
    )
    sample: Maybe[SampleConditionInput] = strawberry.field(
        description="In a stable random share of all profiles."
    )
    sequence: Maybe[SequenceConditionInput] = strawberry.field(
        description="Did one thing, then another, or not another."
    )
    not_: Maybe[
        Annotated[
            "SegmentDefinitionInput", strawberry.lazy("gql.segments.condition_inputs")
        ]
    ] = strawberry.field(
        name="not", description="Exactly those whom the inner definition leaves out."
    )
    all: Maybe[
        Annotated[
            "SegmentDefinitionInput", strawberry.lazy("gql.segments.condition_inputs")
        ]
    ] = strawberry.field(description="A whole definition as one condition.")


@strawberry.input(description="Conditions of which one is enough.")
class ConditionGroupInput:
    any_of: list[ConditionInput] = strawberry.field(
        description="At least one condition."
    )


@strawberry.input(
    description="Who is meant: every group has to hold. At most "
    f"{limits.CONDITIONS} conditions, nested ones included, and {limits.DEPTH} levels."
)
class SegmentDefinitionInput:
    groups: list[ConditionGroupInput] = strawberry.field(
        description="At least one group."
    )
