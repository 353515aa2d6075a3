"""Twenty segments over the Complete Journey, from trivial to hard, each with the same
in SQL over the source files: `people`, `orders`, `lines`, `coupons`, `campaigns`."""

from collections.abc import Mapping

from bench.questions import (
    Question,
    days,
    equal,
    has,
    sequence,
    step,
    where,
    within,
)
from server.seeds.household import (
    ORDERED_PRODUCT,
    PLACED_ORDER,
    RECEIVED_CAMPAIGN,
    REDEEMED_COUPON,
)
from server.seeds.starters import did, every, ordered

CAMPAIGN = "Campaign 18 (Type A)"
SEED = "spring"  # of the sample
SEGMENTS = ("Coupon users with children", "Lapsed buyers")

WITH_CHILDREN = has("properties.kidsCount", equal("1", "2", "3+"))


def questions_of(ids: Mapping[str, str]) -> tuple[Question, ...]:
    """The segments, with the ids of lists and segments by their names."""
    in_list = {"list": {"listId": ids[CAMPAIGN]}}
    buyers, lapsed = ({"segmentId": ids[name]} for name in SEGMENTS)
    return (
        Question(
            "aged 35 to 44",
            every(has("properties.age", equal("35-44"))),
            "SELECT household FROM people WHERE age = '35-44'",
        ),
        Question(
            "in the list of campaign 18",
            every(in_list),
            "SELECT household FROM campaigns WHERE campaign = 18",
        ),
        Question(
            "can receive marketing, with children or a house of their own",
            {
                "groups": [
                    {
                        "anyOf": [
                            {
                                "consent": {
                                    "channel": "EMAIL",
                                    "canReceiveMarketing": True,
                                }
                            }
                        ]
                    },
                    {
                        "anyOf": [
                            WITH_CHILDREN,
                            has("properties.homeOwnership", equal("Homeowner")),
                        ]
                    },
                ]
            },
            """
            SELECT household FROM people WHERE agreed
            AND (kids IN ('1', '2', '3+') OR home = 'Homeowner')
            """,
        ),
        Question(
            "a tenth of all, income known",
            every(
                {"sample": {"percent": 10, "seed": SEED}},
                has("properties.income", {"exists": True}),
            ),
            "SELECT household FROM people WHERE drawn < 0.1 AND income IS NOT NULL",
        ),
        Question(
            "ordered in the last 365 days, not in the last 60",
            every(ordered({"atLeast": 1}, 365), ordered({"equals": 0}, 60)),
            """
            SELECT household FROM orders GROUP BY household
            HAVING count(*) FILTER (time >= $now - INTERVAL 365 DAY) >= 1
               AND count(*) FILTER (time >= $now - INTERVAL 60 DAY) = 0
            """,
        ),
        Question(
            "in the list of campaign 18, never redeemed a coupon",
            every(in_list, did(REDEEMED_COUPON, {"equals": 0})),
            """
            SELECT household FROM campaigns WHERE campaign = 18
            AND household NOT IN (SELECT household FROM coupons)
            """,
        ),
        Question(
            "orders of $3,000 or more in all, the first over 300 days ago",
            every(
                # Between two cents: sums of doubles differ in their last digits.
                did(PLACED_ORDER, {"atLeast": 2999.995}, measure="SUM"),
                did(PLACED_ORDER, {"atLeast": 1}, during={"notInTheLast": days(300)}),
            ),
            """
            SELECT household FROM orders GROUP BY household
            HAVING sum(value) >= 2999.995 AND min(time) < $now - INTERVAL 300 DAY
            """,
        ),
        Question(
            "in one segment (coupons and children), not in another (lapsed)",
            every({"segment": buyers}, {"segment": lapsed | {"isMember": False}}),
            """
            SELECT household FROM people WHERE kids IN ('1', '2', '3+')
            AND household IN (SELECT household FROM coupons)
            AND household NOT IN (
              SELECT household FROM orders GROUP BY household
              HAVING count(*) FILTER (time >= $now - INTERVAL 365 DAY) >= 1
                 AND count(*) FILTER (time >= $now - INTERVAL 60 DAY) = 0)
            """,
        ),
        Question(
            "30 orders or more in the last 180 days",
            every(ordered({"atLeast": 30}, 180)),
            """
            SELECT household FROM orders
            WHERE time >= $now - INTERVAL 180 DAY
            GROUP BY household HAVING count(*) >= 30
            """,
        ),
        Question(
            "10 orders or more 90 to 180 days ago, at most 3 in the last 60",
            every(
                did(PLACED_ORDER, {"atLeast": 10}, during=within(90, 180)),
                ordered({"atMost": 3}, 60),
            ),
            """
            SELECT household FROM orders GROUP BY household
            HAVING count(*) FILTER (time BETWEEN
                $now - INTERVAL 180 DAY AND $now - INTERVAL 90 DAY) >= 10
               AND count(*) FILTER (time >= $now - INTERVAL 60 DAY) <= 3
            """,
        ),
        Question(
            "with children, an order of $150 or more in the last 60 days",
            every(
                WITH_CHILDREN,
                did(PLACED_ORDER, {"atLeast": 150}, 60, measure="MAX"),
            ),
            """
            SELECT household FROM orders JOIN people USING (household)
            WHERE kids IN ('1', '2', '3+') AND time >= $now - INTERVAL 60 DAY
            GROUP BY household HAVING max(value) >= 150
            """,
        ),
        Question(
            "10 orders or more in a December",
            every(
                did(
                    PLACED_ORDER,
                    {"atLeast": 10},
                    during={"anniversary": {"month": 12}},
                )
            ),
            """
            SELECT household FROM orders WHERE month(time) = 12
            GROUP BY household HAVING count(*) >= 10
            """,
        ),
        Question(
            "orders of $60 or more on average in the last 180 days",
            every(did(PLACED_ORDER, {"atLeast": 59.99999}, 180, measure="AVERAGE")),
            """
            SELECT household FROM orders WHERE time >= $now - INTERVAL 180 DAY
            GROUP BY household HAVING avg(value) >= 59.99999
            """,
        ),
        Question(
            "ordered in 4 stores or more in the last 365 days",
            every(
                did(
                    PLACED_ORDER,
                    {"atLeast": 4},
                    365,
                    measure="COUNT_DISTINCT",
                    of="properties.storeId",
                )
            ),
            """
            SELECT household FROM orders WHERE time >= $now - INTERVAL 365 DAY
            GROUP BY household HAVING count(DISTINCT store) >= 4
            """,
        ),
        Question(
            "2 different coupons or more of campaign 18",
            every(
                did(
                    REDEEMED_COUPON,
                    {"atLeast": 2},
                    measure="COUNT_DISTINCT",
                    of="properties.couponId",
                    where=where("properties.campaign", equal(CAMPAIGN)),
                )
            ),
            """
            SELECT household FROM coupons WHERE campaign = 18
            GROUP BY household HAVING count(DISTINCT coupon) >= 2
            """,
        ),
        Question(
            "a coupon within 21 days after a campaign of type A",
            every(
                sequence(
                    step(
                        RECEIVED_CAMPAIGN,
                        where=where("properties.type", equal("Type A")),
                    ),
                    step(REDEEMED_COUPON),
                    within=days(21),
                )
            ),
            """
            SELECT DISTINCT household FROM campaigns
            JOIN coupons USING (household) WHERE kind = 'Type A'
            AND coupons.time > campaigns.time
            AND coupons.time <= campaigns.time + INTERVAL 21 DAY
            """,
        ),
        Question(
            "$100 twice within 7 days of the last 180, no coupon in 7 days after it",
            every(
                sequence(
                    *[
                        step(
                            PLACED_ORDER,
                            where=where("value", {"number": {"atLeast": 100}}),
                        )
                    ]
                    * 2,
                    step(REDEEMED_COUPON, happened=False),
                    within=days(7),
                    during={"inTheLast": days(180)},
                )
            ),
            """
            WITH large AS (
              SELECT household, time FROM orders
              WHERE value >= 100 AND time >= $now - INTERVAL 180 DAY
            )
            SELECT DISTINCT household FROM large
            JOIN large AS again USING (household)
            WHERE again.time > large.time
              AND again.time <= large.time + INTERVAL 7 DAY
              AND NOT EXISTS (
                FROM coupons WHERE coupons.household = again.household
                  AND coupons.time > again.time
                  AND coupons.time <= again.time + INTERVAL 7 DAY)
            """,
        ),
        Question(
            "produce for $100 or more in the last 90 days",
            every(
                did(
                    ORDERED_PRODUCT,
                    {"atLeast": 99.995},
                    90,
                    measure="SUM",
                    where=where("properties.department", equal("PRODUCE")),
                )
            ),
            """
            SELECT household FROM lines
            WHERE department = 'PRODUCE' AND time >= $now - INTERVAL 90 DAY
            GROUP BY household HAVING sum(value) >= 99.995
            """,
        ),
        Question(
            "products of 12 departments or more in the last 60 days",
            every(
                did(
                    ORDERED_PRODUCT,
                    {"atLeast": 12},
                    60,
                    measure="COUNT_DISTINCT",
                    of="properties.department",
                )
            ),
            """
            SELECT household FROM lines WHERE time >= $now - INTERVAL 60 DAY
            GROUP BY household HAVING count(DISTINCT department) >= 12
            """,
        ),
        Question(
            "never anything with chocolate, 100 things of private brands in all",
            every(
                did(
                    ORDERED_PRODUCT,
                    {"equals": 0},
                    where=where(
                        "properties.product", {"text": {"contains": "chocolate"}}
                    ),
                ),
                did(
                    ORDERED_PRODUCT,
                    {"atLeast": 100},
                    measure="SUM",
                    of="properties.quantity",
                    where=where("properties.brand", equal("Private")),
                ),
            ),
            """
            SELECT household FROM lines GROUP BY household
            HAVING count(*) FILTER (product ILIKE '%chocolate%') = 0
               AND sum(quantity) FILTER (brand = 'Private') >= 100
            """,
        ),
    )
