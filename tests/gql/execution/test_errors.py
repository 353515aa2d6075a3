"""Errors: where they are told, what becomes null, and what still runs."""

import asyncio
from typing import Any, Self

import pytest
import strawberry
from graphql import GraphQLError

from tests.gql.execution.both import Context, both, schema_of
from tests.gql.execution.small import run, schema

pytestmark = pytest.mark.anyio


async def test_an_error_in_a_slot_is_located_and_answered_as_by_graphql_core() -> None:
    context = Context()

    data, errors = await run(
        "{ items(ids: [1, 13]) { id tags { id } } }", context=context
    )

    assert data is None
    assert errors == [
        {
            "message": "no tags",
            "locations": [{"line": 1, "column": 28}],
            "path": ["items", 1, "tags"],
        }
    ]
    assert context.log.count(("tags", [1, 13], 2)) == 1


async def test_null_goes_up_to_the_nearest_nullable_parent() -> None:
    data, errors = await run(
        "{ one: item { id } two: item(id: 13) { next { id } tags { id } } }"
    )

    assert data == {"one": {"id": "1"}, "two": None}
    assert [it["path"] for it in errors] == [["two", "tags"]]


async def test_resolvers_that_raise() -> None:
    data, errors = await run("{ item { id } fails again: fails }")

    assert data == {"item": {"id": "1"}, "fails": None, "again": None}
    assert [it["path"] for it in errors] == [["fails"], ["again"]]


async def test_errors_keep_their_extensions() -> None:
    assert await run("{ item { id } needed }") == (
        None,
        [
            {
                "message": "Needed.",
                "locations": [{"line": 1, "column": 15}],
                "path": ["needed"],
                "extensions": {"code": "NEEDED"},
            }
        ],
    )


async def test_permissions_are_asked() -> None:
    data, errors = await run("{ guarded item { id } }", context=Context(log=["refuse"]))

    assert data == {"guarded": None, "item": {"id": "1"}}
    assert errors[0]["message"] == "You may not read this."
    assert await run("{ guarded }") == {"guarded": "read"}


async def test_a_cancelled_request_cancels_its_resolvers() -> None:
    context = Context()
    request = asyncio.ensure_future(
        schema.execute("{ hangs other: hangs }", context_value=context)
    )
    await asyncio.sleep(0.05)

    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request

    assert context.log == ["started", "started", "stopped", "stopped"]


async def _later(value: Any) -> Any:
    await asyncio.sleep(0)
    if isinstance(value, Exception):
        raise value
    return value


def _raise(error: Exception) -> Any:
    raise error


def _told(name: str) -> GraphQLError:
    return GraphQLError(name, extensions={"code": name.upper()})


ANSWERS: dict[str, Any] = {
    "ok": lambda: "fine",
    "raised": lambda: _raise(ValueError("raised")),
    "told": lambda: _raise(_told("told")),
    "given": lambda: ValueError("given"),
    "many": lambda: ["0", ValueError("one"), "2", ValueError("three")],
    "ok_later": lambda: _later("fine"),
    "raised_later": lambda: _later(ValueError("raised later")),
    "told_later": lambda: _later(_told("told_later")),
    "given_later": lambda: _later([ValueError("given later")]),
}


async def test_what_fails_is_null_and_the_rest_is_answered() -> None:
    """Told in the order in which it failed: what is awaited comes after the rest."""
    query = strawberry.type(
        type(
            "Query",
            (),
            {
                name: strawberry.field(
                    answer,
                    graphql_type=list[str | None] | None
                    if name in ("many", "given_later")
                    else str | None,
                )
                for name, answer in ANSWERS.items()
            },
        )
    )
    names = ["".join(part) for part in map(_camel, ANSWERS)]

    data, errors = await both(schema_of(query), "{\n" + "\n".join(names) + "\n}")

    assert data == {
        "ok": "fine",
        "raised": None,
        "told": None,
        "given": None,
        "many": ["0", None, "2", None],
        "okLater": "fine",
        "raisedLater": None,
        "toldLater": None,
        "givenLater": [None],
    }
    assert errors == [
        _error("raised", 3, ["raised"]),
        _error("told", 4, ["told"], "TOLD"),
        _error("given", 5, ["given"]),
        _error("one", 6, ["many", 1]),
        _error("three", 6, ["many", 3]),
        _error("raised later", 8, ["raisedLater"]),
        _error("told_later", 9, ["toldLater"], "TOLD_LATER"),
        _error("given later", 10, ["givenLater", 0]),
    ]


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.title, rest))


def _error(message: str, line: int, path: list[Any], code: str = "") -> dict[str, Any]:
    error = {
        "message": message,
        "locations": [{"line": line, "column": 1}],
        "path": path,
    }
    return error | {"extensions": {"code": code}} if code else error


@strawberry.type
class Nest:
    """Nests in itself, now and later, nullable and not; every leaf fails as asked."""

    how: strawberry.Private[str]

    @strawberry.field
    def leaf(self) -> str | None:
        return self._fail("leaf")  # type: ignore[no-any-return]

    @strawberry.field
    def sure_leaf(self) -> str:
        return self._fail("sureLeaf")  # type: ignore[no-any-return]

    @strawberry.field
    async def late_leaf(self) -> str | None:
        return self._fail("lateLeaf")  # type: ignore[no-any-return]

    @strawberry.field
    async def sure_late_leaf(self) -> str:
        return self._fail("sureLateLeaf")  # type: ignore[no-any-return]

    @strawberry.field
    def nest(self) -> Self | None:
        return self

    @strawberry.field
    def sure_nest(self) -> Self:
        return self

    @strawberry.field
    async def late_nest(self) -> Self | None:
        return self

    @strawberry.field
    async def sure_late_nest(self) -> Self:
        return self

    def _fail(self, name: str) -> Any:
        if self.how == "raise":
            raise ValueError(f"{name} failed")
        return None


