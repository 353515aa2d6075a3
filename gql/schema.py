"""The schema: what every noun offers, put together, and what surrounds an operation."""

from typing import Any

import strawberry
from graphql import GraphQLError, GraphQLInputObjectType
from strawberry.schema.config import StrawberryConfig
from strawberry.types.execution import ExecutionContext

from gql.aggregates import AggregateQuery
from gql.consent import ConsentMutation
from gql.erasures import ErasureMutation
from gql.errors import present
from gql.events import EventQuery
from gql.execution import CompiledSchema, DocumentCache
from gql.form_changes import FormMutation
from gql.forms import FormQuery
from gql.growth import GrowthQuery
from gql.import_changes import ImportMutation
from gql.imports import ImportQuery
from gql.integration_changes import IntegrationMutation
from gql.integrations import IntegrationQuery
from gql.keys import KeyMutation, KeyQuery
from gql.limits import (
    MAX_ALIASES,
    MAX_DEPTH,
    MAX_FIELDS,
    MAX_FIELDS_WITHOUT_KEY,
    MAX_NODES,
    MAX_TOKENS,
    MAX_TOKENS_WITHOUT_KEY,
    Limits,
)
from gql.list_changes import ListMutation
from gql.lists import ListQuery
from gql.metrics import MetricQuery
from gql.nodes import NodeQuery
from gql.preferences import PreferenceQuery
from gql.profile_changes import ProfileMutation
from gql.profile_queries import ProfileQuery
from gql.push_tokens import PushTokenMutation
from gql.scalars import SCALARS
from gql.segments import SegmentMutation, SegmentQuery
from gql.signups import SignUpMutation
from gql.subscriptions import Subscription
from gql.tracking import TrackingMutation
from gql.webhooks import WebhookMutation, WebhookQuery


@strawberry.type(
    description="What can be asked. Every field needs an API key, sent as "
    "`Authorization: Bearer sk_...`, with the scope that its description names. An "
    f"operation may have {MAX_TOKENS:,} tokens, {MAX_FIELDS:,} fields, {MAX_DEPTH} "
    f"levels and {MAX_ALIASES} aliases, and answer {MAX_NODES:,} objects; without a "
    f"secret key {MAX_TOKENS_WITHOUT_KEY:,} tokens and {MAX_FIELDS_WITHOUT_KEY} fields."
)
class Query(
    ProfileQuery,
    EventQuery,
    MetricQuery,
    AggregateQuery,
    ListQuery,
    SegmentQuery,
    FormQuery,
    GrowthQuery,
    PreferenceQuery,
    NodeQuery,
    ImportQuery,
    IntegrationQuery,
    WebhookQuery,
    KeyQuery,
):
    pass


@strawberry.type(
    description="What can be changed. Each takes one `input` and answers a payload: "
    "what was changed, null when it was refused, and `userErrors` that say why."
)
class Mutation(
    SignUpMutation,
    TrackingMutation,
    ProfileMutation,
    ErasureMutation,
    ConsentMutation,
    PushTokenMutation,
    ListMutation,
    SegmentMutation,
    FormMutation,
    ImportMutation,
    IntegrationMutation,
    WebhookMutation,
    KeyMutation,
):
    pass


class AudienceSchema(CompiledSchema):
    """A schema whose errors are fit to be shown: faults are logged and masked, and of
    variables it is told where they are wrong."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for each in self._schema.type_map.values():
            if isinstance(each, GraphQLInputObjectType) and _is_one_of(each):
                # Strawberry's own check of these does not know where it is.
                each.is_one_of = True

    def process_errors(
        self,
        errors: list[GraphQLError],
        execution_context: ExecutionContext | None = None,
    ) -> None:
        context = execution_context.context if execution_context else None
        request_id = getattr(context, "request_id", "")
        errors[:] = [present(error, request_id) for error in errors]


def _is_one_of(each: GraphQLInputObjectType) -> bool:
    return bool(each.extensions["strawberry-definition"].is_one_of)


schema = AudienceSchema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    config=StrawberryConfig(scalar_map=dict(SCALARS)),
    extensions=[DocumentCache, Limits],
)
