"""What a visitor does before they are known becomes the person's, as a page or an app
with a public key tells it."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.gql.conftest import PUBLIC, Api
from tests.resolvers.histories import assert_exact

pytestmark = pytest.mark.anyio

TRACK = """
mutation ($input: TrackEventInput!) {
  trackEvent(input: $input) { userErrors { code message path } }
}
"""
IDENTIFY = """
mutation ($input: IdentifyInput!) { identify(input: $input) { userErrors { code } } }
"""
SUBSCRIBE = """
mutation ($input: SubscribeInput!) {
  subscribe(input: $input) { status userErrors { code message } }
}
"""
SUBMIT = """
mutation ($input: SubmitFormInput!) {
  submitForm(input: $input) { status userErrors { code message path } }
}
"""
PEOPLE = """
{ profiles(last: 50) { edges { node {
  email anonymousIds
  metrics { count metric { name } }
  events(last: 50) { edges { node { uniqueId } } }
} } } }
"""
ADA, BOB = "ada@example.org", "bob@example.org"
LAPTOP, PHONE = "laptop", "phone"


@pytest.fixture
async def page(api: Api) -> Api:
    """A page, which has a public key; its metric exists."""
    await track(api, "email", "seed@example.org", "seed")
    await api.ask(
        'mutation { eraseProfile(input: {by: {email: "seed@example.org"}}) '
        "{ erasedId } }"
    )
    return replace(api, viewer=PUBLIC)


async def track(api: Api, by: str, who: str, number: str, **more: str) -> None:
    given = {"profile": {by: who, **more}, "metric": "Viewed Page", "uniqueId": number}
    answer = await api.ask(TRACK, input=given)
    assert answer == {"trackEvent": {"userErrors": []}}


async def people(api: Api) -> dict[str | None, Any]:
    """Everybody by e-mail address: their anonymous ids, and what they did."""
    data = await api.ask(PEOPLE)
    found = {}
    for edge in data["profiles"]["edges"]:
        node = edge["node"]
        numbers = sorted(each["node"]["uniqueId"] for each in node["events"]["edges"])
        counted = sum(each["count"] for each in node["metrics"])
        assert counted == len(numbers)
        found[node["email"]] = (sorted(node["anonymousIds"]), numbers)
    await assert_exact(api.db)
    return found


async def news(api: Api, opt_in: str = "SINGLE") -> str:
    made = await api.ask(
        'mutation ($optIn: OptIn!) { createList(input: {name: "News", '
        "optIn: $optIn}) { list { id } } }",
        optIn=opt_in,
    )
    found: str = made["createList"]["list"]["id"]
    return found


async def live_form(api: Api) -> str:
    made = await api.ask(
        """mutation ($list: ID!) { createForm(input: {name: "Footer", kind: EMBED,
          listId: $list, status: LIVE,
          fields: [{kind: EMAIL, label: "E-mail", target: "email", isRequired: true}],
          consents: [{channel: EMAIL, text: "News."}]}) { form { id } } }""",
        list=await news(api),
    )
    found: str = made["createForm"]["form"]["id"]
    return found


async def become(api: Api, page: Api, way: str, email: str, visitor: str) -> None:
    """The visitor tells their address, in one of the ways there are."""
    who = {"email": email, "anonymousId": visitor}
    match way:
        case "identify":
            await page.ask(IDENTIFY, input=who)
        case "event":
            await track(page, "email", email, f"told-{email}", anonymousId=visitor)
        case "upsert":
            await api.ask(
                "mutation ($input: UpsertProfileInput!) "
                "{ upsertProfile(input: $input) { userErrors { message } } }",
                input=who,
            )
        case "form":
            # A secret key needs no token of a showing.
            done = await api.ask(
                SUBMIT,
                input={
                    "formId": await live_form(api),
                    "values": {"email": email},
                    "anonymousId": visitor,
                },
            )
            assert done["submitForm"]["userErrors"] == []
        case _:
            wanted = who | {"listId": await news(api, way)}
            await page.ask(SUBSCRIBE, input=wanted)


@pytest.mark.parametrize("is_known", [False, True])
@pytest.mark.parametrize(
    "way", ["identify", "event", "upsert", "form", "SINGLE", "DOUBLE"]
)
async def test_what_was_done_before_is_the_person_s(
    api: Api, page: Api, way: str, is_known: bool
) -> None:
    if is_known:
        await track(api, "email", ADA, "0")
    await track(page, "anonymousId", LAPTOP, "1")
    await track(page, "anonymousId", LAPTOP, "2")
    before = [f"prf_{row['_id']}" async for row in api.db.profiles.find({})]

    await become(api, page, way, ADA, LAPTOP)
    await track(page, "anonymousId", LAPTOP, "3")

    told = [f"told-{ADA}"] if way == "event" else []
    numbers = ["0"] * is_known + ["1", "2", "3"] + told
    assert await people(api) == {ADA: ([LAPTOP], numbers)}
    for former in before:
        found = await api.ask(
            "query ($id: ID!) { profile(by: {id: $id}) { email } }", id=former
        )
        assert found == {"profile": {"email": ADA}}


@pytest.mark.parametrize("way", ["identify", "event", "upsert", "form", "SINGLE"])
async def test_of_two_visitors_on_one_browser_the_first_keeps_it(
    api: Api, page: Api, way: str
) -> None:
    await track(page, "anonymousId", LAPTOP, "1")
    await become(api, page, "identify", ADA, LAPTOP)
    await track(page, "anonymousId", LAPTOP, "2")

    if way == "upsert":
        # A server that says so is told, rather than believed.
        refused = await api.ask(
            "mutation ($input: UpsertProfileInput!) "
            "{ upsertProfile(input: $input) { userErrors { code path } } }",
            input={"email": BOB, "anonymousId": LAPTOP},
        )
        (error,) = refused["upsertProfile"]["userErrors"]
        assert error == {"code": "CONFLICT", "path": ["anonymousId"]}
    else:
        await become(api, page, way, BOB, LAPTOP)
        await track(page, "email", BOB, "3", anonymousId=LAPTOP)

    found = await people(api)
    assert found.pop(ADA) == ([LAPTOP], ["1", "2"])
    told = [f"told-{BOB}"] if way == "event" else []
    assert found == ({} if way == "upsert" else {BOB: ([], ["3", *told])})


async def test_one_person_on_two_devices(api: Api, page: Api) -> None:
    for device in (LAPTOP, PHONE):
        await track(page, "anonymousId", device, f"{device}-1")
        await become(api, page, "identify", ADA, device)
        await track(page, "anonymousId", device, f"{device}-2")

    assert await people(api) == {
        ADA: (
            [LAPTOP, PHONE],
            ["laptop-1", "laptop-2", "phone-1", "phone-2"],
        )
    }


async def test_everything_at_the_same_moment(api: Api, page: Api) -> None:
    """Events of two devices, the person's address on both, and other people."""
    for round_ in range(5):
        ada, devices = f"ada{round_}@example.org", (f"a{round_}", f"b{round_}")
        await asyncio.gather(
            *(
                track(page, "anonymousId", device, f"{device}-{n}")
                for device in devices
                for n in range(6)
            ),
            *(
                page.ask(IDENTIFY, input={"email": ada, "anonymousId": device})
                for device in devices
                for _ in range(2)
            ),
            track(page, "email", f"bob{round_}@example.org", f"{round_}-1"),
        )

    found = await people(api)
    assert found == {
        **{
            f"ada{r}@example.org": (
                [f"a{r}", f"b{r}"],
                [f"{device}{r}-{n}" for device in "ab" for n in range(6)],
            )
            for r in range(5)
        },
        **{f"bob{r}@example.org": ([], [f"{r}-1"]) for r in range(5)},
    }


async def test_two_people_who_claim_a_browser_at_the_same_moment(
    api: Api, page: Api
) -> None:
    for round_ in range(5):
        device = f"d{round_}"
        names = [f"{name}{round_}@example.org" for name in ("ada", "bob")]
        await track(page, "anonymousId", device, f"{round_}")

        await asyncio.gather(
            *(
                page.ask(IDENTIFY, input={"email": name, "anonymousId": device})
                for name in names
            )
        )

        found = await people(api)
        both = [found[name] for name in names if name in found]
        # One of them has the browser with all that was done on it; nothing is twice.
        assert sorted(both, reverse=True) == [([device], [f"{round_}"]), ([], [])]


async def test_a_repeated_event_stays_one_when_the_visitor_becomes_known(
    api: Api, page: Api
) -> None:
    await track(page, "anonymousId", LAPTOP, "order-1")
    await become(api, page, "identify", ADA, LAPTOP)

    await track(page, "anonymousId", LAPTOP, "order-1")
    await track(page, "email", ADA, "order-1")

    assert await people(api) == {ADA: ([LAPTOP], ["order-1"])}
