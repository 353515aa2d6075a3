"""Leaf values that fit their types, and values that do not or not quite."""

from datetime import UTC, datetime
from enum import Enum
from typing import Any

import strawberry
from strawberry.scalars import JSON


@strawberry.enum
class Colour(Enum):
    RED = "red"
    GREEN = 2
    BLUE = "BLUE"


GOOD: dict[Any, list[Any]] = {
    str: ["", "a", "ü\u2028"],
    int: [0, -1, 2**31 - 1],
    float: [0.5, -0.0, 1e300],
    bool: [True, False],
    strawberry.ID: ["x", "y"],
    Colour: [Colour.RED, "red", 2, "BLUE", Colour.GREEN],
    datetime: [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 3, 4, 5, 6, 7)],  # noqa: DTZ001
    JSON: [1, "x", [1, None], {"a": 1}],
}
ODD: dict[Any, list[Any]] = {
    str: [1, True, 1.5, {"a": 1}, ["a"], Colour.RED],
    int: ["12", 2**31, 1.0, 1.5, "x", True, float("nan"), []],
    float: [1, True, "1.5", float("inf"), float("nan"), "x", {}],
    bool: [0, 2, "true", 1.0, []],
    strawberry.ID: [5, 1.0, True, [], {}],
    Colour: ["RED", None, 3, [], {}, True, 2.0],
    datetime: ["2026-01-01", 5, datetime(2026, 1, 1).date()],  # noqa: DTZ001
    JSON: [0, False, ""],
}
SCALARS = list(GOOD)
