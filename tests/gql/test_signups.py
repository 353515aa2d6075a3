import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from audience.addresses import RefusedAddress
from gql.schema import schema
from resolvers import shielding
from resolvers.db import Database, Document, Session
from resolvers.shielding import finish_work
from resolvers.signups import subscribing
from resolvers.signups.writing import write_people
from tests.gql.conftest import PUBLIC, Api

pytestmark = pytest.mark.anyio

SUBSCRIBE = """
mutation ($input: SubscribeInput!) {
  subscribe(input: $input) { status userErrors { code message path } }
}
"""

CONFIRM = """
mutation ($input: ConfirmSubscriptionInput!) {
  confirmSubscription(input: $input) { status userErrors { code message path } }
}
"""

UNSUBSCRIBE = """
mutation ($input: UnsubscribeInput!) {
  unsubscribe(input: $input) { userErrors { code message path } }
}
"""

STATE = """
query ($email: String!) {
  profile(by: {email: $email}) {
    firstName
    properties
    lists { edges { node { source list { name } } } }
    consent {
      email {
        status canReceiveMarketing doubleOptIn source
        history { edges { node { from to method source ip userAgent consentText } } }
      }
    }
  }
}
"""

ADA = "ada@example.org"
PHONE = "+14155550132"


@pytest.fixture
def visitor(api: Api) -> Api:
    """The API with the key that stands in a web page."""
    return replace(api, viewer=PUBLIC)


async def make_list(api: Api, opt_in: str) -> str:
    data = await api.ask(
        f'mutation {{ createList(input: {{name: "News", optIn: {opt_in}}}) '
        "{ list { id } } }"
    )
    found: str = data["createList"]["list"]["id"]
    return found


async def state(api: Api) -> Any:
    return (await api.ask(STATE, email=ADA))["profile"]


async def test_nobody_waits_for_the_message(api: Api, visitor: Api) -> None:
    list_id = await make_list(api, "DOUBLE")
    goes, sent = asyncio.Event(), []

    async def deliver(message: Document) -> None:
        await goes.wait()
        sent.append(message["to"])

    context = replace(visitor.context(), deliver=deliver)
    given = {"input": {"listId": list_id, "email": ADA}}
    async with asyncio.timeout(20):
        answer = await schema.execute(SUBSCRIBE, given, context)

    assert answer.data == {"subscribe": {"status": "PENDING", "userErrors": []}}
    assert sent == []
    goes.set()
    await finish_work()
    assert sent == [ADA]


async def test_a_message_outlives_a_database_that_is_away_for_a_moment(
    api: Api, visitor: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shielding, "PAUSES", (0.0, 0.0))
    list_id = await make_list(api, "DOUBLE")
    faults: dict[str, list[Exception]] = {
        ADA: [AutoReconnect(), AutoReconnect()],
        PHONE: [ValueError(), ValueError()],
    }
    sent = []

    async def deliver(message: Document) -> None:
        if faults[message["to"]]:
            raise faults[message["to"]].pop()
        sent.append(message["to"])

    context = replace(visitor.context(), deliver=deliver)
    both = {"listId": list_id, "email": ADA, "phoneNumber": PHONE}
    given = {"input": {**both, "channels": ["SMS", "EMAIL"]}}
    answer = await schema.execute(SUBSCRIBE, given, context)
    await finish_work()

    assert answer.data == {"subscribe": {"status": "PENDING", "userErrors": []}}
    assert (sent, len(faults[PHONE])) == ([ADA], 1)


async def test_a_full_profile_is_not_told_from_nobody(
    api: Api, visitor: Api, db: Database
) -> None:
    list_id = await make_list(api, "SINGLE")
    full = {f"old {number}": number for number in range(500)}
    given = {"listId": list_id, "firstName": "Ada", "properties": full}
    await visitor.ask(SUBSCRIBE, input={**given, "email": ADA})
    more = {f"new {number}": number for number in range(500)}
    given = {"listId": list_id, "firstName": "Lin", "properties": more}

    known = await visitor.ask(SUBSCRIBE, input={**given, "email": ADA})
    unknown = await visitor.ask(SUBSCRIBE, input={**given, "email": "lin@example.org"})
    trusted = await api.ask(SUBSCRIBE, input={**given, "email": ADA})

    told = {"subscribe": {"status": "SUBSCRIBED", "userErrors": []}}
    assert (known, unknown) == (told, told)
    (problem,) = trusted["subscribe"]["userErrors"]
    assert (problem["code"], problem["path"]) == ("TOO_LARGE", ["properties"])
    found = await db.profiles.find_one({"email": ADA})
    assert found is not None
    assert (found["first_name"], found["properties"]) == ("Lin", full)


