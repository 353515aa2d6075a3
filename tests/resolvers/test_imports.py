"""Imports on a real MongoDB: everybody written once, whatever happens on the way."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId

from audience.consent import Channel, Status, SuppressionReason
from audience.errors import AudienceError
from audience.lists import OptIn
from audience.profiles import profile_change
from audience.rows import Choice
from audience.rows.files import Source
from resolvers.consent import set_consent, suppress
from resolvers.db import Database, Document, find
from resolvers.imports import (
    NewImport,
    Overtaken,
    StatedConsent,
    cancel_import,
    has_waiting_imports,
    imports_by_id,
    rejected_rows,
    run_import,
    run_waiting_imports,
    start_import,
    take_import,
)
from resolvers.imports.jobs import job_of
from resolvers.lists import create_list, delete_list
from resolvers.profiles import upsert_profile

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
FAIR = StatedConsent(Channel.EMAIL, "Fair 2026", consent_text="Yes, write to me")


def source(text: str) -> Source:
    def pieces() -> Iterator[bytes]:
        yield text.encode()

    return pieces


async def new_list(db: Database) -> ObjectId:
    made = await create_list(db, "Fair", OptIn.DOUBLE, now=NOW)
    list_id: ObjectId = made["_id"]
    return list_id


async def started(db: Database, text: str, **wanted: Any) -> Document:
    return await start_import(db, source(text), NewImport("f.csv", **wanted), now=NOW)


async def imported(db: Database, text: str, **wanted: Any) -> Document:
    """The import after it has ended."""
    document = await started(db, text, **wanted)
    assert await run_waiting_imports(db, "tests", clock=lambda: NOW) == 1
    (found,) = await imports_by_id(db, [document["_id"]])
    assert found is not None
    return found


async def rejections(db: Database, document: Document) -> str:
    parts = [part async for part in rejected_rows(db, document["_id"])]
    return b"".join(parts).decode()


async def everybody(db: Database) -> list[Document]:
    return await find(db.profiles, {}, sort={"_id": 1})


async def trail(db: Database) -> list[Document]:
    return await find(db.consent_changes, {}, sort={"_id": 1})


async def test_new_people_are_made_whole(db: Database) -> None:
    list_id = await new_list(db)

    done = await imported(
        db,
        "Email,First Name,City,Visits\nAda@Example.org,Ada,London,3\n",
        list_id=list_id,
        consent=[FAIR],
    )

    job = job_of(done)
    consent = {
        "status": "SUBSCRIBED",
        "consented_at": NOW,
        "updated_at": NOW,
        "method": "IMPORT",
        "source": "Fair 2026",
        "double_opt_in": False,
    }
    assert await everybody(db) == [
        {
            "_id": job.profile_id(0),
            "email": "ada@example.org",
            "first_name": "Ada",
            "location": {"city": "London"},
            "properties": {"Visits": 3},
            "consent": {"email": consent},
            "lists": [{"list_id": list_id, "joined_at": NOW, "source": "IMPORT"}],
            "summary": {},
            "created_at": NOW,
            "updated_at": NOW,
            "search": ["ada@example.org"],
        }
    ]
    (line,) = await trail(db)
    assert line == {
        "_id": line["_id"],
        "profile_id": job.profile_id(0),
        "channel": "EMAIL",
        "from": "NEVER_SUBSCRIBED",
        "to": "SUBSCRIBED",
        "at": NOW,
        "recorded_at": NOW,
        "method": "IMPORT",
        "source": "Fair 2026",
        "consent_text": "Yes, write to me",
        "list_id": list_id,
    }
    assert (done["status"], done["counts"]) == (
        "COMPLETED",
        {"read": 1, "created": 1, "joined": 1, "consented": 1},
    )
    assert await db.import_blocks.count_documents({}) == 0


async def test_without_a_statement_nobody_agrees(db: Database) -> None:
    await imported(db, "Email,Accepts Marketing\na@example.org,yes\n")

    (profile,) = await everybody(db)
    assert (profile["consent"], profile["properties"]) == ({}, {})
    assert await trail(db) == []


async def test_a_file_makes_what_changes_one_by_one_make(db: Database) -> None:
    await imported(
        db, "Email,Phone,External ID,Country\na@example.org,+14155550132,x1,de\n"
    )
    (fast,) = await everybody(db)
    await db.profiles.delete_many({})

    change = profile_change(
        {
            "email": "a@example.org",
            "phoneNumber": "+14155550132",
            "externalId": "x1",
            "location": {"country": "de"},
        }
    )
    slow = (await upsert_profile(db, change, NOW)).profile

    assert fast | {"_id": 0} == slow | {"_id": 0}


async def test_known_people_are_changed_and_keep_their_answers(db: Database) -> None:
    list_id = await new_list(db)
    people = {}
    for name in ("new", "no", "bounced", "waits", "yes"):
        change = profile_change({"email": f"{name}@example.org", "firstName": "Old"})
        profile = (await upsert_profile(db, change, NOW)).profile
        people[name] = profile["_id"]
    before = NOW - timedelta(days=1)
    for name, status in (
        ("no", Status.UNSUBSCRIBED),
        ("waits", Status.PENDING),
        ("yes", Status.SUBSCRIBED),
    ):
        await set_consent(
            db, people[name], Channel.EMAIL, status, now=before, source="Shop"
        )
    await suppress(
        db, people["bounced"], Channel.EMAIL, SuppressionReason.HARD_BOUNCE, now=before
    )
    earlier = await trail(db)

    done = await imported(
        db,
        "Email,First Name\n"
        + "".join(f"{name.upper()}@example.org,New\n" for name in people),
        list_id=list_id,
        consent=[FAIR],
    )

    found = {row["email"].partition("@")[0]: row for row in await everybody(db)}
    assert [row["first_name"] for row in found.values()] == ["New"] * 5
    joined = {"list_id": list_id, "joined_at": NOW, "source": "IMPORT"}
    assert [row["lists"] for row in found.values()] == [[joined]] * 5
    assert {
        name: (
            row["consent"]["email"]["status"],
            row["consent"]["email"].get("source"),
            row["consent"]["email"].get("suppression", {}).get("reason"),
        )
        for name, row in found.items()
    } == {
        "new": ("SUBSCRIBED", "Fair 2026", None),
        "no": ("UNSUBSCRIBED", "Shop", None),
        "bounced": ("NEVER_SUBSCRIBED", None, "HARD_BOUNCE"),
        "waits": ("PENDING", "Shop", None),
        "yes": ("SUBSCRIBED", "Shop", None),
    }
    assert len(await trail(db)) == len(earlier) + 1
    assert done["counts"] == {
        "read": 5,
        "updated": 5,
        "joined": 5,
        "consented": 1,
        "kept_unsubscribed": 1,
        "kept_suppressed": 1,
        "kept_pending": 1,
    }


async def test_who_stands_twice_in_the_file_is_one_person(db: Database) -> None:
    rows = [f"p{number}@example.org,First,{number}" for number in range(2_500)]
    rows[1_000] = "P1@example.org,Second,77"
    rows[2_400] = "p1@example.org,,78"

    done = await imported(db, "Email,First Name,Score\n" + "\n".join(rows))

    assert done["counts"] == {"read": 2_500, "created": 2_498, "repeated": 2}
    assert await db.profiles.count_documents({}) == 2_498
    profile = await db.profiles.find_one({"email": "p1@example.org"})
    assert profile is not None
    assert (profile["first_name"], profile["properties"]) == ("Second", {"Score": 78})


async def test_rejected_rows_are_kept_with_their_reasons(db: Database) -> None:
    mail = profile_change({"email": "a@example.org"})
    a = (await upsert_profile(db, mail, NOW)).profile
    number = profile_change({"externalId": "x1"})
    x1 = (await upsert_profile(db, number, NOW)).profile

    done = await imported(
        db,
        "Email,External ID,Seen\n"
        "ok@example.org,,\n"
        "=cmd(),,\n"
        "a@example.org,x1,\n"
        ",,2026-01-01\n"
        "late@example.org,,2027-01-01\n",
        choices=[Choice("Seen", None)],
        consent=[StatedConsent(Channel.EMAIL, "Fair", when="Seen")],
    )

    assert done["counts"] == {"read": 5, "created": 1, "consented": 1, "rejected": 4}
    assert await rejections(db, done) == (
        "Line,Column,Value,Reason\r\n"
        "3,Email,'=cmd(),This is not an e-mail address: it must have an @-sign.\r\n"
        f'4,Email,a@example.org,"This e-mail address belongs to the profile '
        f"prf_{a['_id']}, this external id to the profile prf_{x1['_id']}: merge the "
        'two profiles, or give one of the identifiers only."\r\n'
        '5,,,"The row has no e-mail address, phone number or external id."\r\n'
        "6,Seen,2027-01-01T00:00:00+00:00,at is in the future; give the time it "
        "happened.\r\n"
    )


async def test_the_time_of_an_agreement_may_stand_in_the_file(db: Database) -> None:
    await imported(
        db,
        "Email,Phone,Yes,OPTIN_TIME\n"
        "a@example.org,+14155550132,1,2020-01-02 03:04:05\n"
        "b@example.org,,no,2020-01-02\n",
        consent=[
            StatedConsent(Channel.EMAIL, "Old", when="OPTIN_TIME", only_if="Yes"),
            StatedConsent(Channel.SMS, "Old"),
        ],
    )

    at = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    lines = [
        (line["channel"], line["at"], line["recorded_at"]) for line in await trail(db)
    ]
    assert sorted(lines) == [("EMAIL", at, NOW), ("SMS", NOW, NOW)]
    one, other = await everybody(db)
    assert one["consent"]["email"]["consented_at"] == at
    assert other["consent"] == {}


@pytest.mark.parametrize(
    ("text", "wanted", "path", "message"),
    [
        (
            "City\nRome\n",
            {},
            "columns",
            "No column identifies people: one must be an e-mail address, a phone "
            "number or an external id. The columns are 'City'.",
        ),
        (
            'Email\na@example.org\n"b@example.org\n',
            {},
            "file",
            "A quotation mark in the row that begins on line 3 is never closed.",
        ),
        (
            "Email\na@example.org\n",
            {"list_id": "0" * 24},
            "listId",
            "There is no such list.",
        ),
        (
            "Email\na@example.org\n",
            {"consent": [StatedConsent(Channel.EMAIL, " ")]},
            "consent.0.source",
            "Say where the agreement was given, such as the form or the event.",
        ),
        (
            "Email\na@example.org\n",
            {"consent": [FAIR, FAIR]},
            "consent.1.channel",
            "EMAIL is given twice; state one agreement per channel.",
        ),
        (
            "Email\na@example.org\n",
            {"consent": [StatedConsent(Channel.PUSH, "App")]},
            "consent.0.channel",
            "A file has no devices: PUSH is agreed to on the device itself.",
        ),
        (
            "Email\na@example.org\n",
            {"consent": [StatedConsent(Channel.EMAIL, "Fair", only_if="Yes")]},
            "consent.0.ifColumn",
            "The file has no column 'Yes'.",
        ),
        (
            "Email\na@example.org\n",
            {"phone_region": "Germany"},
            "phoneRegion",
            "The region is a country's code of two letters, such as DE.",
        ),
    ],
)
async def test_what_is_refused_leaves_nothing_behind(
    db: Database, text: str, wanted: dict[str, Any], path: str, message: str
) -> None:
    with pytest.raises(AudienceError) as caught:
        await started(db, text, **wanted)

    (problem,) = caught.value.problems
    assert (".".join(problem.path), problem.message) == (path, message)
    assert await db.imports.count_documents({}) == 0
    assert await db.import_blocks.count_documents({}) == 0


async def test_too_many_imports_at_once_are_refused(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.imports.starting.MAX_UNFINISHED", 1)
    await started(db, "Email\na@example.org\n")

    with pytest.raises(AudienceError, match="1 imports are waiting"):
        await started(db, "Email\na@example.org\n")


async def test_an_import_that_waits_is_cancelled_at_once(db: Database) -> None:
    document = await started(db, "Email\na@example.org\n")

    ended = await cancel_import(db, document["_id"], now=NOW)

    assert (ended["status"], ended["finished_at"]) == ("CANCELLED", NOW)
    assert await run_waiting_imports(db, "tests", clock=lambda: NOW) == 0
    assert await everybody(db) == []
    with pytest.raises(AudienceError, match="The import is CANCELLED already"):
        await cancel_import(db, document["_id"], now=NOW)
    with pytest.raises(AudienceError, match="There is no such import"):
        await cancel_import(db, "0" * 24, now=NOW)


async def test_a_running_import_ends_after_its_block(db: Database) -> None:
    rows = "\n".join(f"p{number}@example.org" for number in range(6_000))
    document = await started(db, f"Email\n{rows}\n")
    taken = await take_import(db, "tests", NOW)
    assert taken is not None
    assert (await cancel_import(db, document["_id"], now=NOW))["status"] == "CANCELLING"

    done = await run_import(db, taken, "tests", clock=lambda: NOW)

    assert (done["status"], done["counts"]) == (
        "CANCELLED",
        {"read": 2_000, "created": 2_000},
    )
    assert await db.profiles.count_documents({}) == 2_000


async def test_a_list_that_is_deleted_ends_its_import(db: Database) -> None:
    list_id = await new_list(db)
    document = await started(db, "Email\na@example.org\n", list_id=list_id)
    await delete_list(db, list_id, now=NOW)

    await run_waiting_imports(db, "tests", clock=lambda: NOW)

    (found,) = await imports_by_id(db, [document["_id"]])
    assert found is not None
    assert (found["status"], found["failure"]) == (
        "FAILED",
        "The list was deleted while the import was under way.",
    )
    assert [row["lists"] for row in await everybody(db)] == [[]]


async def test_an_import_that_is_cut_short_again_and_again_fails(db: Database) -> None:
    document = await started(db, "Email\na@example.org\n")
    for hour in range(5):
        assert await take_import(db, f"dies-{hour}", NOW + timedelta(hours=hour))

    later = NOW + timedelta(days=1)
    await run_waiting_imports(db, "tests", clock=lambda: later)

    (found,) = await imports_by_id(db, [document["_id"]])
    assert found is not None
    assert (found["status"], found["failure"]) == (
        "FAILED",
        "The import was cut short 5 times at the same place, in the rows after the "
        "first 0.",
    )


async def test_whoever_takes_an_import_keeps_its_rows(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("resolvers.imports.starting.keep_rows", killed)
        with pytest.raises(KeyboardInterrupt):
            await started(db, "Email\na@example.org\n")
    hour, days = NOW + timedelta(hours=1), NOW + timedelta(days=30)
    (alone,) = await find(db.import_blocks, {})
    taken = await take_import(db, "tests", NOW)
    assert taken is not None

    monkeypatch.setattr("resolvers.imports.running._run", returned)
    await run_import(db, taken, "tests", clock=lambda: NOW)

    (kept,) = await find(db.import_blocks, {})
    assert (alone["expires_at"], kept) == (hour, {**alone, "expires_at": days})


async def returned(db: Database, document: Document, *_: object) -> Document:
    return document


async def test_one_worker_at_a_time_holds_an_import(db: Database) -> None:
    await started(db, "Email\na@example.org\n")

    first = await take_import(db, "first", NOW)
    assert first is not None
    assert await take_import(db, "second", NOW + timedelta(seconds=14)) is None
    assert not await has_waiting_imports(db, NOW + timedelta(seconds=14))
    later = NOW + timedelta(seconds=16)
    assert await run_waiting_imports(db, "second", clock=lambda: later) == 1
    # The first one wakes up and does the same again: nothing happens twice.
    with pytest.raises(Overtaken):
        await run_import(db, first, "first", clock=lambda: later)

    (found,) = await imports_by_id(db, [first["_id"]])
    assert found is not None
    assert (found["status"], found["counts"]) == (
        "COMPLETED",
        {"read": 1, "created": 1},
    )
    assert len(await everybody(db)) == 1


MIXED_ROWS = 5_000


async def mixed_file(db: Database) -> tuple[str, ObjectId]:
    """People new and known, twice in the file, and rows that are rejected."""
    list_id = await new_list(db)
    for number in range(0, MIXED_ROWS, 300):
        change = profile_change({"email": f"p{number}@example.org"})
        await upsert_profile(db, change, NOW)
    rows = []
    for number in range(MIXED_ROWS):
        email = f"p{number}@example.org"
        if number % 500 == 7:
            email = f"p{number - 1}@example.org"
        elif number % 700 == 8:
            email = "nobody"
        rows.append(f"{email},Name {number}")
    return "Email,First Name\n" + "\n".join(rows) + "\n", list_id


MIXED_COUNTS = {
    "read": 5_000,
    "created": 4_965,
    "updated": 17,
    "repeated": 10,
    "joined": 4_982,
    "consented": 4_982,
    "rejected": 8,
}


async def check_mixed(db: Database, import_id: ObjectId) -> None:
    (found,) = await imports_by_id(db, [import_id])
    assert found is not None
    assert found.get("failure") is None
    assert (found["status"], found["counts"]) == ("COMPLETED", MIXED_COUNTS)
    assert await db.profiles.count_documents({}) == 4_982
    members = {"lists": {"$size": 1}, "consent.email.status": "SUBSCRIBED"}
    assert await db.profiles.count_documents(members) == 4_982
    lines = await find(db.consent_changes, {}, {"profile_id": 1})
    assert len(lines) == len({line["profile_id"] for line in lines}) == 4_982
    later = await db.profiles.find_one({"email": "p6@example.org"})
    assert later is not None
    assert later["first_name"] == "Name 7"
    rejected = (await rejections(db, found)).splitlines()
    assert [line.partition(",")[0] for line in rejected[1:]] == [
        str(number + 2) for number in range(8, MIXED_ROWS, 700)
    ]


class Died(Exception):
    """Stands for the end of a process."""


@pytest.mark.parametrize("writes", range(1, 11))
async def test_a_crash_between_any_two_writes_changes_nothing(
    db: Database, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    text, list_id = await mixed_file(db)
    document = await started(db, text, list_id=list_id, consent=[FAIR])
    left = writes

    def counted(real: Any) -> Any:
        async def write(*arguments: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                raise Died
            return await real(*arguments, **named)

        return write

    with monkeypatch.context() as patched:
        for module, name in (
            ("resolvers.imports.writing", "_insert"),
            ("resolvers.imports.writing", "check_still_there"),
            ("resolvers.imports.writing", "_keep_rejected"),
            ("resolvers.imports.known", "upsert_profiles"),
            ("resolvers.imports.known", "join_list_many"),
            ("resolvers.imports.known", "change_consents"),
            ("resolvers.imports.running", "_checkpoint"),
        ):
            real = getattr(sys.modules[module], name)
            patched.setattr(f"{module}.{name}", counted(real))
        before = asyncio.all_tasks()
        with pytest.raises(Died):
            await run_waiting_imports(db, "dies", clock=lambda: NOW)
        # The other half of the block may still be on its way.
        await asyncio.gather(*asyncio.all_tasks() - before, return_exceptions=True)

    later = NOW + timedelta(minutes=5)
    await run_waiting_imports(db, "tests", clock=lambda: later)

    await check_mixed(db, document["_id"])


async def test_what_an_overtaken_worker_still_writes_is_counted_once(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, list_id = await mixed_file(db)
    document = await started(db, text, list_id=list_id, consent=[FAIR])

    async def dies(*_: Any, **__: Any) -> None:
        raise Died

    async def nobody(*_: Any) -> set[ObjectId]:
        return set()

    async def no_identifier(*_: Any) -> dict[str, set[str]]:
        return {name: set() for name in ("email", "phone_number", "external_id")}

    with monkeypatch.context() as patched:
        patched.setattr("resolvers.imports.running._checkpoint", dies)
        with pytest.raises(Died):
            await run_waiting_imports(db, "overtaken", clock=lambda: NOW)
    # As if all of it were written after the next worker has looked for it.
    monkeypatch.setattr("resolvers.imports.writing._made_before", nobody)
    monkeypatch.setattr("resolvers.imports.writing._taken", no_identifier)
    later = NOW + timedelta(minutes=5)
    await run_waiting_imports(db, "next", clock=lambda: later)

    await check_mixed(db, document["_id"])


WORKER = """
import asyncio, sys, time
from datetime import timedelta
from resolvers.db import connect
from resolvers.imports import run_waiting_imports
from resolvers.imports.running import utc_now

