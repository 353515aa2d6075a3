"""Postal codes: in which countries they can be given, and what of a code tells a place.

Where codes stand for single buildings or streets (the United Kingdom, Canada, the
Netherlands, Portugal, Ireland, Malta, Brazil, the United States and Puerto Rico), the
part that names the district is used.
"""

import re

# Codes are known of these countries, by their two letters.
COUNTRIES: dict[str, tuple[str, ...]] = {
    "AD": ("AND", "Andorra"),
    "AT": ("AUT", "Austria"),
    "AU": ("AUS", "Australia"),
    "BE": ("BEL", "Belgium"),
    "BG": ("BGR", "Bulgaria"),
    "BR": ("BRA", "Brazil"),
    "CA": ("CAN", "Canada"),
    "CH": ("CHE", "Switzerland"),
    "CY": ("CYP", "Cyprus"),
    "CZ": ("CZE", "Czechia", "Czech Republic"),
    "DE": ("DEU", "Germany"),
    "DK": ("DNK", "Denmark"),
    "EE": ("EST", "Estonia"),
    "ES": ("ESP", "Spain"),
    "FI": ("FIN", "Finland"),
    "FR": ("FRA", "France"),
    "GB": ("GBR", "UK", "United Kingdom", "Great Britain"),
    "GR": ("GRC", "Greece"),
    "HR": ("HRV", "Croatia"),
    "HU": ("HUN", "Hungary"),
    "IE": ("IRL", "Ireland"),
    "IT": ("ITA", "Italy"),
    "LI": ("LIE", "Liechtenstein"),
    "LT": ("LTU", "Lithuania"),
    "LU": ("LUX", "Luxembourg"),
    "LV": ("LVA", "Latvia"),
    "MC": ("MCO", "Monaco"),
    "MT": ("MLT", "Malta"),
    "NL": ("NLD", "Netherlands", "The Netherlands"),
    "NO": ("NOR", "Norway"),
    "NZ": ("NZL", "New Zealand"),
    "PL": ("POL", "Poland"),
    "PR": ("PRI", "Puerto Rico"),
    "PT": ("PRT", "Portugal"),
    "RO": ("ROU", "Romania"),
    "SE": ("SWE", "Sweden"),
    "SI": ("SVN", "Slovenia"),
    "SK": ("SVK", "Slovakia"),
    "US": ("USA", "United States", "United States of America", "The United States"),
}

_BY_NAME = {
    name.casefold(): code
    for code, names in COUNTRIES.items()
    for name in (code, *names)
}
# The letters that codes are written after in international mail.
_PREFIXES = {"AD": "AD", "LT": "LT", "LV": "LV", "LU": "L", "SI": "SI", "MC": "MC"}
# How many characters name the district.
_DISTRICT = {"US": 5, "CA": 3, "NL": 4, "PT": 4, "IE": 3, "MT": 3, "BR": 5, "PR": 5}
_UNITED_KINGDOM = re.compile(r"([A-Z]{1,2}[0-9][A-Z0-9]?)([0-9][A-Z]{2})?")
_SHAPES = {
    "CA": re.compile(r"[A-Z][0-9][A-Z]([0-9][A-Z][0-9])?"),
    "US": re.compile(r"[0-9]{5}([0-9]{4})?"),
    "PR": re.compile(r"[0-9]{5}([0-9]{4})?"),
}
_CODE = re.compile(r"[A-Z0-9]{2,10}")


def country_of(name: str) -> str | None:
    """The two letters of a country with known postal codes: given by them, by three
    letters or by its English name, case ignored."""
    return _BY_NAME.get(name.strip().casefold())


def district_of(country: str, code: str) -> str | None:
    """What of the code tells the place: letters and digits only, without the prefix of
    international mail; None when it cannot be a code of the country."""
    text = re.sub(r"[\s-]", "", code).upper()
    prefix = _PREFIXES.get(country, country)
    if text.startswith(prefix) and text[len(prefix) :].isdigit():
        text = text[len(prefix) :]
    if country == "GB":
        found = _UNITED_KINGDOM.fullmatch(text)
        return None if found is None else found[1]
    if not _SHAPES.get(country, _CODE).fullmatch(text) or not text.isascii():
        return None
    return text[: _DISTRICT.get(country, len(text))]
