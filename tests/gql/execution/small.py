"""A schema with a field of every kind, small enough to be known by heart."""

import asyncio
from collections.abc import AsyncIterator
from enum import Enum
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.permission import BasePermission

from gql.execution import CompiledExecutor, FromDocument, batch, plain
from tests.gql.execution.both import Context, Document, Info, both


@strawberry.enum
class Size(Enum):
    SMALL = "s"
    LARGE = "l"


class MayRead(BasePermission):
    message = "You may not read this."

    def has_permission(self, source: Any, info: Any, **arguments: Any) -> bool:
        return not info.context.log or info.context.log[0] != "refuse"


@strawberry.interface
class Node(FromDocument):
    id: strawberry.ID = plain("_id", read=str, description="-")


@strawberry.type
class Tag(Node):
    name: str = plain("name", description="-")
    size: Size | None = plain("size", description="-")

    @strawberry.field
    def where(self, info: Info) -> str:
        return ".".join(map(str, info.path.as_list()))


@strawberry.type
class Item(Node):
    name: str | None = plain("name", description="-")
    count: int = plain("count", default=0, description="-")
    ratio: float | None = plain("ratio", description="-")
    matrix: list[list[int]] | None = plain("matrix", description="-")
    main: Tag | None = plain("main", description="-")

    @batch(description="-")
    async def tags(
        parents: list[Document], context: Context, first: int = 2
    ) -> list[list[Tag] | Exception]:
        context.log.append(("tags", [it["_id"] for it in parents], first))
        await asyncio.sleep(0)
        rows: list[Any] = [
            [{"_id": it, "name": f"tag {it}"} for it in range(first)] for _ in parents
        ]
        return [
            ValueError("no tags") if it["_id"] == 13 else row
            for it, row in zip(parents, rows, strict=True)
        ]

    @batch(description="-", key=lambda it: it["_id"] % 2)
    async def shared(parents: list[Document], context: Context) -> list[Tag]:
        context.log.append(("shared", [it["_id"] for it in parents]))
        await asyncio.sleep(0)
        rows: Any = [{"_id": it["_id"], "name": "-"} for it in parents]
        return rows  # type: ignore[no-any-return]

    @batch(description="-")
    async def next(parents: list[Document], context: Context) -> "list[Item | None]":
        context.log.append(("next", [it["_id"] for it in parents]))
        rows: Any = [{"_id": it["_id"] + 1} for it in parents]
        return rows  # type: ignore[no-any-return]


@strawberry.type
class Plain:
    """An ordinary type; its sources are its instances."""

    name: str
    tag: Tag | None = None

    @strawberry.field
    def shout(self) -> str:
        return self.name.upper()

    @strawberry.field
    async def later(self) -> str:
        return f"{self.name} later"


@strawberry.type
class Query:
    @strawberry.field
    async def items(self, info: Info, ids: list[int]) -> list[Item]:
        info.context.log.append("items")
        rows: Any = [{"_id": it, "name": f"item {it}"} for it in ids]
        return rows  # type: ignore[no-any-return]

    @strawberry.field
    async def item(self, info: Info, id: int = 1) -> Item | None:
        info.context.log.append(("item", id))
        row: Any = {"_id": id}
        return row  # type: ignore[no-any-return]

    @strawberry.field
    def given(self, info: Info) -> Item | None:
        found: Any = next((it for it in info.context.log if isinstance(it, dict)), None)
        return found  # type: ignore[no-any-return]

    @strawberry.field
    async def fails(self) -> str | None:
        raise ValueError("It failed.")

    @strawberry.field
    async def needed(self) -> str:
        raise GraphQLError("Needed.", extensions={"code": "NEEDED"})

    @strawberry.field
    def plain(self) -> Plain:
        tag: Any = {"_id": 1, "name": "t", "size": "l"}
        return Plain(name="ada", tag=tag)

    guarded: str | None = strawberry.field(
        resolver=lambda: "read", permission_classes=[MayRead]
    )

    @strawberry.field
    async def hangs(self, info: Info) -> str:
        info.context.log.append("started")
        try:
            await asyncio.sleep(60)
        finally:
            info.context.log.append("stopped")
        return "-"

    @strawberry.field
    def selected(self, info: Info, first: int = 1) -> Plain:
        asked: Any = info.selected_fields[0]
        info.context.log.append(
            {
                "field": info.field_name,
                "path": info.path.as_list(),
                "selected": [it.name for it in asked.selections],
                "arguments": asked.arguments,
                "variables": info.variable_values,
                "operation": info.operation.name and info.operation.name.value,
                "root": info.root_value,
                "schema": info.schema is schema,
            }
        )
        return Plain(name="-")


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def add(self, info: Info, id: int, fail: bool = False) -> Item | None:
        info.context.log.append(("add", id))
        await asyncio.sleep(0)
        info.context.log.append(("added", id))
        if fail:
            raise ValueError(f"no {id}")
        row: Any = {"_id": id}
        return row  # type: ignore[no-any-return]

    @strawberry.mutation
    def must(self, info: Info, id: int) -> Item:
        info.context.log.append(("must", id))
        row: Any = {"_id": id, "count": "many"}
        return row  # type: ignore[no-any-return]


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def ticks(self) -> AsyncIterator[Item]:
        for number in range(2):
            row: Any = {"_id": number}
            yield row


def made_schema(**options: Any) -> strawberry.Schema:
    return strawberry.Schema(
        Query,
        Mutation,
        Subscription,
        types=[Tag],
        execution_context_class=CompiledExecutor,
        **options,
    )


schema = made_schema()


async def run(
    query: str,
    variables: Document | None = None,
    context: Context | None = None,
    **options: Any,
) -> Any:
    """The data of both executors, with the errors where there are any."""
    data, errors = await both(schema, query, variables, context, **options)
    return (data, errors) if errors else data
