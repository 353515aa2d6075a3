"""The secret that signs links, when the settings give none: made once, then kept in the
database, where every process finds the same one."""

import secrets

from pymongo import ReturnDocument

from resolvers.db import Database

SIGNING = "signing"


async def signing_secret(db: Database) -> str:
    """The secret of this database; made on the first call."""
    kept = await db.secrets.find_one_and_update(
        {"_id": SIGNING},
        {"$setOnInsert": {"value": secrets.token_urlsafe(48)}},
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    value: str = kept["value"]
    return value
