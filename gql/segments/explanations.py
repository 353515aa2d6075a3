"""Why someone is in a segment, or not."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from audience.conditions import parse
from audience.errors import NotFound
from gql.context import Context
from gql.execution import plain
from gql.ids import Kind, stored_id
from gql.scalars import JSON
from gql.segments.reading import require_lists
from resolvers.db import Document
from resolvers.segments import Explanation, explain_profiles, segments_by_id

if TYPE_CHECKING:
    from gql.events import Event


@strawberry.type(description="One condition of a segment, and what is known of it.")
class ConditionExplanation:
    matches: bool = plain("matches", description="Whether it holds.")
    condition: str = plain(
        "words",
        description="In words: Placed Order at least 3 times in the last 90 days.",
    )
    actual: JSON | None = plain(
        "actual",
        description="What it is: a number of events, such as 2, the value of a field, "
        "or an object such as the state of a consent. Null where nothing is known.",
    )
    expected: JSON | None = plain(
        "expected",
        description="What it has to be: the number, such as 3, or the comparison as it "
        "is written in the definition.",
    )
    events: list[Annotated["Event", strawberry.lazy("gql.events")]] = plain(
        "events", description="The newest events that it counts, at most 10."
    )


@strawberry.type(description="Conditions of which one is enough.")
class GroupExplanation:
    matches: bool = plain("matches", description="Whether one of them holds.")
    conditions: list[ConditionExplanation] = plain(
        "conditions", description="Each condition."
    )


@strawberry.type(
    description="Why someone is in a segment, or not: every group has to hold."
)
class SegmentExplanation:
    matches: bool = plain("matches", description="Whether they are in it.")
    groups: list[GroupExplanation] = plain("groups", description="Each group.")


async def explanations_of(
    profiles: Sequence[Document], context: Context, segment_id: str
) -> list[Any]:
    """For each of the profiles the source of its SegmentExplanation."""
    context.require("segments:read")
    stored = stored_id(segment_id, Kind.SEGMENT, "segmentId")
    (segment,) = await segments_by_id(context.db, [stored])
    if segment is None:
        raise NotFound("There is no such segment.", ("segmentId",))
    require_lists(context, parse(segment["definition"]))
    found = await explain_profiles(
        context.db, segment, profiles, context.now(), context.zone
    )
    return [_source(each) for each in found]


def _source(explanation: Explanation) -> Document:
    return {
        "matches": explanation.matches,
        "groups": [
            {
                "matches": any(it.matches for it in group),
                "conditions": [
                    {
                        "matches": it.matches,
                        "words": it.words,
                        "actual": it.actual,
                        "expected": it.expected,
                        "events": it.events,
                    }
                    for it in group
                ],
            }
            for group in explanation.groups
        ],
    }
