"""The commands of docs/integrations.md, run as they stand there against a server."""

import json
import os
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from graphql import parse, validate

from audience.integrations.calls import Heard
from audience.integrations.instructions import INSTRUCTIONS, SHOPIFY_EVENTS
from audience.integrations.kinds import IntegrationKind, Shopify
from audience.integrations.shopify import heard_from_shopify
from gql.schema import schema
from tests.server.conftest import ADMIN_KEY, Serve

PAGE = (Path(__file__).parents[3] / "docs" / "integrations.md").read_text()


def test_the_page_and_the_api_name_the_same_events_of_shopify() -> None:
    rows = re.findall(r"^\| (\w+ \w+.*) \| (`\w+/.*`) \|", PAGE, re.MULTILINE)
    named = {
        topic.strip("`"): event
        for events, topics in rows
        for event, topic in zip(events.split(", "), topics.split(", "), strict=True)
    }

    assert named == SHOPIFY_EVENTS
    steps = INSTRUCTIONS[IntegrationKind.SHOPIFY]
    assert [each for each in named.values() if each not in steps] == []


@pytest.mark.parametrize("topic", SHOPIFY_EVENTS)
def test_every_event_of_shopify_that_is_asked_for_is_kept(topic: str) -> None:
    body = {"id": 1, "order_id": 1, "token": "t", "email": "ada@example.org"}

    assert isinstance(
        heard_from_shopify(topic, body, Shopify(), datetime.now(UTC)), Heard
    )


def run(command: str, **environment: str) -> str:
    done = subprocess.run(  # noqa: S603 - the page's own commands
        ["/bin/bash", "-euo", "pipefail", "-c", command],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout


def test_the_commands_work_as_the_page_says(serve: Serve) -> None:
    server = serve(AUDIENCE_ADMIN_KEY=ADMIN_KEY, AUDIENCE_KEEPER="false")
    create, call = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    (ask,) = re.findall(r"```graphql\n(.*?)```", PAGE, re.DOTALL)
    assert validate(schema._schema, parse(ask)) == []

    made = json.loads(run(create, AUDIENCE=server.address, AUDIENCE_KEY=ADMIN_KEY))[
        "data"
    ]["createIntegration"]
    url, secret = made["integration"]["url"], made["secret"]
    answers = [run(call, URL=url, SECRET=secret) for _ in range(2)]
    wrong = run(call, URL=url, SECRET=ADMIN_KEY)
    query = json.dumps(
        {
            "query": "query ($id: ID!) { integration(id: $id) { log { accepted "
            "duplicates refused problems { outcome topic message } } } "
            'profile(by: {email: "ada@example.org"}) { firstName '
            "consent { email { status method source } } "
            "events { edges { node { metric { name } value uniqueId } } } } }",
            "variables": {"id": made["integration"]["id"]},
        }
    )
    found = json.loads(
        run(
            'curl -s "$AUDIENCE/graphql" -H "Authorization: Bearer $KEY" '
            '-H "Content-Type: application/json" -d "$QUERY"',
            AUDIENCE=server.address,
            KEY=ADMIN_KEY,
            QUERY=query,
        )
    )["data"]

    assert answers == ['{"status":"ACCEPTED"}', '{"status":"DUPLICATE"}']
    refused = (
        "The signature in X-Signature does not fit the body and the secret: give the "
        "integration the secret that the tool has."
    )
    assert json.loads(wrong)["errors"][0]["message"] == refused
    assert found == {
        "integration": {
            "log": {
                "accepted": 1,
                "duplicates": 1,
                "refused": 1,
                "problems": [{"outcome": "REFUSED", "topic": None, "message": refused}],
            }
        },
        "profile": {
            "firstName": "Ada",
            "consent": {
                "email": {
                    "status": "SUBSCRIBED",
                    "method": "INTEGRATION",
                    "source": "Bookings",
                }
            },
            "events": {
                "edges": [
                    {
                        "node": {
                            "metric": {"name": "Booked Table"},
                            "value": 80.5,
                            "uniqueId": "b-17",
                        }
                    }
                ]
            },
        },
    }
    # The server logs neither the secret nor what a call says.
    assert [word for word in (secret, "b-17") if word in server.written()] == []
