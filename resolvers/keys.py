"""API keys: made, revoked, and looked up by the hash of what a caller sends."""

import hmac
from dataclasses import dataclass
from datetime import datetime

from bson import ObjectId
from pymongo import ReturnDocument

from audience.errors import LimitReached, NotFound
from audience.keys import (
    EVERYTHING,
    MAX_KEYS,
    KeyKind,
    NewKey,
    Viewer,
    admin_viewer,
    hash_key,
    hint_of,
    is_key,
    new_key,
)
from resolvers.db import Database, Document, Session, transaction
from resolvers.ids import object_id
from resolvers.pages import Order, Page, PageRequest, read_page

NEWEST_FIRST = Order("_id", -1)

_IN_USE: Document = {"revoked_at": None}
_ADMINS: Document = {
    "kind": KeyKind.SECRET,
    "scopes": {"$in": [EVERYTHING, "keys:*", "keys:admin"]},
    **_IN_USE,
}


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A key's document, and the key itself, which is kept nowhere."""

    key: Document
    secret: str


async def create_key(db: Database, wanted: NewKey, *, now: datetime) -> CreatedKey:
    """A new key. Build `wanted` with `audience.keys.check_key`."""
    if await db.keys.count_documents(_IN_USE) >= MAX_KEYS:
        raise LimitReached(
            f"There are {MAX_KEYS:,} keys in use, which is the most; revoke one first."
        )
    created = _made(wanted, now)
    await db.keys.insert_one(created.key)
    return created


async def revoke_key(
    db: Database, key_id: str | ObjectId, *, now: datetime
) -> Document:
    """The key, of no use from now on; a revoked one stays as it is."""
    wanted = object_id(key_id)
    revoked = await db.keys.find_one_and_update(
        {"_id": wanted, **_IN_USE},
        {"$set": {"revoked_at": now}},
        return_document=ReturnDocument.AFTER,
    ) or await db.keys.find_one({"_id": wanted})
    if revoked is None:
        raise NotFound("There is no such key.", ("id",))
    return revoked


async def key_page(db: Database, page: PageRequest) -> Page:
    """Every key, revoked ones too, the newest first."""
    return await read_page(
        db.keys, {}, NEWEST_FIRST, page, projection={"hash": 0}, scope={}
    )


async def count_keys(db: Database) -> int:
    """How many keys `key_page` leads through."""
    return await db.keys.count_documents({})


async def keys_by_id(db: Database, ids: list[str | ObjectId]) -> list[Document | None]:
    """The key behind each id, in order; None where there is none."""
    wanted = [object_id(each) for each in ids]
    cursor = db.keys.find({"_id": {"$in": wanted}}, {"hash": 0})
    found = {key["_id"]: key for key in await cursor.to_list(None)}
    return [found.get(each) for each in wanted]


async def viewer_by_secret(
    db: Database, secret: str, *, admin_key: str | None = None
) -> Viewer | None:
    """Who holds this key; None when it is unknown or revoked.

    Found by its hash in an index, so that how long it takes tells nothing of the key.
    `admin_key` is the one that the environment gives.
    """
    if admin_key and hmac.compare_digest(hash_key(secret), hash_key(admin_key)):
        return admin_viewer()
    if not is_key(secret):
        return None
    found = await db.keys.find_one({"hash": hash_key(secret), **_IN_USE})
    return viewer_of(found) if found is not None else None


def viewer_of(key: Document) -> Viewer:
    """The holder of a key."""
    return Viewer(
        id=str(key["_id"]),
        name=key["name"],
        kind=KeyKind(key["kind"]),
        scopes=frozenset(key["scopes"]),
        allowed_origins=tuple(key.get("allowed_origins", ())),
    )


async def ensure_admin_key(db: Database, now: datetime) -> str | None:
    """A first key with every scope, to be shown once; None when some key that may
    make keys is in use. Of several processes that start at once, one makes it."""

    async def work(session: Session) -> str | None:
        # Both write this document, so that one waits for, and then sees, the other.
        await db.leases.update_one(
            {"_id": "first-admin-key"},
            {"$set": {"until": now}, "$inc": {"tries": 1}},
            upsert=True,
            session=session,
        )
        if await db.keys.find_one(_ADMINS, {"_id": 1}, session=session) is not None:
            return None
        made = _made(NewKey("First admin key", KeyKind.SECRET, (EVERYTHING,)), now)
        await db.keys.insert_one(made.key, session=session)
        return made.secret

    if await db.keys.find_one(_ADMINS, {"_id": 1}) is not None:
        return None
    return await transaction(db, work)


def _made(wanted: NewKey, now: datetime) -> CreatedKey:
    secret = new_key(wanted.kind)
    key: Document = {
        "_id": ObjectId(),
        "name": wanted.name,
        "kind": wanted.kind,
        "hash": hash_key(secret),
        "hint": hint_of(secret),
        "scopes": list(wanted.scopes),
        "allowed_origins": list(wanted.allowed_origins),
        "created_at": now,
    }
    return CreatedKey(key, secret)
