"""The enumerations of the segment language."""

from audience.conditions.tree import DistanceUnit, Measure, Region, Unit
from gql.enums import expose

__all__ = ["DistanceUnit", "Measure", "Region", "Unit"]

expose(
    Measure,
    name="EventMeasure",
    description="What is computed of someone's events.",
    values={
        "COUNT": "How many there are.",
        "SUM": "The sum of the numbers; 0 without any.",
        "AVERAGE": "The average of the numbers; nothing without any.",
        "MIN": "The smallest number; nothing without any.",
        "MAX": "The largest number; nothing without any.",
        "COUNT_DISTINCT": "How many different values there are: texts (letter by "
        "letter, case included), numbers, truth values and times.",
    },
)
expose(
    Unit,
    name="TimeUnit",
    description="A unit of time. Minutes and hours are lengths; the others are steps "
    "in the calendar of the account's time zone, at the same time of day.",
    values={
        "MINUTE": "Sixty seconds.",
        "HOUR": "Sixty minutes.",
        "DAY": "To the same time on the next day, or the one before.",
        "WEEK": "Seven days.",
        "MONTH": "To the same day of the next month, or its last one where it is "
        "shorter.",
        "YEAR": "Twelve months.",
    },
)
expose(
    Region,
    name="Region",
    description="A part of the world.",
    values={
        "EUROPEAN_UNION": "The member states of the European Union.",
        "UNITED_STATES": "The United States of America.",
    },
)
expose(
    DistanceUnit,
    name="DistanceUnit",
    description="A unit of length.",
    values={"KILOMETRE": "1,000 metres.", "MILE": "1,609.344 metres."},
)
