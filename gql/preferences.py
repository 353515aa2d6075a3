"""The links by which people see and stop what they get: for the messages of whoever
sends them."""

from typing import Annotated

import strawberry

from audience.consent import Channel
from audience.errors import NotFound
from audience.preferences import preference_token
from audience.tokens import leave_token
from gql.context import Context
from gql.execution import plain
from gql.ids import Kind, stored_id
from gql.queries import query
from resolvers.db import Document
from resolvers.lists import lists_by_id
from resolvers.profiles import profiles_by_id


@strawberry.type(
    description="Links for a message to one person. Put them into that person's "
    "message only: they tell who it is."
)
class PreferenceLinks:
    preferences_url: str = plain(
        "preferences_url",
        description="Where the person sees and changes what they get. Works for 90 "
        "days.",
    )
    unsubscribe_url: str = plain(
        "unsubscribe_url",
        description="Where the person leaves the list, or stops the channel, by one "
        "button. Never expires.",
    )
    list_unsubscribe: str = plain(
        "list_unsubscribe",
        description="The value of the header List-Unsubscribe. Send it with "
        "`List-Unsubscribe-Post: List-Unsubscribe=One-Click` (RFC 8058).",
    )


@strawberry.type
class PreferenceQuery:
    @query(
        PreferenceLinks | None,
        "profiles:read",
        description="The links by which someone sees and stops what they get; null "
        "when there is no such profile.",
    )
    @staticmethod
    async def preference_links(
        context: Context,
        profile_id: Annotated[
            strawberry.ID, strawberry.argument(description="Whose links.")
        ],
        channel: Annotated[
            Channel,
            strawberry.argument(
                description="Which channel the unsubscribe link stops, unless "
                "`listId` is given."
            ),
        ] = Channel.EMAIL,
        list_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(
                description="Which list the unsubscribe link leaves, instead of "
                "stopping the channel."
            ),
        ] = None,
    ) -> Document | None:
        stored = stored_id(profile_id, Kind.PROFILE, "profileId")
        (profile,) = await profiles_by_id(context.db, [stored])
        if profile is None:
            return None
        tokens, found = context.require_tokens(), str(profile["_id"])
        if list_id is None:
            leave = leave_token(tokens, found, channels=[channel])
        else:
            wanted = stored_id(list_id, Kind.LIST, "listId")
            if await lists_by_id(context.db, [wanted]) == [None]:
                raise NotFound("There is no such list.", ("listId",))
            leave = leave_token(tokens, found, list_id=wanted)
        unsubscribe = f"{context.address}/unsubscribe?token={leave}"
        token = preference_token(tokens, found, context.now())
        return {
            "preferences_url": f"{context.address}/preferences?token={token}",
            "unsubscribe_url": unsubscribe,
            "list_unsubscribe": f"<{unsubscribe}>",
        }