async def test_a_sign_up_to_a_single_opt_in_list_counts_at_once(
    api: Api, visitor: Api
) -> None:
    list_id = await make_list(api, "SINGLE")

    data = await visitor.ask(
        SUBSCRIBE,
        input={
            "listId": list_id,
            "email": ADA,
            "firstName": "Ada",
            "properties": {"size": 38},
            "customSource": "Footer",
            "consentText": "Send me news.",
        },
    )

    assert data == {"subscribe": {"status": "SUBSCRIBED", "userErrors": []}}
    assert api.sent == []
    assert await state(api) == {
        "firstName": "Ada",
        "properties": {"size": 38},
        "lists": {"edges": [{"node": {"source": "API", "list": {"name": "News"}}}]},
        "consent": {
            "email": {
                "status": "SUBSCRIBED",
                "canReceiveMarketing": True,
                "doubleOptIn": False,
                "source": "Footer",
                "history": {
                    "edges": [
                        {
                            "node": {
                                "from": "NEVER_SUBSCRIBED",
                                "to": "SUBSCRIBED",
                                "method": "API",
                                "source": "Footer",
                                "ip": "192.0.2.7",
                                "userAgent": "Browser/1.0",
                                "consentText": "Send me news.",
                            }
                        }
                    ]
                },
            }
        },
    }


async def test_a_sign_up_to_a_double_opt_in_list_waits_for_its_confirmation(
    api: Api, visitor: Api
) -> None:
    list_id = await make_list(api, "DOUBLE")

    asked = await visitor.ask(SUBSCRIBE, input={"listId": list_id, "email": ADA})
    waiting = await state(api)
    (message,) = visitor.sent
    confirmed = await visitor.ask(CONFIRM, input={"token": message["token"]})
    done = await state(api)

    assert asked == {"subscribe": {"status": "PENDING", "userErrors": []}}
    assert waiting["consent"]["email"]["status"] == "PENDING"
    assert waiting["lists"] == {"edges": []}
    assert {key: message[key] for key in ("to", "channels", "list")} == {
        "to": ADA,
        "channels": ["EMAIL"],
        "list": "News",
    }
    assert confirmed == {
        "confirmSubscription": {"status": "SUBSCRIBED", "userErrors": []}
    }
    assert done["consent"]["email"]["doubleOptIn"] is True
    assert [edge["node"]["list"]["name"] for edge in done["lists"]["edges"]] == ["News"]


async def test_the_answer_is_the_same_for_the_known(api: Api, visitor: Api) -> None:
    list_id = await make_list(api, "DOUBLE")
    sign_up = {"listId": list_id, "email": ADA}

    first = await visitor.ask(SUBSCRIBE, input=sign_up)
    await visitor.ask(CONFIRM, input={"token": visitor.sent[0]["token"]})
    known = await visitor.ask(SUBSCRIBE, input=sign_up)

    assert first == known == {"subscribe": {"status": "PENDING", "userErrors": []}}


async def test_who_has_left_is_asked_and_the_answer_does_not_tell(
    api: Api, visitor: Api
) -> None:
    list_id = await make_list(api, "SINGLE")
    sign_up = {"listId": list_id, "email": ADA}
    first = await visitor.ask(SUBSCRIBE, input=sign_up)
    await visitor.ask(UNSUBSCRIBE, input={"email": ADA})
    assert visitor.sent == []

    again = await visitor.ask(SUBSCRIBE, input=sign_up)
    waiting = await state(api)
    (message,) = visitor.sent
    await visitor.ask(CONFIRM, input={"token": message["token"]})

    assert first == again == {"subscribe": {"status": "SUBSCRIBED", "userErrors": []}}
    assert waiting["consent"]["email"]["status"] == "PENDING"
    assert waiting["consent"]["email"]["canReceiveMarketing"] is False
    assert (await state(api))["consent"]["email"]["status"] == "SUBSCRIBED"


async def test_a_sign_up_needs_an_address(api: Api, visitor: Api) -> None:
    list_id = await make_list(api, "SINGLE")

    data = await visitor.ask(SUBSCRIBE, input={"listId": list_id, "firstName": "Ada"})

    assert data == {
        "subscribe": {
            "status": None,
            "userErrors": [
                {
                    "code": "INVALID",
                    "message": "Give an e-mail address or a phone number to sign up.",
                    "path": ["email"],
                }
            ],
        }
    }


async def test_nobody_signs_up_to_what_is_no_list(visitor: Api) -> None:
    unknown, other = [
        await visitor.ask(SUBSCRIBE, input={"listId": list_id, "email": ADA})
        for list_id in ("lst_0123456789abcdef01234567", "prf_0123456789abcdef01234567")
    ]

    assert [
        (error["code"], error["path"]) for error in unknown["subscribe"]["userErrors"]
    ] == [("NOT_FOUND", ["listId"])]
    assert [
        (error["code"], error["path"]) for error in other["subscribe"]["userErrors"]
    ] == [("INVALID", ["listId"])]


async def test_a_forged_token_confirms_nothing(visitor: Api) -> None:
    data = await visitor.ask(CONFIRM, input={"token": "forged"})

    assert data["confirmSubscription"]["status"] is None
    assert [
        (error["code"], error["path"])
        for error in data["confirmSubscription"]["userErrors"]
    ] == [("INVALID", ["token"])]


