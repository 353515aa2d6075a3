"""Erasing people: all of it, whatever stops it and whoever writes meanwhile."""

import csv
import io
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bson import Int64, ObjectId

from audience.consent import Channel, Status
from audience.errors import InvalidInput, NotFound
from audience.evidence import Evidence
from audience.identity import Identity, identity
from audience.integrations.kinds import (
    InboundWebhook,
    Integration,
    Mapping,
    MessageProvider,
    Settings,
    Shopify,
    TextMessages,
)
from audience.profiles import profile_change
from audience.push import Platform, device
from audience.rows.erasing import without_values
from audience.rows.sheets import csv_line, unguarded
from resolvers.consent import set_consent
from resolvers.db import Database, Document, find
from resolvers.erasures import QUIET_AFTER, erase_profile, finish_erasures
from resolvers.events import track_events
from resolvers.imports import NewImport, run_waiting_imports, start_import, starting
from resolvers.integrations import create_integration, store_call
from resolvers.memberships import kept_sizes
from resolvers.merges import merge_profiles
from resolvers.outbox import put_message
from resolvers.profiles import upsert_profile
from resolvers.push_tokens import register_push_token
from resolvers.segments import create_segment
from resolvers.summaries import recover_batches
from tests.membership_histories import catch_up, keeping
from tests.resolvers.histories import (
    NOW,
    event,
    killed_after,
    overtaken_after,
    unique_ids,
)

pytestmark = pytest.mark.anyio

ADA, BOB = "ada@example.org", "bob@example.org"
PHONE = "+14155550132"
LATER = NOW + QUIET_AFTER


async def person(db: Database, **given: str) -> Document:
    return (await upsert_profile(db, profile_change(given), NOW)).profile


async def full_person(db: Database) -> tuple[Document, ObjectId]:
    """Ada, of whom much is kept, and the id of the profile merged into hers."""
    old = await person(db, externalId="A-1", anonymousId="laptop")
    ada = await person(db, email=ADA, phoneNumber=PHONE, firstName="Ada")
    for each, numbers in ((old, range(3)), (ada, range(3, 6))):
        who = Identity(id=str(each["_id"]))
        await track_events(db, [event(who, n) for n in numbers], NOW)
    await merge_profiles(db, old["_id"], ada["_id"], NOW)
    await set_consent(
        db,
        ada["_id"],
        Channel.EMAIL,
        Status.SUBSCRIBED,
        now=NOW,
        source="Fair",
        evidence=Evidence("192.0.2.7", "Browser", "News?"),
    )
    await register_push_token(
        db, identity(email=ADA), device("t-1", Platform.IOS), now=NOW
    )
    await put_message(db, "confirmation", ADA, {"token": "x"}, NOW)
    await put_message(db, "confirmation", BOB, {"token": "y"}, NOW)
    return ada, old["_id"]


async def everything(db: Database) -> str:
    """All that the database keeps, as text."""
    found: list[Any] = []
    for name in await db.client.get_database(db.name).list_collection_names():
        if name not in ("erasures", "system.views"):
            found += await find(db.client.get_database(db.name)[name], {})
    return repr(found)


async def test_nothing_is_left_of_the_person_and_all_of_the_others(
    db: Database,
) -> None:
    ada, former = await full_person(db)
    bob = await person(db, email=BOB)
    who = Identity(id=str(bob["_id"]))
    await track_events(db, [event(who, 9)], NOW)
    await set_consent(db, bob["_id"], Channel.EMAIL, Status.SUBSCRIBED, now=NOW)

    erased = await erase_profile(db, former, NOW, method="API")

    assert erased == ada["_id"]
    kept = await everything(db)
    for trace in (ADA, PHONE, "Ada", "A-1", "laptop", "t-1", "192.0.2.7", "Browser"):
        assert trace not in kept
    assert str(ada["_id"]) not in kept
    assert str(former) not in kept
    assert [row["email"] for row in await find(db.profiles, {})] == [BOB]
    assert await unique_ids(db) == ["e9"]
    assert [row["to"] for row in await find(db.outbox, {})] == [BOB]


