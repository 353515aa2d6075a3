from dataclasses import replace
from typing import Any

import pytest

from audience.errors import Code
from audience.integrations.checks import SECRET_TO_COME
from audience.keys import KeyKind, Viewer
from tests.gql.conftest import Api, GraphQL

pytestmark = pytest.mark.anyio

CREATE = """
mutation ($input: CreateIntegrationInput!) {
  createIntegration(input: $input) {
    integration {
      id name kind status url secretHint createdAt updatedAt
      settings {
        __typename
        ... on ShopifySettings { listId erasesCustomers }
        ... on WooCommerceSettings { listId agreements { channel path text } }
        ... on StripeSettings { listId }
        ... on TypeformSettings {
          listId mappings { target path } agreements { channel path text }
        }
        ... on InboundWebhookSettings {
          proof signatureHeader mappings { target path } metric value currency
          timestamp uniqueId properties { name path } listId
          agreements { channel path text }
        }
        ... on TextMessagesSettings {
          provider keywords { word listId consentText reply } helpText
          paths { sender body id }
        }
      }
    }
    secret
    userErrors { code message path }
  }
}
"""
UPDATE = """
mutation ($input: UpdateIntegrationInput!) {
  updateIntegration(input: $input) {
    integration { id name kind status secretHint settings { __typename } }
    secret
    userErrors { code message path }
  }
}
"""
DELETE = """
mutation ($id: ID!) {
  deleteIntegration(input: {id: $id}) { deletedId userErrors { code message path } }
}
"""

AGREEMENT = {"channel": "EMAIL", "path": "marketing", "text": "News by e-mail."}
MAPPING = {"target": "firstName", "path": "name"}
NO_TARGET = {"target": "x", "path": "x"}
GIVEN = "given-by-the-tool"


async def new_list(graphql: GraphQL) -> str:
    made = await graphql(
        'mutation { createList(input: {name: "News"}) { list { id } } }'
    )
    found: str = made["createList"]["list"]["id"]
    return found


async def create(graphql: GraphQL, **given: Any) -> Any:
    return (await graphql(CREATE, input=given))["createIntegration"]


def kinds_of_settings(list_id: str) -> dict[str, dict[str, Any]]:
    """Every kind, with all that it can be set to."""
    return {
        "shopify": {"listId": list_id, "erasesCustomers": True},
        "wooCommerce": {"listId": list_id, "agreements": [AGREEMENT]},
        "stripe": {"listId": list_id},
        "typeform": {
            "listId": list_id,
            "mappings": [MAPPING],
            "agreements": [AGREEMENT],
        },
        "inboundWebhook": {
            "proof": "HMAC_SHA256",
            "signatureHeader": "X-Signature",
            "mappings": [{"target": "email", "path": "$.email"}],
            "metric": "Booked Table",
            "value": "$.total",
            "currency": "$.currency",
            "timestamp": "$.at",
            "uniqueId": "$.id",
            "properties": [{"name": "guests", "path": "$.guests"}],
            "listId": list_id,
            "agreements": [AGREEMENT],
        },
        "textMessages": {
            "provider": "OTHER",
            "keywords": [
                {
                    "word": "tea",
                    "listId": list_id,
                    "consentText": "Text TEA to get our offers.",
                    "reply": "Welcome.",
                }
            ],
            "helpText": "Tea Shop: write to help@example.org. STOP to end.",
            "paths": {"sender": "$.from", "body": "$.text", "id": "$.id"},
        },
    }


async def test_each_kind_is_kept_as_it_is_given(graphql: GraphQL) -> None:
    list_id = await new_list(graphql)

    for field, settings in kinds_of_settings(list_id).items():
        made = await create(
            graphql,
            name=field,
            settings={field: settings},
            secret=GIVEN,
        )

        assert made["userErrors"] == []
        assert made["secret"] is None
        integration = made["integration"]
        assert integration["id"].startswith("int_")
        assert integration["url"].startswith("http://127.0.0.1:8000/in/")
        assert {
            name: integration[name]
            for name in ("name", "status", "secretHint", "createdAt", "updatedAt")
        } == {
            "name": field,
            "status": "ACTIVE",
            "secretHint": "…tool",
            "createdAt": "2026-03-01T12:00:00.000Z",
            "updatedAt": "2026-03-01T12:00:00.000Z",
        }
        assert integration["settings"] == {
            "__typename": f"{field[0].upper()}{field[1:]}Settings",
            **settings,
        }


