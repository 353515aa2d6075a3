from dataclasses import replace
from typing import Any

import pytest
from graphql import get_introspection_query, parse, validate

from audience.keys import Viewer
from gql.limits import (
    MAX_ALIASES,
    MAX_DEPTH,
    MAX_FIELDS,
    MAX_FIELDS_WITHOUT_KEY,
    MAX_NODES,
    MAX_TOKENS_WITHOUT_KEY,
    ShapeRule,
)
from gql.schema import schema
from tests.gql.conftest import PUBLIC, SECRET, Api, GraphQL

pytestmark = pytest.mark.anyio


def nested(levels: int) -> str:
    """A query of this depth, four levels at a time."""
    inner = "id"
    for _ in range(levels // 4):
        inner = f"id events {{ edges {{ node {{ profile {{ {inner} }} }} }} }}"
    return f'{{ node(id: "x") {{ ... on Profile {{ {inner} }} }} }}'


def shape_problems(operation: str) -> list[str]:
    return [
        error.message
        for error in validate(schema._schema, parse(operation), [ShapeRule])
    ]


def test_depth_has_a_bound() -> None:
    assert shape_problems(nested(MAX_DEPTH - 2)) == []
    assert shape_problems(nested(MAX_DEPTH + 4)) == [
        f"The operation is nested 30 levels deep; at most {MAX_DEPTH} are allowed."
    ]


def test_fragments_count_where_they_are_spread() -> None:
    fragments = "fragment F0 on Profile { a: id }" + "".join(
        f" fragment F{n} on Profile {{ ...F{n - 1} ...F{n - 1} }}" for n in range(1, 30)
    )

    (problem,) = shape_problems('{ profile(by: {id: "x"}) { ...F29 } } ' + fragments)

    assert problem == (
        f"The operation has {2**29} aliases; at most {MAX_ALIASES} are allowed."
    )


async def test_aliases_have_a_bound(api: Api) -> None:
    asked = " ".join(f"a{n}: viewer {{ name }}" for n in range(MAX_ALIASES + 1))

    refusals = await api.refusals(f"{{ {asked} }}")

    assert refusals == [
        {
            "code": "TOO_LARGE",
            "message": f"The operation has {MAX_ALIASES + 1} aliases; at most "
            f"{MAX_ALIASES} are allowed.",
        }
    ]


async def test_tokens_have_a_bound(api: Api) -> None:
    (refusal,) = await api.refusals(f"{{ viewer {{ {'name ' * 10_000} }} }}")

    assert "tokens" in refusal["message"]


MANY = """
query ($first: Int!, $inner: Int = 100) {
  profiles(first: $first) {
    edges { node { events(first: $inner) { edges { node { metric { name } } } } } }
  }
}
"""


async def test_the_number_of_objects_has_a_bound_that_knows_the_variables(
    api: Api, graphql: GraphQL
) -> None:
    wide = MANY.replace(
        "metric { name }",
        "metric { name } profile { id } a: metric "
        "{ name } b: metric { name } c: metric { name }",
    )

    refusals = await api.refusals(wide, first=100)
    fits = await graphql(wide, first=100, inner=10)

    assert refusals == [
        {
            "code": "TOO_LARGE",
            "message": f"The operation asks for up to 60,100 objects; at most "
            f"{MAX_NODES:,} are allowed. Ask for smaller pages.",
        }
    ]
    assert fits == {"profiles": {"edges": []}}


async def test_sizes_written_out_count_as_well(api: Api) -> None:
    (refusal,) = await api.refusals(
        """
        {
          lists(first: 100) {
            edges { node { members(first: 100) {
              edges { node { events(last: 50) { edges { cursor } } lists {
                edges { node { source } } } } }
            } } }
          }
        }
        """
    )

    assert refusal["message"].startswith("The operation asks for up to 210,100 objects")


async def test_one_of_several_operations_must_be_named(api: Api) -> None:
    refusals = await api.refusals(
        "query A { viewer { name } } query B { viewer { kind } }"
    )

    assert refusals == [
        {
            "message": "The document has several operations: say which one with "
            "operationName."
        }
    ]


async def test_introspection_is_within_the_bounds(graphql: GraphQL) -> None:
    data = await graphql(get_introspection_query(input_value_deprecation=True))

    assert data["__schema"]["queryType"]["name"] == "Query"


async def test_an_operation_is_validated_once(
    graphql: GraphQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    made = ShapeRule.__init__

    def counted(self: ShapeRule, context: object) -> None:
        seen.append(context)
        made(self, context)  # type: ignore[arg-type]

    monkeypatch.setattr(ShapeRule, "__init__", counted)
    for _ in range(3):
        await graphql("query Once { viewer { name } }")

    assert len(seen) == 1


DEEP = """
query ($first: Int) {
  profiles(first: 100) {
    edges { node { events(first: $first, last: 100) { edges { node {
      profile { id } a: metric { id } b: metric { id } c: metric { id } d: metric { id }
    } } } } }
  }
}
"""


@pytest.mark.parametrize("sizes", [{}, {"first": None}, {"first": 100.0}, {"first": 1}])
async def test_the_larger_of_the_given_sizes_counts(
    api: Api, sizes: dict[str, Any]
) -> None:
    (refusal,) = await api.refusals(DEEP, **sizes)

    assert refusal["message"].startswith("The operation asks for up to 60,100 objects")


async def test_sizes_that_are_whole_count_however_they_are_written(api: Api) -> None:
    (refusal,) = await api.refusals(
        "query ($first: Int!) { profiles(first: 100) { edges { node { "
        "events(first: $first) { edges { node { metric { name } profile { id } "
        "a: metric { id } b: metric { id } c: metric { id } } } } } } } }",
        first=100.0,
    )

    assert refusal["message"].startswith("The operation asks for up to 60,100 objects")


async def test_nodes_count_as_many_as_there_may_be(api: Api) -> None:
    (refusal,) = await api.refusals(
        "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on List { "
        "members(first: 100) { edges { node { lists(first: 10) { "
        "edges { node { source } } } } } } } } }",
        ids=["lst_0123456789abcdef01234567"],
    )

    assert refusal["message"].startswith("The operation asks for up to 110,100 objects")


@pytest.mark.parametrize(
    ("viewer", "most"),
    [
        (None, MAX_FIELDS_WITHOUT_KEY),
        (PUBLIC, MAX_FIELDS_WITHOUT_KEY),
        (SECRET, MAX_FIELDS),
    ],
)
async def test_fields_have_a_bound_before_they_are_validated(
    api: Api, monkeypatch: pytest.MonkeyPatch, viewer: Viewer | None, most: int
) -> None:
    seen: list[object] = []
    monkeypatch.setattr(ShapeRule, "__init__", lambda self, context: seen.append(self))
    caller = replace(api, viewer=viewer)
    written = "{ " + "a " * (most // 2) + "...F } fragment F on Query { "
    written += "... on Query { " + "b " * (most // 2 + 1) + "} }"

    refusals = await caller.refusals(written)

    assert refusals == [
        {
            "code": "TOO_LARGE",
            "message": f"The document has {most + 1:,} fields; at most {most:,} are "
            "allowed.",
        }
    ]
    assert seen == []


async def test_without_a_key_less_may_be_written(api: Api) -> None:
    wide = f"{{ node(id: 1) {{ id {'@skip(if: true) ' * 500} }} }}"
    stranger = replace(api, viewer=None)

    (refusal,) = await stranger.refusals(wide)
    known = await api.refusals(wide)
    data = await stranger.ask(get_introspection_query(input_value_deprecation=True))

    assert refusal["message"] == (
        f"Syntax Error: Document contains more than {MAX_TOKENS_WITHOUT_KEY} tokens. "
        "Parsing aborted."
    )
    assert "tokens" not in known[0]["message"]
    assert data["__schema"]["queryType"]["name"] == "Query"
