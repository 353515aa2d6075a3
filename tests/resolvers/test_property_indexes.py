"""Indexes on properties of events: which there are, and that they change no answer."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from unicodedata import category

import anyio
import pytest
from bson import ObjectId

from audience.conditions import parse
from audience.events import SUMMARY_TIMES
from resolvers.db import Database, Session, aggregate, transaction
from resolvers.events.indexes import (
    PropertyIndex,
    drop_indexes,
    indexed_properties,
    keep_indexes,
    make_indexes,
    property_indexes,
)
from resolvers.migrations import MIGRATIONS, migrate
from resolvers.pipelines import Strategy
from resolvers.pipelines.spellings import beginnings, spellings
from resolvers.segments import create_segment, preview, update_segment
from resolvers.segments.answers import settled
from resolvers.segments.ways import indexes_used

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CATEGORY = "properties.category"


@pytest.fixture(autouse=True)
async def no_indexes(db: Database) -> AsyncIterator[None]:
    """None is left for the next test."""
    yield
    names = await db.events.index_information()
    there = [it.removeprefix("property:") for it in names if it.startswith("property:")]
    await drop_indexes(db, there)


def viewed(**more: Any) -> dict[str, Any]:
    event = {"metric": {"name": "Viewed"}, "compare": {"atLeast": 1}, **more}
    return {"groups": [{"anyOf": [{"event": event}]}]}


def where(path: str, comparison: dict[str, Any]) -> dict[str, Any]:
    return viewed(where=[{"path": path, "is": comparison}])


SHOES = where(CATEGORY, {"text": {"equals": "Shoes"}})
SHOES_OR_MISSING = {
    "path": CATEGORY,
    "is": {"text": {"equals": "shoes"}},
    "whenMissing": True,
}


async def store(db: Database, *histories: Sequence[Any]) -> list[ObjectId]:
    """A person each, with an event for each value of the property."""
    metric, ids = ObjectId(), [ObjectId() for _ in histories]
    await db.metrics.insert_one(
        {"_id": metric, "name": "Viewed", "key": "v", "created_at": NOW}
    )
    for _id, history in zip(ids, histories, strict=True):
        times = [NOW - timedelta(days=number) for number in range(len(history))]
        summary = {"n": len(times), "s": 0, "t": times[:SUMMARY_TIMES]}
        summary |= {"f": times[-1], "l": times[0]} if times else {}
        await db.profiles.insert_one(
            {
                "_id": _id,
                "properties": {},
                "created_at": NOW,
                "updated_at": NOW,
                "summary": {"v": summary} if times else {},
            }
        )
        for number, value in enumerate(history):
            await db.events.insert_one(
                {
                    "profile_id": _id,
                    "metric_id": metric,
                    "timestamp": times[number],
                    "unique_id": str(number),
                    "properties": {"category": value},
                }
            )
    return ids


async def made(db: Database) -> set[str]:
    names = await db.events.index_information()
    return {it for it in names if it.startswith("property:")}


async def test_the_most_wanted_properties_have_an_index(db: Database) -> None:
    await store(db, ["shoes"])
    sku = where("properties.sku", {"text": {"in": ["a", "b"]}})
    both = {"groups": [*SHOES["groups"], *sku["groups"]]}
    await create_segment(db, "One", SHOES, now=NOW)
    await create_segment(db, "Two", both, now=NOW)

    await keep_indexes(db, NOW, 1)

    assert await made(db) == {f"property:{CATEGORY}"}
    assert await property_indexes(db) == [
        PropertyIndex(CATEGORY, 2, is_ready=True),
        PropertyIndex("properties.sku", 1, is_ready=False),
    ]

    await create_segment(db, "Three", sku, now=NOW)
    await create_segment(db, "Four", sku, now=NOW)
    await keep_indexes(db, NOW, 1)

    # Three segments to two: making another would not be worth it.
    assert await made(db) == {f"property:{CATEGORY}"}

    await create_segment(db, "Five", sku, now=NOW)
    await keep_indexes(db, NOW, 1)

    assert await made(db) == {"property:properties.sku"}

    await keep_indexes(db, NOW, 8)

    assert await made(db) == {f"property:{CATEGORY}", "property:properties.sku"}


async def test_an_index_that_no_segment_wants_goes_after_an_hour(db: Database) -> None:
    await store(db, ["shoes"])
    segment = await create_segment(db, "One", SHOES, now=NOW)
    await keep_indexes(db, NOW, 8)

    for minute, definition in ((0, viewed()), (30, SHOES), (60, viewed())):
        then = NOW + timedelta(minutes=minute)
        await update_segment(db, segment["_id"], now=then, definition=definition)
        await keep_indexes(db, then, 8)
    await keep_indexes(db, NOW + timedelta(minutes=119), 8)

    assert await property_indexes(db) == [PropertyIndex(CATEGORY, 0, is_ready=True)]

    await keep_indexes(db, NOW + timedelta(minutes=120), 8)

    assert await made(db) == set()
    assert await property_indexes(db) == []
    assert await indexed_properties(db) == frozenset()


async def test_an_unwanted_index_gives_way_at_once(db: Database) -> None:
    await store(db, ["shoes"])
    segment = await create_segment(db, "One", SHOES, now=NOW)
    await keep_indexes(db, NOW, 1)

    sku = where("properties.sku", {"text": {"equals": "a"}})
    await update_segment(db, segment["_id"], now=NOW, definition=sku)
    await keep_indexes(db, NOW, 1)

    assert await made(db) == {"property:properties.sku"}


async def test_one_that_cannot_be_made_keeps_back_no_other(db: Database) -> None:
    await store(db, ["shoes"])
    sku = where("properties.sku", {"text": {"equals": "a"}})
    both = {"groups": [*SHOES["groups"], *sku["groups"]]}
    await create_segment(db, "One", both, now=NOW)
    # Somebody has given its name to another.
    await db.events.create_index("properties.other", name=f"property:{CATEGORY}")

    failed = await keep_indexes(db, NOW, 8)

    assert {path: error.code for path, error in failed.items()} == {CATEGORY: 86}
    assert await indexed_properties(db) == {("properties", "sku")}


async def test_nobody_waits_for_an_index_whose_maker_stops(
    db: Database,
) -> None:
    await store(db, ["shoes"])

    async def until_being_made(*, yes: bool) -> None:
        asked = {"currentOp": True, "command.createIndexes": "events"}
        with anyio.fail_after(10):
            while bool((await db.client.admin.command(asked))["inprog"]) != yes:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def write(session: Session) -> None:
        # Until this ends, the index waits.
        await db.events.update_many({}, {"$set": {"value": 1}}, session=session)
        making = asyncio.create_task(make_indexes(db, [CATEGORY], NOW))
        await until_being_made(yes=True)
        making.cancel()
        await until_being_made(yes=False)
        assert (await asyncio.wait([making]))[0].pop().cancelled()

    await transaction(db, write)

    assert await made(db) == set()


async def test_what_leads_to_no_event_wants_no_index(db: Database) -> None:
    await store(db, ["shoes"])
    for number, definition in enumerate(
        (
            where(CATEGORY, {"text": {"notEquals": "shoes"}}),
            where(CATEGORY, {"text": {"contains": "shoe"}}),
            where(CATEGORY, {"exists": True}),
            viewed(where=[SHOES_OR_MISSING]),
            # A name of digits could be a place in a list.
            where("properties.0", {"text": {"equals": "shoes"}}),
            where("value", {"number": {"equals": 1}}),
        )
    ):
        await create_segment(db, str(number), definition, now=NOW)

    assert await property_indexes(db) == []


@pytest.mark.parametrize("number", [3, 4])
async def test_older_segments_tell_their_properties(db: Database, number: int) -> None:
    await store(db, ["shoes"])
    for name, definition, told in (
        ("One", SHOES, {"$unset": {"event_properties": ""}}),
        (
            "Missing",
            viewed(where=[SHOES_OR_MISSING]),
            {"$set": {"event_properties": [CATEGORY]}},
        ),
        (
            "Refused today",
            SHOES,
            {"$set": {"definition": {}, "event_properties": [CATEGORY]}},
        ),
    ):
        segment = await create_segment(db, name, definition, now=NOW)
        await db.segments.update_one({"_id": segment["_id"]}, told)
    assert await property_indexes(db) == [PropertyIndex(CATEGORY, 2, is_ready=False)]

    await migrate(db, [it for it in MIGRATIONS if it.number == number])

    assert await property_indexes(db) == [PropertyIndex(CATEGORY, 1, is_ready=False)]


@pytest.mark.parametrize(
    ("definition", "members"),
    [
        (SHOES, [0, 1, 3]),
        (where(CATEGORY, {"text": {"startsWith": "sHo"}}), [0, 1, 3]),
        (where(CATEGORY, {"number": {"atLeast": 5}}), [2]),
        (where(CATEGORY, {"boolean": True}), [4]),
        (where(CATEGORY, {"items": {"contains": "SHOES"}}), [5]),
        (viewed(measure="COUNT_DISTINCT", of=CATEGORY, compare={"atLeast": 2}), [1]),
        (viewed(measure="SUM", of=CATEGORY, compare={"atLeast": 10}), [2]),
        (viewed(measure="MIN", of=CATEGORY, compare={"atMost": 5}), [2]),
    ],
)
@pytest.mark.parametrize("with_lists", [False, True])
async def test_an_index_changes_no_answer(
    db: Database, definition: dict[str, Any], members: list[int], with_lists: bool
) -> None:
    """With lists it cannot tell all, for it has each of their items."""
    lists = [["shoes"], ["bags"]] if with_lists else []
    ids = await store(
        db,
        ["shoes", "shoes"],
        ["SHOES", "shoes", None, {"shoes": 1}],
        [5, 5.0],
        ["Shoes"],
        [True, {}],
        lists,
        [],
    )
    # So many others that the index is worth it.
    await store_many(db)
    before = await asked(db, definition)
    assert "property" not in str(before[1])

    await make_indexes(db, [CATEGORY], NOW)

    expected = {ids[it] for it in members if with_lists or it != 5}
    found, indexes = await asked(db, definition)
    assert found == before[0] == expected
    assert indexes == [f"events.property:{CATEGORY}"]


async def store_many(db: Database) -> None:
    """A thousand events of someone who is not known, of another kind."""
    metric = await db.metrics.find_one({"name": "Viewed"})
    assert metric is not None
    stranger = await db.profiles.find_one({}, sort=[("_id", -1)])
    assert stranger is not None
    await db.events.insert_many(
        [
            {
                "profile_id": stranger["_id"],
                "metric_id": metric["_id"],
                "timestamp": NOW - timedelta(days=1),
                "unique_id": f"other {number}",
                "properties": {},
            }
            for number in range(1_000)
        ]
    )


async def asked(
    db: Database, definition: dict[str, Any]
) -> tuple[set[ObjectId], list[str]]:
    """The members, the sets read from everybody's events, and the indexes used."""
    found = await preview(db, parse(definition), NOW)
    answer = await settled(db, found.asked, Strategy.EVENTS_FIRST)
    rows = await aggregate(db.profiles, answer.stages)
    indexes = await indexes_used(db, found.asked, answer)
    return {row["_id"] for row in rows}, indexes


