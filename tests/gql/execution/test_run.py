"""The compiled executor where it is one thing at a time: levels, errors, limits."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import pytest
import strawberry
from graphql import (
    GraphQLError,
    GraphQLField,
    GraphQLInt,
    OperationDefinitionNode,
    parse,
)
from strawberry.extensions import ParserCache, SchemaExtension, ValidationCache
from strawberry.permission import BasePermission

from gql.execution import (
    CompiledExecutor,
    FromDocument,
    batch,
    executor,
    plain,
    plans_of,
)
from gql.execution.executor import MAX_VARIANTS

pytestmark = pytest.mark.anyio

Document = dict[str, Any]


@dataclass
class Context:
    compiled: bool = True
    loaders: dict[Any, Any] = field(default_factory=dict)
    log: list[Any] = field(default_factory=list)


Info = strawberry.Info[Context, Any]


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


class Counting(SchemaExtension):
    def resolve(
        self, _next: Any, root: Any, info: Any, *args: Any, **kwargs: Any
    ) -> Any:
        info.context.log.append(info.field_name)
        return _next(root, info, *args, **kwargs)


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
    """The answer, which the compiled executor and graphql-core must agree on."""
    context = context or Context()
    plain_context = Context(compiled=False, log=list(context.log))
    expected = await schema.execute(
        query, variables, context_value=plain_context, **options
    )
    found = await schema.execute(query, variables, context_value=context, **options)
    errors = [it.formatted for it in found.errors or ()]

    assert list(found.data or ()) == list(expected.data or ())
    assert found.data == expected.data
    assert errors == [it.formatted for it in expected.errors or ()]
    return (found.data, errors) if errors else found.data


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


async def test_an_error_in_a_slot_is_located_and_answered_as_by_graphql_core() -> None:
    context = Context()

    data, errors = await run(
        "{ items(ids: [1, 13]) { id tags { id } } }", context=context
    )

    assert data is None
    assert errors == [
        {
            "message": "no tags",
            "locations": [{"line": 1, "column": 28}],
            "path": ["items", 1, "tags"],
        }
    ]
    assert context.log.count(("tags", [1, 13], 2)) == 1


async def test_null_goes_up_to_the_nearest_nullable_parent() -> None:
    data, errors = await run(
        "{ one: item { id } two: item(id: 13) { next { id } tags { id } } }"
    )

    assert data == {"one": {"id": "1"}, "two": None}
    assert [it["path"] for it in errors] == [["two", "tags"]]


async def test_resolvers_that_raise() -> None:
    data, errors = await run("{ item { id } fails again: fails }")

    assert data == {"item": {"id": "1"}, "fails": None, "again": None}
    assert [it["path"] for it in errors] == [["fails"], ["again"]]


async def test_errors_keep_their_extensions() -> None:
    assert await run("{ item { id } needed }") == (
        None,
        [
            {
                "message": "Needed.",
                "locations": [{"line": 1, "column": 15}],
                "path": ["needed"],
                "extensions": {"code": "NEEDED"},
            }
        ],
    )


@pytest.mark.parametrize(
    ("row", "field", "value"),
    [
        ({"count": 3}, "count", 3),
        ({"count": "3"}, "count", 3),
        ({"count": 3.0}, "count", 3),
        ({"count": True}, "count", 1),
        ({"count": 2**31 - 1}, "count", 2**31 - 1),
        ({"count": -(2**31)}, "count", -(2**31)),
        ({"name": 5}, "name", "5"),
        ({"name": False}, "name", "false"),
        ({"ratio": 1}, "ratio", 1.0),
        ({"ratio": "0.5"}, "ratio", 0.5),
        ({"matrix": [[1], [], [2, 3]]}, "matrix", [[1], [], [2, 3]]),
        ({"matrix": ([1], (2,))}, "matrix", [[1], [2]]),
        ({"matrix": []}, "matrix", []),
    ],
)
async def test_leaf_values_are_coerced(row: Document, field: str, value: Any) -> None:
    context = Context(log=[{"_id": 1, **row}])
    before = plans_of(schema._schema).handed_over

    data = await run(f"{{ given {{ {field} }} }}", context=context)

    assert data == {"given": {field: value}}
    assert type(data["given"][field]) is type(value)
    assert plans_of(schema._schema).handed_over == before


@pytest.mark.parametrize(
    ("row", "selection"),
    [
        ({"count": 2**31}, "count"),
        ({"count": "many"}, "count"),
        ({"count": 1.5}, "count"),
        ({"name": {"first": "Ada"}}, "name"),
        ({"ratio": float("nan")}, "ratio"),
        ({"ratio": float("-inf")}, "ratio"),
        ({"matrix": 5}, "matrix"),
        ({"matrix": "12"}, "matrix"),
        ({"matrix": [[1], None]}, "matrix"),
        ({"matrix": [[1, None]]}, "matrix"),
        ({"main": {"_id": 1}}, "main { name }"),
        ({"main": 5}, "main { id }"),
        ({"main": {"_id": 1, "name": "x", "size": "medium"}}, "main { size name }"),
        ({"main": {"_id": 1, "__typename": "Item"}}, "main { id }"),
        ({"main": ValueError("An error for a value.")}, "main { id }"),
    ],
)
async def test_wrong_values_are_errors(row: Document, selection: str) -> None:
    context = Context(log=[{"_id": 1, **row}])

    _, errors = await run(f"{{ given {{ id {selection} }} }}", context=context)

    assert len(errors) == 1
    assert errors[0]["path"][0] == "given"


async def test_enums_by_value_and_by_member() -> None:
    for size in ("s", Size.SMALL):
        context = Context(log=[{"_id": 1, "main": {"_id": 2, "size": size}}])

        data = await run("{ given { main { size } } }", context=context)

        assert data == {"given": {"main": {"size": "SMALL"}}}


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


async def test_steered_fields_follow_the_variables() -> None:
    query = """query ($a: Boolean!, $b: Boolean = true) {
      item { id @skip(if: $a) ... @include(if: $b) { name } count @include(if: false) }
    }"""

    assert await run(query, {"a": True}) == {"item": {"name": None}}
    assert await run(query, {"a": False}) == {"item": {"id": "1", "name": None}}
    assert await run(query, {"a": False, "b": False}) == {"item": {"id": "1"}}
    assert await run(query, {"a": True, "b": False}) == {"item": {}}


async def test_variables_are_coerced_and_refused_as_by_graphql_core() -> None:
    query = "query ($id: Int!) { item(id: $id) { id } }"

    assert await run(query, {"id": 4}) == {"item": {"id": "4"}}
    for wrong in ({"id": "4"}, {"id": None}, {}):
        data, errors = await run(query, wrong)
        assert data is None
        assert errors[0]["message"].startswith("Variable '$id'")


async def test_values_of_variables_make_no_new_plan() -> None:
    own = made_schema()

    for number in range(5):
        await own.execute(
            "query ($id: Int!, $s: Boolean!) { item(id: $id) { id @skip(if: $s) } }",
            {"id": number, "s": number % 2 == 0},
            context_value=Context(),
        )

    plans = plans_of(own._schema)
    (operation,) = plans.operations.values()
    assert plans.executed == 5
    assert list(operation.plans) == [(True,), (False,)]


async def test_variants_of_an_operation_are_bounded() -> None:
    own = made_schema()
    many = " ".join(f"a{it}: __typename @skip(if: $v{it})" for it in range(5))
    declared = ", ".join(f"$v{it}: Boolean!" for it in range(5))

    for number in range(32):
        values = {f"v{it}": bool(number >> it & 1) for it in range(5)}
        await own.execute(
            f"query ({declared}) {{ {many} }}", values, context_value=Context()
        )

    (operation,) = plans_of(own._schema).operations.values()
    assert plans_of(own._schema).executed == 32
    assert len(operation.plans) == MAX_VARIANTS


async def test_plans_are_bounded_by_their_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = made_schema()
    monkeypatch.setattr(executor, "MAX_SIZE", 50_000)

    for number in range(20):
        await own.execute(f"{{ a{number}: item {{ id }} }}", context_value=Context())

    plans = plans_of(own._schema)
    assert plans.executed == 20
    assert 5 < len(plans.operations) < 10
    assert "a19" in str(list(plans.operations)[-1])


async def test_operations_that_are_not_covered_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = made_schema()
    monkeypatch.setattr(executor, "MAX_OPERATIONS", 5)

    for number in range(20):
        query = f"{{ a{number}: __schema {{ queryType {{ name }} }} }}"
        await own.execute(query, context_value=Context())

    plans = plans_of(own._schema)
    assert plans.uncovered == 20
    assert len(plans.operations) == 5


async def test_a_failing_mutation_runs_once_and_the_next_still_runs() -> None:
    context = Context()

    data, errors = await run(
        """mutation { a: add(id: 1) { id } b: add(id: 2, fail: true) { id }
                      c: add(id: 3) { id } }""",
        context=context,
    )

    assert data == {"a": {"id": "1"}, "b": None, "c": {"id": "3"}}
    assert [it["path"] for it in errors] == [["b"]]
    assert [it for it in context.log if it[0] == "add"] == [
        ("add", 1),
        ("add", 2),
        ("add", 3),
    ]


async def test_mutations_run_one_after_the_other_with_all_below_them() -> None:
    context = Context()

    await run(
        "mutation { a: add(id: 1) { tags { id } } b: add(id: 1) { tags { id } } }",
        context=context,
    )

    one = [("add", 1), ("added", 1), ("tags", [1], 2)]
    assert context.log == one + one


async def test_an_error_below_a_mutation_does_not_run_it_again() -> None:
    context = Context()

    data, errors = await run(
        "mutation { a: add(id: 13) { tags { id } } b: add(id: 2) { id } }",
        context=context,
    )

    assert data == {"a": None, "b": {"id": "2"}}
    assert errors[0]["path"] == ["a", "tags"]
    assert context.log.count(("add", 13)) == 1
    assert context.log.count(("add", 2)) == 1
    assert context.log.count(("tags", [13], 2)) == 1


async def test_a_mutation_after_one_that_had_to_answer_does_not_run() -> None:
    context = Context()

    data, errors = await run(
        """mutation { a: add(id: 1) { id } b: must(id: 2) { count }
                      c: add(id: 3) { id } }""",
        context=context,
    )

    assert data is None
    assert errors[0]["path"] == ["b", "count"]
    assert context.log == [("add", 1), ("added", 1), ("must", 2)]


async def test_permissions_are_asked() -> None:
    data, errors = await run("{ guarded item { id } }", context=Context(log=["refuse"]))

    assert data == {"guarded": None, "item": {"id": "1"}}
    assert errors[0]["message"] == "You may not read this."
    assert await run("{ guarded }") == {"guarded": "read"}


async def test_a_cancelled_request_cancels_its_resolvers() -> None:
    context = Context()
    request = asyncio.ensure_future(
        schema.execute("{ hangs other: hangs }", context_value=context)
    )
    await asyncio.sleep(0.05)

    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request

    assert context.log == ["started", "started", "stopped", "stopped"]


async def test_introspection_goes_to_graphql_core() -> None:
    own = made_schema()

    result = await own.execute(
        '{ __type(name: "Tag") { name } item { id } }', context_value=Context()
    )

    plans = plans_of(own._schema)
    assert result.data == {"__type": {"name": "Tag"}, "item": {"id": "1"}}
    assert (plans.executed, plans.uncovered) == (0, 1)


def test_execution_without_awaiting_goes_to_graphql_core() -> None:
    result = schema.execute_sync("{ plain { name } }", context_value=Context())

    assert result.data == {"plain": {"name": "ada"}}


async def test_execution_without_awaiting_inside_a_loop() -> None:
    assert schema.introspect()["__schema"]["queryType"]["name"] == "Query"
    assert schema.execute_sync("{ plain { name } }", context_value=Context()).data


async def test_subscriptions_go_to_graphql_core_and_keep_nothing() -> None:
    context = Context()
    source = await schema.subscribe(
        "subscription { ticks { id tags { id } } }", context_value=context
    )

    answers = [it.data async for it in source]

    tags = [{"id": "0"}, {"id": "1"}]
    assert answers == [{"ticks": {"id": str(it), "tags": tags}} for it in range(2)]
    assert context.log == [("tags", [0], 2), ("tags", [1], 2)]
    assert [it.results for it in context.loaders.values()] == [{}]


async def test_a_streamed_query_is_executed_by_its_plan() -> None:
    own = made_schema()

    source = await own.stream("{ item { id } }", context_value=Context())

    assert [it.data async for it in source] == [{"item": {"id": "1"}}]  # type: ignore[union-attr]
    assert plans_of(own._schema).executed == 1


async def test_a_context_kept_for_several_operations_reads_anew() -> None:
    context = Context()

    for _ in range(2):
        await schema.execute("{ item { tags { id } } }", context_value=context)
        context.compiled = False
        await schema.execute("{ item { tags { id } } }", context_value=context)
        context.compiled = True

    assert context.log.count(("tags", [1], 2)) == 4


async def test_extensions_that_wrap_resolution_see_every_field() -> None:
    own = made_schema(extensions=[Counting])
    context = Context()

    await own.execute("{ plain { name shout } }", context_value=context)

    assert context.log == ["plain", "name", "shout"]


async def test_a_setting_of_the_context_turns_it_off() -> None:
    own = made_schema()

    await own.execute("{ plain { name } }", context_value=Context(compiled=False))

    plans = plans_of(own._schema)
    assert (plans.executed, plans.handed_over, plans.uncovered) == (0, 0, 0)


async def test_one_of_several_operations() -> None:
    document = "query A { item(id: 1) { id } } query B { item(id: 2) { id } }"

    assert await run(document, operation_name="A") == {"item": {"id": "1"}}
    assert await run(document, operation_name="B") == {"item": {"id": "2"}}


async def test_very_large_operations_go_to_graphql_core() -> None:
    own = made_schema()
    body = " ".join(f"a{it}: __typename" for it in range(3_100))

    result = await own.execute(f"{{ {body} }}", context_value=Context())

    assert result.errors is None
    assert plans_of(own._schema).uncovered == 1


async def test_deep_nesting_is_compiled() -> None:
    depth = 40
    query = "{ item " + "{ next " * depth + "{ id }" + " }" * depth + " }"
    before = plans_of(schema._schema).executed

    data = await run(query)

    for key in ["item"] + ["next"] * depth:
        data = data[key]
    assert data == {"id": str(depth + 1)}
    assert plans_of(schema._schema).executed == before + 1


async def test_parsing_and_validation_are_cached_beside_it() -> None:
    own = made_schema(extensions=[ParserCache, ValidationCache])
    documents = []

    class Seeing(SchemaExtension):
        def on_execute(self) -> Any:
            documents.append(self.execution_context.graphql_document)
            yield

    own.extensions = (*own.extensions, Seeing)
    for _ in range(2):
        await own.execute("{ seen: item { id } }", context_value=Context())

    assert documents[0] is documents[1]
    assert plans_of(own._schema).executed == 2


async def test_a_document_without_its_text_goes_to_graphql_core() -> None:
    document = parse("{ item { id } }", no_location=True)
    assert isinstance(document.definitions[0], OperationDefinitionNode)

    class Given(SchemaExtension):
        def on_parse(self) -> Any:
            self.execution_context.graphql_document = document
            yield

    own = made_schema(extensions=[Given])

    result = await own.execute("{ any }", context_value=Context())

    assert result.data == {"item": {"id": "1"}}
    assert plans_of(own._schema).uncovered == 1


async def test_a_schema_beyond_strawberrys_goes_to_graphql_core() -> None:
    own = made_schema()
    query = own._schema.query_type
    assert query is not None
    query.fields["extra"] = GraphQLField(GraphQLInt, resolve=lambda *_: 5)

    result = await own.execute("{ extra plain { name } }", context_value=Context())

    assert result.data == {"extra": 5, "plain": {"name": "ada"}}
    assert plans_of(own._schema).uncovered == 1


async def test_a_fault_of_the_compiler_takes_no_answer_down(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    own = made_schema()

    def faulty(*given: Any) -> Any:
        raise KeyError("a fault")

    monkeypatch.setattr(executor, "compile_plan", faulty)

    result = await own.execute("{ plain { name } }", context_value=Context())

    assert result.data == {"plain": {"name": "ada"}}
    assert [it.message for it in caplog.records] == [
        "an operation could not be compiled"
    ]
