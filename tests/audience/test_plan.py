"""Times made absolute, references resolved, negation on the facts."""

from datetime import UTC, date, datetime
from math import inf
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from audience.conditions import parse
from audience.conditions.tree import (
    Anniversary,
    InTheNext,
    Measure,
    MetricRef,
    NotInTheLast,
    NumberComparison,
    Span,
    Unit,
)
from audience.plan import Dependencies, References, dependencies_of, plan
from audience.plan.numbers import Range, about, complement, ranges_of, whole
from audience.plan.tree import (
    EVERYONE,
    NO_ONE,
    EventFact,
    Every,
    FieldFact,
    Leaf,
    ListFact,
    Metric,
    Node,
    Present,
    Some,
    TextTest,
)
from audience.plan.windows import (
    Window,
    anniversary_days,
    midnight,
    moved,
    window_of,
)
from tests.audience.test_conditions import DEFINITION

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 29, 10, 0, 0, 123456, tzinfo=UTC)
ORDERS = Metric("0" * 24, "a", NOW)
REFERENCES = References({MetricRef(name="Order"): ORDERS}, {"lst_x": "1" * 24})


ALWAYS = Window()


def planned(*conditions: Any) -> Node:
    definition = {"groups": [{"anyOf": [condition]} for condition in conditions]}
    return plan(parse(definition), now=NOW, zone=BERLIN, references=REFERENCES)


def event(compare: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"event": {"metric": {"name": "Order"}, "compare": compare, **more}}


def named(name: str, **more: Any) -> dict[str, Any]:
    text = {"text": {"equals": name}}
    return {"property": {"filter": {"path": "firstName", "is": text, **more}}}


def has_name(name: str) -> FieldFact:
    return FieldFact(("first_name",), TextTest("equals", (name,)))


def counted(*ranges: Range, window: Window = ALWAYS) -> EventFact:
    return EventFact(ORDERS, window, EVERYONE, Measure.COUNT, None, ranges)


@pytest.mark.parametrize(
    ("compare", "node"),
    [
        ({"atLeast": 3}, Leaf(counted(Range(3)))),
        ({"greaterThan": 2.5}, Leaf(counted(Range(3)))),
        ({"equals": 0}, Leaf(counted(Range(1)), holds=False)),
        ({"atMost": 2}, Leaf(counted(Range(3)), holds=False)),
        ({"lessThan": 2.5}, Leaf(counted(Range(3)), holds=False)),
        ({"notEquals": 2}, Leaf(counted(Range(2, 2)), holds=False)),
        ({"notEquals": 0}, Leaf(counted(Range(1)))),
        ({"between": {"from": 2, "to": 4}}, Leaf(counted(Range(2, 4)))),
        (
            {"between": {"from": 0, "to": 4}},
            Leaf(counted(Range(5)), holds=False),
        ),
        ({"equals": 2.5}, NO_ONE),
        ({"notEquals": 2.5}, EVERYONE),
        ({"atLeast": -1}, EVERYONE),
        ({"lessThan": 0}, NO_ONE),
    ],
    ids=str,
)
def test_counts_become_whole_numbers_of_those_with_events(
    compare: dict[str, Any], node: Node
) -> None:
    assert planned(event(compare)) == node


def test_a_metric_that_never_happened_counts_zero() -> None:
    other = {"metric": {"name": "Other"}}

    assert planned({"event": other | {"compare": {"atLeast": 1}}}) == NO_ONE
    assert planned({"event": other | {"compare": {"equals": 0}}}) == EVERYONE


def test_negation_sits_on_the_facts() -> None:
    inner = {
        "groups": [
            {"anyOf": [named("a"), named("b")]},
            {"anyOf": [{"list": {"listId": "lst_x"}}]},
        ]
    }

    assert planned({"not": inner}) == Some(
        (
            Every((Leaf(has_name("a"), holds=False), Leaf(has_name("b"), holds=False))),
            Leaf(ListFact("1" * 24, Window()), holds=False),
        )
    )