@strawberry.type
class Nested:
    @strawberry.field
    def nest(self, how: str) -> Nest | None:
        return Nest(how=how)

    @strawberry.field
    def sure_nest(self, how: str) -> Nest:
        return Nest(how=how)


nested = schema_of(Nested)


def _message(how: str, leaf: str) -> str:
    if how == "raise":
        return f"{leaf} failed"
    return f"Cannot return null for non-nullable field Nest.{leaf}."


@pytest.mark.parametrize("how", ["raise", "null"])
@pytest.mark.parametrize("leaf", ["sureLeaf", "sureLateLeaf"])
@pytest.mark.parametrize(
    "way",
    [
        [],
        ["sureNest"],
        ["sureLateNest"],
        ["sureNest", "sureLateNest", "sureNest", "sureLateNest"],
        ["nest", "sureLateNest"],
        ["lateNest", "sureNest", "lateNest", "sureNest", "sureLateNest"],
    ],
)
async def test_null_rises_past_all_that_must_not_be_null(
    how: str, leaf: str, way: list[str]
) -> None:
    """The error has the whole path, aliases among it; the nearest that may is null."""
    aliased = [f"n{number}: {name}" for number, name in enumerate(way)]
    path = ["nest", *(f"n{number}" for number in range(len(way))), leaf]
    last = max((at for at, name in enumerate(way, 1) if name[:4] != "sure"), default=0)
    expected: Any = None
    for key in reversed(path[: last + 1]):
        expected = {key: expected}
    body = " { ".join([f'{{ nest(how: "{how}")', *aliased, leaf])

    data, errors = await both(nested, body + " }" * (len(way) + 2))

    assert data == expected
    assert errors == [
        {
            "message": _message(how, leaf),
            "path": path,
            "locations": [{"line": 1, "column": len(body) - len(leaf) + 1}],
        }
    ]


@pytest.mark.parametrize("how", ["raise", "null"])
async def test_a_root_that_must_not_be_null_takes_all_along(how: str) -> None:
    query = f'{{ nest(how: "ok") {{ leaf }} sureNest(how: "{how}") {{ sureLeaf }} }}'

    assert await both(nested, query) == (
        None,
        [
            {
                "message": _message(how, "sureLeaf"),
                "path": ["sureNest", "sureLeaf"],
                "locations": [{"line": 1, "column": query.index("sureLeaf") + 1}],
            }
        ],
    )


async def test_a_tree_of_failures_is_told_leaf_by_leaf() -> None:
    leaves = "leaf lateLeaf"
    inner = f"{leaves} nest {{ {leaves} }} lateNest {{ {leaves} }}"
    null = {"leaf": None, "lateLeaf": None}
    tree = {**null, "nest": null, "lateNest": null}

    data, errors = await both(
        nested,
        f'{{ nest(how: "raise") {{ nest {{ {inner} }} lateNest {{ {inner} }} }} }}',
    )

    assert data == {"nest": {"nest": tree, "lateNest": tree}}
    ways = [[], ["nest"], ["lateNest"]]
    assert sorted(it["path"] for it in errors) == sorted(
        ["nest", first, *rest, leaf]
        for first in ("nest", "lateNest")
        for rest in ways
        for leaf in null
    )
    assert {it["message"] for it in errors} == {"leaf failed", "lateLeaf failed"}


@pytest.mark.parametrize(
    "below",
    [
        "sureLateNest { sureLeaf } lateNest { sureLeaf }",
        "sureLateNest { sureLeaf } lateNest { sureLateLeaf }",
        "nest { sureLateNest { sureLeaf } lateNest { sureLeaf } }",
        "nest { sureLateNest { sureLeaf } lateNest { lateNest { sureLateLeaf } } }",
    ],
)
async def test_several_errors_at_one_null_are_those_of_graphql_core(below: str) -> None:
    data, errors = await both(nested, f'{{ nest(how: "raise") {{ {below} }} }}')

    assert data == {"nest": {"nest": None} if below[:4] == "nest" else None}
    assert "sureLeaf failed" in [it["message"] for it in errors]


async def test_who_may_not_fail_ends_what_runs_beside_it() -> None:
    ended: list[str] = []

    @strawberry.type
    class Query:
        @strawberry.field
        async def fails(self) -> str:
            await asyncio.sleep(0)
            raise ValueError("It failed.")

        @strawberry.field
        async def never(self) -> str | None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                ended.append("never")
                raise
            return None

    async with asyncio.timeout(10):
        answer = await both(schema_of(Query), "{ never fails again: never }")

    assert answer == (
        None,
        [
            {
                "message": "It failed.",
                "locations": [{"line": 1, "column": 9}],
                "path": ["fails"],
            }
        ],
    )
    assert ended == ["never"] * 6  # graphql-core alone, the plan, graphql-core after it


async def test_errors_carry_what_was_raised_and_where() -> None:
    for compiled in (False, True):
        result = await schema.execute("{ fails }", context_value=Context(compiled))

        (error,) = result.errors or []
        assert (type(error.original_error), str(error.original_error)) == (
            ValueError,
            "It failed.",
        )
        assert str(error).splitlines() == [
            "It failed.",
            "",
            "GraphQL request:1:3",
            "1 | { fails }",
            "  |   ^",
        ]
