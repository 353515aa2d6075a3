"""How a CSV file is read: its encoding, delimiter and header, and what is refused."""

from collections.abc import Iterator

import pytest

from audience.errors import AudienceError, Problem
from audience.rows import Block, Encoding, Layout, blocks, layout_of
from audience.rows.files import Source
from audience.rows.sheets import csv_line

TEXT = "Email,City\r\nzoé@example.org,Köln\r\n"
ROWS = (("zoé@example.org", "Köln"),)


def source(content: bytes, piece: int = 7) -> Source:
    def pieces() -> Iterator[bytes]:
        for start in range(0, len(content), piece):
            yield content[start : start + piece]

    return pieces


def read(content: bytes) -> tuple[Layout, list[Block]]:
    opened = source(content, 7 if len(content) < 1_000 else 65_536)
    layout = layout_of(opened)
    return layout, list(blocks(opened, layout))


def refusal(content: bytes) -> str:
    with pytest.raises(AudienceError) as caught:
        read(content)
    (problem,) = caught.value.problems
    assert problem == Problem(problem.code, problem.message, ("file",))
    return problem.message


@pytest.mark.parametrize(
    ("content", "encoding", "codec"),
    [
        (TEXT.encode(), Encoding.UTF_8, "utf-8-sig"),
        (TEXT.encode("utf-8-sig"), Encoding.UTF_8, "utf-8-sig"),
        (TEXT.encode("utf-16"), Encoding.UTF_16, "utf-16"),
        (TEXT.encode("utf-16-le"), Encoding.UTF_16, "utf-16-le"),
        (TEXT.encode("utf-16-be"), Encoding.UTF_16, "utf-16-be"),
        (TEXT.encode("cp1252"), Encoding.WINDOWS_1252, "cp1252"),
    ],
)
def test_the_encoding_is_found(content: bytes, encoding: Encoding, codec: str) -> None:
    layout, found = read(content)

    assert layout == Layout(encoding, codec, ",", ("Email", "City"), ROWS)
    assert found == [Block(0, 2, 0, 1, "zoé@example.org,Köln\r\n".encode())]


def test_an_encoding_that_shows_late_is_found() -> None:
    content = (
        b"Email,City\n" + b"a@example.org,Rome\n" * 50_000 + b"b@example.org,K\xf6ln"
    )

    layout, found = read(content)

    assert layout.encoding is Encoding.WINDOWS_1252
    assert found[-1].content.endswith("b@example.org,Köln".encode())


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    rows = [
        ["Email", "Note", "Price"],
        ["a@example.org", '"one, two; three | four"', '"1,5"'],
        ["b@example.org", '""', '"2,5"'],
    ]
    content = "\n".join(delimiter.join(row) for row in rows).encode()

    layout, _ = read(content)

    assert layout.delimiter == delimiter
    assert layout.samples == (
        ("a@example.org", "one, two; three | four", "1,5"),
        ("b@example.org", "", "2,5"),
    )


def test_names_of_columns_lose_the_apostrophe_of_an_export() -> None:
    header = csv_line(["Email", "=Rank", "+1", "it's", "'quoted'"])

    layout, _ = read(f"{header}a@example.org,1,2,3,4".encode())

    assert header == "Email,'=Rank,'+1,it's,'quoted'\r\n"
    assert layout.header == ("Email", "=Rank", "+1", "it's", "'quoted'")


def test_one_column_needs_no_delimiter() -> None:
    layout, found = read(b"Email\na@example.org\n")

    assert (layout.delimiter, layout.samples) == (",", (("a@example.org",),))
    assert found == [Block(0, 2, 0, 1, b"a@example.org\n")]


def test_lines_may_end_as_on_old_computers() -> None:
    layout, found = read(b"Email,City\ra@example.org,Rome\rb@example.org,Oslo\r")

    assert layout.header == ("Email", "City")
    assert [block.content for block in found] == [
        b"a@example.org,Rome\nb@example.org,Oslo\n"
    ]


def test_empty_rows_are_passed_over_and_lines_still_count() -> None:
    layout, found = read(
        b'\n\nEmail,Note\n\na@example.org,"two\nlines"\n,\nb@b.org,x\n'
    )

    assert layout.header == ("Email", "Note")
    assert found == [Block(0, 4, 0, 2, b'\na@example.org,"two\nlines"\n,\nb@b.org,x\n')]


