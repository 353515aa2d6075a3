"""What plans do not cover: graphql-core executes it as if there were no others."""

from typing import Any

import pytest
from graphql import GraphQLField, GraphQLInt, OperationDefinitionNode, parse
from strawberry.extensions import SchemaExtension

from gql.execution import executor, plans_of
from tests.gql.execution.both import Context
from tests.gql.execution.small import made_schema, schema

pytestmark = pytest.mark.anyio


class Counting(SchemaExtension):
    def resolve(
        self, _next: Any, root: Any, info: Any, *args: Any, **kwargs: Any
    ) -> Any:
        info.context.log.append(info.field_name)
        return _next(root, info, *args, **kwargs)


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


async def test_very_large_operations_go_to_graphql_core() -> None:
    own = made_schema()
    body = " ".join(f"a{it}: __typename" for it in range(3_100))

    result = await own.execute(f"{{ {body} }}", context_value=Context())

    assert result.errors is None
    assert plans_of(own._schema).uncovered == 1


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
