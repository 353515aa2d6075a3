"""Objects, interfaces and unions: what tells their sources apart."""

import asyncio
from typing import Annotated, Any, Generic, TypeVar

import pytest
import strawberry
from graphql import Undefined

from gql.execution import FromDocument, batch, plain, plans_of
from tests.gql.execution.both import Context, Document, both, schema_of

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

T = TypeVar("T")


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
