"""Mutations: one root field after the other, each once."""

import asyncio
from typing import Any

import pytest
import strawberry

from gql.execution import plans_of
from tests.gql.execution.both import Context, Info, schema_of
from tests.gql.execution.small import run

pytestmark = pytest.mark.anyio


async def test_a_failing_mutation_runs_once_and_the_next_still_runs() -> None:
    context = Context()

    data, errors = await run(
        """mutation { a: add(id: 1) { id } b: add(id: 2, fail: true) { id }
                      c: add(id: 3) { id } }""",
        context=context,
    )

    assert data == {"a": {"id": "1"}, "b": None, "c": {"id": "3"}}
    assert [it["path"] for it in errors] == [["b"]]
    assert [it for it in context.log if it[0] == "add"] == [
        ("add", 1),
        ("add", 2),
        ("add", 3),
    ]


async def test_mutations_run_one_after_the_other_with_all_below_them() -> None:
    context = Context()

    await run(
        "mutation { a: add(id: 1) { tags { id } } b: add(id: 1) { tags { id } } }",
        context=context,
    )

    one = [("add", 1), ("added", 1), ("tags", [1], 2)]
    assert context.log == one + one


async def test_an_error_below_a_mutation_does_not_run_it_again() -> None:
    context = Context()

    data, errors = await run(
        "mutation { a: add(id: 13) { tags { id } } b: add(id: 2) { id } }",
        context=context,
    )

    assert data == {"a": None, "b": {"id": "2"}}
    assert errors[0]["path"] == ["a", "tags"]
    assert context.log.count(("add", 13)) == 1
    assert context.log.count(("add", 2)) == 1
    assert context.log.count(("tags", [13], 2)) == 1


async def test_a_mutation_after_one_that_had_to_answer_does_not_run() -> None:
    context = Context()

    data, errors = await run(
        """mutation { a: add(id: 1) { id } b: must(id: 2) { count }
                      c: add(id: 3) { id } }""",
        context=context,
    )

    assert data is None
    assert errors[0]["path"] == ["b", "count"]
    assert context.log == [("add", 1), ("added", 1), ("must", 2)]


@strawberry.type
class Holder:
    """Tells its number when it is asked, not when it was made."""

    number: strawberry.Private[list[int]]

    @strawberry.field
    def now(self) -> int:
        return self.number[0]

    @strawberry.field
    async def later(self) -> int:
        await asyncio.sleep(0)
        return self.number[0]


def _change(info: Info, to: int) -> Any:
    info.context.log[0][0] = to
    return Holder(number=info.context.log[0])


async def _change_later(info: Info, to: int) -> Any:
    await asyncio.sleep(0)
    return _change(info, to)


def _fail(to: int) -> Any:
    raise ValueError(f"It cannot be {to}.")


async def _fail_later(to: int) -> Any:
    await asyncio.sleep(0)
    return _fail(to)


@strawberry.type
class Query:
    a: int = 1


CHANGES: dict[str, Any] = {
    "change": _change,
    "change_later": _change_later,
    "fail": _fail,
    "fail_later": _fail_later,
}
HOLDING = schema_of(
    Query,
    mutation=strawberry.type(
        type(
            "Mutation",
            (),
            {
                name: strawberry.mutation(resolver, graphql_type=Holder | None)
                for name, resolver in CHANGES.items()
            },
        )
    ),
)


async def _held(query: str) -> tuple[Any, list[Any]]:
    """Each executor changes a number of its own."""
    answers = []
    for compiled in (False, True):
        context = Context(compiled, log=[[0]])
        result = await HOLDING.execute(query, context_value=context)
        answers.append((result.data, [it.formatted for it in result.errors or ()]))
    assert answers[0] == answers[1]
    return answers[1]


async def test_each_sees_what_those_before_it_changed_and_no_more() -> None:
    executed = plans_of(HOLDING._schema).executed

    answer = await _held(
        """mutation {
          a: change(to: 1) { now later } b: changeLater(to: 2) { later now } ...F
        }
        fragment F on Mutation {
          c: changeLater(to: 3) { later } d: change(to: 4) { now }
        }
        """
    )

    assert answer == (
        {
            "a": {"now": 1, "later": 1},
            "b": {"later": 2, "now": 2},
            "c": {"later": 3},
            "d": {"now": 4},
        },
        [],
    )
    assert plans_of(HOLDING._schema).executed == executed + 1


async def test_those_after_a_failure_are_served() -> None:
    assert await _held(
        """mutation {
  a: change(to: 1) { now }
  b: fail(to: 2) { now }
  c: changeLater(to: 3) { later }
  d: failLater(to: 4) { later }
  e: change(to: 5) { later }
}"""
    ) == (
        {
            "a": {"now": 1},
            "b": None,
            "c": {"later": 3},
            "d": None,
            "e": {"later": 5},
        },
        [
            {
                "message": f"It cannot be {number}.",
                "locations": [{"line": line, "column": 3}],
                "path": [key],
            }
            for number, line, key in ((2, 3, "b"), (4, 5, "d"))
        ],
    )
