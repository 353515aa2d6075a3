"""Ids: ObjectIds in the database, 24 hexadecimal digits above it."""

from bson import ObjectId
from bson.errors import InvalidId

from audience.errors import InvalidInput


def object_id(value: str | ObjectId, path: tuple[str, ...] = ("id",)) -> ObjectId:
    """The id as MongoDB keeps it; InvalidInput when it is not one."""
    if isinstance(value, ObjectId):
        return value
    try:
        return ObjectId(value)
    except (InvalidId, TypeError):
        raise InvalidInput(
            f"{value!r:.60} is not an id: 24 hexadecimal digits are expected.", path
        ) from None
