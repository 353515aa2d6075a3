"""Takes one person out of what is kept of files: the rows that wait to be imported, and
the values that were rejected. Everybody else's stays as it is, and where it is."""

import csv
from collections.abc import Mapping, Sequence

from audience.errors import AudienceError
from audience.identity import normalise_email, normalise_phone, region_of
from audience.rows.cells import external_id
from audience.rows.columns import Column
from audience.rows.reading import split_lines
from audience.rows.sheets import csv_line, unguarded

Who = Mapping[str, str]

_IDENTIFIERS = {
    "email": "email",
    "phoneNumber": "phone_number",
    "externalId": "external_id",
}
_DIGITS = 4  # of a phone number, at least
_VALUE = 2  # the place in a rejected row; see REJECTED_HEADER


def without_person(
    content: bytes,
    columns: Sequence[Column],
    delimiter: str,
    who: Who,
    region: str | None = None,
) -> bytes | None:
    """The rows of a block with those of the person left blank, so that the others
    keep their numbers; None when there is none of theirs. `who` has their identifiers
    under the stored names."""
    places = [
        (place, _IDENTIFIERS[column.target])
        for place, column in enumerate(columns)
        if column.target in _IDENTIFIERS and _IDENTIFIERS[column.target] in who
    ]
    lines = split_lines(content.decode())
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    written: list[str] = []
    found = False
    start = 0
    for row in reader:
        theirs = any(
            place < len(row) and _is_theirs(row[place], name, who, region)
            for place, name in places
        )
        written += ["\n"] if theirs else lines[start : reader.line_num]
        found |= theirs
        start = reader.line_num
    return "".join(written).encode() if found else None


def without_values(content: bytes, who: Who, region: str | None = None) -> bytes | None:
    """A file of rejected rows without the values of those lines of the upload in which
    the person is named; None when there are none. A number that was rejected for its
    lack of a country code is one of the country of theirs."""
    if region is None and "phone_number" in who:
        region = region_of(who["phone_number"])
    rows = list(csv.reader(split_lines(content.decode())))
    theirs = {
        row[0]
        for row in rows
        if any(_is_theirs(row[_VALUE], name, who, region) for name in who)
    }
    if not theirs:
        return None
    kept = [
        [*row[:_VALUE], "" if row[0] in theirs else _plain(row[_VALUE]), row[-1]]
        for row in rows
    ]
    return "".join(map(csv_line, kept)).encode()


def _is_theirs(cell: str, name: str, who: Who, region: str | None) -> bool:
    text = cell.strip()
    if not text:
        return False
    text = unguarded(text)
    try:
        match name:
            case "email":
                is_same = text.casefold() == who[name]
                return is_same or ("@" in text and normalise_email(text) == who[name])
            case "phone_number":
                digits = sum(map(str.isdigit, text))
                return digits >= _DIGITS and normalise_phone(text, region) == who[name]
            case _:
                return external_id(text) == who[name]
    except AudienceError:
        return False


def _plain(text: str) -> str:
    """A cell as it was before it was made safe, which writing it does again."""
    return unguarded(text) if text else text
