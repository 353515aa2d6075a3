"""What someone filled in, checked field by field against the form."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from audience.addresses import RefusedAddress, check_address
from audience.consent import Channel, Method
from audience.errors import AudienceError, InvalidInput, Problem
from audience.forms.definitions import Form, FormConsent
from audience.forms.fields import (
    EMAIL,
    MAX_VALUE,
    PHONE,
    PROPERTY,
    FieldKind,
    FormField,
)
from audience.identity import is_plain, normalise_email, normalise_phone
from audience.signups import SignUp, by_address, sign_up

VALUES = "values"


@dataclass(frozen=True, slots=True)
class Answers:
    """What a person gave: values by the fields' targets, and the agreements."""

    values: Mapping[str, str]
    consents: tuple[FormConsent, ...]


def check_answers(
    form: Form,
    values: Any,
    channels: Sequence[Channel] | None = None,
    refused: Sequence[RefusedAddress] = (),
) -> Answers:
    """The checked answers, hidden fields included; every problem is named at once,
    with the path `values`, then the field's target.

    A form with one channel asks for nothing more than to be sent; of several, the
    person picks at least one. Addresses that are `refused` everywhere are refused
    beside those that the form refuses.
    """
    if not isinstance(values, Mapping):
        raise InvalidInput("The values are given as an object, by target.", (VALUES,))
    problems: list[Problem] = []
    checked: dict[str, str] = {}
    for field in form.fields:
        path = (VALUES, field.target)
        try:
            value = _value(field, values.get(field.target), path)
            if value is not None and field.target == EMAIL:
                check_address(value, {*form.refused_addresses, *refused}, path)
        except AudienceError as error:
            problems += error.problems
            continue
        if value is not None:
            checked[field.target] = value
        elif field.is_required:
            problems += InvalidInput(_missing(field), path).problems
    known = {each.target for each in form.fields}
    for name in values:
        if name not in known:
            problems += InvalidInput(
                f"This form has no field {str(name)!r:.60}.", (VALUES, str(name)[:60])
            ).problems
    failed = {each.path[-1] for each in problems}
    chosen, wrong = _chosen(form, channels)
    problems += wrong
    for each in chosen:
        target = EMAIL if each.channel is Channel.EMAIL else PHONE
        if target not in checked and target not in failed:
            problems += InvalidInput(
                f"{_what(target)} is needed for what you agreed to.", (VALUES, target)
            ).problems
            failed.add(target)
    if problems:
        raise InvalidInput.of(problems)
    return Answers(checked, chosen)


def sign_ups(
    form: Form, answers: Answers, anonymous_id: str | None = None
) -> list[SignUp]:
    """The sign-ups that the answers stand for: one for each address, with the very
    words that the person agreed to."""
    person = _person(answers.values)
    if anonymous_id is not None:
        person["anonymousId"] = anonymous_id
    texts = {each.channel: each.text for each in answers.consents}
    try:
        return [
            sign_up(
                form.list_id,
                person,
                channels=group,
                source=form.name,
                consent_text="\n\n".join(texts[each] for each in group),
                method=Method.FORM,
            )
            for group in by_address(texts)
        ]
    except AudienceError as error:
        raise InvalidInput.of(
            Problem(each.code, each.message, _path(each.path, answers.values))
            for each in error.problems
        ) from None


def _value(field: FormField, given: Any, path: tuple[str, ...]) -> str | None:
    if field.kind is FieldKind.HIDDEN:
        return field.value
    if given is None:
        return None
    if not isinstance(given, str):
        raise InvalidInput("The value is given as a text.", path)
    text = given.strip()
    if not text:
        return None
    if len(text) > MAX_VALUE:
        raise InvalidInput(f"This has at most {MAX_VALUE:,} characters.", path)
    if not is_plain(text):
        raise InvalidInput("This has characters that cannot be shown.", path)
    return _CHECKS.get(field.kind, _any)(field, text, path)


def _any(field: FormField, text: str, path: tuple[str, ...]) -> str:
    return text


def _email(field: FormField, text: str, path: tuple[str, ...]) -> str:
    return normalise_email(text, path)


def _phone(field: FormField, text: str, path: tuple[str, ...]) -> str:
    return normalise_phone(text, None, path)


def _choice(field: FormField, text: str, path: tuple[str, ...]) -> str:
    if text not in field.options:
        raise InvalidInput(f"Choose one of: {', '.join(field.options)}.", path)
    return text


def _date(field: FormField, text: str, path: tuple[str, ...]) -> str:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise InvalidInput("Give year, month and day, such as 2026-03-01.", path)
    return text


_CHECKS: dict[FieldKind, Callable[[FormField, str, tuple[str, ...]], str]] = {
    FieldKind.EMAIL: _email,
    FieldKind.PHONE: _phone,
    FieldKind.CHOICE: _choice,
    FieldKind.DATE: _date,
}


def _chosen(
    form: Form, channels: Sequence[Channel] | None
) -> tuple[tuple[FormConsent, ...], list[Problem]]:
    offered = [each.channel for each in form.consents]
    for place, each in enumerate(channels or ()):
        if each not in offered:
            return (), list(
                InvalidInput(
                    f"This form does not ask for {each}.", ("channels", str(place))
                ).problems
            )
    if len(offered) == 1:
        return form.consents, []
    chosen = tuple(each for each in form.consents if each.channel in (channels or ()))
    if not chosen:
        message = "Choose at least one way in which we may write to you."
        return (), list(InvalidInput(message, ("channels",)).problems)
    return chosen, []


def _person(values: Mapping[str, str]) -> dict[str, Any]:
    person: dict[str, Any] = {}
    for target, value in values.items():
        if target.startswith(PROPERTY):
            name = target.removeprefix(PROPERTY)
            person.setdefault("properties", {})[name] = value
        elif "." in target:
            group, _, name = target.partition(".")
            person.setdefault(group, {})[name] = value
        else:
            person[target] = value
    return person


def _path(path: tuple[str, ...], values: Mapping[str, str]) -> tuple[str, ...]:
    target = ".".join(path)
    return (VALUES, target) if target in values else path


def _missing(field: FormField) -> str:
    match field.kind:
        case FieldKind.CHOICE:
            return "Please choose one."
        case FieldKind.DATE:
            return "Please give the day."
        case _:
            return "Please fill this in."


def _what(target: str) -> str:
    return "An e-mail address" if target == EMAIL else "A phone number"
