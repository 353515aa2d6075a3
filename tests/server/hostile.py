"""Files that are no list of people, or want to do harm; each with the reason that is
told."""

import gzip
import io
import zipfile


def _zipped() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", bytes(5_000_000))
    return packed.getvalue()


def _not_csv(what: str) -> str:
    return (
        f"This is {what}, not a CSV file: save the table as CSV in UTF-8, and send "
        "that."
    )


REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "The file is empty."),
    "header alone": (b"Email\n", "The file has a header, but no rows below it."),
    "workbook that unpacks to much": (
        _zipped(),
        _not_csv("an Excel workbook or another ZIP archive"),
    ),
    "archive that unpacks to much": (
        gzip.compress(b"Email\n" + bytes(5_000_000)),
        _not_csv("a gzip archive"),
    ),
    "old workbook": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512),
        _not_csv("an old Excel workbook"),
    ),
    "document": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", _not_csv("a PDF document")),
    "UTF-32": (
        "Email\na@example.org\n".encode("utf-32"),
        _not_csv("a file in UTF-32"),
    ),
    "zeros": (
        b"Email\na@example.org\0\n",
        "Line 2 has a NUL character: this is not a text file, or its encoding is "
        "another.",
    ),
    "broken UTF-8": (
        b"\xef\xbb\xbfEmail\na@example.org\n\xff@example.org\n",
        "Line 3 is not UTF-8: save the file as UTF-8, or state its encoding.",
    ),
    "broken UTF-16": (
        "Email\na@example.org\n".encode("utf-16") + b"\x00\xd8",
        "Line 3 is not UTF-16: save the file as UTF-8, or state its encoding.",
    ),
    "too many columns": (
        b"Email" + b",x" * 9_999 + b"\na@example.org\n",
        "The header has 10,000 columns; at most 500 are taken.",
    ),
    "long name": (
        b"Email," + b"x" * 129 + b"\na@example.org,1\n",
        "The name of column 2 has 129 characters; at most 128 are taken.",
    ),
    "twin names": (
        b"Email,Plan,Plan\na@example.org,1,2\n",
        "Columns 2 and 3 are both named 'Plan': rename one of them.",
    ),
    "twin names but for spaces": (
        b'Email,"Zip  Code","Zip\nCode"\na@example.org,1,2\n',
        "Columns 2 and 3 are both named 'Zip Code': rename one of them.",
    ),
    "control character": (
        b"Email,Pl\x1b[2Jan\na@example.org,1\n",
        "The name of column 2 has characters that cannot be shown: 'Pl\\x1b[2Jan'.",
    ),
    "nobody": (
        b"Plan,Size\ngold,M\n",
        "No column identifies people: one must be an e-mail address, a phone number or "
        "an external id. The columns are 'Plan', 'Size'.",
    ),
    "no header": (
        b"a@example.org,M\nb@example.org,S\n",
        "The first row should name the columns, but column 1 of it is 'a@example.org'.",
    ),
    "open quotation": (
        b'Email\na@example.org\n"b@example.org\n',
        "A quotation mark in the row that begins on line 3 is never closed.",
    ),
    "bare return": (
        b"Email,Plan\na@example.org,go\rld\n",
        "Line 2: a carriage return stands alone; end lines with a line feed.",
    ),
    "long cell": (
        b"Email,Plan\na@example.org," + b"x" * 131_073 + b"\n",
        "A cell of the row that begins on line 2 has more than 131,072 characters: "
        "perhaps a quotation mark is never closed.",
    ),
    "long line": (
        b"Email\n" + b"x" * 1_100_000,
        "Line 2 is longer than 1,000,000 characters.",
    ),
}

# Names that mean something to databases, languages or spreadsheets are names.
NAMES = (
    *("=1+1", "+cmd", "-1", "__proto__", "constructor", "toString"),
    *("$where", "$set.email", "a.b", "{$gt: 1}", "_id", "consent.email.status"),
    *("lists", "summary", "<script>", "properties", "' OR 1=1", "\u202egpj", "İ"),
)
PROPERTIES = {
    name.lstrip("$").replace(".", "_"): f"v{place}" for place, name in enumerate(NAMES)
}


def named() -> bytes:
    """A file of one person with all those names."""
    cells = [f'"{name}"' for name in NAMES]
    values = [f"v{place}" for place in range(len(NAMES))]
    return "\n".join(
        (",".join(("Email", *cells)), ",".join(("a@example.org", *values)), "")
    ).encode()
