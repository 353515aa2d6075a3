"""A form as it is kept: its document's part that the author decides, and back."""

from dataclasses import asdict, fields
from typing import Any

from audience.addresses import RefusedAddress
from audience.consent import Channel
from audience.forms.definitions import (
    Form,
    FormConsent,
    FormKind,
    FormStatus,
    Targeting,
)
from audience.forms.fields import FieldKind, FormField


def form_document(form: Form) -> dict[str, Any]:
    """Everything but the list's id, whose type is the database's own."""
    kept = asdict(form)
    del kept["list_id"]
    document: dict[str, Any] = _plain(kept)
    return document


def form_of(document: dict[str, Any]) -> Form:
    """The form that the document keeps."""
    given: dict[str, Any] = {
        each.name: document.get(each.name) for each in fields(Form)
    }
    given |= {
        "list_id": str(document["list_id"]),
        "kind": FormKind(document["kind"]),
        "status": FormStatus(document["status"]),
        "fields": tuple(
            FormField(
                **{
                    **each,
                    "kind": FieldKind(each["kind"]),
                    "options": tuple(each["options"]),
                }
            )
            for each in document["fields"]
        ),
        "consents": tuple(
            FormConsent(Channel(each["channel"]), each["text"])
            for each in document["consents"]
        ),
        "refused_addresses": tuple(
            RefusedAddress(each) for each in document["refused_addresses"]
        ),
        "targeting": _targeting(document["targeting"]),
    }
    return Form(**given)


def _targeting(kept: dict[str, Any]) -> Targeting:
    lists = {name: tuple(kept[name]) for name in ("url_contains", "url_excludes")}
    given: dict[str, Any] = {**kept, **lists}
    return Targeting(**given)


def _plain(value: Any) -> Any:
    """Tuples as lists, enumerations as their texts, and nothing that is None."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items() if each is not None}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, str) else value
