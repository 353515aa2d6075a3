"""A metric's events as figures: totals, apart by a value, and over time."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import strawberry

from audience.aggregates import MAX_GROUPS, buckets, parse_aggregate
from audience.conditions import limits
from audience.errors import InvalidInput, NotFound
from audience.memberships import MAX_POINTS, Interval
from audience.plan.windows import Window
from gql.context import Context
from gql.execution import FromDocument, batch, plain
from gql.ids import Kind, stored_id
from gql.metrics import Metric
from gql.queries import query
from gql.scalars import JSON, date_time_text
from gql.segments.comparison_inputs import PropertyFilterInput
from gql.segments.condition_inputs import MetricRef, SegmentDefinitionInput
from gql.segments.reading import definition_of, input_json
from resolvers.aggregates import (
    Scope,
    figures_by_value,
    figures_over_time,
    scope_of,
)
from resolvers.db import Database, Document
from resolvers.metrics import metrics_by_id, metrics_by_name


@strawberry.input(description="Which events of a metric to make figures of.")
class MetricAggregateInput:
    metric: MetricRef = strawberry.field(description="Which events.")
    since: datetime = strawberry.field(description="At or after this instant.")
    until: datetime | None = strawberry.field(
        default=None, description="Before this instant; up to now when absent."
    )
    of: str | None = strawberry.field(
        default=None,
        description="Of which numbers: the events' value when absent, or properties. "
        "and a property's path.",
    )
    by: str | None = strawberry.field(
        default=None,
        description="Apart by this: valueCurrency, or properties. and a property's "
        "path; value, timestamp and uniqueId work, too. Texts, numbers, truth values "
        "and times count, texts letter by letter; events without any of these are a "
        "group of their own, whose value is null.",
    )
    where: list[PropertyFilterInput] | None = strawberry.field(
        default=None,
        description=f"At most {limits.FILTERS} filters; every one holds for the event.",
    )
    among: SegmentDefinitionInput | None = strawberry.field(
        default=None,
        description="Only events of the profiles that this definition means now. "
        "Needs the scope profiles:read.",
    )
    first: int = strawberry.field(
        default=20,
        description=f"At most this many groups, those with the most events first: 1 "
        f"to {MAX_GROUPS}.",
    )


@strawberry.interface(description="What events come to.")
class MetricFigures(FromDocument):
    count: int = plain("count", description="How many events there are.")
    profiles: int = plain(
        "profiles", description="How many profiles have such events, each counted once."
    )
    sum: float = plain("sum", description="The sum of the numbers; 0 without any.")
    average: float | None = plain(
        "average", description="The average of the numbers; null without any."
    )
    min: float | None = plain(
        "min", description="The smallest number; null without any."
    )
    max: float | None = plain(
        "max", description="The largest number; null without any."
    )


@strawberry.type(description="The figures of a step of time.")
class MetricPoint(MetricFigures):
    at: datetime = plain(
        "at",
        description="When the step begins: the hour, or the local midnight. The first "
        "and the last step hold only what lies between since and until.",
    )


@strawberry.type(description="The figures of the events with one value.")
class MetricAggregateGroup(MetricFigures):
    value: JSON | None = plain(
        "value",
        description="The value that these events have in common; null for those "
        "without any, and when `by` is absent.",
    )

    @batch(
        description="The figures step by step, steps without events included: at "
        f"most {MAX_POINTS:,} steps.",
        key=id,
    )
    @staticmethod
    async def points(
        parents: list[Document],
        context: Context,
        interval: Annotated[
            Interval,
            strawberry.argument(
                description="How long a step is. Hours are those of UTC; days, weeks "
                "from Monday on, and months those of the account's time zone."
            ),
        ],
    ) -> list[list[MetricPoint]]:
        found: dict[tuple[int, int], Any] = {}
        scopes: dict[int, Scope] = {id(it["scope"]): it["scope"] for it in parents}
        for key, scope in scopes.items():
            own = [it for it in parents if it["scope"] is scope]
            steps = buckets(scope.asked.window, interval, context.zone)
            values = [it["stored"] for it in own]
            rows = await figures_over_time(scope, values, steps, interval, context.zone)
            for parent, figures in zip(own, rows, strict=True):
                found[key, id(parent)] = [
                    {"at": step.at, **asdict(each)}
                    for step, each in zip(steps, figures, strict=True)
                ]
        return [found[id(it["scope"]), id(it)] for it in parents]


@strawberry.type(description="A metric's events as figures.")
class MetricAggregate:
    metric: Metric = plain("metric", description="Whose events they are.")
    since: datetime = plain("since", description="The first instant that counts.")
    until: datetime = plain("until", description="The first that counts no more.")
    group_count: int = plain(
        "group_count",
        description="How many groups there are, those that are not shown included.",
    )
    groups: list[MetricAggregateGroup] = plain(
        "groups",
        description="One for each value at `by`, the most events first; a single one "
        "when `by` is absent.",
    )


@strawberry.type
class AggregateQuery:
    @query(
        MetricAggregate,
        "events:read",
        description="Figures of a metric's events: how many, of how many people, and "
        "what their values come to; apart by a property, and over time.",
    )
    @staticmethod
    async def metric_aggregate(
        context: Context,
        input: Annotated[
            MetricAggregateInput, strawberry.argument(description="Which figures.")
        ],
    ) -> Document:
        if not 1 <= input.first <= MAX_GROUPS:
            raise InvalidInput(
                f"first has to be 1 to {MAX_GROUPS}.", ("input", "first")
            )
        window = Window(input.since, input.until or context.now())
        source: Mapping[str, Any] = input_json(input)
        asked = parse_aggregate(
            {name: source.get(name) for name in ("metric", "of", "by", "where")},
            window,
            "input",
        )
        among = None
        if input.among is not None:
            context.require("profiles:read")
            among = definition_of(input.among, "input", "among")
        metric = await _metric(context.db, asked.metric.id, asked.metric.name)
        scope = await scope_of(
            context.db, metric["_id"], asked, among, context.now(), context.zone
        )
        groups, number = await figures_by_value(scope, input.first)
        return {
            "metric": metric,
            "since": window.start,
            "until": window.end,
            "group_count": number,
            "groups": [
                {
                    "value": _json(it.value),
                    "stored": it.value,
                    "scope": scope,
                    **asdict(it.figures),
                }
                for it in groups
            ],
        }


async def _metric(db: Database, id: str | None, name: str | None) -> Document:
    if id is not None:
        path = ("input", "metric", "id")
        (found,) = await metrics_by_id(db, [stored_id(id, Kind.METRIC, *path)])
    else:
        path = ("input", "metric", "name")
        (found,) = await metrics_by_name(db, [name or ""])
    if found is None:
        raise NotFound(f"There is no metric {name or id!r:.80}.", path)
    return found


def _json(value: Any) -> Any:
    return date_time_text(value) if isinstance(value, datetime) else value
