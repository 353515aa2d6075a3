"""Erasing people for good."""

import strawberry

from audience.errors import NotFound
from gql.context import Context
from gql.errors import Payload
from gql.execution import plain
from gql.ids import Kind, global_id
from gql.mutations import accepted, mutation
from gql.profile_queries import ProfileLookup, looked_up
from resolvers.db import Document
from resolvers.erasures import erase_profile
from resolvers.profiles import profile_by


@strawberry.input(description="Who is to be erased.")
class EraseProfileInput:
    by: ProfileLookup = strawberry.field(
        description="Exactly one identifier of the person."
    )


@strawberry.type(description="The answer of `eraseProfile`.")
class EraseProfilePayload(Payload):
    erased_id: strawberry.ID | None = plain(
        "erased_id",
        read=global_id(Kind.PROFILE),
        description="The id that the profile had; null when refused.",
    )


@strawberry.type
class ErasureMutation:
    @mutation(
        EraseProfilePayload,
        "profiles:write",
        description="Erases a person for good: the profile with those merged into it, "
        "events, memberships, push tokens, waiting mail, and their rows in files that "
        "are being imported or were rejected. The consent trail and the history of "
        "segments stay, under a pseudonym that leads nowhere. Whoever uses the same "
        "address later is somebody new, of whom nothing is known. It cannot be undone.",
    )
    @staticmethod
    async def erase_profile(context: Context, input: EraseProfileInput) -> Document:
        profile = await profile_by(
            context.db, looked_up(input.by), projection={"_id": 1}
        )
        if profile is None:
            raise NotFound("There is no such profile.", ("by",))
        erased = await erase_profile(
            context.db, profile["_id"], context.now(), method="API"
        )
        return accepted(erased_id=erased)
