from typing import Any

import pytest

from audience.errors import AudienceError, Code, TooLarge
from audience.identity import Identity
from audience.profiles import (
    KEY_LENGTH,
    PROPERTIES_BYTES,
    PROPERTY_DEPTH,
    PROPERTY_KEYS,
    STRING_BYTES,
    ProfileChange,
    check_properties,
    profile_change,
    search_terms,
    search_words,
)


def refusals(value: Any) -> list[tuple[Code, tuple[str, ...]]]:
    with pytest.raises(AudienceError) as caught:
        check_properties(value)
    return [(problem.code, problem.path) for problem in caught.value.problems]


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


def test_change_holds_what_was_given_under_its_stored_names() -> None:
    change = profile_change(
        {
            "email": "Anna@Example.org",
            "phoneNumber": None,
            "firstName": " Anna ",
            "lastName": None,
            "title": "",
            "image": "https://example.org/a.png",
            "locale": "ZH_hant_tw",
            "location": {
                "city": "Köln",
                "country": "de",
                "timezone": "Europe/Berlin",
                "latitude": 50,
                "longitude": -6.95,
                "ip": "2001:DB8::1",
                "zip": None,
            },
            "properties": {"favourite": {"colour": "blue"}, "sizes": [1, 2.5, None]},
            "unsetProperties": ["old"],
        }
    )

    assert change == ProfileChange(
        Identity(email="anna@example.org"),
        {
            "first_name": "Anna",
            "last_name": None,
            "title": None,
            "image": "https://example.org/a.png",
            "locale": "zh-Hant-TW",
        },
        {
            "city": "Köln",
            "country": "DE",
            "zip": None,
            "timezone": "Europe/Berlin",
            "latitude": 50.0,
            "longitude": -6.95,
            "ip": "2001:db8::1",
        },
        {"favourite": {"colour": "blue"}, "sizes": [1, 2.5, None]},
        ("old",),
    )


def test_location_that_is_none_clears_all_of_it() -> None:
    change = profile_change({"externalId": "1", "location": None})

    assert change == ProfileChange(
        Identity(external_id="1"), attributes={"location": None}
    )


def test_every_problem_of_a_change_is_reported_at_once() -> None:
    with pytest.raises(AudienceError) as caught:
        profile_change(
            {
                "email": "nobody",
                "firstName": "a\x07b",
                "lastName": "x" * 256,
                "image": "javascript:alert(1)",
                "locale": "english",
                "location": {
                    "timezone": "Europe/Atlantis",
                    "latitude": 91,
                    "longitude": float("nan"),
                    "ip": "1.2.3",
                },
                "properties": {"$set": 1, "a": {"b.c": 1}, "kept": 1},
                "unsetProperties": ["kept", "fine", "not.fine"],
            }
        )

    assert [problem.path for problem in caught.value.problems] == [
        ("email",),
        ("firstName",),
        ("lastName",),
        ("image",),
        ("locale",),
        ("location", "timezone"),
        ("location", "latitude"),
        ("location", "longitude"),
        ("location", "ip"),
        ("properties", "$set"),
        ("properties", "a", "b.c"),
        ("unsetProperties", "0"),
        ("unsetProperties", "2"),
    ]


@pytest.mark.parametrize(
    "key", ["", "$where", "a.b", "nul\0", "x" * (KEY_LENGTH + 1), "\ud800"]
)
def test_property_names_that_the_database_could_misread_are_refused(key: str) -> None:
    ((code, path),) = refusals({"list": [{key: 1}]})

    assert (code, path[:3]) == (Code.INVALID, ("properties", "list", "0"))


def test_properties_are_an_object_of_json_values() -> None:
    assert refusals([1]) == [(Code.INVALID, ("properties",))]
    assert refusals(
        {
            "nan": float("nan"),
            "big": 2**63,
            "set": {1},
            "lone": "\ud800",
            "deep": [float("inf")],
        }
    ) == [
        (Code.INVALID, ("properties", "nan")),
        (Code.INVALID, ("properties", "big")),
        (Code.INVALID, ("properties", "set")),
        (Code.INVALID, ("properties", "lone")),
        (Code.INVALID, ("properties", "deep", "0")),
    ]


def test_limits_of_properties_are_kept_exactly() -> None:
    check_properties(nested(PROPERTY_DEPTH))
    check_properties({f"k{n}": n for n in range(PROPERTY_KEYS)})
    check_properties({"a": "x" * STRING_BYTES})

    too_deep = ("properties", *["a"] * PROPERTY_DEPTH)
    assert refusals(nested(PROPERTY_DEPTH + 1)) == [(Code.TOO_LARGE, too_deep)]
    assert refusals({f"k{n}": n for n in range(PROPERTY_KEYS + 1)}) == [
        (Code.TOO_LARGE, ("properties",))
    ]
    assert refusals({"a": "é" * (STRING_BYTES // 2 + 1)}) == [
        (Code.TOO_LARGE, ("properties", "a"))
    ]
    assert refusals({f"k{n}": "x" * 90_000 for n in range(3)}) == [
        (Code.TOO_LARGE, ("properties",))
    ]
    assert refusals({"a": ["x" * 50] * (PROPERTIES_BYTES // 50 + 1)}) == [
        (Code.TOO_LARGE, ("properties",))
    ]
    with pytest.raises(TooLarge):
        check_properties({"a": "x" * (STRING_BYTES + 1)})


def test_a_profile_is_found_by_the_parts_of_its_names_and_addresses() -> None:
    words = search_words(
        {
            "email": "anna.smith+shop@example.org",
            "first_name": "Anna-María",
            "last_name": "de la Cruz",
            "phone_number": "+14155550132",
            "external_id": "C-17",
        }
    )

    assert words == [
        "anna.smith+shop@example.org",
        "smith",
        "shop",
        "maria",
        "de",
        "la",
        "cruz",
        "+14155550132",
        "14155550132",
        "c-17",
    ]
    assert search_words({}) == []


def test_no_search_word_is_the_beginning_of_another() -> None:
    profile = {
        "email": "ann@example.org",
        "first_name": "Anne",
        "last_name": "An Ann ANNE",
        "external_id": "anne-7",
    }

    assert search_words(profile) == ["ann@example.org", "anne-7"]


def test_search_terms_fold_like_the_words() -> None:
    assert search_terms("  MARÍA cruz cruz ") == ["maria", "cruz"]
    assert search_terms(" ") == []
