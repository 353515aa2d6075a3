"""Integrations of a running application, to be called."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from audience.integrations.kinds import (
    Integration,
)
from audience.integrations.kinds import (
    Settings as KindSettings,
)
from resolvers.db import Database
from resolvers.integrations import (
    create_integration,
)
from server.app import create_app
from server.settings import Settings
from tests.integration_calls import SECRET
from tests.server.conftest import client_of
from tests.server.integrations.tool import NOW, SERVER_SECRET, Connect, Tool
from tests.server.tiny import schema


@pytest.fixture
def rates() -> dict[str, str]:
    """Rates other than the usual ones, by the names of settings."""
    return {}


@pytest.fixture
async def connect(
    db: Database, mongodb_uri: str, rates: dict[str, str]
) -> AsyncIterator[Connect]:
    settings = Settings(
        mongodb_uri=SecretStr(mongodb_uri),
        database=db.name,
        driver=db.driver,
        secret=SecretStr(SERVER_SECRET),
        keeper=False,
        **rates,  # type: ignore[arg-type]
    )
    app = create_app(settings, schema)
    async with app.router.lifespan_context(app), client_of(app) as client:

        async def make(
            settings: KindSettings, secret: str | None = SECRET, name: str = "Tea shop"
        ) -> Tool:
            made = await create_integration(
                db,
                Integration(name, settings),
                secret=secret,
                server_secret=SERVER_SECRET,
                now=NOW,
            )
            return Tool(db, client, made.document)

        yield make
