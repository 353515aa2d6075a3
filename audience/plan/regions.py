"""Which countries a region has, in the ways that a profile's location may name them:
two letters, three letters, or the English name."""

from audience.conditions.tree import Region

_EUROPEAN_UNION = """
AT AUT Austria|BE BEL Belgium|BG BGR Bulgaria|HR HRV Croatia|CY CYP Cyprus
CZ CZE Czechia|CZ CZE Czech Republic|DK DNK Denmark|EE EST Estonia|FI FIN Finland
FR FRA France|DE DEU Germany|GR GRC Greece|HU HUN Hungary|IE IRL Ireland|IT ITA Italy
LV LVA Latvia|LT LTU Lithuania|LU LUX Luxembourg|MT MLT Malta|NL NLD Netherlands
NL NLD The Netherlands|PL POL Poland|PT PRT Portugal|RO ROU Romania|SK SVK Slovakia
SI SVN Slovenia|ES ESP Spain|SE SWE Sweden
"""
_UNITED_STATES = """
US USA United States|US USA United States of America|US USA The United States
"""


def country_names(region: Region) -> tuple[str, ...]:
    """The names and codes of the region's countries."""
    table = {
        Region.EUROPEAN_UNION: _EUROPEAN_UNION,
        Region.UNITED_STATES: _UNITED_STATES,
    }[region]
    names: dict[str, None] = {}
    for row in table.replace("\n", "|").split("|"):
        if row:
            names |= dict.fromkeys(row.split(" ", 2))
    return tuple(names)
