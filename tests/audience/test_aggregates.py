from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from audience.aggregates import Aggregate, Bucket, buckets, parse_aggregate
from audience.conditions.tree import MetricRef, NumberComparison, PropertyFilter
from audience.errors import AudienceError, Code, Problem
from audience.memberships import Interval
from audience.plan.windows import Window

BERLIN = ZoneInfo("Europe/Berlin")
MARCH = Window(
    datetime(2026, 3, 28, 22, 30, tzinfo=UTC), datetime(2026, 3, 30, 12, tzinfo=UTC)
)


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        (
            Interval.DAY,  # the clocks go forward on the 29th
            [
                Bucket("2026-03-28", datetime(2026, 3, 27, 23, tzinfo=UTC)),
                Bucket("2026-03-29", datetime(2026, 3, 28, 23, tzinfo=UTC)),
                Bucket("2026-03-30", datetime(2026, 3, 29, 22, tzinfo=UTC)),
            ],
        ),
        (
            Interval.WEEK,
            [
                Bucket("2026-W13", datetime(2026, 3, 22, 23, tzinfo=UTC)),
                Bucket("2026-W14", datetime(2026, 3, 29, 22, tzinfo=UTC)),
            ],
        ),
        (Interval.MONTH, [Bucket("2026-03", datetime(2026, 2, 28, 23, tzinfo=UTC))]),
    ],
)
def test_steps_follow_the_local_calendar(
    interval: Interval, expected: list[Bucket]
) -> None:
    assert buckets(MARCH, interval, BERLIN) == expected


def test_hours_are_those_of_utc() -> None:
    window = Window(
        datetime(2026, 3, 28, 22, 30, tzinfo=UTC),
        datetime(2026, 3, 29, 0, 0, tzinfo=UTC),
    )

    assert buckets(window, Interval.HOUR, ZoneInfo("Asia/Kolkata")) == [
        Bucket("2026-03-28T22", datetime(2026, 3, 28, 22, tzinfo=UTC)),
        Bucket("2026-03-28T23", datetime(2026, 3, 28, 23, tzinfo=UTC)),
    ]


def test_months_follow_each_other_over_a_year_and_its_shortest_month() -> None:
    window = Window(
        datetime(2025, 12, 31, tzinfo=UTC), datetime(2026, 3, 1, 0, 0, 1, tzinfo=UTC)
    )

    labels = [each.label for each in buckets(window, Interval.MONTH, UTC)]

    assert labels == ["2025-12", "2026-01", "2026-02", "2026-03"]


def test_too_many_steps_are_refused() -> None:
    window = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC))

    with pytest.raises(AudienceError) as refused:
        buckets(window, Interval.HOUR, UTC)

    message = (
        "There are more than 1,000 points: take a longer interval, or a shorter time."
    )
    assert refused.value.problems == (
        Problem(Code.TOO_LARGE, message, ("input", "interval")),
    )


def test_what_is_asked_is_read() -> None:
    source = {
        "metric": {"name": "Placed Order"},
        "of": "properties.tax",
        "by": "properties.shop.city",
        "where": [{"path": "value", "is": {"number": {"atLeast": 5}}}],
    }

    assert parse_aggregate(source, MARCH) == Aggregate(
        metric=MetricRef(name="Placed Order"),
        window=MARCH,
        of=("properties", "tax"),
        by=("properties", "shop", "city"),
        where=(PropertyFilter("value", NumberComparison("atLeast", 5.0)),),
    )


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        ({"of": "timestamp"}, ("input", "of"), "Only of numbers: give value"),
        ({"of": "password"}, ("input", "of"), "'password' is no field of an event"),
        ({"by": "properties.$where"}, ("input", "by"), "cannot begin with $"),
        ({"by": ""}, ("input", "by"), ""),
        ({"where": [{"path": "value"}]}, ("input", "where", "0", "is"), ""),
        ({"metric": {}}, ("input", "metric"), "Exactly one of id, name"),
    ],
)
def test_what_is_wrong_is_named(
    change: dict[str, Any], path: tuple[str, ...], words: str
) -> None:
    source = {"metric": {"name": "Placed Order"}, **change}

    with pytest.raises(AudienceError) as refused:
        parse_aggregate(source, MARCH, "input")

    (problem,) = refused.value.problems
    assert problem.path == path
    assert words in problem.message


def test_an_end_before_the_beginning_is_refused() -> None:
    window = Window(MARCH.end, MARCH.start)

    with pytest.raises(AudienceError) as refused:
        parse_aggregate({"metric": {"name": "Placed Order"}}, window, "input")

    assert refused.value.problems == (
        Problem(Code.INVALID, "until has to lie after since.", ("input", "until")),
    )
