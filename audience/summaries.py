"""What a profile keeps about its events: for each metric their number, the first
and last time, the sum of their values, and the newest times."""

import heapq
import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from audience.events import SUMMARY_TIMES

Summary = dict[str, dict[str, Any]]

# Sums are kept in double precision, so their last digits depend on the order of
# the additions.
SUM_TOLERANCE = 1e-9


def summarise(events: Iterable[tuple[str, datetime, float | None]]) -> Summary:
    """The summary of events, each a metric's key, a time and a value: of a whole
    history, or of a batch, to be added to what is there."""
    groups: dict[str, list[tuple[datetime, float | None]]] = {}
    for key, timestamp, value in events:
        group = groups.get(key)
        if group is None:
            groups[key] = [(timestamp, value)]
        else:
            group.append((timestamp, value))
    return {key: _of_metric(group) for key, group in groups.items()}


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two summaries say the same, sums within the precision of doubles."""
    return one.keys() == other.keys() and all(
        _same_metric(one[key], other[key]) for key in one
    )


def _of_metric(group: list[tuple[datetime, float | None]]) -> dict[str, Any]:
    if len(group) == 1:
        timestamp, value = group[0]
        return {
            "n": 1,
            "f": timestamp,
            "l": timestamp,
            "s": 0.0 if value is None else value,
            "t": [timestamp],
        }
    times = [timestamp for timestamp, _ in group]
    newest = heapq.nlargest(SUMMARY_TIMES, times)
    return {
        "n": len(times),
        "f": min(times),
        "l": newest[0],
        "s": math.fsum(value for _, value in group if value is not None),
        "t": newest,
    }


def _same_metric(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one.get(part) == other.get(part) for part in "nflt") and math.isclose(
        one["s"], other["s"], rel_tol=SUM_TOLERANCE, abs_tol=SUM_TOLERANCE
    )
