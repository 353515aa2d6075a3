"""Sign-ups by single and double opt-in, confirmation and leaving."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest
from bson import ObjectId

from audience.consent import Channel, Method, Status, SuppressionReason
from audience.errors import AudienceError, InvalidInput, NotAllowed, NotFound
from audience.evidence import Evidence
from audience.lists import OptIn
from audience.signups import leaving, sign_up
from audience.tokens import (
    ConfirmationClaim,
    Tokens,
    confirmation_token,
    leave_token,
)
from resolvers.consent import set_consent, state_of, suppress
from resolvers.db import Database, Document, Session, find
from resolvers.lists import create_list, delete_list, membership_in, update_list
from resolvers.signups import (
    Confirmed,
    SignedUp,
    confirm,
    subscribe,
    subscribing,
    unsubscribe,
)
from resolvers.signups.writing import write_people

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TOKENS = Tokens("a secret of the server's")
EMAIL, SMS, WHATSAPP = Channel.EMAIL, Channel.SMS, Channel.WHATSAPP
ANN = "ann@example.org"
PHONE = "+14155550132"
PROOF = Evidence("192.0.2.7", "Mozilla")


async def new_list(
    db: Database, opt_in: OptIn = OptIn.DOUBLE, name: str = "News"
) -> Document:
    return await create_list(db, name, opt_in, now=NOW)


async def sign(
    db: Database,
    to: Document,
    given: dict[str, Any] | None = None,
    *,
    now: datetime = NOW,
    is_trusted: bool = False,
    **how: Any,
) -> SignedUp:
    return await subscribe(
        db,
        sign_up(str(to["_id"]), given or {"email": ANN}, **how),
        now=now,
        tokens=TOKENS,
        evidence=PROOF,
        is_trusted=is_trusted,
    )


async def click(db: Database, token: str, now: datetime = NOW + HOUR) -> Confirmed:
    evidence = Evidence("198.51.100.4", "Phone")
    return await confirm(db, token, now=now, tokens=TOKENS, evidence=evidence)


async def leave(db: Database, *, now: datetime = NOW + HOUR, **what: Any) -> None:
    await unsubscribe(db, leaving(**what), now=now, tokens=TOKENS, evidence=PROOF)


async def only(db: Database) -> Document:
    """The one profile that there is."""
    (profile,) = await find(db.profiles, {})
    return profile


def status(profile: Document, channel: Channel = EMAIL) -> Status:
    return state_of(profile, channel).status


async def steps(db: Database) -> list[tuple[str, str, str, str]]:
    lines = await find(db.consent_changes, {}, sort={"_id": 1})
    return [
        (line["channel"], line["from"], line["to"], line["method"]) for line in lines
    ]


async def test_single_opt_in_counts_at_once(db: Database) -> None:
    news = await new_list(db, OptIn.SINGLE)

    done = await sign(
        db,
        news,
        {"email": "Ann@Example.org", "firstName": "Ann", "properties": {"size": "M"}},
        method=Method.FORM,
        source="Footer",
        consent_text="I agree.",
    )

    assert done == SignedUp(Status.SUBSCRIBED, news, ())
    profile = await only(db)
    assert (profile["email"], profile["first_name"]) == (ANN, "Ann")
    assert profile["properties"] == {"size": "M"}
    assert profile["lists"] == [
        {"list_id": news["_id"], "joined_at": NOW, "source": "FORM"}
    ]
    (line,) = await find(db.consent_changes, {})
    assert line == {
        "_id": line["_id"],
        "profile_id": profile["_id"],
        "channel": "EMAIL",
        "from": "NEVER_SUBSCRIBED",
        "to": "SUBSCRIBED",
        "at": NOW,
        "recorded_at": NOW,
        "method": "FORM",
        "source": "Footer",
        "ip": "192.0.2.7",
        "user_agent": "Mozilla",
        "consent_text": "I agree.",
        "list_id": news["_id"],
    }


async def test_double_opt_in_waits_for_the_address(db: Database) -> None:
    news = await new_list(db)

    asked = await sign(db, news, consent_text="I agree.")

    (confirmation,) = asked.confirmations
    waiting = await only(db)
    assert asked.status is Status.PENDING
    assert (confirmation.address, confirmation.channels) == (ANN, (EMAIL,))
    assert status(waiting) is Status.PENDING
    assert waiting["lists"] == []

    confirmed = await click(db, confirmation.token)

    profile = await only(db)
    assert confirmed == Confirmed(Status.SUBSCRIBED, news, is_repeated=False)
    assert profile["pending"] == []
    assert profile["lists"] == [
        {"list_id": news["_id"], "joined_at": NOW + HOUR, "source": "API"}
    ]
    state = state_of(profile, EMAIL)
    assert (state.double_opt_in, state.consented_at) == (True, NOW + HOUR)
    assert state.source == "News"
    _, line = await find(db.consent_changes, {}, sort={"_id": 1})
    assert (line["method"], line["ip"], line["user_agent"], line["consent_text"]) == (
        "CONFIRMATION",
        "198.51.100.4",
        "Phone",
        "I agree.",
    )


async def test_a_second_click_changes_nothing_and_says_so(db: Database) -> None:
    news = await new_list(db)
    (confirmation,) = (await sign(db, news)).confirmations
    await click(db, confirmation.token)
    before = await only(db)

    again = await click(db, confirmation.token, NOW + 2 * HOUR)

    assert again == Confirmed(Status.SUBSCRIBED, news, is_repeated=True)
    assert await only(db) == before
    assert len(await steps(db)) == 2


async def test_concurrent_clicks_confirm_once(db: Database) -> None:
    news = await new_list(db)
    (confirmation,) = (await sign(db, news)).confirmations
    answers: list[bool] = []

    async def go() -> None:
        answers.append((await click(db, confirmation.token)).is_repeated)

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(go)

    assert sorted(answers) == [False] + [True] * 7
    assert len((await only(db))["lists"]) == 1
    assert len(await steps(db)) == 2


async def test_a_used_link_does_not_bring_back_who_left(db: Database) -> None:
    news = await new_list(db)
    (confirmation,) = (await sign(db, news)).confirmations
    await click(db, confirmation.token)
    await leave(db, email=ANN, now=NOW + 2 * HOUR)
    await leave(db, email=ANN, list_id=str(news["_id"]), now=NOW + 2 * HOUR)

    again = await click(db, confirmation.token, NOW + 3 * HOUR)

    assert again == Confirmed(Status.UNSUBSCRIBED, news, is_repeated=True)
    assert (await only(db))["lists"] == []


@pytest.mark.parametrize("scope", ["channel", "list"])
async def test_leaving_withdraws_what_waits(db: Database, scope: str) -> None:
    news = await new_list(db)
    (confirmation,) = (await sign(db, news)).confirmations
    if scope == "channel":
        await leave(db, email=ANN)
    else:
        await leave(db, email=ANN, list_id=str(news["_id"]))

    again = await click(db, confirmation.token)

    assert again.is_repeated
    assert (await only(db))["lists"] == []
    assert status(await only(db)) is not Status.SUBSCRIBED


@pytest.mark.parametrize("opt_in", OptIn.__members__.values())
async def test_concurrent_sign_ups_make_one_of_everything(
    db: Database, opt_in: OptIn
) -> None:
    news = await new_list(db, opt_in)
    given = {"email": ANN, "phoneNumber": PHONE, "firstName": "Ann"}

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(sign, db, news, given)

    profile = await only(db)
    single = opt_in is OptIn.SINGLE
    assert len(profile["lists"]) == (1 if single else 0)
    assert len(profile.get("pending", [])) == (0 if single else 2)
    reached = "SUBSCRIBED" if single else "PENDING"
    assert sorted(await steps(db)) == [
        ("EMAIL", "NEVER_SUBSCRIBED", reached, "API"),
        ("SMS", "NEVER_SUBSCRIBED", reached, "API"),
    ]


async def sign_all(db: Database, *given: tuple[Document, dict[str, Any]]) -> list[Any]:
    """What each of the sign-ups answers, which come at the same time."""
    asked = [sign(db, to, person) for to, person in given]
    return await asyncio.gather(*asked, return_exceptions=True)


async def test_sign_ups_at_the_same_time_are_one_transaction(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each keeps its own answer, or its own error."""
    news = await new_list(db, OptIn.SINGLE)
    double = await new_list(db, OptIn.DOUBLE, "Double")
    gone = {"_id": ObjectId()}
    written: list[int] = []

    async def counted(db: Database, people: Sequence[Any], session: Session) -> None:
        written.append(len(people))
        await write_people(db, people, session)

    monkeypatch.setattr(subscribing, "write_people", counted)

    ann, bob, nobody, cat = await sign_all(
        db,
        (news, {"email": ANN}),
        (double, {"email": "bob@example.org"}),
        (gone, {"email": "dan@example.org"}),
        (news, {"email": "cat@example.org", "firstName": "Cat"}),
    )

    assert written == [3]
    assert ann == SignedUp(Status.SUBSCRIBED, news, ())
    assert (bob.status, bob.list) == (Status.PENDING, double)
    assert [each.address for each in bob.confirmations] == ["bob@example.org"]
    assert repr(nobody) == "NotFound('There is no such list.')"
    assert cat == ann
    profiles = await find(db.profiles, {}, sort={"email": 1})
    assert [
        (each["email"], each.get("first_name"), status(each), len(each["lists"]))
        for each in profiles
    ] == [
        (ANN, None, Status.SUBSCRIBED, 1),
        ("bob@example.org", None, Status.PENDING, 0),
        ("cat@example.org", "Cat", Status.SUBSCRIBED, 1),
    ]
    assert await steps(db) == [
        ("EMAIL", "NEVER_SUBSCRIBED", "SUBSCRIBED", "API"),
        ("EMAIL", "NEVER_SUBSCRIBED", "PENDING", "API"),
        ("EMAIL", "NEVER_SUBSCRIBED", "SUBSCRIBED", "API"),
    ]


