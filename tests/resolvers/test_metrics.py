import asyncio
from datetime import UTC, datetime
from unittest.mock import patch

import pytest
from bson import ObjectId

from audience.errors import LimitReached
from resolvers import metrics as module
from resolvers.db import Database, close, connect
from resolvers.metrics import (
    count_metrics,
    ensure_metrics,
    key_number,
    metric_page,
    metrics_by_id,
    metrics_by_key,
    metrics_by_name,
)
from resolvers.pages import PageRequest

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 23, 18, tzinfo=UTC)


async def test_metrics_are_made_once(db: Database) -> None:
    made = await ensure_metrics(db, ["Placed Order", "Opened"], NOW, "shop")
    again = await ensure_metrics(db, ["Opened", "Placed Order", "Opened"], NOW)

    assert made == again
    assert made["Placed Order"] == {
        "_id": made["Placed Order"]["_id"],
        "name": "Placed Order",
        "key": "0",
        "integration": "shop",
        "created_at": NOW,
    }
    assert made["Opened"]["key"] == "1"


async def test_metrics_are_read_in_order(db: Database) -> None:
    made = await ensure_metrics(db, ["b", "a"], NOW)

    assert await metrics_by_name(db, ["a", "none", "b"]) == [made["a"], None, made["b"]]
    by_id = await metrics_by_id(db, [str(made["b"]["_id"]), ObjectId()])
    assert by_id == [made["b"], None]
    assert await metrics_by_key(db, ["1", "z", "1"]) == [made["a"], None, made["a"]]
    page = await metric_page(db, PageRequest(1))
    assert (page.rows, page.has_next) == ([made["a"]], True)
    assert await count_metrics(db) == 2


async def test_a_metric_is_read_once_by_its_id(db: Database) -> None:
    made = await ensure_metrics(db, ["a", "b"], NOW)
    first, second = made["a"]["_id"], made["b"]["_id"]
    assert await metrics_by_id(db, [first]) == [made["a"]]

    await db.metrics.delete_many({})

    assert await metrics_by_id(db, [second, first]) == [None, made["a"]]


async def test_everyone_agrees_on_metrics_made_at_the_same_time(
    db: Database, mongodb_uri: str
) -> None:
    clients = [connect(mongodb_uri, db.name, driver=db.driver) for _ in range(4)]
    names = [f"Metric {n}" for n in range(12)]

    answers = await asyncio.gather(
        ensure_metrics(clients[0], names, NOW),
        ensure_metrics(clients[1], names[::-1], NOW),
        ensure_metrics(clients[2], names[6:] + names[:6], NOW),
        ensure_metrics(clients[3], names, NOW),
    )

    assert all(answer == answers[0] for answer in answers)
    keys = sorted(key_number(metric["key"]) for metric in answers[0].values())
    assert keys == list(range(12))
    for client in clients:
        await close(client)


async def test_the_number_of_metrics_is_limited(db: Database) -> None:
    with patch.object(module, "MAX_METRICS", 2):
        await ensure_metrics(db, ["a", "b"], NOW)
        with pytest.raises(LimitReached):
            await ensure_metrics(db, ["c"], NOW)
        await ensure_metrics(db, ["a"], NOW)

    assert await count_metrics(db) == 2
