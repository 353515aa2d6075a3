"""Where postal codes are: read from a file that comes with the server, a country at a
time when one of its codes is first asked for, and kept as GeoJSON points."""

import asyncio
import gzip
import zlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from pymongo.errors import BulkWriteError

from audience.conditions.tree import Coordinates, PostalCode
from audience.postal import country_of, district_of
from resolvers.db import Database, Document, find

FILE = Path(__file__).parent / "dist" / "codes.csv.gz"  # made by scripts/places

_DUPLICATE = 11000


def are_known() -> bool:
    """Whether the file is there; without it no code is known."""
    return FILE.exists()


async def places_of(
    db: Database, codes: Iterable[PostalCode]
) -> dict[PostalCode, Coordinates]:
    """The places of the codes that are known."""
    wanted = {
        code: (country, district)
        for code in codes
        if (country := country_of(code.country))
        and (district := district_of(country, code.code))
    }
    if not wanted or not are_known():
        return {}
    version = await asyncio.to_thread(_version)
    for country in sorted({country for country, _ in wanted.values()}):
        if await db.places.find_one({"_id": f"{version} {country}"}) is None:
            await _fill(db, version, country)
    ids = {
        code: f"{version} {country} {district}"
        for code, (country, district) in wanted.items()
    }
    rows = await find(db.places, {"_id": {"$in": list(set(ids.values()))}})
    points = {row["_id"]: row["at"]["coordinates"] for row in rows}
    return {
        code: Coordinates(points[_id][1], points[_id][0])
        for code, _id in ids.items()
        if _id in points
    }


async def _fill(db: Database, version: str, country: str) -> None:
    """Writes the country's codes and then, that they are all there. Several processes
    may: they write the same. Those of another file stay, since an older process may
    still be asking for them."""
    rows = await asyncio.to_thread(lambda: list(_read(version, country)))
    try:
        if rows:
            await db.places.insert_many(rows, ordered=False)
    except BulkWriteError as error:
        if any(it["code"] != _DUPLICATE for it in error.details["writeErrors"]):
            raise
    whole = {"$set": {"country": country}}
    await db.places.update_one({"_id": f"{version} {country}"}, whole, upsert=True)


def _read(version: str, country: str) -> Iterator[Document]:
    with gzip.open(FILE, "rt", encoding="ascii") as lines:
        for line in lines:
            if line.startswith(country):
                _, code, latitude, longitude = line.split(",")
                yield {
                    "_id": f"{version} {country} {code}",
                    "country": country,
                    "code": code,
                    "at": {
                        "type": "Point",
                        "coordinates": [float(longitude), float(latitude)],
                    },
                }


@cache
def _version() -> str:
    """Another one where the file is another."""
    return f"{zlib.crc32(FILE.read_bytes()):08x}"
