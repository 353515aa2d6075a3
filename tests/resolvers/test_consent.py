"""Consent in the database: lawful changes, and a trail that misses nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest
from bson import ObjectId

from audience.consent import (
    Channel,
    ConsentState,
    Method,
    Statement,
    Status,
    Suppression,
    SuppressionReason,
)
from audience.errors import (
    AudienceError,
    ConsentRequired,
    InvalidInput,
    NotAllowed,
    NotFound,
)
from audience.evidence import Evidence
from resolvers.consent import (
    ConsentChange,
    change_consents,
    consent_history_counts,
    consent_history_of_profiles,
    set_consent,
    state_of,
    suppress,
    unsuppress,
)
from resolvers.db import Database, Document, find
from resolvers.pages import page_request

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
EMAIL, SMS = Channel.EMAIL, Channel.SMS
YES, NO = Status.SUBSCRIBED, Status.UNSUBSCRIBED


async def person(db: Database, **fields: Any) -> ObjectId:
    made: Document = {
        "_id": ObjectId(),
        "properties": {},
        "created_at": NOW,
        "updated_at": NOW,
        **fields,
    }
    await db.profiles.insert_one(made)
    profile_id: ObjectId = made["_id"]
    return profile_id


async def trail(db: Database, profile_id: ObjectId) -> list[Document]:
    """Every line, oldest first, without its id and whose it is."""
    lines = await find(db.consent_changes, {"profile_id": profile_id}, sort={"_id": 1})
    return [
        {key: one for key, one in line.items() if key not in ("_id", "profile_id")}
        for line in lines
    ]


async def test_a_change_is_kept_with_its_evidence(db: Database) -> None:
    ann = await person(db, email="ann@example.org")
    proof = Evidence("192.0.2.7", "Mozilla", "I agree.")

    profile = await set_consent(
        db,
        ann,
        EMAIL,
        YES,
        method="PAPER_FORM",
        source="Fair 2026",
        at=NOW - HOUR,
        now=NOW,
        evidence=proof,
    )

    assert profile["consent"] == {
        "email": {
            "status": "SUBSCRIBED",
            "consented_at": NOW - HOUR,
            "updated_at": NOW - HOUR,
            "method": "PAPER_FORM",
            "source": "Fair 2026",
            "double_opt_in": False,
        }
    }
    assert profile["updated_at"] == NOW
    assert await trail(db, ann) == [
        {
            "channel": "EMAIL",
            "from": "NEVER_SUBSCRIBED",
            "to": "SUBSCRIBED",
            "at": NOW - HOUR,
            "recorded_at": NOW,
            "method": "PAPER_FORM",
            "source": "Fair 2026",
            "ip": "192.0.2.7",
            "user_agent": "Mozilla",
            "consent_text": "I agree.",
        }
    ]


async def test_the_state_is_read_as_it_was_written(db: Database) -> None:
    ann = await person(db, email="ann@example.org")
    await set_consent(
        db, ann, EMAIL, YES, method="CONFIRMATION", source="News", now=NOW
    )

    profile = await suppress(db, ann, EMAIL, now=NOW + HOUR)

    assert state_of(profile, EMAIL) == ConsentState(
        status=YES,
        consented_at=NOW,
        updated_at=NOW,
        method="CONFIRMATION",
        source="News",
        double_opt_in=True,
        suppression=Suppression(SuppressionReason.USER_SUPPRESSED, NOW + HOUR),
    )
    assert state_of(profile, SMS) == ConsentState()


async def test_the_same_again_adds_no_line(db: Database) -> None:
    ann = await person(db, email="ann@example.org")
    once = await set_consent(db, ann, EMAIL, YES, now=NOW)

    twice = await set_consent(db, ann, EMAIL, YES, source="again", now=NOW + HOUR)

    assert twice == once
    assert len(await trail(db, ann)) == 1


async def test_a_refused_change_leaves_no_trace(db: Database) -> None:
    ann = await person(db, email="ann@example.org")
    before = await set_consent(db, ann, EMAIL, NO, now=NOW)

    with pytest.raises(ConsentRequired):
        await set_consent(db, ann, EMAIL, YES, now=NOW + HOUR)
    with pytest.raises(NotAllowed):
        await set_consent(db, ann, EMAIL, Status.NEVER_SUBSCRIBED, now=NOW + HOUR)
    with pytest.raises(NotAllowed) as late:
        await set_consent(
            db,
            ann,
            EMAIL,
            YES,
            method="IMPORTED_FORM",
            source="old.csv",
            at=NOW - HOUR,
            now=NOW + HOUR,
        )

    assert late.value.problems[0].path == ("at",)
    assert await db.profiles.find_one({"_id": ann}) == before
    assert len(await trail(db, ann)) == 1


async def test_an_address_is_needed_to_subscribe_but_not_to_refuse(
    db: Database,
) -> None:
    ann = await person(db, email="ann@example.org")

    with pytest.raises(InvalidInput) as refusal:
        await set_consent(db, ann, SMS, YES, now=NOW)
    profile = await set_consent(db, ann, SMS, NO, now=NOW)

    assert refusal.value.problems[0].path == ("channel",)
    assert state_of(profile, SMS).status is NO


@pytest.mark.parametrize(
    ("profile_id", "error"),
    [("6" * 24, NotFound), ("nobody", InvalidInput)],
)
async def test_nobody_has_no_consent(
    db: Database, profile_id: str, error: type[AudienceError]
) -> None:
    with pytest.raises(error) as refusal:
        await set_consent(db, profile_id, EMAIL, YES, now=NOW)

    assert refusal.value.problems[0].path == ("profileId",)


async def test_the_id_of_a_merged_profile_still_counts(db: Database) -> None:
    former = ObjectId()
    ann = await person(db, email="ann@example.org", merged_ids=[former])

    profile = await set_consent(db, str(former), EMAIL, YES, now=NOW)

    assert profile["_id"] == ann
    assert len(await trail(db, ann)) == 1


async def test_suppression_is_in_the_trail(db: Database) -> None:
    ann = await person(db, email="ann@example.org")
    await set_consent(db, ann, EMAIL, YES, now=NOW)

    await suppress(db, ann, EMAIL, now=NOW + HOUR)
    await suppress(db, ann, EMAIL, now=NOW + HOUR)
    await suppress(
        db,
        ann,
        EMAIL,
        SuppressionReason.HARD_BOUNCE,
        method="PROVIDER",
        source="550 no such user",
        at=NOW + 2 * HOUR,
        now=NOW + 3 * HOUR,
    )
    with pytest.raises(NotAllowed):
        await unsuppress(db, ann, EMAIL, now=NOW + 4 * HOUR)
    profile = await unsuppress(
        db,
        ann,
        EMAIL,
        reason=SuppressionReason.HARD_BOUNCE,
        source="Support call",
        now=NOW + 4 * HOUR,
    )

    assert "suppression" not in profile["consent"]["email"]
    assert profile["consent"]["email"]["consented_at"] == NOW
    same = {"channel": "EMAIL", "from": "SUBSCRIBED", "to": "SUBSCRIBED"}
    assert (await trail(db, ann))[1:] == [
        {
            **same,
            "at": NOW + HOUR,
            "recorded_at": NOW + HOUR,
            "method": "API",
            "suppressed": "USER_SUPPRESSED",
        },
        {
            **same,
            "at": NOW + 2 * HOUR,
            "recorded_at": NOW + 3 * HOUR,
            "method": "PROVIDER",
            "source": "550 no such user",
            "suppressed": "HARD_BOUNCE",
            "lifted": "USER_SUPPRESSED",
        },
        {
            **same,
            "at": NOW + 4 * HOUR,
            "recorded_at": NOW + 4 * HOUR,
            "method": "API",
            "source": "Support call",
            "lifted": "HARD_BOUNCE",
        },
    ]


async def test_an_address_can_be_suppressed_before_anyone_asks(db: Database) -> None:
    ann = await person(db, email="ann@example.org")
    await suppress(db, ann, EMAIL, now=NOW)

    profile = await set_consent(db, ann, EMAIL, YES, at=NOW - HOUR, now=NOW)

    assert profile["consent"]["email"]["status"] == "SUBSCRIBED"
    assert profile["consent"]["email"]["suppression"]["at"] == NOW


async def test_concurrent_changes_each_see_the_one_before(db: Database) -> None:
    ann = await person(db, email="ann@example.org")

    async def flip(status: Status, index: int) -> None:
        await set_consent(
            db, ann, EMAIL, status, method="FORM", source=str(index), now=NOW
        )

    async with anyio.create_task_group() as tasks:
        for index in range(12):
            tasks.start_soon(flip, YES if index % 2 else NO, index)

    # Ids are made by the client, so the order is told by the chain itself.
    lines = await trail(db, ann)
    profile = await db.profiles.find_one({"_id": ann})
    assert profile is not None
    assert all(line["from"] != line["to"] for line in lines)
    starts = [line["from"] for line in lines]
    ends = [line["to"] for line in lines]
    last = profile["consent"]["email"]["status"]
    assert sorted([*starts, last]) == sorted(["NEVER_SUBSCRIBED", *ends])


async def test_concurrent_same_changes_make_one_line(db: Database) -> None:
    ann = await person(db, email="ann@example.org")

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(lambda: set_consent(db, ann, EMAIL, YES, now=NOW))

    assert len(await trail(db, ann)) == 1


async def test_many_at_once_and_one_refused_stops_nobody(db: Database) -> None:
    people = [await person(db, email=f"p{n}@example.org") for n in range(3)]
    await set_consent(db, people[1], EMAIL, NO, now=NOW)
    imported = Statement(EMAIL, YES, Method.IMPORT, "people.csv")
    changes = [
        *(ConsentChange(each, imported) for each in people),
        ConsentChange(people[0], imported),
        ConsentChange(people[0], Statement(EMAIL, NO, Method.IMPORT, "people.csv")),
        ConsentChange("6" * 24, imported),
        ConsentChange("nobody", imported),
    ]

    outcomes = await change_consents(db, changes, NOW + HOUR)

    kinds = [each if isinstance(each, bool) else type(each) for each in outcomes]
    assert kinds == [True, ConsentRequired, True, False, True, NotFound, InvalidInput]
    statuses = [
        state_of(profile, EMAIL).status
        for profile in await find(db.profiles, {}, sort={"_id": 1})
    ]
    assert statuses == [NO, NO, YES]
    assert [line["to"] for line in await trail(db, people[0])] == [
        "SUBSCRIBED",
        "UNSUBSCRIBED",
    ]


async def test_histories_of_many_profiles_come_newest_first_in_pages(
    db: Database,
) -> None:
    ann = await person(db, email="a@example.org", phone_number="+14155550132")
    bob = await person(db, email="b@example.org")
    for hour, status in enumerate((YES, NO, YES)):
        await set_consent(
            db,
            ann,
            EMAIL,
            status,
            method="FORM",
            source="Footer",
            now=NOW + hour * HOUR,
        )
    await set_consent(db, ann, SMS, YES, now=NOW)
    await set_consent(db, bob, EMAIL, YES, now=NOW)
    pairs = [(ann, EMAIL), (bob, SMS), (ann, SMS), (bob, EMAIL), (ann, EMAIL)]

    pages = await consent_history_of_profiles(db, pairs, page_request(first=2))
    rest = await consent_history_of_profiles(
        db, [(ann, EMAIL)], page_request(first=2, after=pages[0].cursors[-1])
    )

    assert [[row["at"] for row in page.rows] for page in pages] == [
        [NOW + 2 * HOUR, NOW + HOUR],
        [],
        [NOW],
        [NOW],
        [NOW + 2 * HOUR, NOW + HOUR],
    ]
    assert [page.has_next for page in pages] == [True, False, False, False, True]
    assert [row["at"] for row in rest[0].rows] == [NOW]
    assert not rest[0].has_next
    assert await consent_history_counts(db, pairs) == [3, 0, 1, 1, 3]
    assert await consent_history_of_profiles(db, [], page_request()) == []
    assert await consent_history_counts(db, []) == []
