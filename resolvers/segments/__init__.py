"""Segments: the stored ones, and who is in them."""

from resolvers.segments.checks import check_references
from resolvers.segments.counting import count_members
from resolvers.segments.explanations import Explanation, explain_profiles
from resolvers.segments.filters import filtered_profiles
from resolvers.segments.imports import import_segment, names_of
from resolvers.segments.overlaps import Overlap, segment_overlap
from resolvers.segments.questions import (
    Preview,
    extended_json,
    filter_stages,
    preview,
    segment_members,
    segment_questions,
    segment_sizes,
)
from resolvers.segments.records import (
    MAX_SEGMENTS,
    count_segments,
    create_segment,
    delete_segment,
    dependants,
    segment_page,
    segments_by_id,
    update_segment,
    versions_of,
)
from resolvers.segments.references import references_of

__all__ = [
    "MAX_SEGMENTS",
    "Explanation",
    "Overlap",
    "Preview",
    "check_references",
    "count_members",
    "count_segments",
    "create_segment",
    "delete_segment",
    "dependants",
    "explain_profiles",
    "extended_json",
    "filter_stages",
    "filtered_profiles",
    "import_segment",
    "names_of",
    "preview",
    "references_of",
    "segment_members",
    "segment_overlap",
    "segment_page",
    "segment_questions",
    "segment_sizes",
    "segments_by_id",
    "update_segment",
    "versions_of",
]
