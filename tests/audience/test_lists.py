"""The names of lists."""

import pytest

from audience.errors import AudienceError, InvalidInput, TooLarge
from audience.lists import check_name, check_people, name_key


def test_a_name_is_trimmed_and_collapsed() -> None:
    assert check_name("  Spring \n sale ") == "Spring sale"


@pytest.mark.parametrize("name", ["", "   ", "a\0b", "a\x1bb", "\ud800"])
def test_names_that_cannot_be_shown_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_name(name)

    assert refusal.value.problems[0].path == ("name",)


def test_a_name_has_a_length() -> None:
    assert check_name("x" * 200) == "x" * 200
    with pytest.raises(TooLarge):
        check_name("x" * 201)


def test_names_count_as_the_same_without_case_and_white_space() -> None:
    assert name_key(" STRASSE  Nord") == name_key("Straße nord")


@pytest.mark.parametrize("count", [0, 1_001])
def test_one_to_a_thousand_people(count: int) -> None:
    check_people(1, ("profiles",))
    check_people(1_000, ("profiles",))
    with pytest.raises(AudienceError):
        check_people(count, ("profiles",))