async def test_one_persons_sign_ups_at_the_same_time_see_each_other(
    db: Database,
) -> None:
    news = await new_list(db, OptIn.SINGLE)
    other = await new_list(db, OptIn.SINGLE, "Other")

    await sign_all(
        db, (news, {"email": ANN}), (other, {"email": ANN}), (news, {"email": ANN})
    )

    joined = [each["list_id"] for each in (await only(db))["lists"]]
    assert joined == [news["_id"], other["_id"]]
    assert await steps(db) == [
        ("EMAIL", "NEVER_SUBSCRIBED", "SUBSCRIBED", "API"),
        ("EMAIL", "SUBSCRIBED", "SUBSCRIBED", "API"),
    ]


async def test_what_fails_together_is_done_one_by_one(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    news = await new_list(db, OptIn.SINGLE)

    async def writing(db: Database, people: Sequence[Any], session: Session) -> None:
        await write_people(db, people, session)
        if any(each.draft.profile["email"] == ANN for each in people):
            raise ValueError("Ann cannot be written")

    monkeypatch.setattr(subscribing, "write_people", writing)

    ann, bob, cat = await sign_all(
        db,
        *((news, {"email": f"{name}@example.org"}) for name in ("ann", "bob", "cat")),
    )

    assert repr(ann) == "ValueError('Ann cannot be written')"
    assert bob == cat == SignedUp(Status.SUBSCRIBED, news, ())
    profiles = await find(db.profiles, {}, sort={"email": 1})
    assert [(status(each), len(each["lists"])) for each in profiles] == [
        (Status.NEVER_SUBSCRIBED, 0),
        (Status.SUBSCRIBED, 1),
        (Status.SUBSCRIBED, 1),
    ]
    assert len(await steps(db)) == 2


async def test_a_list_deleted_meanwhile_keeps_nobody_and_stops_no_other(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    news = await new_list(db, OptIn.SINGLE)
    other = await new_list(db, OptIn.SINGLE, "Other")

    async def deleting(db: Database, people: Sequence[Any], session: Session) -> None:
        await write_people(db, people, session)
        await db.lists.update_one({"_id": news["_id"]}, {"$set": {"deleted_at": NOW}})

    monkeypatch.setattr(subscribing, "write_people", deleting)

    ann, bob = await sign_all(
        db, (news, {"email": ANN}), (other, {"email": "bob@example.org"})
    )

    assert repr(ann) == "NotFound('There is no such list.')"
    assert bob == SignedUp(Status.SUBSCRIBED, other, ())
    profiles = await find(db.profiles, {}, sort={"email": 1})
    assert [len(each["lists"]) for each in profiles] == [0, 1]


async def test_each_address_is_confirmed_by_itself(db: Database) -> None:
    news = await new_list(db)

    asked = await sign(
        db,
        news,
        {"email": ANN, "phoneNumber": PHONE},
        channels=[EMAIL, SMS, WHATSAPP],
    )
    by_email, by_phone = asked.confirmations
    assert (by_phone.address, by_phone.channels) == (PHONE, (SMS, WHATSAPP))
    await click(db, by_phone.token)

    profile = await only(db)
    assert membership_in(profile, news["_id"]) is not None
    assert [status(profile, each) for each in (EMAIL, SMS, WHATSAPP)] == [
        Status.PENDING,
        Status.SUBSCRIBED,
        Status.SUBSCRIBED,
    ]
    await click(db, by_email.token)
    profile = await only(db)
    assert len(profile["lists"]) == 1
    assert status(profile) is Status.SUBSCRIBED


async def test_the_same_sign_up_again_gives_a_token_for_the_same_one(
    db: Database,
) -> None:
    news = await new_list(db)
    (first,) = (await sign(db, news)).confirmations

    (second,) = (await sign(db, news, now=NOW + HOUR)).confirmations

    assert len((await only(db))["pending"]) == 1
    assert len(await steps(db)) == 1
    assert not (await click(db, first.token, NOW + 2 * HOUR)).is_repeated
    assert (await click(db, second.token, NOW + 2 * HOUR)).is_repeated


async def test_who_is_in_already_gets_the_same_answer_and_no_token(
    db: Database,
) -> None:
    news = await new_list(db)
    (confirmation,) = (await sign(db, news)).confirmations
    await click(db, confirmation.token)
    before = await only(db)

    again = await sign(db, news, now=NOW + 2 * HOUR)

    assert again == SignedUp(Status.PENDING, news, ())
    assert await only(db) == before


async def test_each_list_joined_keeps_its_own_evidence(db: Database) -> None:
    first = await new_list(db, OptIn.SINGLE, "First")
    second = await new_list(db, OptIn.SINGLE, "Second")
    third = await new_list(db, OptIn.DOUBLE, "Third")
    await sign(db, first, consent_text="First text")
    await sign(db, second, consent_text="Second text", now=NOW + HOUR)
    await sign(db, second, consent_text="Again", now=NOW + HOUR)
    await sign(db, third, consent_text="Third text", now=NOW + HOUR)

    lines = await find(db.consent_changes, {}, sort={"_id": 1})
    assert [(line["from"], line["to"], line["consent_text"]) for line in lines] == [
        ("NEVER_SUBSCRIBED", "SUBSCRIBED", "First text"),
        ("SUBSCRIBED", "SUBSCRIBED", "Second text"),
        ("SUBSCRIBED", "SUBSCRIBED", "Third text"),
    ]
    profile = await only(db)
    assert state_of(profile, EMAIL).updated_at == NOW
    assert len(profile["lists"]) == 2
    assert len(profile["pending"]) == 1


async def test_signing_up_is_a_new_yes_but_lifts_no_suppression(db: Database) -> None:
    news = await new_list(db, OptIn.SINGLE)
    await sign(db, news)
    ann = (await only(db))["_id"]
    await suppress(db, ann, EMAIL, SuppressionReason.SPAM_COMPLAINT, now=NOW)
    await leave(db, email=ANN)

    await sign(db, news, now=NOW + 2 * HOUR, is_trusted=True)

    state = state_of(await only(db), EMAIL)
    assert state.status is Status.SUBSCRIBED
    assert state.suppression is not None


@pytest.mark.parametrize("tries", [1, 3])
async def test_a_strangers_word_does_not_undo_a_no(db: Database, tries: int) -> None:
    news = await new_list(db, OptIn.SINGLE)
    await sign(db, news)
    await leave(db, email=ANN)
    await leave(db, list_id=str(news["_id"]), email=ANN)

    for number in range(tries - 1):
        await sign(db, news, now=NOW + (2 + number) * HOUR)
        # Leaving the list withdraws what waits, and is open to strangers too.
        await leave(db, list_id=str(news["_id"]), email=ANN, now=NOW + 9 * HOUR)
    again = await sign(db, news, now=NOW + 9 * HOUR)

    (confirmation,) = again.confirmations
    waiting = await only(db)
    assert again == SignedUp(Status.SUBSCRIBED, news, again.confirmations)
    assert (confirmation.address, confirmation.channels) == (ANN, (EMAIL,))
    assert (status(waiting), waiting["lists"]) == (Status.PENDING, [])
    done = await click(db, confirmation.token, NOW + 10 * HOUR)
    joined = await only(db)
    assert done == Confirmed(Status.SUBSCRIBED, news, is_repeated=False)
    assert [each["list_id"] for each in joined["lists"]] == [news["_id"]]
    assert joined["pending"] == []
    said = await steps(db)
    assert said[:3] == [
        ("EMAIL", "NEVER_SUBSCRIBED", "SUBSCRIBED", "API"),
        ("EMAIL", "SUBSCRIBED", "UNSUBSCRIBED", "API"),
        ("EMAIL", "UNSUBSCRIBED", "PENDING", "API"),
    ]
    assert said[-1] == ("EMAIL", "PENDING", "SUBSCRIBED", "CONFIRMATION")


async def test_a_no_to_one_channel_keeps_nobody_from_the_other(db: Database) -> None:
    news = await new_list(db, OptIn.SINGLE)
    both = {"email": ANN, "phoneNumber": PHONE}
    await sign(db, news, both)
    await leave(db, email=ANN)
    await leave(db, list_id=str(news["_id"]), email=ANN)

    again = await sign(db, news, both, now=NOW + 2 * HOUR)

    profile = await only(db)
    assert [each.channels for each in again.confirmations] == [(EMAIL,)]
    assert (status(profile), status(profile, SMS)) == (
        Status.PENDING,
        Status.SUBSCRIBED,
    )
    assert [each["list_id"] for each in profile["lists"]] == [news["_id"]]


async def test_a_key_that_may_change_people_vouches_for_them(db: Database) -> None:
    news = await new_list(db, OptIn.SINGLE)
    await sign(db, news)
    await leave(db, email=ANN)

    again = await sign(db, news, now=NOW + 2 * HOUR, is_trusted=True)

    assert again == SignedUp(Status.SUBSCRIBED, news, ())
    assert status(await only(db)) is Status.SUBSCRIBED


async def test_a_confirmation_lifts_a_complaint(db: Database) -> None:
    news = await new_list(db)
    (confirmation,) = (await sign(db, news)).confirmations
    ann = (await only(db))["_id"]
    await suppress(db, ann, EMAIL, SuppressionReason.SPAM_COMPLAINT, now=NOW)

    await click(db, confirmation.token)

    assert state_of(await only(db), EMAIL).suppression is None
    line = (await find(db.consent_changes, {}, sort={"_id": 1}))[-1]
    assert (line["to"], line["lifted"]) == ("SUBSCRIBED", "SPAM_COMPLAINT")


async def test_a_staff_no_is_overcome_by_the_persons_own_confirmation(
    db: Database,
) -> None:
    news = await new_list(db)
    (confirmation,) = (await sign(db, news)).confirmations
    ann = (await only(db))["_id"]
    await set_consent(db, ann, EMAIL, Status.UNSUBSCRIBED, now=NOW + HOUR)

    confirmed = await click(db, confirmation.token, NOW + 2 * HOUR)

    assert confirmed.status is Status.SUBSCRIBED


async def two_people(db: Database, news: Document) -> None:
    await sign(db, news, {"email": ANN, "firstName": "Ann"})
    await sign(db, news, {"phoneNumber": PHONE, "firstName": "Bob"})


async def test_addresses_of_two_people_sign_up_both_and_tell_nothing(
    db: Database,
) -> None:
    news = await new_list(db, OptIn.SINGLE)
    other = await new_list(db, OptIn.SINGLE, "Other")
    await two_people(db, news)

    done = await sign(db, other, {"email": ANN, "phoneNumber": PHONE})

    assert done == SignedUp(Status.SUBSCRIBED, other, ())
    ann, bob = await find(db.profiles, {}, sort={"_id": 1})
    assert "phone_number" not in ann
    assert "email" not in bob
    assert [len(each["lists"]) for each in (ann, bob)] == [2, 2]
    assert status(ann, SMS) is Status.NEVER_SUBSCRIBED
    assert status(bob, SMS) is Status.SUBSCRIBED
    assert [each["first_name"] for each in (ann, bob)] == ["Ann", "Bob"]


@pytest.mark.parametrize("is_trusted", [False, True])
async def test_a_new_address_joins_a_known_person_only_for_the_trusted(
    db: Database, is_trusted: bool
) -> None:
    news = await new_list(db, OptIn.SINGLE)
    await sign(db, news)

    await sign(db, news, {"email": ANN, "phoneNumber": PHONE}, is_trusted=is_trusted)

    profiles = await find(db.profiles, {}, sort={"_id": 1})
    found = [(each.get("email"), each.get("phone_number")) for each in profiles]
    apart = [(ANN, None), (None, PHONE)]
    assert found == ([(ANN, PHONE)] if is_trusted else apart)
    assert status(profiles[-1], SMS) is Status.SUBSCRIBED


async def test_a_shared_device_gives_nobody_another_address(db: Database) -> None:
    news = await new_list(db, OptIn.SINGLE)
    await sign(db, news, {"phoneNumber": PHONE, "anonymousId": "tab"})

    await sign(db, news, {"email": ANN, "anonymousId": "tab"})

    profiles = await find(db.profiles, {}, sort={"_id": 1})
    found = [(each.get("email"), each.get("phone_number")) for each in profiles]
    assert found == [(None, PHONE), (ANN, None)]


async def test_even_the_trusted_do_not_change_an_address(db: Database) -> None:
    news = await new_list(db, OptIn.SINGLE)
    await sign(db, news, {"email": ANN, "phoneNumber": PHONE})

    await sign(
        db,
        news,
        {"email": ANN, "phoneNumber": "+14155550199"},
        is_trusted=True,
    )

    profiles = await find(db.profiles, {}, sort={"_id": 1})
    assert [each.get("phone_number") for each in profiles] == [PHONE, "+14155550199"]


async def test_what_people_say_of_themselves_is_brought_up_to_date(
    db: Database,
) -> None:
    news = await new_list(db, OptIn.SINGLE)
    first = {
        "email": ANN,
        "firstName": "Ann",
        "properties": {"size": "M", "pet": "cat"},
    }
    await sign(db, news, first)

    await sign(
        db, news, {"email": ANN, "firstName": "Anne", "properties": {"size": "L"}}
    )
    await sign(db, news, {"email": ANN, "firstName": None})

    profile = await only(db)
    assert profile["first_name"] == "Anne"
    assert profile["properties"] == {"size": "L", "pet": "cat"}
    assert "anne" in profile["search"]


async def test_the_answer_is_the_same_for_the_known_and_the_unknown(
    db: Database,
) -> None:
    news = await new_list(db)
    known = await sign(db, news, {"email": ANN})
    again = await sign(db, news, {"email": ANN})
    new = await sign(db, news, {"email": "new@example.org"})

    answers = [(each.status, each.list) for each in (known, again, new)]
    assert answers == [(Status.PENDING, news)] * 3


async def test_only_a_list_can_be_joined(db: Database) -> None:
    segment = {
        "_id": ObjectId(),
        "name": "VIP",
        "name_key": "vip",
        "definition": {},
        "created_at": NOW,
        "updated_at": NOW,
    }
    await db.segments.insert_one(segment)

    with pytest.raises(NotAllowed) as refusal:
        await sign(db, segment)
    with pytest.raises(NotFound):
        await sign(db, {"_id": ObjectId()})

    assert refusal.value.problems[0].path == ("listId",)
    assert await db.profiles.count_documents({}) == 0


async def test_a_link_that_is_too_old_or_forged_is_refused(db: Database) -> None:
    news = await new_list(db)
    (confirmation,) = (await sign(db, news)).confirmations
    claim = ConfirmationClaim(
        str((await only(db))["_id"]), str(news["_id"]), "guessed", (EMAIL,)
    )

    with pytest.raises(InvalidInput, match="expired"):
        await click(db, confirmation.token, NOW + timedelta(days=8))
    for forged in (
        confirmation.token + "x",
        confirmation_token(Tokens("another secret"), claim, NOW),
    ):
        with pytest.raises(InvalidInput) as refusal:
            await click(db, forged)
        assert refusal.value.problems[0].path == ("token",)
    assert status(await only(db)) is Status.PENDING


async def test_a_link_proves_only_the_address_it_was_sent_to(db: Database) -> None:
    news = await new_list(db)
    (confirmation,) = (await sign(db, news)).confirmations
    await db.profiles.update_one({}, {"$set": {"email": "other@example.org"}})

    with pytest.raises(InvalidInput, match="address has changed"):
        await click(db, confirmation.token)

    assert status(await only(db)) is Status.PENDING


async def test_a_link_of_a_list_or_person_no_more_is_refused(db: Database) -> None:
    gone = await new_list(db, name="Gone")
    news = await new_list(db)
    (of_gone,) = (await sign(db, gone)).confirmations
    (of_news,) = (await sign(db, news)).confirmations
    await delete_list(db, gone["_id"], now=NOW)

    with pytest.raises(NotFound, match="list"):
        await click(db, of_gone.token)
    await db.profiles.delete_many({})
    with pytest.raises(NotFound, match="profile"):
        await click(db, of_news.token)


async def test_a_list_that_turns_single_takes_who_waited(db: Database) -> None:
    news = await new_list(db)
    (confirmation,) = (await sign(db, news)).confirmations
    await update_list(db, news["_id"], opt_in=OptIn.SINGLE, now=NOW)

    await sign(db, news, now=NOW + HOUR)
    assert status(await only(db)) is Status.PENDING
    done = await sign(db, news, now=NOW + HOUR, is_trusted=True)

    profile = await only(db)
    assert done.status is Status.SUBSCRIBED
    assert profile["pending"] == []
    assert (await click(db, confirmation.token, NOW + 2 * HOUR)).is_repeated
    assert len(profile["lists"]) == 1


async def test_leaving_a_list_leaves_consent(db: Database) -> None:
    first = await new_list(db, OptIn.SINGLE, "First")
    second = await new_list(db, OptIn.SINGLE, "Second")
    await sign(db, first)
    await sign(db, second)

    await leave(db, email=ANN, list_id=str(first["_id"]))

    profile = await only(db)
    assert [each["list_id"] for each in profile["lists"]] == [second["_id"]]
    assert status(profile) is Status.SUBSCRIBED


async def test_leaving_a_list_one_is_not_in_changes_nothing(db: Database) -> None:
    first = await new_list(db, OptIn.SINGLE, "First")
    second = await new_list(db, OptIn.SINGLE, "Second")
    await sign(db, first)
    before = await only(db)

    await leave(db, email=ANN, list_id=str(second["_id"]))

    assert await only(db) == before


async def test_leaving_a_channel_leaves_memberships_and_other_channels(
    db: Database,
) -> None:
    news = await new_list(db, OptIn.SINGLE)
    await sign(db, news, {"email": ANN, "phoneNumber": PHONE})

    await leave(db, email=ANN)
    await leave(db, email=ANN, now=NOW + 2 * HOUR)

    profile = await only(db)
    assert len(profile["lists"]) == 1
    assert (status(profile), status(profile, SMS)) == (
        Status.UNSUBSCRIBED,
        Status.SUBSCRIBED,
    )
    line = (await find(db.consent_changes, {}, sort={"_id": 1}))[-1]
    assert (line["from"], line["to"], line["at"], line["ip"]) == (
        "SUBSCRIBED",
        "UNSUBSCRIBED",
        NOW + HOUR,
        "192.0.2.7",
    )
    assert len(await steps(db)) == 3


async def test_leaving_makes_nobody_known(db: Database) -> None:
    news = await new_list(db)

    await leave(db, email=ANN)
    await leave(db, phone_number=PHONE, list_id=str(news["_id"]))
    await leave(db, token=leave_token(TOKENS, "6" * 24, channels=[EMAIL]))

    assert await db.profiles.count_documents({}) == 0
    assert await db.consent_changes.count_documents({}) == 0


async def test_a_link_leaves_what_it_was_made_for_or_what_is_named(
    db: Database,
) -> None:
    news = await new_list(db, OptIn.SINGLE)
    await sign(db, news, {"email": ANN, "phoneNumber": PHONE})
    ann = str((await only(db))["_id"])
    of_list = leave_token(TOKENS, ann, channels=[EMAIL], list_id=str(news["_id"]))

    await leave(db, token=of_list)
    profile = await only(db)
    assert (profile["lists"], status(profile)) == ([], Status.SUBSCRIBED)

    await leave(db, token=of_list, channels=[SMS])
    profile = await only(db)
    assert (status(profile), status(profile, SMS)) == (
        Status.SUBSCRIBED,
        Status.UNSUBSCRIBED,
    )

    await leave(db, token=leave_token(TOKENS, ann, channels=[EMAIL]))
    assert status(await only(db)) is Status.UNSUBSCRIBED


@pytest.mark.parametrize(
    ("what", "path"),
    [
        ({"token": "forged"}, "token"),
        ({"token": leave_token(TOKENS, "6" * 24)}, "channels"),
        ({"email": ANN, "list_id": "6" * 24}, "listId"),
    ],
)
async def test_leaving_nothing_that_exists_is_refused(
    db: Database, what: dict[str, Any], path: str
) -> None:
    with pytest.raises(AudienceError) as refusal:
        await leave(db, **what)

    assert refusal.value.problems[0].path == (path,)


async def test_two_addresses_leave_each_for_its_own_person(db: Database) -> None:
    news = await new_list(db, OptIn.SINGLE)
    await two_people(db, news)

    await leave(db, email=ANN, phone_number=PHONE)

    ann, bob = await find(db.profiles, {}, sort={"_id": 1})
    states: Sequence[Status] = [
        status(each, channel) for each in (ann, bob) for channel in (EMAIL, SMS)
    ]
    assert states == [
        Status.UNSUBSCRIBED,
        Status.NEVER_SUBSCRIBED,
        Status.NEVER_SUBSCRIBED,
        Status.UNSUBSCRIBED,
    ]


async def test_a_merged_persons_link_still_counts(db: Database) -> None:
    news = await new_list(db)
    (confirmation,) = (await sign(db, news)).confirmations
    former = await only(db)
    await db.profiles.delete_one({"_id": former["_id"]})
    merged = {**former, "_id": ObjectId(), "merged_ids": [former["_id"]]}
    await db.profiles.insert_one(merged)

    confirmed = await click(db, confirmation.token)

    assert not confirmed.is_repeated
    assert membership_in(await only(db), news["_id"]) is not None
