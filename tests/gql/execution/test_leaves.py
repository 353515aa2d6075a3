"""Leaf values: those that fit, those that are made to, and those that are wrong."""

from typing import Any

import pytest

from gql.execution import plans_of
from tests.gql.execution.both import Context, Document
from tests.gql.execution.small import Size, run, schema

pytestmark = pytest.mark.anyio


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
