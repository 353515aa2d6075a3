"""What a process has read some seconds ago and need not read again: for choices alone,
never for answers."""

import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

Value = TypeVar("Value")


@dataclass(slots=True)
class Recent:
    """Values by their names, each with when it was read."""

    found: dict[Hashable, tuple[float, Any]] = field(default_factory=dict)

    async def read(
        self,
        name: Hashable,
        seconds: float,
        read: Callable[[], Awaitable[Value]],
        is_good: Callable[[Value], bool] = lambda _: True,
    ) -> Value:
        """The value that was read at most so many seconds ago and is good still, or
        what `read` finds now."""
        now = time.monotonic()
        if name in self.found:
            at, known = self.found[name]
            if now - at <= seconds and is_good(known):
                value: Value = known
                return value
        value = await read()
        self.found[name] = (now, value)
        return value

    def forget(self, name: Hashable) -> None:
        """It is read the next time."""
        self.found.pop(name, None)
