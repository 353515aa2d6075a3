from dataclasses import replace
from typing import Any

import pytest

from tests.gql.conftest import PUBLIC, Api, GraphQL

pytestmark = pytest.mark.anyio

TRACK = """
mutation ($input: TrackEventInput!) {
  trackEvent(input: $input) {
    event {
      timestamp value valueCurrency properties uniqueId
      metric { name integration createdAt eventCount }
      profile { email lastEventAt }
    }
    userErrors { code message path }
  }
}
"""

TRACK_MANY = """
mutation ($input: TrackEventsInput!) {
  trackEvents(input: $input) {
    accepted
    duplicates
    results { event { value } isDuplicate userErrors { code path } }
    userErrors { code message path }
  }
}
"""

ADA = {"email": "ada@example.org"}


def order(day: int, value: float, who: dict[str, str] = ADA) -> dict[str, Any]:
    return {
        "profile": who,
        "metric": "Placed Order",
        "timestamp": f"2026-02-{day:02}T12:00:00Z",
        "value": value,
        "uniqueId": str(day),
    }


async def test_an_event_makes_its_profile_and_metric(graphql: GraphQL) -> None:
    data = await graphql(
        TRACK,
        input={
            "profile": ADA,
            "metric": " Placed Order ",
            "timestamp": "2026-02-28T13:00:00.5+01:00",
            "value": 12.5,
            "valueCurrency": "eur",
            "properties": {"items": ["tea"]},
            "uniqueId": "order-1",
        },
    )

    assert data["trackEvent"] == {
        "event": {
            "timestamp": "2026-02-28T12:00:00.500Z",
            "value": 12.5,
            "valueCurrency": "EUR",
            "properties": {"items": ["tea"]},
            "uniqueId": "order-1",
            "metric": {
                "name": "Placed Order",
                "integration": None,
                "createdAt": "2026-03-01T12:00:00.000Z",
                "eventCount": 1,
            },
            "profile": {
                "email": "ada@example.org",
                "lastEventAt": "2026-02-28T12:00:00.500Z",
            },
        },
        "userErrors": [],
    }


async def test_a_bad_event_is_refused_with_every_path(graphql: GraphQL) -> None:
    data = await graphql(
        TRACK,
        input={
            "profile": {"email": "nobody"},
            "metric": " ",
            "timestamp": "1980-01-01T00:00:00Z",
            "valueCurrency": "euro",
            "properties": {"a.b": 1},
        },
    )

    assert data["trackEvent"]["event"] is None
    assert [error["path"] for error in data["trackEvent"]["userErrors"]] == [
        ["profile", "email"],
        ["metric"],
        ["timestamp"],
        ["valueCurrency"],
        ["properties", "a.b"],
    ]


async def test_many_events_answer_one_result_each(graphql: GraphQL) -> None:
    bad = {"profile": {}, "metric": "Placed Order"}

    data = await graphql(
        TRACK_MANY, input={"events": [order(1, 5), bad, order(1, 7), order(2, 9)]}
    )

    assert data["trackEvents"] == {
        "accepted": 2,
        "duplicates": 1,
        "results": [
            {"event": {"value": 5.0}, "isDuplicate": False, "userErrors": []},
            {
                "event": None,
                "isDuplicate": False,
                "userErrors": [{"code": "INVALID", "path": ["events", "1", "profile"]}],
            },
            {"event": {"value": 5.0}, "isDuplicate": True, "userErrors": []},
            {"event": {"value": 9.0}, "isDuplicate": False, "userErrors": []},
        ],
        "userErrors": [],
    }


@pytest.mark.parametrize(("count", "code"), [(0, "INVALID"), (1_001, "TOO_LARGE")])
async def test_a_batch_has_bounds(graphql: GraphQL, count: int, code: str) -> None:
    data = await graphql(TRACK_MANY, input={"events": [order(1, 1)] * count})

    assert data["trackEvents"] == {
        "accepted": 0,
        "duplicates": 0,
        "results": [],
        "userErrors": [
            {
                "code": code,
                "message": f"There are {count:,} events; give 1 to 1,000.",
                "path": ["events"],
            }
        ],
    }


async def test_events_are_filtered_newest_first(graphql: GraphQL) -> None:
    opened = {**order(6, 0), "metric": "Opened Email"}
    await graphql(
        TRACK_MANY,
        input={"events": [*(order(day, day * 10) for day in range(1, 6)), opened]},
    )

    async def days(filter: dict[str, Any]) -> list[str]:
        data = await graphql(
            "query ($filter: EventFilter) { events(filter: $filter) "
            "{ totalCount edges { node { uniqueId } } } }",
            filter=filter,
        )
        assert data["events"]["totalCount"] == len(data["events"]["edges"])
        return [edge["node"]["uniqueId"] for edge in data["events"]["edges"]]

    assert await days({}) == ["6", "5", "4", "3", "2", "1"]
    assert await days({"metricNames": ["Placed Order"]}) == ["5", "4", "3", "2", "1"]
    assert await days({"metricNames": ["Unknown"]}) == []
    assert await days(
        {"since": "2026-02-02T12:00:00Z", "until": "2026-02-04T12:00:00Z"}
    ) == ["3", "2"]
    assert await days({"minValue": 20, "maxValue": 30}) == ["3", "2"]


