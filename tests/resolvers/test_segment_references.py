"""Where in a definition stands what leads too far."""

from datetime import UTC, datetime
from typing import Any

import pytest

from audience.errors import AudienceError, Code, Problem
from resolvers.db import Database
from resolvers.segments import create_segment

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAMED = {"property": {"filter": {"path": "firstName", "is": {"exists": True}}}}


def either(*conditions: Any) -> dict[str, Any]:
    return {"groups": [{"anyOf": list(conditions)}]}


async def made(db: Database, name: str, *conditions: Any) -> dict[str, Any]:
    """A condition on a new segment of these conditions."""
    segment = await create_segment(db, name, either(*conditions), now=NOW)
    return {"segment": {"segmentId": f"seg_{segment['_id']}"}}


async def refused(db: Database, *conditions: Any) -> tuple[Problem, ...]:
    with pytest.raises(AudienceError) as error:
        await create_segment(db, "Refused", either(*conditions), now=NOW)
    return error.value.problems


async def test_what_leads_too_deep_is_told_where_it_stands(db: Database) -> None:
    shallow = await made(db, "0", NAMED)
    deep = shallow
    for depth in range(1, 6):
        deep = await made(db, str(depth), deep)

    problems = await refused(db, shallow, {"not": either(NAMED, deep)})

    within = ("definition", "groups", "0", "anyOf", "1", "not", "groups", "0", "anyOf")
    assert problems == (
        Problem(
            Code.CONFLICT,
            "Segments refer to each other in a circle, or more than 5 deep.",
            (*within, "1", "segment", "segmentId"),
        ),
    )


async def test_what_is_too_large_alone_is_told_where_it_stands(db: Database) -> None:
    small = await made(db, "Small", NAMED)
    large = await made(db, "Large", *[NAMED] * 99)
    larger = await made(db, "Larger", *[large] * 5)

    (alone,) = await refused(db, small, {"all": either(larger)})
    (together,) = await refused(db, *[large] * 6)

    within = ("definition", "groups", "0", "anyOf", "1", "all", "groups", "0", "anyOf")
    assert alone == Problem(
        Code.TOO_LARGE,
        "With the segments that it refers to there are 501 conditions; at most 500 "
        "are allowed.",
        (*within, "0", "segment", "segmentId"),
    )
    assert together == Problem(
        Code.TOO_LARGE,
        "With the segments that it refers to there are 600 conditions; at most 500 "
        "are allowed.",
        ("definition",),
    )
