"""Integrations: kept, their calls taken once and in the right order, and what calls
say written down."""

from resolvers.integrations.records import (
    NewIntegration,
    count_integrations,
    create_integration,
    delete_integration,
    has_integration,
    integration_page,
    integrations_by_id,
    update_integration,
)

__all__ = [
    "NewIntegration",
    "count_integrations",
    "create_integration",
    "delete_integration",
    "has_integration",
    "integration_page",
    "integrations_by_id",
    "update_integration",
]
