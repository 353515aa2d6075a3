"""What columns mean, by their names, their cells, and the uploader's word."""

import pytest

from audience.consent import Channel
from audience.errors import AudienceError
from audience.rows import (
    Choice,
    Column,
    ConsentHint,
    ValueType,
    chosen_columns,
    property_header,
    suggested_columns,
)


def targets(header: str) -> dict[str, str | None]:
    columns = suggested_columns(header.split(","), ())
    return {column.header: column.target for column in columns}


def problems(header: str, *choices: Choice) -> list[tuple[str, str]]:
    with pytest.raises(AudienceError) as caught:
        chosen_columns(header.split(","), (), choices)
    return [(".".join(it.path), it.message) for it in caught.value.problems]


def test_shopifys_export_is_known() -> None:
    assert targets(
        "Customer ID,First Name,Last Name,Email,Accepts Email Marketing,"
        "Default Address Company,Default Address Address1,Default Address Address2,"
        "Default Address City,Default Address Province Code,"
        "Default Address Country Code,Default Address Zip,Default Address Phone,Phone,"
        "Accepts SMS Marketing,Total Spent,Total Orders,Note,Tax Exempt,Tags"
    ) == {
        "Customer ID": "externalId",
        "First Name": "firstName",
        "Last Name": "lastName",
        "Email": "email",
        "Accepts Email Marketing": None,
        "Default Address Company": "organization",
        "Default Address Address1": "location.address1",
        "Default Address Address2": "location.address2",
        "Default Address City": "location.city",
        "Default Address Province Code": "location.region",
        "Default Address Country Code": "location.country",
        "Default Address Zip": "location.zip",
        "Default Address Phone": "properties.Default Address Phone",
        "Phone": "phoneNumber",
        "Accepts SMS Marketing": None,
        "Total Spent": "properties.Total Spent",
        "Total Orders": "properties.Total Orders",
        "Note": "properties.Note",
        "Tax Exempt": "properties.Tax Exempt",
        "Tags": "properties.Tags",
    }


def test_our_own_export_is_known() -> None:
    """What it says beside its columns of a person is no property of theirs."""
    assert targets(
        "Email,Phone Number,External ID,First Name,Last Name,Organization,Title,Locale,"
        "Address,Address 2,City,State / Region,Country,Zip Code,Timezone,"
        "Email Marketing Consent,Email Marketing Consent Timestamp,Email Suppression,"
        "SMS Marketing Consent,SMS Marketing Consent Timestamp,SMS Suppression,Joined,"
        "plan"
    ) == {
        "Email": "email",
        "Phone Number": "phoneNumber",
        "External ID": "externalId",
        "First Name": "firstName",
        "Last Name": "lastName",
        "Organization": "organization",
        "Title": "title",
        "Locale": "locale",
        "Address": "location.address1",
        "Address 2": "location.address2",
        "City": "location.city",
        "State / Region": "location.region",
        "Country": "location.country",
        "Zip Code": "location.zip",
        "Timezone": "location.timezone",
        "Email Marketing Consent": None,
        "Email Marketing Consent Timestamp": None,
        "Email Suppression": None,
        "SMS Marketing Consent": None,
        "SMS Marketing Consent Timestamp": None,
        "SMS Suppression": None,
        "Joined": None,
        "plan": "properties.plan",
    }


@pytest.mark.parametrize(
    "name",
    ["plan", "City", "joined", "Image", "Newsletter opt-in", "leid", "X (property)"],
)
def test_an_exported_property_is_known_again(name: str) -> None:
    header = property_header(name)

    assert targets(f"Email,Email Suppression,{header}") == {
        "Email": "email",
        "Email Suppression": None,
        header: f"properties.{name}",
    }
    assert property_header("plan") == "plan"


def test_of_a_number_that_only_names_something_the_mark_is_no_part() -> None:
    columns = suggested_columns(["Zip (property)"], [["12345"]])

    assert columns == (Column("Zip (property)", "properties.Zip", ValueType.TEXT),)


def test_a_joined_of_another_program_is_a_property() -> None:
    assert targets("Email,Joined") == {"Email": "email", "Joined": "properties.Joined"}


def test_mailchimps_export_is_known() -> None:
    assert targets(
        "Email Address,First Name,Last Name,Address,Phone Number,Birthday,"
        "MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,LATITUDE,LONGITUDE,"
        "GMTOFF,DSTOFF,TIMEZONE,CC,REGION,LAST_CHANGED,LEID,EUID,NOTES,TAGS"
    ) == {
        "Email Address": "email",
        "First Name": "firstName",
        "Last Name": "lastName",
        "Address": "location.address1",
        "Phone Number": "phoneNumber",
        "Birthday": "properties.Birthday",
        "MEMBER_RATING": None,
        "OPTIN_TIME": None,
        "OPTIN_IP": None,
        "CONFIRM_TIME": None,
        "CONFIRM_IP": None,
        "LATITUDE": "location.latitude",
        "LONGITUDE": "location.longitude",
        "GMTOFF": None,
        "DSTOFF": None,
        "TIMEZONE": "location.timezone",
        "CC": "location.country",
        "REGION": "location.region",
        "LAST_CHANGED": None,
        "LEID": None,
        "EUID": None,
        "NOTES": "properties.NOTES",
        "TAGS": "properties.TAGS",
    }