async def test_a_secret_is_made_shown_once_and_kept_sealed(
    api: Api, graphql: GraphQL
) -> None:
    made = await create(graphql, name="Survey", settings={"typeform": {}})

    secret, integration = made["secret"], made["integration"]
    assert len(secret) == 43
    assert integration["secretHint"] == f"…{secret[-4:]}"
    kept = await api.db.integrations.find_one({})
    assert kept is not None
    assert secret not in str(kept)
    assert secret.encode() not in kept["secret"]


@pytest.mark.parametrize("field", ["shopify", "stripe"])
async def test_a_secret_that_the_tool_makes_can_be_given_later(
    graphql: GraphQL, field: str
) -> None:
    made = await create(graphql, name="Shop", settings={field: {}})
    assert (made["secret"], made["integration"]["secretHint"]) == (None, None)

    given = await graphql(
        UPDATE, input={"id": made["integration"]["id"], "secret": " whsec_12345678 "}
    )

    assert given["updateIntegration"]["integration"]["secretHint"] == "…5678"
    renewed = await graphql(
        UPDATE, input={"id": made["integration"]["id"], "renewSecret": True}
    )
    assert renewed["updateIntegration"]["userErrors"] == [
        {
            "code": Code.INVALID,
            "message": "This secret is made by the tool: copy it from there into "
            "secret.",
            "path": ["renewSecret"],
        }
    ]


async def test_it_is_changed_paused_and_gets_another_secret(graphql: GraphQL) -> None:
    made = await create(graphql, name="Survey", settings={"typeform": {}})

    changed = await graphql(
        UPDATE,
        input={
            "id": made["integration"]["id"],
            "name": "Quiz",
            "status": "PAUSED",
            "settings": {"typeform": {"mappings": [MAPPING]}},
            "renewSecret": True,
        },
    )

    answer = changed["updateIntegration"]
    assert answer["secret"] not in (None, made["secret"])
    assert answer["integration"] == {
        "id": made["integration"]["id"],
        "name": "Quiz",
        "kind": "TYPEFORM",
        "status": "PAUSED",
        "secretHint": f"…{answer['secret'][-4:]}",
        "settings": {"__typename": "TypeformSettings"},
    }


async def test_the_kind_never_changes(graphql: GraphQL) -> None:
    made = await create(graphql, name="Survey", settings={"typeform": {}})

    changed = await graphql(
        UPDATE, input={"id": made["integration"]["id"], "settings": {"stripe": {}}}
    )

    assert changed["updateIntegration"]["userErrors"] == [
        {
            "code": "INVALID",
            "message": "This integration is of the kind TYPEFORM, and an integration's "
            "kind never changes: make another one.",
            "path": ["settings"],
        }
    ]


async def test_a_key_that_writes_no_profiles_lets_no_shop_erase_them(api: Api) -> None:
    shop = {"shopify": {"erasesCustomers": True}}
    made = await api.ask(CREATE, input={"name": "Shop", "settings": shop})
    found = made["createIntegration"]["integration"]["id"]
    scopes = frozenset({"integrations:write"})
    tools = replace(api, viewer=Viewer(None, "Tools", KeyKind.SECRET, scopes))

    refused = [
        *await tools.refusals(CREATE, input={"name": "Other", "settings": shop}),
        *await tools.refusals(UPDATE, input={"id": found, "settings": shop}),
        *await tools.refusals(UPDATE, input={"id": found, "secret": "known-to-me"}),
    ]
    named = await tools.ask(UPDATE, input={"id": found, "name": "Tea"})

    needed = "This needs the scope profiles:write, which the key 'Tools' does not have."
    assert [each["message"] for each in refused] == [needed] * 3
    assert named["updateIntegration"]["integration"]["name"] == "Tea"


