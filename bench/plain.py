"""The application with graphql-core's own executor instead of the compiled one."""

from starlette.applications import Starlette
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.schema.config import StrawberryConfig

from gql.limits import Limits
from gql.scalars import SCALARS
from gql.schema import AudienceSchema, Mutation, Query
from server.app import create_app
from server.logs import configure_logs
from server.settings import read_settings


def from_environment() -> Starlette:
    """The app of one worker process."""
    settings = read_settings()
    configure_logs(settings)
    schema = AudienceSchema(
        query=Query,
        mutation=Mutation,
        config=StrawberryConfig(scalar_map=dict(SCALARS)),
        extensions=[ParserCache, ValidationCache, Limits],
    )
    return create_app(settings, schema)
