"""What batch functions have read in an operation, once per key."""

import dataclasses
from asyncio import Future
from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import cached_property
from typing import Any, Protocol

from strawberry.dataloader import AbstractCache, DataLoader

Key = Callable[[Any], Hashable]
BatchFunction = Callable[..., Awaitable[Sequence[Any]]]


class LoadingContext(Protocol):
    """What the context of a request has to offer: a place for its loaders."""

    @property
    def loaders(self) -> dict[Any, Any]: ...


class Loads(AbstractCache[Any, Any]):
    """What one batch field with one set of arguments has read in an operation.

    `results` has a value or an exception by key. `loader` serves parents that arrive
    one at a time, from the same results; not `cached`, it only gathers them.
    """

    def __init__(
        self,
        load: BatchFunction,
        key: Key,
        context: Any,
        arguments: dict[str, Any],
        *,
        cached: bool = True,
    ) -> None:
        self.results: dict[Hashable, Any] = {}
        self.key = key
        self._cached = cached
        self._load = load
        self._kept: list[Any] = []  # a key may be an id(), good while its parent lives
        self._context = context
        self._arguments = arguments
        self._futures: dict[Hashable, Future[Any]] = {}

    @cached_property
    def loader(self) -> DataLoader[Any, Any]:
        """What gathers parents that arrive one at a time."""
        return DataLoader(self._read, cache=self._cached, cache_map=self)

    async def read(self, parents: dict[Hashable, Any]) -> None:
        """Read what is missing for `parents`, given by key, into `results`."""
        results = self.results
        missing = {key: row for key, row in parents.items() if key not in results}
        if not missing:
            return
        values: Sequence[Any]
        try:
            values = await self._load(
                list(missing.values()), self._context, **self._arguments
            )
            if len(values) != len(missing):
                raise WrongNumberOfValues(self._load, len(missing), len(values))
        except Exception as error:  # noqa: BLE001 - it is every slot's own error
            values = [error] * len(missing)
        results.update(zip(missing, values, strict=True))
        self._kept.extend(missing.values())

    async def _read(self, parents: list[Any]) -> list[Any]:
        keys = [self.key(parent) for parent in parents]
        await self.read(dict(zip(keys, parents, strict=True)))
        values = [self.results[key] for key in keys]
        if not self._cached:
            self.clear()
        return values

    def get(self, parent: Any) -> Future[Any] | None:
        return self._futures.get(self.key(parent))

    def set(self, parent: Any, future: Future[Any]) -> None:
        self._futures[self.key(parent)] = future

    def delete(self, parent: Any) -> None:
        key = self.key(parent)
        self._futures.pop(key, None)
        self.results.pop(key, None)

    def clear(self) -> None:
        self._futures.clear()
        self.results.clear()
        self._kept.clear()


class WrongNumberOfValues(RuntimeError):
    """A batch function did not answer one value per parent."""

    def __init__(self, load: BatchFunction, expected: int, received: int) -> None:
        super().__init__(
            f"{getattr(load, '__qualname__', load)} was given {expected} parents and "
            f"answered {received} values: it must answer one per parent, in order."
        )


def forget(context: Any) -> None:
    """Let go of all that an operation has read. Loads and loaders refer to each other,
    and what they hold would otherwise wait for the garbage collector."""
    loaders = getattr(context, "loaders", None)
    if not isinstance(loaders, dict):
        return
    for loads in loaders.values():
        if isinstance(loads, Loads):
            loads.clear()
    loaders.clear()


def freeze(value: Any) -> Hashable:
    """A hashable stand-in for an argument's value, equal only for equal values."""
    match value:
        case dict():
            return dict, tuple((name, freeze(item)) for name, item in value.items())
        case list() | tuple():
            return list, tuple(freeze(item) for item in value)
    if dataclasses.is_dataclass(value):
        fields = dataclasses.fields(value)
        return type(value), tuple(freeze(getattr(value, it.name)) for it in fields)
    return type(value), value
