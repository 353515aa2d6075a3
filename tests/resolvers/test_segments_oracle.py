"""Every strategy against the oracle, on generated people and definitions."""

import pytest

from resolvers.db import Database
from resolvers.pipelines import Strategy
from tests.segment_cases import STRATEGIES, run

pytestmark = pytest.mark.anyio


async def test_every_strategy_finds_the_oracles_members(db: Database) -> None:
    wrong = await run(db, cases=300, seed=1)

    assert wrong == []
    assert {strategy for strategy, _ in STRATEGIES} == set(Strategy)
