"""What operations read of documents, on small schemas of their own."""

from typing import Any

import pytest
import strawberry
from graphql import FragmentDefinitionNode, OperationDefinitionNode, parse

from gql.execution import FromDocument, batch, plain
from gql.execution.reads import reads_of


@strawberry.interface(description="Anything.")
class Thing(FromDocument):
    id: strawberry.ID = plain("_id", description="Id.")


@strawberry.type(description="Inside.")
class Inner:
    deep: str | None = plain("deep.er", description="Deep.")


@strawberry.type(description="A person.")
class Person(Thing):
    name: str | None = plain("name", description="Name.")
    city: str | None = plain("location.city", description="City.")
    inner: Inner | None = plain("", needs=("a", "b"), description="Parts of it.")
    whole: Inner | None = plain("", description="All of it.")

    shout: str = strawberry.field(
        resolver=lambda: "!", description="By a resolver that may look at anything."
    )

    @batch(description="Friends.", needs=("friend_ids",))
    @staticmethod
    async def friends(parents: list[Any], context: Any) -> list[list["Person"]]:
        return [[] for _ in parents]

    @batch(description="Looks at all.")
    @staticmethod
    async def score(parents: list[Any], context: Any) -> list[int]:
        return [0 for _ in parents]


@strawberry.type(description="A place.")
class Place(Thing):
    size: int | None = plain("size", description="Size.")


@strawberry.type
class Query:
    person: Person | None = plain("person", description="One.")
    thing: Thing | None = plain("thing", description="Any.")


SCHEMA = strawberry.Schema(Query, types=[Person, Place])._schema


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ person { __typename } }", {}),
        ("{ person { id name city } }", {"Person": {"_id", "name", "location"}}),
        (
            "{ person { inner { deep } } }",
            {"Person": {"a", "b"}, "Inner": {"deep"}},
        ),
        ("{ person { whole { deep } name } }", {"Person": None, "Inner": {"deep"}}),
        ("{ person { shout } }", {"Person": None}),
        ("{ person { score name } }", {"Person": None}),
        (
            "{ person { friends { name friends { city } } } }",
            {"Person": {"friend_ids", "name", "location"}},
        ),
        (
            "{ person { ...F } } fragment F on Person { name friends { ...F } }",
            {"Person": {"name", "friend_ids"}},
        ),
        (
            "{ thing { id ... on Place { size } ... on Person { city } } }",
            {"Person": {"_id", "location"}, "Place": {"_id", "size"}},
        ),
        (
            "{ thing { ...F } } fragment F on Thing { id }",
            {"Person": {"_id"}, "Place": {"_id"}},
        ),
        ("{ person { ... { name } } }", {"Person": {"name"}}),
        ("{ person { name @skip(if: true) } }", {"Person": {"name"}}),
    ],
)
def test_reads_are_those_of_every_selection(
    text: str, expected: dict[str, set[str] | None]
) -> None:
    document = parse(text)
    (operation,) = (
        it for it in document.definitions if isinstance(it, OperationDefinitionNode)
    )
    fragments = {
        it.name.value: it
        for it in document.definitions
        if isinstance(it, FragmentDefinitionNode)
    }

    reads = dict(reads_of(SCHEMA, fragments, operation))

    del reads["Query"]
    assert reads == expected
