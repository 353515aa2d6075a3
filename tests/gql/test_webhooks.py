"""Outbound webhooks by the API: made, tried, looked at, and sent again."""

from typing import Any

import pytest
from bson import Int64, ObjectId

from audience.keys import KeyKind, Viewer
from audience.webhooks import check_webhook_secret
from resolvers.db import Document
from tests.gql.conftest import NOW, Api
from tests.gql.test_integrations import CREATE

pytestmark = pytest.mark.anyio

SETTINGS = """
query ($id: ID!) {
  integration(id: $id) {
    kind url secretHint
    settings {
      ... on OutboundWebhookSettings { url segmentIds movements }
    }
  }
}
"""
DELIVERIES = """
query ($id: ID!, $state: WebhookDeliveryState, $first: Int, $after: String) {
  webhookDeliveries(
    integrationId: $id, state: $state, first: $first, after: $after
  ) {
    totalCount
    pageInfo { hasNextPage endCursor }
    edges {
      node {
        id kind state at cause attempts attemptedAt nextAttemptAt status problem
        milliseconds segment { name } profile { email }
      }
    }
  }
}
"""
TRY = """
mutation ($id: ID!) {
  testWebhook(input: {id: $id}) {
    delivery { id kind state cause segment { id } profile { id } }
    userErrors { code message path }
  }
}
"""
RETRY = """
mutation ($input: RetryWebhookDeliveriesInput!) {
  retryWebhookDeliveries(input: $input) {
    retried userErrors { code message path }
  }
}
"""
URL = "https://shop.example.com/hooks"
KNOWN = {
    "groups": [
        {"anyOf": [{"property": {"filter": {"path": "email", "is": {"exists": True}}}}]}
    ]
}


async def test_a_webhook_is_kept_as_it_is_given(api: Api) -> None:
    segment = await _segment(api)
    made = await _create(api, url=URL, segmentIds=[segment])

    assert made["userErrors"] == []
    secret = check_webhook_secret(made["secret"])
    data = await api.ask(SETTINGS, id=made["integration"]["id"])
    assert data["integration"] == {
        "kind": "OUTBOUND_WEBHOOK",
        "url": None,
        "secretHint": f"…{secret[-4:]}",
        "settings": {
            "url": URL,
            "segmentIds": [segment],
            "movements": ["ENTERED", "LEFT"],
        },
    }


@pytest.mark.parametrize(
    ("wrong", "message", "field"),
    [
        ({"url": "http://a.example/"}, "The address must begin with https://.", "url"),
        ({"segmentIds": []}, "Name 1 to 50 segments.", "segmentIds"),
        ({"movements": []}, "Name ENTERED, LEFT or both.", "movements"),
        (
            {"segmentIds": ["seg_0123456789abcdef01234567"]},
            "One of these segments does not exist.",
            "segmentIds",
        ),
    ],
)
async def test_what_is_wrong_is_named(
    api: Api, wrong: dict[str, Any], message: str, field: str
) -> None:
    segment = await _segment(api)
    made = await _create(api, **{"url": URL, "segmentIds": [segment], **wrong})

    (error,) = made["userErrors"]
    assert made["integration"] is None
    assert error["message"] == message
    assert error["path"] == ["settings", "outboundWebhook", field]


async def test_a_key_that_reads_no_profiles_makes_no_webhook(api: Api) -> None:
    segment = await _segment(api)
    scopes = frozenset({"integrations:write"})
    api.viewer = Viewer(None, "Tools", KeyKind.SECRET, scopes)

    (refusal,) = await api.refusals(
        CREATE,
        input={
            "name": "Out",
            "settings": {"outboundWebhook": {"url": URL, "segmentIds": [segment]}},
        },
    )

    assert refusal["code"] == "FORBIDDEN"
    assert await api.db.integrations.count_documents({}) == 0


async def test_a_secret_that_is_given_must_have_the_form(api: Api) -> None:
    settings = {"outboundWebhook": {"url": URL, "segmentIds": [await _segment(api)]}}
    data = await api.ask(
        CREATE, input={"name": "Hook", "settings": settings, "secret": "my secret"}
    )

    (error,) = data["createIntegration"]["userErrors"]
    assert error["path"] == ["secret"]
    assert error["message"].startswith("A secret is whsec_ and then 24 to 64 bytes")


