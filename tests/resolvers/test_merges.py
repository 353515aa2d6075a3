import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from audience.errors import InvalidInput, NotFound
from audience.identity import Identity
from audience.profiles import profile_change
from resolvers.db import Database, Document, find
from resolvers.events import track_events
from resolvers.merges import merge_profiles, unite
from resolvers.profiles import profiles_by_id, upsert_profile
from resolvers.summaries import recover_batches
from tests.resolvers.histories import (
    NOW,
    assert_exact,
    event,
    killed_after,
    unique_ids,
)

pytestmark = pytest.mark.anyio

EARLY = datetime(2026, 1, 1, tzinfo=UTC)
LATE = datetime(2026, 6, 1, tzinfo=UTC)


async def profile(db: Database, **given: Any) -> Document:
    return (await upsert_profile(db, profile_change(given), NOW)).profile


def by_id(document: Document) -> Identity:
    return Identity(id=str(document["_id"]))


def said(status: str, at: datetime, **more: Any) -> Document:
    return {
        "status": status,
        "updated_at": at,
        "method": "API",
        "double_opt_in": False,
        **more,
    }


async def test_merge_unites_two_profiles(db: Database) -> None:
    one, other = ObjectId(), ObjectId()
    source = await profile(
        db,
        email="anna@old.example.org",
        phoneNumber="+14155550132",
        anonymousId="tab-1",
        firstName="A",
        title="Dr",
        location={"city": "Rome", "zip": "1"},
        properties={"a": 1, "b": 1},
    )
    destination = await profile(
        db,
        email="anna@example.org",
        anonymousId="tab-2",
        firstName="Anna",
        location={"city": "Paris"},
        properties={"b": 2},
    )
    await db.profiles.update_one(
        {"_id": source["_id"]},
        {
            "$set": {
                "created_at": EARLY,
                "lists": [
                    {"list_id": one, "joined_at": EARLY, "source": "FORM"},
                    {"list_id": other, "joined_at": LATE, "source": "API"},
                ],
                "left": {"a": LATE, "b": EARLY},
            }
        },
    )
    await db.profiles.update_one(
        {"_id": destination["_id"]},
        {
            "$set": {
                "lists": [{"list_id": one, "joined_at": LATE, "source": "API"}],
                "left": {"a": EARLY, "c": LATE},
            }
        },
    )

    merged = await merge_profiles(db, str(source["_id"]), destination["_id"], NOW)

    assert {name: value for name, value in merged.items() if name != "epoch"} == {
        "_id": destination["_id"],
        "email": "anna@example.org",
        "phone_number": "+14155550132",
        "anonymous_ids": ["tab-1", "tab-2"],
        "first_name": "Anna",
        "title": "Dr",
        "location": {"city": "Paris", "zip": "1"},
        "properties": {"a": 1, "b": 2},
        "consent": {},
        "lists": [
            {"list_id": one, "joined_at": EARLY, "source": "FORM"},
            {"list_id": other, "joined_at": LATE, "source": "API"},
        ],
        "left": {"a": LATE, "b": EARLY, "c": LATE},
        "summary": {},
        "search": ["anna@example.org", "+14155550132", "14155550132"],
        "created_at": EARLY,
        "updated_at": NOW,
        "merged_ids": [source["_id"]],
    }
    assert await profiles_by_id(db, [source["_id"]]) == [merged]
    assert await db.profiles.count_documents({}) == 1
    assert await db.event_batches.count_documents({}) == 0


async def test_merge_moves_the_events_and_drops_doubles(db: Database) -> None:
    source = await profile(db, email="a@example.org")
    destination = await profile(db, email="b@example.org")
    await track_events(db, [event(by_id(source), n) for n in range(30)], NOW)
    await track_events(db, [event(by_id(destination), n) for n in range(20, 50)], NOW)

    await merge_profiles(db, source["_id"], destination["_id"], NOW)

    assert await unique_ids(db) == sorted(f"e{n}" for n in range(50))
    await assert_exact(db)
    await track_events(db, [event(by_id(source), n) for n in range(45, 55)], NOW)
    assert await unique_ids(db) == sorted(f"e{n}" for n in range(55))
    await assert_exact(db)


