"""Where postal codes are, and how far people are from a place."""

from typing import Any

import pytest
from bson import ObjectId

from audience.conditions import parse
from audience.conditions.tree import Coordinates, PostalCode
from audience.errors import AudienceError
from resolvers.db import Database, find
from resolvers.places import places_of
from resolvers.segments import filter_stages, preview
from tests.resolvers.test_segments import NOW, only

pytestmark = pytest.mark.anyio

NEW_YORK = {"country": "US", "code": "10001"}


def near(within: float, unit: str = "KILOMETRE", **of: Any) -> dict[str, Any]:
    return only({"distance": {"of": of, "within": within, "unit": unit}})


async def people_at(db: Database, *locations: Any) -> None:
    for number, location in enumerate(locations):
        await db.profiles.insert_one(
            {
                "_id": ObjectId(),
                "external_id": str(number),
                "properties": {},
                "created_at": NOW,
                "updated_at": NOW,
                **({} if location is None else {"location": location}),
            }
        )


def at(latitude: float, longitude: float) -> dict[str, float]:
    return {"latitude": latitude, "longitude": longitude}


async def found(db: Database, definition: dict[str, Any]) -> str:
    (match,) = await filter_stages(db, parse(definition), NOW)
    rows = await find(db.profiles, match["$match"], sort={"_id": 1})
    return "".join(row["external_id"] for row in rows)


async def test_postal_codes_are_those_of_the_united_states() -> None:
    wanted = {
        PostalCode("US", "10001"): Coordinates(40.7484, -73.9967),
        PostalCode("usa", " 10001-1234 "): Coordinates(40.7484, -73.9967),
        PostalCode("US", "00000"): None,
        PostalCode("US", "1000"): None,
        PostalCode("US", "$where"): None,
        PostalCode("DE", "10115"): None,
    }

    assert await places_of(wanted) == {k: v for k, v in wanted.items() if v is not None}


async def test_known_distances_decide(db: Database) -> None:
    """From Berlin to Paris are 877.5 km, to Potsdam 26.5."""
    potsdam, paris = at(52.4, 13.066), at(48.8566, 2.3522)
    nowhere = {"city": "Berlin", "latitude": 52.52}
    await people_at(db, at(52.52, 13.405), potsdam, paris, nowhere, None)
    berlin = at(52.52, 13.405)

    assert await found(db, near(0, coordinates=berlin)) == "0"
    assert await found(db, near(26, coordinates=berlin)) == "0"
    assert await found(db, near(27, coordinates=berlin)) == "01"
    assert await found(db, near(877, coordinates=berlin)) == "01"
    assert await found(db, near(878, coordinates=berlin)) == "012"
    assert await found(db, near(545, "MILE", coordinates=berlin)) == "01"
    assert await found(db, near(546, "MILE", coordinates=berlin)) == "012"
    others = near(27, coordinates=berlin)
    others["groups"][0]["anyOf"][0]["distance"]["isWithin"] = False
    assert await found(db, others) == "234"


async def test_places_beyond_poles_and_the_date_line_are_near(db: Database) -> None:
    opposite = at(-52.52, -166.595)
    await people_at(db, at(0, 179.9), at(89.9, 10), at(89.9, -170), opposite)

    assert await found(db, near(23, coordinates=at(0, -179.9))) == "0"
    assert await found(db, near(23, coordinates=at(89.9, 10))) == "12"
    # The other side of the world is half of its circumference away.
    berlin = at(52.52, 13.405)
    assert await found(db, near(20_015, coordinates=berlin)) == "012"
    assert await found(db, near(20_016, coordinates=berlin)) == "0123"


async def test_a_postal_code_is_a_place(db: Database) -> None:
    await people_at(db, at(40.75, -74), at(34.05, -118.24))

    assert await found(db, near(5, "MILE", postalCode=NEW_YORK)) == "0"


@pytest.mark.parametrize(
    ("of", "path"),
    [
        ({"postalCode": {"country": "DE", "code": "10115"}}, ["postalCode", "country"]),
        ({"postalCode": {"country": "US", "code": "00000"}}, ["postalCode", "code"]),
        ({"coordinates": at(91, 0)}, ["coordinates", "latitude"]),
        ({"coordinates": at(0, -181)}, ["coordinates", "longitude"]),
        ({"coordinates": at(0, 0), "postalCode": NEW_YORK}, []),
        ({}, []),
    ],
)
async def test_a_place_that_is_none_is_named(
    db: Database, of: Any, path: list[str]
) -> None:
    with pytest.raises(AudienceError) as raised:
        await preview(db, parse(near(1, **of), ("definition",)), NOW)

    (problem,) = raised.value.problems
    inside = ("definition", "groups", "0", "anyOf", "0", "distance", "of")
    assert problem.path == (*inside, *path)


async def test_a_distance_is_not_negative() -> None:
    with pytest.raises(AudienceError) as raised:
        parse(near(-1, coordinates=at(0, 0)))

    assert [it.path[-1] for it in raised.value.problems] == ["within"]
