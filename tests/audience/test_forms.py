"""What a form may be, and what its answers mean."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from audience.addresses import RefusedAddress, check_address
from audience.consent import Channel, Method
from audience.errors import AudienceError, Code, Conflict, InvalidInput, Problem
from audience.forms.definitions import (
    Form,
    FormConsent,
    FormKind,
    FormStatus,
    Targeting,
    check_form,
    consent_text,
)
from audience.forms.fields import FieldKind, FormField
from audience.forms.rendering import check_age, read_render_token, render_token
from audience.forms.stored import form_document, form_of
from audience.forms.submissions import check_answers, sign_ups
from audience.identity import Identity
from audience.tokens import Tokens

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TOKENS = Tokens("secret")
LIST = "0123456789abcdef01234567"
EMAIL = FormField(FieldKind.EMAIL, "E-mail", "email", is_required=True)
PHONE = FormField(FieldKind.PHONE, "Mobile", "phoneNumber")
SIZE = FormField(FieldKind.CHOICE, "Size", "properties.size", options=("S", "M"))
BORN = FormField(FieldKind.DATE, "Birthday", "properties.born")
NAME = FormField(FieldKind.TEXT, "Name", "firstName")
SHOP = FormField(FieldKind.HIDDEN, "", "properties.shop", value="Leith")
NEWS = FormConsent(Channel.EMAIL, "News by e-mail.")
OFFERS = FormConsent(Channel.SMS, "Offers by text message.")
FORM = Form(
    name="Footer",
    list_id=LIST,
    kind=FormKind.EMBED,
    fields=(EMAIL, NAME),
    consents=(NEWS,),
)
BOTH = replace(
    FORM,
    fields=(replace(EMAIL, is_required=False), PHONE, SIZE, BORN, SHOP),
    consents=(NEWS, OFFERS),
)


def problems(form: Form) -> dict[str, str]:
    """Path and message of all that is wrong with a form."""
    with pytest.raises(AudienceError) as raised:
        check_form(form)
    return {".".join(each.path): each.message for each in raised.value.problems}


def refusals(
    form: Form, values: Any, channels: list[Channel] | None = None
) -> dict[tuple[str, ...], str]:
    with pytest.raises(InvalidInput) as raised:
        check_answers(form, values, channels)
    return {each.path: each.message for each in raised.value.problems}


def test_texts_are_trimmed() -> None:
    given = replace(
        FORM,
        name="  Footer \n form ",
        headline="  10%   off ",
        body=" One.\n Two. ",
        button_label=" ",
        success_message="",
        redirect_url=" https://shop.example/thanks?a=1#b ",
        fields=(replace(EMAIL, label=" E-mail  address "), NAME),
        consents=(FormConsent(Channel.EMAIL, " News. "),),
        targeting=Targeting(url_contains=(" /tea/ ", "/tea/")),
    )

    assert check_form(given) == replace(
        FORM,
        name="Footer form",
        headline="10% off",
        body="One.\nTwo.",
        redirect_url="https://shop.example/thanks?a=1#b",
        fields=(replace(EMAIL, label="E-mail address"), NAME),
        consents=(FormConsent(Channel.EMAIL, "News."),),
        targeting=Targeting(url_contains=("/tea/",)),
    )


def test_a_form_survives_being_kept() -> None:
    for form in (
        check_form(BOTH),
        check_form(
            replace(
                FORM,
                status=FormStatus.LIVE,
                headline="Hello",
                refused_addresses=(RefusedAddress.ROLE,),
                targeting=Targeting(3, 50, True, ("/a",), ("/b",), 0),
            )
        ),
    ):
        document = {**form_document(form), "list_id": LIST}

        assert form_of(document) == form
        assert None not in document.values()


def test_every_problem_is_named_at_once() -> None:
    form = Form(
        name=" ",
        list_id=LIST,
        kind=FormKind.POPUP,
        fields=(
            FormField(FieldKind.TEXT, "", "email"),
            FormField(FieldKind.EMAIL, "E-mail", "firstName"),
            FormField(FieldKind.CHOICE, "Size", "properties.size", options=("S",)),
            FormField(FieldKind.TEXT, "x", "properties.$a", options=("a", "b")),
            FormField(FieldKind.DATE, "Day", "title"),
            FormField(FieldKind.HIDDEN, "", "email"),
            FormField(FieldKind.TEXT, "x" * 201, "shoeSize", value="7"),
        ),
        consents=(
            FormConsent(Channel.PUSH, "x"),
            FormConsent(Channel.SMS, " "),
            FormConsent(Channel.SMS, "x"),
        ),
        redirect_url="javascript:alert(1)",
        button_label="x" * 61,
        targeting=Targeting(delay_seconds=-1, scroll_percent=101, url_excludes=("",)),
    )

    assert problems(form).keys() == {
        "name",
        "fields.0.label",
        "fields.0.target",
        "fields.1.target",
        "fields.2.options",
        "fields.3.target",
        "fields.3.options",
        "fields.4.target",
        "fields.5.target",
        "fields.5.value",
        "fields.6.label",
        "fields.6.target",
        "fields.6.value",
        "consents.0.channel",
        "consents.1.channel",
        "consents.1.text",
        "consents.2.channel",
        "redirectUrl",
        "buttonLabel",
        "targeting.delaySeconds",
        "targeting.scrollPercent",
        "targeting.urlExcludes.0",
    }


def test_too_many_fields_are_the_one_problem() -> None:
    more = tuple(replace(NAME, target=f"properties.p{place}") for place in range(30))

    assert problems(replace(FORM, fields=(EMAIL, *more))) == {
        "fields": "A form has at most 30 fields."
    }


def test_nothing_to_fill_in_or_agree_to_is_refused() -> None:
    assert problems(replace(FORM, fields=(), consents=())) == {
        "fields": "Give the form at least one field.",
        "consents": "Name at least one channel, with the text that people agree to.",
    }


def test_the_address_of_the_only_channel_is_required() -> None:
    assert problems(replace(FORM, fields=(replace(EMAIL, is_required=False),))) == {
        "consents.0.channel": "The field that fills email must be required: EMAIL is"
        " the only channel of this form."
    }


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example",
        "//shop.example",
        "https://",
        "https://me@shop.example",
        "https://shop.example/\n",
        "https://shop.example:99999/",
        "data:text/html,x",
        "https://shop.example/<script>",
        "https://[",
        "https://shop.example;sandbox/",
        "https://магазин.example/",
    ],
)
def test_only_https_is_led_to(url: str) -> None:
    assert list(problems(replace(FORM, redirect_url=f"{url}x" if "\n" in url else url)))


def test_all_agreements_together() -> None:
    assert consent_text(BOTH) == "News by e-mail.\n\nOffers by text message."


def test_answers_are_brought_into_their_normal_form() -> None:
    answers = check_answers(
        BOTH,
        {
            "email": " Ada@Example.org ",
            "phoneNumber": "+1 415 555 0132",
            "properties.size": "M",
            "properties.born": "1990-02-28",
            "properties.shop": "Paris",
        },
        [Channel.SMS, Channel.EMAIL],
    )

    assert answers.values == {
        "email": "ada@example.org",
        "phoneNumber": "+14155550132",
        "properties.size": "M",
        "properties.born": "1990-02-28",
        "properties.shop": "Leith",
    }
    assert answers.consents == (NEWS, OFFERS)


def test_each_address_signs_up_with_the_words_agreed_to() -> None:
    answers = check_answers(
        BOTH,
        {"email": "ada@example.org", "phoneNumber": "+14155550132"},
        [Channel.EMAIL, Channel.SMS],
    )

    done = sign_ups(BOTH, answers, "visitor-1")

    assert [
        (each.channels, each.consent_text, each.source, each.method, each.list_id)
        for each in done
    ] == [
        ((Channel.EMAIL,), "News by e-mail.", "Footer", Method.FORM, LIST),
        ((Channel.SMS,), "Offers by text message.", "Footer", Method.FORM, LIST),
    ]
    assert done[0].change.identity == Identity(
        email="ada@example.org", phone_number="+14155550132", anonymous_id="visitor-1"
    )
    assert done[0].change.properties == {"shop": "Leith"}


def test_every_wrong_answer_is_named() -> None:
    assert refusals(
        BOTH,
        {
            "email": "nobody",
            "phoneNumber": "12",
            "properties.size": "XL",
            "properties.born": "28.2.1990",
            "shoeSize": "7",
        },
        [Channel.SMS],
    ).keys() == {
        ("values", "email"),
        ("values", "phoneNumber"),
        ("values", "properties.size"),
        ("values", "properties.born"),
        ("values", "shoeSize"),
    }


@pytest.mark.parametrize("value", [7, True, ["a"], {"$ne": ""}, "x" * 1_001, "a\0b"])
def test_values_are_short_texts(value: Any) -> None:
    given = {"email": "ada@example.org", "firstName": value}
    assert refusals(FORM, given).keys() == {("values", "firstName")}


@pytest.mark.parametrize("values", [None, [], "email", 1])
def test_values_are_an_object(values: Any) -> None:
    assert refusals(FORM, values).keys() == {("values",)}


def test_what_is_required_is_not_left_out() -> None:
    assert refusals(FORM, {"email": "  "}) == {
        ("values", "email"): "Please fill this in."
    }


def test_of_several_channels_one_is_picked() -> None:
    assert refusals(BOTH, {"email": "ada@example.org"}).keys() == {("channels",)}
    assert refusals(BOTH, {"email": "ada@example.org"}, [Channel.WHATSAPP]) == {
        ("channels", "0"): "This form does not ask for WHATSAPP."
    }
    assert refusals(BOTH, {"email": "ada@example.org"}, [Channel.SMS]) == {
        ("values", "phoneNumber"): "A phone number is needed for what you agreed to."
    }


def test_rules_of_the_profile_are_told_by_field() -> None:
    field = FormField(FieldKind.TEXT, "Language", "locale")
    form = replace(FORM, fields=(EMAIL, field))
    answers = check_answers(form, {"email": "ada@example.org", "locale": "klingon!"})

    with pytest.raises(InvalidInput) as raised:
        sign_ups(form, answers)

    assert [each.path for each in raised.value.problems] == [("values", "locale")]


def test_kinds_of_addresses_can_be_refused() -> None:
    every = tuple(RefusedAddress)
    for email in (
        "ada@mailinator.com",
        "ada@mail.yopmail.com",
        "info@shop.example",
        "sales+tea@shop.example",
    ):
        with pytest.raises(InvalidInput):
            check_address(email, every, ("values", "email"))
        check_address(email, (), ("values", "email"))
    check_address("ada@my-mailinator.com", every, ("values", "email"))
    check_address("information@shop.example", every, ("values", "email"))


ASKED = (FormConsent(Channel.EMAIL, "News by e-mail."),)


@pytest.mark.parametrize(
    "asked",
    [
        (FormConsent(Channel.EMAIL, "News by e-mail, every hour."),),
        (FormConsent(Channel.SMS, "News by e-mail."),),
        (*ASKED, FormConsent(Channel.SMS, "Offers.")),
    ],
)
def test_a_token_is_good_for_what_was_asked(asked: tuple[FormConsent, ...]) -> None:
    token = render_token(TOKENS, LIST, ASKED, NOW)

    with pytest.raises(Conflict) as raised:
        read_render_token(TOKENS, token, LIST, asked)

    assert raised.value.problems == (
        Problem(
            Code.CONFLICT,
            "What this form asks you to agree to has changed: look at it anew, and "
            "send it again.",
            ("formId",),
        ),
    )


def test_a_token_is_good_for_one_form_and_some_time() -> None:
    token = render_token(TOKENS, LIST, ASKED, NOW)

    showing = read_render_token(TOKENS, token, LIST, ASKED)
    assert showing.at == NOW
    check_age(showing, NOW + timedelta(seconds=2))
    for age in (timedelta(seconds=1.9), timedelta(hours=24, seconds=1)):
        with pytest.raises(InvalidInput) as raised:
            check_age(showing, NOW + age)
        assert raised.value.problems[0].path == ("token",)
    with pytest.raises(InvalidInput, match="made for another form"):
        read_render_token(TOKENS, token, "f" * 24, ASKED)
    for given in ("", token):
        with pytest.raises(InvalidInput) as raised:
            read_render_token(Tokens("other"), given, LIST, ASKED)
        assert str(raised.value) == (
            "The form came without the token that it is shown with, or with another: "
            "load it anew and send it again."
        )
