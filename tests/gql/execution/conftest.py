"""What holds for every module of these tests."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def _left_behind() -> Iterator[None]:
    """Collects what errors have left unawaited where a module says to overlook it."""
    yield
    gc.collect()
