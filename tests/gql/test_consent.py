from typing import Any

import pytest

from tests.gql.conftest import Api, GraphQL

pytestmark = pytest.mark.anyio

SET = """
mutation ($input: SetConsentInput!) {
  setConsent(input: $input) {
    profile {
      consent {
        email {
          channel status canReceiveMarketing consentedAt updatedAt method source
          doubleOptIn suppression { reason at }
        }
        sms { status canReceiveMarketing }
      }
    }
    userErrors { code message path }
  }
}
"""

SUPPRESS = """
mutation ($input: SuppressInput!) {
  suppress(input: $input) {
    profile {
      consent {
        email { status canReceiveMarketing suppression { reason at } }
      }
    }
    userErrors { code path }
  }
}
"""

UNSUPPRESS = """
mutation ($input: UnsuppressInput!) {
  unsuppress(input: $input) {
    profile { consent { email { canReceiveMarketing suppression { reason } } } }
    userErrors { code message path }
  }
}
"""

NOBODY = "prf_0123456789abcdef01234567"


@pytest.fixture
async def ada(api: Api) -> str:
    """The id of a profile."""
    data = await api.ask(
        'mutation { upsertProfile(input: {email: "ada@example.org"}) '
        "{ profile { id } } }"
    )
    found: str = data["upsertProfile"]["profile"]["id"]
    return found


async def agree(api: Api, profile_id: str, **more: Any) -> Any:
    return await api.ask(
        SET,
        input={
            "profileId": profile_id,
            "channel": "EMAIL",
            "status": "SUBSCRIBED",
            "method": "PAPER_FORM",
            "source": "Fair",
            **more,
        },
    )


async def test_consent_is_recorded_with_its_circumstances(api: Api, ada: str) -> None:
    data = await agree(api, ada, at="2026-02-01T10:00:00Z", consentText="Yes, please.")

    assert data["setConsent"] == {
        "profile": {
            "consent": {
                "email": {
                    "channel": "EMAIL",
                    "status": "SUBSCRIBED",
                    "canReceiveMarketing": True,
                    "consentedAt": "2026-02-01T10:00:00.000Z",
                    "updatedAt": "2026-02-01T10:00:00.000Z",
                    "method": "PAPER_FORM",
                    "source": "Fair",
                    "doubleOptIn": False,
                    "suppression": None,
                },
                "sms": {"status": "NEVER_SUBSCRIBED", "canReceiveMarketing": False},
            }
        },
        "userErrors": [],
    }


async def test_the_trail_keeps_every_change_newest_first(
    api: Api, graphql: GraphQL, ada: str
) -> None:
    await agree(api, ada, consentText="Yes, please.")
    await api.ask(
        SET, input={"profileId": ada, "channel": "EMAIL", "status": "UNSUBSCRIBED"}
    )

    data = await graphql(
        """
        query ($id: ID!) {
          profile(by: {id: $id}) {
            consent {
              email {
                history(first: 1) {
                  totalCount
                  pageInfo { hasNextPage endCursor }
                  edges { node { from to method } }
                }
              }
              sms { history { totalCount edges { cursor } } }
            }
          }
        }
        """,
        id=ada,
    )
    history = data["profile"]["consent"]["email"]["history"]
    rest = await graphql(
        """
        query ($id: ID!, $after: String) {
          profile(by: {id: $id}) {
            consent {
              email {
                history(after: $after) {
                  edges {
                    node {
                      channel from to at method source ip userAgent consentText
                      suppressed lifted
                    }
                  }
                }
              }
            }
          }
        }
        """,
        id=ada,
        after=history["pageInfo"]["endCursor"],
    )

    assert history["totalCount"] == 2
    assert history["pageInfo"]["hasNextPage"] is True
    assert history["edges"] == [
        {"node": {"from": "SUBSCRIBED", "to": "UNSUBSCRIBED", "method": "API"}}
    ]
    assert data["profile"]["consent"]["sms"]["history"] == {
        "totalCount": 0,
        "edges": [],
    }
    assert rest["profile"]["consent"]["email"]["history"]["edges"] == [
        {
            "node": {
                "channel": "EMAIL",
                "from": "NEVER_SUBSCRIBED",
                "to": "SUBSCRIBED",
                "at": "2026-03-01T12:00:00.000Z",
                "method": "PAPER_FORM",
                "source": "Fair",
                "ip": None,
                "userAgent": None,
                "consentText": "Yes, please.",
                "suppressed": None,
                "lifted": None,
            }
        }
    ]


async def test_a_yes_after_a_no_must_say_how_it_was_given(api: Api, ada: str) -> None:
    await api.ask(
        SET, input={"profileId": ada, "channel": "EMAIL", "status": "UNSUBSCRIBED"}
    )

    data = await agree(api, ada, method=None, source=None)

    assert data["setConsent"]["profile"] is None
    assert [
        (error["code"], error["path"]) for error in data["setConsent"]["userErrors"]
    ] == [("CONSENT_REQUIRED", ["method"])]


async def test_consent_of_nobody_is_refused(api: Api) -> None:
    data = await agree(api, NOBODY)

    assert data["setConsent"]["profile"] is None
    assert [
        (error["code"], error["path"]) for error in data["setConsent"]["userErrors"]
    ] == [("NOT_FOUND", ["profileId"])]


async def test_a_suppression_stops_sending_and_is_lifted(
    api: Api, graphql: GraphQL, ada: str
) -> None:
    await agree(api, ada)
    who = {"profileId": ada, "channel": "EMAIL"}

    suppressed = await graphql(SUPPRESS, input=who)
    lifted = await graphql(UNSUPPRESS, input=who)

    assert suppressed["suppress"] == {
        "profile": {
            "consent": {
                "email": {
                    "status": "SUBSCRIBED",
                    "canReceiveMarketing": False,
                    "suppression": {
                        "reason": "USER_SUPPRESSED",
                        "at": "2026-03-01T12:00:00.000Z",
                    },
                }
            }
        },
        "userErrors": [],
    }
    assert lifted["unsuppress"] == {
        "profile": {
            "consent": {"email": {"canReceiveMarketing": True, "suppression": None}}
        },
        "userErrors": [],
    }


async def test_a_complaint_is_never_lifted_here(
    api: Api, graphql: GraphQL, ada: str
) -> None:
    who = {"profileId": ada, "channel": "EMAIL"}
    await graphql(SUPPRESS, input={**who, "reason": "SPAM_COMPLAINT"})

    data = await graphql(UNSUPPRESS, input={**who, "source": "Asked by phone"})

    assert data["unsuppress"] == {
        "profile": None,
        "userErrors": [
            {
                "code": "NOT_ALLOWED",
                "message": "SPAM_COMPLAINT is lifted only by the person, who signs up "
                "again and confirms.",
                "path": ["reason"],
            }
        ],
    }
