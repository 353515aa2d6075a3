"""What Typeform's calls say: the answers that someone gave."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from audience.consent import Status
from audience.integrations.calls import (
    Heard,
    HeardConsent,
    HeardEvent,
    Ignored,
    agrees,
    instant,
    mapping,
    number,
    objects,
    property_name,
    text,
    told,
    wanted,
)
from audience.integrations.kinds import Typeform

METRIC = "Filled Out Form"

# Hidden fields whose names say what they are. Others are kept with the event.
HIDDEN = {
    "email": "email",
    "phone": "phoneNumber",
    "phone_number": "phoneNumber",
    "first_name": "firstName",
    "last_name": "lastName",
    "external_id": "externalId",
    "anonymous_id": "anonymousId",
}
# The parts of a contact's information.
SUBFIELDS = {
    "first_name": "firstName",
    "last_name": "lastName",
    "company": "organization",
    "email": "email",
    "phone_number": "phoneNumber",
}
MAX_ANSWERS = 300


def heard_from_typeform(
    body: Mapping[str, Any], settings: Typeform, received_at: datetime
) -> Heard | Ignored:
    """What the call says."""
    if body.get("event_type") != "form_response":
        return Ignored("Only whole answers are kept.")
    response = mapping(body.get("form_response"))
    token = wanted(text(response.get("token")), "answer's token")
    at = instant(response.get("submitted_at")) or received_at
    form = mapping(response.get("definition"))
    asked = {ref: each for each in _fields(form) if (ref := text(each.get("ref")))}
    targets = {each.path: each.target for each in settings.mappings}
    hidden = mapping(response.get("hidden"))

    person: dict[str, Any] = {}
    answers: dict[str, Any] = {}
    by_ref: dict[str, Any] = {}
    for name, value in list(hidden.items())[:MAX_ANSWERS]:
        if name in HIDDEN and name not in targets:
            person[HIDDEN[name]] = text(value)
        elif text(value) is not None:
            answers[property_name(name)] = text(value)
            by_ref[name] = text(value)
    for answer in list(objects(response.get("answers")))[:MAX_ANSWERS]:
        field = mapping(answer.get("field"))
        ref = text(field.get("ref")) or text(field.get("id")) or ""
        value = _value(answer)
        if value is None:
            continue
        by_ref[ref] = value
        question = asked.get(ref, {})
        name = property_name(text(question.get("title")) or ref)
        answers[_free(name, answers)] = value
        _tell(person, answer, question, value)
    for ref, target in targets.items():
        if ref in by_ref:
            fill(person, target, by_ref[ref])
    event = HeardEvent(
        METRIC,
        at,
        token,
        number(mapping(response.get("calculated")).get("score")),
        properties=told(
            Form=text(form.get("title")),
            FormId=text(response.get("form_id")),
        )
        | answers,
    )
    consents = [
        HeardConsent(each.channel, Status.SUBSCRIBED, at, each.text)
        for each in settings.agreements
        if agrees(by_ref.get(each.path))
    ]
    return Heard(
        person,
        at,
        [event],
        consents,
        joined_at=None if settings.agreements else at,
    )


def fill(person: dict[str, Any], target: str, value: Any) -> None:
    """Puts a value where the target says."""
    parent, _, name = target.partition(".")
    if not name:
        person[target] = text(value)
    elif parent == "properties":
        person["properties"] = {**person.get("properties", {}), name: value}
    else:
        person[parent] = {**person.get(parent, {}), name: text(value)}


def _fields(form: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The questions, and those inside groups and contacts' information."""
    for field in objects(form.get("fields")):
        yield field
        inner = mapping(field.get("properties")).get("fields") or field.get("fields")
        yield from objects(inner)


def _tell(
    person: dict[str, Any],
    answer: Mapping[str, Any],
    question: Mapping[str, Any],
    value: Any,
) -> None:
    """What an answer says of the person by its type alone; the first one counts."""
    kind = answer.get("type")
    target = {"email": "email", "phone_number": "phoneNumber"}.get(str(kind))
    part = text(question.get("subfield_key"))
    target = SUBFIELDS.get(part or "", target)
    if target is not None and not person.get(target):
        person[target] = text(value)


def _value(answer: Mapping[str, Any]) -> Any:
    """The answer as a property; None for a kind that has none."""
    match answer.get("type"):
        case "choice":
            choice = mapping(answer.get("choice"))
            return text(choice.get("label")) or text(choice.get("other"))
        case "choices":
            choices = mapping(answer.get("choices"))
            labels = choices.get("labels")
            found = (
                [one for each in labels if (one := text(each))]
                if isinstance(labels, list)
                else []
            )
            other = text(choices.get("other"))
            return [*found, other] if other else found or None
        case "payment":
            return number(mapping(answer.get("payment")).get("amount"))
        case "boolean":
            value = answer.get("boolean")
            return value if isinstance(value, bool) else None
        case "number":
            return number(answer.get("number"))
        case str() as kind:
            return text(answer.get(kind))
        case _:
            return None


def _free(name: str, taken: Mapping[str, Any]) -> str:
    """The name, or the next one where two questions read alike."""
    found, count = name, 2
    while found in taken:
        found, count = f"{name[:120]} ({count})", count + 1
    return found
