"""The Complete Journey, loaded into MongoDB, and its source files as DuckDB's tables,
which know nothing of this server."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
from bson import ObjectId

from bench.database import FOLDER, filled
from bench.journey_questions import SEED
from bench.load import BenchFailed
from bench.questions import Data
from resolvers.db import Database, find
from resolvers.pipelines.samples import PRIME, sample_number
from server.seeds.complete_journey import NAME
from server.seeds.convert_journey import PACKAGE
from server.seeds.household import AGREED, TOOK_BACK
from server.seeds.people import share


@asynccontextmanager
async def journey(uri: str, households: int | None) -> AsyncIterator[Data]:
    """So many households (all when None) in both, asked at the midnight that ends the
    day of the last order: counts are always the same."""
    name = "journey" if households is None else f"journey-{households}"
    async with filled(uri, name, households) as db:
        seed = await db.seeds.find_one({"_id": NAME})
        if seed is None:
            raise BenchFailed("The Complete Journey is not loaded.")
        shift = seed["shift_days"]
        people = await find(db.profiles, {}, {"properties.household": 1})
        numbers = {row["_id"]: row["properties"]["household"] for row in people}
        tables = _open(FOLDER / "complete-journey" / PACKAGE / "data", shift, numbers)
        now = datetime(2018, 1, 2, tzinfo=UTC) + timedelta(days=shift)
        yield Data(db, tables, now, numbers.__getitem__)


async def named_ids(db: Database) -> dict[str, str]:
    """The ids of lists and segments by their names."""
    lists = await find(db.lists, {}, {"name": 1})
    segments = await find(db.segments, {}, {"name": 1})
    return {row["name"]: f"lst_{row['_id']}" for row in lists} | {
        row["name"]: f"seg_{row['_id']}" for row in segments
    }


def _open(
    files: Path, shift: int, numbers: Mapping[ObjectId, int]
) -> duckdb.DuckDBPyConnection:
    """The files as tables, times shifted as in the load. What the load made up or drew,
    consent and the sample, is worked out for each household by the rules of both."""
    tables = duckdb.connect()
    tables.execute("SET threads = 2")
    tables.execute("SET TimeZone = 'UTC'")
    tables.execute(
        """
        CREATE TABLE made AS SELECT unnest($households) AS household,
          unnest($agreed) AS agreed, unnest($drawn) AS drawn
        """,
        {
            "households": list(numbers.values()),
            "agreed": [TOOK_BACK <= share(it) < AGREED for it in numbers.values()],
            "drawn": [sample_number(str(it), SEED) / PRIME for it in numbers],
        },
    )
    tables.execute(
        f"""
        CREATE TABLE people AS
          SELECT household, agreed, drawn, age, income, home_ownership AS home,
            kids_count AS kids
          FROM made LEFT JOIN '{files}/demographics.parquet'
            ON household_id = household;
        CREATE TABLE lines AS
          SELECT household_id AS household, basket_id AS basket, store_id AS store,
            department, brand, coalesce(product_type, product_category) AS product,
            quantity, sales_value AS value,
            transaction_timestamp + INTERVAL {shift} DAY AS time
          FROM '{files}/transactions.parquet'
          LEFT JOIN '{files}/products.parquet' USING (product_id)
          WHERE household_id IN (SELECT household FROM made);
        CREATE TABLE orders AS
          SELECT household, basket, any_value(store) AS store, min(time) AS time,
            round(sum(value), 2) AS value
          FROM lines GROUP BY household, basket;
        CREATE TABLE coupons AS
          SELECT household_id AS household, coupon_upc AS coupon,
            campaign_id AS campaign, redemption_date + INTERVAL {shift} DAY AS time
          FROM '{files}/coupon_redemptions.parquet'
          WHERE household_id IN (SELECT household FROM made);
        CREATE TABLE campaigns AS
          SELECT household_id AS household, campaign_id AS campaign,
            campaign_type AS kind, start_date + INTERVAL {shift} DAY AS time
          FROM '{files}/campaigns.parquet'
          JOIN '{files}/campaign_descriptions.parquet' USING (campaign_id)
          WHERE household_id IN (SELECT household FROM made);
        """  # noqa: S608 - our own numbers and paths
    )
    return tables
