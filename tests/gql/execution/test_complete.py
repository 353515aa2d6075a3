"""Values completed, table by table: lists and null, errors, instances."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import strawberry
from graphql import GraphQLError, Undefined
from strawberry.schema.config import StrawberryConfig

from gql.execution import batch, plain
from tests.gql.execution.both import Context, Document, both, schema_of

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


async def later(value: Any) -> Any:
    await asyncio.sleep(0)
    if isinstance(value, Exception):
        raise value
    return value


def no_numbers() -> Any:
    return []


def numbers() -> Iterator[int]:
    yield 1
    yield 2


async def numbers_later() -> AsyncIterator[int]:
    yield 1
    yield 2


def numbers_and_no_more() -> Iterator[int]:
    yield 1
    raise ValueError("no more")


async def numbers_later_and_no_more() -> AsyncIterator[int]:
    yield 1
    raise ValueError("no more")


class Sequence:
    """Iterated anew each time."""

    def __iter__(self) -> Iterator[int]:
        return iter([1, 2])


class EitherWay(list[int]):
    """Iterated by some and awaited by others: graphql-core awaits."""

    async def __aiter__(self) -> AsyncIterator[int]:
        yield 3
        yield 4


LISTS: dict[str, Any] = {
    "list[int] | None": list[int] | None,
    "list[int]": list[int],
    "list[int | None] | None": list[int | None] | None,
    "list[int | None]": list[int | None],
}
VALUES: dict[str, Any] = {
    "numbers": lambda: [1, 2],
    "with null": lambda: [1, None, 2],
    "null": lambda: None,
    "empty": no_numbers,
    "with an error": lambda: [1, ValueError("bad"), 2],
    "with a wrong value": lambda: [1, "two", {}],
    "tuple": lambda: (1, 2),
    "set": lambda: {1},
    "iterator": numbers,
    "async iterator": numbers_later,
    "text": lambda: "12",
    "number": lambda: 5,
    "mapping": lambda: {"a": 1},
    "error": lambda: ValueError("instead"),
    "undefined": lambda: Undefined,
    "awaitables": lambda: [later(1), 2, later(None)],
    "awaitable errors": lambda: [1, later(ValueError("late"))],
    "dict keys": lambda: {1: 0, 2: 0}.keys(),
    "raising iterator": numbers_and_no_more,
    "raising async iterator": numbers_later_and_no_more,
    "sequence": Sequence,
    "either way": lambda: EitherWay([1, 2]),
}


@pytest.mark.parametrize("annotation", LISTS)
@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("how", ["now", "awaited", "batch", "below"])
async def test_lists(annotation: str, value: str, how: str) -> None:
    type_, make = LISTS[annotation], VALUES[value]
    read: Any

    if how == "now":
        read = make
    elif how == "awaited":

        async def read_later() -> Any:
            await asyncio.sleep(0)
            return make()

        read = read_later
    else:
        read = None

    async def read_batch(parents: list[Document], context: Context) -> list[Any]:
        return [make() for _ in parents]

    space: dict[str, Any] = {
        "__annotations__": {"plain": type_},
        "plain": plain("values", description="-"),
        "batch": batch(description="-", graphql_type=type_)(read_batch),
    }
    row: Any = strawberry.type(type("Row", (), space))

    def rows() -> Any:
        return [{"_id": 1, "values": make()}, {"_id": 2, "values": [3]}]

    query = strawberry.type(
        type(
            "Query",
            (),
            {
                "values": strawberry.field(read or (lambda: None), graphql_type=type_),
                "rows": strawberry.field(rows, graphql_type=list[row | None]),
                "after": strawberry.field(lambda: 1, graphql_type=int),
            },
        )
    )
    asked = {"batch": "rows { batch }", "below": "rows { plain }"}.get(how, "values")

    await both(schema_of(query), f"{{ {asked} after }}")


def _empty() -> Any:
    return {}


NULLS: dict[str, Any] = {
    "value": lambda: "ok",
    "null": lambda: None,
    "error": lambda: ValueError("told"),
    "graphql error": lambda: GraphQLError("told", extensions={"code": "X"}),
    "later": lambda: later("ok"),
    "null later": lambda: later(None),
    "error later": lambda: later(ValueError("told")),
}


@pytest.mark.parametrize("outer", [True, False])
@pytest.mark.parametrize("inner", [True, False])
@pytest.mark.parametrize("value", NULLS)
async def test_null_goes_to_the_nearest_nullable_parent(
    outer: bool, inner: bool, value: str
) -> None:
    make = NULLS[value]

    def read(root: Any) -> Any:
        made = make()
        if isinstance(made, ValueError):
            raise made
        return made

    leaf: Any = str if inner else str | None
    low: Any = strawberry.type(
        type(
            "Low",
            (),
            {
                "leaf": strawberry.field(read, graphql_type=leaf),
                "fine": strawberry.field(lambda: "fine", graphql_type=str),
            },
        )
    )
    nested: Any = low if outer else low | None
    high: Any = strawberry.type(
        type(
            "High",
            (),
            {
                "low": strawberry.field(_empty, graphql_type=nested),
                "many": strawberry.field(lambda: [{}, {}], graphql_type=list[nested]),
                "deep": strawberry.field(
                    lambda: [[{}], []], graphql_type=list[list[nested] | None]
                ),
            },
        )
    )
    query = strawberry.type(
        type("Query", (), {"high": strawberry.field(_empty, graphql_type=high | None)})
    )
    schema = schema_of(query)

    for asked in ("low", "many", "deep"):
        await both(schema, f"{{ high {{ {asked} {{ fine leaf }} }} }}")
        await both(schema, f"{{ high {{ {asked} {{ leaf }} low {{ fine }} }} }}")


async def test_attributes_may_be_awaited_by_graphql_core() -> None:
    @strawberry.type
    class Slow:
        name: str

    @strawberry.type
    class Query:
        @strawberry.field
        def slow(self) -> list[Slow]:
            awaited: Any = later("slow")
            return [Slow(name=awaited), Slow(name="fast")]

    data, errors = await both(schema_of(Query), "{ slow { name } }")

    assert (data, errors) == ({"slow": [{"name": "slow"}, {"name": "fast"}]}, [])


async def test_iterators_are_left_for_graphql_core_to_read() -> None:
    taken: list[int] = []

    def counted() -> Iterator[int]:
        for number in (1, 2):
            taken.append(number)
            yield number

    @strawberry.type
    class Query:
        @strawberry.field
        def numbers(self) -> list[int]:
            return counted()  # type: ignore[return-value]

        @strawberry.field
        def either(self) -> list[int]:
            return EitherWay([1, 2])

    schema = schema_of(Query)

    assert await both(schema, "{ numbers }") == ({"numbers": [1, 2]}, [])
    assert await both(schema, "{ either }") == ({"either": [3, 4]}, [])
    assert taken == [1, 2, 1, 2]


class Custom(str):
    """What a scalar stands for."""


@pytest.mark.parametrize("made", [lambda value: Undefined, lambda value: None])
async def test_a_scalar_that_makes_nothing_of_a_value_is_an_error(made: Any) -> None:
    scalar: Any = strawberry.scalar(
        name="Custom", serialize=made, parse_value=lambda value: value
    )
    config = StrawberryConfig(scalar_map={Custom: scalar})

    @strawberry.type
    class Query:
        custom: Custom | None = strawberry.field(resolver=lambda: Custom("value"))

    data, errors = await both(schema_of(Query, config=config), "{ custom }")

    assert data == {"custom": None}
    assert [(it["path"], it["locations"]) for it in errors] == [
        (["custom"], [{"line": 1, "column": 3}])
    ]
    assert errors[0]["message"].startswith("Expected `Custom.")
