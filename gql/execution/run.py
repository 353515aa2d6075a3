"""Running a plan level by level."""

import asyncio
from collections.abc import Awaitable, Hashable, Sequence
from typing import Any

from graphql import OperationType, is_non_null_type
from graphql.execution.values import get_argument_values
from graphql.pyutils import Path
from strawberry.execution import optimized_is_awaitable

from gql.execution.complete import NotPlanned
from gql.execution.fields import BatchField, RootField, loads_of
from gql.execution.known import Executing
from gql.execution.loads import Loads
from gql.execution.place import Place
from gql.execution.plan import Plan, Waiting
from gql.execution.traits import BACKREF


class _Noted:
    """Rows shaped so far whose waiting fields are still to be read."""

    __slots__ = ("outs", "paths", "rows")

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self.outs: list[dict[str, Any]] = []
        self.paths: list[Path | None] = []


class Run:
    """One execution of a plan."""

    def __init__(self, executor: Executing, plan: Plan) -> None:
        self.executor = executor
        self.plan = plan
        self.outcomes: dict[str, Any] = {}
        self._noted: dict[int, _Noted] = {}
        self._scope: str | None = None

    def noted(self, selection: int) -> _Noted:
        """Where generated code leaves the rows of a selection."""
        noted = self._noted.get(selection)
        if noted is None:
            noted = self._noted[selection] = _Noted()
        return noted

    def type_of(
        self, value: Any, abstract: Any, place: Place, path: Path | None
    ) -> str:
        """The concrete type's name, as the abstract type itself resolves it."""
        name = abstract.resolve_type(value, self._info(place, path), abstract)
        if not isinstance(name, str):
            _close([name])
            raise NotPlanned(f"no type for a {abstract}")
        return name

    def resolve(self, resolve: Any, source: Any, info: Any, **arguments: Any) -> Any:
        """As graphql-core's middleware: never run a mutation's root field again."""
        if info.path.prev is None and info.path.key in self.outcomes:
            outcome = self.outcomes[info.path.key]
            if isinstance(outcome, Exception):
                raise outcome
            return outcome
        return resolve(source, info, **arguments)

    async def data(self) -> dict[str, Any]:
        executor = self.executor
        data = self.plan.root(executor.root_value, self)
        if executor.operation.operation is OperationType.MUTATION:
            for selection, noted in self._take():
                for waiting in self.plan.waiting[selection]:
                    self._scope = waiting.place.key
                    await self._level([(waiting, noted)])
                    await self._levels()
        else:
            await self._levels()
        return data

    async def _levels(self) -> None:
        while self._noted:
            await self._level(
                [
                    (waiting, noted)
                    for selection, noted in self._take()
                    for waiting in self.plan.waiting[selection]
                ]
            )

    def _take(self) -> list[tuple[int, _Noted]]:
        taken = list(self._noted.items())
        self._noted = {}
        return taken

    async def _level(self, level: list[tuple[Waiting, _Noted]]) -> None:
        """Read a level's waiting fields side by side, then shape what they gave."""
        awaited: list[Awaitable[Any]] = []
        needed: list[bool] = []
        batches: list[tuple[Waiting, _Noted, Loads, list[Hashable]]] = []
        calls: list[tuple[Waiting, _Noted, list[Any]]] = []
        parents: dict[Loads, dict[Hashable, Any]] = {}
        try:
            for waiting, noted in level:
                if waiting.kind == "batch":
                    loads = self._loads(waiting)
                    keys = list(map(loads.key, noted.rows))
                    wanted = parents.setdefault(loads, {})
                    for key, row in zip(keys, noted.rows, strict=True):
                        wanted.setdefault(key, row)
                    batches.append((waiting, noted, loads, keys))
                else:
                    values = self._call(waiting, noted)
                    calls.append((waiting, noted, values))
                    awaited.extend(filter(optimized_is_awaitable, values))
                    non_null = is_non_null_type(waiting.place.definition.type)
                    needed.extend([non_null] * (len(awaited) - len(needed)))
        except Exception:
            _close(awaited)
            raise
        reads = [loads.read(wanted) for loads, wanted in parents.items()]
        answers = await _side_by_side(awaited, needed, reads)
        self._shape_calls(calls, iter(answers))
        for waiting, noted, loads, keys in batches:
            self._shape_batch(waiting, noted, loads, keys)

    def _loads(self, waiting: Waiting) -> Loads:
        declared: BatchField = waiting.place.definition.extensions[BACKREF]
        arguments, frozen = _arguments(waiting, self.executor)
        return loads_of(
            declared,
            self.executor.context_value,
            arguments,
            frozen=frozen,
            scope=self._scope,
        )

    def _call(self, waiting: Waiting, noted: _Noted) -> list[Any]:
        """What the field's function gives for every row, awaitables among it."""
        place = waiting.place
        if waiting.kind == "root":
            root: RootField = place.definition.extensions[BACKREF]
            given, _ = _arguments(waiting, self.executor)
            context = self.executor.context_value
            return [root.answer(context, **given) for _ in noted.rows]
        resolve: Any = place.definition.resolve
        arguments = self._given(place)
        mutation = self._scope is not None and place.parent_type is (
            self.executor.schema.mutation_type
        )
        paths = noted.paths or [None] * len(noted.rows)
        values: list[Any] = []
        try:
            for row, path in zip(noted.rows, paths, strict=True):
                info = self._info(place, Path(path, place.key, place.parent_type.name))
                value = resolve(row, info, **arguments)
                values.append(self._record(place.key, value) if mutation else value)
        except Exception as error:
            if mutation:
                self.outcomes[place.key] = error
            _close(values)
            raise
        return values

    def _record(self, key: str, value: Any) -> Any:
        if not optimized_is_awaitable(value):
            self.outcomes[key] = value
            return value

        async def recorded() -> Any:
            try:
                outcome = self.outcomes[key] = await value
            except Exception as error:
                self.outcomes[key] = error
                raise
            return outcome

        return recorded()

    def _given(self, place: Place) -> dict[str, Any]:
        node = place.nodes[0]
        if not place.definition.args and not node.arguments:
            return {}
        executor = self.executor
        return get_argument_values(
            place.definition,
            node,
            executor.variable_values,
            None,
            executor.hide_suggestions,
        )

    def _info(self, place: Place, path: Path | None) -> Any:
        return self.executor.build_resolve_info(
            place.definition,
            place.nodes,
            place.parent_type,
            path or Path(None, place.key, place.parent_type.name),
        )

    def _shape_calls(
        self, calls: list[tuple[Waiting, _Noted, list[Any]]], answers: Any
    ) -> None:
        for waiting, noted, given in calls:
            values = [
                next(answers) if optimized_is_awaitable(value) else value
                for value in given
            ]
            key = waiting.place.key
            done = self._complete(waiting, noted, values)
            for out, value in zip(noted.outs, done, strict=True):
                out[key] = value

    def _shape_batch(
        self, waiting: Waiting, noted: _Noted, loads: Loads, keys: list[Hashable]
    ) -> None:
        """Shape every value once, however many places share it."""
        results = loads.results
        key = waiting.place.key
        if self.plan.paths:
            done = self._complete(waiting, noted, [results[it] for it in keys])
            for out, value in zip(noted.outs, done, strict=True):
                out[key] = value
            return
        unique = dict.fromkeys(keys)
        done = self._complete(waiting, noted, [results[it] for it in unique])
        shaped = dict(zip(unique, done, strict=True))
        for out, at in zip(noted.outs, keys, strict=True):
            out[key] = shaped[at]

    def _complete(
        self, waiting: Waiting, noted: _Noted, values: list[Any]
    ) -> list[Any]:
        for value in values:
            if isinstance(value, BaseException):
                raise value
        paths: Any = ()
        if self.plan.paths:
            place = waiting.place
            name = place.parent_type.name
            paths = [Path(path, place.key, name) for path in noted.paths]
        return waiting.complete(values, self, paths)


