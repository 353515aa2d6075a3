"""Values completed, table by table: lists and null, errors, abstract types, instances.

Every case is executed by graphql-core too, and the answers must be the same.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, TypeVar

import pytest
import strawberry
from graphql import GraphQLError, Undefined

from gql.execution import CompiledExecutor, FromDocument, batch, plain, plans_of

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

Document = dict[str, Any]
T = TypeVar("T")


@dataclass
class Context:
    compiled: bool = True
    loaders: dict[Any, Any] = field(default_factory=dict)


def schema_of(query: type, *types: Any) -> strawberry.Schema:
    return strawberry.Schema(
        query, types=types, execution_context_class=CompiledExecutor
    )


async def both(
    schema: strawberry.Schema, query: str, variables: Document | None = None
) -> tuple[Any, list[Any]]:
    """What both executors answer, which has to be the same."""
    expected, found = [
        await schema.execute(
            query, variables, context_value=Context(compiled), root_value=None
        )
        for compiled in (False, True)
    ]
    errors = [it.formatted for it in found.errors or ()]
    assert repr(found.data) == repr(expected.data)
    assert errors == [it.formatted for it in expected.errors or ()]
    return found.data, errors


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


@strawberry.interface
class Pet:
    name: str


@strawberry.type
class Dog(Pet):
    barks: bool


@strawberry.type
class Cat(Pet):
    meows: bool


@strawberry.type
class Fish:
    name: str


@strawberry.interface
class Owned(FromDocument):
    owner: str | None = plain("owner", description="-")


@strawberry.type
class House(Owned):
    rooms: int = plain("rooms", description="-")

    @batch(description="-")
    async def pets(parents: list[Document], context: Context) -> list[list[Pet]]:
        return [[Dog(name="Rex", barks=True)] for _ in parents]


@strawberry.type
class Car(Owned):
    doors: int | None = plain("doors", description="-")


@strawberry.type
class Told:
    """A type that tells its sources apart by a way of its own."""

    name: str = strawberry.field(resolver=lambda: "told")

    @classmethod
    def is_type_of(cls, source: Any, info: Any) -> bool:
        return isinstance(source, str) and source.startswith("told")


@strawberry.type
class Box(Generic[T]):
    content: T
    size: int = 1


Animal = Annotated[Dog | Fish, strawberry.union("Animal")]
Thing = Annotated[House | Car, strawberry.union("Thing")]
Odd = Annotated[Told | Fish, strawberry.union("Odd")]

SOURCES: dict[str, Any] = {
    "dog": Dog(name="Rex", barks=True),
    "cat": Cat(name="Tom", meows=True),
    "fish": Fish(name="Nemo"),
    "house": {"__typename": "House", "_id": 1, "rooms": 3, "owner": "Ada"},
    "car": {"__typename": "Car", "_id": 2},
    "no name": {"_id": 3},
    "wrong name": {"__typename": "Dog", "_id": 4},
    "not a type": {"__typename": "Nothing"},
    "not a name": {"__typename": 5},
    "text": "told",
    "other text": "untold",
    "error": ValueError("no pet"),
    "undefined": Undefined,
    "null": None,
}


def _source(name: str) -> Any:
    return SOURCES[name]


async def _source_later(name: str) -> Any:
    await asyncio.sleep(0)
    return SOURCES[name]


def _sources(names: list[str]) -> Any:
    return [SOURCES[name] for name in names]


def _boxes() -> Any:
    return Box(content=5), Box(content=Dog(name="Rex", barks=False))


KINDS: dict[str, Any] = {
    "pet": Pet,
    "animal": Animal,
    "owned": Owned,
    "thing": Thing,
    "odd": Odd,
    "dog": Dog,
    "house": House,
    "told": Told,
}
abstract = schema_of(
    strawberry.type(
        type(
            "Query",
            (),
            {
                f"{kind}_{way}": strawberry.field(read, graphql_type=type_)
                for kind, given in KINDS.items()
                for way, read, type_ in (
                    ("now", _source, given | None),
                    ("later", _source_later, given),
                    ("all", _sources, list[given | None]),  # type: ignore[valid-type]
                )
            },
        )
    ),
    Cat,
    Dog,
    House,
    Car,
)
SELECTED = {
    "pet": "name ... on Dog { barks } ... on Cat { meows }",
    "animal": "... on Dog { name barks } ... on Fish { name }",
    "owned": "owner ... on House { rooms pets { name } } ... on Car { doors }",
    "thing": "... on Owned { owner } ... on House { rooms } ... on Car { doors }",
    "odd": "... on Told { name } ... on Fish { name }",
    "dog": "name ... on Pet { name } barks",
    "house": "rooms owner pets { name }",
    "told": "name",
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("kind", SELECTED)
async def test_objects_and_abstract_types(kind: str, source: str) -> None:
    body = f"{{ __typename {SELECTED[kind]} }}"
    ask = "query ($name: String!, $names: [String!]!)"

    for selection in (
        f"{kind}Now(name: $name) {body} rest: {kind}All(names: $names) {body}",
        f"{kind}Later(name: $name) {body} {kind}All(names: $names) {{ __typename }}",
    ):
        await both(
            abstract,
            f"{ask} {{ {selection} }}",
            {"name": source, "names": ["null", source, source]},
        )


async def test_fitting_sources_need_no_help() -> None:
    fitting = {
        "pet": ["dog", "cat"],
        "animal": ["dog", "fish"],
        "owned": ["house", "car"],
        "thing": ["car", "house"],
        "dog": ["dog"],
        "house": ["house"],
    }
    before = plans_of(abstract._schema).handed_over
    for kind, names in fitting.items():
        data, errors = await both(
            abstract,
            f"query ($names: [String!]!) {{ {kind}All(names: $names) "
            f"{{ __typename {SELECTED[kind]} }} }}",
            {"names": names},
        )
        assert errors == []
        told = [it["__typename"].lower() for it in data[f"{kind}All"]]
        assert told == names

    assert plans_of(abstract._schema).handed_over == before


async def test_generic_types() -> None:
    @strawberry.type
    class Query:
        @strawberry.field
        def number(self) -> Box[int]:
            return Box(content=5)

        @strawberry.field
        def dog(self) -> Box[Dog]:
            return Box(content=Dog(name="Rex", barks=False), size=2)

    schema = schema_of(Query)

    data, _ = await both(
        schema, "{ number { __typename content } dog { size content { name barks } } }"
    )

    assert data == {
        "number": {"__typename": "IntBox", "content": 5},
        "dog": {"size": 2, "content": {"name": "Rex", "barks": False}},
    }
    assert plans_of(schema._schema).executed == 1


async def test_directives_on_fields_and_fragments() -> None:
    schema = schema_of(
        strawberry.type(
            type(
                "Query",
                (),
                {
                    name: strawberry.field(lambda: "x", graphql_type=str)
                    for name in ("a", "b")
                },
            )
        )
    )

    for directive in ("skip", "include"):
        for value in ("true", "false"):
            steered = f"@{directive}(if: {value})"
            for query in (
                f"{{ a b {steered} }}",
                f"{{ a ... {steered} {{ b }} }}",
                f"{{ a ... on Query {steered} {{ b }} }}",
                f"{{ a ...F {steered} }} fragment F on Query {{ b }}",
                f"{{ a ...F }} fragment F on Query {{ b {steered} }}",
                f"{{ a a {steered} b @skip(if: true) @include(if: true) }}",
            ):
                await both(schema, query)


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