async def test_messages_are_read_a_page_at_a_time_newest_first(api: Api) -> None:
    segment = await _segment(api)
    hook = (await _create(api, url=URL, segmentIds=[segment]))["integration"]["id"]
    await api.ask('mutation { upsertProfile(input: {email: "a@b.org"}) { created } }')
    profile = await api.db.profiles.find_one({})
    assert profile is not None
    dead = _message(hook, "DEAD") | {
        "segment_id": ObjectId(segment[4:]),
        "profile_id": profile["_id"],
        "cause": "TIME",
        "attempts": 10,
        "attempted_at": NOW,
        "status": 500,
        "problem": "The receiver answered 500.",
        "milliseconds": 12,
    }
    waiting = _message(hook, "PENDING") | {"next_at": NOW}
    await api.db.deliveries.insert_many([dead, waiting])

    first = (await api.ask(DELIVERIES, id=hook, first=1))["webhookDeliveries"]
    after = first["pageInfo"]["endCursor"]
    second = await api.ask(DELIVERIES, id=hook, first=1, after=after)
    only = await api.ask(DELIVERIES, id=hook, state="DEAD")

    at = "2026-03-01T12:00:00.000Z"
    assert [edge["node"]["id"] for edge in first["edges"]] == [f"msg_{waiting['_id']}"]
    assert first["edges"][0]["node"]["nextAttemptAt"] == at
    assert first["totalCount"] == 2
    assert second["webhookDeliveries"]["edges"] == only["webhookDeliveries"]["edges"]
    assert only["webhookDeliveries"]["totalCount"] == 1
    assert only["webhookDeliveries"]["edges"] == [
        {
            "node": {
                "id": f"msg_{dead['_id']}",
                "kind": "ENTERED",
                "state": "DEAD",
                "at": at,
                "cause": "TIME",
                "attempts": 10,
                "attemptedAt": at,
                "nextAttemptAt": None,
                "status": 500,
                "problem": "The receiver answered 500.",
                "milliseconds": 12,
                "segment": {"name": "Known"},
                "profile": {"email": "a@b.org"},
            }
        }
    ]


async def test_a_webhook_is_tried(api: Api) -> None:
    segment = await _segment(api)
    hook = (await _create(api, url=URL, segmentIds=[segment]))["integration"]["id"]

    tried = (await api.ask(TRY, id=hook))["testWebhook"]

    assert tried["userErrors"] == []
    (row,) = await api.db.deliveries.find({}).to_list(None)
    assert tried["delivery"] == {
        "id": f"msg_{row['_id']}",
        "kind": "TEST",
        "state": "PENDING",
        "cause": None,
        "segment": None,
        "profile": None,
    }
    asked = f'{{ node(id: "msg_{row["_id"]}") {{ __typename id }} }}'
    assert (await api.ask(asked))["node"]["__typename"] == "WebhookDelivery"
    unknown = await api.ask(TRY, id="int_0123456789abcdef01234567")
    assert unknown["testWebhook"]["userErrors"] == [
        {
            "code": "NOT_FOUND",
            "message": "There is no such outbound webhook.",
            "path": ["id"],
        }
    ]


async def test_dead_messages_are_sent_again(api: Api) -> None:
    segment = await _segment(api)
    hook = (await _create(api, url=URL, segmentIds=[segment]))["integration"]["id"]
    rows = [_message(hook, "DEAD") for _ in range(3)]
    await api.db.deliveries.insert_many([*rows, _message(hook, "DELIVERED")])

    one = {"integrationId": hook, "ids": [f"msg_{rows[0]['_id']}"]}
    answers = [
        (await api.ask(RETRY, input=given))["retryWebhookDeliveries"]
        for given in (one, one, {"integrationId": hook})
    ]

    assert answers == [{"retried": n, "userErrors": []} for n in (1, 0, 2)]
    states = await api.db.deliveries.distinct("state")
    assert sorted(states) == ["DELIVERED", "PENDING"]
    too_many = {"integrationId": hook, "ids": [f"msg_{ObjectId()}" for _ in range(101)]}
    refused = (await api.ask(RETRY, input=too_many))["retryWebhookDeliveries"]
    assert [error["path"] for error in refused["userErrors"]] == [["ids"]]


@pytest.mark.parametrize("kind", ["unknown", "inbound"])
async def test_what_is_no_outbound_webhook_has_no_messages(api: Api, kind: str) -> None:
    other = "int_0123456789abcdef01234567"
    if kind == "inbound":
        settings = {"name": "Shop", "settings": {"shopify": {}}}
        made = await api.ask(CREATE, input=settings)
        other = made["createIntegration"]["integration"]["id"]

    read = await api.refusals(DELIVERIES, id=other)
    sent = await api.ask(RETRY, input={"integrationId": other})

    problem = {
        "code": "NOT_FOUND",
        "message": "There is no such outbound webhook.",
        "path": ["integrationId"],
    }
    assert read == [problem]
    assert sent["retryWebhookDeliveries"] == {"retried": None, "userErrors": [problem]}


async def test_what_is_deleted_leaves_no_messages(api: Api) -> None:
    segment = await _segment(api)
    hook = (await _create(api, url=URL, segmentIds=[segment]))["integration"]["id"]
    await api.db.deliveries.insert_one(_message(hook, "PENDING"))

    await api.ask(
        f'mutation {{ deleteIntegration(input: {{id: "{hook}"}}) {{ deletedId }} }}'
    )

    assert await api.db.deliveries.count_documents({}) == 0


async def _segment(api: Api) -> str:
    data = await api.ask(
        "mutation ($input: CreateSegmentInput!) "
        "{ createSegment(input: $input) { segment { id } } }",
        input={"name": "Known", "definition": KNOWN},
    )
    found: str = data["createSegment"]["segment"]["id"]
    return found


async def _create(api: Api, **settings: Any) -> Any:
    given = {"name": "Hook", "settings": {"outboundWebhook": settings}}
    return (await api.ask(CREATE, input=given))["createIntegration"]


def _message(hook: str, state: str) -> Document:
    return {
        "_id": ObjectId(),
        "integration_id": ObjectId(hook.removeprefix("int_")),
        "state": state,
        "kind": "ENTERED",
        "order": Int64(1),
        "attempts": 0,
        "at": NOW,
        "created_at": NOW,
    }
