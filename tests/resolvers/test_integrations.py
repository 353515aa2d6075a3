"""Calls of other tools, stopped anywhere, brought twice, and all at once."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from audience.integrations.kinds import Integration, Shopify
from audience.lists import OptIn
from audience.profiles import profile_change
from audience.tokens import Tokens
from resolvers.db import Database, Document, find
from resolvers.erasures import QUIET_AFTER, erase_profile, finish_erasures
from resolvers.integrations import (
    Outcome,
    create_integration,
    logs_of_integrations,
    store_call,
    work_on_call,
    work_on_waiting_calls,
)
from resolvers.lists import create_list
from resolvers.merges import merge_profiles
from resolvers.profiles import upsert_profile
from resolvers.signups import Confirmation
from resolvers.summaries import recover_batches
from tests import integration_calls as calls
from tests.integration_calls import changed
from tests.resolvers.histories import killed_after

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SERVER_SECRET = "a secret of the server"  # noqa: S105
TOKENS = Tokens(SERVER_SECRET)


async def shop(db: Database, opt_in: OptIn = OptIn.SINGLE) -> Document:
    made = await create_list(db, "News", opt_in, now=NOW)
    created = await create_integration(
        db,
        Integration("Tea shop", Shopify(str(made["_id"]))),
        secret=calls.SECRET,
        server_secret=SERVER_SECRET,
        now=NOW,
    )
    return created.document


class Mailbox:
    """What was to be confirmed, by its token."""

    def __init__(self) -> None:
        self.tokens: list[str] = []

    async def deliver(self, confirmation: Confirmation, found: Document) -> None:
        self.tokens.append(confirmation.token)


async def bring(
    db: Database,
    integration: Document,
    topic: str,
    body: calls.Body,
    call_id: str,
    mailbox: Mailbox | None = None,
) -> Outcome:
    """A call as a request brings it: stored, and worked on."""
    raw, _ = calls.shopify(topic, body, call_id)
    arrived = await store_call(db, integration["_id"], call_id, topic, raw, NOW)
    if arrived.is_duplicate:
        return Outcome.DUPLICATE
    worked = await work_on_call(
        db,
        integration,
        arrived.document,
        now=NOW,
        tokens=TOKENS,
        deliver=(mailbox or Mailbox()).deliver,
    )
    return worked.outcome


async def work_later(db: Database, mailbox: Mailbox | None = None) -> int:
    return await work_on_waiting_calls(
        db,
        now=lambda: NOW + timedelta(hours=1),
        tokens=TOKENS,
        deliver=(mailbox or Mailbox()).deliver,
    )


async def everything(db: Database) -> Document:
    """What is known of people, without ids and times of writing."""
    metrics = {row["_id"]: row for row in await find(db.metrics, {})}
    names = {row["key"]: row["name"] for row in metrics.values()}
    events = [
        (metrics[row["metric_id"]]["name"], row["unique_id"], row.get("value"))
        for row in await find(db.events, {})
    ]
    return {
        "events": sorted(events),
        "people": [
            {
                "email": row["email"],
                "phone": row["phone_number"],
                "name": row["first_name"],
                "consent": row["consent"]["email"]["status"],
                "pending": len(row["pending"]),
                "counts": {
                    names[key]: metric["n"] for key, metric in row["summary"].items()
                },
            }
            for row in await find(db.profiles, {})
        ],
        "trail": [
            (row["from"], row["to"], row["method"], row["source"])
            for row in await find(db.consent_changes, {})
        ],
        "waiting": await db.integration_calls.count_documents(
            {"body": {"$exists": True}}
        ),
    }


ORDERED: Document = {
    "events": [
        ("Ordered Product", "820982911946154508:141249953214522974", 15.0),
        ("Ordered Product", "820982911946154508:866550311766439020", 39.9),
        ("Placed Order", "820982911946154508", 59.9),
    ],
    "people": [
        {
            "email": "ada@example.org",
            "phone": "+14155550132",
            "name": "Ada",
            "consent": "PENDING",
            "pending": 1,
            "counts": {"Placed Order": 1, "Ordered Product": 2},
        }
    ],
    "trail": [("NEVER_SUBSCRIBED", "PENDING", "INTEGRATION", "Tea shop")],
    "waiting": 0,
}


async def test_a_call_that_is_stopped_anywhere_is_done_once(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What a process holds that dies is free again soon.
    monkeypatch.setattr("resolvers.integrations.ordering.LEASE", timedelta(seconds=0.2))
    integration = await shop(db, OptIn.DOUBLE)
    steps, ended = 0, False
    while not ended:
        for name in (
            *("profiles", "events", "consent_changes", "metrics", "event_batches"),
            *("integration_calls", "integration_people", "integration_moments"),
        ):
            await getattr(db, name).delete_many({})
        mailbox = Mailbox()
        made = (integration, "orders/create", calls.SHOPIFY_ORDER, "w1", mailbox)

        ended = await killed_after(steps, bring(db, *made))
        # Whoever called has got no answer, and calls again.
        await bring(db, *made)
        await work_later(db, mailbox)
        await recover_batches(db, NOW + timedelta(seconds=1), timedelta(0))

        assert await everything(db) == ORDERED, steps
        assert len(set(mailbox.tokens)) == 1, steps
        steps += 1

    assert steps > 20


async def test_what_comes_in_any_order_and_all_at_once_ends_with_the_newest(
    db: Database,
) -> None:
    integration = await shop(db)
    bodies = [
        changed(
            calls.SHOPIFY_CUSTOMER,
            first_name=f"Ada {day}",
            tags=f"day {day}",
            updated_at=f"2026-02-{day:02}T10:00:00Z",
            email_marketing_consent={
                "state": "unsubscribed" if day == 20 else "subscribed",
                "consent_updated_at": f"2026-02-{day:02}T10:00:00Z",
            },
        )
        for day in range(1, 21)
    ]
    random.Random(7).shuffle(bodies)

    outcomes = await asyncio.gather(
        *(
            bring(db, integration, "customers/update", body, f"w{n}")
            for n, body in enumerate(bodies)
        )
    )
    while await work_later(db):
        pass

    assert set(outcomes) <= {Outcome.ACCEPTED, Outcome.WAITING}
    (ada,) = await find(db.profiles, {})
    assert (
        ada["first_name"],
        ada["properties"],
        ada["consent"]["email"]["status"],
        ada["consent"]["email"]["updated_at"],
    ) == (
        "Ada 20",
        {"Shopify Tags": ["day 20"]},
        "UNSUBSCRIBED",
        datetime(2026, 2, 20, 10, tzinfo=UTC),
    )


async def test_the_same_call_at_the_same_moment_is_done_once(db: Database) -> None:
    integration = await shop(db)

    outcomes = await asyncio.gather(
        *(
            bring(db, integration, "orders/create", calls.SHOPIFY_ORDER, "w1")
            for _ in range(8)
        )
    )

    assert sorted(outcomes) == [Outcome.ACCEPTED] + [Outcome.DUPLICATE] * 7
    assert await db.events.count_documents({}) == 3
    assert await db.consent_changes.count_documents({}) == 1


async def test_a_fault_leaves_the_call_waiting(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    integration = await shop(db)

    async def failing(*_: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr("resolvers.integrations.applying._record", failing)
        outcome = await bring(
            db, integration, "orders/create", calls.SHOPIFY_ORDER, "w1"
        )
    assert outcome is Outcome.WAITING
    assert await db.events.count_documents({}) == 0

    assert await work_later(db) == 1

    assert await db.events.count_documents({}) == 3
    (log,) = await logs_of_integrations(db, [integration["_id"]])
    assert (log["counts"], log["waiting"]) == ({"ACCEPTED": 1}, 0)


async def test_nothing_of_a_call_is_kept_once_it_is_done(db: Database) -> None:
    integration = await shop(db)

    await bring(db, integration, "orders/create", calls.SHOPIFY_ORDER, "w1")

    (call,) = await find(db.integration_calls, {})
    (log,) = await find(db.integration_logs, {})
    kept = f"{call} {log}".lower()
    assert "body" not in call
    assert [word for word in ("ada", "byron", "0132", "harbour") if word in kept] == []


async def test_an_erased_person_is_forgotten_here_too(db: Database) -> None:
    integration = await shop(db)
    await bring(db, integration, "orders/create", calls.SHOPIFY_ORDER, "w1")
    waits = changed(calls.SHOPIFY_ORDER, id=2, order_number=1002)
    raw, _ = calls.shopify("orders/create", waits, "w2")
    await store_call(db, integration["_id"], "w2", "orders/create", raw, NOW)
    (ada,) = await find(db.profiles, {})

    await erase_profile(db, ada["_id"], NOW, method="API")
    await finish_erasures(db, NOW + QUIET_AFTER)
    await work_later(db)

    for name in ("profiles", "events", "integration_people", "integration_moments"):
        assert await getattr(db, name).count_documents({}) == 0
    refund = await bring(db, integration, "refunds/create", calls.SHOPIFY_REFUND, "w3")
    assert refund is Outcome.WAITING


async def test_a_request_to_erase_that_comes_late_spares_who_is_new(
    db: Database,
) -> None:
    created = await create_integration(
        db,
        Integration("Tea shop", Shopify(erases_customers=True)),
        secret=calls.SECRET,
        server_secret=SERVER_SECRET,
        now=NOW,
    )
    integration = created.document
    await bring(db, integration, "orders/create", calls.SHOPIFY_ORDER, "w1")
    asked = {"customer": {"id": 1, "email": "ada@example.org", "phone": None}}
    raw, _ = calls.shopify("customers/redact", asked, "w2")
    later = NOW + timedelta(minutes=1)
    await store_call(db, integration["_id"], "w2", "customers/redact", raw, later)
    # The process dies once she is erased, before the call is done with.
    (ada,) = await find(db.profiles, {})
    await erase_profile(db, ada["_id"], later, method="INTEGRATION")
    again = profile_change({"email": "ada@example.org"})
    new = (await upsert_profile(db, again, later + timedelta(seconds=1))).profile

    assert await work_later(db) == 1

    assert await find(db.profiles, {}) == [new]
    (log,) = await logs_of_integrations(db, [integration["_id"]])
    assert log["counts"] == {"ACCEPTED": 1, "IGNORED": 1}


async def test_an_older_word_changes_nothing_after_a_merge(db: Database) -> None:
    integration = await shop(db)
    told = changed(calls.SHOPIFY_CUSTOMER, updated_at="2026-02-20T10:00:00Z")
    await bring(db, integration, "customers/update", told, "w1")
    (source,) = await find(db.profiles, {})
    change = profile_change({"email": "ann@example.org", "firstName": "Ann"})
    destination = (await upsert_profile(db, change, NOW)).profile
    old = changed(
        told, id=2, email="ann@example.org", updated_at="2026-02-01T10:00:00Z"
    )
    await bring(db, integration, "customers/update", old, "w2")

    await merge_profiles(db, source["_id"], destination["_id"], NOW)

    between = changed(old, first_name="Eve", updated_at="2026-02-10T10:00:00Z")
    await bring(db, integration, "customers/update", between, "w3")
    (merged,) = await find(db.profiles, {})
    assert merged["first_name"] == "Ada"
    (moments,) = await find(db.integration_moments, {})
    assert moments["_id"] == destination["_id"]