async def test_the_consent_trail_tells_what_was_agreed_and_not_by_whom(
    db: Database,
) -> None:
    ada, _ = await full_person(db)

    await erase_profile(db, ada["_id"], NOW, method="API")

    lines = await find(db.consent_changes, {}, sort={"channel": 1})
    (pseudonym,) = {line["profile_id"] for line in lines}
    assert pseudonym != ada["_id"]
    assert [
        {name: line[name] for name in line if name not in ("_id", "profile_id")}
        for line in lines
    ] == [
        {
            "channel": "EMAIL",
            "from": "NEVER_SUBSCRIBED",
            "to": "SUBSCRIBED",
            "at": NOW,
            "recorded_at": NOW,
            "method": "API",
            "source": "Fair",
            "consent_text": "News?",
        },
        {
            "channel": "PUSH",
            "from": "NEVER_SUBSCRIBED",
            "to": "SUBSCRIBED",
            "at": NOW,
            "recorded_at": NOW,
            "method": "DEVICE",
            "source": "Push token",
        },
    ]


async def test_of_the_erasure_only_its_time_stays(db: Database) -> None:
    ada, _ = await full_person(db)
    await erase_profile(db, ada["_id"], NOW, method="API")

    early = await finish_erasures(db, LATER - timedelta(seconds=1))
    late = await finish_erasures(db, LATER)

    assert (early, late) == (0, 1)
    (entry,) = await find(db.erasures, {}, {"_id": 0})
    assert entry == {
        "at": NOW,
        "method": "API",
        "swept_at": LATER,
        "finished_at": LATER,
    }


async def test_an_erasure_that_stops_anywhere_is_brought_to_its_end(
    db: Database,
) -> None:
    steps, ended, begun = 0, False, 0
    while not ended:
        for name in ("profiles", "events", "consent_changes", "outbox", "erasures"):
            await getattr(db, name).delete_many({})
        ada, former = await full_person(db)

        erasing = erase_profile(db, ada["_id"], NOW, method="API")
        ended = await killed_after(steps, erasing)
        if await db.profiles.find_one({"_id": ada["_id"]}) is None:
            begun += 1
            await finish_erasures(db, NOW)
        else:
            # Nothing has happened yet: then nothing of it may have.
            assert len(await unique_ids(db)) == 6
            assert await find(db.erasures, {}) == []
            await erase_profile(db, ada["_id"], NOW, method="API")

        kept = await everything(db)
        assert ADA not in kept
        assert str(ada["_id"]) not in kept
        assert str(former) not in kept
        assert await unique_ids(db) == []
        steps += 1

    assert begun > 5


async def test_finishing_that_stops_anywhere_is_done_again(db: Database) -> None:
    steps, ended = 0, False
    while not ended:
        await db.erasures.delete_many({})
        ada, _ = await full_person(db)
        await erase_profile(db, ada["_id"], NOW, method="API")

        ended = await killed_after(steps, finish_erasures(db, LATER))
        await finish_erasures(db, LATER)

        (entry,) = await find(db.erasures, {}, {"_id": 0})
        assert sorted(entry) == ["at", "finished_at", "method", "swept_at"]
        steps += 1

    assert steps > 5


async def test_events_under_way_leave_nothing_behind(db: Database) -> None:
    steps, ended = 0, False
    while not ended:
        await db.profiles.delete_many({})
        await db.events.delete_many({})
        ada = await person(db, email=ADA)
        who = Identity(id=str(ada["_id"]))

        tracking = track_events(db, [event(who, n) for n in range(3)], NOW)
        erasing = erase_profile(db, ada["_id"], NOW, method="API")
        ended = await overtaken_after(steps, tracking, erasing)
        if not ended:
            await recover_batches(db, NOW + timedelta(seconds=1), timedelta(0))

            assert await find(db.profiles, {}) == []
            assert await unique_ids(db) == []
        steps += 1

    assert steps > 5


