"""A schema that is small enough to see the transport around it."""

from collections.abc import AsyncIterator

import strawberry

from gql.context import Info


@strawberry.type
class Query:
    @strawberry.field
    def who(self, info: Info) -> str:
        viewer = info.context.viewer
        return viewer.name if viewer else "nobody"

    @strawberry.field
    def echo(self, text: str) -> str:
        return text

    @strawberry.field
    def address(self, info: Info) -> str | None:
        return info.context.ip

    @strawberry.field
    def missing(self) -> str | None:
        raise LookupError("It is not there.")


@strawberry.type
class Mutation:
    @strawberry.mutation
    def change(self) -> int:
        return 1


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, info: Info, to: int) -> AsyncIterator[str]:
        viewer = info.context.viewer
        for number in range(to):
            yield f"{number} for {viewer.name if viewer else 'nobody'}"


schema = strawberry.Schema(Query, Mutation, Subscription)
