"""Generated operations by both executors: `python -m tests.gql.execution.differential`.

Every answer must be the same JSON text: data with its key order, errors in their order
with messages, paths, locations and extensions. The compiled executor is asked when it
meets the operation, and twice more, with other variables, when it knows it.
"""

import argparse
import asyncio
import json
import logging
from collections import Counter
from dataclasses import dataclass
from typing import Any

from gql.execution import CompiledSchema, plans_of
from gql.execution.documents import admitted_document
from tests.gql.execution.generated import Context, World
from tests.gql.execution.generated_operations import Asking

OPERATIONS_PER_WORLD = 20


@dataclass(frozen=True, slots=True)
class Difference:
    seed: int
    number: int
    document: str
    variables: dict[str, Any]
    expected: str
    found: str


async def compare_worlds(
    cases: int, first_seed: int = 0
) -> tuple[list[Difference], Counter[str]]:
    """The differences found in `cases` operations, and what the operations were."""
    differences: list[Difference] = []
    tally: Counter[str] = Counter()
    seed = first_seed
    while tally["operations"] < cases and len(differences) < 10:
        world = World(seed)
        schema = world.schema()
        plans = plans_of(schema._schema)
        for number in range(OPERATIONS_PER_WORLD):
            asking = Asking(world, number)
            document, variables = asking.operation()
            for values in (variables, asking.variables(), asking.variables()):
                tally["by what was known"] += _knows(schema, document)
                compiled, plain = Context(compiled=True), Context(compiled=False)
                found_result, expected_result = [
                    await schema.execute(document, values, context_value=it)
                    for it in (compiled, plain)
                ]
                found = as_text(found_result, world.suspends)
                expected = as_text(expected_result, world.suspends)
                if expected == found:
                    expected, found = _reads(plain, compiled, document)
                errors = expected_result.errors or []
                helped = plans.handed_over + plans.uncovered - tally["helped"]
                tally["helped"] += helped
                if helped and not errors and not world.oddities:
                    found = "handed to graphql-core without need"
                if expected != found:
                    differences.append(
                        Difference(seed, number, document, values, expected, found)
                    )
                tally["refused"] += any(it.path is None for it in errors)
                tally["with errors"] += bool(errors)
                tally["with data"] += bool(expected_result.data)
            tally["operations"] += 1
            tally["mutations"] += document.startswith("mutation")
        tally["executed by plan"] += plans.executed
        tally["handed to graphql-core"] += plans.handed_over
        tally["not covered"] += plans.uncovered
        tally["schemas"] += 1
        tally["helped"] = 0
        seed += 1
    return differences, tally


def as_text(result: Any, suspends: bool) -> str:
    """The answer as text. Where reads suspend, which of several errors comes first
    is a matter of timing; then only that there are errors is compared."""
    errors: Any = [it.formatted for it in result.errors or ()]
    if suspends:
        errors = bool(errors)
    return json.dumps({"data": result.data, "errors": errors}, default=repr)


def _knows(schema: CompiledSchema, document: str) -> bool:
    admitted = admitted_document(schema, document, None, Context(), None)
    return admitted is not None and admitted.known is not None


def _reads(plain: Context, compiled: Context, document: str) -> tuple[str, str]:
    """Both executors' mutations in order, and what the compiled one read twice."""
    expected, found = (
        [it for it in context.calls if it[0].startswith("mutation")]
        for context in (plain, compiled)
    )
    asked = Counter(
        (column, rest, key) for column, keys, rest in compiled.asked for key in keys
    )
    again = [what for what, count in asked.items() if count > 1]
    if document.startswith("mutation"):  # its root fields share nothing
        again = []
    return repr((expected, [])), repr((found, again))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first schema")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    differences, tally = asyncio.run(compare_worlds(given.cases, given.seed))
    for it in differences:
        print(f"--- schema {it.seed}, operation {it.number}, {it.variables}")  # noqa: T201
        print(it.document, it.expected, it.found, sep="\n")  # noqa: T201
    for what, count in tally.items():
        print(f"{what:26} {count:>8,}")  # noqa: T201
    print(f"{'differences':26} {len(differences):>8,}")  # noqa: T201
    return 1 if differences else 0


if __name__ == "__main__":
    raise SystemExit(main())