async def test_events_that_come_late_find_nobody_or_somebody_new(db: Database) -> None:
    ada, former = await full_person(db)
    await erase_profile(db, ada["_id"], NOW, method="API")

    by_id, by_former, by_email = await track_events(
        db,
        [
            event(Identity(id=str(ada["_id"])), 1),
            event(Identity(id=str(former)), 2),
            event(Identity(email=ADA), 3),
        ],
        NOW,
    )

    assert isinstance(by_id.error, NotFound)
    assert isinstance(by_former.error, NotFound)
    (new,) = await find(db.profiles, {})
    assert new["_id"] not in (ada["_id"], former)
    assert by_email.event is not None
    assert by_email.event["profile_id"] == new["_id"]
    fields = {name: new.get(name) for name in ("email", "consent", "lists", "phone")}
    assert fields == {"email": ADA, "consent": {}, "lists": [], "phone": None}
    assert [metric["n"] for metric in new["summary"].values()] == [1]
    # And what makes the erasure final leaves the new person alone.
    await finish_erasures(db, LATER)
    assert len(await find(db.profiles, {})) == 1
    assert await unique_ids(db) == ["e3"]


async def test_what_somebody_new_sends_under_the_same_address_is_not_touched(
    db: Database,
) -> None:
    ada = await person(db, email=ADA)
    await erase_profile(db, ada["_id"], NOW, method="API")
    # Ids tell seconds: as if the erasure had begun a little earlier.
    (entry,) = await find(db.erasures, {})
    await db.erasures.delete_one({"_id": entry["_id"]})
    past = entry["_id"].generation_time - timedelta(seconds=2)
    await db.erasures.insert_one({**entry, "_id": ObjectId.from_datetime(past)})
    rows = f"E-mail\n{ADA}\n".encode()
    await put_message(db, "confirmation", ADA, {"token": "new"}, NOW)
    await start_import(db, lambda: io.BytesIO(rows), NewImport("a.csv"), now=NOW)

    await finish_erasures(db, LATER)
    await run_waiting_imports(db, "worker", clock=lambda: LATER)

    assert [row["content"] for row in await find(db.outbox, {})] == [{"token": "new"}]
    assert [row["email"] for row in await find(db.profiles, {})] == [ADA]


async def test_a_merge_under_way_is_erased_with_the_rest(db: Database) -> None:
    steps, ended = 0, False
    while not ended:
        for name in ("profiles", "events", "consent_changes", "event_batches"):
            await getattr(db, name).delete_many({})
        source = await person(db, email=BOB)
        ada = await person(db, email=ADA)
        await set_consent(db, source["_id"], Channel.EMAIL, Status.SUBSCRIBED, now=NOW)
        for each, number in ((source, 1), (ada, 2)):
            who = Identity(id=str(each["_id"]))
            await track_events(db, [event(who, number)], NOW)

        merging = merge_profiles(db, source["_id"], ada["_id"], NOW)
        ended = await killed_after(steps, merging)
        united = await db.profiles.find_one({"_id": source["_id"]}) is None
        await erase_profile(db, ada["_id"], NOW, method="API")
        await recover_batches(db, NOW + timedelta(seconds=1), timedelta(0))
        await finish_erasures(db, LATER)

        ids = {row["_id"] for row in await find(db.profiles, {})}
        assert ids == (set() if united else {source["_id"]})
        assert {row["profile_id"] for row in await find(db.events, {})} <= ids
        trail = {row["profile_id"] for row in await find(db.consent_changes, {})}
        assert trail.isdisjoint({ada["_id"]} | ({source["_id"]} - ids))
        steps += 1

    assert steps > 5


