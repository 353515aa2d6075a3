"""Klaviyo's consent conditions as conditions of ours."""

from collections.abc import Iterator
from typing import Any

from audience.klaviyo.reading import Json, Refused, items, known, named, object_in
from audience.klaviyo.times import date_timeframe

_CHANNELS = {"email": "EMAIL", "sms": "SMS", "push": "PUSH"}
_STATUSES = {
    "subscribed": "SUBSCRIBED",
    "unsubscribed": "UNSUBSCRIBED",
    "never_subscribed": "NEVER_SUBSCRIBED",
}
# Methods that are called otherwise here; the others keep their names.
_METHODS = {
    "manual_import": "IMPORT",
    "manual_add": "QUICK_ADD",
    "mailbox_provider": "PROVIDER",
}
_KEPT_METHODS = (
    *("form", "api", "inbound_message", "preference_page", "integration", "checkout"),
    *("one_click_unsubscribe", "back_in_stock", "sftp", "manual_remove"),
    *("bulk_remove", "spam_complaint", "data_warehouse_import"),
    *("profile_modification", "carrier_deactivation", "provided_landline"),
    *("message_blocked", "provided_no_age", "failed_age_gate"),
)
_SUPPRESSIONS = {
    "bounce_date": "HARD_BOUNCE",
    "manual_suppression_date": "USER_SUPPRESSED",
    "invalid_email_date": "INVALID_ADDRESS",
}
_REACHABLE = {
    "implicitly_or_explicitly_reachable": True,
    "implicitly_or_explicitly_unreachable": False,
}


def marketing_consent(said: Json) -> list[Json]:
    """The conditions of a marketing consent; every one has to hold."""
    known(said, "consent")
    inside = object_in(said, "consent")
    whole = ("channel", "can_receive_marketing", "consent_status")
    known(inside, *whole, under=("consent",))
    channel = named(inside, "channel", _CHANNELS, "consent")
    first: Json = {
        "channel": channel,
        "canReceiveMarketing": inside.get("can_receive_marketing"),
    }
    path = ("consent", "consent_status")
    status = object_in(inside, "consent_status", "consent")
    known(status, "subscription", "filters", under=path)
    if status.get("subscription", "any") != "any":
        first["status"] = [named(status, "subscription", _STATUSES, *path)]
    suppressions = []
    for place, one in enumerate(items(status, "filters", *path)):
        try:
            for name, value in _filter(one):
                if name == "suppression":
                    suppressions.append({"channel": channel} | value)
                elif name in first:
                    raise Refused("There is such a filter before.")
                else:
                    first[name] = value
        except Refused as refused:
            raise refused.under(*path, "filters", str(place)) from None
    return [first, *suppressions]


def permission(said: Json) -> Json:
    """Whether WhatsApp messages may be sent."""
    known(said, "channel", "permission")
    channel = named(said, "channel", {"whatsapp_marketing": "WHATSAPP"})
    inside = object_in(said, "permission")
    known(inside, "reachable_status", "filters", under=("permission",))
    if inside.get("filters"):
        raise Refused("Filters of a permission have no equal here.", "permission")
    status = inside.get("reachable_status")
    if not isinstance(status, str) or status not in _REACHABLE:
        raise Refused(
            f"{status!r:.60} has no equal here; {', '.join(_REACHABLE)} have.",
            *("permission", "reachable_status"),
        )
    return {"channel": channel, "canReceiveMarketing": _REACHABLE[status]}


def _filter(said: Any) -> Iterator[tuple[str, Any]]:
    known(said, "field", "filter", "method")
    field, inside = said.get("field"), said.get("filter")
    if isinstance(field, str) and field in _SUPPRESSIONS:
        value: Json = {"suppression": [_SUPPRESSIONS[field]]}
        if isinstance(inside, dict) and inside.get("operator") == "is-set":
            known(inside, "operator", under=("filter",))
        else:
            value["suppressed"] = date_timeframe(inside, "filter")
        yield "suppression", value
        return
    match field:
        case "status_date":
            yield "changed", date_timeframe(inside, "filter")
        case "is_double_opt_in":
            yield "isDoubleOptIn", _value(inside)
        case "custom_source":
            yield "source", [_value(inside)]
        case "method":
            if inside is not None:
                raise Refused(
                    "Which form or source it was has no equal here.", "filter"
                )
            yield "method", [_method(said.get("method"))]
        case _:
            raise Refused(f"{field!r:.60} has no equal here.", "field")


def _method(method: Any) -> str:
    if isinstance(method, str) and method in _METHODS:
        return _METHODS[method]
    if method not in _KEPT_METHODS:
        raise Refused(f"{method!r:.60} is no method.", "method")
    return str(method).upper()


def _value(filter: Any) -> Any:
    if not isinstance(filter, dict) or filter.get("operator") != "equals":
        raise Refused("equals is expected.", "filter", "operator")
    known(filter, "operator", "value", under=("filter",))
    return filter.get("value")
