"""Fields declared by `plain` and `batch`, served by graphql-core."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

import pytest
import strawberry

from gql.execution import FromDocument, batch, plain

pytestmark = pytest.mark.anyio

Document = dict[str, Any]


@dataclass
class Context:
    loaders: dict[Any, Any] = field(default_factory=dict)
    reads: list[Any] = field(default_factory=list)


Info = strawberry.Info[Context, None]


@strawberry.input
class Range:
    since: int
    until: int | None = None


@strawberry.interface
class Node(FromDocument):
    id: strawberry.ID = plain("_id", read="n{}".format, description="Which one.")


@strawberry.type
class Metric(Node):
    name: str = plain("name", description="What it is called.")


@strawberry.type
class Profile(Node):
    email: str | None = plain("email", description="Where to write to.")
    city: str | None = plain("location.city", description="Where.")
    zone: str = plain("location.zone", default="utc", read=str.upper, description="-")
    seen: datetime | None = plain("seen", description="When.", name="seenAt")
    old: str | None = plain("old", description="-", deprecation_reason="Gone.")

    @batch(description="Numbers, counted up.")
    async def numbers(
        parents: list[Document],
        context: Context,
        first: Annotated[int, strawberry.argument(description="How many.")] = 2,
        within: Range | None = None,
    ) -> list[list[int] | Exception]:
        context.reads.append(("numbers", [it["_id"] for it in parents], first, within))
        return [
            list(range(first)) if it["_id"] != 3 else ValueError("three")
            for it in parents
        ]

    @batch(description="By name.", key=lambda it: it["metric"], graphql_type=Metric)
    @staticmethod
    async def metric(parents: list[Document], context: Context) -> list[Document]:
        context.reads.append(("metric", [it["metric"] for it in parents]))
        return [{"_id": 1, "name": it["metric"]} for it in parents]

    @batch(description="One answer too few.")
    async def short(parents: list[Document], context: Context) -> "list[int | None]":
        return [0 for _ in parents[1:]]

    @batch(description="Raises.")
    async def broken(parents: list[Document], context: Context) -> list[int | None]:
        raise OSError("no disk")


Thing = Annotated[Profile | Metric, strawberry.union("Thing")]


def rows(*ids: int) -> Any:
    return [
        {"_id": it, "email": f"{it}@example.org", "metric": f"m{it % 2}"} for it in ids
    ]


@strawberry.type
class Query:
    @strawberry.field
    def profiles(self) -> list[Profile]:
        return rows(1, 2, 1)  # type: ignore[no-any-return]

    @strawberry.field
    def bare(self) -> list[Profile]:
        documents: Any = [
            {"_id": 1, "location": None},
            {"_id": 2, "location": "x"},
            {"_id": 3, "location": {"city": "Bonn", "zone": "cet"}},
        ]
        return documents  # type: ignore[no-any-return]

    @strawberry.field
    def node(self, typename: str | None = None) -> Node | None:
        document: Any = {"_id": 1, "name": "Opened"}
        if typename:
            document["__typename"] = typename
        return document  # type: ignore[no-any-return]

    @strawberry.field
    def things(self) -> list[Thing]:
        documents: Any = [
            {"_id": 1, "__typename": "Profile", "email": "a@example.org"},
            {"_id": 2, "__typename": "Metric", "name": "Opened"},
        ]
        return documents  # type: ignore[no-any-return]

    @strawberry.field
    def wrong(self) -> Profile:
        return Metric(id=strawberry.ID("1"), name="-")  # type: ignore[return-value]

    @strawberry.field
    def one(self, id: int) -> Profile:
        return rows(id)[0]  # type: ignore[no-any-return]


@strawberry.type
class Mutation:
    @strawberry.mutation
    def touch(self, id: int) -> Profile:
        return rows(id)[0]  # type: ignore[no-any-return]


schema = strawberry.Schema(Query, Mutation, types=[Metric])


async def execute(query: str, context: Context | None = None) -> Any:
    result = await schema.execute(query, context_value=context or Context())
    if result.errors:
        return result.data, sorted((it.message, it.path) for it in result.errors)
    return result.data


def test_the_schema_has_types_arguments_and_descriptions() -> None:
    assert '''\
type Profile implements Node {
  """Which one."""
  id: ID!

  """Where to write to."""
  email: String

  """Where."""
  city: String

  """-"""
  zone: String!

  """When."""
  seenAt: DateTime

  """-"""
  old: String @deprecated(reason: "Gone.")

  """Numbers, counted up."""
  numbers(
    """How many."""
    first: Int! = 2
    within: Range = null
  ): [Int!]!

  """By name."""
  metric: Metric!

  """One answer too few."""
  short: Int

  """Raises."""
  broken: Int
}''' in str(schema)


async def test_a_plain_field_reads_its_path_or_null() -> None:
    assert await execute("{ bare { id city zone } }") == {
        "bare": [
            {"id": "n1", "city": None, "zone": "UTC"},
            {"id": "n2", "city": None, "zone": "UTC"},
            {"id": "n3", "city": "Bonn", "zone": "CET"},
        ]
    }


async def test_a_plain_field_refuses_a_source_that_is_no_document() -> None:
    _, errors = await execute("{ wrong { email } }")

    assert errors[0][0].startswith("Expected value of type 'Profile' but got:")


async def test_a_batch_reads_every_parent_once_per_arguments() -> None:
    context = Context()

    data = await execute(
        "{ profiles { numbers three: numbers(first: 3) metric { name } } }", context
    )

    assert data["profiles"] == [
        {"numbers": [0, 1], "three": [0, 1, 2], "metric": {"name": "m1"}},
        {"numbers": [0, 1], "three": [0, 1, 2], "metric": {"name": "m0"}},
        {"numbers": [0, 1], "three": [0, 1, 2], "metric": {"name": "m1"}},
    ]
    assert context.reads == [
        ("numbers", [1, 2], 2, None),
        ("numbers", [1, 2], 3, None),
        ("metric", ["m1", "m0"]),
    ]


async def test_equal_input_arguments_share_one_read() -> None:
    context = Context()

    await execute(
        """{ a: one(id: 1) { numbers(within: {since: 1}) }
             b: one(id: 1) { numbers(within: {since: 1, until: null}) }
             c: one(id: 1) { numbers(within: {since: 2}) } }""",
        context,
    )

    assert context.reads == [
        ("numbers", [1], 2, Range(since=1)),
        ("numbers", [1], 2, Range(since=2)),
    ]


async def test_an_exception_in_a_slot_is_that_slots_error() -> None:
    data, errors = await execute("{ a: one(id: 3) { id numbers } }")

    assert data is None
    assert errors == [("three", ["a", "numbers"])]


async def test_a_batch_that_raises_is_every_slots_error() -> None:
    assert await execute("{ profiles { broken } }") == (
        {"profiles": [{"broken": None}] * 3},
        [("no disk", ["profiles", index, "broken"]) for index in range(3)],
    )


async def test_a_batch_that_answers_too_few_values_is_told_so() -> None:
    _, errors = await execute("{ one(id: 1) { short } }")

    assert errors == [
        (
            "Profile.short was given 1 parents and answered 0 values: "
            "it must answer one per parent, in order.",
            ["one", "short"],
        )
    ]


async def test_abstract_types_resolve_by_typename() -> None:
    assert await execute(
        """{ node(typename: "Metric") { __typename id ... on Metric { name } }
             things { ... on Profile { email } ... on Metric { name } } }"""
    ) == {
        "node": {"__typename": "Metric", "id": "n1", "name": "Opened"},
        "things": [{"email": "a@example.org"}, {"name": "Opened"}],
    }


@pytest.mark.parametrize("typename", ["", "Nothing", "Range"])
async def test_a_document_without_a_fitting_typename_is_an_error(typename: str) -> None:
    data, errors = await execute(f'{{ node(typename: "{typename}") {{ id }} }}')

    assert data == {"node": None}
    assert errors[0][1] == ["node"]


async def test_root_fields_of_a_mutation_do_not_share_reads() -> None:
    context = Context()

    await execute(
        "mutation { a: touch(id: 1) { numbers } b: touch(id: 1) { numbers } }", context
    )

    assert context.reads == [("numbers", [1], 2, None)] * 2


def test_a_batch_without_a_list_annotation_is_refused() -> None:
    async def lone(parents: list[Document], context: Context) -> Any:
        return parents

    with pytest.raises(TypeError, match=r"lone must be annotated with the list"):
        batch(description="-")(lone)
