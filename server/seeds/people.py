"""Made-up people, the same ones each time: the data sets name nobody.

Every address is under example.org, which belongs to no one.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who does not exist."""

    first_name: str
    last_name: str
    email: str
    location: dict[str, Any]


def person(number: int) -> Person:
    """The person with this number."""
    first = FIRST_NAMES[_spread(number, 1, len(FIRST_NAMES))]
    last = LAST_NAMES[_spread(number, 2, len(LAST_NAMES))]
    city, region, code, timezone, latitude, longitude = CITIES[
        _spread(number, 3, len(CITIES))
    ]
    return Person(
        first_name=first,
        last_name=last,
        email=f"{first}.{last}.{number}@example.org".lower(),
        location={
            "city": city,
            "region": region,
            "country": "United States",
            "zip": code,
            "timezone": timezone,
            "latitude": latitude,
            "longitude": longitude,
        },
    )


def share(number: int, parts: int = 100) -> int:
    """A part from 0 to parts - 1 for this number, evenly spread and always the same."""
    return _spread(number, 4, parts)


def _spread(number: int, salt: int, size: int) -> int:
    mixed = (number * 0x9E3779B1 + salt * 0x85EBCA77) & 0xFFFFFFFF
    mixed = ((mixed ^ (mixed >> 15)) * 0x2C1B3C6D) & 0xFFFFFFFF
    mixed = ((mixed ^ (mixed >> 12)) * 0x297A2D39) & 0xFFFFFFFF
    return (mixed ^ (mixed >> 15)) % size


_FIRST_NAMES = """
Ada Alice Amir Anna Aria Ben Bruno Camila Carl Chloe Clara Daniel Dina Elena Elias
Emma Erik Eva Farid Felix Fiona Frank Gina Grace Hana Hugo Ida Iris Ivan Jack Jane
Jonas Julia Karim Kate Lara Leo Lena Liam Lily Lucas Luisa Malik Maria Mark Maya Mia
Mila Nadia Nina Noah Nora Olga Oliver Omar Oscar Paul Petra Rosa Ruth Sam Sara Simon
Sofia Stella Tara Theo Tom Uma Vera Victor Yara Yusuf Zoe
"""
FIRST_NAMES = tuple(_FIRST_NAMES.split())

_LAST_NAMES = """
Abbott Adams Aguilar Ahmed Allen Bailey Baker Barnes Bauer Becker Bell Bennett Berg
Brooks Brown Byrne Carter Castro Chan Chen Clark Cole Cook Costa Cruz Dahl Davis
Diaz Dixon Evans Fischer Flores Ford Foster Garcia Gomez Grant Gray Green Hall
Hansen Harris Hayes Hill Howard Hughes Hunt Ibrahim Jensen Jones Kaur Kelly Khan Kim
King Klein Kowalski Lane Larsen Lee Lewis Lopez Martin Mason Meyer Miller Moore
Morgan Murphy Nguyen Novak Okafor Ortiz Owens Park Patel Perez Price Ramos Reed
Rivera Roberts Rossi Russell Santos Schmidt Scott Shah Silva Singh Stone Suzuki
Tanaka Taylor Torres Turner Walker Ward Wong Wright Young
"""
LAST_NAMES = tuple(_LAST_NAMES.split())

CITIES = (
    ("Atlanta", "Georgia", "30303", "America/New_York", 33.7529, -84.3925),
    ("Chicago", "Illinois", "60602", "America/Chicago", 41.8832, -87.6292),
    ("Cincinnati", "Ohio", "45202", "America/New_York", 39.1072, -84.5020),
    ("Columbus", "Ohio", "43215", "America/New_York", 39.9653, -83.0008),
    ("Dallas", "Texas", "75201", "America/Chicago", 32.7876, -96.7994),
    ("Denver", "Colorado", "80202", "America/Denver", 39.7491, -104.9946),
    ("Detroit", "Michigan", "48226", "America/Detroit", 42.3316, -83.0500),
    ("Houston", "Texas", "77002", "America/Chicago", 29.7566, -95.3659),
    (
        "Indianapolis",
        "Indiana",
        "46204",
        "America/Indiana/Indianapolis",
        39.7716,
        -86.1562,
    ),
    ("Louisville", "Kentucky", "40202", "America/Kentucky/Louisville", 38.25, -85.75),
    ("Nashville", "Tennessee", "37203", "America/Chicago", 36.1490, -86.7922),
    ("Phoenix", "Arizona", "85004", "America/Phoenix", 33.4511, -112.0685),
    ("Seattle", "Washington", "98101", "America/Los_Angeles", 47.6114, -122.3345),
)
