"""Levels: what is read together, in which order, and what resolvers see of them."""

import asyncio
from typing import Any

import pytest
import strawberry

from gql.execution import CompiledExecutor, batch, plans_of
from tests.gql.execution.both import Context, Document, Info, both, schema_of
from tests.gql.execution.small import run, schema

pytestmark = pytest.mark.anyio


async def test_batches_of_a_level_run_once_each_over_all_its_parents() -> None:
    context = Context()

    await run(
        "{ items(ids: [1, 2, 1]) { tags { id } next { tags { id } next { id } } } }",
        context=context,
    )

    assert context.log == [
        "items",
        ("tags", [1, 2], 2),
        ("next", [1, 2]),
        ("tags", [3], 2),
        ("next", [3]),
    ]


async def test_the_same_key_in_several_places_is_read_once() -> None:
    context = Context()

    data = await run(
        """{ a: items(ids: [1, 2, 3]) { shared { id name } }
             b: items(ids: [3, 5]) { again: shared { id } } }""",
        context=context,
    )

    assert context.log[2:] == [("shared", [1, 2])]
    assert [it["shared"]["id"] for it in data["a"]] == ["1", "2", "1"]
    assert [it["again"]["id"] for it in data["b"]] == ["1", "1"]


async def test_different_arguments_are_different_reads() -> None:
    context = Context()

    await run(
        "query ($n: Int!) { item { tags { id } one: tags(first: $n) { id } } }",
        {"n": 1},
        context,
    )

    assert context.log[1:] == [("tags", [1], 2), ("tags", [1], 1)]


async def test_batches_of_a_level_run_side_by_side() -> None:
    reads: list[str] = []

    def declared(name: str) -> Any:
        async def read(parents: list[Document], context: Context) -> list[int]:
            reads.append(f"{name} begins")
            await asyncio.sleep(0)
            reads.append(f"{name} ends")
            return [1 for _ in parents]

        return batch(description="-")(read)

    row = strawberry.type(type("Row", (), {"a": declared("a"), "b": declared("b")}))

    def root() -> Any:
        return {"_id": 1}

    query = strawberry.type(
        type("Query", (), {"row": strawberry.field(root, graphql_type=row)})
    )
    side_by_side = strawberry.Schema(query, execution_context_class=CompiledExecutor)

    result = await side_by_side.execute("{ row { a b } }", context_value=Context())

    assert result.data == {"row": {"a": 1, "b": 1}}
    assert reads == ["a begins", "b begins", "a ends", "b ends"]


async def test_keys_stay_in_the_order_of_the_document() -> None:
    data = await run(
        """{ item { tags { id } name shared { id } id kind: __typename }
             plain { later name shout } }"""
    )

    assert list(data["item"]) == ["tags", "name", "shared", "id", "kind"]
    assert data["plain"] == {"later": "ada later", "name": "ada", "shout": "ADA"}


async def test_fields_of_one_key_merge() -> None:
    data = await run(
        """{ item { next { id } ...F next { name } } }
           fragment F on Item { next { tags { id } ... on Node { id } } id }"""
    )

    assert data == {
        "item": {
            "next": {"id": "2", "tags": [{"id": "0"}, {"id": "1"}], "name": None},
            "id": "1",
        }
    }


async def test_resolvers_below_the_root_see_their_own_path() -> None:
    data = await run(
        """{ items(ids: [1, 3]) { shared { where } tags { where } }
             plain { tag { where } } }"""
    )

    assert data["items"][1] == {
        "shared": {"where": "items.1.shared.where"},
        "tags": [{"where": "items.1.tags.0.where"}, {"where": "items.1.tags.1.where"}],
    }
    assert data["plain"] == {"tag": {"where": "plain.tag.where"}}


async def test_resolvers_get_the_info_that_graphql_core_gives() -> None:
    contexts = Context(compiled=False), Context()
    query = """query Asked($n: Int = 3) { s: selected(first: $n) { name ...F } }
               fragment F on Plain { shout }"""

    for context in contexts:
        await schema.execute(query, context_value=context, root_value={"a": 1})

    assert contexts[0].log == contexts[1].log
    assert contexts[1].log == [
        {
            "field": "selected",
            "path": ["s"],
            "selected": ["name", "F"],
            "arguments": {"first": 3},
            "variables": {"n": 3},
            "operation": "Asked",
            "root": {"a": 1},
            "schema": True,
        }
    ]


async def test_a_context_kept_for_several_operations_reads_anew() -> None:
    context = Context()

    for _ in range(2):
        await schema.execute("{ item { tags { id } } }", context_value=context)
        context.compiled = False
        await schema.execute("{ item { tags { id } } }", context_value=context)
        context.compiled = True

    assert context.log.count(("tags", [1], 2)) == 4


class Barrier:
    """Opens for all when so many have come."""

    def __init__(self, number: int) -> None:
        self.missing = number
        self.opened = asyncio.Event()

    async def wait(self) -> bool:
        self.missing -= 1
        if self.missing == 0:
            self.opened.set()
        return await self.opened.wait()


async def test_what_is_awaited_in_one_level_is_awaited_side_by_side() -> None:
    """Fields of the root, and of rows beside each other, batches among them."""
    barriers = {True: Barrier(2), False: Barrier(2)}
    rows = {True: Barrier(5), False: Barrier(5)}

    @strawberry.type
    class Row:
        @strawberry.field
        async def here(self, info: Info) -> bool:
            return await rows[info.context.compiled].wait()

        @strawberry.field
        async def there(self, info: Info) -> bool:
            return await rows[info.context.compiled].wait()

        @batch(description="-", key=id)
        async def together(parents: list[Any], context: Context) -> list[bool]:
            return [await rows[context.compiled].wait()] * len(parents)

    @strawberry.type
    class Query:
        @strawberry.field
        async def rows(self, info: Info) -> list[Row]:
            await barriers[info.context.compiled].wait()
            return [Row(), Row()]

    schema = schema_of(Query)

    async with asyncio.timeout(10):
        row = {"here": True, "there": True, "together": True}
        for compiled in (False, True):
            found = await schema.execute(
                "{ rows { here there together } again: rows { __typename } }",
                context_value=Context(compiled),
            )
            assert found.data == {
                "rows": [row, row],
                "again": [{"__typename": "Row"}] * 2,
            }
        assert plans_of(schema._schema).executed == 1


@strawberry.type
class Deep:
    a: str = "A"
    b: str = "B"
    c: str = "C"

    @strawberry.field
    def deep(self) -> "Deep":
        return Deep()


async def test_fragments_merge_below_each_other() -> None:
    @strawberry.type
    class Query:
        @strawberry.field
        def deep(self) -> Deep:
            return Deep()

    query = """{ deep { a ...One ...Two } }
      fragment One on Deep { b deep { b deeper: deep { b } } }
      fragment Two on Deep { c deep { c deeper: deep { c } } }"""

    assert await both(schema_of(Query), query) == (
        {
            "deep": {
                "a": "A",
                "b": "B",
                "deep": {"b": "B", "deeper": {"b": "B", "c": "C"}, "c": "C"},
                "c": "C",
            }
        },
        [],
    )
