"""Profiles: found or made by their identifiers, changed, read and searched."""

from resolvers.profiles.reads import (
    count_profiles,
    profile_by,
    profile_page,
    profiles_by_id,
    search_filter,
)
from resolvers.profiles.resolution import Resolved, resolve_profiles
from resolvers.profiles.upserts import (
    Upserted,
    identify,
    upsert_profile,
    upsert_profiles,
)

__all__ = [
    "Resolved",
    "Upserted",
    "count_profiles",
    "identify",
    "profile_by",
    "profile_page",
    "profiles_by_id",
    "resolve_profiles",
    "search_filter",
    "upsert_profile",
    "upsert_profiles",
]
