"""Push tokens: registered by apps with any key, and read by who sends."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from audience.push import MAX_TOKENS
from tests.gql.conftest import NOW, PUBLIC, Api

pytestmark = pytest.mark.anyio

REGISTER = """
mutation ($input: RegisterPushTokenInput!) {
  registerPushToken(input: $input) {
    profile { email pushTokens { token isVerified } }
    userErrors { code message path }
  }
}
"""
UNREGISTER = """
mutation ($input: UnregisterPushTokensInput!) {
  unregisterPushTokens(input: $input) { removed userErrors { code message path } }
}
"""
IDENTIFY = """
mutation ($input: IdentifyInput!) { identify(input: $input) { userErrors { code } } }
"""
UPSERT = """
mutation ($input: UpsertProfileInput!) {
  upsertProfile(input: $input) { profile { id } userErrors { message } }
}
"""
PEOPLE = """
{ profiles(last: 50) { edges { node {
  email anonymousIds
  pushTokens { token isVerified }
  consent { push { status canReceiveMarketing } }
} } } }
"""
ADA, BOB = "ada@example.org", "bob@example.org"
DONE: dict[str, Any] = {"registerPushToken": {"profile": None, "userErrors": []}}


@pytest.fixture
def app(api: Api) -> Api:
    """An app, which has a public key."""
    return replace(api, viewer=PUBLIC)


async def register(api: Api, token: str = "t-1", **who: str) -> Any:  # noqa: S107
    given = {"profile": who, "token": token, "platform": "IOS"}
    return await api.ask(REGISTER, input=given)


async def people(api: Api) -> dict[str, Any]:
    """Each person's tokens, with whether they are verified, and push consent; by
    e-mail address or anonymous id."""
    data = await api.ask(PEOPLE)
    nodes = [edge["node"] for edge in data["profiles"]["edges"]]
    return {
        node["email"] or node["anonymousIds"][0]: (
            {each["token"]: each["isVerified"] for each in node["pushTokens"]},
            node["consent"]["push"]["status"],
        )
        for node in nodes
    }


async def test_everything_about_a_device_is_kept_and_consent_with_its_trail(
    api: Api, app: Api
) -> None:
    given = {
        "profile": {"anonymousId": "phone-1"},
        "token": "t-1",
        "platform": "ANDROID",
        "appId": "org.example.shop",
        "consentText": "May we notify you?",
    }
    first = await app.ask(REGISTER, input=given)
    later = replace(app, now=NOW + timedelta(days=1))
    second = await later.ask(REGISTER, input=given)

    data = await api.ask(
        """{ profiles(last: 5) { edges { node {
          pushTokens { token platform vendor appId permission isVerified createdAt
            lastSeenAt }
          consent { push { status canReceiveMarketing method source
            history { edges { node { to method source ip userAgent consentText } } } } }
        } } } }"""
    )
    assert [first, second] == [DONE, DONE]
    assert [edge["node"] for edge in data["profiles"]["edges"]] == [
        {
            "pushTokens": [
                {
                    "token": "t-1",
                    "platform": "ANDROID",
                    "vendor": "FCM",
                    "appId": "org.example.shop",
                    "permission": "AUTHORIZED",
                    "isVerified": False,
                    "createdAt": "2026-03-01T12:00:00.000Z",
                    "lastSeenAt": "2026-03-02T12:00:00.000Z",
                }
            ],
            "consent": {
                "push": {
                    "status": "SUBSCRIBED",
                    "canReceiveMarketing": True,
                    "method": "DEVICE",
                    "source": "org.example.shop",
                    "history": {
                        "edges": [
                            {
                                "node": {
                                    "to": "SUBSCRIBED",
                                    "method": "DEVICE",
                                    "source": "org.example.shop",
                                    "ip": "192.0.2.7",
                                    "userAgent": "Browser/1.0",
                                    "consentText": "May we notify you?",
                                }
                            }
                        ]
                    },
                }
            },
        }
    ]


async def test_a_token_moves_when_the_device_signs_in_as_another(api: Api) -> None:
    await register(api, email=ADA)
    moved = await register(api, email=BOB)

    assert moved["registerPushToken"] == {
        "profile": {"email": BOB, "pushTokens": [{"token": "t-1", "isVerified": True}]},
        "userErrors": [],
    }
    assert await people(api) == {
        ADA: ({}, "SUBSCRIBED"),
        BOB: ({"t-1": True}, "SUBSCRIBED"),
    }


async def test_a_public_key_claims_a_known_person_without_being_believed(
    api: Api, app: Api
) -> None:
    await api.ask(UPSERT, input={"email": ADA, "anonymousId": "laptop"})

    answers = [
        await register(app, "by-email", email=ADA),
        await register(app, "by-anonymous-id", anonymousId="laptop"),
        await register(app, "new", email=BOB),
        await register(app, "conflict", email=ADA, externalId="E-1"),
    ]

    assert answers == [DONE] * 4
    tokens = {"by-email": False, "by-anonymous-id": False, "conflict": False}
    assert await people(api) == {
        ADA: (tokens, "SUBSCRIBED"),
        BOB: ({"new": False}, "SUBSCRIBED"),
    }
    await register(api, "by-email", email=ADA)
    await register(app, "by-email", email=ADA)
    verified = await people(api)
    assert verified[ADA] == (tokens | {"by-email": True}, "SUBSCRIBED")


async def test_an_anonymous_device_that_joins_a_person_is_not_verified(
    api: Api, app: Api
) -> None:
    """Whoever fills in a form with her address names his own device."""
    await api.ask(UPSERT, input={"email": ADA})
    await register(app, "by-app", anonymousId="phone-1")
    await register(app, "by-server", anonymousId="phone-2")

    await app.ask(IDENTIFY, input={"email": ADA, "anonymousId": "phone-1"})
    await api.ask(UPSERT, input={"email": ADA, "anonymousId": "phone-2"})
    await register(api, "by-server", email=ADA)

    found = await people(api)
    assert found == {ADA: ({"by-app": False, "by-server": True}, "SUBSCRIBED")}


async def test_a_device_takes_back_no_refusal_of_the_person_it_joins(
    api: Api, app: Api
) -> None:
    await register(api, "own", email=ADA)
    profile = await api.db.profiles.find_one({"email": ADA})
    assert profile is not None
    await api.ask(
        "mutation ($id: ID!) { setConsent(input: {profileId: $id, channel: PUSH, "
        'status: UNSUBSCRIBED, method: "PHONE", source: "Call"}) '
        "{ userErrors { message } } }",
        id=f"prf_{profile['_id']}",
    )
    later = replace(app, now=NOW + timedelta(days=1))

    await register(later, "stranger", anonymousId="phone-1")
    await later.ask(IDENTIFY, input={"email": ADA, "anonymousId": "phone-1"})
    await register(later, "own", email=ADA)

    found = await people(api)
    assert found == {ADA: ({"own": True, "stranger": False}, "UNSUBSCRIBED")}


async def test_permission_withdrawn_on_the_last_device_is_a_no(
    api: Api, app: Api
) -> None:
    await register(app, anonymousId="phone-1")
    given = {
        "profile": {"anonymousId": "phone-1"},
        "token": "t-1",
        "platform": "IOS",
    }

    await app.ask(REGISTER, input=given | {"permission": "DENIED"})
    denied = await people(api)
    await app.ask(REGISTER, input=given | {"permission": "AUTHORIZED"})

    assert denied == {"phone-1": ({"t-1": False}, "UNSUBSCRIBED")}
    assert await people(api) == {"phone-1": ({"t-1": False}, "SUBSCRIBED")}


async def test_a_stranger_with_a_device_of_their_own_unsubscribes_nobody(
    api: Api, app: Api
) -> None:
    await register(api, "hers", email=ADA)
    await app.ask(UNREGISTER, input={"tokens": ["hers"]})
    later = replace(app, now=NOW + timedelta(days=1))
    given = {"profile": {"email": ADA}, "token": "stranger", "platform": "IOS"}

    await later.ask(REGISTER, input=given | {"permission": "AUTHORIZED"})
    await later.ask(REGISTER, input=given | {"permission": "DENIED"})

    assert await people(api) == {ADA: ({"stranger": False}, "SUBSCRIBED")}


async def test_tokens_that_work_no_more_are_forgotten_and_consent_stays(
    api: Api, app: Api
) -> None:
    await register(api, "t-1", email=ADA)
    await register(api, "t-2", email=ADA)

    mine = await api.ask(UNREGISTER, input={"tokens": ["t-1", "t-1", "unknown"]})
    device = await app.ask(UNREGISTER, input={"tokens": ["t-2"]})

    assert mine == {"unregisterPushTokens": {"removed": 1, "userErrors": []}}
    assert device == {"unregisterPushTokens": {"removed": None, "userErrors": []}}
    assert await people(api) == {ADA: ({}, "SUBSCRIBED")}


async def test_a_profile_keeps_so_many_tokens(api: Api, app: Api) -> None:
    for n in range(MAX_TOKENS + 1):
        at = replace(api, now=NOW + timedelta(minutes=n))
        await register(at, f"t-{n}", email=ADA)

    await register(replace(app, now=NOW + timedelta(days=1)), "claimed", email=ADA)

    kept = {f"t-{n}": True for n in range(1, MAX_TOKENS + 1)}
    assert await people(api) == {ADA: (kept, "SUBSCRIBED")}


async def test_devices_that_register_at_the_same_moment_end_with_one_owner(
    api: Api,
) -> None:
    names = [f"p{n}@example.org" for n in range(6)]

    await asyncio.gather(*(register(api, "shared", email=name) for name in names))

    found = await people(api)
    assert sorted(found) == names
    assert sum(len(tokens) for tokens, _ in found.values()) == 1


async def test_a_merge_brings_the_tokens_together(api: Api) -> None:
    await register(api, "t-1", email=ADA)
    await register(api, "t-2", email=BOB)
    rows = [row["_id"] async for row in api.db.profiles.find({}).sort("_id", 1)]

    await api.ask(
        "mutation ($input: MergeProfilesInput!) "
        "{ mergeProfiles(input: $input) { userErrors { message } } }",
        input={"sourceId": f"prf_{rows[1]}", "destinationId": f"prf_{rows[0]}"},
    )

    assert await people(api) == {ADA: ({"t-1": True, "t-2": True}, "SUBSCRIBED")}


async def test_what_is_wrong_is_told_with_its_path(api: Api, app: Api) -> None:
    wrong = await app.ask(
        REGISTER, input={"profile": {}, "token": "a b", "platform": "WEB"}
    )
    by_id = await app.ask(
        REGISTER,
        input={"profile": {"id": "prf_" + "0" * 24}, "token": "a", "platform": "WEB"},
    )
    nobody = await api.ask(
        REGISTER,
        input={"profile": {"id": "prf_" + "0" * 24}, "token": "a", "platform": "WEB"},
    )
    none = await api.ask(UNREGISTER, input={"tokens": []})

    def told(answer: Any) -> list[tuple[str, list[str]]]:
        (payload,) = answer.values()
        return [(each["code"], each["path"]) for each in payload["userErrors"]]

    assert told(wrong) == [("INVALID", ["profile"]), ("INVALID", ["token"])]
    assert told(by_id) == [("NOT_ALLOWED", ["profile", "id"])]
    assert told(nobody) == [("NOT_FOUND", ["profile", "id"])]
    assert told(none) == [("INVALID", ["tokens"])]
    assert await people(api) == {}


async def test_a_segment_finds_those_who_can_get_push(api: Api) -> None:
    await register(api, email=ADA)
    await api.ask(UPSERT, input={"email": BOB})

    data = await api.ask(
        """{ profiles(filter: {groups: [{anyOf: [
          {consent: {channel: PUSH, canReceiveMarketing: true, method: ["DEVICE"]}}
        ]}]}) { edges { node { email } } } }"""
    )

    assert data == {"profiles": {"edges": [{"node": {"email": ADA}}]}}


async def test_the_first_app_that_is_opened_makes_its_metric(
    api: Api, app: Api
) -> None:
    track = """mutation ($input: TrackEventInput!) {
      trackEvent(input: $input) { userErrors { code path } } }"""
    visitor = {"anonymousId": "phone-1"}

    opened = await app.ask(track, input={"profile": visitor, "metric": "Opened App"})
    other = await app.ask(track, input={"profile": visitor, "metric": "Opened app"})

    assert opened == {"trackEvent": {"userErrors": []}}
    assert other == {
        "trackEvent": {"userErrors": [{"code": "NOT_FOUND", "path": ["metric"]}]}
    }
    found = await api.ask("{ events { edges { node { metric { name } } } } }")
    assert found == {
        "events": {"edges": [{"node": {"metric": {"name": "Opened App"}}}]}
    }
