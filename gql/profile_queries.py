"""The queries for profiles: one by an identifier, many by conditions."""

from enum import StrEnum
from typing import Annotated

import strawberry

from audience.errors import AudienceError
from audience.identity import Identity, identity
from gql.connection import (
    After,
    Before,
    Count,
    First,
    Last,
    asked_page,
    connection,
    searched,
)
from gql.context import Context
from gql.enums import expose
from gql.ids import Kind, stored_id
from gql.mutations import given
from gql.profiles import Profile, ProfileConnection, count_of_profiles
from gql.queries import query
from gql.segments import (
    SegmentDefinitionInput,
    count_of_members,
    definition_of,
)
from resolvers.db import Document
from resolvers.pages import Order
from resolvers.profiles import profile_by, profile_page
from resolvers.segments import filtered_profiles


@strawberry.input(one_of=True, description="Who is looked for, by one identifier.")
class ProfileLookup:
    id: strawberry.Maybe[strawberry.ID] = strawberry.field(
        description="The profile's id, or that of a profile merged into it."
    )
    email: strawberry.Maybe[str] = strawberry.field(
        description="E-mail address, in any case."
    )
    phone_number: strawberry.Maybe[str] = strawberry.field(
        description="Phone number with its country code."
    )
    external_id: strawberry.Maybe[str] = strawberry.field(description="Your own id.")


class ProfileOrderField(StrEnum):
    """What profiles can be ordered by; the value is the document's path."""

    CREATED_AT = "_id"
    UPDATED_AT = "updated_at"
    LAST_EVENT_AT = "last_event_at"


class Direction(StrEnum):
    """Which end comes first."""

    ASCENDING = "ASCENDING"
    DESCENDING = "DESCENDING"


expose(
    ProfileOrderField,
    name="ProfileOrderField",
    description="What profiles can be ordered by.",
    values={
        "CREATED_AT": "When the profile was made.",
        "UPDATED_AT": "When something about it last changed.",
        "LAST_EVENT_AT": "When its latest event happened. Profiles without events "
        "count as the earliest.",
    },
)
expose(
    Direction,
    name="Direction",
    description="Which end comes first.",
    values={
        "ASCENDING": "The earliest or smallest first.",
        "DESCENDING": "The latest or largest first.",
    },
)


@strawberry.input(description="The order of profiles.")
class ProfileOrder:
    field: ProfileOrderField = strawberry.field(description="By what.")
    direction: Direction = strawberry.field(
        default=Direction.DESCENDING, description="Which end comes first."
    )


def looked_up(by: ProfileLookup) -> Identity:
    """The checked identity that a lookup means."""
    try:
        return identity(
            id=None if by.id is None else stored_id(by.id.value, Kind.PROFILE),
            email=given(by.email),
            phone_number=given(by.phone_number),
            external_id=given(by.external_id),
        )
    except AudienceError as error:
        raise error.under("by") from None


@strawberry.type
class ProfileQuery:
    @query(
        Profile | None,
        "profiles:read",
        description="The profile with this identifier; null when there is none.",
    )
    @staticmethod
    async def profile(
        context: Context,
        by: Annotated[
            ProfileLookup, strawberry.argument(description="Exactly one identifier.")
        ],
    ) -> Document | None:
        return await profile_by(
            context.db, looked_up(by), projection=context.projection("Profile")
        )

    @query(
        ProfileConnection,
        "profiles:read",
        description="Profiles, the newest first unless `orderBy` says otherwise.",
    )
    @staticmethod
    async def profiles(
        context: Context,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Annotated[
            SegmentDefinitionInput | None,
            strawberry.argument(
                description="Only profiles that a segment with this definition would "
                "have."
            ),
        ] = None,
        search: Annotated[
            str | None,
            strawberry.argument(
                description="Only profiles with which every one of these words begins "
                "something, whatever its case and accents: the e-mail address, a word "
                "of its part before the @, a word of the names, the phone number or "
                "the external id. At most 200 characters."
            ),
        ] = None,
        order_by: Annotated[
            ProfileOrder | None,
            strawberry.argument(
                description="The order. A cursor belongs to its order."
            ),
        ] = None,
    ) -> Document:
        page = asked_page(first, after, last, before)
        words, order = searched(search), _order(order_by)
        if filter is None:
            found = await profile_page(
                context.db,
                page,
                search=words,
                order=order,
                projection=context.projection("Profile", order.path),
            )
            count = Count(count_of_profiles, found.scope, None)
        else:
            found = await filtered_profiles(
                context.db,
                definition_of(filter, "filter"),
                page,
                context.now(),
                context.zone,
                order=order,
                search=words,
            )
            count = Count(count_of_members, None, found.scope)
        answer: Document = connection(found, count)
        return answer


def _order(given: ProfileOrder | None) -> Order:
    if given is None:
        return Order("_id", -1)
    return Order(
        given.field.value, -1 if given.direction is Direction.DESCENDING else 1
    )