FILE = (
    "E-mail,Phone,Note\r\n"
    "ada@example.org,,first\r\n"
    'ADA@Example.org,,"two\r\nlines"\r\n'
    ",(415) 555-0132,by phone\r\n"
    "bob@example.org,,about ada@example.org\r\n"
    "ada@example.org,not a number,rejected\r\n"
)


async def test_rows_that_wait_to_be_imported_and_rejected_values_go_too(
    db: Database,
) -> None:
    wanted = NewImport("people.csv", phone_region="US")
    await start_import(db, lambda: io.BytesIO(FILE.encode()), wanted, now=NOW)
    ada = await person(db, email=ADA, phoneNumber=PHONE)

    await erase_profile(db, ada["_id"], NOW, method="API")
    await run_waiting_imports(db, "worker", clock=lambda: LATER)

    assert [row["email"] for row in await find(db.profiles, {})] == [BOB]


@pytest.mark.parametrize(
    ("who", "row"),
    [
        ({"phoneNumber": PHONE}, ",(415) 555-0132,"),
        ({"externalId": "10042"}, ",,'10042"),
        ({"email": "ada@xn--bcher-kva.example"}, "Ada@BÜCHER.example,,"),
    ],
)
async def test_one_identifier_finds_the_row_however_it_is_written(
    db: Database, who: dict[str, str], row: str
) -> None:
    rows = f"E-mail,Phone,Customer ID\n{row}\n{BOB},,\n".encode()
    wanted = NewImport("people.csv", phone_region="US")
    await start_import(db, lambda: io.BytesIO(rows), wanted, now=NOW)
    ada = await person(db, **who)

    await erase_profile(db, ada["_id"], NOW, method="API")
    await run_waiting_imports(db, "worker", clock=lambda: LATER)

    assert [each["email"] for each in await find(db.profiles, {})] == [BOB]


@pytest.mark.parametrize(
    ("who", "value"),
    [
        ({"phone_number": "+491711234567"}, "0171 1234567"),
        ({"phone_number": "+491711234567"}, "+49 (171) 123-4567"),
        ({"external_id": "10042"}, "'10042"),
        ({"email": "ada@bücher.example"}, " Ada@xn--bcher-kva.example"),
    ],
)
def test_rejected_values_are_known_however_they_are_written(
    who: dict[str, str], value: str
) -> None:
    content = "".join(
        map(csv_line, (["2", "Column", value, "Wrong."], ["3", "C", "other", "Wrong."]))
    )

    kept = without_values(content.encode(), who)

    assert kept is not None
    assert kept.decode() == "2,Column,,Wrong.\r\n3,C,other,Wrong.\r\n"


async def test_rows_whose_import_never_came_about_go_within_an_hour(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[datetime]] = []

    async def expiries() -> None:
        blocks = await find(db.import_blocks, {})
        seen.append([block["expires_at"] for block in blocks])

    async def kept(*given: Any) -> tuple[int, int]:
        count = await keep(*given)
        await expiries()
        return count

    keep = starting._keep
    monkeypatch.setattr(starting, "_keep", kept)
    rows = f"E-mail\n{ADA}\n".encode()

    await start_import(db, lambda: io.BytesIO(rows), NewImport("a.csv"), now=NOW)
    await expiries()

    assert seen == [[NOW + timedelta(hours=1)], [NOW + timedelta(days=30)]]


async def test_rejected_values_of_the_person_go_and_others_stay(db: Database) -> None:
    ada = await person(db, email=ADA)
    await person(db, email=BOB, phoneNumber=PHONE)
    rows = f"E-mail,Phone\n{ADA},{PHONE}\nnobody,1\n".encode()
    await start_import(db, lambda: io.BytesIO(rows), NewImport("a.csv"), now=NOW)
    await run_waiting_imports(db, "worker", clock=lambda: LATER)
    before = await rejected(db)

    await erase_profile(db, ada["_id"], NOW, method="API")

    after = await rejected(db)
    assert [row[:3] for row in before] == [
        ["2", "Phone", PHONE],
        ["3", "E-mail", "nobody"],
        ["3", "Phone", "1"],
    ]
    assert after == before
    bob = await db.profiles.find_one({"email": BOB})
    assert bob is not None
    await erase_profile(db, bob["_id"], NOW, method="API")
    assert await rejected(db) == [["2", "Phone", "", before[0][3]], *before[1:]]


