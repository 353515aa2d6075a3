"""Operations made from a seed over a generated schema."""

import random
import re
from typing import Any
from zlib import crc32

from tests.gql.execution.generated import Field, Made, Shape, World

VARIABLES: dict[str, tuple[str, list[Any]]] = {
    "n": ("Int = 4", [..., None, 1, 2]),
    "m": ("Int", [..., None, 0, 7]),
    "c": ("Colour", [..., None, "RED", "BLUE"]),
    "r": ("Range", [..., None, {}, {"since": 2}, {"within": {"until": 5}}]),
    "l": ("[Int!]", [..., None, [], [1, 2], 3]),
    "yes": ("Boolean!", [True]),
    "no": ("Boolean! = false", [..., False]),
    "maybe": ("Boolean!", [True, False]),
}
LITERALS = {
    "first": ["1", "2", "null", "$n", "$m"],
    "colour": ["RED", "GREEN", "null", "$c"],
    "range": ["{since: 1}", "{until: $m}", "{within: {since: 3}}", "null", "$r"],
    "many": ["[1, 2]", "[]", "3", "null", "$l", "[1]"],
}


class Asking:
    """One generated operation over a world's schema."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.chance = random.Random(f"{world.seed}/{seed}")
        self.used: set[str] = set()
        self.fragments: list[str] = []
        self.budget = self.chance.randint(4, 40)

    def operation(self) -> tuple[str, dict[str, Any]]:
        """The document and its variables."""
        chance = self.chance
        root = self.world.mutation if chance.random() < 0.15 else self.world.query
        body = self._selection(root, 0)
        kind = "mutation" if root is self.world.mutation else "query"
        declared = ", ".join(f"${it}: {VARIABLES[it][0]}" for it in sorted(self.used))
        head = f"{kind} Asked({declared})" if declared else kind
        return "\n".join([f"{head} {body}", *self.fragments]), self.variables()

    def variables(self) -> dict[str, Any]:
        """Values for those that the operation has, others each time."""
        values = {it: self.chance.choice(VARIABLES[it][1]) for it in sorted(self.used)}
        return {name: value for name, value in values.items() if value is not ...}

    def _selection(self, made: Made, depth: int) -> str:
        chance = self.chance
        parts: list[str] = []
        if chance.random() < 0.2:
            parts.append("__typename")
        for _ in range(chance.randint(1, 5)):
            self.budget -= 1
            what = chance.random()
            if what < 0.15 and depth < 6:
                if made.is_named and chance.random() < 0.3:
                    on, inner = " on Named", self._named()
                else:
                    on = chance.choice(["", f" on {made.name}"])
                    inner = self._selection(made, depth + 1)
                parts.append(f"...{on}{self._steered()} {inner}")
            elif what < 0.25 and depth < 6:
                on, inner = made.name, ""
                if made.is_named and chance.random() < 0.3:
                    on, inner = "Named", self._named()
                inner = inner or self._selection(made, depth + 1)
                name = f"F{len(self.fragments)}"
                self.fragments.append(f"fragment {name} on {on} {inner}")
                spread = f"...{name}{self._steered()}"
                parts += [spread] * chance.choice([1, 1, 2])
            else:
                part = self._one(chance.choice(made.fields), depth)
                if part is not None:
                    parts.append(part)
        if chance.random() < 0.1:
            parts.append("kind: __typename")
        return "{ " + " ".join(parts or ["__typename"]) + " }"

    def _one(self, field: Field, depth: int) -> str | None:
        chance = self.chance
        inner = ""
        if field.shape.type is not None or field.shape.abstract is not None:
            if depth > 5 or self.budget < 0:
                return None
            inner = self._below(field.shape, depth + 1)
        given, alias = "", ""
        if field.arguments and chance.random() < 0.6:
            chosen = []
            for name, values in LITERALS.items():
                if chance.random() < 0.4:
                    value = chance.choice(values)
                    self._use(value)
                    chosen.append(f"{name}: {value}")
            if chosen:
                given = "(" + ", ".join(chosen) + ")"
                # equal arguments, equal alias: fields of one key always merge
                alias = f"k{crc32((field.name + given).encode())}: "
        elif chance.random() < 0.1:
            alias = f"{field.name}_again: "
        return f"{alias}{field.graphql_name}{given}{self._steered()} {inner}"

    def _below(self, shape: Shape, depth: int) -> str:
        if shape.type is not None:
            return self._selection(shape.type, depth)
        parts = ["__typename"] if self.chance.random() < 0.4 else []
        members = shape.abstract or []
        if "Named" in str(shape.annotation):
            parts.append("id name")
        for made in self.chance.sample(members, self.chance.randint(0, len(members))):
            inner = self._selection(made, depth)
            parts.append(f"... on {made.name}{self._steered()} {inner}")
        if self.chance.random() < 0.3 and any(it.is_named for it in members):
            parts.append(f"... on Named {self._named()}")
        return "{ " + " ".join(parts or ["__typename"]) + " }"

    def _named(self) -> str:
        return self.chance.choice(["{ id }", "{ id name }", "{ name title: name }"])

    def _steered(self) -> str:
        if self.chance.random() > 0.12:
            return ""
        directive = self.chance.choice(["skip", "include"])
        value = self.chance.choice(["true", "false", "$yes", "$no", "$maybe"])
        self._use(value)
        return f" @{directive}(if: {value})"

    def _use(self, value: str) -> None:
        self.used.update(re.findall(r"\$(\w+)", value))
