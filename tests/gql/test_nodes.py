from typing import Any

import pytest

from tests.gql.conftest import Api, GraphQL

pytestmark = pytest.mark.anyio


async def test_everything_with_an_id_is_found_by_it(api: Api, graphql: GraphQL) -> None:
    made = await graphql(
        """
        mutation {
          upsertProfile(input: {email: "ada@example.org"}) { profile { id } }
          createList(input: {name: "News"}) { list { id } }
          trackEvent(
            input: {profile: {email: "ada@example.org"}, metric: "Viewed Page"}
          ) { event { id metric { id } } }
          createApiKey(input: {name: "Key", kind: SECRET, scopes: ["*"]}) {
            apiKey { id }
          }
        }
        """
    )
    ids = [
        made["trackEvent"]["event"]["id"],
        made["upsertProfile"]["profile"]["id"],
        "prf_0123456789abcdef01234567",
        "nonsense",
        made["trackEvent"]["event"]["metric"]["id"],
        made["createList"]["list"]["id"],
        made["createApiKey"]["apiKey"]["id"],
        made["upsertProfile"]["profile"]["id"],
    ]

    data: dict[str, list[dict[str, Any] | None]] = await graphql(
        """
        query ($ids: [ID!]!) {
          nodes(ids: $ids) {
            __typename
            id
            ... on Profile { email }
            ... on Event { metric { name } }
            ... on Metric { name }
            ... on List { name }
            ... on ApiKey { name }
          }
        }
        """,
        ids=ids,
    )

    ada = {"__typename": "Profile", "id": ids[1], "email": "ada@example.org"}
    assert data["nodes"] == [
        {"__typename": "Event", "id": ids[0], "metric": {"name": "Viewed Page"}},
        ada,
        None,
        None,
        {"__typename": "Metric", "id": ids[4], "name": "Viewed Page"},
        {"__typename": "List", "id": ids[5], "name": "News"},
        {"__typename": "ApiKey", "id": ids[6], "name": "Key"},
        ada,
    ]


@pytest.mark.parametrize(
    "unknown",
    ["", "prf_", "xyz_0123456789abcdef01234567", "prf_0123456789ABCDEF01234567"],
)
async def test_what_is_no_id_finds_nothing(graphql: GraphQL, unknown: str) -> None:
    assert await graphql("query ($id: ID!) { node(id: $id) { id } }", id=unknown) == {
        "node": None
    }


async def test_nodes_has_a_bound(api: Api) -> None:
    refusals = await api.refusals(
        "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=["x"] * 101
    )

    assert refusals == [
        {
            "code": "TOO_LARGE",
            "message": "There are 101 ids; give at most 100.",
            "path": ["ids"],
        }
    ]
