"""A location's coordinates as a GeoJSON point, for the index on places."""

from collections.abc import Mapping
from typing import Any

from resolvers.db import Database, Document

COORDINATES = ("latitude", "longitude")


def point_of(location: Mapping[str, Any]) -> Document | None:
    """The point; None unless both coordinates are known."""
    latitude, longitude = (location.get(name) for name in COORDINATES)
    if latitude is None or longitude is None:
        return None
    return {"type": "Point", "coordinates": [longitude, latitude]}


async def give_points(db: Database) -> None:
    """Gives every profile with both coordinates its point."""
    between = {
        f"location.{name}": {"$gte": -most, "$lte": most}
        for name, most in zip(COORDINATES, (90, 180), strict=True)
    }
    point = {
        "type": "Point",
        "coordinates": ["$location.longitude", "$location.latitude"],
    }
    await db.profiles.update_many(
        between | {"point": None}, [{"$set": {"point": point}}]
    )
