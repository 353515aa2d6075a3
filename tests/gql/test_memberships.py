"""Kept memberships in the API: who is in, who was, since when, and how fresh."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.gql.conftest import NOW, Api
from tests.membership_histories import catch_up, keeping

pytestmark = pytest.mark.anyio

CREATE = """
mutation Create($input: CreateSegmentInput!) {
  createSegment(input: $input) { segment { id size } userErrors { message } }
}
"""
UPSERT = """
mutation Upsert($input: UpsertProfileInput!) {
  upsertProfile(input: $input) { profile { id } }
}
"""
SEGMENT = """
query Segment($id: ID!, $since: DateTime!, $then: DateTime!) {
  segment(id: $id) {
    size
    past: size(asOf: $then)
    members(first: 5) { edges { enteredAt node { firstName } } totalCount }
    were: members(first: 5, asOf: $then) {
      edges { enteredAt node { firstName } } totalCount
    }
    freshness { asOf isBuilding progress }
    history(first: 5) {
      edges { node { kind cause at version profile { firstName } } }
      totalCount
    }
    sizeHistory(since: $since, interval: DAY) { at size }
  }
}
"""
PROFILE = """
query Profile($id: ID!) {
  profile(by: { id: $id }) {
    segments { edges { node { enteredAt segment { name } } } totalCount }
  }
}
"""


async def test_members_before_and_after_the_membership_is_built(api: Api) -> None:
    ada = await _named(api, "ada")
    segment = await _segment(api)
    asked = {
        "id": segment,
        "since": (NOW - timedelta(days=1)).isoformat(),
        "then": NOW.isoformat(),
    }

    before = (await api.ask(SEGMENT, **asked))["segment"]

    assert before == {
        "size": 1,
        "past": 0,
        "members": {
            "edges": [{"enteredAt": None, "node": {"firstName": "ada"}}],
            "totalCount": 1,
        },
        "were": {"edges": [], "totalCount": 0},
        "freshness": {"asOf": None, "isBuilding": True, "progress": 0.0},
        "history": {"edges": [], "totalCount": 0},
        "sizeHistory": [
            {"at": "2026-02-28T12:00:00.000Z", "size": 0},
            {"at": "2026-03-01T12:00:00.000Z", "size": 0},
        ],
    }

    async with keeping(api.db, lambda: api.now, ZoneInfo("UTC")) as keeper:
        await catch_up(keeper)
        api.now = NOW + timedelta(days=1)
        await _named(api, "bob")
        await api.ask(UPSERT, input={"id": ada, "firstName": "eve"})
        await catch_up(keeper)

    after = (await api.ask(SEGMENT, **asked))["segment"]
    entered, now = "2026-03-01T12:00:00.000Z", "2026-03-02T12:00:00.000Z"
    bob = {"enteredAt": now, "node": {"firstName": "bob"}}
    changes = after.pop("history")
    assert after == {
        "size": 1,
        "past": 1,
        "members": {"edges": [bob], "totalCount": 1},
        "were": {
            "edges": [{"enteredAt": entered, "node": {"firstName": "eve"}}],
            "totalCount": 1,
        },
        "freshness": {"asOf": now, "isBuilding": False, "progress": 1.0},
        "sizeHistory": [
            {"at": "2026-02-28T12:00:00.000Z", "size": 0},
            {"at": entered, "size": 1},
            {"at": now, "size": 1},
        ],
    }
    assert changes["totalCount"] == 3
    assert sorted(_change(edge["node"]) for edge in changes["edges"]) == [
        ("ENTERED", "CHANGE", now, 1, "bob"),
        ("ENTERED", "DEFINITION", entered, 1, "eve"),
        ("LEFT", "CHANGE", now, 1, "eve"),
    ]


async def test_the_segments_of_a_profile(api: Api) -> None:
    ada = await _named(api, "ada")
    await _segment(api)
    assert await api.ask(PROFILE, id=ada) == {
        "profile": {"segments": {"edges": [], "totalCount": 0}}
    }

    async with keeping(api.db, lambda: api.now, ZoneInfo("UTC")) as keeper:
        await catch_up(keeper)

    node = {"enteredAt": "2026-03-01T12:00:00.000Z", "segment": {"name": "Some"}}
    assert await api.ask(PROFILE, id=ada) == {
        "profile": {"segments": {"edges": [{"node": node}], "totalCount": 1}}
    }


async def test_too_many_points_are_refused(api: Api) -> None:
    segment = await _segment(api)
    operation = """query ($id: ID!) { segment(id: $id) {
      sizeHistory(since: "2000-01-01T00:00:00Z", interval: HOUR) { size } } }"""

    (refusal,) = await api.refusals(operation, id=segment)

    assert refusal["message"] == (
        "There are more than 1,000 points: take a longer interval, or a shorter time."
    )


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ('size(asOf: "2035-01-01T00:00:00Z")', "asOf"),
        ('members(asOf: "2026-03-01T12:01:00.001Z") { totalCount }', "asOf"),
        (
            'sizeHistory(since: "2026-02-28T12:00:00Z", until: "2027-01-01T00:00:00Z",'
            " interval: DAY) { size }",
            "until",
        ),
    ],
)
async def test_the_future_is_not_told(api: Api, field: str, name: str) -> None:
    operation = f"query ($id: ID!) {{ segment(id: $id) {{ {field} }} }}"

    assert await api.refusals(operation, id=await _segment(api)) == [
        {
            "message": f"{name} lies in the future: give an instant before.",
            "code": "INVALID",
            "path": [name],
        }
    ]


async def test_who_asks_by_a_clock_that_is_a_little_ahead_is_told_of_now(
    api: Api,
) -> None:
    operation = """query ($id: ID!) { segment(id: $id) {
      size(asOf: "2026-03-01T12:01:00Z")
      sizeHistory(since: "2026-03-01T11:59:30Z", until: "2026-03-01T12:01:00Z",
        interval: HOUR) { at size } } }"""
    await _named(api, "ada")
    segment = await _segment(api)
    async with keeping(api.db, lambda: api.now, ZoneInfo("UTC")) as keeper:
        await catch_up(keeper)

    assert await api.ask(operation, id=segment) == {
        "segment": {
            "size": 1,
            "sizeHistory": [{"at": "2026-03-01T11:59:30.000Z", "size": 0}],
        }
    }


def _change(node: Any) -> tuple[Any, ...]:
    said = (node["kind"], node["cause"], node["at"], node["version"])
    return (*said, node["profile"]["firstName"])


async def _named(api: Api, name: str) -> str:
    given = {"email": f"{name}@shop.example", "firstName": name}
    data = await api.ask(UPSERT, input=given)
    found: str = data["upsertProfile"]["profile"]["id"]
    return found


async def _segment(api: Api) -> str:
    filter = {"path": "firstName", "is": {"text": {"in": ["ada", "bob"]}}}
    definition = {"groups": [{"anyOf": [{"property": {"filter": filter}}]}]}
    given = {"name": "Some", "definition": definition}
    data = await api.ask(CREATE, input=given)
    found: str = data["createSegment"]["segment"]["id"]
    return found
