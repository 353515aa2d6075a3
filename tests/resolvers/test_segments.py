"""How questions are asked of the database, and what keeps stored segments whole."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bson import ObjectId

from audience.conditions import parse
from audience.errors import AudienceError, Conflict, NotAllowed, TooLarge
from audience.summaries import summarise
from resolvers.db import Database, aggregate
from resolvers.pages import PageRequest
from resolvers.pipelines import Strategy
from resolvers.pipelines.samples import sample_number
from resolvers.segments import (
    answers,
    create_segment,
    delete_segment,
    explain_profiles,
    filter_stages,
    filters,
    preview,
    questions,
    segment_members,
    segment_sizes,
    segments_by_id,
    update_segment,
)
from resolvers.segments.answers import settled
from resolvers.segments.records import dependants
from resolvers.summaries import rebuild_all

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAMED = {"property": {"filter": {"path": "firstName", "is": {"exists": True}}}}


def only(*conditions: Any) -> dict[str, Any]:
    return {"groups": [{"anyOf": [condition]} for condition in conditions]}


def in_segment(segment_id: Any) -> dict[str, Any]:
    return only({"segment": {"segmentId": f"seg_{segment_id}"}})


async def people(db: Database, count: int) -> list[ObjectId]:
    """People of whom every other has a name; each ordered once, for its number."""
    metric = ObjectId()
    await db.metrics.insert_one(
        {"_id": metric, "name": "Order", "key": "a", "created_at": NOW}
    )
    ids = [ObjectId() for _ in range(count)]
    for number, _id in enumerate(ids):
        name = {"first_name": "Ada"} if number % 2 else {}
        summary = summarise([("a", NOW - timedelta(days=1), number)])
        await db.profiles.insert_one(
            {"_id": _id, "properties": {}, "created_at": NOW, "updated_at": NOW}
            | {"summary": summary, **name}
        )
        await db.events.insert_one(
            {
                "profile_id": _id,
                "metric_id": metric,
                "timestamp": NOW - timedelta(days=1),
                "unique_id": "1",
                "value": number,
                "properties": {},
            }
        )
    return ids


def ordered_for(amount: int) -> dict[str, Any]:
    value = {"path": "value", "is": {"number": {"atLeast": amount}}}
    compare = {"atLeast": 1}
    return {
        "event": {"metric": {"name": "Order"}, "compare": compare, "where": [value]}
    }


async def _none(*_: Any) -> None:
    """No page is looked for by itself."""


@pytest.fixture(params=["few", "many", "too many"])
def crowd(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How many people there are, as far as limits are concerned."""
    if request.param != "few":
        for each in (questions, filters):
            monkeypatch.setattr(each, "first_page", _none)
        monkeypatch.setattr(answers, "FEW", 0)
        monkeypatch.setattr(answers, "_VERY_FEW", -1)
    if request.param == "too many":
        monkeypatch.setattr(answers, "MANY", 0)
    return str(request.param)


async def test_the_way_suits_the_definition(db: Database, crowd: str) -> None:
    ids = await people(db, 6)
    never = {"not": only(ordered_for(3))}
    asked = {
        "told": only(NAMED),
        "both": only(NAMED, ordered_for(3)),
        "sets": only(ordered_for(3)),
        "flags": only(never),
    }

    previews = {
        name: await preview(db, parse(each), NOW) for name, each in asked.items()
    }

    pages = {name: await it.page(db, PageRequest()) for name, it in previews.items()}
    assert {
        name: [row["_id"] for row in page.rows] for name, page in pages.items()
    } == {
        "told": [ids[1], ids[3], ids[5]],
        "both": [ids[3], ids[5]],
        "sets": ids[3:],
        "flags": ids[:3],
    }
    assert {name: await it.count(db) for name, it in previews.items()} == {
        "told": 3,
        "both": 2,
        "sets": 3,
        "flags": 3,
    }
    ways = {name: (await it.settled(db)).strategy for name, it in previews.items()}
    first = Strategy.PROFILES_FIRST
    assert (
        ways
        == {
            "few": {
                "told": Strategy.MATCH,
                "both": first,
                "sets": first,
                "flags": first,
            },
            "many": {
                "told": Strategy.MATCH,
                "both": Strategy.EVENTS_FIRST,
                "sets": Strategy.SETS,
                "flags": Strategy.EVENTS_FIRST,
            },
            "too many": {
                "told": Strategy.MATCH,
                "both": Strategy.SETS,
                "sets": Strategy.SETS,
                "flags": Strategy.FLAGS,
            },
        }[crowd]
    )