async def test_merge_by_a_former_id_moves_the_events_too(db: Database) -> None:
    a, b, c = [await profile(db, email=f"{name}@example.org") for name in "abc"]
    await track_events(db, [event(by_id(a), n) for n in range(5)], NOW)
    await track_events(db, [event(by_id(b), n) for n in range(3, 9)], NOW)
    await track_events(db, [event(by_id(c), n) for n in range(8, 12)], NOW)

    await merge_profiles(db, a["_id"], b["_id"], NOW)
    await merge_profiles(db, a["_id"], c["_id"], NOW)

    assert await unique_ids(db) == sorted(f"e{n}" for n in range(12))
    owners = {row["profile_id"] for row in await find(db.events, {})}
    assert owners == {c["_id"]}
    await assert_exact(db)
    assert await db.event_batches.count_documents({}) == 0


async def test_merges_follow_each_other(db: Database) -> None:
    a, b, c = [await profile(db, email=f"{name}@example.org") for name in "abc"]

    await merge_profiles(db, a["_id"], b["_id"], NOW)
    await merge_profiles(db, b["_id"], c["_id"], NOW)
    again = await merge_profiles(db, a["_id"], c["_id"], NOW)

    assert again["merged_ids"] == [a["_id"], b["_id"]]
    assert await profiles_by_id(db, [a["_id"], b["_id"], c["_id"]]) == [again] * 3


async def test_merge_refuses_itself_and_the_unknown(db: Database) -> None:
    known = await profile(db, email="a@example.org")

    with pytest.raises(InvalidInput):
        await merge_profiles(db, known["_id"], known["_id"], NOW)
    with pytest.raises(InvalidInput):
        await merge_profiles(db, "x", known["_id"], NOW)
    with pytest.raises(NotFound) as caught:
        await merge_profiles(db, ObjectId(), known["_id"], NOW)
    assert caught.value.problems[0].path == ("sourceId",)
    with pytest.raises(NotFound) as caught:
        await merge_profiles(db, known["_id"], ObjectId(), NOW)
    assert caught.value.problems[0].path == ("destinationId",)
    with pytest.raises(NotFound):
        other = await profile(db, email="b@example.org")
        await merge_profiles(db, known["_id"], other["_id"], NOW, only_anonymous=True)
    assert await db.profiles.count_documents({}) == 2


SUBSCRIBED, UNSUBSCRIBED = said("SUBSCRIBED", EARLY), said("UNSUBSCRIBED", EARLY)
BOUNCED = {"reason": "HARD_BOUNCE", "at": EARLY}


@pytest.mark.parametrize(
    ("theirs", "ours", "expected"),
    [
        (None, SUBSCRIBED, SUBSCRIBED),
        (UNSUBSCRIBED, None, UNSUBSCRIBED),
        (UNSUBSCRIBED, SUBSCRIBED, UNSUBSCRIBED),
        (SUBSCRIBED, UNSUBSCRIBED, UNSUBSCRIBED),
        (UNSUBSCRIBED, said("SUBSCRIBED", LATE), said("SUBSCRIBED", LATE)),
        (
            said("SUBSCRIBED", EARLY, suppression=BOUNCED),
            said("SUBSCRIBED", LATE),
            said("SUBSCRIBED", LATE, suppression=BOUNCED),
        ),
        # An agreement was given for an address that does not come along.
        (said("SUBSCRIBED", LATE), None, None),
        (said("SUBSCRIBED", LATE), UNSUBSCRIBED, UNSUBSCRIBED),
        (
            said("SUBSCRIBED", LATE, suppression=BOUNCED),
            SUBSCRIBED,
            {**SUBSCRIBED, "suppression": BOUNCED},
        ),
    ],
)
def test_consent_takes_the_safe_side(
    theirs: Document | None, ours: Document | None, expected: Document | None
) -> None:
    blank = {"created_at": EARLY, "updated_at": EARLY, "properties": {}}
    source = {**blank, "_id": 1, "email": "a@example.org"}
    destination = {**blank, "_id": 2, "email": "b@example.org"}

    def of(state: Document | None) -> Document:
        return {"consent": {"email": state} if state else {}}

    united = unite({**source, **of(theirs)}, {**destination, **of(ours)}, NOW)

    assert united["consent"].get("email") == expected