def clock():
    time.sleep(0.5)
    return utc_now()

async def work():
    db = connect(sys.argv[1], sys.argv[2], driver=sys.argv[3])
    lease = timedelta(seconds=1)
    while not await run_waiting_imports(db, sys.argv[4], clock=clock, lease=lease):
        await asyncio.sleep(0.1)

asyncio.run(work())
"""


def worker(db: Database, uri: str, name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", WORKER, uri, db.name, db.driver, name],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
    )


async def test_a_worker_that_is_killed_is_followed_by_another(
    db: Database, mongodb_uri: str
) -> None:
    text, list_id = await mixed_file(db)
    document = await started(db, text, list_id=list_id, consent=[FAIR])
    deadline = time.monotonic() + 60

    for kill in range(2):
        process = worker(db, mongodb_uri, f"worker-{kill}")
        while time.monotonic() < deadline:
            (found,) = await imports_by_id(db, [document["_id"]])
            assert found is not None
            if found["next_block"] > kill:
                break
            await asyncio.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait(10) == -signal.SIGKILL
    last = worker(db, mongodb_uri, "worker-last")
    assert await asyncio.to_thread(last.wait, 60) == 0

    await check_mixed(db, document["_id"])


async def test_an_import_is_held_from_when_all_its_rows_are_kept(db: Database) -> None:
    steps: list[str] = []

    def pieces() -> Iterator[bytes]:
        yield b"Email\na@example.org\n"
        steps.append("read")

    def until() -> datetime:
        steps.append("held")
        return NOW + timedelta(hours=1)

    document = await start_import(
        db, pieces, NewImport("f.csv"), now=NOW, holder="me", until=until
    )

    assert (set(steps[:-1]), steps[-1]) == ({"read"}, "held")
    assert (document["holder"], document["until"]) == ("me", NOW + timedelta(hours=1))
    assert not await has_waiting_imports(db, NOW + timedelta(minutes=59))
    assert await has_waiting_imports(db, NOW + timedelta(minutes=61))
