"""The rules' enumerations as enums of the API, every value described."""

from enum import StrEnum
from typing import TypeVar

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

AnyEnum = TypeVar("AnyEnum", bound=StrEnum)


def expose(
    rule: type[AnyEnum], *, name: str, description: str, values: dict[str, str]
) -> type[AnyEnum]:
    """`rule` as the GraphQL enum `name`; `values` describes each of its values."""
    strawberry.enum(rule, name=name, description=description)
    definition: StrawberryEnumDefinition = rule.__strawberry_definition__  # type: ignore[attr-defined]
    for value in definition.values:
        value.description = values[value.name]
    return rule