def test_nesting_without_need_vanishes() -> None:
    inner = {"groups": [{"anyOf": [named("a")]}, {"anyOf": [named("a")]}]}

    assert planned({"all": inner}, named("a")) == Leaf(has_name("a"))


def test_missing_values_are_asked_for_only_when_they_matter() -> None:
    present = FieldFact(("first_name",), Present())

    assert planned(named("a", whenMissing=False)) == Leaf(has_name("a"))
    assert planned(named("a", whenMissing=True)) == Some(
        (Leaf(has_name("a")), Leaf(present, holds=False))
    )


def test_an_unknown_list_has_no_members() -> None:
    assert planned({"list": {"listId": "lst_y"}}) == NO_ONE
    assert planned({"list": {"listId": "lst_y", "isMember": False}}) == EVERYONE


def test_other_segments_are_put_in_place() -> None:
    refers = {
        "groups": [{"anyOf": [{"segment": {"segmentId": "s", "isMember": False}}]}]
    }
    inner = parse({"groups": [{"anyOf": [named("a")]}]})
    references = References(segments={"s": inner})

    node = plan(parse(refers), now=NOW, zone=BERLIN, references=references)

    assert node == Leaf(has_name("a"), holds=False)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("start", "amount", "unit", "end"),
    [
        # The clock was put forward on 29 March 2026 at 02:00.
        ("2026-03-29T12:00+02:00", -1, Unit.DAY, "2026-03-28T12:00+01:00"),
        ("2026-03-29T12:00+02:00", -24, Unit.HOUR, "2026-03-28T11:00+01:00"),
        ("2026-03-30T02:30+02:00", -1, Unit.DAY, "2026-03-29T03:30+02:00"),
        # And back on 25 October at 03:00: 02:30 came twice, the first is meant.
        ("2026-10-26T02:30+01:00", -1, Unit.DAY, "2026-10-25T02:30+02:00"),
        ("2026-10-24T02:30+02:00", 1, Unit.DAY, "2026-10-25T02:30+02:00"),
        ("2026-03-31T12:00+02:00", -1, Unit.MONTH, "2026-02-28T12:00+01:00"),
        ("2024-02-29T12:00+01:00", -1, Unit.YEAR, "2023-02-28T12:00+01:00"),
        ("2024-01-31T12:00+01:00", 1, Unit.MONTH, "2024-02-29T12:00+01:00"),
        ("2024-01-31T12:00+01:00", 13, Unit.MONTH, "2025-02-28T12:00+01:00"),
        ("2024-01-31T12:00+01:00", -2, Unit.WEEK, "2024-01-17T12:00+01:00"),
        ("2024-01-31T12:00+01:00", -90, Unit.MINUTE, "2024-01-31T10:30+01:00"),
    ],
)
def test_spans_follow_the_calendar(
    start: str, amount: int, unit: Unit, end: str
) -> None:
    span = Span(abs(amount), unit)

    assert moved(at(start), span, 1 if amount > 0 else -1, BERLIN) == at(end)


def test_a_window_is_exact_to_the_millisecond() -> None:
    one_day = {"inTheLast": {"amount": 1, "unit": "DAY"}}
    node = planned(event({"atLeast": 1}, during=one_day))

    window = Window(
        datetime(2026, 3, 28, 11, 0, 0, 123000, tzinfo=UTC),
        datetime(2026, 3, 29, 10, 0, 0, 124000, tzinfo=UTC),
    )
    assert node == Leaf(counted(Range(1), window=window))


def test_a_day_of_the_clocks_change_is_23_hours_long() -> None:
    node = planned(event({"atLeast": 1}, during={"on": "2026-03-29"}))

    window = Window(at("2026-03-29T00:00+01:00"), at("2026-03-30T00:00+02:00"))
    assert node == Leaf(counted(Range(1), window=window))


