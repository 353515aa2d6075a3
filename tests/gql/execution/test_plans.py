"""Plans: which operations share one, and how many are kept."""

from typing import Any

import pytest
import strawberry
from strawberry.extensions import ParserCache, SchemaExtension, ValidationCache

from gql.execution import executor, plans_of
from gql.execution.executor import MAX_VARIANTS
from tests.gql.execution.both import Context, schema_of
from tests.gql.execution.small import made_schema, run, schema
from tests.gql.execution.test_abstract import Dog, Pet

pytestmark = pytest.mark.anyio


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


async def test_variants_count_for_the_size_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = made_schema()
    monkeypatch.setattr(executor, "MAX_SIZE", 50_000)
    plans = plans_of(own._schema)

    async def ask(name: str) -> None:
        for number in range(16):
            values = {f"v{it}": bool(number >> it & 1) for it in range(4)}
            query = f"""query {name}(
              $v0: Boolean!, $v1: Boolean!, $v2: Boolean!, $v3: Boolean!
            ) {{ item {{
              id a: id @skip(if: $v0) b: id @skip(if: $v1)
              c: id @skip(if: $v2) d: id @skip(if: $v3)
            }} }}"""
            await own.execute(query, values, context_value=Context())
            assert sum(it.size() for it in plans.operations.values()) <= 50_000
            assert f"'{name}')" in str([*plans.operations][-1])

    await ask("First")
    await ask("Second")

    assert plans.executed == 32
    (second,) = plans.operations.values()
    assert 1 < len(second.plans) < MAX_VARIANTS


async def test_what_plans_grow_by_counts_for_the_size_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @strawberry.type
    class Query:
        @strawberry.field
        def pets(self, dogs: int) -> list[Pet]:
            return [Dog(name="Rex", barks=True)] * dogs

    own = schema_of(Query, Dog)
    monkeypatch.setattr(executor, "MAX_SIZE", 50_000)
    plans = plans_of(own._schema)
    queries = [
        f"query ($dogs: Int!) {{ pets(dogs: $dogs) {{ a{number}: name b: name c: name "
        "d: name } }"
        for number in range(6)
    ]
    for query in queries:
        await own.execute(query, {"dogs": 0}, context_value=Context())
    assert len(plans.operations) == 6

    for query in queries:
        await own.execute(query, {"dogs": 1}, context_value=Context())
        assert sum(it.size() for it in plans.operations.values()) <= 50_000
        assert query in str([*plans.operations][-1])

    assert plans.executed == 12
    assert len(plans.operations) == 3


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


async def test_one_of_several_operations() -> None:
    document = "query A { item(id: 1) { id } } query B { item(id: 2) { id } }"

    assert await run(document, operation_name="A") == {"item": {"id": "1"}}
    assert await run(document, operation_name="B") == {"item": {"id": "2"}}


async def test_deep_nesting_is_compiled() -> None:
    depth = 40
    query = "{ item " + "{ next " * depth + "{ id }" + " }" * depth + " }"
    before = plans_of(schema._schema).executed

    data = await run(query)

    for key in ["item"] + ["next"] * depth:
        data = data[key]
    assert data == {"id": str(depth + 1)}
    assert plans_of(schema._schema).executed == before + 1


async def test_a_streamed_query_is_executed_by_its_plan() -> None:
    own = made_schema()

    source = await own.stream("{ item { id } }", context_value=Context())

    assert [it.data async for it in source] == [{"item": {"id": "1"}}]  # type: ignore[union-attr]
    assert plans_of(own._schema).executed == 1


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