async def test_an_index_that_has_just_gone_is_done_without(db: Database) -> None:
    ids = await store(db, ["shoes"], ["bags"])
    await store_many(db)
    await make_indexes(db, [CATEGORY], NOW)
    assert await indexed_properties(db) == {("properties", "category")}

    await db.events.drop_index(f"property:{CATEGORY}")

    found = await preview(db, parse(SHOES), NOW)
    answer = await settled(db, found.asked, Strategy.EVENTS_FIRST)
    assert answer.ids == [ids[0]]
    _, indexes = await asked(db, SHOES)
    assert len(indexes) == 1
    assert "property" not in indexes[0]

    await keep_indexes(db, NOW, 8)

    assert await indexed_properties(db) == frozenset()


async def test_spellings_are_all_that_mongodb_takes_for_equal(db: Database) -> None:
    letters = [
        each
        for each in map(chr, range(sys.maxunicode + 1))
        if category(each) in ("Lu", "Ll", "Lt") or each.swapcase() != each
    ]
    await db.seeds.insert_many(
        [{"_id": number, "letter": each} for number, each in enumerate(letters)]
    )
    matches = {
        "input": {"$literal": "".join(letters)},
        "regex": "$letter",
        "options": "i",
    }
    equal = {"$map": {"input": {"$regexFindAll": matches}, "in": "$$this.match"}}
    rows = await aggregate(db.seeds, [{"$project": {"letter": 1, "equal": equal}}])

    assert len(rows) == len(letters) > 2_500
    for row in rows:
        known = spellings(row["letter"], 10)
        assert known is not None
        assert set(row["equal"]) <= set(known)
    assert set(spellings("aß", 10) or ()) == {"aß", "Aß", "aẞ", "Aẞ"}
    assert spellings("a" * 4, 15) is None
    assert beginnings("ab1c", 4) == ["ab1", "aB1", "Ab1", "AB1"]
