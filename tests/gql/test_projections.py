"""The database is asked for what an operation selects, and for no more."""

from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId
from pymongo import monitoring

from resolvers.db import Database, connect
from resolvers.db import close as close_database
from tests.gql.conftest import NOW, Api

pytestmark = pytest.mark.anyio


class Projections(monitoring.CommandListener):
    """The projections of the reads that were sent, by collection."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Any]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        command = event.command
        if event.command_name == "find":
            self.seen.append((command["find"], command.get("projection")))
        elif event.command_name == "aggregate":
            looked_up = [it["$lookup"] for it in command["pipeline"] if "$lookup" in it]
            for stage in looked_up:
                last = stage["pipeline"][-1]
                self.seen.append((stage["from"], last.get("$project")))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...

    def failed(self, event: monitoring.CommandFailedEvent) -> None: ...


async def _fill(db: Database) -> ObjectId:
    profile, metric = ObjectId(), ObjectId()
    await db.profiles.insert_one(
        {
            "_id": profile,
            "email": "ada@example.org",
            "properties": {"plan": "gold"},
            "created_at": NOW,
            "updated_at": NOW,
            "merged_ids": [ObjectId()],
        }
    )
    await db.metrics.insert_one(
        {"_id": metric, "name": "Order", "key": "a", "created_at": NOW}
    )
    await db.events.insert_many(
        [
            {
                "profile_id": profile,
                "metric_id": metric,
                "timestamp": NOW - timedelta(days=day),
                "unique_id": str(day),
                "properties": {"big": "x" * 100},
            }
            for day in range(3)
        ]
    )
    return profile


async def test_reads_ask_for_what_is_selected(db: Database, mongodb_uri: str) -> None:
    await _fill(db)
    listener = Projections()
    watched = connect(
        mongodb_uri, db.name, driver=db.driver, event_listeners=[listener]
    )

    answer = await Api(watched).ask(
        "{ profiles(first: 5) { edges { node { email events(first: 2) { edges { "
        "cursor node { uniqueId profile { consent { email { status } } } } } } } } } }"
    )
    await close_database(watched)

    (edge,) = answer["profiles"]["edges"]
    assert edge["node"]["email"] == "ada@example.org"
    events = edge["node"]["events"]["edges"]
    assert [it["node"] for it in events] == [
        {
            "uniqueId": day,
            "profile": {"consent": {"email": {"status": "NEVER_SUBSCRIBED"}}},
        }
        for day in ("0", "1")
    ]
    profile = {"_id": 1, "email": 1, "consent": 1}
    event = {"_id": 1, "unique_id": 1, "profile_id": 1, "timestamp": 1}
    assert listener.seen == [
        ("profiles", profile),
        ("events", event),
        ("profiles", profile),
    ]


async def test_a_merged_profile_is_found_by_its_old_id_with_little_selected(
    db: Database, api: Api
) -> None:
    profile = await _fill(db)
    row = await db.profiles.find_one({"_id": profile})
    assert row is not None
    (old,) = row["merged_ids"]

    answer = await api.ask(
        "query ($id: ID!) { profile(by: { id: $id }) { lastName } }", id=f"prf_{old}"
    )

    assert answer == {"profile": {"lastName": None}}


async def test_a_profile_is_found_by_what_is_not_selected(
    db: Database, api: Api
) -> None:
    await _fill(db)

    answer = await api.ask(
        '{ profile(by: { email: "Ada@example.org" }) { properties } }'
    )

    assert answer == {"profile": {"properties": {"plan": "gold"}}}
