"""Mutations: one root field after the other, each once."""

import pytest

from tests.gql.execution.both import Context
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