async def test_a_filter_by_the_id_of_something_else_is_refused(api: Api) -> None:
    (refusal,) = await api.refusals(
        '{ events(filter: {metricIds: ["prf_0123456789abcdef01234567"]}) '
        "{ totalCount } }"
    )

    assert refusal["code"] == "INVALID"
    assert refusal["path"] == ["filter", "metricIds", "0"]


@pytest.mark.parametrize(
    ("filter", "code", "path"),
    [
        ({"metricNames": ["\0"]}, "INVALID", ["filter", "metricNames", "0"]),
        ({"metricNames": ["x"] * 101}, "TOO_LARGE", ["filter", "metricNames"]),
        ({"metricIds": ["x"] * 101}, "TOO_LARGE", ["filter", "metricIds"]),
    ],
)
async def test_a_wrong_filter_is_refused(
    api: Api, filter: dict[str, Any], code: str, path: list[str]
) -> None:
    (refusal,) = await api.refusals(
        "query ($filter: EventFilter) { events(filter: $filter) { totalCount } }",
        filter=filter,
    )

    assert (refusal["code"], refusal["path"]) == (code, path)


async def test_a_profile_has_its_activity_and_its_sums(graphql: GraphQL) -> None:
    opened = {**order(6, 0), "metric": "Opened Email"}
    other = order(1, 99, {"email": "bob@example.org"})
    await graphql(
        TRACK_MANY, input={"events": [order(1, 10), order(2, 20.5), opened, other]}
    )

    data = await graphql(
        """
        {
          profile(by: {email: "ada@example.org"}) {
            orders: events(first: 1, filter: {metricNames: ["Placed Order"]}) {
              totalCount
              pageInfo { hasNextPage }
              edges { node { value metric { name } } }
            }
            events { totalCount }
            metrics { metric { name } count sum firstAt lastAt }
          }
        }
        """
    )

    assert data["profile"] == {
        "orders": {
            "totalCount": 2,
            "pageInfo": {"hasNextPage": True},
            "edges": [{"node": {"value": 20.5, "metric": {"name": "Placed Order"}}}],
        },
        "events": {"totalCount": 3},
        "metrics": [
            {
                "metric": {"name": "Opened Email"},
                "count": 1,
                "sum": 0.0,
                "firstAt": "2026-02-06T12:00:00.000Z",
                "lastAt": "2026-02-06T12:00:00.000Z",
            },
            {
                "metric": {"name": "Placed Order"},
                "count": 2,
                "sum": 30.5,
                "firstAt": "2026-02-01T12:00:00.000Z",
                "lastAt": "2026-02-02T12:00:00.000Z",
            },
        ],
    }


async def test_metrics_are_listed_by_name(graphql: GraphQL) -> None:
    opened = {**order(6, 0), "metric": "Opened Email"}
    await graphql(TRACK_MANY, input={"events": [order(1, 10), order(2, 20), opened]})

    data = await graphql(
        "{ metrics(first: 2) { totalCount edges { node { name eventCount } } } }"
    )

    assert data["metrics"] == {
        "totalCount": 2,
        "edges": [
            {"node": {"name": "Opened Email", "eventCount": 1}},
            {"node": {"name": "Placed Order", "eventCount": 2}},
        ],
    }


async def test_a_public_key_tracks_but_gets_nothing_back(api: Api) -> None:
    visitor = replace(api, viewer=PUBLIC)
    await api.ask(TRACK, input=order(1, 5))

    answers = [await visitor.ask(TRACK, input=order(2, 5)) for _ in range(2)]
    stored = await api.ask("{ events { totalCount } }")

    assert answers == [{"trackEvent": {"event": None, "userErrors": []}}] * 2
    assert stored == {"events": {"totalCount": 2}}


async def test_a_public_key_is_not_told_of_a_conflict(api: Api) -> None:
    for input in ({"email": "ada@example.org"}, {"externalId": "b-2"}):
        await api.ask(
            "mutation ($input: UpsertProfileInput!) "
            "{ upsertProfile(input: $input) { created } }",
            input=input,
        )
    await api.ask(TRACK, input=order(1, 5, {"email": "bob@example.org"}))
    who = {"email": "ada@example.org", "externalId": "b-2"}

    answer = await replace(api, viewer=PUBLIC).ask(TRACK, input=order(1, 5, who))

    assert answer == {"trackEvent": {"event": None, "userErrors": []}}


async def test_identify_answers_the_same_for_known_and_unknown(api: Api) -> None:
    visitor = replace(api, viewer=PUBLIC)
    operation = (
        "mutation ($input: IdentifyInput!) { identify(input: $input) "
        "{ userErrors { code message path } } }"
    )

    answers = [
        await visitor.ask(operation, input={"email": "ada@example.org", **more})
        for more in (
            {"anonymousId": "c-1"},
            {"firstName": "Ada"},
            {"externalId": "a-1"},
        )
    ]
    known = await api.ask(
        '{ profile(by: {email: "ada@example.org"}) { firstName anonymousIds } }'
    )

    assert answers == [{"identify": {"userErrors": []}}] * 3
    assert known == {"profile": {"firstName": "Ada", "anonymousIds": ["c-1"]}}