def test_midnight_may_be_skipped_or_come_twice() -> None:
    skipped = midnight(date(2018, 11, 4), ZoneInfo("America/Sao_Paulo"))
    twice = midnight(date(2020, 11, 1), ZoneInfo("America/Havana"))

    assert skipped == at("2018-11-04T01:00-02:00")
    assert twice == at("2020-11-01T00:00-04:00")


@pytest.mark.parametrize(
    ("now", "anniversary", "days"),
    [
        ("2026-02-28T12:00Z", Anniversary("today"), (("02-28", "02-29"),)),
        ("2024-02-28T12:00Z", Anniversary("today"), (("02-28", "02-28"),)),
        ("2026-05-01T23:00Z", Anniversary("today"), (("05-02", "05-02"),)),
        (
            "2026-12-30T12:00Z",
            Anniversary("inTheNext", Span(3, Unit.DAY)),
            (("01-01", "01-02"), ("12-30", "12-31")),
        ),
        (
            "2026-03-01T12:00Z",
            Anniversary("inTheLast", Span(1, Unit.DAY)),
            (("02-28", "03-01"),),
        ),
        (
            "2026-03-01T12:00Z",
            Anniversary("inTheNext", Span(1, Unit.YEAR)),
            (("01-01", "12-31"),),
        ),
        ("2026-03-01T12:00Z", Anniversary("month", month=2), (("02-01", "02-31"),)),
    ],
)
def test_anniversaries_are_days_of_the_year(
    now: str, anniversary: Anniversary, days: Any
) -> None:
    moment = datetime.fromisoformat(now)

    assert anniversary_days(anniversary, moment, BERLIN) == days


def test_a_complement_is_everything_else() -> None:
    between = (Range(1, 2), Range(3, inf, low_open=True))

    assert complement(between) == (
        Range(-inf, 1, high_open=True),
        Range(2, 3, low_open=True),
    )
    assert complement(complement(between)) == between
    assert complement(()) == (Range(),)
    assert complement((Range(),)) == ()


def test_whole_numbers_of_a_range() -> None:
    between = ranges_of(NumberComparison("between", 0.5, 2.5))

    assert whole(between, least=1) == (Range(1, 2),)
    assert whole((Range(2.2, 2.8),), least=1) == ()


def test_what_a_definition_depends_on() -> None:
    assert dependencies_of(parse(DEFINITION)) == Dependencies(
        metrics=frozenset({MetricRef(name="Placed Order"), MetricRef(id="met_1")}),
        fields=frozenset(
            {
                *("location.city", "location.country", "properties.birthday"),
                *("location.latitude", "location.longitude"),
            }
        ),
        lists=frozenset({"lst_1"}),
        channels=frozenset({"EMAIL"}),
        segments=frozenset({"seg_1"}),
        time=True,
    )
    fixed = {
        "groups": [{"anyOf": [event({"atLeast": 1}, during={"on": "2026-01-01"})]}]
    }
    assert dependencies_of(parse(fixed)).time is False


def test_a_window_in_the_past_and_one_ahead() -> None:
    month = Span(1, Unit.MONTH)
    now = at("2026-03-31T12:00+02:00")

    assert window_of(NotInTheLast(month), now, BERLIN) == Window(
        end=at("2026-02-28T12:00+01:00")
    )
    assert window_of(InTheNext(month), now, BERLIN).start == now


def test_what_is_hardly_away_from_an_end_is_at_it() -> None:
    assert about((Range(high=2, high_open=True), Range(2.5, 3))) == (
        Range(high=2 - 1e-9, high_open=True),
        Range(2.5 - 1e-9, 3 + 1e-9),
    )
    assert about((Range(low=5e6, low_open=True),)) == (
        Range(low=5e6 + 5e-6, low_open=True),
    )
    assert about((Range(),)) == (Range(),)
