"""Lists, their members, and people added by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest
from bson import ObjectId

from audience.consent import Channel, Method, Status
from audience.errors import (
    AudienceError,
    Code,
    InvalidInput,
    LimitReached,
    NotAllowed,
    NotFound,
    Problem,
    Taken,
    TooLarge,
)
from audience.lists import MAX_LISTS, MembershipSource, OptIn
from audience.profiles import ProfileChange, profile_change
from resolvers.consent import set_consent, state_of, suppress
from resolvers.db import Database, Document, find
from resolvers.lists import (
    Agreement,
    add_to_list,
    check_still_there,
    count_lists,
    create_list,
    delete_list,
    finish_deletions,
    join_list_many,
    list_page,
    lists_by_id,
    live_list,
    member_counts,
    member_page,
    member_pages,
    membership_in,
    remove_from_list,
    update_list,
)
from resolvers.lists import records as records_module
from resolvers.lists.members import end_memberships
from resolvers.pages import page_request

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
API = MembershipSource.API


async def people(db: Database, count: int, **fields: Any) -> list[ObjectId]:
    made: list[Document] = [
        {
            "_id": ObjectId(),
            "email": f"p{index}-{ObjectId()}@example.org",
            "properties": {},
            "created_at": NOW,
            "updated_at": NOW,
            **fields,
        }
        for index in range(count)
    ]
    await db.profiles.insert_many(made)
    return [each["_id"] for each in made]


def someone(name: str, **more: Any) -> ProfileChange:
    return profile_change({"email": f"{name}@example.org", **more})


async def test_a_list_asks_for_confirmation_unless_told(db: Database) -> None:
    made = await create_list(db, "  Spring  sale ", now=NOW)

    assert made == {
        "_id": made["_id"],
        "name": "Spring sale",
        "name_key": "spring sale",
        "opt_in": "DOUBLE",
        "created_at": NOW,
        "updated_at": NOW,
    }
    assert await lists_by_id(db, ["6" * 24, str(made["_id"])]) == [None, made]


async def test_a_name_is_unique_whatever_its_case(db: Database) -> None:
    news = await create_list(db, "News", now=NOW)
    other = await create_list(db, "Other", now=NOW)

    with pytest.raises(Taken) as created:
        await create_list(db, " NEWS ", now=NOW)
    with pytest.raises(Taken) as renamed:
        await update_list(db, other["_id"], name="news", now=NOW)
    again = await update_list(db, news["_id"], name="NEWS", now=NOW + HOUR)

    assert created.value.problems[0].path == ("name",)
    assert renamed.value.problems[0].path == ("name",)
    assert (again["name"], again["updated_at"]) == ("NEWS", NOW + HOUR)


async def test_of_concurrent_same_names_one_is_made(db: Database) -> None:
    outcomes: list[str] = []

    async def create() -> None:
        try:
            await create_list(db, "News", now=NOW)
            outcomes.append("made")
        except Taken:
            outcomes.append("taken")

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(create)

    assert sorted(outcomes) == ["made", *["taken"] * 7]


async def test_a_list_changes_what_is_given(db: Database) -> None:
    made = await create_list(db, "News", now=NOW)

    changed = await update_list(db, made["_id"], opt_in=OptIn.SINGLE, now=NOW + HOUR)

    assert changed == {**made, "opt_in": "SINGLE", "updated_at": NOW + HOUR}
    with pytest.raises(NotFound):
        await update_list(db, "6" * 24, opt_in=OptIn.SINGLE, now=NOW)


async def test_there_are_at_most_a_thousand_lists(db: Database) -> None:
    await db.lists.insert_many(
        {
            "name": f"L{index}",
            "name_key": f"l{index}",
            "opt_in": "DOUBLE",
            "created_at": NOW,
            "updated_at": NOW,
        }
        for index in range(MAX_LISTS - 1)
    )
    refused = 0

    async def create(index: int) -> None:
        nonlocal refused
        try:
            await create_list(db, f"New {index}", now=NOW)
        except LimitReached:
            refused += 1

    async with anyio.create_task_group() as tasks:
        for index in range(4):
            tasks.start_soon(create, index)

    assert refused >= 3
    assert await count_lists(db) <= MAX_LISTS


async def test_lists_come_by_name_and_are_found_by_a_part_of_it(db: Database) -> None:
    for name in ("b.news", "A news", "c+offers", "Bxnews"):
        await create_list(db, name, now=NOW)

    first = await list_page(db, page_request(first=3))
    rest = await list_page(db, page_request(first=3, after=first.cursors[-1]))
    found = await list_page(db, page_request(), search=" B.N")

    names = [[row["name"] for row in page.rows] for page in (first, rest, found)]
    assert names == [["A news", "b.news", "Bxnews"], ["c+offers"], ["b.news"]]
    assert await count_lists(db, search="NEWS") == 3


async def test_a_segment_is_no_list(db: Database) -> None:
    segment = {
        "_id": ObjectId(),
        "name": "VIP",
        "name_key": "vip",
        "definition": {},
        "created_at": NOW,
        "updated_at": NOW,
    }
    await db.segments.insert_one(segment)

    with pytest.raises(NotAllowed, match="This is a segment"):
        await live_list(db, str(segment["_id"]))
    with pytest.raises(NotFound):
        await live_list(db, "6" * 24)
    with pytest.raises(InvalidInput):
        await live_list(db, "news")


async def test_people_join_once(db: Database) -> None:
    news = (await create_list(db, "News", now=NOW))["_id"]
    ann, bob = await people(db, 2)

    first = await join_list_many(db, news, [(ann, NOW)], API, now=NOW)
    second = await join_list_many(
        db,
        news,
        [(ann, NOW + HOUR), (bob, NOW - HOUR), (bob, NOW), (ObjectId(), NOW)],
        MembershipSource.IMPORT,
        now=NOW + HOUR,
    )

    assert (first, second) == (1, 1)
    rows = await find(db.profiles, {}, sort={"_id": 1})
    assert [row["lists"] for row in rows] == [
        [{"list_id": news, "joined_at": NOW, "source": "API"}],
        [{"list_id": news, "joined_at": NOW - HOUR, "source": "IMPORT"}],
    ]
    assert await join_list_many(db, news, [], API, now=NOW) == 0


async def test_concurrent_joins_make_one_membership(db: Database) -> None:
    news = (await create_list(db, "News", now=NOW))["_id"]
    (ann,) = await people(db, 1)
    joined: list[int] = []

    async def join() -> None:
        joined.append(await join_list_many(db, news, [(ann, NOW)], API, now=NOW))

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(join)

    assert sum(joined) == 1
    assert await member_counts(db, [news]) == [1]


async def test_members_are_paged_and_counted(db: Database) -> None:
    news = (await create_list(db, "News", now=NOW))["_id"]
    sale = (await create_list(db, "Sale", now=NOW))["_id"]
    none = (await create_list(db, "None", now=NOW))["_id"]
    everyone = await people(db, 5)
    await join_list_many(db, sale, [(each, NOW) for each in everyone[3:]], API, now=NOW)
    await join_list_many(db, news, [(each, NOW) for each in everyone], API, now=NOW)

    first = await member_page(db, news, page_request(first=3))
    rest = await member_page(db, news, page_request(first=3, after=first.cursors[-1]))
    last = await member_page(db, news, page_request(last=2))
    pages = await member_pages(db, [sale, none, news, sale], page_request(first=2))

    assert [row["_id"] for row in first.rows] == everyone[:3]
    assert (first.has_next, rest.has_next) == (True, False)
    assert [row["_id"] for row in rest.rows] == everyone[3:]
    assert [row["_id"] for row in last.rows] == everyone[3:]
    assert [[row["_id"] for row in page.rows] for page in pages] == [
        everyone[3:],
        [],
        everyone[:2],
        everyone[3:],
    ]
    assert await member_counts(db, [none, sale, news]) == [0, 2, 5]
    assert await member_counts(db, []) == []
    assert await member_pages(db, [], page_request()) == []
    assert membership_in(first.rows[0], news) == {
        "list_id": news,
        "joined_at": NOW,
        "source": "API",
    }
    assert membership_in(first.rows[0], none) is None


async def test_members_are_counted_in_the_index(db: Database) -> None:
    news = (await create_list(db, "News", now=NOW))["_id"]
    pipeline = [
        {"$match": {"lists.list_id": news}},
        {"$group": {"_id": {"$literal": news}, "count": {"$sum": 1}}},
    ]

    database = db.client.get_database(db.name)
    plan = await database.command(
        "explain",
        {"aggregate": "profiles", "pipeline": pipeline, "cursor": {}},
        verbosity="queryPlanner",
    )

    assert "COUNT_SCAN" in str(plan)


async def test_leaving_keeps_consent(db: Database) -> None:
    news = (await create_list(db, "News", now=NOW))["_id"]
    ann, bob = await people(db, 2)
    await set_consent(db, ann, Channel.EMAIL, Status.SUBSCRIBED, now=NOW)
    await join_list_many(db, news, [(ann, NOW)], API, now=NOW)

    removed = await remove_from_list(db, news, [str(ann), bob, "6" * 24], now=NOW)
    again = await remove_from_list(db, news, [ann], now=NOW)

    profile = await db.profiles.find_one({"_id": ann})
    assert profile is not None
    assert (removed, again, profile["lists"]) == (1, 0, [])
    assert state_of(profile, Channel.EMAIL).status is Status.SUBSCRIBED


async def test_whom_to_remove_is_checked(db: Database) -> None:
    news = (await create_list(db, "News", now=NOW))["_id"]

    with pytest.raises(InvalidInput) as malformed:
        await remove_from_list(db, news, ["6" * 24, "ann"], now=NOW)
    with pytest.raises(TooLarge) as many:
        await remove_from_list(db, news, ["6" * 24] * 1_001, now=NOW)
    with pytest.raises(NotFound) as unknown:
        await remove_from_list(db, "6" * 24, ["6" * 24], now=NOW)

    assert malformed.value.problems[0].path == ("profileIds", "1")
    assert many.value.problems[0].path == ("profileIds",)
    assert unknown.value.problems[0].path == ("listId",)


async def test_deleting_ends_memberships_and_frees_the_name(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records_module, "_BATCH", 2)
    news = (await create_list(db, "News", now=NOW))["_id"]
    sale = (await create_list(db, "Sale", now=NOW))["_id"]
    everyone = await people(db, 5, pending=[{"list_id": news}, {"list_id": sale}])
    for each in (news, sale):
        await join_list_many(db, each, [(one, NOW) for one in everyone], API, now=NOW)
    await people(db, 1, pending=[{"list_id": news}])
    await people(db, 1, left={str(news): NOW, str(sale): NOW}, pending=[])

    assert await delete_list(db, str(news), now=NOW) == news

    rows = await find(db.profiles, {}, sort={"_id": 1})
    assert [[each["list_id"] for each in row["lists"]] for row in rows[:5]] == [
        [sale]
    ] * 5
    assert [row["pending"] for row in rows] == [[{"list_id": sale}]] * 5 + [[], []]
    assert rows[6]["left"] == {str(sale): NOW}
    assert await lists_by_id(db, [news]) == [None]
    with pytest.raises(NotFound):
        await delete_list(db, news, now=NOW)
    assert (await create_list(db, "News", now=NOW))["_id"] != news


async def test_an_interrupted_deletion_is_finished_later(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records_module, "_BATCH", 2)
    news = (await create_list(db, "News", now=NOW))["_id"]
    everyone = await people(db, 5)
    await join_list_many(db, news, [(each, NOW) for each in everyone], API, now=NOW)
    rounds = 0

    async def fail_later(db: Database, list_id: ObjectId, ids: list[ObjectId]) -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 2:
            raise ConnectionError("the process ends here")
        await end_memberships(db, list_id, ids)

    monkeypatch.setattr(records_module, "end_memberships", fail_later)
    with pytest.raises(ConnectionError):
        await delete_list(db, news, now=NOW)

    # Gone for everybody, though not all of it.
    assert await member_counts(db, [news]) == [3]
    assert await lists_by_id(db, [news]) == [None]
    assert (await list_page(db, page_request())).rows == []
    with pytest.raises(NotFound):
        await update_list(db, news, name="Old", now=NOW)
    with pytest.raises(NotFound):
        await join_list_many(db, news, [(everyone[0], NOW)], API, now=NOW)
    await create_list(db, "News", now=NOW)

    assert await finish_deletions(db) == 1
    assert await finish_deletions(db) == 0
    assert await member_counts(db, [news]) == [0]
    assert await db.lists.count_documents({}) == 1


async def test_who_joins_while_the_list_goes_is_taken_back(db: Database) -> None:
    news = (await create_list(db, "News", now=NOW))["_id"]
    (ann,) = await people(db, 1)
    await join_list_many(db, news, [(ann, NOW)], API, now=NOW)
    await db.lists.update_one({"_id": news}, {"$set": {"deleted_at": NOW}})

    with pytest.raises(NotFound):
        await check_still_there(db, news, [ann])

    assert await member_counts(db, [news]) == [0]


async def test_quick_add_takes_new_and_known_people(db: Database) -> None:
    news = (await create_list(db, "News", OptIn.DOUBLE, now=NOW))["_id"]
    await add_to_list(db, news, [someone("known")], now=NOW)
    bad = InvalidInput("This is not an e-mail address.", ("email",))

    added = await add_to_list(
        db,
        news,
        [
            someone("known", firstName="Kim"),
            bad,
            someone("new", firstName="Ann"),
            someone("new", lastName="Lee"),
        ],
        now=NOW + HOUR,
    )

    assert added.list["_id"] == news
    assert (added.added, added.already_members) == (1, 2)
    assert [person.problems for person in added.people] == [
        (),
        (
            Problem(
                Code.INVALID,
                "This is not an e-mail address.",
                ("profiles", "1", "email"),
            ),
        ),
        (),
        (),
    ]
    profiles = [person.profile for person in added.people if person.profile]
    assert [(each.get("first_name"), each.get("last_name")) for each in profiles] == [
        ("Kim", None),
        ("Ann", "Lee"),
        ("Ann", "Lee"),
    ]
    assert membership_in(profiles[1], news) == {
        "list_id": news,
        "joined_at": NOW + HOUR,
        "source": "QUICK_ADD",
    }
    # Joining a list is no agreement.
    assert state_of(profiles[1], Channel.EMAIL).status is Status.NEVER_SUBSCRIBED
    assert await db.consent_changes.count_documents({}) == 0


async def test_quick_add_records_an_agreement_of_those_never_asked(
    db: Database,
) -> None:
    news = (await create_list(db, "News", now=NOW))["_id"]
    left, suppressed = await people(db, 2)
    await set_consent(db, left, Channel.EMAIL, Status.UNSUBSCRIBED, now=NOW)
    await suppress(db, suppressed, Channel.EMAIL, now=NOW)
    known = [
        ProfileChange(identity=profile_change({"id": str(each)}).identity)
        for each in (left, suppressed)
    ]

    added = await add_to_list(
        db,
        news,
        [someone("new"), *known],
        [Agreement(Channel.EMAIL, "Fair 2026", NOW - HOUR, "I agree.")],
        now=NOW,
    )

    assert added.added == 3
    states = [
        state_of(person.profile, Channel.EMAIL)
        for person in added.people
        if person.profile
    ]
    assert [state.status for state in states] == [
        Status.SUBSCRIBED,
        Status.UNSUBSCRIBED,
        Status.SUBSCRIBED,
    ]
    assert (states[0].method, states[0].source) == (Method.QUICK_ADD, "Fair 2026")
    assert states[0].consented_at == NOW - HOUR
    assert states[2].suppression is not None
    # They are in the list; the problem says what was not done.
    assert added.people[0].problems == ()
    (problem,) = added.people[1].problems
    assert (problem.code, problem.path) == (Code.CONSENT_REQUIRED, ("consent", "0"))
    line = await db.consent_changes.find_one({"to": "SUBSCRIBED"})
    assert line is not None
    assert (line["consent_text"], line["list_id"]) == ("I agree.", news)


async def test_an_agreement_for_a_missing_address_is_told(db: Database) -> None:
    news = (await create_list(db, "News", now=NOW))["_id"]

    added = await add_to_list(
        db, news, [someone("ann")], [Agreement(Channel.SMS, "Fair 2026")], now=NOW
    )

    assert added.added == 1
    assert [problem.path for problem in added.people[0].problems] == [("consent", "0")]


@pytest.mark.parametrize(
    ("agreements", "path"),
    [
        ([Agreement(Channel.EMAIL, " ")], ("consent", "0", "source")),
        (
            [Agreement(Channel.EMAIL, "a"), Agreement(Channel.EMAIL, "b")],
            ("consent", "1", "channel"),
        ),
        ([Agreement(Channel.EMAIL, "a", NOW + HOUR)], ("consent", "0", "at")),
        (
            [Agreement(Channel.EMAIL, "a", None, "x" * 5_001)],
            ("consent", "0", "consentText"),
        ),
    ],
)
async def test_agreements_are_checked_before_anyone_is_added(
    db: Database, agreements: list[Agreement], path: tuple[str, ...]
) -> None:
    news = (await create_list(db, "News", now=NOW))["_id"]

    with pytest.raises(AudienceError) as refusal:
        await add_to_list(db, news, [someone("ann")], agreements, now=NOW)

    assert refusal.value.problems[0].path == path
    assert await db.profiles.count_documents({}) == 0


@pytest.mark.parametrize("count", [0, 1_001])
async def test_quick_add_takes_one_to_a_thousand(db: Database, count: int) -> None:
    news = (await create_list(db, "News", now=NOW))["_id"]

    with pytest.raises(AudienceError) as refusal:
        await add_to_list(db, news, [someone("ann")] * count, now=NOW)

    assert refusal.value.problems[0].path == ("profiles",)


async def test_a_thousand_people_at_once(db: Database) -> None:
    news = (await create_list(db, "News", now=NOW))["_id"]
    everyone = [someone(f"p{index}") for index in range(1_000)]
    agreement = Agreement(Channel.EMAIL, "Fair 2026")

    added = await add_to_list(db, news, everyone, [agreement], now=NOW)

    assert (added.added, added.already_members) == (1_000, 0)
    assert await member_counts(db, [news]) == [1_000]
    assert await db.consent_changes.count_documents({"to": "SUBSCRIBED"}) == 1_000
