"""The hub: what an account has reached of each goal, and what to do next."""

from datetime import timedelta
from typing import Any

import strawberry

from audience.growth import (
    ActionName,
    GoalKind,
    Ref,
    Rule,
    State,
    reports,
)
from audience.growth.states import (
    MESSAGES,
    NEWEST_PEOPLE,
    PEOPLE_WITH_DEVICE,
    PEOPLE_WITH_PHONE,
    WINDOW,
)
from audience.growth.web import (
    LEAST_ASKED,
    LEAST_VIEWS,
    MANY_UNANSWERED,
    POOR_CONVERSION,
)
from gql.context import Context
from gql.enums import expose
from gql.execution import plain
from gql.growth_operations import OPERATIONS
from gql.queries import query
from gql.scalars import JSON
from resolvers.db import Document
from resolvers.growth import growth_state
from resolvers.integrations.calls import PROBLEMS

SCOPE = "forms:read"
_LATELY = f"the last {WINDOW // timedelta(days=1)} days"
_NO_MAIL = (
    "This server sends no mail yet: it prints each confirmation on its terminal, until "
    "AUDIENCE_SMTP_HOST is set."
)

expose(
    GoalKind,
    name="GrowthGoalKind",
    description="What an account wants to reach.",
    values={
        "COLLECT_SUBSCRIBERS_ON_THE_WEB": "Lists, forms, and people who agree.",
        "BUILD_MOBILE_EXPERIENCES": "Devices that get push notifications, and what "
        "people do in the app.",
        "INTEGRATE_THIRD_PARTY_TOOLS": "Shops, forms and other tools whose calls "
        "become profiles and events.",
    },
)
expose(
    ActionName,
    name="GrowthActionName",
    description="What can be done for a goal.",
    values={name.value: OPERATIONS[name].title + "." for name in ActionName},
)
expose(
    Rule,
    name="GrowthRule",
    description="What is so, and calls for the recommended action. Of a goal's rules "
    "the first that holds is told, in the order in which they stand here.",
    values={
        "NO_LIST": "There is no list yet; or no form, and no list on double opt-in to "
        "which one should lead.",
        "NO_FORM": "No form is live or in draft.",
        "FORM_IN_DRAFT": "A form is in draft, and none is live.",
        "NO_VIEWS": f"Forms are live, but none was seen in {_LATELY}.",
        "CONFIRMATIONS_UNANSWERED": f"Of the {NEWEST_PEOPLE:,} newest people, at least "
        f"{LEAST_ASKED} were asked to confirm a sign-up in {_LATELY}, and "
        f"{MANY_UNANSWERED:.0%} of them or more have not answered within a day.",
        "KEY_WITHOUT_ORIGINS": "A public key that is older than 30 days works from "
        "every site, and there is no app with devices that would need that.",
        "POOR_CONVERSION": f"A live form was seen at least {LEAST_VIEWS} times in "
        f"{_LATELY}, and fewer than {POOR_CONVERSION:.0%} of the views became "
        "sign-ups.",
        "SINGLE_OPT_IN": "A live form signs people up to a list on single opt-in.",
        "NOBODY_BROUGHT_ALONG": "No CSV file was imported, and of the "
        f"{NEWEST_PEOPLE:,} newest people nobody was added by hand.",
        "NO_SMS_CONSENT": f"Of the first {PEOPLE_WITH_PHONE:,} people with a phone "
        "number nobody has agreed to text messages, and no live form asks for it.",
        "NO_TEXT_TO_JOIN": "No integration takes text messages.",
        "WEB_WELL_UNDER_WAY": "None of the others holds.",
        "NO_APP_KEY": "No public key works from an app, which has no origin.",
        "NO_PUSH_TOKENS": "No device is registered.",
        "NO_PUSH_CONSENT": "Devices are registered, but of the first "
        f"{PEOPLE_WITH_DEVICE:,} people with one nobody is subscribed to PUSH.",
        "NO_APP_EVENTS": f'No event "Opened App" in {_LATELY}.',
        "MOBILE_WELL_UNDER_WAY": "None of the others holds.",
        "NO_INTEGRATION": "Nothing is connected.",
        "INTEGRATION_FAILS": f"Calls of an active integration failed in {_LATELY}, as "
        f"far as its last {PROBLEMS} problems tell, or the first {MESSAGES:,} messages "
        "of webhooks.",
        "INTEGRATION_WITHOUT_SECRET": "An active integration lacks the secret without "
        "which no call can be verified.",
        "NOTHING_RECEIVED": "Nothing has come in or gone out by an active integration.",
        "INTEGRATION_PAUSED": "Every integration is paused.",
        "TOOLS_WELL_UNDER_WAY": "None of the others holds.",
    },
)


