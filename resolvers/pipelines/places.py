"""How far apart two points are, on a globe of the Earth's mean radius.

The haversine of the angle between them is compared with that of the distance: no
square root and no arc sine, whatever rounding makes of opposite points. A cap that is
a little larger than the circle finds the candidates through the index on points.
"""

from math import cos, inf, pi, radians, sin

from audience.plan.tree import NearFact
from resolvers.db import Document

RADIUS = 6371.0088  # kilometres

# Beyond this, nearly everyone is within: no index helps.
_WIDEST = 1.5  # radians
_MARGIN = 1e-9

_LATITUDE, _LONGITUDE = "$location.latitude", "$location.longitude"


def near_filter(fact: NearFact) -> Document:
    """The location is near the point."""
    angle = fact.kilometres / RADIUS
    limit = inf if angle >= pi else sin(angle / 2) ** 2
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
    near: Document = {"$expr": {"$cond": [known, {"$lte": [haversine, limit]}, False]}}
    if angle > _WIDEST:
        return near
    center = [[fact.longitude, fact.latitude], angle * (1 + _MARGIN) + _MARGIN]
    return {"point": {"$geoWithin": {"$centerSphere": center}}} | near


def _squared_sine_of_half(path: str, value: float) -> Document:
    half = {"$divide": [{"$degreesToRadians": {"$subtract": [path, value]}}, 2]}
    return {"$pow": [{"$sin": half}, 2]}
