"""The properties of events that segments look at, and which have an index."""

import strawberry

from gql.execution import plain


@strawberry.type(
    description="A property of events that stored segments look at. An index leads to "
    "events by its value. Those that most segments look at get one, in the background, "
    "within a minute or as long as it takes to make; it goes when no segment has "
    "looked at the property for an hour. At most 8 at a time, or as many as "
    "AUDIENCE_PROPERTY_INDEXES says: beyond them an index gives way to one on a "
    "property that at least twice as many segments look at."
)
class PropertyIndex:
    path: str = plain("path", description="Such as properties.category.")
    segments: int = plain(
        "segments",
        description="How many segments look at it: at a value of it in a filter, or at "
        "what is measured of it.",
    )
    is_ready: bool = plain(
        "is_ready",
        description="Whether it has an index that segments are answered by.",
    )
