"""Writing Python source line by line, with the objects that it refers to."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

DEEP = 16
"""Indentation from which on an object gets a function of its own: Python nests no more
than 20 loops."""


class Code:
    """One function under way: its lines, its constants, what it notes rows for."""

    def __init__(self, name: str, parameters: str) -> None:
        self.name = name
        self.constants: dict[str, Any] = {}
        self.depth = 1
        self._head = f"def {name}({parameters}):"
        self._lines: list[str] = []
        self._noted: dict[int, bool] = {}
        self._count = 0

    def emit(self, line: str) -> None:
        self._lines.append("    " * self.depth + line)

    @contextmanager
    def block(self, line: str) -> Iterator[None]:
        self.emit(line)
        self.depth += 1
        yield
        self.depth -= 1

    def fresh(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}{self._count}"

    def constant(self, value: Any) -> str:
        name = f"k{id(value)}"
        self.constants[name] = value
        return name

    def note(self, selection: int, row: str, out: str, path: str | None) -> None:
        """Have `row` and its shaped `out` remembered for the selection's reads."""
        self._noted[selection] = path is not None
        self.emit(f"rows{selection}({row})")
        self.emit(f"outs{selection}({out})")
        if path is not None:
            self.emit(f"paths{selection}({path})")

    def compiled(self, names: dict[str, Any]) -> Any:
        """The function itself."""
        head = [self._head]
        for selection, located in self._noted.items():
            head.append(f"    noted = S.noted({selection})")
            head.append(f"    rows{selection} = noted.rows.append")
            head.append(f"    outs{selection} = noted.outs.append")
            if located:
                head.append(f"    paths{selection} = noted.paths.append")
        namespace = {**names, **self.constants}
        text = "\n".join([*head, *self._lines])
        exec(compile(text, f"<{self.name}>", "exec"), namespace)  # noqa: S102 - ours
        return namespace[self.name]
