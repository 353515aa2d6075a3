import unicodedata

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from audience.errors import AudienceError, Code, Problem
from audience.identity import (
    EMAIL_LENGTH,
    ID_LENGTH,
    Identity,
    identity,
    normalise_email,
    normalise_phone,
)


def problems(**given: str) -> list[tuple[Code, tuple[str, ...]]]:
    with pytest.raises(AudienceError) as caught:
        identity(**given)
    return [(problem.code, problem.path) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Anna@Example.ORG", "anna@example.org"),
        ("  anna@example.org ", "anna@example.org"),
        ("anna+shop@example.org", "anna+shop@example.org"),
        ("ZOÉ@example.org", "zoé@example.org"),
        ("zoe\u0301@example.org", "zo\u00e9@example.org"),
        ("anna@BÜCHER.example.org", "anna@bücher.example.org"),
    ],
)
def test_email_has_one_normal_form(given: str, expected: str) -> None:
    assert normalise_email(given) == expected


ADDRESSES = st.one_of(
    st.text("ab.@-_+Z1 é\"'", max_size=20),
    st.builds(
        "{}@{}".format,
        st.text("aB1._+-!é", min_size=1, max_size=66),
        st.sampled_from(
            ["example.org", "EXAMPLE.org", "a", "x.test", "-a.org", "a..b", "köln.de"]
        ),
    ),
)


@given(ADDRESSES)
def test_an_ordinary_email_is_what_the_whole_check_makes_of_it(text: str) -> None:
    try:
        found = normalise_email(text)
    except AudienceError:
        found = None

    assert found == wholly_checked(text.strip())


def wholly_checked(text: str) -> str | None:
    if len(text) > EMAIL_LENGTH:
        return None
    try:
        valid = validate_email(text, check_deliverability=False)
    except EmailNotValidError:
        return None
    return unicodedata.normalize("NFC", valid.normalized.lower())


@pytest.mark.parametrize(
    "given",
    ["", "anna", "anna@", "@example.org", "a b@example.org", f"{'a' * 250}@x.org"],
)
def test_email_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(AudienceError) as caught:
        normalise_email(given)
    assert caught.value.problems[0].path == ("email",)
    assert str(caught.value).lower().count("address") == 1


@pytest.mark.parametrize(
    ("given", "region", "expected"),
    [
        ("+1 (415) 555-0132", None, "+14155550132"),
        ("415 555 0132", "US", "+14155550132"),
        ("030 123456", "DE", "+4930123456"),
    ],
)
def test_phone_becomes_e164(given: str, region: str | None, expected: str) -> None:
    assert normalise_phone(given, region) == expected


@pytest.mark.parametrize(
    "given",
    ["", "415 555 0132", "+1", "+1415555", "+14155550132 ext. 7", "hello", "1" * 50],
)
def test_phone_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(AudienceError) as caught:
        normalise_phone(given)
    assert caught.value.problems[0].path == ("phoneNumber",)


def test_identity_holds_normal_forms() -> None:
    found = identity(
        email="Anna@Example.org",
        phone_number="+1 415 555 0132",
        external_id=" C-17 ",
        anonymous_id="\u200ctab-1",
    )

    assert found == Identity(
        email="anna@example.org",
        phone_number="+14155550132",
        external_id="C-17",
        anonymous_id="\u200ctab-1",
    )
    assert list(found.known()) == [
        ("external_id", "C-17"),
        ("email", "anna@example.org"),
        ("phone_number", "+14155550132"),
    ]


def test_every_problem_is_reported_with_its_path() -> None:
    assert problems(
        email="nobody", phone_number="12", external_id="", anonymous_id="a\x00b"
    ) == [
        (Code.INVALID, ("email",)),
        (Code.INVALID, ("phoneNumber",)),
        (Code.INVALID, ("externalId",)),
        (Code.INVALID, ("anonymousId",)),
    ]


def test_ids_are_bounded() -> None:
    assert identity(external_id="x" * ID_LENGTH).external_id == "x" * ID_LENGTH
    assert problems(external_id="x" * (ID_LENGTH + 1)) == [
        (Code.INVALID, ("externalId",))
    ]


def test_somebody_must_be_named() -> None:
    with pytest.raises(AudienceError) as caught:
        identity()
    assert caught.value.problems == (
        Problem(
            Code.INVALID,
            "Say who it is: give an id, email, phoneNumber, externalId or anonymousId.",
            (),
        ),
    )
