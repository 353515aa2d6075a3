from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from audience.errors import AudienceError
from audience.events import NewEvent, metric_name, new_event
from audience.identity import Identity

NOW = datetime(2026, 11, 23, 18, tzinfo=UTC)
ANNA = Identity(email="anna@example.org")


def refused(**given: Any) -> list[tuple[str, ...]]:
    with pytest.raises(AudienceError) as caught:
        new_event(ANNA, **{"metric": "Placed Order", "now": NOW, **given})
    return [problem.path for problem in caught.value.problems]


def test_event_takes_its_normal_form() -> None:
    event = new_event(
        ANNA,
        " Placed Order ",
        now=NOW,
        timestamp=datetime(2026, 11, 1, 12, 0, 0, 123999, timezone(timedelta(hours=2))),
        value=12,
        currency="eur",
        properties={"items": ["milk"]},
        unique_id="o-1",
    )

    assert event == NewEvent(
        ANNA,
        "Placed Order",
        datetime(2026, 11, 1, 10, 0, 0, 123000, UTC),
        12.0,
        "EUR",
        {"items": ["milk"]},
        "o-1",
    )
    assert event.timestamp.tzinfo is UTC


def test_event_happens_now_unless_it_says_when() -> None:
    assert new_event(ANNA, "Opened", now=NOW) == NewEvent(ANNA, "Opened", NOW)


def test_event_lies_between_1990_and_a_year_ahead() -> None:
    for fine in (datetime(1990, 1, 1, tzinfo=UTC), NOW + timedelta(days=366)):
        assert new_event(ANNA, "Opened", now=NOW, timestamp=fine).timestamp == fine
    for wrong in (
        datetime(1989, 12, 31, tzinfo=UTC),
        NOW + timedelta(days=367),
        datetime(2026, 1, 1),  # noqa: DTZ001 - without a zone on purpose
    ):
        assert refused(timestamp=wrong) == [("timestamp",)]


def test_values_are_bounded_so_that_sums_stay_finite() -> None:
    for fine in (-1e15, 0, 1e15):
        assert new_event(ANNA, "Opened", now=NOW, value=fine).value == fine
    for wrong in (1.1e15, -1e308, float("inf"), float("nan")):
        assert refused(value=wrong) == [("value",)]


def test_every_problem_of_an_event_is_reported_at_once() -> None:
    assert refused(
        metric="\n",
        value=float("inf"),
        currency="euro",
        properties={"$a": 1},
        unique_id="",
        timestamp=datetime(1900, 1, 1, tzinfo=UTC),
    ) == [
        ("metric",),
        ("timestamp",),
        ("value",),
        ("valueCurrency",),
        ("uniqueId",),
        ("properties", "$a"),
    ]


def test_metric_names_are_trimmed_and_bounded() -> None:
    assert metric_name("  Placed Order\t") == "Placed Order"
    assert metric_name("x" * 128) == "x" * 128
    for wrong in ("", "   ", "x" * 129, "a\x00b", "a\nb"):
        with pytest.raises(AudienceError):
            metric_name(wrong)
