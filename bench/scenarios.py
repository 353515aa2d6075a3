"""What is asked in each scenario: the same operation of every server."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

NUMBER = "@NUMBER@"  # a number of its own in every request
SIGN_UP_DOMAIN = "bench.example.org"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the scenarios ask about, found in the database: global ids."""

    profile_ids: list[str]
    emails: list[str]
    segment_id: str
    list_id: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """One operation. Requests take turns with its `variables`, so that those in flight
    do not ask for the same."""

    name: str
    title: str
    query: str
    variables: Callable[[Facts], list[dict[str, Any]]]
    changes_data: bool = False


NESTED = Scenario(
    "nested",
    "50 profiles with consent, lists and their first 10 events, each with its metric",
    """
query Nested {
  profiles(first: 50) {
    edges {
      node {
        id
        email
        firstName
        lastName
        createdAt
        consent {
          email { status canReceiveMarketing consentedAt }
          sms { status canReceiveMarketing }
        }
        lists(first: 10) {
          edges { node { joinedAt source list { id name } } }
        }
        events(first: 10) {
          edges {
            node { id timestamp value valueCurrency uniqueId metric { id name } }
          }
        }
      }
    }
    pageInfo { hasNextPage }
  }
}
""",
    lambda facts: [{}],
)

ACTIVITY = Scenario(
    "activity",
    "one profile with its last 25 events, another one each time",
    """
query Activity($id: ID!) {
  profile(by: { id: $id }) {
    id
    email
    events(first: 25) {
      edges {
        node { id timestamp value properties metric { id name } }
      }
    }
  }
}
""",
    lambda facts: [{"id": each} for each in facts.profile_ids],
)

FLAT = Scenario(
    "flat",
    "a page of 100 profiles, ten plain fields each",
    """
query Flat {
  profiles(first: 100) {
    edges {
      node {
        id
        email
        externalId
        firstName
        lastName
        location { city region country }
        properties
        createdAt
        updatedAt
        lastEventAt
      }
    }
    pageInfo { hasNextPage }
  }
}
""",
    lambda facts: [{}],
)

LOOKUP = Scenario(
    "lookup",
    "one profile by e-mail, six fields, another one each time",
    """
query Lookup($email: String!) {
  profile(by: { email: $email }) {
    id
    email
    firstName
    lastName
    externalId
    lastEventAt
  }
}
""",
    lambda facts: [{"email": each} for each in facts.emails],
)

SEGMENT = Scenario(
    "segment",
    "50 members of a segment, each with the last order",
    """
query Segment($id: ID!) {
  segment(id: $id) {
    id
    name
    members(first: 50) {
      edges {
        node {
          id
          email
          events(first: 1, filter: { metricNames: ["Placed Order"] }) {
            edges { node { id timestamp value } }
          }
        }
      }
    }
  }
}
""",
    lambda facts: [{"id": facts.segment_id}],
)

SUBSCRIBE = Scenario(
    "subscribe",
    "a sign-up to a list with single opt-in, by someone new each time",
    """
mutation SignUp($input: SubscribeInput!) {
  subscribe(input: $input) {
    status
    userErrors { code message path }
  }
}
""",
    lambda facts: [
        {
            "input": {
                "listId": facts.list_id,
                "email": f"person-{NUMBER}@{SIGN_UP_DOMAIN}",
                "consentText": "Send me news once a week.",
                "customSource": "Bench",
            }
        }
    ],
    changes_data=True,
)

SCENARIOS = {
    each.name: each for each in (NESTED, ACTIVITY, FLAT, LOOKUP, SEGMENT, SUBSCRIBE)
}


def bodies(scenario: Scenario, facts: Facts) -> list[str]:
    """The requests of the scenario, as JSON."""
    return [
        json.dumps({"query": scenario.query, "variables": variables})
        for variables in scenario.variables(facts)
    ]
