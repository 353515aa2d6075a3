"""The examples of docs/segments.md are definitions that can be asked."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from bson import ObjectId

from audience.conditions import parse, to_json
from resolvers.db import Database
from resolvers.pages import PageRequest
from resolvers.segments import preview
from tests.oracle import World, members
from tests.segment_cases import differences
from tests.segment_worlds import store, world_of

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DOCS = Path(__file__).parents[2] / "docs" / "segments.md"
EXAMPLES = [
    json.loads(block)
    for block in re.findall(r"```json\n(.*?)\n```", DOCS.read_text(), re.DOTALL)
]

SEGMENT = "5f0000000000000000000002"
KINDS = {
    *(
        "event",
        "property",
        "consent",
        "list",
        "segment",
        "region",
        "distance",
        "sample",
    ),
    *("sequence", "all", "not"),
}


def only(condition: Any) -> dict[str, Any]:
    return {"groups": [{"anyOf": [condition]}]}


async def prepare_references(db: Database) -> None:
    """What the examples refer to."""
    for number, name in enumerate(("Placed Order", "Opened Email")):
        await db.metrics.insert_one(
            {"name": name, "key": f"k{number}", "created_at": NOW}
        )
    await db.lists.insert_one(
        {
            "_id": ObjectId("5f0000000000000000000001"),
            "name": "Club",
            "name_key": "club",
            "opt_in": "SINGLE",
            "created_at": NOW,
            "updated_at": NOW,
        }
    )
    inner = only({"property": {"filter": {"path": "email", "is": {"exists": True}}}})
    await db.segments.insert_one(
        {
            "_id": ObjectId(SEGMENT),
            "name": "Known",
            "name_key": "known",
            "definition": inner,
            "created_at": NOW,
            "updated_at": NOW,
        }
    )


def test_the_examples_are_of_every_kind() -> None:
    assert {kind for example in EXAMPLES for kind in example} == KINDS


@pytest.mark.parametrize("condition", EXAMPLES, ids=lambda it: json.dumps(it)[:60])
async def test_an_example_can_be_asked(condition: Any, db: Database) -> None:
    await prepare_references(db)
    definition = parse(only(condition))

    asked = await preview(db, definition, NOW)

    assert parse(to_json(definition)) == definition
    assert await asked.count(db) == 0
    assert (await asked.page(db, PageRequest())).rows == []


async def test_the_examples_find_the_oracles_members(db: Database) -> None:
    random = Random(11)
    some = 0
    for _ in range(4):
        world = world_of(random)
        world.segments[f"seg_{SEGMENT}"] = only(
            {"property": {"filter": {"path": "email", "is": {"exists": True}}}}
        )
        for profile in world.profiles:
            profile["properties"] |= examples_of_values(random, world)
        await store(db, world)
        for example in EXAMPLES:
            assert await differences(db, world, only(example)) == []
            some += 0 < len(members(only(example), world)) < len(world.profiles)
    assert some > 2 * len(EXAMPLES)


def examples_of_values(random: Random, world: World) -> dict[str, Any]:
    """Values for the paths that the examples name."""
    days = [world.now.date().isoformat(), "2024-02-29", "2026-04-01", "1990-03-30"]
    values: dict[str, tuple[Any, ...]] = {
        "favourite": ({"colour": "Blue"}, {"colour": "red"}, {"colour": None}, {}),
        "plan": ("FREE", "gold", 1, None),
        "sku": ("ab-12", "AB-1", "abc-1", 5),
        "points": (99.9, 100, 200, 200.1, "150"),
        "vip": (True, False, 1),
        "renewsOn": tuple(days),
        "birthday": tuple(days),
        "tags": (["Gold"], ["silver", "x"], [], "gold"),
        "skus": (["test-1"], ["x-TEST-"], [], None),
    }
    return {
        name: random.choice(some)
        for name, some in values.items()
        if random.random() < 0.8
    }
