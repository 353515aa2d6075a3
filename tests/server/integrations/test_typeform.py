from datetime import UTC, datetime

import pytest

from audience.consent import Channel
from audience.integrations.kinds import (
    Agreement,
    Mapping,
    Typeform,
)
from resolvers.db import Database
from tests import integration_calls as calls
from tests.integration_calls import changed
from tests.server.integrations.tool import Connect, new_list

pytestmark = pytest.mark.anyio


TEXT = "News by e-mail, at most once a week."


async def test_a_typeform_is_filled_out(connect: Connect, db: Database) -> None:
    list_id = await new_list(db)
    tool = await connect(
        Typeform(
            list_id,
            mappings=(
                Mapping("location.city", "town"),
                Mapping("properties.favourites", "kind"),
            ),
            agreements=(Agreement(Channel.EMAIL, "news", TEXT),),
        )
    )

    await tool.accepted(calls.typeform(calls.TYPEFORM))

    ada = await tool.profile(email="ada@example.org")
    assert (
        ada["first_name"],
        ada["last_name"],
        ada["phone_number"],
        ada["location"],
        ada["properties"],
    ) == (
        "Ada",
        "Lovelace",
        "+14155550132",
        {"city": "London"},
        {"favourites": ["Green", "White"]},
    )
    assert ada["consent"]["email"]["consented_at"] == datetime(
        2026, 2, 20, 18, 17, 2, tzinfo=UTC
    )
    assert len(ada["lists"]) == 1
    assert await tool.events() == [
        ("Filled Out Form", "2026-02-20T18:17:02Z", "ada@example.org", 9.0, None)
    ]
    assert await tool.properties("Filled Out Form") == [
        {
            "Form": "Tea survey",
            "FormId": "lT4Z3j",
            "campaign": "spring",
            "Your e-mail?": "ada@example.org",
            "Which tea Really?": ["Green", "White"],
            "Do you agree to get our news?": True,
            "First name": "Ada",
            "Phone number": "+14155550132",
            "Town?": "London",
        }
    ]


async def test_who_does_not_agree_in_a_typeform_does_not_join(
    connect: Connect, db: Database
) -> None:
    tool = await connect(
        Typeform(await new_list(db), (), (Agreement(Channel.EMAIL, "news", TEXT),))
    )
    body = changed(calls.TYPEFORM)
    body["form_response"]["answers"][2]["boolean"] = False

    await tool.accepted(calls.typeform(body))

    ada = await tool.profile(email="ada@example.org")
    assert (ada["consent"], ada["lists"]) == ({}, [])
