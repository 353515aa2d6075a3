"""What a key that stands in web pages cannot do to people who are known."""

from dataclasses import replace
from typing import Any

import pytest

from tests.gql.conftest import PUBLIC, Api

pytestmark = pytest.mark.anyio

TRACK = """
mutation ($input: TrackEventInput!) {
  trackEvent(input: $input) { event { id } userErrors { code message path } }
}
"""

IDENTIFY = """
mutation ($input: IdentifyInput!) {
  identify(input: $input) { userErrors { code message path } }
}
"""

SUBSCRIBE = """
mutation ($input: SubscribeInput!) {
  subscribe(input: $input) { status userErrors { code message path } }
}
"""

UPSERT = """
mutation ($input: UpsertProfileInput!) {
  upsertProfile(input: $input) { profile { id } }
}
"""

PHONE = "+14155550132"
EVE = "eve@example.org"


@pytest.fixture
def visitor(api: Api) -> Api:
    return replace(api, viewer=PUBLIC)


async def upsert(api: Api, **given: str) -> str:
    data = await api.ask(UPSERT, input=given)
    found: str = data["upsertProfile"]["profile"]["id"]
    return found


async def people(api: Api) -> list[tuple[Any, Any, Any]]:
    data = await api.ask(
        "{ profiles(last: 10) { edges { node { email phoneNumber externalId } } } }"
    )
    nodes = [edge["node"] for edge in data["profiles"]["edges"]]
    found = [(node["email"], node["phoneNumber"], node["externalId"]) for node in nodes]
    return sorted(found, key=str)


@pytest.mark.parametrize("more", [{"email": EVE}, {"externalId": "E-1"}])
async def test_no_identifier_is_added_to_a_known_person(
    api: Api, visitor: Api, more: dict[str, str]
) -> None:
    await upsert(api, phoneNumber=PHONE)
    await api.ask(TRACK, input={"profile": {"email": "bob@b.org"}, "metric": "Seen"})
    who = {"phoneNumber": PHONE, **more}

    identified = await visitor.ask(IDENTIFY, input=who)
    tracked = await visitor.ask(TRACK, input={"profile": who, "metric": "Seen"})

    assert identified == {"identify": {"userErrors": []}}
    assert tracked == {"trackEvent": {"event": None, "userErrors": []}}
    assert await people(api) == [("bob@b.org", None, None), (None, PHONE, None)]


async def test_the_id_of_a_profile_does_not_name_the_person(
    api: Api, visitor: Api
) -> None:
    known = await upsert(api, phoneNumber=PHONE)
    unknown = "prf_" + "0" * 24

    answers = [
        await visitor.ask(
            TRACK, input={"profile": {"id": one, "email": EVE}, "metric": "Seen"}
        )
        for one in (known, unknown)
    ]

    assert (
        answers
        == [
            {
                "trackEvent": {
                    "event": None,
                    "userErrors": [
                        {
                            "code": "NOT_ALLOWED",
                            "message": "A key without the scope events:write names "
                            "people by email, phoneNumber, externalId or anonymousId.",
                            "path": ["profile", "id"],
                        }
                    ],
                }
            }
        ]
        * 2
    )
    assert await people(api) == [(None, PHONE, None)]


async def test_a_metric_that_is_unknown_is_not_made(api: Api, visitor: Api) -> None:
    await upsert(api, email="ada@example.org")

    answers = [
        await visitor.ask(TRACK, input={"profile": {"email": who}, "metric": "Seen"})
        for who in ("ada@example.org", EVE)
    ]

    assert (
        answers
        == [
            {
                "trackEvent": {
                    "event": None,
                    "userErrors": [
                        {
                            "code": "NOT_FOUND",
                            "message": "There is no metric with this name. Its first "
                            "event must be sent with a secret key that has the scope "
                            "events:write.",
                            "path": ["metric"],
                        }
                    ],
                }
            }
        ]
        * 2
    )
    assert await api.ask("{ metrics { totalCount } }") == {"metrics": {"totalCount": 0}}
    assert await people(api) == [("ada@example.org", None, None)]


async def test_a_sign_up_adds_no_address_to_a_known_person(
    api: Api, visitor: Api
) -> None:
    data = await api.ask(
        'mutation { createList(input: {name: "News", optIn: SINGLE}) { list { id } } }'
    )
    await upsert(api, phoneNumber=PHONE)

    await visitor.ask(
        SUBSCRIBE,
        input={
            "listId": data["createList"]["list"]["id"],
            "email": EVE,
            "phoneNumber": PHONE,
        },
    )

    assert await people(api) == [(EVE, None, None), (None, PHONE, None)]
