"""Twenty segments over the generated people, from trivial to hard, each with the same
in SQL over the tables `people` and `events`, where metrics and cities are the places of
their names."""

from bench.generated import LIST
from bench.questions import (
    Json,
    Question,
    days,
    equal,
    has,
    sequence,
    step,
    where,
    within,
)
from server.seeds.starters import did, every

OPENED, VIEWED, BEGAN, ORDERED = (
    "Opened Email",
    "Viewed Product",
    "Started Checkout",
    "Placed Order",
)
IN_LIST: Json = {"list": {"listId": f"lst_{LIST}"}}
REACHABLE: Json = {"consent": {"channel": "EMAIL", "canReceiveMarketing": True}}


def _counts(*wanted: tuple[int, int | None, str]) -> str:
    """The people of whom each holds: so many events of a metric in so many days."""
    having = " AND ".join(
        f"count(*) FILTER (metric = {metric}"
        + (f" AND time >= $now - INTERVAL {days} DAY" if days else "")
        + f") {compare}"
        for metric, days, compare in wanted
    )
    metrics = ", ".join(str(metric) for metric, _, _ in wanted)
    # Who has none of these events has none of any.
    return (
        f"SELECT person FROM events WHERE metric IN ({metrics}) "  # noqa: S608
        f"GROUP BY person HAVING {having}"
    )


