"""Where a postal code is, from data that come with the server: the United States'."""

import asyncio
import re
from collections.abc import Iterable
from functools import lru_cache

import zipcodes

from audience.conditions.tree import Coordinates, PostalCode, Region
from audience.plan.regions import country_names

_ZIP = re.compile(r"\d{5}(-\d{4})?")


async def places_of(codes: Iterable[PostalCode]) -> dict[PostalCode, Coordinates]:
    """The places of the codes that are known. The data are read when they are first
    asked for, which takes a moment."""
    wanted = set(codes)
    if not wanted:
        return {}
    found = await asyncio.to_thread(lambda: [(it, _place_of(it)) for it in wanted])
    return {code: place for code, place in found if place is not None}


def is_covered(country: str) -> bool:
    """Whether there are postal codes of the country."""
    named = {name.casefold() for name in country_names(Region.UNITED_STATES)}
    return country.strip().casefold() in named


@lru_cache(4_096)
def _place_of(code: PostalCode) -> Coordinates | None:
    text = code.code.strip()
    if not is_covered(code.country) or not _ZIP.fullmatch(text):
        return None
    for row in zipcodes.matching(text[:5]):  # type: ignore[no-untyped-call]
        if row["lat"] and row["long"]:
            return Coordinates(float(row["lat"]), float(row["long"]))
    return None
