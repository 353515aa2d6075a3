"""Forms in the database: kept, published, answered and counted."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bson import ObjectId

from audience.consent import Channel, Status
from audience.errors import (
    AudienceError,
    Conflict,
    InvalidInput,
    LimitReached,
    NotAllowed,
    NotFound,
    Taken,
)
from audience.evidence import Evidence
from audience.forms.definitions import Form, FormConsent, FormKind, FormStatus
from audience.forms.fields import FieldKind, FormField
from audience.forms.rendering import render_token
from audience.forms.stored import form_of
from audience.lists import OptIn
from audience.profiles import profile_change
from audience.tokens import Tokens
from resolvers.db import Database, Document, find
from resolvers.forms import (
    Answer,
    Statistics,
    Submitted,
    count_view,
    create_form,
    delete_form,
    forms_by_id,
    live_form,
    statistics_of_forms,
    submit_form,
    update_form,
)
from resolvers.lists import create_list, delete_list
from resolvers.profiles import upsert_profile

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SHOWN = NOW - timedelta(minutes=1)
TOKENS = Tokens("secret")
BERLIN = ZoneInfo("Europe/Berlin")
FORM = Form(
    name="Footer",
    list_id="",
    kind=FormKind.EMBED,
    status=FormStatus.LIVE,
    fields=(
        FormField(FieldKind.EMAIL, "E-mail", "email"),
        FormField(FieldKind.PHONE, "Mobile", "phoneNumber"),
        FormField(FieldKind.TEXT, "City", "location.city"),
        FormField(FieldKind.HIDDEN, "", "properties.shop", value="Leith"),
    ),
    consents=(
        FormConsent(Channel.EMAIL, "News by e-mail."),
        FormConsent(Channel.SMS, "Offers by text message."),
    ),
)
ADA = {"email": "ada@example.org", "location.city": "London"}


async def make(db: Database, form: Form = FORM, opt_in: OptIn = OptIn.SINGLE) -> Any:
    found = await create_list(db, f"List of {form.name}", opt_in, now=NOW)
    return await create_form(db, replace(form, list_id=str(found["_id"])), now=NOW)


async def _nothing() -> None:
    """Nothing is limited."""


async def submit(
    db: Database, form: Document, values: Any = ADA, **more: Any
) -> Submitted:
    token = render_token(TOKENS, str(form["_id"]), form_of(form).consents, SHOWN)
    given: dict[str, Any] = {"channels": [Channel.EMAIL], "token": token, **more}
    count = given.pop("count", _nothing)
    return await submit_form(
        db,
        given.pop("key", form["short"]),
        Answer(values, **given),
        now=NOW,
        zone=BERLIN,
        tokens=TOKENS,
        evidence=Evidence("192.0.2.7", "Browser/1.0"),
        count=count,
    )


async def test_a_form_is_kept_and_found_by_both_its_names(db: Database) -> None:
    form = await make(db)

    assert await forms_by_id(db, [form["_id"], ObjectId()]) == [form, None]
    assert await live_form(db, form["short"]) == form
    assert await live_form(db, str(form["_id"])) == form


async def test_only_lists_take_sign_ups(db: Database) -> None:
    segment = ObjectId()
    await db.segments.insert_one(
        {
            "_id": segment,
            "name": "Regulars",
            "name_key": "regulars",
            "definition": {},
            "created_at": NOW,
            "updated_at": NOW,
        }
    )

    with pytest.raises(NotAllowed, match="Segments fill themselves"):
        await create_form(db, replace(FORM, list_id=str(segment)), now=NOW)
    with pytest.raises(NotFound):
        await create_form(db, replace(FORM, list_id=str(ObjectId())), now=NOW)
    assert await find(db.forms, {}) == []


async def test_names_are_unique(db: Database) -> None:
    form = await make(db)
    other = await make(db, replace(FORM, name="Header"))

    with pytest.raises(Taken):
        await create_form(
            db, replace(FORM, name="FOOTER", list_id=str(form["list_id"])), now=NOW
        )
    with pytest.raises(Taken):
        await update_form(db, other["_id"], {"name": "footer"}, now=NOW)


async def test_changes_leave_the_rest_as_it_is(db: Database) -> None:
    form = await make(db, replace(FORM, headline="Hello", body="Text"))
    later = NOW + timedelta(hours=1)

    changed = await update_form(
        db, form["_id"], {"headline": None, "button_label": "Join"}, now=later
    )

    expected = {**form, "button_label": "Join", "updated_at": later, "version": 2}
    del expected["headline"]
    assert changed == expected
    with pytest.raises(InvalidInput):
        await update_form(db, form["_id"], {"fields": ()}, now=later)
    assert await forms_by_id(db, [form["_id"]]) == [changed]


async def test_changes_at_the_same_time_all_count(db: Database) -> None:
    form = await make(db)

    await asyncio.gather(
        update_form(db, form["_id"], {"headline": "Hello"}, now=NOW),
        update_form(db, form["_id"], {"body": "Text"}, now=NOW),
        update_form(db, form["_id"], {"button_label": "Join"}, now=NOW),
    )

    (kept,) = await forms_by_id(db, [form["_id"]])
    assert kept is not None
    assert (kept["headline"], kept["body"], kept["button_label"], kept["version"]) == (
        "Hello",
        "Text",
        "Join",
        4,
    )


async def test_a_form_signs_up_with_its_words(db: Database) -> None:
    form = await make(db)

    done = await submit(db, form)

    profile = await db.profiles.find_one({"email": "ada@example.org"})
    assert profile is not None
    assert done.status is Status.SUBSCRIBED
    assert [each["list_id"] for each in profile["lists"]] == [form["list_id"]]
    assert profile["lists"][0]["source"] == "FORM"
    assert profile["location"] == {"city": "London"}
    assert profile["properties"] == {"shop": "Leith"}
    (line,) = await find(db.consent_changes, {}, {"_id": 0})
    assert line == {
        "profile_id": profile["_id"],
        "channel": "EMAIL",
        "from": "NEVER_SUBSCRIBED",
        "to": "SUBSCRIBED",
        "at": NOW,
        "recorded_at": NOW,
        "method": "FORM",
        "source": "Footer",
        "ip": "192.0.2.7",
        "user_agent": "Browser/1.0",
        "consent_text": "News by e-mail.",
        "list_id": form["list_id"],
    }


async def test_each_channel_keeps_its_own_words(db: Database) -> None:
    form = await make(db)

    await submit(
        db,
        form,
        {"email": "ada@example.org", "phoneNumber": "+14155550132"},
        channels=[Channel.SMS, Channel.EMAIL],
    )

    lines = await find(db.consent_changes, {}, sort={"_id": 1})
    assert [(each["channel"], each["consent_text"]) for each in lines] == [
        ("EMAIL", "News by e-mail."),
        ("SMS", "Offers by text message."),
    ]
    assert await db.profiles.count_documents({}) == 1


async def test_double_opt_in_waits(db: Database) -> None:
    form = await make(db, opt_in=OptIn.DOUBLE)

    first = await submit(db, form)
    again = await submit(db, form)

    assert (first.status, again.status) == (Status.PENDING, Status.PENDING)
    assert [each.address for each in first.confirmations] == ["ada@example.org"]
    assert await db.consent_changes.count_documents({}) == 1


async def test_the_answer_does_not_tell_who_is_known(db: Database) -> None:
    form = await make(db, opt_in=OptIn.DOUBLE)
    await db.profiles.insert_one(
        {
            "email": "known@example.org",
            "properties": {},
            "created_at": NOW,
            "updated_at": NOW,
        }
    )

    await submit(db, form)
    form = await live_form(db, form["short"])

    known = await submit(db, form, {"email": "known@example.org"})
    unknown = await submit(db, form, {"email": "new@example.org"})

    assert replace(known, confirmations=()) == replace(unknown, confirmations=())


async def test_whoever_fills_in_the_trap_is_told_the_same(db: Database) -> None:
    form = await make(db)

    trapped = await submit(db, form, trap="http://spam.example")

    assert await db.profiles.count_documents({}) == 0
    assert await find(db.form_events, {}) == []
    assert trapped == await submit(db, form)


@pytest.mark.parametrize("token", [None, "", "forged"])
async def test_a_token_is_needed(db: Database, token: str | None) -> None:
    form = await make(db)

    with pytest.raises(InvalidInput) as raised:
        await submit(db, form, token=token)

    assert raised.value.problems[0].path == ("token",)
    assert await db.profiles.count_documents({}) == 0


async def test_what_is_refused_changes_nothing(db: Database) -> None:
    form = await make(db)

    def too_many() -> None:
        raise LimitReached("Too many.")

    refused: list[dict[str, Any]] = [
        {"values": {"email": "nobody"}},
        {"channels": []},
        {"count": too_many},
        {"key": "zzzzzzz"},
        {"key": str(ObjectId())},
        {"key": '{"$ne": null}'},
    ]
    for more in refused:
        with pytest.raises(AudienceError):
            await submit(db, form, **more)
    assert await db.profiles.count_documents({}) == 0


@pytest.mark.parametrize("status", [FormStatus.DRAFT, FormStatus.ARCHIVED])
async def test_only_live_forms_take_answers(db: Database, status: FormStatus) -> None:
    form = await make(db, replace(FORM, status=status))

    with pytest.raises(NotAllowed, match="takes no sign-ups"):
        await submit(db, form)


async def test_a_form_with_sign_ups_stays(db: Database) -> None:
    form = await make(db)
    unused = await make(db, replace(FORM, name="Unused"))
    await count_view(db, unused["_id"], NOW, BERLIN)
    await submit(db, form)

    assert await delete_form(db, unused["_id"]) == unused["_id"]
    with pytest.raises(NotAllowed, match="archive it"):
        await delete_form(db, form["_id"])
    with pytest.raises(NotFound):
        await delete_form(db, unused["_id"])
    assert await db.form_events.count_documents({"form_id": unused["_id"]}) == 0


async def test_a_list_with_a_form_stays(db: Database) -> None:
    form = await make(db)

    with pytest.raises(NotAllowed, match="The form Footer signs people up"):
        await delete_list(db, form["list_id"], now=NOW)
    await delete_form(db, form["_id"])
    await delete_list(db, form["list_id"], now=NOW)


async def test_days_are_counted_in_the_account_s_time_zone(db: Database) -> None:
    form = await make(db)
    late = datetime(2026, 2, 28, 23, 30, tzinfo=UTC)  # the first of March in Berlin
    for at in (late, NOW, NOW - timedelta(days=2)):
        await count_view(db, form["_id"], at, BERLIN)
    await submit(db, form)

    (found, none) = await statistics_of_forms(
        db, [form["_id"], ObjectId()], NOW - timedelta(days=1), NOW, BERLIN
    )

    assert found == Statistics(((date(2026, 3, 1), 2, 1),))
    assert none == Statistics(())


async def test_an_answer_that_arrives_twice_counts_once(db: Database) -> None:
    form = await make(db)
    token = render_token(TOKENS, str(form["_id"]), form_of(form).consents, SHOWN)

    await asyncio.gather(*(submit(db, form, token=token) for _ in range(4)))
    await submit(db, form)

    (row,) = await find(db.form_events, {}, {"_id": 0, "seen": 0})
    assert row == {"form_id": form["_id"], "day": "2026-03-01", "submissions": 2}
    assert await db.profiles.count_documents({}) == 1


async def test_a_full_profile_still_signs_up(db: Database) -> None:
    form = await make(db)
    full = {f"old {number}": number for number in range(500)}
    change = profile_change({"email": "ada@example.org", "properties": full})
    await upsert_profile(db, change, NOW)

    done = await submit(db, form)

    assert done.status is Status.SUBSCRIBED
    profile = await db.profiles.find_one({"email": "ada@example.org"})
    assert profile is not None
    assert profile["properties"] == full
    assert profile["location"]["city"] == "London"
    assert profile["consent"]["email"]["status"] == Status.SUBSCRIBED


async def test_nobody_agrees_to_what_they_were_not_asked(db: Database) -> None:
    form = await make(db)
    token = render_token(TOKENS, str(form["_id"]), form_of(form).consents, SHOWN)
    other = (
        FormConsent(Channel.EMAIL, "News by e-mail, every hour."),
        FormConsent(Channel.SMS, "Offers by text message."),
    )
    await update_form(db, form["_id"], {"consents": other}, now=NOW)

    for channels in (None, [Channel.EMAIL], [Channel.SMS]):
        with pytest.raises(Conflict, match="asks you to agree to has changed"):
            await submit(db, form, token=token, channels=channels)

    assert await db.profiles.count_documents({}) == 0
    assert await db.consent_changes.count_documents({}) == 0


async def test_views_at_the_same_time_all_count(db: Database) -> None:
    form = await make(db)

    await asyncio.gather(*(count_view(db, form["_id"], NOW, BERLIN) for _ in range(20)))

    (row,) = await find(db.form_events, {}, {"_id": 0})
    assert row == {"form_id": form["_id"], "day": "2026-03-01", "views": 20}
