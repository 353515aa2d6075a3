"""Where postal codes are, and the points of profiles, as GeoJSON."""

from resolvers.places.codes import are_known, places_of
from resolvers.places.points import point_of

__all__ = ["are_known", "places_of", "point_of"]
