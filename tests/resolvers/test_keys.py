"""Keys in the database: found by their hash alone, revoked, and the first one."""

from datetime import UTC, datetime, timedelta

import anyio
import pytest

from audience.errors import LimitReached, NotFound
from audience.keys import (
    MAX_KEYS,
    KeyKind,
    NewKey,
    Viewer,
    admin_viewer,
    check_key,
    hash_key,
    new_key,
)
from resolvers.db import Database
from resolvers.keys import (
    count_keys,
    create_key,
    ensure_admin_key,
    key_page,
    keys_by_id,
    revoke_key,
    viewer_by_secret,
)
from resolvers.pages import page_request

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
READER = NewKey("Reader", KeyKind.SECRET, ("lists:read",))


async def test_the_key_itself_is_kept_nowhere(db: Database) -> None:
    made = await create_key(db, READER, now=NOW)

    kept = await db.keys.find_one({})
    assert kept == made.key
    assert kept == {
        "_id": made.key["_id"],
        "name": "Reader",
        "kind": "SECRET",
        "hash": hash_key(made.secret),
        "hint": f"sk_…{made.secret[-4:]}",
        "scopes": ["lists:read"],
        "allowed_origins": [],
        "created_at": NOW,
    }
    assert made.secret not in str(kept)


async def test_a_key_is_found_by_itself(db: Database) -> None:
    wanted = check_key("Site", KeyKind.PUBLIC, [], ["https://shop.example"])
    made = await create_key(db, wanted, now=NOW)

    assert await viewer_by_secret(db, made.secret) == Viewer(
        str(made.key["_id"]),
        "Site",
        KeyKind.PUBLIC,
        frozenset({"signup"}),
        ("https://shop.example",),
    )
    for other in (new_key(KeyKind.SECRET), "", "sk_", made.secret[:-1], "\ud800"):
        assert await viewer_by_secret(db, other) is None


async def test_a_revoked_key_is_of_no_use(db: Database) -> None:
    made = await create_key(db, READER, now=NOW)

    first = await revoke_key(db, str(made.key["_id"]), now=NOW)
    again = await revoke_key(db, made.key["_id"], now=NOW + timedelta(hours=1))

    assert first["revoked_at"] == again["revoked_at"] == NOW
    assert await viewer_by_secret(db, made.secret) is None
    with pytest.raises(NotFound):
        await revoke_key(db, "6" * 24, now=NOW)


async def test_the_environments_key_needs_no_database_entry(db: Database) -> None:
    assert await viewer_by_secret(db, "hush", admin_key="hush") == admin_viewer()
    assert await viewer_by_secret(db, "hush", admin_key="hush!") is None
    assert await viewer_by_secret(db, "\ud800", admin_key="hush") is None
    assert await viewer_by_secret(db, "", admin_key="") is None


async def test_keys_are_paged_newest_first_without_their_hash(db: Database) -> None:
    made = [await create_key(db, READER, now=NOW) for _ in range(3)]
    ids = [each.key["_id"] for each in made]

    page = await key_page(db, page_request(first=2))

    assert [row["_id"] for row in page.rows] == [ids[2], ids[1]]
    assert all("hash" not in row for row in page.rows)
    assert await count_keys(db) == 3
    found = await keys_by_id(db, [ids[1], "6" * 24])
    assert [each and each["_id"] for each in found] == [ids[1], None]


async def test_there_is_a_most_of_keys_in_use(db: Database) -> None:
    await db.keys.insert_many(
        {
            "name": "Reader",
            "kind": "SECRET",
            "hash": str(index),
            "scopes": [],
            "created_at": NOW,
        }
        for index in range(MAX_KEYS)
    )

    with pytest.raises(LimitReached):
        await create_key(db, READER, now=NOW)


async def test_the_first_admin_key_is_made_once(db: Database) -> None:
    await create_key(db, READER, now=NOW)
    secrets: list[str | None] = []

    async def start() -> None:
        secrets.append(await ensure_admin_key(db, NOW))

    async with anyio.create_task_group() as tasks:
        for _ in range(6):
            tasks.start_soon(start)

    (secret,) = [each for each in secrets if each is not None]
    viewer = await viewer_by_secret(db, secret)
    assert viewer is not None
    assert viewer.may("keys:admin")
    assert await count_keys(db) == 2


@pytest.mark.parametrize("scope", ["*", "keys:*", "keys:admin"])
async def test_an_admin_key_in_use_is_enough(db: Database, scope: str) -> None:
    made = await create_key(db, NewKey("Boss", KeyKind.SECRET, (scope,)), now=NOW)

    assert await ensure_admin_key(db, NOW) is None

    await revoke_key(db, made.key["_id"], now=NOW)
    assert await ensure_admin_key(db, NOW) is not None