QUESTIONS = (
    Question(
        "in a city",
        every(has("location.city", equal("City 7"))),
        "SELECT number FROM people WHERE city = 7",
    ),
    Question(
        "in a list",
        every(IN_LIST),
        "SELECT number FROM people WHERE listed",
    ),
    Question(
        "can receive marketing by e-mail",
        every(REACHABLE),
        "SELECT number FROM people WHERE consent = 'SUBSCRIBED' AND NOT suppressed",
    ),
    Question(
        "birthday in the next 7 days",
        every(
            has(
                "properties.birthday",
                {"date": {"anniversary": {"inTheNext": days(7)}}},
            )
        ),
        """
        SELECT number FROM people, range(8) AS days WHERE
          strftime(birthday, '%m-%d')
          = strftime($now + to_days(days.range::INTEGER), '%m-%d')
        """,
    ),
    Question(
        "ordered in 90 days",
        every(did(ORDERED, {"atLeast": 1}, 90)),
        _counts((3, 90, ">= 1")),
    ),
    Question(
        "ordered 3 times in 90 days, nothing opened in 30",
        every(did(ORDERED, {"atLeast": 3}, 90), did(OPENED, {"equals": 0}, 30)),
        _counts((3, 90, ">= 3"), (0, 30, "= 0")),
    ),
    Question(
        "the same, in a list and in a city",
        every(
            did(ORDERED, {"atLeast": 3}, 90),
            did(OPENED, {"equals": 0}, 30),
            IN_LIST,
            has("location.city", equal("City 0")),
        ),
        f"""
        SELECT person FROM ({_counts((3, 90, ">= 3"), (0, 30, "= 0"))})
        JOIN people ON number = person WHERE listed AND city = 0
        """,  # noqa: S608
    ),
    Question(
        "ordered in 90 days or in a city, nothing opened in 30",
        {
            "groups": [
                {
                    "anyOf": [
                        did(ORDERED, {"atLeast": 1}, 90),
                        has("location.city", equal("City 0")),
                    ]
                },
                {"anyOf": [did(OPENED, {"equals": 0}, 30)]},
            ]
        },
        f"""
        SELECT number FROM people WHERE
          (city = 0 OR number IN ({_counts((3, 90, ">= 1"))}))
          AND number NOT IN ({_counts((0, 30, ">= 1"))})
        """,  # noqa: S608
    ),
    Question(
        "never ordered, in a list",
        every(did(ORDERED, {"equals": 0}), IN_LIST),
        f"""
        SELECT number FROM people
        WHERE listed AND number NOT IN ({_counts((3, None, ">= 1"))})
        """,  # noqa: S608
    ),
    Question(
        "opened 10 times in 180 days, viewed 5 times in 30, gold",
        every(
            did(OPENED, {"atLeast": 10}, 180),
            did(VIEWED, {"atLeast": 5}, 30),
            has("properties.tier", equal("gold")),
        ),
        f"""
        SELECT person FROM ({_counts((0, 180, ">= 10"), (1, 30, ">= 5"))})
        JOIN people ON number = person WHERE tier = 2
        """,  # noqa: S608
    ),
    Question(
        "orders of more than 500 in all, the first over a year ago",
        every(
            # Between two cents: sums of doubles differ in their last digits.
            did(ORDERED, {"greaterThan": 500.005}, measure="SUM"),
            did(
                ORDERED,
                {"atLeast": 1},
                during={"notInTheLast": days(365)},
            ),
        ),
        """
        SELECT person FROM events WHERE metric = 3 GROUP BY person
        HAVING sum(value) > 500.005 AND min(time) < $now - INTERVAL 365 DAY
        """,
    ),
    Question(
        "a checkout, and no order after the last one",
        every(sequence(step(BEGAN), step(ORDERED, happened=False))),
        """
        SELECT person FROM events GROUP BY person
        HAVING max(time) FILTER (metric = 2)
          >= coalesce(max(time) FILTER (metric = 3), TIMESTAMP '1970-01-01')
        """,
    ),
    Question(
        "ordered shoes in 90 days",
        every(
            did(
                ORDERED,
                {"atLeast": 1},
                90,
                where=where("properties.category", equal("shoes")),
            )
        ),
        """
        SELECT DISTINCT person FROM events WHERE metric = 3 AND category = 0
          AND time >= $now - INTERVAL 90 DAY
        """,
    ),
    Question(
        "orders of 200 or more in 90 days",
        every(did(ORDERED, {"atLeast": 199.995}, 90, measure="SUM")),
        """
        SELECT person FROM events
        WHERE metric = 3 AND time >= $now - INTERVAL 90 DAY
        GROUP BY person HAVING sum(value) >= 199.995
        """,
    ),
    Question(
        "viewed 3 times 180 to 90 days ago, not in 60",
        every(
            did(VIEWED, {"atLeast": 3}, during=within(90, 180)),
            did(VIEWED, {"equals": 0}, 60),
        ),
        """
        SELECT person FROM events WHERE metric = 1 GROUP BY person
        HAVING count(*) FILTER (time >= $now - INTERVAL 180 DAY
            AND time <= $now - INTERVAL 90 DAY) >= 3
          AND count(*) FILTER (time >= $now - INTERVAL 60 DAY) = 0
        """,
    ),
    Question(
        "opened 25 times in a year",
        every(did(OPENED, {"atLeast": 25}, 365)),
        _counts((0, 365, ">= 25")),
    ),
    Question(
        "viewed 4 categories or more in 90 days",
        every(
            did(
                VIEWED,
                {"atLeast": 4},
                90,
                measure="COUNT_DISTINCT",
                of="properties.category",
            )
        ),
        """
        SELECT person FROM events
        WHERE metric = 1 AND time >= $now - INTERVAL 90 DAY
        GROUP BY person HAVING count(DISTINCT category) >= 4
        """,
    ),
    Question(
        "no order above 50 in 180 days, can receive marketing",
        every(
            did(
                ORDERED,
                {"equals": 0},
                180,
                where=where("value", {"number": {"greaterThan": 50}}),
            ),
            REACHABLE,
        ),
        """
        SELECT number FROM people
        WHERE consent = 'SUBSCRIBED' AND NOT suppressed AND number NOT IN (
          SELECT person FROM events WHERE metric = 3 AND value > 50
            AND time >= $now - INTERVAL 180 DAY)
        """,
    ),
    Question(
        "viewed one product never, nor shoes in 30 days",
        every(
            did(
                VIEWED,
                {"equals": 0},
                where=where("properties.sku", equal("sku7")),
            ),
            did(
                VIEWED,
                {"equals": 0},
                30,
                where=where("properties.category", equal("shoes")),
            ),
        ),
        """
        SELECT number FROM people WHERE number NOT IN (
          SELECT person FROM events WHERE metric = 1 AND (sku = 7
            OR (category = 0 AND time >= $now - INTERVAL 30 DAY)))
        """,
    ),
    Question(
        "a checkout in 30 days, no order within 3 days after it",
        every(
            sequence(
                step(BEGAN),
                step(ORDERED, happened=False),
                within=days(3),
                during={"inTheLast": days(30)},
            )
        ),
        """
        WITH recent AS (
          SELECT person, metric, time FROM events
          WHERE metric IN (2, 3) AND time >= $now - INTERVAL 30 DAY
        ), followed AS (
          SELECT person, metric, time, min(time) FILTER (metric = 3) OVER (
            PARTITION BY person ORDER BY time
            RANGE BETWEEN INTERVAL 1 MILLISECOND FOLLOWING
              AND INTERVAL 3 DAY FOLLOWING) AS ordered
          FROM recent
        )
        SELECT DISTINCT person FROM followed WHERE metric = 2 AND ordered IS NULL
        """,
    ),
)
