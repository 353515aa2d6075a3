"""What may be said in a sign-up, and what someone leaves."""

import pytest

from audience.consent import Channel, Method
from audience.errors import AudienceError
from audience.identity import Identity
from audience.profiles import ProfileChange
from audience.signups import Leaving, SignUp, by_address, leaving, sign_up

LIST = "7" * 24


def paths(error: AudienceError) -> list[tuple[str, ...]]:
    return [problem.path for problem in error.problems]


def test_a_sign_up_says_who_and_for_which_channels() -> None:
    made = sign_up(
        LIST,
        {
            "email": "Ann@Example.org",
            "phoneNumber": "+1 415 555 0132",
            "firstName": "Ann",
            "lastName": "",
            "properties": {"size": "M"},
            "externalId": "not for the public",
        },
        source=" Footer ",
        consent_text="I agree.",
        method=Method.FORM,
    )

    assert made == SignUp(
        list_id=LIST,
        change=ProfileChange(
            Identity(email="ann@example.org", phone_number="+14155550132"),
            {"first_name": "Ann"},
            properties={"size": "M"},
        ),
        channels=(Channel.EMAIL, Channel.SMS),
        method=Method.FORM,
        source="Footer",
        consent_text="I agree.",
    )


@pytest.mark.parametrize(
    ("given", "channels", "wrong"),
    [
        ({}, None, [("email",)]),
        ({"email": ""}, None, [("email",)]),
        ({"email": "ann"}, None, [("email",)]),
        ({"email": "a@example.org"}, [], [("channels",)]),
        (
            {"email": "a@example.org"},
            [Channel.EMAIL, Channel.SMS, Channel.PUSH],
            [("channels", "1"), ("channels", "2")],
        ),
        ({"phoneNumber": "+14155550132"}, [Channel.EMAIL], [("channels", "0")]),
        (
            {"email": "a@example.org", "properties": {"$x": 1}, "phoneNumber": "12"},
            None,
            [("phoneNumber",), ("properties", "$x")],
        ),
    ],
)
def test_every_problem_of_a_sign_up_is_named(
    given: dict[str, object],
    channels: list[Channel] | None,
    wrong: list[tuple[str, ...]],
) -> None:
    with pytest.raises(AudienceError) as refusal:
        sign_up(LIST, given, channels=channels)

    assert paths(refusal.value) == wrong


def test_a_source_that_is_too_long_is_refused() -> None:
    with pytest.raises(AudienceError) as refusal:
        sign_up(LIST, {"email": "a@example.org"}, source="x" * 201)

    assert paths(refusal.value) == [("customSource",)]


def test_leaving_a_list_names_no_channel() -> None:
    assert leaving(list_id=LIST, email="A@example.org") == Leaving(
        LIST, "a@example.org", None, (), None
    )


def test_leaving_a_channel_is_for_the_addresses_given() -> None:
    assert leaving(email="a@example.org").channels == (Channel.EMAIL,)
    assert leaving(phone_number="+14155550132").channels == (Channel.SMS,)
    assert leaving(email="a@example.org", channels=[Channel.PUSH]).channels == (
        Channel.PUSH,
    )


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({}, ("email",)),
        ({"token": "x", "email": "a@example.org"}, ("token",)),
        ({"email": "a"}, ("email",)),
        ({"phone_number": "1"}, ("phoneNumber",)),
        ({"email": "a@example.org", "channels": []}, ("channels",)),
        (
            {"email": "a@example.org", "list_id": LIST, "channels": [Channel.SMS]},
            ("channels",),
        ),
    ],
)
def test_an_unclear_leaving_is_refused(
    given: dict[str, object], wrong: tuple[str, ...]
) -> None:
    with pytest.raises(AudienceError) as refusal:
        leaving(**given)  # type: ignore[arg-type]

    assert paths(refusal.value) == [wrong]


def test_one_confirmation_proves_one_address() -> None:
    every = [Channel.WHATSAPP, Channel.EMAIL, Channel.SMS]

    assert by_address(every) == [(Channel.EMAIL,), (Channel.WHATSAPP, Channel.SMS)]
