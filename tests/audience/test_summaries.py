from datetime import UTC, datetime, timedelta

from audience.events import SUMMARY_TIMES
from audience.summaries import same, summarise

START = datetime(2026, 1, 1, tzinfo=UTC)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def test_summary_counts_each_metric_apart() -> None:
    summary = summarise(
        [("a", day(3), 2.5), ("b", day(1), None), ("a", day(1), None), ("a", day(2), 4)]
    )

    assert summary == {
        "a": {
            "n": 3,
            "f": day(1),
            "l": day(3),
            "s": 6.5,
            "t": [day(3), day(2), day(1)],
        },
        "b": {"n": 1, "f": day(1), "l": day(1), "s": 0.0, "t": [day(1)]},
    }


def test_summary_keeps_the_newest_times() -> None:
    summary = summarise(("a", day(number), 1) for number in range(45))

    assert SUMMARY_TIMES == 40
    assert summary["a"]["n"] == 45
    assert summary["a"]["f"] == day(0)
    assert summary["a"]["t"] == [day(number) for number in range(44, 4, -1)]


def test_summaries_are_the_same_within_the_precision_of_doubles() -> None:
    one = summarise([("a", day(1), 0.1), ("a", day(1), 0.2)])

    assert same(one, {"a": one["a"] | {"s": 0.1 + 0.2}})
    assert not same(one, {"a": one["a"] | {"s": 0.31}})
    assert not same(one, {"a": one["a"] | {"n": 3}})
    assert not same(one, {})
    assert not same(one, {"b": one["a"]})
