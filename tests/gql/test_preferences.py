"""The links for the messages of whoever sends them."""

import pytest

from audience.consent import Channel
from audience.preferences import read_preference_token
from audience.tokens import LeaveClaim, Tokens, read_leave
from tests.gql.conftest import NOW, Api

pytestmark = pytest.mark.anyio

LINKS = """
query ($id: ID!, $channel: Channel! = EMAIL, $list: ID) {
  preferenceLinks(profileId: $id, channel: $channel, listId: $list) {
    preferencesUrl unsubscribeUrl listUnsubscribe
  }
}
"""
TOKENS = Tokens("secret")
AT = "http://127.0.0.1:8000"
NOBODY = "0" * 24


async def make_person(api: Api) -> str:
    data = await api.ask(
        'mutation { upsertProfile(input: {email: "ada@example.org"}) '
        "{ profile { id } } }"
    )
    found: str = data["upsertProfile"]["profile"]["id"]
    return found


async def test_links_say_who_and_what(api: Api) -> None:
    person = await make_person(api)
    stored = person.removeprefix("prf_")
    made = await api.ask(
        'mutation { createList(input: {name: "News"}) { list { id } } }'
    )
    list_id = made["createList"]["list"]["id"]

    channel = (await api.ask(LINKS, id=person, channel="SMS"))["preferenceLinks"]
    one_list = (await api.ask(LINKS, id=person, list=list_id))["preferenceLinks"]

    before, _, token = channel["preferencesUrl"].partition("=")
    assert before == f"{AT}/preferences?token"
    assert read_preference_token(TOKENS, token, NOW) == stored
    before, _, token = channel["unsubscribeUrl"].partition("=")
    assert before == f"{AT}/unsubscribe?token"
    assert read_leave(TOKENS, token) == LeaveClaim(stored, (Channel.SMS,), None)
    assert channel["listUnsubscribe"] == f"<{channel['unsubscribeUrl']}>"
    token = one_list["unsubscribeUrl"].partition("=")[2]
    wanted = list_id.removeprefix("lst_")
    assert read_leave(TOKENS, token) == LeaveClaim(stored, (), wanted)


async def test_nobody_and_no_list(api: Api) -> None:
    person = await make_person(api)

    nobody = await api.ask(LINKS, id=f"prf_{NOBODY}")
    (refusal,) = await api.refusals(LINKS, id=person, list=f"lst_{NOBODY}")

    assert nobody == {"preferenceLinks": None}
    assert (refusal["code"], refusal["path"]) == ("NOT_FOUND", ["listId"])
