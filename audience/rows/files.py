"""A CSV file as text: its encoding, delimiter and header, and its rows in blocks.

Whatever is wrong with the file as a whole is found here, before any row is used.
"""

import codecs
import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, islice

from audience.errors import AudienceError, InvalidInput, TooLarge
from audience.identity import is_plain
from audience.rows import limits
from audience.rows.sheets import unguarded

# Reads the file from its start, in pieces of any size, each time it is called.
Source = Callable[[], Iterable[bytes]]

DELIMITERS = (",", ";", "\t", "|")

_PATH = ("file",)
_PIECE = 65_536
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
_NO_TEXT = (
    (b"PK\x03\x04", "an Excel workbook or another ZIP archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh91AY", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"(\xb5/\xfd", "a Zstandard archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"%PDF-", "a PDF document"),
    (codecs.BOM_UTF32_LE, "a file in UTF-32"),
    (codecs.BOM_UTF32_BE, "a file in UTF-32"),
)
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


class Encoding(StrEnum):
    """How a file's characters are kept as bytes."""

    UTF_8 = "UTF_8"
    UTF_16 = "UTF_16"
    WINDOWS_1252 = "WINDOWS_1252"


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is read, its header, and its first rows."""

    encoding: Encoding
    codec: str
    delimiter: str
    header: tuple[str, ...]
    samples: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Some whole rows of a file, in UTF-8, and where the first of them stands."""

    number: int
    first_line: int
    first_row: int
    rows: int
    content: bytes


def layout_of(
    source: Source, *, encoding: Encoding | None = None, delimiter: str | None = None
) -> Layout:
    """How to read the file; what is not given is found out. InvalidInput when it is
    no table of people at all."""
    if delimiter is not None and delimiter not in DELIMITERS:
        raise InvalidInput(
            "The delimiter is a comma, semicolon, tab or pipe.", ("delimiter",)
        )
    head = _head(source)
    if not head:
        raise InvalidInput("The file is empty.", _PATH)
    _refuse_packed(head)
    found = encoding or _encoding_of(source, head)
    codec = _codec_of(found, head)
    lines = _first_lines(source, codec, found)
    if not any(line.strip() for line in lines):
        raise InvalidInput("The file is empty.", _PATH)
    used = delimiter or _delimiter_of(lines)
    rows = list(islice(_records(lines, used), limits.SAMPLE_ROWS + 1))
    header = tuple(map(header_name, rows[0]))
    _check_header(header)
    samples = tuple(tuple(row) for row in rows[1:])
    return Layout(found, codec, used, header, samples)


def blocks(source: Source, layout: Layout) -> Iterator[Block]:
    """All rows below the header, a block at a time. InvalidInput names the line at
    which the file cannot be read, or says that there are no rows."""
    buffer: list[str] = []
    size = row_size = 0

    def pulled() -> Iterator[str]:
        nonlocal size, row_size
        for line in _lines(source, layout.codec, layout.encoding):
            size += len(line)
            row_size += len(line)
            if row_size > limits.ROW_LENGTH:
                raise TooLarge(
                    f"The row that begins on line {start} is longer than "
                    f"{limits.ROW_LENGTH:,} characters: perhaps a quotation mark in "
                    "it is never closed.",
                    _PATH,
                )
            buffer.append(line)
            yield line

    start, number, records, rows, total = 1, 0, 0, 0, 0
    block_line = block_row = 0
    reader = csv.reader(pulled(), delimiter=layout.delimiter, strict=True)
    has_header = False
    try:
        for row in reader:
            if not has_header:
                has_header = any(row)
                buffer.clear()
                size = row_size = 0
                start = block_line = reader.line_num + 1
                continue
            records += 1
            rows += any(row)
            row_size = 0
            start = reader.line_num + 1
            if records - block_row >= limits.BLOCK_ROWS or size >= limits.BLOCK_LENGTH:
                yield _block(number, block_line, block_row, rows, buffer)
                number, total, rows = number + 1, total + rows, 0
                block_line, block_row, size = start, records, 0
                buffer.clear()
                if records > limits.ROWS:
                    raise TooLarge(
                        f"The file has more than {limits.ROWS:,} rows: split it.", _PATH
                    )
    except csv.Error as error:
        raise InvalidInput(
            _sentence(error, start, reader.line_num, layout.delimiter), _PATH
        ) from None
    if rows:
        yield _block(number, block_line, block_row, rows, buffer)
    if total + rows == 0:
        raise InvalidInput("The file has a header, but no rows below it.", _PATH)


def header_name(cell: str) -> str:
    """A column's name: on one line, with single spaces, and without the apostrophe that
    an export puts before what looks like a formula."""
    return unguarded(" ".join(cell.split()))


def delimiter_name(delimiter: str) -> str:
    """The delimiter in a sentence."""
    return _NAMES[delimiter]


def _block(number: int, line: int, row: int, rows: int, buffer: Sequence[str]) -> Block:
    return Block(number, line, row, rows, "".join(buffer).encode())


def _refuse_packed(head: bytes) -> None:
    """Nothing is unpacked, so a small file never becomes a large one."""
    for start, what in _NO_TEXT:
        if head.startswith(start):
            raise InvalidInput(
                f"This is {what}, not a CSV file: save the table as CSV in UTF-8, and "
                "send that.",
                _PATH,
            )


def _head(source: Source) -> bytes:
    head = bytearray()
    for piece in source():
        head += piece
        if len(head) >= limits.HEAD_BYTES:
            break
    return bytes(head[: limits.HEAD_BYTES])


def _encoding_of(source: Source, head: bytes) -> Encoding:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return Encoding.UTF_16
    if not head.startswith(codecs.BOM_UTF8) and _zeros(head) is not None:
        return Encoding.UTF_16
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for piece in source():
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        has_mark = head.startswith(codecs.BOM_UTF8)
        return Encoding.UTF_8 if has_mark else Encoding.WINDOWS_1252
    return Encoding.UTF_8


def _codec_of(encoding: Encoding, head: bytes) -> str:
    match encoding:
        case Encoding.UTF_8:
            return "utf-8-sig"
        case Encoding.WINDOWS_1252:
            return "cp1252"
        case Encoding.UTF_16:
            if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                return "utf-16"
            return "utf-16-be" if _zeros(head) == 0 else "utf-16-le"


def _zeros(head: bytes) -> int | None:
    """Which of two bytes is nearly always zero, as in UTF-16 of Latin text."""
    sample = head[:4_096]
    for place in (0, 1):
        half = sample[place::2]
        if len(half) > 2 and half.count(0) > 0.7 * len(half):
            return place
    return None


def _delimiter_of(lines: Sequence[str]) -> str:
    """The delimiter that splits the first rows most evenly, into the most columns."""
    best, best_score = ",", (0.0, 1)
    for delimiter in DELIMITERS:
        try:
            rows = list(islice(_records(lines, delimiter), 30))
        except AudienceError:
            continue
        width = len(rows[0]) if rows else 0
        if width < 2:
            continue
        even = sum(len(row) == width for row in rows) / len(rows)
        if (even, width) > best_score:
            best, best_score = delimiter, (even, width)
    return best


def _records(lines: Iterable[str], delimiter: str) -> Iterator[list[str]]:
    """The rows that are not empty. Of an unreadable row only what is wrong matters."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    start = 1
    try:
        for row in reader:
            if any(row):
                yield row
            start = reader.line_num + 1
    except csv.Error as error:
        if "unexpected end" in str(error) and start > 1:
            return  # The head of a file may end inside a row.
        raise InvalidInput(
            _sentence(error, start, reader.line_num, delimiter), _PATH
        ) from None


def _first_lines(source: Source, codec: str, encoding: Encoding) -> list[str]:
    found: list[str] = []
    size = 0
    for line in _lines(source, codec, encoding):
        found.append(line)
        size += len(line)
        if size > limits.HEAD_BYTES:
            break
    return found


def _lines(source: Source, codec: str, encoding: Encoding) -> Iterator[str]:
    """The lines with their ends, decoded and checked."""
    decoder = codecs.getincrementaldecoder(codec)()
    rest, number = "", 1
    lone_returns: bool | None = None
    size = 0
    for piece in chain(_larger(source()), (b"",)):
        size += len(piece)
        if size > limits.FILE_BYTES:
            raise TooLarge(
                f"The file is larger than {limits.FILE_BYTES:,} bytes: split it.", _PATH
            )
        try:
            text = decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode(codec, "ignore").count("\n")
            raise InvalidInput(
                f"Line {number + before} is not {_spelled(encoding)}: save the file as "
                "UTF-8, or state its encoding.",
                _PATH,
            ) from None
        if "\0" in text:
            before = text[: text.index("\0")].count("\n")
            raise InvalidInput(
                f"Line {number + before} has a NUL character: this is not a text file, "
                "or its encoding is another.",
                _PATH,
            )
        if lone_returns is None and text:
            lone_returns = "\r" in text and "\n" not in text
        if lone_returns:
            text = text.replace("\r", "\n")
        found = _LINE.findall(rest + text)
        rest = "" if not found or found[-1][-1] == "\n" else found.pop()
        yield from found
        number += len(found)
        if len(rest) > limits.ROW_LENGTH:
            raise TooLarge(
                f"Line {number} is longer than {limits.ROW_LENGTH:,} characters.", _PATH
            )
    if rest:
        yield rest


def _larger(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of a sensible size."""
    held = bytearray()
    for piece in pieces:
        held += piece
        if len(held) >= _PIECE:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


def _spelled(encoding: Encoding) -> str:
    return (
        encoding.replace("_", "-").title()
        if "W" in encoding
        else encoding.replace("_", "-")
    )


def _sentence(error: csv.Error, start: int, line: int, delimiter: str) -> str:
    what = str(error)
    if "unexpected end" in what:
        return (
            f"A quotation mark in the row that begins on line {start} is never closed."
        )
    if "field larger" in what:
        return (
            f"A cell of the row that begins on line {start} has more than "
            f"{limits.CELL_LENGTH:,} characters: perhaps a quotation mark is never "
            "closed."
        )
    if "expected after" in what:
        return (
            f"Line {line}: text follows a closing quotation mark. Between two "
            f"quotation marks, others are doubled; a {delimiter_name(delimiter)} "
            "follows the last."
        )
    return f"Line {line}: a carriage return stands alone; end lines with a line feed."


def _check_header(header: Sequence[str]) -> None:
    if len(header) > limits.COLUMNS:
        raise TooLarge(
            f"The header has {len(header):,} columns; at most {limits.COLUMNS} are "
            "taken.",
            _PATH,
        )
    places: dict[str, int] = {}
    for place, name in enumerate(header, 1):
        if len(name) > limits.HEADER_LENGTH:
            raise TooLarge(
                f"The name of column {place} has {len(name):,} characters; at most "
                f"{limits.HEADER_LENGTH} are taken.",
                _PATH,
            )
        if name and name in places:
            raise InvalidInput(
                f"Columns {places[name]} and {place} are both named {name!r}: rename "
                "one of them.",
                _PATH,
            )
        places[name] = place
        if not is_plain(name):
            raise InvalidInput(
                f"The name of column {place} has characters that cannot be shown: "
                f"{name!r}.",
                _PATH,
            )
        if "@" in name:
            raise InvalidInput(
                f"The first row should name the columns, but column {place} of it is "
                f"{name!r}.",
                _PATH,
            )