async def test_leaving_answers_the_same_for_known_and_unknown(
    api: Api, visitor: Api
) -> None:
    list_id = await make_list(api, "SINGLE")
    await visitor.ask(SUBSCRIBE, input={"listId": list_id, "email": ADA})

    known = await visitor.ask(UNSUBSCRIBE, input={"email": ADA})
    unknown = await visitor.ask(UNSUBSCRIBE, input={"email": "bob@example.org"})

    assert known == unknown == {"unsubscribe": {"userErrors": []}}
    assert (await state(api))["consent"]["email"]["status"] == "UNSUBSCRIBED"


async def test_leaving_one_list_keeps_the_consent(api: Api, visitor: Api) -> None:
    list_id = await make_list(api, "SINGLE")
    await visitor.ask(SUBSCRIBE, input={"listId": list_id, "email": ADA})

    data = await visitor.ask(UNSUBSCRIBE, input={"listId": list_id, "email": ADA})
    left = await state(api)

    assert data == {"unsubscribe": {"userErrors": []}}
    assert left["lists"] == {"edges": []}
    assert left["consent"]["email"]["status"] == "SUBSCRIBED"


async def test_leaving_must_say_who(visitor: Api) -> None:
    data = await visitor.ask(UNSUBSCRIBE, input={})

    assert [
        (error["code"], error["path"]) for error in data["unsubscribe"]["userErrors"]
    ] == [("INVALID", ["email"])]


PUBLIC_CHANGES = {
    "subscribe": 'subscribe(input: {listId: "%s", email: "ada@example.org"})',
    "confirmSubscription": 'confirmSubscription(input: {token: "forged"})',
    "unsubscribe": 'unsubscribe(input: {email: "ada@example.org"})',
    "identify": 'identify(input: {email: "ada@example.org"})',
    "trackEvent": (
        'trackEvent(input: {profile: {email: "ada@example.org"}, metric: "Viewed"})'
    ),
}


@pytest.mark.parametrize("name", PUBLIC_CHANGES)
async def test_what_a_public_key_changes_is_counted_each_time(
    api: Api, visitor: Api, name: str
) -> None:
    change = PUBLIC_CHANGES[name].replace("%s", await make_list(api, "SINGLE"))
    asked = f"mutation {{ a: {change} {{ userErrors {{ code }} }} b: {change} "
    asked += "{ userErrors { code } } }"

    await api.ask(asked)
    data = await replace(visitor, limit=1).ask(asked)

    what = "event" if name == "trackEvent" else "sign-up"
    assert (api.counted, visitor.counted) == ([what], [what])
    assert {"code": "LIMIT_REACHED"} not in data["a"]["userErrors"]
    assert data["b"]["userErrors"] == [{"code": "LIMIT_REACHED"}]


async def test_kinds_of_addresses_are_refused_to_strangers(
    api: Api, visitor: Api
) -> None:
    list_id = await make_list(api, "SINGLE")
    visitor = replace(visitor, refused=tuple(RefusedAddress))
    api.refused = tuple(RefusedAddress)
    told = {}
    for email in ("ada@mailinator.com", "info@shop.example"):
        given = {"listId": list_id, "email": email}
        told[email] = (await visitor.ask(SUBSCRIBE, input=given))["subscribe"]
        data = await api.ask(SUBSCRIBE, input=given)
        assert data["subscribe"] == {"status": "SUBSCRIBED", "userErrors": []}

    def refusal(message: str) -> Any:
        error = {"code": "INVALID", "message": message, "path": ["email"]}
        return {"status": None, "userErrors": [error]}

    assert told == {
        "ada@mailinator.com": refusal(
            "Addresses that last only minutes are not taken here: use a lasting one."
        ),
        "info@shop.example": refusal(
            "This address seems to stand for an office: use a personal one."
        ),
    }


async def test_a_public_key_gives_nobody_an_address_by_their_phone_number(
    api: Api, visitor: Api
) -> None:
    list_id = await make_list(api, "SINGLE")
    phone = "+14155550132"
    known = {"listId": list_id, "phoneNumber": phone}
    both = {"listId": list_id, "phoneNumber": phone, "email": "eve@example.org"}

    await visitor.ask(SUBSCRIBE, input=known)
    await visitor.ask(SUBSCRIBE, input=both)
    data = await api.ask("{ profiles { edges { node { email phoneNumber } } } }")

    assert [each["node"] for each in data["profiles"]["edges"]] == [
        {"email": "eve@example.org", "phoneNumber": None},
        {"email": None, "phoneNumber": phone},
    ]


async def test_who_hangs_up_is_sent_the_link_all_the_same(
    api: Api, visitor: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_id = await make_list(api, "DOUBLE")
    asked = asyncio.create_task(
        visitor.ask(SUBSCRIBE, input={"listId": list_id, "email": ADA})
    )

    async def writing(db: Database, people: Sequence[Any], session: Session) -> None:
        asked.cancel()
        await write_people(db, people, session)

    monkeypatch.setattr(subscribing, "write_people", writing)
    with pytest.raises(asyncio.CancelledError):
        await asked

    async with asyncio.timeout(10):
        while not visitor.sent:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert [each["to"] for each in visitor.sent] == [ADA]
    assert (await state(api))["consent"]["email"]["status"] == "PENDING"
