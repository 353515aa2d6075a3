"""Operations made from a seed over any schema, from values that its arguments take."""

import random
from collections.abc import Mapping, Sequence

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_composite_type,
    is_required_argument,
)

Values = Mapping[str, Sequence[str]]
"""Literals by argument name, `Type.field.argument` or the name of a type."""


class Operations:
    """Queries over a schema; a field with a required argument needs values for it."""

    def __init__(self, schema: GraphQLSchema, values: Values, seed: int) -> None:
        self.schema = schema
        self.values = values
        self.chance = random.Random(seed)
        self.budget = 0
        self.aliases = 0
        self.fragments: list[str] = []

    def query(self) -> str:
        root = self.schema.query_type
        if root is None:
            raise ValueError("The schema has no query type.")
        self.fragments = []
        self.aliases = 0
        self.budget = self.chance.randint(5, 60)
        body = self._selection(root, 0)
        return "\n".join([f"query Asked {body}", *self.fragments])

    def _selection(self, type_: GraphQLNamedType, depth: int) -> str:
        chance = self.chance
        parts = ["__typename"] if chance.random() < 0.3 else []
        names = list(getattr(type_, "fields", {}))
        for name in chance.sample(names, min(len(names), chance.randint(1, 6))):
            part = self._field(type_, name, depth)
            if part is not None:
                parts.append(part)
        if is_abstract_type(type_):
            possible = self.schema.get_possible_types(type_)
            for member in chance.sample(possible, min(len(possible), 2)):
                inner = self._selection(member, depth + 1)
                parts.append(f"... on {member.name} {inner}")
        if isinstance(type_, GraphQLObjectType) and depth and chance.random() < 0.1:
            name = f"F{len(self.fragments)}"
            self.fragments.append("")
            inner = self._selection(type_, depth + 1)
            self.fragments[int(name[1:])] = f"fragment {name} on {type_.name} {inner}"
            parts.append(f"...{name}")
        return "{ " + " ".join(parts or ["__typename"]) + " }"

    def _field(self, type_: GraphQLNamedType, name: str, depth: int) -> str | None:
        self.budget -= 1
        definition: GraphQLField = type_.fields[name]  # type: ignore[attr-defined]
        given = self._arguments(type_, name, definition)
        if given is None:
            return None
        inner = ""
        returned = get_named_type(definition.type)
        if is_composite_type(returned):
            if self.budget < 0 or depth > 8:
                return None
            inner = " " + self._selection(returned, depth + 1)
        self.aliases += 1
        alias = f"a{self.aliases}: " if given or self.chance.random() < 0.1 else ""
        return f"{alias}{name}{given}{inner}"

    def _arguments(
        self, type_: GraphQLNamedType, name: str, definition: GraphQLField
    ) -> str | None:
        chosen = []
        for argument, declared in definition.args.items():
            required = is_required_argument(declared)
            if not required and self.chance.random() < 0.6:
                continue
            wanted = get_named_type(declared.type)
            known = (
                self.values.get(f"{type_.name}.{name}.{argument}")
                or self.values.get(argument)
                or self.values.get(wanted.name)
            )
            if known is None and isinstance(wanted, GraphQLEnumType):
                known = list(wanted.values)
            if known:
                chosen.append(f"{argument}: {self.chance.choice(known)}")
            elif required:
                return None
        return f"({', '.join(chosen)})" if chosen else ""
