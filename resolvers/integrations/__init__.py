"""Integrations: kept, their calls taken once and in the right order, and what calls
say written down."""

from resolvers.integrations.calls import (
    Arrived,
    Outcome,
    log_call,
    logs_of_integrations,
    store_call,
)
from resolvers.integrations.records import (
    NewIntegration,
    called_integration,
    count_integrations,
    create_integration,
    delete_integration,
    integration_page,
    integrations_by_id,
    update_integration,
)
from resolvers.integrations.working import (
    Worked,
    work_on_call,
    work_on_waiting_calls,
)

__all__ = [
    "Arrived",
    "NewIntegration",
    "Outcome",
    "Worked",
    "called_integration",
    "count_integrations",
    "create_integration",
    "delete_integration",
    "integration_page",
    "integrations_by_id",
    "log_call",
    "logs_of_integrations",
    "store_call",
    "update_integration",
    "work_on_call",
    "work_on_waiting_calls",
]
