"""Which regular expressions may be run on every profile."""

import re

import pytest

from audience.conditions.patterns import UnsafePattern, check_pattern
from audience.conditions.phones import phone_pattern


@pytest.mark.parametrize(
    "pattern",
    [
        "gold",
        "^gold|silver$",
        r"\d{3}-\d{4}",
        r"^[a-z0-9._-]+@example\.org$",
        "(?:mr|mrs|dr)[.]? .*",
        "[^ab]+",
        r"\bcat\b",
        "a{2,}",
        "(a{1,3}){2}",
        "über",
        r"[\d\-x]",
        "x*?y",
        r"a\bc+",
        "(?:(?:[a-z]{9}){1}-){70}",
    ],
)
def test_a_harmless_pattern_is_accepted(pattern: str) -> None:
    check_pattern(pattern)

    re.compile(pattern)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("", "it is empty"),
        ("a" * 201, "201 characters"),
        ("(a+)+", "another repetition"),
        ("(a|a)*", "alternatives"),
        ("(a*){2}", "another repetition"),
        ("a*b*c*", "3 of"),
        ("a?" * 20 + "a" * 20, "too many ways"),
        ("(a|a)" * 20, "too many ways"),
        ("(a|b){30}", "too many ways"),
        (r"(a)\1", r"\1 is not accepted"),
        (r"\p{L}", r"\p is not accepted"),
        (r"\A", r"\A is not accepted"),
        (r"\x{41}", r"\x is not accepted"),
        (r"\Qa", r"\Q is not accepted"),
        ("a\\", "is not accepted"),
        ("(?=a)", "(?:...)"),
        ("(?i)a", "(?:...)"),
        ("(?<n>a)", "(?:...)"),
        ("(*ACCEPT)", "(*"),
        ("a++", "repeats a repetition"),
        ("a{1}{2}", "repeats a repetition"),
        ("*a", "repeats nothing"),
        ("^*", "^ cannot be repeated"),
        (r"a\b+", r"\b cannot be repeated"),
        (r"\B{2}", r"\B cannot be repeated"),
        ("(?:(?:a{100}){100}){100}", "it has 80200 characters"),
        ("(?:abcde){2}(?:ab[cd]){99}(?:b{100}){25,}", "it has 1006 characters"),
        ("(?:[!-\u2c00]){72}", "a range beyond ASCII counted as 10; at most 1000"),
        ("(a", "not closed"),
        ("a)", "closes nothing"),
        ("[a", "not closed"),
        ("[]", "contains nothing"),
        ("[z-a]", "backwards"),
        (r"[\d-x]", "begin with an escape"),
        ("[[:alpha:]]", r"\["),
        ("[a&&b]", "written once"),
        ("a{", "must be written"),
        ("a{,3}", "must be written"),
        ("a{3,2}", "must be written"),
        ("a{1000}", "must be written"),
        ("a\0", "NUL"),
    ],
)
def test_a_pattern_that_could_run_for_long_is_refused(
    pattern: str, reason: str
) -> None:
    with pytest.raises(UnsafePattern) as refused:
        check_pattern(pattern)

    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("country", "number"),
    [
        ("de", "+4930901820"),
        ("US", "+12125550123"),
        ("CA", "+14165550123"),
        ("GB", "+442079460000"),
        ("JE", "+447797712345"),
        ("KZ", "+77172123456"),
        ("RU", "+74951234567"),
    ],
)
def test_a_number_belongs_to_one_country(country: str, number: str) -> None:
    every = ("DE", "US", "CA", "GB", "JE", "KZ", "RU", "FR")

    found = [
        each
        for each in every
        if re.match(phone_pattern(each).replace(r"\z", r"\Z"), number)
    ]

    assert found == [country.upper()]