def test_blocks_hold_whole_rows_and_know_where_they_begin() -> None:
    body = "".join(f'a{n}@example.org,"x\ny"\n' for n in range(4_001))

    _, found = read(f"Email,Note\n{body}".encode())

    places = [(it.number, it.first_line, it.first_row, it.rows) for it in found]
    assert places == [(0, 2, 0, 2_000), (1, 4_002, 2_000, 2_000), (2, 8_002, 4_000, 1)]
    assert b"".join(it.content for it in found).decode() == body


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "The file is empty."),
        (b"\xef\xbb\xbf", "The file is empty."),
        (b"\n \n\n", "The file is empty."),
        (b"Email,City\n", "The file has a header, but no rows below it."),
        (b"Email,City\n,\n\n", "The file has a header, but no rows below it."),
        (
            b"Email,City,Email\na@example.org,x,y\n",
            "Columns 1 and 3 are both named 'Email': rename one of them.",
        ),
        (
            b"a@example.org,Rome\nb@example.org,Oslo\n",
            "The first row should name the columns, but column 1 of it is "
            "'a@example.org'.",
        ),
        (
            b"Email,City\na@example.org,Ro\0me\n",
            "Line 2 has a NUL character: this is not a text file, or its encoding is "
            "another.",
        ),
        (
            "Email,City\na@example.org,Köln\n".encode("utf-8-sig")[:-3] + b"\xff\n",
            "Line 2 is not UTF-8: save the file as UTF-8, or state its encoding.",
        ),
        (
            b"Email,City\na@example.org,\x81\n",
            "Line 2 is not Windows-1252: save the file as UTF-8, or state its "
            "encoding.",
        ),
        (
            b'Email,City\na@example.org,Rome\nb@example.org,"Oslo\nc@example.org,x\n',
            "A quotation mark in the row that begins on line 3 is never closed.",
        ),
        (
            b'Email,City\na@example.org,Rome\nb@example.org,"Os"lo\n',
            "Line 3: text follows a closing quotation mark. Between two quotation "
            "marks, others are doubled; a comma follows the last.",
        ),
        (
            b"Email,City\na@example.org,Rome\nb@example.org,Os\rlo\n",
            "Line 3: a carriage return stands alone; end lines with a line feed.",
        ),
        (
            ("Email," + ",".join(f"c{n}" for n in range(9_999)) + "\na,b\n").encode(),
            "The header has 10,000 columns; at most 500 are taken.",
        ),
        (
            b"Email," + b"x" * 129 + b"\na@example.org,1\n",
            "The name of column 2 has 129 characters; at most 128 are taken.",
        ),
        (
            b"Email,City\na@example.org," + b"x" * 131_073 + b"\n",
            "A cell of the row that begins on line 2 has more than 131,072 "
            "characters: perhaps a quotation mark is never closed.",
        ),
        (
            b"Email,City\na@example.org," + b"x," * 600_000 + b"\n",
            "Line 2 is longer than 1,000,000 characters.",
        ),
        (
            b'Email,City\na@example.org,"' + b'x","\n' * 300_000,
            "The row that begins on line 2 is longer than 1,000,000 characters: "
            "perhaps a quotation mark in it is never closed.",
        ),
    ],
)
def test_what_cannot_be_read_is_refused(content: bytes, message: str) -> None:
    assert refusal(content) == message


def test_a_line_without_end_is_refused_before_it_fills_the_memory() -> None:
    content = b"Email\n" + b"x" * 5_000_000

    with pytest.raises(AudienceError, match=r"Line 2 is longer than 1,000,000"):
        list(
            blocks(
                source(content, 65_536),
                Layout(Encoding.UTF_8, "utf-8-sig", ",", ("Email",), ()),
            )
        )


def test_a_file_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audience.rows.limits.FILE_BYTES", 1_000)
    content = b"Email\n" + b"a@example.org\n" * 100

    assert refusal(content) == "The file is larger than 1,000 bytes: split it."


def test_a_stated_encoding_that_is_wrong_is_refused_with_the_line() -> None:
    content = source(
        "Email,City\na@example.org,Rome\nb@example.org,Köln\n".encode("cp1252")
    )

    layout = layout_of(content, encoding=Encoding.WINDOWS_1252)
    assert layout.samples[1] == ("b@example.org", "Köln")
    with pytest.raises(AudienceError, match="Line 3 is not UTF-8"):
        layout_of(content, encoding=Encoding.UTF_8)