async def rejected(db: Database) -> list[list[str]]:
    """The rows that imports have rejected: line, column, value, reason."""
    blocks = await find(db.import_blocks, {"kind": "REJECTED"})
    text = "".join(bytes(block["content"]).decode() for block in blocks)
    return [
        [unguarded(cell) if cell else cell for cell in row]
        for row in csv.reader(io.StringIO(text, newline=""))
    ]


async def test_waiting_calls_that_name_the_person_go_and_no_others(
    db: Database,
) -> None:
    ada = await person(
        db, email=ADA, phoneNumber=PHONE, externalId="A-7", anonymousId="phone-app"
    )
    bob = await person(db, email=BOB)
    targets = ("email", "phoneNumber", "externalId", "anonymousId", "location.country")
    mappings = tuple(Mapping(each, f"$['{each}']") for each in targets)
    integrations: dict[str, Settings] = {
        "json": InboundWebhook(mappings),
        "texts": TextMessages(MessageProvider.TWILIO, (), "Help."),
        "shop": Shopify(),
    }
    ids = {
        name: (
            await create_integration(
                db,
                Integration(name, settings),
                secret="a-secret-for-tests-only",  # noqa: S106
                server_secret="of the server",  # noqa: S106
                now=NOW,
            )
        ).document["_id"]
        for name, settings in integrations.items()
    }
    for number, profile in ((1, ada), (2, bob)):
        await db.integration_people.insert_one(
            {
                "_id": f"{ids['shop']}:order:{number}",
                "profile_id": profile["_id"],
                "integration_id": ids["shop"],
                "expires_at": LATER,
            }
        )
    theirs: dict[str, tuple[str, str, bytes]] = {
        "address": ("json", "", b'{"email": " ADA@Example.org "}'),
        "escaped": ("json", "", rb'{"email": "\u0061da\u0040example.org"}'),
        "number": ("json", "", b'{"phoneNumber": "+1 (415) 555-0132"}'),
        "national": (
            "json",
            "",
            b'{"phoneNumber": "415.555.0132", "location.country": "US"}',
        ),
        "id": ("json", "", b'{"externalId": "A-7", "email": "new@example.org"}'),
        "device": ("json", "", b'{"anonymousId": "phone-app"}'),
        "text": ("texts", "", b"From=%2B1%20415%20555%200132&Body=TEA&MessageSid=1"),
        "refund": ("shop", "refunds/create", b'{"id": 9, "order_id": 1}'),
    }
    others: dict[str, tuple[str, str, bytes]] = {
        "bob": ("json", "", b'{"email": "bob@example.org"}'),
        "about": ("json", "", b'{"email": "c@example.org", "note": "ada@example.org"}'),
        "case": ("json", "", b'{"externalId": "a-7"}'),
        "odd": ("json", "", b"[1"),
        "his refund": ("shop", "refunds/create", b'{"id": 9, "order_id": 2}'),
        "gone": ("none", "", b'{"email": "ada@example.org"}'),
    }
    for name, (kind, topic, raw) in (theirs | others).items():
        integration_id = ids.get(kind, ObjectId())
        await store_call(db, integration_id, name, topic, raw, NOW)

    await erase_profile(db, ada["_id"], NOW, method="API")

    left = await find(db.integration_calls, {})
    assert {call["call_id"] for call in left} == set(others)


