"""Rows as people: what cells become, and why rows are rejected."""

from datetime import UTC, datetime

import pytest

from audience.consent import Channel
from audience.rows import (
    Block,
    Column,
    Person,
    Reader,
    Rejection,
    ValueType,
    csv_line,
    safe_cell,
)
from audience.rows.reading import Agreed
from audience.rows.sheets import unguarded


def read(
    columns: list[Column], text: str, *agreed: Agreed, region: str | None = None
) -> tuple[list[Person], list[list[Rejection]]]:
    block = Block(0, 10, 100, 0, text.encode())
    return Reader(columns, ",", agreed, region).people(block)


def declared(name: str, kind: ValueType) -> Column:
    return Column(name, f"properties.{name}", kind, is_declared=True)


def test_a_row_becomes_a_person() -> None:
    columns = [
        Column("Mail", "email"),
        Column("Phone", "phoneNumber"),
        Column("Id", "externalId"),
        Column("First", "firstName"),
        Column("City", "location.city"),
        Column("Country", "location.country"),
        Column("Lat", "location.latitude"),
        Column("Skip", None),
        Column("Plan", "properties.plan"),
    ]

    people, rejected = read(
        columns,
        " Zoé.B@Example.ORG ,0171 1234567,'1234, Zoe\u0301 ,Köln,de,50.9,x,=gold\n"
        ',\'+14155550132,,,"","",,,"two\nlines"\n'
        "c@example.org\n",
        region="DE",
    )

    assert rejected == []
    assert people == [
        Person(
            10,
            100,
            {
                "email": "zoé.b@example.org",
                "phone_number": "+491711234567",
                "external_id": "1234",
                "first_name": "Zoé",
            },
            {"city": "Köln", "country": "DE", "latitude": 50.9},
            {"plan": "=gold"},
        ),
        Person(11, 101, {"phone_number": "+14155550132"}, {}, {"plan": "two\nlines"}),
        Person(13, 102, {"email": "c@example.org"}),
    ]


def test_properties_are_what_their_columns_are() -> None:
    columns = [
        Column("Mail", "email"),
        declared("n", ValueType.NUMBER),
        declared("b", ValueType.BOOLEAN),
        declared("d", ValueType.DATE),
        Column("i", "properties.i", ValueType.NUMBER),
    ]

    people, rejected = read(
        columns,
        "a@a.org,12,yes,2026-03-01,7\n"
        "b@b.org,-1.50,0,2026-03-01 09:30:00,n/a\n"
        "c@c.org,1e3,FALSE,2026-03-01T09:30:00+02:00,\n",
    )

    assert rejected == []
    assert [person.properties for person in people] == [
        {"n": 12, "b": True, "d": "2026-03-01", "i": 7},
        {"n": -1.5, "b": False, "d": "2026-03-01T09:30:00.000Z", "i": "n/a"},
        {"n": 1000.0, "b": False, "d": "2026-03-01T07:30:00.000Z"},
    ]


def test_every_wrong_cell_of_a_rejected_row_is_told() -> None:
    columns = [
        Column("Mail", "email"),
        Column("Phone", "phoneNumber"),
        Column("First", "firstName"),
        Column("Lang", "locale"),
        declared("n", ValueType.NUMBER),
        declared("b", ValueType.BOOLEAN),
        declared("d", ValueType.DATE),
    ]

    people, rejected = read(
        columns,
        f"a@,0171,{'x' * 256},??,1\u0662,maybe,1.3.2026\n"
        "a@a.org,,,,,,2026-02-30\n"
        ",,Ada,,,,\n"
        "a@a.org,,,,,,,one too many\n",
    )

    phone = (
        "This is not a phone number: give it with its country code, as in +14155550132."
    )
    nobody = "The row has no e-mail address, phone number or external id."
    not_a_time = "This is not a time such as 2026-03-01 or 2026-03-01T09:30:00Z."
    assert people == []
    assert rejected == [
        [
            Rejection(
                10,
                "Mail",
                "a@",
                "This is not an e-mail address: There must be something after the "
                "@-sign.",
            ),
            Rejection(10, "Phone", "0171", phone),
            Rejection(10, "First", "x" * 256, "This has at most 255 characters."),
            Rejection(
                10,
                "Lang",
                "??",
                "A locale is a BCP 47 language tag such as en-GB or zh-Hant.",
            ),
            Rejection(10, "n", "1\u0662", "This is not a number such as 12 or -3.50."),
        ],
        [Rejection(11, "d", "2026-02-30", not_a_time)],
        [Rejection(12, "", "", nobody)],
        [Rejection(13, "", "", "The row has 8 cells, but there are 7 columns.")],
    ]


def test_a_text_that_is_too_long_rejects_its_row() -> None:
    columns = [Column("Mail", "email"), *(Column(n, f"properties.{n}") for n in "abc")]
    long = "x" * 100_000

    people, rejected = read(
        columns, f"a@a.org,{long}x,,\nb@b.org,{long},{long},x\nc@c.org,{long},,\n"
    )

    assert [person.line for person in people] == [12]
    assert rejected == [
        [Rejection(10, "a", f"{long}x", "This text is longer than 100,000 bytes.")],
        [
            Rejection(
                11, "", "", "These properties take 200,012 bytes; 200,000 are allowed."
            )
        ],
    ]


def test_columns_tell_who_agreed_and_when() -> None:
    columns = [Column("Mail", "email"), Column("Yes", None), Column("At", None)]

    people, rejected = read(
        columns,
        "a@a.org,yes,2025-01-02 03:04:05\n"
        "b@b.org,No,2025-01-02\n"
        "c@c.org, SUBSCRIBED ,\n"
        "d@d.org,1,yesterday\n"
        "e@e.org,,\n",
        Agreed(Channel.EMAIL, "At", "Yes"),
    )

    at = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert [person.agreed for person in people] == [
        ((Channel.EMAIL, at),),
        (),
        ((Channel.EMAIL, None),),
        (),
    ]
    assert rejected == [
        [
            Rejection(
                13,
                "At",
                "yesterday",
                "This is not a time such as 2026-03-01 or 2026-03-01T09:30:00Z.",
            )
        ]
    ]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_begins_as_a_formula(start: str) -> None:
    assert safe_cell(f"{start}1+1") == f"'{start}1+1"
    assert safe_cell(f"x;{start}1;{start};2+1") == f"x;'{start}1;'{start};2+1"


@pytest.mark.parametrize(
    "text", ["=1", "x;=1+1", ";-;+", "=x;@y", "a;b", "it's; 'so", "", "x;'y"]
)
def test_what_is_written_is_read_again(text: str) -> None:
    assert unguarded(safe_cell(text)) == text


def test_a_guarded_cell_is_imported_as_it_was() -> None:
    columns = [Column("Email", "email"), Column("Note", "properties.note")]

    people, rejected = read(columns, csv_line(["a@example.org", "x;=1+1"]))

    assert rejected == []
    assert [each.properties for each in people] == [{"note": "x;=1+1"}]


def test_lines_are_quoted_where_needed() -> None:
    assert (
        csv_line(["a", 'say "x"', "1,5", "two\nlines", "=SUM(A1,B1)", ""])
        == 'a,"say ""x""","1,5","two\nlines","\'=SUM(A1,B1)",\r\n'
    )