@strawberry.type(
    description="Something to do, with an operation that does it: it can be sent to "
    "this API as it is, or with other variables."
)
class GrowthAction:
    name: ActionName = plain("name", description="What it is, for programs.")
    title: str = plain("title", description="What it is, for people.")
    description: str = plain("description", description="What it brings about.")
    field: str = plain(
        "field", description="The field of Query or Mutation that does it."
    )
    operation: str = plain("operation", description="A GraphQL operation with it.")
    variables: JSON = plain(
        "variables",
        description="The operation's variables: what is known of this account filled "
        "in, the rest as an example. A file is null, and is sent as the GraphQL "
        "multipart request specification says.",
    )
    url: str | None = plain(
        "url", description="Where people see it, such as the form's page."
    )


@strawberry.type(description="What to do next for a goal.")
class GrowthRecommendation:
    rule: Rule = plain("rule", description="What calls for it.")
    title: str = plain("title", description="What to do, in a few words.")
    reason: str = plain(
        "reason", description="Why, with the figures on which it rests."
    )
    action: GrowthAction = plain("action", description="How.")


@strawberry.type(description="One thing to reach on the way to a goal.")
class GrowthStep:
    title: str = plain("title", description="What is so once it is reached.")
    is_done: bool = plain(
        "is_done",
        description="Whether it is so now, as far as the hub looks: at the "
        f"{NEWEST_PEOPLE:,} newest people, the first {PEOPLE_WITH_PHONE:,} with a "
        f"phone number and {PEOPLE_WITH_DEVICE:,} with a device, the last {PROBLEMS} "
        f"problems of each integration and {MESSAGES:,} messages of webhooks.",
    )


@strawberry.type(description="A goal, and how far the account has come.")
class GrowthGoal:
    kind: GoalKind = plain("kind", description="Which goal.")
    title: str = plain("title", description="The goal in words.")
    progress: float = plain(
        "progress",
        description="From 0 to 1: the share of the goal's steps that are done now. It "
        "goes back when one is not any more.",
    )
    steps: list[GrowthStep] = plain("steps", description="What there is to reach.")
    recommendation: GrowthRecommendation = plain(
        "recommendation", description="What to do next."
    )
    actions: list[GrowthAction] = plain(
        "actions", description="What else can be done now."
    )


@strawberry.type(
    description="The hub: each goal, with what this account has reached and should do "
    "next, computed from its present state."
)
class GrowthTools:
    goals: list[GrowthGoal] = plain("goals", description="The three goals.")


@strawberry.type
class GrowthQuery:
    @query(
        GrowthTools,
        SCOPE,
        description="The hub. Tells names of lists, forms, integrations and keys, and "
        "nothing about people.",
    )
    @staticmethod
    async def growth_tools(context: Context) -> Document:
        state = await growth_state(context.db, context.now(), context.zone)
        goals = [
            {
                "kind": each.kind,
                "title": each.title,
                "progress": each.progress,
                "steps": [
                    {"title": step.title, "is_done": step.is_done}
                    for step in each.steps
                ],
                "recommendation": {
                    "rule": each.recommendation.rule,
                    "title": each.recommendation.title,
                    "reason": each.recommendation.reason,
                    "action": _action(
                        context,
                        state,
                        each.recommendation.action,
                        each.recommendation.about,
                    ),
                },
                "actions": [
                    _action(context, state, name, about) for name, about in each.actions
                ],
            }
            for each in reports(state)
        ]
        return {"goals": goals}


def _action(
    context: Context, state: State, name: ActionName, about: Ref | None
) -> dict[str, Any]:
    operation = OPERATIONS[name]
    shown = next(
        (each for each in state.forms if about is not None and each.id == about.id),
        None,
    )
    return {
        "name": name,
        "title": operation.title,
        "description": operation.description
        if context.sends_mail or not operation.needs_mail
        else f"{operation.description} {_NO_MAIL}",
        "field": operation.field,
        "operation": operation.text,
        "variables": operation.variables(about, state),
        "url": None if shown is None else f"{context.address}/f/{shown.short}",
    }
