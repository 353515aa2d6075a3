"""`eraseProfile`, and what becomes of segments and of those who come late."""

import pytest

from tests.gql.conftest import Api

pytestmark = pytest.mark.anyio

ERASE = """
mutation ($by: ProfileLookup!) {
  eraseProfile(input: {by: $by}) { erasedId userErrors { code message path } }
}
"""
UPSERT = """
mutation ($email: String!) {
  upsertProfile(input: {email: $email}) { created profile { id } }
}
"""
ADA = "ada@example.org"


async def test_somebody_is_erased_by_any_identifier_and_once(api: Api) -> None:
    made = await api.ask(UPSERT, email=ADA)
    profile_id = made["upsertProfile"]["profile"]["id"]

    first = await api.ask(ERASE, by={"email": ADA.upper()})
    again = await api.ask(ERASE, by={"id": profile_id})
    wrong = await api.ask(ERASE, by={"email": "nobody"})

    assert first == {"eraseProfile": {"erasedId": profile_id, "userErrors": []}}
    assert again == {
        "eraseProfile": {
            "erasedId": None,
            "userErrors": [
                {
                    "code": "NOT_FOUND",
                    "message": "There is no such profile.",
                    "path": ["by"],
                }
            ],
        }
    }
    (error,) = wrong["eraseProfile"]["userErrors"]
    assert (error["code"], error["path"]) == ("INVALID", ["by", "email"])


async def test_the_same_address_is_somebody_new_afterwards(api: Api) -> None:
    before = await api.ask(UPSERT, email=ADA)
    await api.ask(ERASE, by={"email": ADA})

    after = await api.ask(UPSERT, email=ADA)

    assert after["upsertProfile"]["created"]
    assert after["upsertProfile"]["profile"] != before["upsertProfile"]["profile"]
