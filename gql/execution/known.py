"""Operations that were executed before. Another execution does without an executor
until graphql-core has to do something: to build one takes as long as a small plan."""

from typing import TYPE_CHECKING, Any, TypeAlias

from graphql import DocumentNode, GraphQLError, GraphQLResolveInfo, GraphQLSchema
from graphql.execution.values import VariableValues, get_variable_values
from strawberry.execution import optimized_is_awaitable

from gql.execution.variables import Objects, variables_reader

if TYPE_CHECKING:
    from gql.execution.executor import CompiledExecutor


def build_executor(
    executor_class: Any,
    schema: GraphQLSchema,
    document: DocumentNode,
    name: str | None,
    root_value: Any,
    context_value: Any,
    variables: dict[str, Any] | None,
) -> "CompiledExecutor | list[GraphQLError]":
    """As Strawberry builds it; what is wrong with the variables or the name instead."""
    built: CompiledExecutor | list[GraphQLError] = executor_class.build(
        schema,
        document,
        root_value,
        context_value,
        variables,
        name,
        is_awaitable=optimized_is_awaitable,
    )
    return built


class KnownOperation:
    """What graphql-core finds out of an operation whenever it builds an executor."""

    __slots__ = (
        "_read",
        "document",
        "executor_class",
        "fragment_definitions",
        "name",
        "operation",
        "schema",
    )

    def __init__(
        self,
        executor: "CompiledExecutor",
        document: DocumentNode,
        name: str | None,
        objects: Objects,
    ) -> None:
        self.executor_class = type(executor)
        self.document = document
        self.name = name
        self.schema = executor.schema
        self.operation = executor.operation
        self.fragment_definitions = executor.fragment_definitions
        self._read = variables_reader(executor.variable_values, objects)

    def execution(
        self, root_value: Any, context_value: Any, variables: dict[str, Any]
    ) -> "Execution | None":
        """With these variables; None when they are wrong."""
        values: Any
        if self._read is not None:
            values = self._read(variables)
        else:
            definitions = self.operation.variable_definitions or ()
            values = get_variable_values(self.schema, definitions, variables)
        if not isinstance(values, VariableValues):
            return None
        return Execution(self, root_value, context_value, variables, values)


class Execution:
    """One execution of a known operation: for plans, what an executor is."""

    __slots__ = (
        "_executor",
        "_known",
        "_variables",
        "context_value",
        "fragment_definitions",
        "operation",
        "root_value",
        "schema",
        "variable_values",
    )

    hide_suggestions = False

    def __init__(
        self,
        known: KnownOperation,
        root_value: Any,
        context_value: Any,
        variables: dict[str, Any],
        variable_values: VariableValues,
    ) -> None:
        self.schema = known.schema
        self.operation = known.operation
        self.fragment_definitions = known.fragment_definitions
        self.root_value = root_value
        self.context_value = context_value
        self.variable_values = variable_values
        self._known = known
        self._variables = variables
        self._executor: CompiledExecutor | None = None

    def built(self) -> "CompiledExecutor":
        """The executor that would have been built in the first place."""
        if self._executor is None:
            known = self._known
            built = build_executor(
                known.executor_class,
                self.schema,
                known.document,
                known.name,
                self.root_value,
                self.context_value,
                self._variables,
            )
            if isinstance(built, list):  # what was coerced is something else by now
                raise built[0]
            self._executor = built
        return self._executor

    def build_resolve_info(self, *arguments: Any) -> GraphQLResolveInfo[Any]:
        """What a resolver of Strawberry's is told."""
        return self.built().build_resolve_info(*arguments)

    def release(self) -> None:
        """Lets go of the executor."""
        if self._executor is not None:
            self._executor.release()
            self._executor = None


Executing: TypeAlias = "CompiledExecutor | Execution"
"""What a plan is run for."""
