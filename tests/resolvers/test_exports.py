"""Exports of people, and their way back in through an import."""

from datetime import UTC, datetime

import pytest

from audience.lists import MembershipSource, OptIn
from audience.profiles import profile_change
from resolvers.db import Database, find
from resolvers.exports import list_export
from resolvers.imports import NewImport, run_waiting_imports, start_import
from resolvers.lists import create_list, join_list_many
from resolvers.profiles import upsert_profile

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def test_an_export_comes_back_as_it_was(db: Database) -> None:
    properties = {"City": "Köln", "joined": "May", "Image": "a.png", "Zip": "50667"}
    given = {"email": "ada@example.org", "properties": properties}
    made = await create_list(db, "Fair", OptIn.SINGLE, now=NOW)
    files = []
    for _ in range(2):
        profile = (await upsert_profile(db, profile_change(given), NOW)).profile
        members = [(profile["_id"], NOW)]
        await join_list_many(db, made["_id"], members, MembershipSource.API, now=NOW)
        parts = await list_export(db, made["_id"])
        files.append(b"".join([part async for part in parts]))
        await db.profiles.delete_many({})
        await start_import(db, lambda: [files[-1]], NewImport("people.csv"), now=NOW)
        assert await run_waiting_imports(db, "here") == 1
        (back,) = await find(db.profiles, {})
        given = {"email": back["email"], "properties": back["properties"]}
        assert given == {"email": "ada@example.org", "properties": properties}

    assert files[0] == files[1]
