"""From the input of a definition to the stored form."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from typing import Any

from strawberry import Some
from strawberry.utils.str_converters import to_camel_case

from audience.conditions import Definition, parse
from audience.conditions.tree import ListCondition
from audience.conditions.walking import conditions_of
from gql.context import Context
from gql.scalars import date_time_text
from gql.segments.condition_inputs import SegmentDefinitionInput


def definition_of(given: SegmentDefinitionInput, *path: str) -> Definition:
    """The checked definition; errors name places below `path`."""
    return parse(input_json(given), path)


def require_lists(context: Context, definition: Definition) -> None:
    """AccessRefused where a definition asks about lists and the key may not read them:
    before it is explained, which tells their names and who is in them."""
    if any(isinstance(it, ListCondition) for _, it in conditions_of(definition)):
        context.require("lists:read")


def input_json(given: Any) -> dict[str, Any]:
    """The input as it was written, without what is absent."""
    written: dict[str, Any] = _json(given)
    return written


def _json(value: Any) -> Any:
    definition = getattr(value, "__strawberry_definition__", None)
    if definition is not None and not isinstance(value, Enum):
        fields = (
            (field.graphql_name or to_camel_case(field.python_name), field.python_name)
            for field in definition.fields
        )
        return {
            name: _json(given)
            for name, attribute in fields
            if (given := getattr(value, attribute)) is not None
        }
    match value:
        case Some():
            return _json(value.value)
        case list():
            return [_json(item) for item in value]
        case Mapping():
            return {name: _json(item) for name, item in value.items()}
        case datetime():
            return date_time_text(value)
        case date():
            return value.isoformat()
        case Enum():
            return value.value
    return value
