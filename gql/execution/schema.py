"""A Strawberry schema that sends an operation straight to the executor when it knows
its document."""

from collections.abc import Iterable
from typing import Any

import strawberry
from graphql import ExecutionResult as Executed
from graphql import GraphQLError
from graphql import OperationType as Kind
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import DEFAULT_ALLOWED_OPERATION_TYPES
from strawberry.types.execution import ExecutionResult
from strawberry.types.graphql import OperationType

from gql.execution.documents import admitted_document, execution_of
from gql.execution.executor import CompiledExecutor, execute
from gql.execution.known import Execution


class CompiledSchema(strawberry.Schema):
    """Executes a document that went the whole way before without going it again.

    Strawberry's way to the executor (a context, extensions, parsing, validation) costs
    more than most operations. It is left out only where all extensions are
    `PerDocument`. What they would refuse, and variables that are wrong, go the whole
    way, which says what is wrong.

    Its `execution_context_class` is a `CompiledExecutor`.
    """

    def __init__(self, *types: Any, **options: Any) -> None:
        options.setdefault("execution_context_class", CompiledExecutor)
        super().__init__(*types, **options)

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,
        root_value: Any | None = None,
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        if not operation_extensions and getattr(context_value, "compiled", True):
            admitted = admitted_document(
                self, query, operation_name, context_value, variable_values
            )
            execution = admitted and execution_of(
                admitted,
                self,
                operation_name,
                root_value,
                context_value,
                variable_values,
            )
            if execution and _may_execute(execution, allowed_operation_types):
                return await self._executed(execution, query, operation_name)
        return await super().execute(
            query,
            variable_values,
            context_value,
            root_value,
            operation_name,
            allowed_operation_types,
            operation_extensions,
        )

    async def _executed(
        self, execution: Execution, query: str | None, operation_name: str | None
    ) -> ExecutionResult:
        try:
            result: Any = execute(execution)
            if optimized_is_awaitable(result):
                result = await result
        except GraphQLError as error:
            result = Executed(None, [error])
        except Exception as error:  # noqa: BLE001 - as Strawberry answers it
            result = Executed(None, [GraphQLError(str(error), original_error=error)])
        if result.errors:
            context = self._create_execution_context(
                query=query,
                allowed_operation_types=DEFAULT_ALLOWED_OPERATION_TYPES,
                context_value=execution.context_value,
                operation_name=operation_name,
            )
            self._process_errors(result.errors, context)
        return ExecutionResult(data=result.data, errors=result.errors)


def _may_execute(execution: Execution, allowed: Iterable[OperationType] | None) -> bool:
    kind = _KINDS.get(execution.operation.operation)
    return kind is not None and kind in (allowed or DEFAULT_ALLOWED_OPERATION_TYPES)


# What is subscribed to is not executed here.
_KINDS = {Kind.QUERY: OperationType.QUERY, Kind.MUTATION: OperationType.MUTATION}