async def test_they_are_listed_found_and_deleted(api: Api, graphql: GraphQL) -> None:
    await create(graphql, name="b", settings={"stripe": {}})
    made = await create(graphql, name="A", settings={"shopify": {}})
    found = made["integration"]["id"]

    listed = await graphql(
        """query ($id: ID!) {
          integrations(first: 1) {
            totalCount
            pageInfo { hasNextPage }
            edges { node { name } }
          }
          stripe: integrations(kind: STRIPE) { totalCount edges { node { name } } }
          integration(id: $id) { name }
          node(id: $id) { __typename id }
        }""",
        id=found,
    )

    assert listed == {
        "integrations": {
            "totalCount": 2,
            "pageInfo": {"hasNextPage": True},
            "edges": [{"node": {"name": "A"}}],
        },
        "stripe": {"totalCount": 1, "edges": [{"node": {"name": "b"}}]},
        "integration": {"name": "A"},
        "node": {"__typename": "Integration", "id": found},
    }
    for expected in (
        {"deletedId": found, "userErrors": []},
        {
            "deletedId": None,
            "userErrors": [
                {
                    "code": "NOT_FOUND",
                    "message": "There is no such integration.",
                    "path": ["id"],
                }
            ],
        },
    ):
        assert (await graphql(DELETE, id=found))["deleteIntegration"] == expected


async def test_a_name_is_taken_once(graphql: GraphQL) -> None:
    await create(graphql, name="Shop", settings={"shopify": {}})

    again = await create(graphql, name=" SHOP ", settings={"stripe": {}})

    assert again["userErrors"] == [
        {
            "code": "TAKEN",
            "message": "There is an integration with the name SHOP already.",
            "path": ["name"],
        }
    ]


async def test_a_list_that_people_join_by_it_is_not_deleted(graphql: GraphQL) -> None:
    list_id = await new_list(graphql)
    await create(graphql, name="Shop", settings={"shopify": {"listId": list_id}})

    deleted = await graphql(
        """mutation ($id: ID!) {
          deleteList(input: {id: $id}) { userErrors { code message path } }
        }""",
        id=list_id,
    )

    assert deleted["deleteList"]["userErrors"] == [
        {
            "code": "NOT_ALLOWED",
            "message": "The integration Shop puts people into this list: delete the "
            "integration, or give it another list, first.",
            "path": ["id"],
        }
    ]


