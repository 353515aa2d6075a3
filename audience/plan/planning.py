"""From a definition to its plan."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import assert_never

from audience.conditions.paths import event_place
from audience.conditions.tree import (
    Anniversary,
    Condition,
    ConsentCondition,
    Coordinates,
    Definition,
    DistanceCondition,
    DistanceUnit,
    EventCondition,
    ListCondition,
    Measure,
    MetricRef,
    Nested,
    PostalCode,
    PropertyCondition,
    PropertyFilter,
    RegionCondition,
    SampleCondition,
    SegmentCondition,
    SequenceCondition,
    Timeframe,
)
from audience.consent import Channel, Status
from audience.plan.filters import (
    anniversary_test,
    date_test,
    event_filter,
    profile_filter,
)
from audience.plan.numbers import (
    Range,
    Ranges,
    about,
    accepts,
    complement,
    ranges_of,
    whole,
)
from audience.plan.regions import country_names
from audience.plan.tree import (
    EVERYONE,
    NO_ONE,
    AnniversaryTest,
    BooleanTest,
    CodeTest,
    EventFact,
    FieldFact,
    Leaf,
    ListFact,
    Metric,
    NearFact,
    Node,
    Present,
    SampleFact,
    SequenceFact,
    Step,
    Test,
    TextTest,
    every,
    negation,
    some,
)
from audience.plan.windows import Window, window_of

MILE = 1.609344  # kilometres


@dataclass(frozen=True, slots=True)
class References:
    """What a definition refers to: metrics, the ids of lists, the definitions of
    other segments, and where postal codes are. What is not here never happened, has no
    members, or is nowhere."""

    metrics: Mapping[MetricRef, Metric] = field(default_factory=dict)
    lists: Mapping[str, str] = field(default_factory=dict)
    segments: Mapping[str, Definition] = field(default_factory=dict)
    places: Mapping[PostalCode, Coordinates] = field(default_factory=dict)


def plan(
    definition: Definition, *, now: datetime, zone: tzinfo, references: References
) -> Node:
    """What the definition asks, as of `now`, days being those of `zone`."""
    moment = now.replace(microsecond=now.microsecond // 1000 * 1000)
    return _Planning(moment, zone, references).definition(definition)


def measured(
    condition: EventCondition, *, now: datetime, zone: tzinfo, references: References
) -> EventFact | None:
    """What the condition measures, whatever it is compared with; None where there are
    no such events."""
    metric = references.metrics.get(condition.metric)
    moment = now.replace(microsecond=now.microsecond // 1000 * 1000)
    planning = _Planning(moment, zone, references)
    if metric is None:
        return None
    return planning.event_fact(condition, metric, (Range(),))


@dataclass(frozen=True, slots=True)
class _Planning:
    now: datetime
    zone: tzinfo
    references: References

    def definition(self, definition: Definition) -> Node:
        return every(
            some(self.condition(one) for one in group.any_of)
            for group in definition.groups
        )

    def condition(self, condition: Condition) -> Node:
        match condition:
            case EventCondition():
                return self.event(condition)
            case PropertyCondition(filter=filter):
                return profile_filter(filter, self.now, self.zone)
            case ConsentCondition():
                return self.consent(condition)
            case ListCondition(list_id=list_id, is_member=is_member, joined=joined):
                known = self.references.lists.get(list_id)
                window, anniversary = self.when(joined)
                fact = ListFact(known or "", window, anniversary)
                member: Node = Leaf(fact) if known else NO_ONE
                return member if is_member else negation(member)
            case SegmentCondition(segment_id=segment_id, is_member=is_member):
                inner = self.references.segments.get(segment_id)
                members = NO_ONE if inner is None else self.definition(inner)
                return members if is_member else negation(members)
            case RegionCondition(region=region, is_within=is_within):
                within = TextTest("equals", country_names(region))
                return Leaf(FieldFact(("location", "country"), within), is_within)
            case DistanceCondition():
                return self.distance(condition)
            case SampleCondition(percent=percent, seed=seed):
                return Leaf(SampleFact(percent / 100, seed or ""))
            case SequenceCondition():
                return self.sequence(condition)
            case Nested(definition=inner, holds=holds):
                node = self.definition(inner)
                return node if holds else negation(node)
        assert_never(condition)

    def event(self, condition: EventCondition) -> Node:
        ranges = ranges_of(condition.compare)
        if condition.measure in (Measure.SUM, Measure.AVERAGE):
            ranges = about(ranges)
        if condition.measure in (Measure.COUNT, Measure.SUM, Measure.COUNT_DISTINCT):
            passes_without_events = accepts(ranges, 0)
        else:
            # Without a value nothing holds, but that it is not equal to a number.
            passes_without_events = condition.compare.operator == "notEquals"
        if passes_without_events:
            ranges = complement(ranges)
        if condition.measure in (Measure.COUNT, Measure.COUNT_DISTINCT):
            ranges = whole(ranges, least=1)
        metric = self.references.metrics.get(condition.metric)
        fact = None if metric is None else self.event_fact(condition, metric, ranges)
        node: Node = Leaf(fact) if fact is not None else NO_ONE
        return negation(node) if passes_without_events else node

    def event_fact(
        self, condition: EventCondition, metric: Metric, ranges: Ranges
    ) -> EventFact | None:
        window, where = self.events(condition.during, condition.where)
        empty = window.start and window.end and window.start >= window.end
        if not ranges or where == NO_ONE or empty:
            return None
        of = None if condition.of is None else event_place(condition.of).parts
        return EventFact(metric, window, where, condition.measure, of, ranges)

    def when(
        self, timeframe: Timeframe | None
    ) -> tuple[Window, AnniversaryTest | None]:
        """The window, and the days of the year; one of them is no limit."""
        if timeframe is None:
            return Window(), None
        if isinstance(timeframe, Anniversary):
            return Window(), anniversary_test(timeframe, self.now, self.zone)
        return window_of(timeframe, self.now, self.zone), None

    def events(
        self, during: Timeframe | None, where: tuple[PropertyFilter, ...]
    ) -> tuple[Window, Node]:
        """The window in which events lie, and what else holds of them."""
        window, anniversary = self.when(during)
        filters = [event_filter(one, self.now, self.zone) for one in where]
        if anniversary is not None:
            filters.append(Leaf(FieldFact(("timestamp",), anniversary)))
        return window, every(filters)

    def distance(self, condition: DistanceCondition) -> Node:
        of = condition.of
        point = of if isinstance(of, Coordinates) else self.references.places.get(of)
        is_mile = condition.unit is DistanceUnit.MILE
        length = condition.within * (MILE if is_mile else 1)
        near: Node = NO_ONE
        if point is not None:
            near = Leaf(NearFact(point.latitude, point.longitude, length))
        return near if condition.is_within else negation(near)

    def consent(self, condition: ConsentCondition) -> Node:
        def holds(name: str, test: Test) -> Leaf:
            inside = ("consent", Channel(condition.channel).lower())
            return Leaf(FieldFact((*inside, *name.split(".")), test))

        parts: list[Node] = []
        status = holds("status", Present())
        suppressed = holds("suppression.reason", Present())
        if condition.can_receive is not None:
            subscribed = holds("status", CodeTest((Status.SUBSCRIBED,)))
            can_receive = every((subscribed, negation(suppressed)))
            parts.append(
                can_receive if condition.can_receive else negation(can_receive)
            )
        if condition.statuses:
            stated: Node = holds("status", CodeTest(condition.statuses))
            if Status.NEVER_SUBSCRIBED in condition.statuses:
                stated = some((stated, negation(status)))
            parts.append(stated)
        for name, timeframe in (
            ("updated_at", condition.changed),
            ("suppression.at", condition.suppressed),
        ):
            if timeframe is not None:
                test = date_test(timeframe, self.now, self.zone)
                parts.append(holds(name, test))
        if condition.methods:
            parts.append(holds("method", TextTest("equals", condition.methods)))
        if condition.sources:
            parts.append(holds("source", TextTest("equals", condition.sources)))
        if condition.is_double_opt_in is not None:
            confirmed = holds("double_opt_in", BooleanTest(True))
            wanted = condition.is_double_opt_in
            parts.append(confirmed if wanted else negation(confirmed))
        if condition.suppressions:
            reasons = CodeTest(condition.suppressions)
            parts.append(holds("suppression.reason", reasons))
        return every(parts)

    def sequence(self, condition: SequenceCondition) -> Node:
        steps = []
        window = Window()
        for step in condition.steps:
            metric = self.references.metrics.get(step.metric)
            window, where = self.events(condition.during, step.where)
            if metric is not None and where != NO_ONE:
                steps.append(Step(metric, where, step.happened))
            elif step.happened:
                return NO_ONE if condition.is_completed else EVERYONE
        if len(steps) == 1:
            ever = (Range(low=1),)
            first = steps[0]
            fact: EventFact | SequenceFact = EventFact(
                first.metric, window, first.where, Measure.COUNT, None, ever
            )
        else:
            fact = SequenceFact(tuple(steps), window, condition.within)
        return Leaf(fact, condition.is_completed)
