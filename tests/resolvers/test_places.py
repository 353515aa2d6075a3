"""Where postal codes are, and how far people are from a place."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId

from audience.conditions import parse
from audience.conditions.tree import Coordinates, PostalCode
from audience.errors import AudienceError
from audience.profiles import profile_change
from resolvers.db import Database, find
from resolvers.merges import merge_profiles
from resolvers.places import places_of
from resolvers.places.points import give_points
from resolvers.profiles import upsert_profile
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
    await give_points(db)


def at(latitude: float, longitude: float) -> dict[str, float]:
    return {"latitude": latitude, "longitude": longitude}


async def found(db: Database, definition: dict[str, Any]) -> str:
    (match,) = await filter_stages(db, parse(definition), NOW)
    rows = await find(db.profiles, match["$match"], sort={"_id": 1})
    return "".join(row["external_id"] for row in rows)


async def test_postal_codes_have_their_places(db: Database) -> None:
    new_york, westminster = (
        Coordinates(40.7506, -73.9973),
        Coordinates(51.4735, -0.1466),
    )
    toronto, amsterdam = Coordinates(43.6525, -79.3686), Coordinates(52.374, 4.8897)
    wanted = {
        PostalCode("US", "10001"): new_york,
        PostalCode("usa", " 10001-1234 "): new_york,
        PostalCode("GB", "SW1A"): westminster,
        PostalCode("United Kingdom", "sw1a 1aa"): westminster,
        PostalCode("CA", "m5v-2t6"): toronto,
        PostalCode("NL", "1012 AB"): amsterdam,
        PostalCode("US", "00000"): None,
        PostalCode("US", "1000"): None,
        PostalCode("US", "$where"): None,
        PostalCode("GB", "SW1A 1A"): None,
        PostalCode("JP", "100-0001"): None,
        PostalCode("$where", "1"): None,
    }

    assert await places_of(db, wanted) == {
        code: place for code, place in wanted.items() if place is not None
    }


@pytest.mark.parametrize(
    ("country", "code", "capital"),
    [
        ("AT", "1010", (48.21, 16.37)),
        ("AU", "2000", (-33.87, 151.21)),
        ("BE", "1000", (50.85, 4.35)),
        ("BG", "1000", (42.70, 23.32)),
        ("CY", "1010", (35.17, 33.36)),
        ("CZ", "110 00", (50.09, 14.42)),
        ("DE", "10115", (52.53, 13.38)),
        ("DK", "1050", (55.68, 12.58)),
        ("EE", "10111", (59.44, 24.75)),
        ("ES", "28001", (40.42, -3.69)),
        ("FI", "00100", (60.17, 24.94)),
        ("FR", "75001", (48.86, 2.34)),
        ("GR", "104 31", (37.98, 23.73)),
        ("HR", "10000", (45.81, 15.98)),
        ("HU", "1011", (47.50, 19.04)),
        ("IE", "D02 AF30", (53.34, -6.26)),
        ("IT", "00184", (41.89, 12.49)),
        ("LT", "LT-01100", (54.69, 25.28)),
        ("LU", "L-1111", (49.61, 6.13)),
        ("LV", "LV-1010", (56.95, 24.11)),
        ("MT", "VLT 1117", (35.90, 14.51)),
        ("NZ", "6011", (-41.29, 174.78)),
        ("PL", "00-001", (52.23, 21.01)),
        ("PT", "1100-148", (38.71, -9.14)),
        ("RO", "010011", (44.44, 26.10)),
        ("SE", "111 22", (59.33, 18.06)),
        ("SI", "1000", (46.05, 14.51)),
        ("SK", "811 01", (48.14, 17.11)),
    ],
)
async def test_codes_of_many_countries_are_where_they_should_be(
    country: str, code: str, capital: tuple[float, float], db: Database
) -> None:
    postal_code = PostalCode(country, code)

    found = (await places_of(db, [postal_code]))[postal_code]

    assert found.latitude == pytest.approx(capital[0], abs=0.1)
    assert found.longitude == pytest.approx(capital[1], abs=0.2)


async def test_codes_are_kept_as_points_that_an_index_finds(db: Database) -> None:
    await places_of(db, [PostalCode("MT", "VLT 1117"), PostalCode("LI", "9490")])

    near_valletta = {"$centerSphere": [[14.5131, 35.8989], 0.5 / 6371]}
    found = await find(db.places, {"at": {"$geoWithin": near_valletta}})
    assert "VLT" in {row["code"] for row in found}
    countries = await db.places.distinct("country")
    assert countries == ["LI", "MT"]


async def test_codes_of_another_file_stay_for_who_asks_for_them(db: Database) -> None:
    await db.places.insert_one({"_id": "old LI 9490", "country": "LI", "code": "9490"})
    await db.places.insert_one({"_id": "old LI", "country": "LI"})

    await asyncio.gather(*(places_of(db, [PostalCode("LI", "9490")]) for _ in range(3)))

    old = await find(db.places, {"_id": {"$regex": "^old"}}, sort={"_id": 1})
    assert [row["_id"] for row in old] == ["old LI", "old LI 9490"]
    assert await db.places.count_documents({"country": "LI"}) == 14 + 2


async def test_without_the_file_postal_codes_are_refused(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.places.codes.FILE", Path("absent"))

    with pytest.raises(AudienceError, match="This server has no postal codes yet"):
        await preview(db, parse(near(1, postalCode=NEW_YORK)), NOW)


async def test_a_profile_has_a_point_while_it_has_both_coordinates(
    db: Database,
) -> None:
    async def said(**more: Any) -> Any:
        change = profile_change({"externalId": "x", **more})
        upserted = await upsert_profile(db, change, NOW)
        return upserted.profile.get("point")

    def point(longitude: float, latitude: float) -> dict[str, Any]:
        return {"type": "Point", "coordinates": [longitude, latitude]}

    assert await said(location={"latitude": 1, "city": "Rome"}) is None
    assert await said(location={"longitude": 2}) == point(2, 1)
    assert await said(location={"city": "Oslo"}) == point(2, 1)
    assert await said(location={"latitude": 3}) == point(2, 3)
    assert await said(location={"longitude": None}) is None
    assert await said(location={"longitude": 4}) == point(4, 3)
    assert await said(location=None) is None
    assert await said(location={"latitude": 5, "longitude": 6}) == point(6, 5)
    new = profile_change({"externalId": "y", "location": at(7, 8)})
    assert (await upsert_profile(db, new, NOW)).profile["point"] == point(8, 7)


async def test_a_merged_profile_has_the_point_of_its_location(db: Database) -> None:
    source, destination = [
        await upsert_profile(
            db, profile_change({"externalId": name, "location": location}), NOW
        )
        for name, location in (("a", at(1, 2)), ("b", {"latitude": 3}))
    ]

    await merge_profiles(db, source.profile["_id"], destination.profile["_id"], NOW)

    (merged,) = await find(db.profiles, {})
    assert merged["location"] == at(3, 2)
    assert merged["point"] == {"type": "Point", "coordinates": [2, 3]}


async def test_older_profiles_get_their_points(db: Database) -> None:
    await people_at(db, at(52.52, 13.405), {"latitude": 1}, None)

    points = [row.get("point") for row in await find(db.profiles, {}, sort={"_id": 1})]

    berlin = {"type": "Point", "coordinates": [13.405, 52.52]}
    assert points == [berlin, None, None]


async def test_near_profiles_are_found_through_the_index(db: Database) -> None:
    await people_at(db, *(at(52 + number / 100, 13) for number in range(200)))
    definition = near(10, coordinates=at(52.5, 13))
    (match,) = await filter_stages(db, parse(definition), NOW)

    explained = await db.profiles.find(match["$match"]).explain()

    statistics = explained["executionStats"]
    assert statistics["nReturned"] == 17
    assert statistics["totalDocsExamined"] < 40
    assert "point_2dsphere" in str(explained["queryPlanner"]["winningPlan"])


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
        ({"postalCode": {"country": "JP", "code": "10115"}}, ["postalCode", "country"]),
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