def test_consent_comes_along_with_its_address() -> None:
    blank = {"created_at": EARLY, "updated_at": EARLY, "properties": {}}
    agreed = {"sms": said("SUBSCRIBED", LATE), "push": said("SUBSCRIBED", LATE)}
    source = {**blank, "_id": 1, "phone_number": "+14155550132", "consent": agreed}
    destination = {**blank, "_id": 2, "consent": {"sms": UNSUBSCRIBED}}

    assert unite(source, destination, NOW)["consent"] == agreed


async def test_the_audit_trail_comes_along_and_records_the_merge(db: Database) -> None:
    source = await profile(db, phoneNumber="+14155550132")
    destination = await profile(db, email="b@example.org")
    await db.profiles.update_one(
        {"_id": source["_id"]}, {"$set": {"consent.sms": said("SUBSCRIBED", EARLY)}}
    )
    line = {
        "_id": ObjectId(),
        "profile_id": source["_id"],
        "channel": "SMS",
        "from": "NEVER_SUBSCRIBED",
        "to": "SUBSCRIBED",
        "at": EARLY,
        "method": "API",
    }
    await db.consent_changes.insert_one(line)

    await merge_profiles(db, source["_id"], destination["_id"], NOW)

    old, new = await find(db.consent_changes, {}, sort={"at": 1})
    assert old == line | {"profile_id": destination["_id"]}
    assert new == {
        "_id": new["_id"],
        "profile_id": destination["_id"],
        "channel": "SMS",
        "from": "NEVER_SUBSCRIBED",
        "to": "SUBSCRIBED",
        "at": NOW,
        "recorded_at": NOW,
        "method": "MERGE",
        "source": f"prf_{source['_id']}",
    }


async def test_merge_is_exact_beside_writers(db: Database) -> None:
    for round_number in range(4):
        first = round_number * 1000
        source = await profile(db, email=f"a{round_number}@example.org")
        destination = await profile(db, email=f"b{round_number}@example.org")

        async def write(who: Identity, start: int) -> None:
            for number in range(start, start + 60, 6):
                some = [event(who, n) for n in range(number, number + 6)]
                outcomes = await track_events(db, some, NOW)
                assert all(one.error is None for one in outcomes)

        await asyncio.gather(
            write(by_id(source), first),
            write(by_id(source), first + 40),
            write(by_id(destination), first + 80),
            write(Identity(email=f"a{round_number}@example.org"), first + 20),
            _merge_soon(db, source, destination),
        )

    living = [row for row in await find(db.profiles, {}) if "merged_ids" in row]
    assert len(living) == 4
    await assert_exact(db)
    numbers = {int(each[1:]) for each in await unique_ids(db)}
    assert numbers == {n for r in range(4) for n in range(r * 1000, r * 1000 + 140)}


async def _merge_soon(db: Database, source: Document, destination: Document) -> None:
    await asyncio.sleep(0.02)
    await merge_profiles(db, source["_id"], destination["_id"], NOW)


async def test_a_merge_that_stops_anywhere_is_made_good(db: Database) -> None:
    steps, ended = 0, False
    while not ended:
        await db.profiles.delete_many({})
        await db.events.delete_many({})
        source = await profile(db, email="a@example.org")
        destination = await profile(db, email="b@example.org")
        await track_events(db, [event(by_id(source), n) for n in range(5)], NOW)
        await track_events(db, [event(by_id(destination), n) for n in range(3, 9)], NOW)

        merging = merge_profiles(db, source["_id"], destination["_id"], NOW)
        ended = await killed_after(steps, merging)
        await recover_batches(db, NOW + timedelta(seconds=1), timedelta(0))

        await assert_exact(db)
        await merge_profiles(db, source["_id"], destination["_id"], NOW)
        assert await unique_ids(db) == [f"e{n}" for n in range(9)]
        await assert_exact(db)
        assert await db.event_batches.count_documents({}) == 0
        steps += 1

    assert steps > 8
