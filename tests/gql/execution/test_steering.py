"""@skip and @include, wherever they may stand."""

import logging

import pytest
import strawberry

from gql.execution import plans_of
from tests.gql.execution.both import Context, both, schema_of

pytestmark = pytest.mark.anyio


@strawberry.type
class Query:
    a: str = strawberry.field(resolver=lambda: "A")
    b: str = strawberry.field(resolver=lambda: "B")


schema = schema_of(Query)


@pytest.mark.parametrize(
    "query",
    [
        "{ a b % }",
        "{ a b: b % }",
        "{ a ... % { b } }",
        "{ a ... on Query % { b } }",
        "{ a ...F % } fragment F on Query { b }",
        "{ a ...F } fragment F on Query { b % }",
        "{ a ...F } fragment F on Query { ... % { ... { b } } }",
        "{ a ...F } fragment F on Query { ...G % } fragment G on Query { b }",
    ],
)
@pytest.mark.parametrize(
    ("directives", "there"),
    [
        ("", True),
        ("@include(if: true)", True),
        ("@include(if: false)", False),
        ("@skip(if: false)", True),
        ("@skip(if: true)", False),
        ("@include(if: true) @skip(if: false)", True),
        ("@include(if: true) @skip(if: true)", False),
        ("@skip(if: false) @include(if: false)", False),
        ("@skip(if: true) @include(if: false)", False),
    ],
)
async def test_what_is_left_out(query: str, directives: str, there: bool) -> None:
    answer = await both(schema, query.replace("%", directives))

    assert answer == ({"a": "A", "b": "B"} if there else {"a": "A"}, [])


async def test_what_is_left_out_in_one_place_is_there_by_another() -> None:
    query = "{ b @skip(if: true) a ...F b } fragment F on Query { a @skip(if: true) }"

    data, errors = await both(schema, query)

    assert (list(data.items()), errors) == ([("a", "A"), ("b", "B")], [])


async def test_all_may_be_left_out() -> None:
    assert await both(schema, "{ a @skip(if: true) ... @skip(if: true) { b } }") == (
        {},
        [],
    )


@pytest.mark.parametrize(
    ("variables", "data"),
    [
        ({"skip": True}, {"b": "B"}),
        ({"skip": False}, {"a": "A", "b": "B"}),
        ({"skip": False, "include": False}, {"a": "A"}),
        ({"skip": True, "include": False}, {}),
    ],
)
async def test_variables_steer(
    variables: dict[str, bool], data: dict[str, str]
) -> None:
    query = """query ($skip: Boolean!, $include: Boolean! = true) {
      a @skip(if: $skip) b @include(if: $include)
    }"""

    assert await both(schema, query, variables) == (data, [])


async def test_a_steering_null_is_the_callers_error_and_logged_by_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Validation lets a variable with a default through, though it may be null."""
    own = schema_of(Query)

    with caplog.at_level(logging.INFO, "gql"):
        await own.execute(
            "query ($it: Boolean = true) { a b @skip(if: $it) }",
            {"it": None},
            Context(),
        )
    data, errors = await both(
        own, "query ($it: Boolean = true) { a b @skip(if: $it) }", {"it": None}
    )

    assert data is None
    assert errors == [
        {
            "message": "Argument 'if' has invalid value: Expected variable '$it' "
            "provided to non-null type 'Boolean!' not to be None.",
            "locations": [{"line": 1, "column": 45}],
        }
    ]
    assert [it.name for it in caplog.records if it.name.startswith("gql")] == []
    assert plans_of(own._schema).executed == 0
