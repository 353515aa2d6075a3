"""Where postal codes are, and the points of profiles, as GeoJSON."""

from resolvers.places.codes import places_of
from resolvers.places.points import point_of

__all__ = ["places_of", "point_of"]
