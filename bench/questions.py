"""What a bench of segments asks, of what, and how conditions are written there."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
from bson import ObjectId

from resolvers.db import Database

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Data:
    """The same people and events in MongoDB and as DuckDB's tables, the instant of the
    questions, and the number by which the SQL knows a profile."""

    db: Database
    tables: duckdb.DuckDBPyConnection
    now: datetime
    number_of: Callable[[ObjectId], int]


@dataclass(frozen=True, slots=True)
class Question:
    """A segment, and the same in SQL: the numbers of the people who are in it. `$now`
    is the instant of the question."""

    title: str
    definition: Json
    sql: str


def has(path: str, comparison: Json) -> Json:
    """A condition on what is known of someone."""
    return {"property": {"filter": {"path": path, "is": comparison}}}


def equal(*texts: str) -> Json:
    """A comparison with one text, or with several."""
    return {"text": {"in": list(texts)} if len(texts) > 1 else {"equals": texts[0]}}


def where(path: str, comparison: Json) -> list[Json]:
    """A filter on events."""
    return [{"path": path, "is": comparison}]


def days(amount: int) -> Json:
    """A span."""
    return {"amount": amount, "unit": "DAY"}


def within(nearest: int, farthest: int) -> Json:
    """A window that ended so many days ago."""
    return {"inTheLastBetween": {"from": days(nearest), "to": days(farthest)}}


def sequence(*steps: Json, **more: Any) -> Json:
    """A condition on what came after what."""
    return {"sequence": {"steps": list(steps), **more}}


def step(metric: str, **more: Any) -> Json:
    """A step of a sequence."""
    return {"metric": {"name": metric}, **more}