async def test_messages_to_webhooks_lead_from_no_pseudonym_to_the_person(
    db: Database,
) -> None:
    ada, bob = await person(db, email=ADA), await person(db, email=BOB)
    rows = [
        {
            "_id": ObjectId(),
            "integration_id": ObjectId(),
            "profile_id": profile["_id"],
            "state": state,
            "kind": "ENTERED",
            "order": Int64(number),
            "attempts": 1,
            "created_at": NOW,
        }
        for number, (profile, state) in enumerate(
            [(ada, "DELIVERED"), (ada, "DEAD"), (ada, "PENDING"), (bob, "DELIVERED")]
        )
    ]
    await db.deliveries.insert_many(rows)

    await erase_profile(db, ada["_id"], NOW, method="API")
    await finish_erasures(db, LATER)

    # That somebody has left is still to be told.
    left = {row["_id"] for row in await find(db.deliveries, {})}
    assert left == {row["_id"] for row in rows[2:]}


async def test_a_segment_counts_and_logs_that_somebody_is_gone(db: Database) -> None:
    ada = await person(db, email=ADA)
    segment = ObjectId()
    row = {"segment_id": segment, "profile_id": ada["_id"], "entered_at": NOW}
    await db.segment_members.insert_one(dict(row))
    line = {"kind": "ENTERED", "cause": "CHANGE", "version": 1, "at": NOW}
    await db.segment_changes.insert_one(
        line | {"segment_id": segment, "profile_id": ada["_id"]}
    )
    await erase_profile(db, ada["_id"], NOW, method="API")

    waiting = await finish_erasures(db, LATER)
    (entry,) = await find(db.erasures, {})
    await db.segment_members.delete_many({})  # as its keeper does
    await db.segment_changes.insert_one(
        line | {"kind": "LEFT", "segment_id": segment, "profile_id": ada["_id"]}
    )
    done = await finish_erasures(db, LATER)

    assert (waiting, done) == (0, 1)
    # The person's identifiers do not wait for it.
    assert "who" not in entry
    lines = await find(db.segment_changes, {})
    (pseudonym,) = {each["profile_id"] for each in lines}
    assert pseudonym != ada["_id"]
    assert str(ada["_id"]) not in await everything(db)


async def test_the_keeper_takes_the_person_out_of_kept_memberships(
    db: Database,
) -> None:
    filter_ = {"path": "email", "is": {"exists": True}}
    definition = {"groups": [{"anyOf": [{"property": {"filter": filter_}}]}]}
    await create_segment(db, "everybody", definition, now=NOW)
    ada, bob = await person(db, email=ADA), await person(db, email=BOB)
    async with keeping(db, lambda: NOW, ZoneInfo("UTC")) as keeper:
        await catch_up(keeper)
        (segment,) = await find(db.segments, {})
        before = await kept_sizes(db, [segment])

        await erase_profile(db, ada["_id"], NOW, method="API")
        early = await finish_erasures(db, LATER)
        await catch_up(keeper)
        after = await kept_sizes(db, [segment])
        late = await finish_erasures(db, LATER)

    assert (before, after, early, late) == ([2], [1], 0, 1)
    (member,) = await find(db.segment_members, {})
    assert member["profile_id"] == bob["_id"]
    (left,) = await find(db.segment_changes, {"kind": "LEFT"})
    (entered,) = await find(
        db.segment_changes, {"kind": "ENTERED", "profile_id": {"$ne": bob["_id"]}}
    )
    assert left["cause"] == "GONE"
    assert left["profile_id"] == entered["profile_id"] != ada["_id"]
    assert str(ada["_id"]) not in await everything(db)


async def test_who_is_not_there_or_has_another_address_is_not_erased(
    db: Database,
) -> None:
    ada = await person(db, email=ADA)

    with pytest.raises(NotFound):
        await erase_profile(db, ObjectId(), NOW, method="API")
    with pytest.raises(InvalidInput) as caught:
        await erase_profile(db, ada["_id"], NOW, method="API", email=BOB)

    assert caught.value.problems[0].path == ("token",)
    assert await find(db.erasures, {}) == []
    assert len(await find(db.profiles, {})) == 1