def _arguments(
    waiting: Waiting, executor: Executing
) -> tuple[dict[str, Any], Hashable]:
    if waiting.arguments is None:
        raise NotPlanned("a field that converts its own arguments")
    return waiting.arguments.of(executor)


async def _side_by_side(
    calls: Sequence[Awaitable[Any]],
    needed: Sequence[bool],
    reads: Sequence[Awaitable[None]],
) -> list[Any]:
    """What `calls` answer, exceptions among it, once `reads` have ended, too.

    The exception of a call that is `needed`, because null is no answer to it, is raised
    at once and the other calls are cancelled: graphql-core waits no longer, either.
    """
    match calls, reads:
        case [], []:
            return []
        case [], [read]:
            await read
            return []
        case [call], []:
            return [await _settled(call)]
    reading = list(map(asyncio.ensure_future, reads))
    calling = [
        asyncio.ensure_future(call if needs else _settled(call))
        for call, needs in zip(calls, needed, strict=True)
    ]
    try:
        answers = await asyncio.gather(*calling, *reading)
    except Exception:
        for future in calling:
            future.cancel()
        await asyncio.gather(*calling, *reading, return_exceptions=True)
        raise
    return answers[: len(calling)]


async def _settled(awaitable: Awaitable[Any]) -> Any:
    try:
        return await awaitable
    except Exception as error:  # noqa: BLE001 - told with the others
        return error


def _close(values: list[Any]) -> None:
    for value in values:
        if asyncio.iscoroutine(value):
            value.close()
