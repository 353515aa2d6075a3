import time
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo

import pytest
from graphql import GraphQLError

from gql.scalars import date_time_text, parse_date, parse_date_time
from resolvers.db import STORED_ZONE


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-01T09:30:00Z", datetime(2026, 3, 1, 9, 30, tzinfo=UTC)),
        ("2026-03-01t09:30:00z", datetime(2026, 3, 1, 9, 30, tzinfo=UTC)),
        ("2026-03-01T09:30:00+05:30", datetime(2026, 3, 1, 4, 0, tzinfo=UTC)),
        (
            "2026-03-01T09:30:00.123999Z",
            datetime(2026, 3, 1, 9, 30, 0, 123000, tzinfo=UTC),
        ),
    ],
)
def test_an_instant_is_read_to_the_millisecond(text: str, instant: datetime) -> None:
    assert parse_date_time(text) == instant


@pytest.mark.parametrize(
    "value",
    [
        "2026-03-01",
        "2026-03-01T09:30:00",
        "2026-03-01 09:30:00Z",
        "2026-02-30T09:30:00Z",
        "2026-03-01T24:30:00Z",
        "0001-01-01T00:00:00+14:00",
        "٢٠٢٦-03-01T09:30:00Z",
        "",
        1_772_357_400,
        None,
    ],
)
def test_what_is_no_instant_is_refused(value: object) -> None:
    with pytest.raises(GraphQLError, match="is not a DateTime"):
        parse_date_time(value)


def test_an_instant_is_written_in_utc_with_milliseconds() -> None:
    east = timezone(timedelta(hours=2))

    assert date_time_text(datetime(2026, 3, 1, 9, 30, tzinfo=UTC)) == (
        "2026-03-01T09:30:00.000Z"
    )
    assert date_time_text(datetime(2026, 3, 1, 1, 30, 0, 5999, tzinfo=east)) == (
        "2026-02-28T23:30:00.005Z"
    )


def test_what_is_stored_is_in_utc_wherever_the_server_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()

    written = date_time_text(datetime(2026, 3, 1, 9, 30))  # noqa: DTZ001 - as it is read

    monkeypatch.undo()
    time.tzset()
    assert written == "2026-03-01T09:30:00.000Z"


@pytest.mark.parametrize("zone", [UTC, STORED_ZONE, timezone(timedelta(hours=-5))])
@pytest.mark.parametrize("year", [1, 999, 1970, 9999])
def test_every_instant_is_written_as_its_parts_say(year: int, zone: tzinfo) -> None:
    for hour, second, microsecond in ((0, 0, 0), (9, 7, 999), (23, 59, 999_999)):
        instant = datetime(year, 6, 30, hour, 5, second, microsecond, tzinfo=zone)

        utc = instant.astimezone(UTC)

        expected = f"{utc.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
        assert date_time_text(instant) == expected


def test_a_day_is_read() -> None:
    assert parse_date("2026-03-01") == date(2026, 3, 1)


@pytest.mark.parametrize("value", ["20260301", "2026-13-01", "2026-3-1", 20260301])
def test_what_is_no_day_is_refused(value: object) -> None:
    with pytest.raises(GraphQLError, match="is not a Date"):
        parse_date(value)
