"""The executor that a Strawberry schema is given, and the plans that it keeps."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from graphql import (
    ExecutionResult,
    GraphQLSchema,
    MiddlewareManager,
    OperationType,
)
from graphql.pyutils.is_awaitable import is_async_iterable
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from gql.execution.compiler import compile_plan
from gql.execution.complete import NotPlanned
from gql.execution.plan import Plan
from gql.execution.run import Run
from gql.execution.traits import Traits, steering_names, traits_of

MAX_OPERATIONS = 256
MAX_VARIANTS = 16
"""Plans of one operation, which differ in the variables of @skip and @include."""


class CompiledExecutor(StrawberryGraphQLCoreExecutionContext):
    """Executes queries and mutations by their plans, and the rest by graphql-core.

    Pass it to `strawberry.Schema` as `execution_context_class`. A context with an
    attribute `compiled` that is false turns it off for its requests.
    """

    def execute_operation(self, serially: bool | None = None) -> Any:
        kind = self.operation.operation
        context = self.context_value
        loaders = getattr(context, "loaders", None)
        if kind is not OperationType.SUBSCRIPTION and isinstance(loaders, dict):
            loaders.clear()  # a WebSocket's operations have one context in common
        if (
            kind is OperationType.SUBSCRIPTION
            or not getattr(context, "compiled", True)
            or (self.middleware_manager and self.middleware_manager.middlewares)
            or self.abort_signal is not None
            or self.hooks is not None
            or self.is_async_iterable is not is_async_iterable  # must not be awaited
        ):
            return super().execute_operation(serially)
        plans = plans_of(self.schema)
        plan = plans.plan_for(self)
        if plan is None:
            plans.uncovered += 1
            return super().execute_operation(serially)
        return self._execute_plan(plan, plans, serially)

    async def _execute_plan(
        self, plan: Plan, plans: "Plans", serially: bool | None
    ) -> Any:
        run = Run(self, plan)
        try:
            data = await run.data()
        except Exception:  # noqa: BLE001 - graphql-core tells what is wrong, exactly
            plans.handed_over += 1
            if run.outcomes:
                self.middleware_manager = MiddlewareManager(run)
            result: Any = super().execute_operation(serially)
            return await result if optimized_is_awaitable(result) else result
        plans.executed += 1
        return ExecutionResult(data, None)


@dataclass(slots=True)
class Plans:
    """The plans of a schema, the least recently used going first, and their use."""

    traits: Traits
    executed: int = 0
    handed_over: int = 0
    """Operations that met an error, or a value only graphql-core takes, on the way."""
    uncovered: int = 0
    _operations: "OrderedDict[Hashable, _Operation | None]" = field(
        default_factory=OrderedDict
    )

    def plan_for(self, executor: CompiledExecutor) -> Plan | None:
        """The plan of the executor's operation; None when graphql-core has to do."""
        operation = executor.operation
        if operation.loc is None:
            return None
        name = operation.name.value if operation.name else None
        key = (operation.loc.source.body, name)
        operations = self._operations
        known = operations.get(key, ...)
        if known is ...:
            try:
                known = _Operation(steering_names(executor))
            except NotPlanned:
                known = None
            operations[key] = known
            if len(operations) > MAX_OPERATIONS:
                operations.popitem(last=False)
        else:
            operations.move_to_end(key)
        return known.plan_for(executor, self.traits) if known is not None else None


@dataclass(slots=True)
class _Operation:
    steering: tuple[str, ...]
    plans: OrderedDict[Hashable, Plan | None] = field(default_factory=OrderedDict)

    def plan_for(self, executor: CompiledExecutor, traits: Traits) -> Plan | None:
        coerced = executor.variable_values.coerced
        key = tuple([coerced.get(name, ...) for name in self.steering])
        plan = self.plans.get(key, ...)
        if plan is ...:
            try:
                plan = compile_plan(executor, traits, self.steering)
            except (NotPlanned, RecursionError):
                plan = None
            self.plans[key] = plan
            if len(self.plans) > MAX_VARIANTS:
                self.plans.popitem(last=False)
        return plan


_PLANS: WeakKeyDictionary[GraphQLSchema, Plans] = WeakKeyDictionary()


def plans_of(schema: GraphQLSchema) -> Plans:
    plans = _PLANS.get(schema)
    if plans is None:
        plans = _PLANS[schema] = Plans(traits_of(schema))
    return plans
