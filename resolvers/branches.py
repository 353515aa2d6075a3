"""Several small reads of one collection as one command."""

from collections.abc import Mapping, Sequence
from typing import Any

from resolvers.db import Document

MAX_BRANCHES = 500  # a pipeline has at most 1,000 stages


def united(
    collection: str, branches: Sequence[Sequence[Mapping[str, Any]]]
) -> list[Document]:
    """One pipeline that yields what each branch yields, one branch after another."""
    pipeline: list[Document] = [dict(stage) for stage in branches[0]]
    pipeline.extend(
        {"$unionWith": {"coll": collection, "pipeline": list(branch)}}
        for branch in branches[1:]
    )
    return pipeline
