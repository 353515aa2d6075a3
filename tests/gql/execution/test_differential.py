"""500 generated operations of the differential test; the command runs more."""

import pytest

from tests.gql.execution.differential import compare_worlds

pytestmark = [
    pytest.mark.anyio,
    # graphql-core leaves coroutines behind where a sibling's error ends an object
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.mark.parametrize("seed", [0, 10_000, 20_000, 30_000, 40_000])
async def test_both_executors_answer_alike(seed: int) -> None:
    differences, tally = await compare_worlds(100, seed)

    assert differences == []
    assert tally["refused"] == 0
    assert tally["executed by plan"] > 60
    assert tally["by what was known"] > 60
    assert tally["not covered"] == 0
