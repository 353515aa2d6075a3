"""Generated queries over the API's own schema, by both executors, on stored data."""

import json
from typing import Any

import pytest

from audience.keys import KeyKind, Viewer
from gql.execution import plans_of
from gql.schema import schema
from tests.gql.conftest import SECRET, Api
from tests.gql.execution.asking import Operations

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

QUERIES = 150
LIMITED = Viewer(None, "Limited", KeyKind.SECRET, frozenset({"profiles:read"}))

TRACK = """mutation ($input: TrackEventsInput!) {
  trackEvents(input: $input) { accepted userErrors { message } }
}"""
ADD = """mutation ($input: AddToListInput!) {
  addToList(input: $input) { added userErrors { message } }
}"""
CREATE = """mutation ($input: CreateListInput!) {
  createList(input: $input) { list { id } userErrors { message } }
}"""


async def filled(api: Api) -> dict[str, list[str]]:
    """People with events, lists and consent; their ids by kind, as literals."""
    people = [{"email": f"person{number}@example.org"} for number in range(6)]
    events = [
        {
            "profile": people[number % 6],
            "metric": f"Metric {number % 3}",
            "timestamp": f"2026-02-{1 + number % 28:02}T12:00:00Z",
            "value": number / 2 if number % 4 else None,
            "properties": {"number": number},
            "uniqueId": str(number),
        }
        for number in range(40)
    ]
    await api.ask(TRACK, input={"events": events})
    for number in range(2):
        made = await api.ask(
            CREATE, input={"name": f"List {number}", "optIn": "SINGLE"}
        )
        await api.ask(
            ADD,
            input={
                "listId": made["createList"]["list"]["id"],
                "profiles": people[number : number + 3],
                "consent": [{"channel": "EMAIL", "source": "fair"}],
            },
        )
    found = await api.ask(
        """{ profiles(first: 6) { edges { node { id } } }
             events(first: 6) { edges { node { id } } }
             lists(first: 2) { edges { node { id } } } }"""
    )
    return {
        kind: [json.dumps(edge["node"]["id"]) for edge in page["edges"]]
        for kind, page in found.items()
    }


async def test_both_executors_answer_alike_on_stored_data(api: Api) -> None:
    ids = await filled(api)
    every = [it for kind in ids.values() for it in kind]
    values = {
        "first": ["0", "1", "3", "10"],
        "last": [],
        "after": [],
        "before": [],
        "Query.node.id": [*every, '"nothing"', '"prf_000000000000000000000000"'],
        "Query.nodes.ids": [f"[{', '.join(every[:4])}]", f"[{every[0]}, {every[0]}]"],
        "Query.list.id": ids["lists"],
        "Query.event.id": ids["events"],
        "ProfileLookup": [
            '{email: "person1@example.org"}',
            '{email: "nobody@example.org"}',
            f"{{id: {ids['profiles'][0]}}}",
        ],
        "EventFilter": ['{metricNames: ["Metric 1"]}', "{minValue: 3}"],
    }
    operations = Operations(schema._schema, values, 5)
    plans = plans_of(schema._schema)
    executed, handed_over = plans.executed, plans.handed_over

    for number in range(QUERIES):
        api.viewer = LIMITED if number % 3 == 0 else SECRET
        query = operations.query()
        expected, found = [await _answer(api, query, it) for it in (False, True)]
        assert found == expected, query

    assert plans.executed - executed > QUERIES / 2
    assert plans.handed_over - handed_over > QUERIES / 20


async def _answer(api: Api, query: str, compiled: bool) -> tuple[str, bool]:
    """The data, and whether there are errors: which of several comes first, and so
    ends the object that they have in common, is a matter of timing."""
    context: Any = api.context()
    context.compiled = compiled
    result = await schema.execute(query, context_value=context)
    return json.dumps(result.data), bool(result.errors)
