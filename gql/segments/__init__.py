"""The segment language in the API, and the segments."""

from gql.segments.changes import SegmentMutation
from gql.segments.condition_inputs import SegmentDefinitionInput
from gql.segments.queries import SegmentQuery
from gql.segments.reading import definition_of
from gql.segments.types import count_of_members

__all__ = [
    "SegmentDefinitionInput",
    "SegmentMutation",
    "SegmentQuery",
    "count_of_members",
    "definition_of",
]