async def test_what_a_count_needs_beforehand_is_read_once(
    db: Database, crowd: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await people(db, 6)
    reads: list[str] = []
    for name in ("_candidates", "read_sets"):
        monkeypatch.setattr(answers, name, _noting(reads, getattr(answers, name)))
    asked = await preview(db, parse(only({"not": only(ordered_for(3))})), NOW)

    assert await asked.count(db) == 3

    assert (
        reads
        == {
            "few": ["_candidates"],
            "many": ["_candidates", "read_sets"],
            "too many": ["_candidates", "read_sets"],
        }[crowd]
    )


async def test_of_many_people_a_sample_tells_whether_to_look_at_all(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await people(db, 6)
    for name, value in (("FEW", 1), ("_VERY_FEW", 1), ("_SAMPLE", 6)):
        monkeypatch.setattr(answers, name, value)
    monkeypatch.setattr(answers, "_FEWEST_SAMPLED", 0)
    reads: list[str] = []
    for name in ("_candidates", "read_sets"):
        monkeypatch.setattr(answers, name, _noting(reads, getattr(answers, name)))
    nobody = {
        "property": {"filter": {"path": "firstName", "is": {"text": {"equals": "X"}}}}
    }
    found = []

    for conditions in ([ordered_for(3)], [nobody, ordered_for(3)]):
        asked = (await preview(db, parse(only(*conditions)), NOW)).asked
        answer = await settled(db, asked, None)
        rows = await aggregate(db.profiles, answer.stages)
        found.append((reads.copy(), sorted(row["_id"] for row in rows)))
        reads.clear()

    # It is open for all, so that they are not looked for; then for nobody.
    assert found == [([], ids[3:]), (["_candidates"], [])]


def _noting(reads: list[str], read: Any) -> Any:
    async def noting(*arguments: Any) -> Any:
        reads.append(read.__name__)
        return await read(*arguments)

    return noting


@pytest.mark.usefixtures("crowd")
async def test_pages_go_forwards_and_backwards(db: Database) -> None:
    ids = await people(db, 5)
    asked = await preview(db, parse(only(ordered_for(1))), NOW)

    first = await asked.page(db, PageRequest(size=2))
    second = await asked.page(db, PageRequest(size=2, after=first.cursors[-1]))
    back = await asked.page(
        db, PageRequest(size=2, backwards=True, before=second.cursors[-1])
    )

    pages = [[row["_id"] for row in page.rows] for page in (first, second, back)]
    assert pages == [ids[1:3], ids[3:5], ids[2:4]]
    assert (first.has_next, second.has_next, back.has_previous) == (True, False, True)
    assert await asked.count(db) == 4


@pytest.mark.usefixtures("crowd")
async def test_a_filter_yields_whole_profiles(db: Database) -> None:
    ids = await people(db, 3)

    for condition in (NAMED, ordered_for(1)):
        stages = await filter_stages(db, parse(only(condition)), NOW)
        rows = await aggregate(db.profiles, stages)
        assert {"_id", "properties", "created_at"} <= set(rows[0])
        assert ids[1] in [row["_id"] for row in rows]


async def test_the_days_are_the_accounts(db: Database) -> None:
    await people(db, 1)
    condition = ordered_for(0)
    condition["event"]["during"] = {"on": "2026-03-01"}
    definition = parse(only(condition))
    at = datetime(2026, 2, 28, 23, 30, tzinfo=UTC)
    await db.events.update_one({}, {"$set": {"timestamp": at}})
    await rebuild_all(db)

    utc = await preview(db, definition, NOW)
    berlin = await preview(db, definition, NOW, ZoneInfo("Europe/Berlin"))

    assert (await utc.count(db), await berlin.count(db)) == (0, 1)


async def test_a_sample_is_stable_and_grows(db: Database) -> None:
    ids = await people(db, 400)

    async def sample(percent: float, seed: str) -> set[ObjectId]:
        condition = {"sample": {"percent": percent, "seed": seed}}
        stages = await filter_stages(db, parse(only(condition)), NOW)
        return {row["_id"] for row in await aggregate(db.profiles, stages)}

    small, large = await sample(20, "a"), await sample(50, "a")
    other = await sample(50, "b")

    assert small < large
    assert small == {
        it for it in ids if sample_number(str(it), "a") < 0.2 * (2**31 - 1)
    }
    assert 140 < len(large) < 260
    assert 40 < len(large & other) < 160
    assert await sample(0, "a") == set()
    assert await sample(100, "a") == set(ids)


async def test_stored_segments_are_read_together(db: Database) -> None:
    ids = await people(db, 4)
    named = await create_segment(db, "Named", only(NAMED), now=NOW)
    ordered = await create_segment(db, "Ordered", only(ordered_for(2)), now=NOW)

    found = await segments_by_id(db, [ordered["_id"], ObjectId(), named["_id"]])
    pages = await segment_members(db, [named, ordered], PageRequest(size=1), NOW)

    assert found == [ordered, None, named]
    assert [[row["_id"] for row in page.rows] for page in pages] == [[ids[1]], [ids[2]]]
    assert await segment_sizes(db, [named, ordered], NOW) == [2, 2]
    assert await segment_sizes(db, [], NOW) == []


async def test_a_list_that_is_gone_has_no_members(db: Database) -> None:
    await people(db, 1)
    club = {
        "_id": ObjectId(),
        "name": "Club",
        "name_key": "club",
        "opt_in": "SINGLE",
        "created_at": NOW,
        "updated_at": NOW,
    }
    await db.lists.insert_one(club)
    condition = {"list": {"listId": f"lst_{club['_id']}"}}
    segment = await create_segment(db, "Club", only(condition), now=NOW)

    await db.lists.delete_one({"_id": club["_id"]})

    assert await segment_sizes(db, [segment], NOW) == [0]


async def test_two_changes_at_once_never_make_a_circle(db: Database) -> None:
    one = await create_segment(db, "One", only(NAMED), now=NOW)
    two = await create_segment(db, "Two", only(NAMED), now=NOW)

    async def refer(source: Any, target: Any) -> bool:
        definition = in_segment(target["_id"])
        try:
            await update_segment(db, source["_id"], now=NOW, definition=definition)
        except AudienceError:
            return False
        return True

    done = await asyncio.gather(refer(one, two), refer(two, one))

    assert sorted(done) == [False, True]


async def test_what_is_referred_to_is_not_deleted(db: Database) -> None:
    inner = await create_segment(db, "Inner", only(NAMED), now=NOW)

    outcome = await asyncio.gather(
        delete_segment(db, inner["_id"]),
        create_segment(db, "Outer", in_segment(inner["_id"]), now=NOW),
        return_exceptions=True,
    )

    refused = [it for it in outcome if isinstance(it, AudienceError)]
    assert len(refused) == 1
    left = await dependants(db, [inner["_id"]])
    assert len(left[inner["_id"]]) == int(isinstance(refused[0], NotAllowed))


async def test_what_a_segment_refers_to_changes_with_it(db: Database) -> None:
    inner = await create_segment(db, "Inner", only(NAMED), now=NOW)
    outer = await create_segment(db, "Outer", in_segment(inner["_id"]), now=NOW)

    changed = await update_segment(
        db, outer["_id"], now=NOW, definition=only(NAMED), is_starred=True
    )

    assert (changed["refers_to"], changed["version"]) == ([], 2)
    assert await delete_segment(db, inner["_id"]) == inner["_id"]


async def test_a_segment_that_others_refer_to_cannot_outgrow_them(
    db: Database,
) -> None:
    inner = await create_segment(db, "Inner", only(NAMED), now=NOW)
    many = in_segment(inner["_id"])
    many["groups"][0]["anyOf"] *= 9
    middle = await create_segment(db, "Middle", many, now=NOW)
    await create_segment(db, "Outer", in_segment(middle["_id"]), now=NOW)
    large = only(NAMED)
    large["groups"][0]["anyOf"] *= 100

    with pytest.raises(TooLarge) as refused:
        await update_segment(db, inner["_id"], now=NOW, definition=large)

    assert refused.value.problems[0].path == ("definition",)
    assert str(refused.value) == (
        "The segment 'Middle' refers to this one. With the segments that it refers to "
        "there are 909 conditions; at most 500 are allowed."
    )
    (kept,) = await segments_by_id(db, [inner["_id"]])
    assert kept is not None
    assert (kept["definition"], kept["version"]) == (only(NAMED), 1)


async def test_a_segment_that_others_refer_to_cannot_grow_too_deep_for_them(
    db: Database,
) -> None:
    below = await create_segment(db, "0", only(NAMED), now=NOW)
    lowest = below
    for depth in range(1, 6):
        below = await create_segment(db, str(depth), in_segment(below["_id"]), now=NOW)
    other = await create_segment(db, "Other", only(NAMED), now=NOW)

    with pytest.raises(Conflict, match="The segment '5' refers to this one"):
        await update_segment(
            db, lowest["_id"], now=NOW, definition=in_segment(other["_id"])
        )


async def test_why_someone_is_in_a_segment_or_not(db: Database) -> None:
    ids = await people(db, 4)
    club = {"_id": ObjectId(), "name": "Club", "name_key": "club", "opt_in": "SINGLE"}
    await db.lists.insert_one(club | {"created_at": NOW, "updated_at": NOW})
    total = {"metric": {"name": "Order"}, "compare": {"atLeast": 3}, "measure": "SUM"}
    steps = [{"metric": {"name": "Order"}}, {"metric": {"name": "Order"}}]
    definition = {
        "groups": [
            {"anyOf": [{"event": total}, NAMED]},
            {
                "anyOf": [
                    {"list": {"listId": f"lst_{club['_id']}", "isMember": False}},
                    {"sequence": {"steps": steps}},
                ]
            },
        ]
    }
    # Sums come from the summary, which the people of this test do not have.
    total["where"] = [{"path": "value", "is": {"exists": True}}]
    segment = await create_segment(db, "Why", definition, now=NOW)
    rows = [row async for row in db.profiles.find(sort=[("_id", 1)])]

    explained = await explain_profiles(db, segment, rows, NOW)

    assert [it.matches for it in explained] == [False, True, False, True]
    (sums, named), (listed, sequence) = explained[3].groups
    (event,) = sums.events
    assert event["profile_id"] == ids[3]
    assert (sums.matches, sums.words, sums.actual, sums.expected) == (
        True,
        "Order: the sum of value is at least 3 where value has a value",
        3,
        3.0,
    )
    assert (named.matches, named.actual, named.expected) == (
        True,
        "Ada",
        {"exists": True},
    )
    assert (listed.matches, listed.words) == (True, "Not in the list “Club”")
    assert (sequence.matches, sequence.words) == (False, "Did Order, then Order")
    (sums, named), _ = explained[0].groups
    assert [(it.matches, it.actual) for it in (sums, named)] == [
        (False, 0),
        (False, None),
    ]


async def test_a_definition_that_is_kept_has_a_size(db: Database) -> None:
    texts = ["x" * 500 for _ in range(500)]
    filter = {"path": "firstName", "is": {"text": {"in": texts}}}
    large = only(*[{"property": {"filter": filter}}] * 2)

    with pytest.raises(AudienceError) as raised:
        await create_segment(db, "Large", large, now=NOW)

    assert [(it.code, it.path) for it in raised.value.problems] == [
        ("TOO_LARGE", ("definition",))
    ]
