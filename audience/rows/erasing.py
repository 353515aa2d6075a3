"""Takes one person out of what is kept of files: the rows that wait to be imported, and
the values that were rejected. Everybody else's stays as it is, and where it is."""

import csv
from collections.abc import Mapping, Sequence

from audience.errors import AudienceError
from audience.identity import normalise_email, normalise_phone
from audience.rows.columns import Column
from audience.rows.reading import split_lines
from audience.rows.sheets import csv_line, unguarded

Who = Mapping[str, str]

_IDENTIFIERS = {
    "email": "email",
    "phoneNumber": "phone_number",
    "externalId": "external_id",
}
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


def without_values(content: bytes, who: Who) -> bytes | None:
    """A file of rejected rows without the values of those lines of the upload in which
    the person is named; None when there are none."""
    texts = {text.casefold() for text in who.values()}
    rows = list(csv.reader(split_lines(content.decode())))
    theirs = {
        row[0]
        for row in rows
        if (value := row[_VALUE].strip()) and unguarded(value).casefold() in texts
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
    if name == "external_id":
        return text == who[name]
    if name == "email" and "@" not in text:
        return False
    if name == "email" and text.casefold() == who[name]:
        return True
    try:
        value = (
            normalise_email(text) if name == "email" else normalise_phone(text, region)
        )
    except AudienceError:
        return False
    return value == who[name]


def _plain(text: str) -> str:
    """A cell as it was before it was made safe, which writing it does again."""
    return unguarded(text) if text else text
