"""Six segments over the Complete Journey, each counted by the server's own evaluation
and by DuckDB from the source files, which know nothing of each other."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from rich.table import Table

from audience.conditions import parse
from bench.compare import show
from bench.database import FOLDER, filled
from bench.load import BenchFailed
from resolvers.db import Database
from resolvers.segments import preview
from server.seeds.complete_journey import NAME
from server.seeds.convert_journey import PACKAGE
from server.seeds.household import PLACED_ORDER, REDEEMED_COUPON
from server.seeds.starters import did, every, ordered

ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Question:
    """A segment, and the same in SQL: the numbers of the households that are in it.

    In the SQL, `orders`, `lines`, `coupons`, `campaigns` and `people` are the files,
    their times shifted, and `$now` is the instant of the question.
    """

    title: str
    definition: Callable[[dict[str, str]], dict[str, Any]]
    sql: str


def window(metric: str, compare: dict[str, float], nearest: int, farthest: int) -> Any:
    """A condition on a window that ended so many days ago."""
    condition = did(metric, compare)
    condition["event"]["during"] = {
        "inTheLastBetween": {
            "from": {"amount": nearest, "unit": "DAY"},
            "to": {"amount": farthest, "unit": "DAY"},
        }
    }
    return condition


QUESTIONS = (
    Question(
        "ordered in the last 365 days, not in the last 60",
        lambda lists: every(ordered({"atLeast": 1}, 365), ordered({"equals": 0}, 60)),
        """
        SELECT household FROM orders GROUP BY household
        HAVING count(*) FILTER (time >= $now - INTERVAL 365 DAY) >= 1
           AND count(*) FILTER (time >= $now - INTERVAL 60 DAY) = 0
        """,
    ),
    Question(
        "10 orders or more 90 to 180 days ago, at most 3 in the last 60",
        lambda lists: every(
            window(PLACED_ORDER, {"atLeast": 10}, 90, 180),
            ordered({"atMost": 3}, 60),
        ),
        """
        SELECT household FROM orders GROUP BY household
        HAVING count(*) FILTER (
                 time BETWEEN $now - INTERVAL 180 DAY AND $now - INTERVAL 90 DAY) >= 10
           AND count(*) FILTER (time >= $now - INTERVAL 60 DAY) <= 3
        """,
    ),
    Question(
        "30 orders or more in the last 180 days",
        lambda lists: every(ordered({"atLeast": 30}, 180)),
        """
        SELECT household FROM orders GROUP BY household
        HAVING count(*) FILTER (time >= $now - INTERVAL 180 DAY) >= 30
        """,
    ),
    Question(
        "produce for $100 or more in the last 90 days",
        lambda lists: every(
            did(
                "Ordered Product",
                # Between two cents: sums of doubles differ in their last digits.
                {"atLeast": 99.995},
                90,
                measure="SUM",
                where=[
                    {
                        "path": "properties.department",
                        "is": {"text": {"equals": "PRODUCE"}},
                    }
                ],
            )
        ),
        """
        SELECT household FROM lines
        WHERE department = 'PRODUCE' AND time >= $now - INTERVAL 90 DAY
        GROUP BY household HAVING sum(value) >= 99.995
        """,
    ),
    Question(
        "in the list of campaign 18, never redeemed a coupon",
        lambda lists: every(
            {"list": {"listId": lists["Campaign 18 (Type A)"], "isMember": True}},
            did(REDEEMED_COUPON, {"equals": 0}),
        ),
        """
        SELECT household FROM campaigns WHERE campaign = 18
        AND household NOT IN (SELECT household FROM coupons)
        """,
    ),
    Question(
        "with children, an order of $150 or more in the last 60 days",
        lambda lists: every(
            {
                "property": {
                    "filter": {
                        "path": "properties.kidsCount",
                        "is": {"text": {"in": ["1", "2", "3+"]}},
                    }
                }
            },
            did(PLACED_ORDER, {"atLeast": 150}, 60, measure="MAX"),
        ),
        """
        SELECT household FROM orders JOIN people USING (household)
        WHERE kids IN ('1', '2', '3+') AND time >= $now - INTERVAL 60 DAY
        GROUP BY household HAVING max(value) >= 150
        """,
    ),
)


async def compare_segments(uri: str, households: int | None) -> None:
    """Prints each segment with both counts and times. BenchFailed when they differ."""
    name = "journey" if households is None else f"journey-{households}"
    async with filled(uri, name, households) as db:
        seed = await db.seeds.find_one({"_id": NAME})
        if seed is None:
            raise BenchFailed("The Complete Journey is not loaded.")
        shift = seed["shift_days"]
        # The midnight that ends the day of the last order: counts are always the same.
        now = datetime(2018, 1, 2, tzinfo=UTC) + timedelta(days=shift)
        lists = {row["name"]: f"lst_{row['_id']}" async for row in db.lists.find({})}
        source = open_files(FOLDER / "complete-journey", shift, households)
        shown = Table(title=f"{await _size(db)}, asked at {now:%Y-%m-%d %H:%M} UTC")
        shown.add_column("segment")
        for title in ("people", "DuckDB", "ms", "DuckDB ms"):
            shown.add_column(title, justify="right")
        differing = []
        for question in QUESTIONS:
            people, ours = await _ask(db, question.definition(lists), now)
            expected, theirs = _ask_files(source, question.sql, now)
            shown.add_row(
                question.title,
                f"{people:,}",
                f"{expected:,}",
                f"{ours:,.0f}",
                f"{theirs:,.0f}",
            )
            if people != expected:
                differing.append(question.title)
        show(shown)
        if differing:
            raise BenchFailed(f"These counts differ: {'; '.join(differing)}.")


def open_files(
    environment: Path, shift: int, households: int | None
) -> duckdb.DuckDBPyConnection:
    """The source files as tables, times shifted as in the load."""
    files = environment / PACKAGE / "data"
    first = f"LIMIT {households}" if households is not None else ""
    source = duckdb.connect()
    source.execute("SET threads = 2")
    source.execute("SET TimeZone = 'UTC'")
    source.execute(
        f"""
        CREATE TABLE wanted AS
          SELECT DISTINCT household_id AS household
          FROM '{files}/transactions.parquet' ORDER BY household {first};
        CREATE TABLE lines AS
          SELECT household_id AS household, basket_id AS basket, department,
            sales_value AS value,
            transaction_timestamp + INTERVAL {shift} DAY AS time
          FROM '{files}/transactions.parquet'
          LEFT JOIN '{files}/products.parquet' USING (product_id)
          WHERE household_id IN (SELECT household FROM wanted);
        CREATE TABLE orders AS
          SELECT household, basket, min(time) AS time, round(sum(value), 2) AS value
          FROM lines GROUP BY household, basket;
        CREATE TABLE coupons AS
          SELECT household_id AS household,
            redemption_date + INTERVAL {shift} DAY AS time
          FROM '{files}/coupon_redemptions.parquet';
        CREATE TABLE campaigns AS
          SELECT household_id AS household, campaign_id AS campaign
          FROM '{files}/campaigns.parquet'
          WHERE household_id IN (SELECT household FROM wanted);
        CREATE TABLE people AS
          SELECT household_id AS household, kids_count AS kids
          FROM '{files}/demographics.parquet';
        """  # noqa: S608 - our own numbers and paths
    )
    return source


async def _ask(db: Database, asked: dict[str, Any], now: datetime) -> tuple[int, float]:
    """The count, and the median of the milliseconds that it took."""
    definition = parse(asked)
    people, times = 0, []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        people = await (await preview(db, definition, now, UTC)).count(db)
        times.append(1000 * (time.perf_counter() - started))
    return people, sorted(times)[ROUNDS // 2]


def _ask_files(
    source: duckdb.DuckDBPyConnection, sql: str, now: datetime
) -> tuple[int, float]:
    people, times = 0, []
    given = {"now": now.replace(tzinfo=None)} if "$now" in sql else {}
    for _ in range(ROUNDS):
        started = time.perf_counter()
        rows = source.execute(sql, given).fetchall()
        times.append(1000 * (time.perf_counter() - started))
        people = len(rows)
    return people, sorted(times)[ROUNDS // 2]


async def _size(db: Database) -> str:
    profiles = await db.profiles.estimated_document_count()
    events = await db.events.estimated_document_count()
    return f"{profiles:,} profiles with {events:,} events"
