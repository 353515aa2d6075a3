"""The examples of docs/segments.md are definitions that can be asked, and hostile
names and values are only ever names and values."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from bson import ObjectId

from audience.conditions import parse, to_json
from audience.errors import AudienceError
from resolvers.db import Database
from resolvers.pages import PageRequest
from resolvers.segments import create_segment, preview
from tests.oracle import World, members
from tests.segment_cases import differences, store, world_of

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DOCS = Path(__file__).parents[2] / "docs" / "segments.md"
EXAMPLES = [
    json.loads(block)
    for block in re.findall(r"```json\n(.*?)\n```", DOCS.read_text(), re.DOTALL)
]

HOSTILE = (
    *(
        "$where",
        "$gt",
        "$$ROOT",
        "$properties.secret",
        "$",
        "$$NOW",
        "a.$b",
        "__proto__",
    ),
    *(".*", "^", "$", "(", "[", "\\", "\\E", "\\Q", "(?i)", "a|b", ".*|.*", "{1,9}"),
    *(
        "'; return true; //",
        '{"$ne": null}',
        "{ $gt: '' }",
        "'||1==1",
        "\n",
        "\r\n",
        "\t",
    ),
    *("%00", "\u202e", "\u2028", "💥", "É" * 150, " ", "null", "true", "-0", "NaN"),
)
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
            "_id": ObjectId("5f0000000000000000000002"),
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


def conditions_with(text: str) -> list[dict[str, Any]]:
    """The text as a value of every kind of comparison, and as a name."""
    comparisons: list[dict[str, Any]] = [
        *({"text": {name: text}} for name in ("equals", "contains", "startsWith")),
        {"text": {"in": [text, "x"]}},
        {"text": {"notEndsWith": text}},
        {"items": {"containsAll": [text]}},
        {"items": {"containsText": text}},
    ]
    paths = ["properties.x", "properties.x.y"]
    if not text.startswith("$") and "." not in text and "\0" not in text:
        paths.append(f"properties.{text}")
    filters = [{"path": path, "is": it} for path in paths for it in comparisons]
    event = {"metric": {"name": text}, "compare": {"atLeast": 1}}
    return [
        *({"property": {"filter": filter}} for filter in filters),
        *({"event": {**event, "where": [filter]}} for filter in filters[:14]),
        {"event": event},
        {"consent": {"channel": "EMAIL", "method": [text]}},
    ]


async def test_hostile_texts_are_only_texts(db: Database) -> None:
    random = Random(7)
    world = world_of(random, people=8)
    await db.metrics.delete_many({})
    for text in HOSTILE:
        world = with_text(world, text)
        await store(db, world)
        for condition in random.sample(conditions_with(text), 6):
            definition = only(condition)
            assert await differences(db, world, definition) == []


async def test_hostile_texts_find_themselves(db: Database) -> None:
    for text in HOSTILE:
        world = with_text(world_of(Random(7), people=8), text)
        first = world.profiles[0]["_id"]
        equals = {"path": "properties.x", "is": {"text": {"equals": text}}}
        definition = only({"property": {"filter": equals}})
        assert members(definition, world) == {first}
        await store(db, world)
        assert await differences(db, world, definition) == []


def with_text(world: World, text: str) -> World:
    """The world with the text as a value, an item, a property's and a metric's name."""
    for profile in world.profiles:
        profile["properties"] = {}
    one, other, *_ = world.profiles
    one["properties"] = {"x": text}
    other["properties"] = {"x": {"y": [text, "x"]}}
    if not text.startswith("$") and "." not in text:
        other["properties"][text] = f"x{text}x"
    name, metric = next(iter(world.metrics.items()))
    metrics = {key: it for key, it in world.metrics.items() if key != name}
    for event in world.events:
        event["properties"] = {"x": text}
    return World(
        world.profiles, world.events, metrics | {text: metric}, world.now, world.zone
    )


@pytest.mark.parametrize(
    "path",
    ["$where", "properties.$where", "summary.a.n", "consent.email.status", "_id", "."],
)
async def test_a_path_never_leaves_the_profile(path: str, db: Database) -> None:
    condition = {"property": {"filter": {"path": path, "is": {"exists": True}}}}

    with pytest.raises(
        AudienceError, match=r"is no field of a profile|property's path"
    ):
        await create_segment(db, "x", only(condition), now=NOW)
