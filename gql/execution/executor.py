"""The executor that a Strawberry schema is given, and the plans that it keeps."""

import logging
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    MiddlewareManager,
    OperationType,
)
from graphql.pyutils.is_awaitable import is_async_iterable
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from gql.execution.compiler import MAX_FIELDS, compile_plan
from gql.execution.complete import NotPlanned
from gql.execution.known import Executing
from gql.execution.loads import forget
from gql.execution.plan import Plan
from gql.execution.reads import Reads, reads_of
from gql.execution.run import Run
from gql.execution.traits import Traits, steering_names, traits_of

logger = logging.getLogger(__name__)

MAX_OPERATIONS = 1_000
MAX_SIZE = 64_000_000
"""Bytes, roughly, that the plans of a schema may hold together."""

MAX_VARIANTS = 16
"""Plans of one operation, which differ in the variables of @skip and @include."""


class CompiledExecutor(StrawberryGraphQLCoreExecutionContext):
    """Executes queries and mutations by their plans, and the rest by graphql-core.

    Pass it to `strawberry.Schema` as `execution_context_class`. A context with an
    attribute `compiled` that is false turns it off for its requests.
    """

    def execute_operation(self, serially: bool | None = None) -> Any:
        is_planned = (
            self.operation.operation is not OperationType.SUBSCRIPTION
            and getattr(self.context_value, "compiled", True)
            and not (self.middleware_manager and self.middleware_manager.middlewares)
            and self.abort_signal is None
            and self.hooks is None
            and self.is_async_iterable is is_async_iterable  # must not be awaited
        )
        return execute(self, serially, is_planned=is_planned)

    def built(self) -> "CompiledExecutor":
        """Itself."""
        return self

    def release(self) -> None:
        """Lets go of what refers back to it: what it holds would wait for the garbage
        collector, a third of a small request's time."""
        del self.async_helpers

    def by_graphql_core(
        self, serially: bool | None, outcomes: Run | None = None
    ) -> Any:
        """What graphql-core answers; the root fields that are among the outcomes of a
        run are not asked again."""
        if outcomes is not None:
            self.middleware_manager = MiddlewareManager(outcomes)
        return super().execute_operation(serially)


def execute(
    execution: Executing,
    serially: bool | None = None,
    *,
    is_planned: bool = True,
) -> Any:
    """What the operation answers: by its plan, unless it has none or it is not to be
    planned; an awaitable maybe."""
    context = execution.context_value
    if execution.operation.operation is not OperationType.SUBSCRIPTION:
        forget(context)  # a WebSocket's operations may have one in common
    plans = plans_of(execution.schema)
    known = plans.operation_of(execution)
    if known is not None and hasattr(context, "reads"):
        context.reads = known.reads
    if is_planned:
        plan = plans.plan_for(execution, known)
        if plan is not None:
            return _execute_plan(execution, plan, plans, serially)
        plans.uncovered += 1
    return execution.built().by_graphql_core(serially)


async def _execute_plan(
    execution: Executing,
    plan: Plan,
    plans: "Plans",
    serially: bool | None,
) -> Any:
    run = Run(execution, plan)
    left = plan.budget.left
    try:
        data = await run.data()
    except Exception:
        plans.handed_over += 1
        logger.debug("handed over to graphql-core", exc_info=True)
        outcomes = run if run.outcomes else None
        result: Any = execution.built().by_graphql_core(serially, outcomes)
        return await result if optimized_is_awaitable(result) else result
    plans.executed += 1
    if plan.budget.left < left:  # types that were met for the first time
        plans.make_room()
    forget(execution.context_value)
    execution.release()
    return ExecutionResult(data, None)


@dataclass(slots=True)
class Plans:
    """The plans of a schema, the least recently used going first, and their use."""

    traits: Traits | None
    """None for a schema with types that Strawberry did not declare."""
    executed: int = 0
    handed_over: int = 0
    """Operations that met an error, or a value only graphql-core takes, on the way."""
    uncovered: int = 0
    operations: "OrderedDict[Hashable, Operation]" = field(default_factory=OrderedDict)

    def operation_of(self, executor: Executing) -> "Operation | None":
        """What is kept of the executor's operation; None when nothing can be."""
        operation = executor.operation
        if operation.loc is None or self.traits is None:
            return None
        text = operation.loc.source.body
        key = (text, operation.name.value if operation.name else None)
        known = self.operations.get(key)
        if known is None:
            known = self.operations[key] = Operation(
                len(text), _steering(executor), _reads(executor)
            )
            self.make_room()
        else:
            self.operations.move_to_end(key)
        return known

    def plan_for(self, executor: Executing, known: "Operation | None") -> Plan | None:
        """The plan of the executor's operation; None when graphql-core has to do."""
        if known is None or self.traits is None:
            return None
        if known.steering is None:
            return None
        coerced = executor.variable_values.coerced
        variant = tuple([coerced.get(name, ...) for name in known.steering])
        plan = known.plans.get(variant, ...)
        if plan is ...:
            plan = _compiled(executor.built(), self.traits, known.steering)
            known.plans[variant] = plan
            while len(known.plans) > MAX_VARIANTS or (
                len(known.plans) > 1 and known.size() > MAX_SIZE
            ):
                known.plans.popitem(last=False)
            self.make_room()
        return plan

    def make_room(self) -> None:
        """For what was compiled just now; the newest operation stays."""
        operations = self.operations
        room = MAX_SIZE - sum(it.size() for it in operations.values())
        while len(operations) > 1 and (room < 0 or len(operations) > MAX_OPERATIONS):
            _, gone = operations.popitem(last=False)
            room += gone.size()


@dataclass(slots=True)
class Operation:
    """An operation's plans, by the values of the variables that steer it.

    `steering` is None for an operation that only graphql-core covers. `reads` is what
    it takes from the documents behind each type.
    """

    length: int
    steering: tuple[str, ...] | None
    reads: Reads
    plans: OrderedDict[Hashable, Plan | None] = field(default_factory=OrderedDict)

    def size(self) -> int:
        """About how many bytes it holds, syntax tree and code."""
        fields = [MAX_FIELDS - it.budget.left for it in self.plans.values() if it]
        return 500 + 2 * self.length + 3_000 * sum(fields)


def plans_of(schema: GraphQLSchema) -> Plans:
    """The schema's plans; they live and go with it."""
    plans: Plans | None = schema.extensions.get("plans")
    if plans is None:
        plans = schema.extensions["plans"] = Plans(traits_of(schema))
    return plans


def _steering(executor: Executing) -> tuple[str, ...] | None:
    try:
        return steering_names(executor)
    except NotPlanned:
        return None


def _reads(executor: Executing) -> Reads:
    return reads_of(executor.schema, executor.fragment_definitions, executor.operation)


def _compiled(
    executor: CompiledExecutor, traits: Traits, steering: tuple[str, ...]
) -> Plan | None:
    try:
        return compile_plan(executor, traits, steering)
    except (NotPlanned, RecursionError, GraphQLError):  # wrong values that steer
        return None
    except Exception:  # graphql-core has the answer all the same
        logger.exception("an operation could not be compiled")
        return None