def test_klaviyos_export_is_known() -> None:
    assert targets(
        "Email,Klaviyo ID,First Name,Last Name,Organization,Title,Phone Number,"
        "Address,Address 2,City,State / Region,Country,Zip Code,Latitude,Longitude,"
        "Source,Email Marketing Consent,First Active,Last Active"
    ) == {
        "Email": "email",
        "Klaviyo ID": None,
        "First Name": "firstName",
        "Last Name": "lastName",
        "Organization": "organization",
        "Title": "title",
        "Phone Number": "phoneNumber",
        "Address": "location.address1",
        "Address 2": "location.address2",
        "City": "location.city",
        "State / Region": "location.region",
        "Country": "location.country",
        "Zip Code": "location.zip",
        "Latitude": "location.latitude",
        "Longitude": "location.longitude",
        "Source": "properties.Source",
        "Email Marketing Consent": None,
        "First Active": None,
        "Last Active": None,
    }


def test_types_are_found_only_beyond_doubt() -> None:
    header = ["email", "visits", "member", "born", "zip2", "code", "mixed", "none"]
    samples = [
        ["a@a.org", "3", "true", "1990-02-03", "01234", "17", "5", ""],
        ["b@b.org", "-4.5", "FALSE", "1991-12-31", "99999", "18", "five"],
        ["c@c.org", "", "", "", "", "", "", ""],
    ]

    kinds = {it.header: it.type for it in suggested_columns(header, samples)}

    assert kinds == {
        "email": ValueType.TEXT,
        "visits": ValueType.NUMBER,
        "member": ValueType.BOOLEAN,
        "born": ValueType.DATE,
        "zip2": ValueType.TEXT,
        "code": ValueType.TEXT,
        "mixed": ValueType.TEXT,
        "none": ValueType.TEXT,
    }


def test_the_uploaders_choices_stand() -> None:
    columns = chosen_columns(
        ["E-Mail", "Kunde", "Accepts Marketing", "Score", "", "Notes", "a.$b"],
        [["a@example.org", "7", "yes", "12", "", "x", "y"]],
        [
            Choice("Kunde", "externalId"),
            Choice("Score", "properties.score", ValueType.TEXT),
            Choice("Notes", None),
        ],
    )

    assert columns == (
        Column("E-Mail", "email"),
        Column("Kunde", "externalId"),
        Column("Accepts Marketing", None, consent=ConsentHint(Channel.EMAIL, "IF")),
        Column("Score", "properties.score", ValueType.TEXT, is_declared=True),
        Column("", None),
        Column("Notes", None),
        Column("a.$b", "properties.a_$b"),
    )


def test_a_choice_takes_the_target_from_a_suggestion() -> None:
    columns = chosen_columns(["Email", "Work"], (), [Choice("Work", "email")])

    assert columns == (Column("Email", None), Column("Work", "email"))


def test_what_cannot_be_chosen_is_refused_with_its_place() -> None:
    assert problems(
        "Email,City,Plan,Age",
        Choice("Town", "location.city"),
        Choice("City", "location.planet"),
        Choice("Plan", "properties.a.b"),
        Choice("Email", "email", ValueType.NUMBER),
        Choice("Age", "properties.age"),
        Choice("Age", "properties.years"),
        Choice("Plan", "properties.age"),
    ) == [
        ("columns.0.column", "The file has no column 'Town'."),
        (
            "columns.1.target",
            "'location.planet' is no target: use email, phoneNumber, externalId, "
            "firstName, lastName, organization, title, image, locale, "
            "location.address1, location.address2, location.city, location.region, "
            "location.country, location.zip, location.timezone, location.latitude, "
            "location.longitude, location.ip, or properties.<name>.",
        ),
        (
            "columns.2.target",
            "A property's name has no full stop and no NUL character.",
        ),
        ("columns.3.type", "Only custom properties are given a type."),
        ("columns.5.column", "The column is given twice."),
        ("columns.6.target", "The column 'Age' goes there already."),
    ]


def test_somebody_must_be_identified() -> None:
    assert problems("City,Plan") == [
        (
            "columns",
            "No column identifies people: one must be an e-mail address, a phone "
            "number or an external id. The columns are 'City', 'Plan'.",
        )
    ]
