"""The fields of a form: their kinds, and which part of a profile each one fills."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from audience.errors import InvalidInput, Problem, TooLarge
from audience.identity import is_plain
from audience.profiles import key_problem

MAX_FIELDS = 30
MAX_OPTIONS = 100
MAX_LABEL = 200
MAX_VALUE = 1_000

EMAIL = "email"
PHONE = "phoneNumber"
PROPERTY = "properties."

# What a field may fill beside properties, by the API's names.
ATTRIBUTES = ("firstName", "lastName", "organization", "title", "locale")
PLACES = ("address1", "address2", "city", "region", "country", "zip")
TARGETS = (
    EMAIL,
    PHONE,
    *ATTRIBUTES,
    *(f"location.{each}" for each in PLACES),
)

_SPACE = re.compile(r"\s+")


class FieldKind(StrEnum):
    """How a field is filled in, and checked."""

    TEXT = "TEXT"
    EMAIL = "EMAIL"
    PHONE = "PHONE"
    CHOICE = "CHOICE"
    DATE = "DATE"
    HIDDEN = "HIDDEN"


@dataclass(frozen=True, slots=True)
class FormField:
    """One field. `target` is its name too, so each part is asked for once; `value` is
    what a HIDDEN field always says."""

    kind: FieldKind
    label: str
    target: str
    is_required: bool = False
    options: tuple[str, ...] = ()
    value: str | None = None


def check_fields(
    fields: Sequence[FormField],
) -> tuple[tuple[FormField, ...], list[Problem]]:
    """The fields with their texts trimmed, and everything that is wrong with them."""
    if not fields:
        return (), _wrong("Give the form at least one field.", "fields")
    if len(fields) > MAX_FIELDS:
        return tuple(fields), _large(
            f"A form has at most {MAX_FIELDS} fields.", "fields"
        )
    problems: list[Problem] = []
    checked: list[FormField] = []
    targets: set[str] = set()
    for place, each in enumerate(fields):
        path = ("fields", str(place))
        field = FormField(
            each.kind,
            _line(each.label),
            each.target.strip(),
            each.is_required,
            tuple(_line(option) for option in each.options),
            None if each.value is None else _line(each.value),
        )
        problems += _label_problems(field, path)
        problems += _target_problems(field, path)
        problems += _option_problems(field, path)
        problems += _value_problems(field, path)
        if field.target in targets:
            problems += _wrong(
                f"Another field fills {field.target} already.", *path, "target"
            )
        targets.add(field.target)
        checked.append(field)
    return tuple(checked), problems


def _label_problems(field: FormField, path: tuple[str, ...]) -> list[Problem]:
    if field.kind is FieldKind.HIDDEN:
        return []
    if not field.label or not is_plain(field.label):
        return _wrong("Give the field a label that people can read.", *path, "label")
    if len(field.label) > MAX_LABEL:
        return _large(f"A label has at most {MAX_LABEL} characters.", *path, "label")
    return []


def _target_problems(field: FormField, path: tuple[str, ...]) -> list[Problem]:
    path = (*path, "target")
    kind, target = field.kind, field.target
    if target.startswith(PROPERTY):
        wrong = key_problem(target.removeprefix(PROPERTY))
        return [] if wrong is None else _wrong(wrong, *path)
    if target not in TARGETS:
        known = ", ".join(TARGETS)
        return _wrong(
            f"{target!r:.60} is not part of a profile: use properties.<name> or one of"
            f" {known}.",
            *path,
        )
    needed = {EMAIL: FieldKind.EMAIL, PHONE: FieldKind.PHONE}.get(target)
    if needed is not None and kind is not needed:
        return _wrong(f"{target} is filled by a field of the kind {needed}.", *path)
    own = {FieldKind.EMAIL: EMAIL, FieldKind.PHONE: PHONE}.get(kind)
    if own is not None and target != own:
        return _wrong(f"A field of the kind {kind} fills {own} or a property.", *path)
    if kind is FieldKind.DATE:
        return _wrong("A field of the kind DATE fills a property.", *path)
    return []


def _option_problems(field: FormField, path: tuple[str, ...]) -> list[Problem]:
    path = (*path, "options")
    if field.kind is not FieldKind.CHOICE:
        if field.options:
            return _wrong("Only a field of the kind CHOICE has options.", *path)
        return []
    if len(field.options) < 2:
        return _wrong("Give at least two options to choose from.", *path)
    if len(field.options) > MAX_OPTIONS:
        return _large(f"A field has at most {MAX_OPTIONS} options.", *path)
    problems: list[Problem] = []
    for place, option in enumerate(field.options):
        where = (*path, str(place))
        if not option or not is_plain(option) or len(option) > MAX_LABEL:
            problems += _wrong(
                f"An option is a text of 1 to {MAX_LABEL} characters.", *where
            )
        elif option in field.options[:place]:
            problems += _wrong("This option is there already.", *where)
    return problems


def _value_problems(field: FormField, path: tuple[str, ...]) -> list[Problem]:
    path = (*path, "value")
    if field.kind is not FieldKind.HIDDEN:
        if field.value is not None:
            return _wrong("Only a field of the kind HIDDEN has a fixed value.", *path)
        return []
    if not field.value or not is_plain(field.value):
        return _wrong("Give the hidden field the value that it stands for.", *path)
    if len(field.value) > MAX_VALUE:
        return _large(f"A value has at most {MAX_VALUE} characters.", *path)
    return []


def _wrong(message: str, *path: str) -> list[Problem]:
    return list(InvalidInput(message, path).problems)


def _large(message: str, *path: str) -> list[Problem]:
    return list(TooLarge(message, path).problems)


def _line(text: str) -> str:
    return _SPACE.sub(" ", text).strip()
