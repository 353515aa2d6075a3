"""Events: recorded with the profiles' summaries, and read in pages."""

from resolvers.events.reads import (
    EVERY_EVENT,
    EventFilter,
    count_events,
    event_counts_of_profiles,
    event_page,
    events_by_id,
    events_of_profiles,
)
from resolvers.events.writes import Tracked, UnknownMetric, track_events

__all__ = [
    "EVERY_EVENT",
    "EventFilter",
    "Tracked",
    "UnknownMetric",
    "count_events",
    "event_counts_of_profiles",
    "event_page",
    "events_by_id",
    "events_of_profiles",
    "track_events",
]
