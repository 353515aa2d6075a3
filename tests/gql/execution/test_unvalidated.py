"""Documents that validation would refuse: execution answers them like graphql-core."""

from typing import Any

import pytest
import strawberry
from strawberry.extensions import DisableValidation

from tests.gql.execution.both import both, schema_of

pytestmark = pytest.mark.anyio


@strawberry.interface
class Named:
    name: str


@strawberry.type
class Dog(Named):
    barks: bool


@strawberry.type
class Cat(Named):
    meows: bool


@strawberry.type
class Query:
    a: str = strawberry.field(resolver=lambda: "A")

    @strawberry.field
    def pets(self) -> list[Dog | Cat]:
        return [Dog(name="Odie", barks=True), Cat(name="Garfield", meows=False)]

    @strawberry.field
    def named(self) -> list[Named]:
        return [Cat(name="Garfield", meows=False), Dog(name="Odie", barks=True)]

    @strawberry.field
    def dog(self) -> Dog:
        return Dog(name="Odie", barks=True)


@strawberry.type
class Mutation:
    @strawberry.mutation
    def change(self) -> int:
        return 1


schema = schema_of(Query, mutation=Mutation, extensions=[DisableValidation])
DOG = {"__typename": "Dog", "name": "Odie", "barks": True}
CAT = {"__typename": "Cat", "name": "Garfield", "meows": False}


@pytest.mark.parametrize(
    ("query", "data"),
    [
        ("{ nothing }", {}),
        ("mutation { nothing }", {}),
        ("mutation { nothing change }", {"change": 1}),
        ("{ dog }", {"dog": {}}),
        ("{ dog { nothing } a }", {"dog": {}, "a": "A"}),
        ("{ pets { __typename name barks meows } }", {"pets": [DOG, CAT]}),
        ("{ named { __typename name barks meows } }", {"named": [CAT, DOG]}),
        ("{ a ...F ...F } fragment F on Query { a ...F }", {"a": "A"}),
        ("{ ...F a } fragment F on Dog { name }", {"a": "A"}),
        ("{ ...Nowhere a }", {"a": "A"}),
        ("{ a } type Query { b: Int }", {"a": "A"}),
        (
            "{ dog { ... on Cat { meows } ... on Named { name } } }",
            {"dog": {"name": "Odie"}},
        ),
    ],
)
async def test_what_is_not_there_is_left_out(query: str, data: Any) -> None:
    assert await both(schema, query) == (data, [])


SEVERAL = "query One { first: a } query Two { second: a } mutation Three { change }"


@pytest.mark.parametrize(
    ("name", "data"),
    [("One", {"first": "A"}), ("Two", {"second": "A"}), ("Three", {"change": 1})],
)
async def test_one_of_several_operations(name: str, data: Any) -> None:
    assert await both(schema, SEVERAL, operation_name=name) == (data, [])


async def test_a_kind_of_operation_that_the_schema_has_not() -> None:
    reading = schema_of(Query, extensions=[DisableValidation])

    data, errors = await both(reading, "mutation { change }")

    assert data is None
    assert errors == [
        {
            "message": "Schema is not configured to execute mutation operation.",
            "locations": [{"line": 1, "column": 1}],
        }
    ]