def refused_settings() -> dict[str, tuple[dict[str, Any], list[str]]]:
    """Settings that break a rule, and the path of the first problem."""
    hook = {"mappings": [{"target": "email", "path": "$.email"}]}
    word = {
        "word": "TEA",
        "listId": "lst_0123456789abcdef01234567",
        "consentText": "Yes.",
        "reply": "Hi.",
    }
    texts = {"provider": "TWILIO", "keywords": [word], "helpText": "Help."}
    return {
        "nobody": (
            {"inboundWebhook": {"mappings": [MAPPING]}},
            ["settings", "inboundWebhook", "mappings"],
        ),
        "no such target": (
            {
                "inboundWebhook": {
                    "mappings": [*hook["mappings"], {"target": "x", "path": "x"}]
                }
            },
            ["settings", "inboundWebhook", "mappings", "1", "target"],
        ),
        "twice": (
            {"inboundWebhook": {"mappings": hook["mappings"] * 2}},
            ["settings", "inboundWebhook", "mappings", "1", "target"],
        ),
        "no path": (
            {"inboundWebhook": {**hook, "value": "$["}},
            ["settings", "inboundWebhook", "value"],
        ),
        "a costly path": (
            {"inboundWebhook": {**hook, "timestamp": "$..at"}},
            ["settings", "inboundWebhook", "timestamp"],
        ),
        "a regular expression": (
            {"inboundWebhook": {**hook, "currency": "$[?search(@.a, '(a+)+')].b"}},
            ["settings", "inboundWebhook", "currency"],
        ),
        "no header": (
            {"inboundWebhook": {**hook, "proof": "HMAC_SHA256"}},
            ["settings", "inboundWebhook", "signatureHeader"],
        ),
        "a header too many": (
            {"inboundWebhook": {**hook, "signatureHeader": "X-Signature"}},
            ["settings", "inboundWebhook", "signatureHeader"],
        ),
        "a property's name": (
            {"inboundWebhook": {**hook, "properties": [{"name": "a.b", "path": "a"}]}},
            ["settings", "inboundWebhook", "properties", "0", "name"],
        ),
        "an empty metric": (
            {"inboundWebhook": {**hook, "metric": " "}},
            ["settings", "inboundWebhook", "metric"],
        ),
        "push": (
            {"wooCommerce": {"agreements": [{**AGREEMENT, "channel": "PUSH"}]}},
            ["settings", "wooCommerce", "agreements", "0", "channel"],
        ),
        "no words": (
            {"typeform": {"agreements": [{**AGREEMENT, "text": " "}]}},
            ["settings", "typeform", "agreements", "0", "text"],
        ),
        "no such list": (
            {"shopify": {"listId": "lst_0123456789abcdef01234567"}},
            ["settings", "shopify", "listId"],
        ),
        "not a list": (
            {"shopify": {"listId": "prf_0123456789abcdef01234567"}},
            ["settings", "shopify", "listId"],
        ),
        "a word of its own": (
            {"textMessages": {**texts, "keywords": [{**word, "word": "stop"}]}},
            ["settings", "textMessages", "keywords", "0", "word"],
        ),
        "two words": (
            {"textMessages": {**texts, "keywords": [{**word, "word": "green tea"}]}},
            ["settings", "textMessages", "keywords", "0", "word"],
        ),
        "a word twice": (
            {"textMessages": {**texts, "keywords": [word, {**word, "word": "tea"}]}},
            ["settings", "textMessages", "keywords", "1", "word"],
        ),
        "no paths": (
            {"textMessages": {**texts, "provider": "OTHER"}},
            ["settings", "textMessages", "paths"],
        ),
        "paths for Twilio": (
            {"textMessages": {**texts, "paths": {"sender": "a", "body": "b"}}},
            ["settings", "textMessages", "paths"],
        ),
    }


@pytest.mark.parametrize("name", refused_settings())
async def test_settings_that_break_a_rule_are_refused(
    api: Api, graphql: GraphQL, name: str
) -> None:
    settings, path = refused_settings()[name]

    made = await create(graphql, name="Bad", settings=settings)

    assert made["integration"] is None
    assert made["userErrors"][0]["path"] == path
    assert await api.db.integrations.count_documents({}) == 0


async def test_a_segment_takes_nobody(graphql: GraphQL) -> None:
    made = await graphql(
        """mutation { createSegment(input: {name: "Known", definition: {groups: [
          {anyOf: [{property: {filter: {path: "email", is: {exists: true}}}}]}
        ]}}) { segment { id } } }"""
    )
    segment_id = made["createSegment"]["segment"]["id"]

    refused = await create(
        graphql, name="Shop", settings={"shopify": {"listId": segment_id}}
    )

    assert refused["userErrors"] == [
        {
            "code": "NOT_ALLOWED",
            "message": "This is a segment: people are in it because they meet its "
            "conditions. Only a list can be joined.",
            "path": ["settings", "shopify", "listId"],
        }
    ]


async def test_what_stands_in_a_secrets_place_is_none(graphql: GraphQL) -> None:
    made = await create(
        graphql, name="Shop", settings={"shopify": {}}, secret=SECRET_TO_COME
    )

    assert made["userErrors"] == [
        {
            "code": "INVALID",
            "message": "Put the secret that the tool shows in its place.",
            "path": ["secret"],
        }
    ]


@pytest.mark.parametrize("secret", ["short", "x" * 501, "näher-gelegen", "two\nlines!"])
async def test_a_secret_keeps_its_rules(graphql: GraphQL, secret: str) -> None:
    made = await create(graphql, name="Shop", settings={"shopify": {}}, secret=secret)

    assert made["userErrors"] == [
        {
            "code": "INVALID",
            "message": "A secret has 8 to 500 printable ASCII characters.",
            "path": ["secret"],
        }
    ]
