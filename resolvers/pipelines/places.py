"""How far apart two points are, on a globe of the Earth's mean radius.

The haversine of the angle between them is compared with that of the distance: no
square root and no arc sine, whatever rounding makes of opposite points.
"""

from math import cos, degrees, inf, pi, radians, sin

from audience.plan.tree import NearFact
from resolvers.db import Document

RADIUS = 6371.0088  # kilometres

_LATITUDE, _LONGITUDE = "$location.latitude", "$location.longitude"


def near_filter(fact: NearFact) -> Document:
    """The location is near the point. The latitude alone rules most people out."""
    angle = fact.kilometres / RADIUS
    limit = inf if angle >= pi else sin(angle / 2) ** 2
    away = degrees(angle) + 1e-9
    here = radians(fact.latitude)
    haversine = {
        "$add": [
            _squared_sine_of_half(_LATITUDE, fact.latitude),
            {
                "$multiply": [
                    cos(here),
                    {"$cos": {"$degreesToRadians": _LATITUDE}},
                    _squared_sine_of_half(_LONGITUDE, fact.longitude),
                ]
            },
        ]
    }
    known = {"$and": [{"$isNumber": _LATITUDE}, {"$isNumber": _LONGITUDE}]}
    return {
        "location.latitude": {
            "$gte": fact.latitude - away,
            "$lte": fact.latitude + away,
        },
        "$expr": {"$cond": [known, {"$lte": [haversine, limit]}, False]},
    }


def _squared_sine_of_half(path: str, value: float) -> Document:
    half = {"$divide": [{"$degreesToRadians": {"$subtract": [path, value]}}, 2]}
    return {"$pow": [{"$sin": half}, 2]}
