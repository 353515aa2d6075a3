"""The mutations that change profiles."""

import strawberry

from audience.keys import SIGN_UP
from gql.context import Context
from gql.errors import Payload
from gql.execution import plain
from gql.ids import Kind, stored_id
from gql.mutations import accepted, mutation
from gql.profile_inputs import IdentifyInput, UpsertProfileInput, change_of
from gql.profiles import Profile
from resolvers.db import Document
from resolvers.merges import merge_profiles
from resolvers.profiles import identify, upsert_profile


@strawberry.input(description="Which two profiles are the same person.")
class MergeProfilesInput:
    source_id: strawberry.ID = strawberry.field(
        description="The profile that ends. Its id goes on finding the other one."
    )
    destination_id: strawberry.ID = strawberry.field(
        description="The profile that stays. What both have, it keeps as it is."
    )


@strawberry.type(description="The answer of `upsertProfile`.")
class UpsertProfilePayload(Payload):
    profile: Profile | None = plain("profile", description="Null when refused.")
    created: bool = plain(
        "created", default=False, description="Whether the profile is new."
    )


@strawberry.type(description="The answer of `mergeProfiles`.")
class MergeProfilesPayload(Payload):
    profile: Profile | None = plain(
        "profile", description="The profile that stays; null when refused."
    )


@strawberry.type(
    description="The answer of `identify`: the same whether or not someone is known."
)
class IdentifyPayload(Payload):
    pass


@strawberry.type
class ProfileMutation:
    @mutation(
        UpsertProfilePayload,
        "profiles:write",
        description="Changes what is known about someone, or makes their profile. "
        "Identifiers that belong to different profiles are refused with CONFLICT.",
    )
    @staticmethod
    async def upsert_profile(context: Context, input: UpsertProfileInput) -> Document:
        done = await upsert_profile(context.db, change_of(input), context.now())
        return accepted(profile=done.profile, created=done.created)

    @mutation(
        MergeProfilesPayload,
        "profiles:write",
        description="Makes one of two profiles: events, memberships and consent of "
        "both come together. It cannot be undone.",
    )
    @staticmethod
    async def merge_profiles(context: Context, input: MergeProfilesInput) -> Document:
        profile = await merge_profiles(
            context.db,
            stored_id(input.source_id, Kind.PROFILE, "sourceId"),
            stored_id(input.destination_id, Kind.PROFILE, "destinationId"),
            context.now(),
        )
        return accepted(profile=profile)

    @mutation(
        IdentifyPayload,
        "profiles:write",
        SIGN_UP,
        description="Tells who a visitor is. Answers the same whether or not the "
        "person is known. Without the scope profiles:write, `email`, `phoneNumber` "
        "and `externalId` are kept only of someone new or anonymous so far. Where "
        "the identifiers cannot be of one person, nothing changes.",
    )
    @staticmethod
    async def identify(context: Context, input: IdentifyInput) -> Document:
        is_trusted = context.require_key().may("profiles:write")
        await identify(
            context.db, change_of(input), context.now(), is_trusted=is_trusted
        )
        return accepted()
